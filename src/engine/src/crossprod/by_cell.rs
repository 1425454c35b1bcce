//! Z_f'WZ_g by cell for every pair of grouping factors, found by sorting the rows by level (never a dense table).

use crate::crossprod::crossprod::{FactorSums, Pair};
use crate::design::elimination_order::Order;
use crate::design::grouping::Grouping;
use crate::design::weights::Weight;
use crate::numerics::small;
use crate::numerics::threads::Workers;

/// All pairs, in the order of elimination; `sums` are those of the factors.
pub(crate) fn pairs(
    groupings: &[Grouping<'_, '_>],
    sums: &[FactorSums],
    order: &Order,
    weight: &Weight<'_>,
    workers: &Workers,
) -> Vec<Pair> {
    let all: Vec<usize> = order.all().collect();
    let mut out = Vec::new();
    for (at, &f) in all.iter().enumerate() {
        let mut sorted = None;
        for (later, &g) in all.iter().enumerate().skip(at + 1) {
            if later < order.chain.len() && groupings[f].is_intercept() && groupings[g].is_intercept() {
                out.push(inside(groupings, f, g, &sums[f].diag));
                continue;
            }
            let (starts, rows) = sorted.get_or_insert_with(|| sort_by_level(&groupings[f]));
            out.push(pair(groupings, f, g, starts, rows, weight, workers));
        }
    }
    out
}

/// Intercepts of a factor inside another: a level has one cell, and its sum of weights.
fn inside(groupings: &[Grouping<'_, '_>], f: usize, g: usize, weights: &[f64]) -> Pair {
    let levels = groupings[f].levels;
    let mut cols = vec![0; levels];
    for (&inner, &outer) in groupings[f].codes.iter().zip(groupings[g].codes) {
        cols[inner as usize - 1] = outer as u32 - 1;
    }
    Pair { f, g, starts: (0..=levels).collect(), cols, blocks: weights.to_vec() }
}

/// Counting sort: rows of level j are `rows[starts[j]..starts[j + 1]]`, in their order.
fn sort_by_level(grouping: &Grouping<'_, '_>) -> (Vec<usize>, Vec<u32>) {
    let mut starts = vec![0usize; grouping.levels + 1];
    for &c in grouping.codes {
        starts[c as usize] += 1;
    }
    for j in 0..grouping.levels {
        starts[j + 1] += starts[j];
    }
    let mut next = starts.clone();
    let mut rows = vec![0u32; grouping.codes.len()];
    for (i, &c) in grouping.codes.iter().enumerate() {
        let place = &mut next[c as usize - 1];
        rows[*place] = i as u32;
        *place += 1;
    }
    (starts, rows)
}

fn pair(
    groupings: &[Grouping<'_, '_>],
    f: usize,
    g: usize,
    starts: &[usize],
    rows: &[u32],
    weight: &Weight<'_>,
    workers: &Workers,
) -> Pair {
    let (inner, outer) = (&groupings[f], &groupings[g]);
    let (qf, qg) = (inner.q(), outer.q());
    let pieces = (rows.len() / 65_536).clamp(1, 16);
    let bounds: Vec<usize> =
        (0..=pieces).map(|k| starts.partition_point(|s| *s < k * rows.len() / pieces).min(inner.levels)).collect();
    let parts = workers.map(pieces, |k| {
        let (from, to) = (bounds[k], if k + 1 == pieces { inner.levels } else { bounds[k + 1] });
        let (mut counts, mut cols, mut blocks) = (Vec::with_capacity(to - from), Vec::new(), Vec::new());
        let mut slot = vec![u32::MAX; outer.levels];
        let mut found: Vec<u32> = Vec::new();
        let (mut zf, mut zg) = (vec![0.0; qf], vec![0.0; qg]);
        for j in from..to {
            let members = &rows[starts[j]..starts[j + 1]];
            found.clear();
            for &i in members {
                let c = outer.codes[i as usize] as usize - 1;
                if slot[c] == u32::MAX {
                    slot[c] = 0;
                    found.push(c as u32);
                }
            }
            found.sort_unstable();
            for (at, &c) in found.iter().enumerate() {
                slot[c as usize] = at as u32;
            }
            let base = blocks.len();
            blocks.resize(base + found.len() * qf * qg, 0.0);
            for &i in members {
                let i = i as usize;
                let at = slot[outer.codes[i] as usize - 1] as usize;
                zf.iter_mut().zip(&inner.columns).for_each(|(z, c)| *z = weight.at(i) * c.at(i));
                zg.iter_mut().zip(&outer.columns).for_each(|(z, c)| *z = c.at(i));
                let block = &mut blocks[base + at * qf * qg..base + (at + 1) * qf * qg];
                small::mul_by_transposed(block, &zf, &zg, qf, 1, qg, 1.0);
            }
            for &c in &found {
                slot[c as usize] = u32::MAX;
            }
            counts.push(found.len());
            cols.extend_from_slice(&found);
        }
        (counts, cols, blocks)
    });
    let mut out = Pair { f, g, starts: vec![0], cols: Vec::new(), blocks: Vec::new() };
    for (counts, cols, blocks) in parts {
        for c in counts {
            out.starts.push(out.starts[out.starts.len() - 1] + c);
        }
        out.cols.extend(cols);
        out.blocks.extend(blocks);
    }
    out
}

/// Turns the cells to the orthonormal coordinates of both bases.
pub(crate) fn rotate(pair: &mut Pair, inner: &Grouping<'_, '_>, outer: &Grouping<'_, '_>) {
    let (qf, qg) = (inner.q(), outer.q());
    if qf == 1 && qg == 1 && inner.rotate[0] == 1.0 && outer.rotate[0] == 1.0 {
        return;
    }
    let mut half = vec![0.0; qf * qg];
    for block in pair.blocks.chunks_exact_mut(qf * qg) {
        half.fill(0.0);
        small::mul(&mut half, block, &outer.rotate, qf, qg, qg, 1.0);
        block.fill(0.0);
        small::mul_transposed(block, &inner.rotate, &half, qf, qf, qg, 1.0);
    }
}
