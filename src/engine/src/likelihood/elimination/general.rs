//! The blocked Cholesky factor of M for a chain of nested factors and a trailing matrix, and the two halves of a solve.

use super::assemble::assemble;
use crate::covariance::Blocks;
use crate::crossprod::Crossprod;
use crate::error::{Error, Result};
use crate::likelihood::structure::{Link, Structure};
use crate::likelihood::workspace::{LinkBlocks, Workspace};
use crate::numerics::small::{self, block, block_mut, LogProduct};

/// Factors M at `t` and solves for the border; returns log|L|^2.
pub(super) fn factor(w: &mut Workspace, s: &Structure, a: &Crossprod, t: &Blocks) -> Result<f64> {
    assemble(w, s, a, t)?;
    let mut log_det = 0.0;
    for c in 0..s.chain.len() {
        log_det += eliminate(w, s, a, c)?;
        if !s.chain[c].cols.is_empty() {
            w.trailing.rank_update(s.chain[c].strips(), &w.links[c].across)?;
        }
    }
    log_det += w.trailing.factorise()?;
    let m = a.p + 1;
    w.trailing.forward(&mut w.border[s.trail_row * m..], m)?;
    Ok(log_det)
}

/// Eliminates chain factor `c` but for the trailing matrix; returns its part of log|L|^2.
fn eliminate(w: &mut Workspace, s: &Structure, a: &Crossprod, c: usize) -> Result<f64> {
    let (link, m) = (&s.chain[c], a.p + 1);
    let q = link.q;
    let (this, above) = w.links[c..].split_at_mut(1);
    let this = &mut this[0];
    let mut pivots = LogProduct::new();
    for j in 0..link.levels {
        let l = block_mut(&mut this.diag, j, q * q);
        if !small::cholesky(l, q) {
            return Err(Error::NotPositiveDefinite);
        }
        (0..q).for_each(|i| pivots.multiply(l[i * q + i]));
        let l = &*l;
        let across = &mut this.across[link.across_range(j)];
        small::solve_lower(l, q, across, link.range(j).len());
        let offset = (link.row + (j + 1) * q) * m;
        let (done, later) = w.border.split_at_mut(offset);
        let border = &mut done[offset - q * m..];
        small::solve_lower(l, q, border, m);
        for (k, &pair) in link.up.iter().enumerate() {
            let upper = &s.chain[c + 1 + k];
            let (qa, parent) = (upper.q, a.pairs[pair].cols[j] as usize);
            let up = block_mut(&mut this.up[k], j, q * qa);
            small::solve_lower(l, q, up, qa);
            small::mul_transposed(block_mut(&mut above[k].diag, parent, qa * qa), up, up, qa, q, qa, -1.0);
            let at = (upper.row + parent * qa) * m - offset;
            small::mul_transposed(&mut later[at..at + qa * m], up, border, qa, q, m, -1.0);
            subtract_across(
                &mut above[k].across[upper.across_range(parent)],
                up,
                across,
                (q, qa),
                &link.lift[k][link.range(j)],
            );
        }
        subtract_among(this, above, s, a, (c, j));
        for (across, border) in across_rows(link, &this.across, j).zip(border.chunks_exact(m)) {
            for (x, &col) in across.iter().zip(&link.cols[link.range(j)]) {
                let at = (s.trail_row + col as usize) * m - offset;
                later[at..at + m].iter_mut().zip(border).for_each(|(y, v)| *y -= x * v);
            }
        }
    }
    Ok(pivots.ln_square())
}

/// `theirs -= up'across` at the ancestor's trailing columns, which hold the level's own at `places`.
fn subtract_across(theirs: &mut [f64], up: &[f64], across: &[f64], (q, qa): (usize, usize), places: &[u32]) {
    if places.is_empty() {
        return;
    }
    let width = theirs.len() / qa;
    for (across, up) in across.chunks_exact(places.len()).zip(up.chunks_exact(qa)).take(q) {
        for (f, theirs) in up.iter().zip(theirs.chunks_exact_mut(width)) {
            across.iter().zip(places).for_each(|(x, &place)| theirs[place as usize] -= f * x);
        }
    }
}

/// What level j of chain factor c takes off the blocks between its ancestors.
fn subtract_among(this: &LinkBlocks, above: &mut [LinkBlocks], s: &Structure, a: &Crossprod, (c, j): (usize, usize)) {
    let (link, q) = (&s.chain[c], s.chain[c].q);
    for (k, target) in above.iter_mut().enumerate() {
        let (qa, parent) = (s.chain[c + 1 + k].q, a.pairs[link.up[k]].cols[j] as usize);
        for k2 in k + 1..link.up.len() {
            let qb = s.chain[c + 1 + k2].q;
            let between = block_mut(&mut target.up[k2 - k - 1], parent, qa * qb);
            let (up, second) = (block(&this.up[k], j, q * qa), block(&this.up[k2], j, q * qb));
            small::mul_transposed(between, up, second, qa, q, qb, -1.0);
        }
    }
}

/// The rows of level `j` at its trailing columns; none where there are no columns.
fn across_rows<'a>(link: &Link, across: &'a [f64], j: usize) -> impl Iterator<Item = &'a [f64]> {
    across[link.across_range(j)].chunks_exact(link.range(j).len().max(1))
}

/// `rhs <- L^-1 rhs` (rows of m columns).
pub(super) fn forward(w: &Workspace, s: &Structure, a: &Crossprod, rhs: &mut [f64], m: usize) -> Result<()> {
    for (c, link) in s.chain.iter().enumerate() {
        let (q, blocks) = (link.q, &w.links[c]);
        for j in 0..link.levels {
            let offset = (link.row + (j + 1) * q) * m;
            let (done, later) = rhs.split_at_mut(offset);
            let own = &mut done[offset - q * m..];
            small::solve_lower(block(&blocks.diag, j, q * q), q, own, m);
            for (k, &pair) in link.up.iter().enumerate() {
                let upper = &s.chain[c + 1 + k];
                let at = (upper.row + a.pairs[pair].cols[j] as usize * upper.q) * m - offset;
                let up = block(&blocks.up[k], j, q * upper.q);
                small::mul_transposed(&mut later[at..at + upper.q * m], up, own, upper.q, q, m, -1.0);
            }
            for (across, own) in across_rows(link, &blocks.across, j).zip(own.chunks_exact(m)) {
                for (x, &col) in across.iter().zip(&link.cols[link.range(j)]) {
                    let at = (s.trail_row + col as usize) * m - offset;
                    later[at..at + m].iter_mut().zip(own).for_each(|(y, v)| *y -= x * v);
                }
            }
        }
    }
    w.trailing.forward(&mut rhs[s.trail_row * m..], m)
}

/// `rhs <- L^-T rhs` (rows of m columns).
pub(super) fn backward(w: &Workspace, s: &Structure, a: &Crossprod, rhs: &mut [f64], m: usize) -> Result<()> {
    w.trailing.backward(&mut rhs[s.trail_row * m..], m)?;
    for (c, link) in s.chain.iter().enumerate().rev() {
        let (q, blocks) = (link.q, &w.links[c]);
        for j in 0..link.levels {
            let offset = (link.row + (j + 1) * q) * m;
            let (done, later) = rhs.split_at_mut(offset);
            let own = &mut done[offset - q * m..];
            for (k, &pair) in link.up.iter().enumerate() {
                let upper = &s.chain[c + 1 + k];
                let at = (upper.row + a.pairs[pair].cols[j] as usize * upper.q) * m - offset;
                let up = block(&blocks.up[k], j, q * upper.q);
                small::mul(own, up, &later[at..at + upper.q * m], q, upper.q, m, -1.0);
            }
            for (across, own) in across_rows(link, &blocks.across, j).zip(own.chunks_exact_mut(m)) {
                for (x, &col) in across.iter().zip(&link.cols[link.range(j)]) {
                    let at = (s.trail_row + col as usize) * m - offset;
                    own.iter_mut().zip(&later[at..at + m]).for_each(|(y, v)| *y -= x * v);
                }
            }
            small::solve_lower_transposed(block(&blocks.diag, j, q * q), q, own, m);
        }
    }
    Ok(())
}
