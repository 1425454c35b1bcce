//! The selected inverse of the general elimination, from the trailing matrix back through the chain.

use super::general;
use crate::crossprod::Crossprod;
use crate::error::Result;
use crate::likelihood::products::subtract_fitted;
use crate::likelihood::selected_inverse::Inverse;
use crate::likelihood::structure::Structure;
use crate::likelihood::workspace::Workspace;
use crate::numerics::small::{self, block, block_mut};

/// Solutions and selected inverse.
pub(super) fn invert(x: &mut Inverse, s: &Structure, a: &Crossprod, w: &mut Workspace, beta: &[f64]) -> Result<()> {
    x.solution.copy_from_slice(&w.border);
    general::backward(w, s, a, &mut x.solution, a.p + 1)?;
    subtract_fitted(&mut x.solution, a.p, beta);
    w.trailing.invert()?;
    for c in (0..s.chain.len()).rev() {
        let link = &s.chain[c];
        if !link.cols.is_empty() {
            w.trailing.product(&mut x.across[c], link.strips(), &w.links[c].across)?;
        }
        for j in 0..link.levels {
            invert_level(x, s, a, w, (c, j));
        }
    }
    Ok(())
}

/// M^-1 between level j of chain factor c and its neighbours: P = -L^-T W (M^-1)_NN, then the diagonal block.
fn invert_level(x: &mut Inverse, s: &Structure, a: &Crossprod, w: &Workspace, (c, j): (usize, usize)) {
    let (link, blocks) = (&s.chain[c], &w.links[c]);
    let (q, width) = (link.q, link.range(j).len());
    let (own, later) = x.up.split_at_mut(c + 1);
    let (own_across, later_across) = x.across.split_at_mut(c + 1);
    let (own_diag, later_diag) = x.diag.split_at_mut(c + 1);
    let l = block(&blocks.diag, j, q * q);
    let wr = &blocks.across[link.across_range(j)];
    let pr = &mut own_across[c][link.across_range(j)];
    for (k, &pair) in link.up.iter().enumerate() {
        let upper = &s.chain[c + 1 + k];
        let (qa, parent) = (upper.q, a.pairs[pair].cols[j] as usize);
        let wa = block(&blocks.up[k], j, q * qa);
        let pa = block_mut(&mut own[c][k], j, q * qa);
        pa.fill(0.0);
        small::mul(pa, wa, block(&later_diag[k], parent, qa * qa), q, qa, qa, -1.0);
        let theirs = upper.range(parent).len();
        let inverse_ar = &later_across[k][upper.across_range(parent)];
        for (at, &place) in link.lift[k][link.range(j)].iter().enumerate() {
            for i in 0..qa {
                let x = inverse_ar[i * theirs + place as usize];
                for r in 0..q {
                    pr[r * width + at] -= wa[r * qa + i] * x;
                    pa[r * qa + i] -= wr[r * width + at] * x;
                }
            }
        }
        for (k2, &pair2) in link.up.iter().enumerate() {
            let qb = s.chain[c + 1 + k2].q;
            let wb = block(&blocks.up[k2], j, q * qb);
            if k2 > k {
                let x = block(&later[k][k2 - k - 1], parent, qa * qb);
                small::mul_by_transposed(pa, wb, x, q, qb, qa, -1.0);
            } else if k2 < k {
                let x = block(&later[k2][k - k2 - 1], a.pairs[pair2].cols[j] as usize, qb * qa);
                small::mul(pa, wb, x, q, qb, qa, -1.0);
            }
        }
    }
    let diag = block_mut(&mut own_diag[c], j, q * q);
    small::set_identity(diag, q);
    small::mul_by_transposed(diag, pr, wr, q, width, q, -1.0);
    for (k, upper) in s.chain[c + 1..].iter().enumerate() {
        let (pa, wa) = (block(&own[c][k], j, q * upper.q), block(&blocks.up[k], j, q * upper.q));
        small::mul_by_transposed(diag, pa, wa, q, upper.q, q, -1.0);
    }
    // I + W (M^-1)_NN W' is symmetric: L^-T from the left, transpose, L^-T again.
    small::solve_lower_transposed(l, q, diag, q);
    small::transpose_in_place(diag, q);
    small::solve_lower_transposed(l, q, diag, q);
    small::solve_lower_transposed(l, q, pr, width);
    for (k, upper) in s.chain[c + 1..].iter().enumerate() {
        small::solve_lower_transposed(l, q, block_mut(&mut own[c][k], j, q * upper.q), upper.q);
    }
}
