//! The criterion's gradient from one selected inverse of M.
//!
//! For every grouping factor, Gamma_k = sum over levels of (Z'WZ Lambda M^-1)_jj - [REML] H_j C^-1 U_j' - h_j u_j' / sigma^2
//! with H = Z'V^-1X, h = Z'Py; the gradient in T_k is twice its lower triangle, and Gamma_k = D_k T_k with D_k the score
//! in G_k. No inverse of T_k is taken, so the formula holds for singular T_k as well.
//!
//! Source: the derivatives of section 4 of the project's mathematics, in the form that needs only entries of M^-1
//! on the pattern of its factor.

use crate::block::small;
use crate::crossprod::Crossprod;
use crate::error::Result;
use crate::factor::Workspace;
use crate::pls::Pls;
use crate::structure::Structure;
use crate::theta::Blocks;

/// Entries of M^-1 on the pattern, and the solutions U = M^-1 Lambda'Z'W[X, y].
pub struct Inverse {
    /// Diagonal blocks of each chain factor.
    diag: Vec<Vec<f64>>,
    up: Vec<Vec<Vec<f64>>>,
    across: Vec<Vec<f64>>,
    /// U, q x (p + 1) by rows.
    pub solution: Vec<f64>,
    product: Vec<f64>,
    residual: Vec<f64>,
}

/// Gamma of every factor and its first, positive part.
#[derive(Clone, Debug)]
pub struct Gamma {
    /// Gamma_k, q_k x q_k by rows.
    pub total: Blocks,
    /// Sum of (Z'WZ Lambda M^-1)_jj = Z'V^-1Z T.
    pub spread: Blocks,
}

impl Inverse {
    /// Allocates for a structure.
    pub fn new(s: &Structure, a: &Crossprod) -> Inverse {
        let rows = s.q * (a.p + 1);
        Inverse {
            diag: s.chain.iter().map(|l| vec![0.0; l.levels * l.q * l.q]).collect(),
            up: s
                .chain
                .iter()
                .enumerate()
                .map(|(c, l)| s.chain[c + 1..].iter().map(|u| vec![0.0; l.levels * l.q * u.q]).collect())
                .collect(),
            across: s.chain.iter().map(|l| vec![0.0; l.values.len()]).collect(),
            solution: vec![0.0; rows],
            product: vec![0.0; rows],
            residual: vec![0.0; rows],
        }
    }

    /// Fills the selected inverse and the solutions from a factored workspace.
    pub fn update(&mut self, s: &Structure, a: &Crossprod, w: &mut Workspace) -> Result<()> {
        let m = a.p + 1;
        self.solution.copy_from_slice(&w.border);
        w.backward(s, a, &mut self.solution, m)?;
        w.trailing.invert()?;
        for c in (0..s.chain.len()).rev() {
            self.link(s, a, w, c);
        }
        Ok(())
    }

    /// M^-1 between level j of chain factor c and its neighbours: P = -L^-T W (M^-1)_NN, then the diagonal block.
    fn link(&mut self, s: &Structure, a: &Crossprod, w: &Workspace, c: usize) {
        let link = &s.chain[c];
        let (q, blocks) = (link.q, &w.links[c]);
        let (own, later) = self.up.split_at_mut(c + 1);
        let (own_across, later_across) = self.across.split_at_mut(c + 1);
        let (own_diag, later_diag) = self.diag.split_at_mut(c + 1);
        for j in 0..link.levels {
            let l = &blocks.diag[j * q * q..(j + 1) * q * q];
            let range = q * link.starts[j]..q * link.starts[j + 1];
            let cols = &link.cols[link.starts[j]..link.starts[j + 1]];
            let width = cols.len();
            let wr = &blocks.across[range.clone()];
            let pr = &mut own_across[c][range];
            pr.fill(0.0);
            if width > 0 {
                w.trailing.subtract_product(pr, wr, cols, q);
            }
            for (k, &pair) in link.up.iter().enumerate() {
                let upper = &s.chain[c + 1 + k];
                let (qa, parent) = (upper.q, a.pairs[pair].cols[j] as usize);
                let wa = &blocks.up[k][j * q * qa..(j + 1) * q * qa];
                let places = &link.lift[k][link.starts[j]..link.starts[j + 1]];
                let theirs = upper.starts[parent + 1] - upper.starts[parent];
                let base = qa * upper.starts[parent];
                let inverse_ar = &later_across[k];
                let mut pa = vec![0.0; q * qa];
                small::mul(&mut pa, wa, &later_diag[k][parent * qa * qa..(parent + 1) * qa * qa], q, qa, qa, -1.0);
                for (at, &place) in places.iter().enumerate() {
                    for i in 0..qa {
                        let x = inverse_ar[base + i * theirs + place as usize];
                        for r in 0..q {
                            pr[r * width + at] -= wa[r * qa + i] * x;
                            pa[r * qa + i] -= wr[r * width + at] * x;
                        }
                    }
                }
                for (k2, &pair2) in link.up.iter().enumerate() {
                    let qb = s.chain[c + 1 + k2].q;
                    let wb = &blocks.up[k2][j * q * qb..(j + 1) * q * qb];
                    if k2 > k {
                        let x = &later[k][k2 - k - 1][parent * qa * qb..(parent + 1) * qa * qb];
                        small::mul_by_transposed(&mut pa, wb, x, q, qb, qa, -1.0);
                    } else if k2 < k {
                        let lower = a.pairs[pair2].cols[j] as usize;
                        let x = &later[k2][k - k2 - 1][lower * qb * qa..(lower + 1) * qb * qa];
                        small::mul(&mut pa, wb, x, q, qb, qa, -1.0);
                    }
                }
                own[c][k][j * q * qa..(j + 1) * q * qa].copy_from_slice(&pa);
            }
            let diag = &mut own_diag[c][j * q * q..(j + 1) * q * q];
            diag.fill(0.0);
            (0..q).for_each(|i| diag[i * q + i] = 1.0);
            small::mul_by_transposed(diag, pr, wr, q, width, q, -1.0);
            for (k, upper) in s.chain[c + 1..].iter().enumerate() {
                let qa = upper.q;
                let wa = &blocks.up[k][j * q * qa..(j + 1) * q * qa];
                small::mul_by_transposed(diag, &own[c][k][j * q * qa..(j + 1) * q * qa], wa, q, qa, q, -1.0);
            }
            // I + W (M^-1)_NN W' is symmetric: L^-T from the left, transpose, L^-T again.
            small::solve_lower_transposed(l, q, diag, q);
            (1..q).for_each(|r| (0..r).for_each(|c| diag.swap(r * q + c, c * q + r)));
            small::solve_lower_transposed(l, q, diag, q);
            small::solve_lower_transposed(l, q, pr, width);
            for (k, upper) in s.chain[c + 1..].iter().enumerate() {
                small::solve_lower_transposed(l, q, &mut own[c][k][j * q * upper.q..(j + 1) * q * upper.q], upper.q);
            }
        }
    }

    /// Gamma of every factor at a solved point; `reml` adds the term of log|C|.
    pub fn gamma(
        &mut self,
        s: &Structure,
        a: &Crossprod,
        w: &Workspace,
        t: &Blocks,
        pls: &Pls,
        sigma2: f64,
        reml: bool,
    ) -> Gamma {
        let spread = self.spread(s, a, w, t);
        let mut total = spread.clone();
        self.fixed_part(s, a, t, pls, sigma2, reml, &mut total);
        Gamma { total, spread }
    }

    fn spread(&self, s: &Structure, a: &Crossprod, w: &Workspace, t: &Blocks) -> Blocks {
        let mut out: Blocks = a.factors.iter().map(|f| vec![0.0; f.q * f.q]).collect();
        let mut inverse = Vec::new();
        for tr in &s.trail {
            let q = tr.q;
            inverse.resize(q * q, 0.0);
            for j in 0..tr.levels {
                let at = tr.col + j * q;
                (0..q * q).for_each(|k| inverse[k] = w.trailing.inverse_at(at + k / q, at + k % q));
                add_triple(
                    &mut out[tr.factor],
                    &a.factors[tr.factor].diag[j * q * q..(j + 1) * q * q],
                    &t[tr.factor],
                    &inverse,
                    q,
                    q,
                );
            }
        }
        let mut turned = Vec::new();
        for &(pair, i, j) in &s.trail_pairs {
            let (f, g, p) = (&s.trail[i], &s.trail[j], &a.pairs[pair]);
            inverse.resize(f.q * g.q, 0.0);
            for l in 0..f.levels {
                for cell in p.starts[l]..p.starts[l + 1] {
                    let (row, col) = (f.col + l * f.q, g.col + p.cols[cell] as usize * g.q);
                    (0..f.q * g.q).for_each(|k| inverse[k] = w.trailing.inverse_at(row + k / g.q, col + k % g.q));
                    let block = &p.blocks[cell * f.q * g.q..(cell + 1) * f.q * g.q];
                    add_both(&mut out, block, &inverse, t, (f.factor, f.q), (g.factor, g.q), &mut turned);
                }
            }
        }
        for (c, link) in s.chain.iter().enumerate() {
            let q = link.q;
            for j in 0..link.levels {
                let d = j * q * q..(j + 1) * q * q;
                add_triple(
                    &mut out[link.factor],
                    &a.factors[link.factor].diag[d.clone()],
                    &t[link.factor],
                    &self.diag[c][d],
                    q,
                    q,
                );
            }
            for (k, &pair) in link.up.iter().enumerate() {
                let upper = &s.chain[c + 1 + k];
                let size = q * upper.q;
                for (block, x) in a.pairs[pair].blocks.chunks_exact(size).zip(self.up[c][k].chunks_exact(size)) {
                    add_both(&mut out, block, x, t, (link.factor, q), (upper.factor, upper.q), &mut turned);
                }
            }
            for j in 0..link.levels {
                let width = link.starts[j + 1] - link.starts[j];
                let x = &self.across[c][q * link.starts[j]..q * link.starts[j + 1]];
                let mut at = 0;
                for (tr, &pair) in s.trail.iter().zip(&link.across) {
                    let p = &a.pairs[pair];
                    inverse.resize(q * tr.q, 0.0);
                    for cell in p.starts[j]..p.starts[j + 1] {
                        (0..q * tr.q).for_each(|k| inverse[k] = x[k / tr.q * width + at + k % tr.q]);
                        let block = &p.blocks[cell * q * tr.q..(cell + 1) * q * tr.q];
                        add_both(&mut out, block, &inverse, t, (link.factor, q), (tr.factor, tr.q), &mut turned);
                        at += tr.q;
                    }
                }
            }
        }
        out
    }

    #[allow(clippy::too_many_arguments)]
    fn fixed_part(
        &mut self,
        s: &Structure,
        a: &Crossprod,
        t: &Blocks,
        pls: &Pls,
        sigma2: f64,
        reml: bool,
        out: &mut Blocks,
    ) {
        let (p, m) = (a.p, a.p + 1);
        // The last column of the solution becomes u, and that of the residual h = Z'Py.
        for row in self.solution.chunks_exact_mut(m) {
            row[p] -= row[..p].iter().zip(&pls.beta).map(|(x, b)| x * b).sum::<f64>();
        }
        multiply(s, a, t, &self.solution, &mut self.product, &mut self.residual, &pls.beta);
        let mut left = vec![0.0; m];
        let mut right = vec![0.0; m];
        let blocks = s
            .chain
            .iter()
            .map(|l| (l.factor, l.q, l.row, l.levels))
            .chain(s.trail.iter().map(|x| (x.factor, x.q, s.trail_row + x.col, x.levels)));
        for (factor, q, first, levels) in blocks {
            let gamma = &mut out[factor];
            let mut h = vec![0.0; q * p];
            let mut u = vec![0.0; q * p];
            for j in 0..levels {
                let row = (first + j * q) * m;
                for r in 0..q {
                    left.copy_from_slice(&self.residual[row + r * m..row + (r + 1) * m]);
                    right.copy_from_slice(&self.solution[row + r * m..row + (r + 1) * m]);
                    if reml {
                        small::solve_lower(&pls.rx, p, &mut left[..p], 1);
                        small::solve_lower(&pls.rx, p, &mut right[..p], 1);
                        h[r * p..(r + 1) * p].copy_from_slice(&left[..p]);
                        u[r * p..(r + 1) * p].copy_from_slice(&right[..p]);
                    }
                    for c in 0..q {
                        gamma[r * q + c] -= left[p] * self.solution[row + c * m + p] / sigma2;
                    }
                }
                if reml {
                    small::mul_by_transposed(gamma, &h, &u, q, p, q, -1.0);
                }
            }
        }
    }

    /// Diagonal blocks of M^-1 by grouping factor (J blocks q x q by rows).
    pub fn diagonal(&self, s: &Structure, w: &Workspace, factor: usize) -> Vec<f64> {
        if let Some(c) = s.chain.iter().position(|l| l.factor == factor) {
            return self.diag[c].clone();
        }
        let mut out = Vec::new();
        for tr in s.trail.iter().filter(|t| t.factor == factor) {
            for j in 0..tr.levels {
                let at = tr.col + j * tr.q;
                out.extend((0..tr.q * tr.q).map(|k| w.trailing.inverse_at(at + k / tr.q, at + k % tr.q)));
            }
        }
        out
    }
}

/// `out += a t x` for a (q x q), t (q x q), x (q x n).
fn add_triple(out: &mut [f64], a: &[f64], t: &[f64], x: &[f64], q: usize, n: usize) {
    if q == 1 && n == 1 {
        out[0] += a[0] * t[0] * x[0];
        return;
    }
    let mut half = vec![0.0; q * n];
    small::mul(&mut half, t, x, q, q, n, 1.0);
    small::mul(out, a, &half, q, q, n, 1.0);
}

/// Adds the two contributions of a cell of Z'WZ with its entries of M^-1 (both q_f x q_g by rows).
fn add_both(
    out: &mut Blocks,
    block: &[f64],
    inverse: &[f64],
    t: &Blocks,
    f: (usize, usize),
    g: (usize, usize),
    work: &mut Vec<f64>,
) {
    let ((ff, qf), (fg, qg)) = (f, g);
    if qf == 1 && qg == 1 {
        let x = block[0] * inverse[0];
        out[ff][0] += x * t[fg][0];
        out[fg][0] += x * t[ff][0];
        return;
    }
    work.resize(2 * qf * qg, 0.0);
    let (one, two) = work.split_at_mut(qf * qg);
    // A T_g (M^-1)_gf, then A' T_f (M^-1)_fg.
    one.fill(0.0);
    small::mul(one, block, &t[fg], qf, qg, qg, 1.0);
    small::mul_by_transposed(&mut out[ff], one, inverse, qf, qg, qf, 1.0);
    two.fill(0.0);
    small::mul(two, &t[ff], inverse, qf, qf, qg, 1.0);
    small::mul_transposed(&mut out[fg], block, two, qg, qf, qg, 1.0);
}

/// `residual = Z'W[X, y] - Z'WZ Lambda solution`, with the last column of Z'W[X, y] taken as Z'W(y - X beta).
fn multiply(
    s: &Structure,
    a: &Crossprod,
    t: &Blocks,
    solution: &[f64],
    product: &mut [f64],
    residual: &mut [f64],
    beta: &[f64],
) {
    let (p, m) = (a.p, a.p + 1);
    let rows = s
        .chain
        .iter()
        .map(|l| (l.factor, l.q, l.row, l.levels))
        .chain(s.trail.iter().map(|x| (x.factor, x.q, s.trail_row + x.col, x.levels)));
    product.fill(0.0);
    for (factor, q, first, levels) in rows {
        let sums = &a.factors[factor];
        for j in 0..levels {
            let at = (first + j * q) * m..(first + (j + 1) * q) * m;
            small::mul(&mut product[at.clone()], &t[factor], &solution[at.clone()], q, q, m, 1.0);
            let out = &mut residual[at.clone()];
            out.copy_from_slice(&sums.rhs[j * q * m..(j + 1) * q * m]);
            for row in out.chunks_exact_mut(m) {
                row[p] -= row[..p].iter().zip(beta).map(|(x, b)| x * b).sum::<f64>();
            }
            small::mul(out, &sums.diag[j * q * q..(j + 1) * q * q], &product[at], q, q, m, -1.0);
        }
    }
    let mut cell = |pair: usize, qf: usize, qg: usize, row_f: usize, row_g: usize| {
        let p = &a.pairs[pair];
        for l in 0..p.starts.len() - 1 {
            let f = (row_f + l * qf) * m..(row_f + (l + 1) * qf) * m;
            for c in p.starts[l]..p.starts[l + 1] {
                let g = (row_g + p.cols[c] as usize * qg) * m..(row_g + (p.cols[c] as usize + 1) * qg) * m;
                let block = &p.blocks[c * qf * qg..(c + 1) * qf * qg];
                small::mul(&mut residual[f.clone()], block, &product[g.clone()], qf, qg, m, -1.0);
                small::mul_transposed(&mut residual[g], block, &product[f.clone()], qg, qf, m, -1.0);
            }
        }
    };
    for (c, link) in s.chain.iter().enumerate() {
        for (k, &pair) in link.up.iter().enumerate() {
            let upper = &s.chain[c + 1 + k];
            cell(pair, link.q, upper.q, link.row, upper.row);
        }
        for (tr, &pair) in s.trail.iter().zip(&link.across) {
            cell(pair, link.q, tr.q, link.row, s.trail_row + tr.col);
        }
    }
    for &(pair, i, j) in &s.trail_pairs {
        let (f, g) = (&s.trail[i], &s.trail[j]);
        cell(pair, f.q, g.q, s.trail_row + f.col, s.trail_row + g.col);
    }
}
