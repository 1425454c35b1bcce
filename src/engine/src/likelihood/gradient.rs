//! The criterion's gradient from one selected inverse of M.
//!
//! For every grouping factor, Gamma_k = sum over levels of (Z'WZ Lambda M^-1)_jj - [REML] H_j C^-1 U_j' - h_j u_j' / sigma^2
//! with H = Z'V^-1X, h = Z'Py; the gradient in T_k is twice its lower triangle, and Gamma_k = D_k T_k with D_k the score
//! in G_k. No inverse of T_k is taken, so the formula holds for singular T_k as well.
//!
//! Source: the derivatives of section 4 of the project's mathematics, in the form that needs only entries of M^-1
//! on the pattern of its factor.

use crate::covariance::Blocks;
use crate::crossprod::Crossprod;
use crate::error::Result;
use crate::likelihood::elimination::{self, nested_intercepts, one_factor};
use crate::likelihood::evaluation::{Gamma, Solved};
use crate::likelihood::products::{add_cross, subtract_fitted, subtract_fixed};
use crate::likelihood::selected_inverse::Inverse;
use crate::likelihood::structure::{Elimination, Structure};
use crate::likelihood::workspace::Workspace;
use crate::numerics::small::{self, block};

/// Gamma of every factor at a solved point; fills the selected inverse, the solutions and the residuals.
pub(crate) fn gamma(
    inverse: &mut Inverse,
    (s, a): (&Structure, &Crossprod),
    w: &mut Workspace,
    t: &Blocks,
    at: &Solved<'_>,
) -> Result<Gamma> {
    elimination::invert(inverse, s, a, w, &at.pls.beta)?;
    match s.elimination {
        Elimination::OneFactor => Ok(one_factor::gamma(inverse, s, a, t, at, w.threads)),
        Elimination::NestedIntercepts => Ok(nested_intercepts::gamma(inverse, s, a, t, at)),
        Elimination::General => {
            let spread = spread(inverse, s, a, w, t)?;
            let mut total = spread.clone();
            multiply(inverse, s, a, t, &at.pls.beta);
            for (factor, q, first, levels) in s.blocks() {
                let m = a.p + 1;
                let rows = first * m..(first + levels * q) * m;
                let (r, u) = (&inverse.residual[rows.clone()], &inverse.solution[rows]);
                subtract_fixed(&mut total[factor], r, u, q, a.p, at);
            }
            Ok(Gamma { total, spread })
        }
    }
}

/// Sum over levels of (Z'AZ Lambda M^-1)_jj by factor, for the cross-products `a` of A with the cells of the model.
pub(crate) fn spread(x: &Inverse, s: &Structure, a: &Crossprod, w: &Workspace, t: &Blocks) -> Result<Blocks> {
    let mut out: Blocks = a.factors.iter().map(|f| vec![0.0; f.q * f.q]).collect();
    let (mut inverse, mut work) = (Vec::new(), Vec::new());
    for tr in &s.trail {
        let q = tr.q;
        inverse.resize(q * q, 0.0);
        for j in 0..tr.levels {
            let at = tr.col + j * q;
            w.trailing.inverse_block(at, at, q, &mut inverse)?;
            let d = block(&a.factors[tr.factor].diag, j, q * q);
            add_triple(&mut out[tr.factor], d, &t[tr.factor], &inverse, q, &mut work);
        }
    }
    for &(pair, i, j) in &s.trail_pairs {
        let (f, g, p) = (&s.trail[i], &s.trail[j], &a.pairs[pair]);
        inverse.resize(f.q * g.q, 0.0);
        for l in 0..f.levels {
            for cell in p.starts[l]..p.starts[l + 1] {
                let (row, col) = (f.col + l * f.q, g.col + p.cols[cell] as usize * g.q);
                w.trailing.inverse_block(row, col, g.q, &mut inverse)?;
                let block = block(&p.blocks, cell, f.q * g.q);
                add_both(&mut out, block, &inverse, t, (f.factor, f.q), (g.factor, g.q), &mut work);
            }
        }
    }
    for (c, link) in s.chain.iter().enumerate() {
        let q = link.q;
        let levels = a.factors[link.factor].diag.chunks_exact(q * q).zip(x.diag[c].chunks_exact(q * q));
        for (d, x) in levels {
            add_triple(&mut out[link.factor], d, &t[link.factor], x, q, &mut work);
        }
        for (k, &pair) in link.up.iter().enumerate() {
            let upper = &s.chain[c + 1 + k];
            let size = q * upper.q;
            for (block, x) in a.pairs[pair].blocks.chunks_exact(size).zip(x.up[c][k].chunks_exact(size)) {
                add_both(&mut out, block, x, t, (link.factor, q), (upper.factor, upper.q), &mut work);
            }
        }
        for j in 0..link.levels {
            let width = link.range(j).len();
            let x = &x.across[c][link.across_range(j)];
            let mut at = 0;
            for (tr, &pair) in s.trail.iter().zip(&link.across) {
                let p = &a.pairs[pair];
                inverse.resize(q * tr.q, 0.0);
                for cell in p.starts[j]..p.starts[j + 1] {
                    (0..q * tr.q).for_each(|k| inverse[k] = x[k / tr.q * width + at + k % tr.q]);
                    let block = block(&p.blocks, cell, q * tr.q);
                    add_both(&mut out, block, &inverse, t, (link.factor, q), (tr.factor, tr.q), &mut work);
                    at += tr.q;
                }
            }
        }
    }
    Ok(out)
}

/// `out += a t x` for blocks q x q.
fn add_triple(out: &mut [f64], a: &[f64], t: &[f64], x: &[f64], q: usize, work: &mut Vec<f64>) {
    if q == 1 {
        out[0] += a[0] * t[0] * x[0];
        return;
    }
    work.clear();
    work.resize(q * q, 0.0);
    small::mul(work, t, x, q, q, q, 1.0);
    small::mul(out, a, work, q, q, q, 1.0);
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

/// Residuals Z'W[X, y - X beta] - Z'WZ Lambda [U, u] of all rows.
fn multiply(x: &mut Inverse, s: &Structure, a: &Crossprod, t: &Blocks, beta: &[f64]) {
    let m = a.p + 1;
    x.product.fill(0.0);
    for (factor, q, first, levels) in s.blocks() {
        let rows = first * m..(first + levels * q) * m;
        let solved = x.solution[rows.clone()].chunks_exact(q * m);
        for (out, u) in x.product[rows.clone()].chunks_exact_mut(q * m).zip(solved) {
            small::mul(out, &t[factor], u, q, q, m, 1.0);
        }
        x.residual[rows].copy_from_slice(&a.factors[factor].rhs);
    }
    subtract_fitted(&mut x.residual, a.p, beta);
    add_cross(s, a, &x.product, m, &mut x.residual, -1.0);
}
