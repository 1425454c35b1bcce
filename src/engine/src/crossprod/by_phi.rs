//! The sums at one phi and their derivatives in phi, all in one pass over the rows: where there are too many classes of
//! weights to keep sums for each.

use crate::covariance::NONE;
use crate::crossprod::add_rows::Addition;
use crate::crossprod::by_series::{self, Product};
use crate::crossprod::crossprod::add;
use crate::crossprod::row_pass::RowPass;
use crate::crossprod::row_reader::ROWS;

/// Value and derivative in the correlation of something that a row counts.
type Slope = (f64, f64);

/// The sums at phi and their derivatives, one set after the other. `next`: row after each row in its series; empty without
/// neighbours.
pub(crate) fn sums_at(pass: &RowPass<'_, '_>, next: &[u32], phi: &[f64]) -> Vec<f64> {
    let (r, c) = (pass.residual, &pass.residual.classes);
    let (n, sets) = (pass.a.n, 1 + phi.len());
    let own = r.own(phi);
    let near: Vec<[Slope; 2]> = c.pairs.iter().map(|p| r.neighbour(phi, p.gap)).collect();
    let mut out = pass.run(sets, n, |piece, out| {
        // One over the scale of each row of a block, and the weights of rows or pairs.
        let (mut inverse_scales, mut own_weights) = ([0.0; ROWS], [(0.0, 0.0); ROWS]);
        pass.blocks(piece, |block, room| {
            pass.reader.read(block.len(), &|k| block.start + k, &mut room.here);
            for (k, i) in block.clone().enumerate() {
                let scale = (-r.row_log_scale(i, phi)).exp();
                let (value, slope) = if near.is_empty() { own } else { with_sides(pass, &near, next, own, i) };
                inverse_scales[k] = scale;
                own_weights[k] = (scale * scale * value, scale * scale * slope);
            }
            let mut weights = [0.0; ROWS];
            for set in 0..sets {
                for ((w, i), own) in weights.iter_mut().zip(block.clone()).zip(&own_weights) {
                    *w = in_set(set, r.k, *own, |s| -2.0 * r.row_scales(i)[s]);
                }
                let to = Addition { weights: &weights, sets: &[set as u32; ROWS] };
                pass.layout.add_rows(pass.a, out, room.rows(block.len()), to);
            }
            if near.is_empty() || !pass.read_pairs(&block, room) {
                return;
            }
            let rows = |k: usize| (block.start + room.late[k] as usize, room.early[k] as usize);
            for (k, &late) in room.late.iter().enumerate() {
                let (i, j) = rows(k);
                let both = inverse_scales[late as usize] * (-r.row_log_scale(j, phi)).exp();
                let pair = near[c.pair(i)][1];
                own_weights[k] = (both * pair.0, both * pair.1);
            }
            let (here, before) = room.pairs();
            for set in 0..sets {
                for (k, w) in weights.iter_mut().enumerate().take(room.late.len()) {
                    let (i, j) = rows(k);
                    *w = in_set(set, r.k, own_weights[k], |s| -(r.row_scales(i)[s] + r.row_scales(j)[s]));
                }
                let to = Addition { weights: &weights, sets: &[set as u32; ROWS] };
                pass.layout.add_pairs(pass.a, out, here, before, to);
            }
        });
    });
    if r.serial().is_some() && near.is_empty() {
        add(&mut out, &of_series(pass, phi, sets));
    }
    out
}

/// Weight in the set of the sums (0), of their derivatives in the k scales, or of that in the correlation (k + 1).
fn in_set(set: usize, k: usize, (value, slope): Slope, of_scale: impl Fn(usize) -> f64) -> f64 {
    match set {
        0 => value,
        s if s == k + 1 => slope,
        s => of_scale(s - 1) * value,
    }
}

/// A row's own weight with what its neighbours add.
fn with_sides(pass: &RowPass<'_, '_>, near: &[[Slope; 2]], next: &[u32], own: Slope, i: usize) -> Slope {
    let c = &pass.residual.classes;
    let later = [if c.series.previous[i] == NONE { NONE } else { i as u32 }, next[i]];
    later.iter().filter(|j| **j != NONE).fold(own, |sum, &j| {
        let side = near[c.pair(j as usize)][0];
        (sum.0 + side.0, sum.1 + side.1)
    })
}

/// The part of the sums over series at phi, and its derivatives.
fn of_series(pass: &RowPass<'_, '_>, phi: &[f64], sets: usize) -> Vec<f64> {
    let (r, c) = (pass.residual, &pass.residual.classes);
    let weights: Vec<Slope> = c.blocks.iter().map(|b| r.series_weight(phi, b.1)).collect();
    let factors = |i: usize, w: &mut [f64]| {
        let e = (-r.row_log_scale(i, phi)).exp();
        w[0] = e;
        w[1..].iter_mut().zip(r.row_scales(i)).for_each(|(w, s)| *w = -s * e);
    };
    let products = |s: usize| {
        let (value, slope) = weights[c.block_class[s] as usize];
        let one = |set| match set {
            0 => Product { of: (0, 0), set, weight: 0.5 * value },
            k if k == r.k + 1 => Product { of: (0, 0), set, weight: 0.5 * slope },
            k => Product { of: (k, 0), set, weight: value },
        };
        (0..sets).map(one).collect()
    };
    pass.run(sets, c.block_class.len(), |piece, out| by_series::add(pass, piece, 1 + r.k, factors, products, out))
}
