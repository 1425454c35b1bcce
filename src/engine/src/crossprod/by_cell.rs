//! Z_f'WZ_g by cell for every pair of grouping factors, found by sorting the rows by level (never a dense table); and the
//! cells without a row of their own, where correlated rows meet.

use std::ops::Range;

use crate::covariance::ResidualCovariance;
use crate::covariance::NONE;
use crate::crossprod::crossprod::{Crossprod, FactorSums, Pair};
use crate::design::{holds, Design, Grouping, Order, Weight};
use crate::numerics::counting_sort::Sorted;
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
            let rows = sorted.get_or_insert_with(|| Sorted::by_code(groupings[f].levels, groupings[f].codes));
            out.push(pair(groupings, (f, g), rows, weight, workers));
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

/// Sums by cell of factors f and g; `rows` are sorted by the levels of f.
fn pair(
    groupings: &[Grouping<'_, '_>],
    (f, g): (usize, usize),
    rows: &Sorted,
    weight: &Weight<'_>,
    workers: &Workers,
) -> Pair {
    let (inner, n) = (&groupings[f], rows.items.len());
    let pieces = (n / 65_536).clamp(1, 16);
    let bound = |k: usize| match k == pieces {
        true => inner.levels,
        false => rows.starts.partition_point(|s| *s < k * n / pieces).min(inner.levels),
    };
    let piece = |k| cells(inner, &groupings[g], rows, bound(k)..bound(k + 1), weight);
    let all = workers.sum(pieces, piece, |all, part| {
        let before = all.cols.len();
        all.starts.extend(part.starts[1..].iter().map(|s| before + s));
        all.cols.extend(part.cols);
        all.blocks.extend(part.blocks);
    });
    let Cells { starts, cols, blocks } = all.unwrap_or_default();
    Pair { f, g, starts, cols, blocks }
}

/// Cells of some levels: where those of each level begin, their levels of the other factor, and their sums.
#[derive(Default)]
struct Cells {
    starts: Vec<usize>,
    cols: Vec<u32>,
    blocks: Vec<f64>,
}

fn cells(
    inner: &Grouping<'_, '_>,
    outer: &Grouping<'_, '_>,
    rows: &Sorted,
    levels: Range<usize>,
    weight: &Weight<'_>,
) -> Cells {
    let (qf, qg) = (inner.q(), outer.q());
    let mut out = Cells { starts: Vec::with_capacity(levels.len() + 1), cols: Vec::new(), blocks: Vec::new() };
    out.starts.push(0);
    let mut slot = vec![u32::MAX; outer.levels];
    let mut found: Vec<u32> = Vec::new();
    let (mut zf, mut zg) = (vec![0.0; qf], vec![0.0; qg]);
    for j in levels {
        found.clear();
        for &i in rows.of(j) {
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
        let base = out.blocks.len();
        out.blocks.resize(base + found.len() * qf * qg, 0.0);
        for &i in rows.of(j) {
            let i = i as usize;
            let at = slot[outer.codes[i] as usize - 1] as usize;
            zf.iter_mut().zip(&inner.columns).for_each(|(z, c)| *z = weight.at(i) * c.at(i));
            zg.iter_mut().zip(&outer.columns).for_each(|(z, c)| *z = c.at(i));
            let block = &mut out.blocks[base + at * qf * qg..base + (at + 1) * qf * qg];
            small::mul_by_transposed(block, &zf, &zg, qf, 1, qg, 1.0);
        }
        for &c in &found {
            slot[c as usize] = u32::MAX;
        }
        out.cols.extend_from_slice(&found);
        out.starts.push(out.cols.len());
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

/// Adds the cells that correlated rows tie together: levels of two factors that meet in no row, and levels of one factor.
pub(crate) fn tie(design: &Design<'_>, residual: &ResidualCovariance, a: &mut Crossprod) {
    let Some(c) = &design.residual.correlation else { return };
    let loose: Vec<bool> = design.factors.iter().map(|f| !holds(&c.series, f)).collect();
    let all: Vec<usize> = a.order.all().collect();
    for (at, &f) in all.iter().enumerate() {
        for &g in all[at..].iter().filter(|&&g| if g == f { loose[f] } else { loose[f] || loose[g] }) {
            let (qf, qg) = (a.factors[f].q, a.factors[g].q);
            let (inner, outer) = (design.factors[f].codes, design.factors[g].codes);
            let mut keys: Vec<(u32, u32)> = Vec::new();
            let mut add = |i: usize, j: usize| {
                let key = (inner[i] as u32 - 1, outer[j] as u32 - 1);
                if f != g || key.0 < key.1 {
                    keys.push(key);
                }
            };
            let series = &residual.classes.series;
            for (i, &j) in series.previous.iter().enumerate() {
                add(i, i);
                if j != NONE {
                    add(j as usize, i);
                    add(i, j as usize);
                }
            }
            if series.previous.is_empty() {
                for w in series.starts.windows(2) {
                    let own = &series.rows[w[0]..w[1]];
                    own.iter().for_each(|&i| own.iter().for_each(|&j| add(i as usize, j as usize)));
                }
            }
            keys.sort_unstable();
            keys.dedup();
            let mut pair =
                Pair { f, g, starts: vec![0; a.factors[f].levels + 1], cols: Vec::new(), blocks: Vec::new() };
            keys.iter().for_each(|k| pair.starts[k.0 as usize + 1] += 1);
            (0..a.factors[f].levels).for_each(|j| pair.starts[j + 1] += pair.starts[j]);
            pair.cols = keys.iter().map(|k| k.1).collect();
            pair.blocks = vec![0.0; keys.len() * qf * qg];
            match a.pairs.iter_mut().find(|p| p.f == f && p.g == g) {
                Some(old) => {
                    carry(old, &mut pair, qf * qg);
                    *old = pair;
                }
                None => a.pairs.push(pair),
            }
        }
    }
}

/// Copies the sums of the cells that were there.
fn carry(from: &Pair, to: &mut Pair, size: usize) {
    for j in 0..from.starts.len() - 1 {
        let (first, last) = (to.starts[j], to.starts[j + 1]);
        for cell in from.starts[j]..from.starts[j + 1] {
            if let Ok(at) = to.cols[first..last].binary_search(&from.cols[cell]) {
                let at = (first + at) * size;
                to.blocks[at..at + size].copy_from_slice(&from.blocks[cell * size..(cell + 1) * size]);
            }
        }
    }
}
