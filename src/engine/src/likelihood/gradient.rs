//! The criterion's gradient from one selected inverse of M.
//!
//! For every grouping factor, Gamma_k = sum over levels of (Z'WZ Lambda M^-1)_jj - [REML] H_j C^-1 U_j' - h_j u_j' / sigma^2
//! with H = Z'V^-1X, h = Z'Py; the gradient in T_k is twice its lower triangle, and Gamma_k = D_k T_k with D_k the score
//! in G_k. No inverse of T_k is taken, so the formula holds for singular T_k as well.
//!
//! Source: the derivatives of section 4 of the project's mathematics, in the form that needs only entries of M^-1
//! on the pattern of its factor.

use crate::covariance::theta::Blocks;
use crate::crossprod::crossprod::Crossprod;
use crate::likelihood::factor::Workspace;
use crate::likelihood::nested_intercepts;
use crate::likelihood::one_factor;
use crate::likelihood::pls::Pls;
use crate::likelihood::selected_inverse::Inverse;
use crate::likelihood::structure::Structure;
use crate::numerics::small;

/// Gamma of every factor and its first, positive part.
#[derive(Clone, Debug)]
pub struct Gamma {
    /// Gamma_k, q_k x q_k by rows.
    pub total: Blocks,
    /// Sum of (Z'WZ Lambda M^-1)_jj = Z'V^-1Z T.
    pub spread: Blocks,
}

/// The solution at the point of a gradient.
pub struct Solved<'a> {
    /// beta, r2 and the factor of C.
    pub pls: &'a Pls,
    /// sigma^2 = r2 / nu.
    pub sigma2: f64,
    /// True to add the term of log|C|.
    pub reml: bool,
}

impl Inverse {
    /// Gamma of every factor at a solved point.
    pub fn gamma(&mut self, s: &Structure, a: &Crossprod, w: &Workspace, t: &Blocks, at: &Solved<'_>) -> Gamma {
        if one_factor::applies(s) {
            return one_factor::gamma(self, s, a, t, at, w.threads);
        }
        if nested_intercepts::applies(s) {
            return nested_intercepts::gamma(self, s, a, t, at);
        }
        let spread = self.spread(s, a, w, t);
        let mut total = spread.clone();
        self.fixed_part(s, a, t, at, &mut total);
        Gamma { total, spread }
    }

    pub(crate) fn spread(&self, s: &Structure, a: &Crossprod, w: &Workspace, t: &Blocks) -> Blocks {
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

    fn fixed_part(&mut self, s: &Structure, a: &Crossprod, t: &Blocks, at: &Solved<'_>, out: &mut Blocks) {
        let pls = at.pls;
        let (p, m) = (a.p, a.p + 1);
        // The last column of the solution becomes u, and that of the residual h = Z'Py.
        for row in self.solution.chunks_exact_mut(m) {
            row[p] -= row[..p].iter().zip(&pls.beta).map(|(x, b)| x * b).sum::<f64>();
        }
        multiply(s, a, t, &self.solution, &mut self.product, &mut self.residual, &pls.beta);
        for (factor, q, first, levels) in blocks_of(s) {
            let rows = first * m..(first + levels * q) * m;
            subtract_fixed(&mut out[factor], &self.residual[rows.clone()], &self.solution[rows], q, p, at);
        }
    }
}

/// Rows whitened at once.
pub(crate) const BATCH: usize = 64;

/// Replaces the first p elements h of every row (of p + 1) by R^-1 h, with C = R R': many rows at once.
pub(crate) fn whiten(rx: &[f64], p: usize, rows: &mut [f64], work: &mut Vec<f64>) {
    let (m, n) = (p + 1, rows.len() / (p + 1));
    work.resize(p * n, 0.0);
    for (k, row) in rows.chunks_exact(m).enumerate() {
        (0..p).for_each(|c| work[c * n + k] = row[c]);
    }
    small::solve_lower(rx, p, work, n);
    for (k, row) in rows.chunks_exact_mut(m).enumerate() {
        (0..p).for_each(|c| row[c] = work[c * n + k]);
    }
}

/// `gamma -= sum over levels of H_j C^-1 U_j' + h_j u_j' / sigma^2`; `r` holds [H, h] and `u` [U, u], rows of p + 1.
pub(crate) fn subtract_fixed(gamma: &mut [f64], r: &[f64], u: &[f64], q: usize, p: usize, at: &Solved<'_>) {
    let m = p + 1;
    let size = (BATCH / q).max(1) * q * m;
    let (mut left, mut right, mut work) = (Vec::with_capacity(size), Vec::with_capacity(size), Vec::new());
    for (r, u) in r.chunks(size).zip(u.chunks(size)) {
        left.clear();
        left.extend_from_slice(r);
        right.clear();
        right.extend_from_slice(u);
        if at.reml {
            whiten(&at.pls.rx, p, &mut left, &mut work);
            whiten(&at.pls.rx, p, &mut right, &mut work);
        }
        for row in left.chunks_exact_mut(m) {
            if !at.reml {
                row[..p].fill(0.0);
            }
            row[p] /= at.sigma2;
        }
        for (left, right) in left.chunks_exact(q * m).zip(right.chunks_exact(q * m)) {
            small::mul_by_transposed(gamma, left, right, q, m, q, -1.0);
        }
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

/// Factor, columns a level, first row and levels of all factors, in the order of elimination.
pub(crate) fn blocks_of(s: &Structure) -> impl Iterator<Item = (usize, usize, usize, usize)> + '_ {
    s.chain
        .iter()
        .map(|l| (l.factor, l.q, l.row, l.levels))
        .chain(s.trail.iter().map(|x| (x.factor, x.q, s.trail_row + x.col, x.levels)))
}

/// Pairs of factors with columns a level and first row of both.
fn pairs_of(s: &Structure) -> impl Iterator<Item = (usize, [usize; 2], [usize; 2])> + '_ {
    let chain = s.chain.iter().enumerate().flat_map(move |(c, link)| {
        let up = link
            .up
            .iter()
            .zip(&s.chain[c + 1..])
            .map(|(&pair, upper)| (pair, [link.q, upper.q], [link.row, upper.row]));
        let across = s.trail.iter().zip(&link.across);
        up.chain(across.map(|(tr, &pair)| (pair, [link.q, tr.q], [link.row, s.trail_row + tr.col])))
    });
    let trail = s.trail_pairs.iter().map(|&(pair, i, j)| {
        let (f, g) = (&s.trail[i], &s.trail[j]);
        (pair, [f.q, g.q], [s.trail_row + f.col, s.trail_row + g.col])
    });
    chain.chain(trail)
}

/// `out += sign * Z'WZ x`, rows in the order of elimination, k columns by rows.
pub(crate) fn add_cross(s: &Structure, a: &Crossprod, x: &[f64], k: usize, out: &mut [f64], sign: f64) {
    for (factor, q, first, levels) in blocks_of(s) {
        for j in 0..levels {
            let at = (first + j * q) * k..(first + (j + 1) * q) * k;
            small::mul(
                &mut out[at.clone()],
                &a.factors[factor].diag[j * q * q..(j + 1) * q * q],
                &x[at],
                q,
                q,
                k,
                sign,
            );
        }
    }
    for (pair, [qf, qg], [row_f, row_g]) in pairs_of(s) {
        let p = &a.pairs[pair];
        for l in 0..p.starts.len() - 1 {
            let f = (row_f + l * qf) * k..(row_f + (l + 1) * qf) * k;
            for c in p.starts[l]..p.starts[l + 1] {
                let g = (row_g + p.cols[c] as usize * qg) * k..(row_g + (p.cols[c] as usize + 1) * qg) * k;
                let block = &p.blocks[c * qf * qg..(c + 1) * qf * qg];
                small::mul(&mut out[f.clone()], block, &x[g.clone()], qf, qg, k, sign);
                small::mul_transposed(&mut out[g], block, &x[f.clone()], qg, qf, k, sign);
            }
        }
    }
}

/// Z'WZ as a dense matrix by rows, in the order of elimination.
pub(crate) fn dense_cross(s: &Structure, a: &Crossprod) -> Vec<f64> {
    let n = s.q;
    let mut z = vec![0.0; n * n];
    for (factor, q, first, levels) in blocks_of(s) {
        for (j, block) in a.factors[factor].diag.chunks_exact(q * q).enumerate().take(levels) {
            for r in 0..q {
                let at = (first + j * q + r) * n + first + j * q;
                z[at..at + q].copy_from_slice(&block[r * q..(r + 1) * q]);
            }
        }
    }
    for (pair, [qf, qg], [row_f, row_g]) in pairs_of(s) {
        let p = &a.pairs[pair];
        for l in 0..p.starts.len() - 1 {
            for c in p.starts[l]..p.starts[l + 1] {
                let (row, col) = (row_f + l * qf, row_g + p.cols[c] as usize * qg);
                for (e, x) in p.blocks[c * qf * qg..(c + 1) * qf * qg].iter().enumerate() {
                    z[(row + e / qg) * n + col + e % qg] = *x;
                    z[(col + e % qg) * n + row + e / qg] = *x;
                }
            }
        }
    }
    z
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
    product.fill(0.0);
    for (factor, q, first, levels) in blocks_of(s) {
        let sums = &a.factors[factor];
        for j in 0..levels {
            let at = (first + j * q) * m..(first + (j + 1) * q) * m;
            small::mul(&mut product[at.clone()], &t[factor], &solution[at.clone()], q, q, m, 1.0);
            let out = &mut residual[at];
            out.copy_from_slice(&sums.rhs[j * q * m..(j + 1) * q * m]);
            for row in out.chunks_exact_mut(m) {
                row[p] -= row[..p].iter().zip(beta).map(|(x, b)| x * b).sum::<f64>();
            }
        }
    }
    add_cross(s, a, product, m, residual, -1.0);
}
