//! Sums over whole series, for compound symmetry: each series is one more row.

use std::ops::Range;

use crate::crossprod::add_rows::{Addition, Combination, Selection};
use crate::crossprod::row_pass::RowPass;
use crate::crossprod::row_reader::{RowBlock, ROWS};

/// A product of two sums over the same series.
pub(crate) struct Product {
    /// Which of the sums over the series, and which other.
    pub of: (usize, usize),
    /// Set of sums that it is added to.
    pub set: usize,
    /// Weight of a b' + b a'.
    pub weight: f64,
}

/// Adds the products of the sums over the series `range`. `factors(row, f)` writes what the row counts in each of the
/// `kinds` of sums, and `products(series)` says what becomes of them.
pub(crate) fn add(
    pass: &RowPass<'_, '_>,
    range: Range<usize>,
    kinds: usize,
    factors: impl Fn(usize, &mut [f64]),
    products: impl Fn(usize) -> Vec<Product>,
    out: &mut [f64],
) {
    let mut visit = Visit { pass, rows: pass.reader.block(), factors, counts: vec![0.0; kinds] };
    if !pass.one_level {
        for s in range {
            let sums = visit.over_levels(s);
            for one in products(s) {
                let own = &mut out[one.set * pass.layout.len..(one.set + 1) * pass.layout.len];
                pass.layout.add_combinations(pass.a, own, &sums[one.of.0], &sums[one.of.1], one.weight);
            }
        }
        return;
    }
    let mut sums = vec![pass.reader.block(); kinds];
    for start in range.clone().step_by(ROWS) {
        let here = start..(start + ROWS).min(range.end);
        for (k, s) in here.clone().enumerate() {
            visit.in_one_level(s, k, &mut sums);
        }
        for (k, s) in here.enumerate() {
            for one in products(s) {
                let row = [k as u32];
                let of = |kind: usize| Selection { block: &sums[kind], rows: &row };
                let to = Addition { weights: &[one.weight], sets: &[one.set as u32] };
                pass.layout.add_pairs(pass.a, out, of(one.of.0), of(one.of.1), to);
            }
        }
    }
}

/// Sums of the rows of one series after the other.
struct Visit<'v, 's, 'd, F> {
    pass: &'v RowPass<'s, 'd>,
    rows: RowBlock,
    factors: F,
    /// What a row counts in each sum.
    counts: Vec<f64>,
}

impl<F: Fn(usize, &mut [f64])> Visit<'_, '_, '_, F> {
    /// Calls `f` with every row of a series: its place in the block, and what it counts.
    fn each(&mut self, s: usize, mut f: impl FnMut(&RowBlock, usize, &[f64])) {
        let series = &self.pass.residual.classes.series;
        for chunk in series.rows[series.starts[s]..series.starts[s + 1]].chunks(ROWS) {
            self.pass.reader.read(chunk.len(), &|k| chunk[k] as usize, &mut self.rows);
            for (r, &i) in chunk.iter().enumerate() {
                (self.factors)(i as usize, &mut self.counts);
                f(&self.rows, r, &self.counts);
            }
        }
    }

    /// Sums of a series that lies in one level of every factor, into row `k` of the blocks.
    fn in_one_level(&mut self, s: usize, k: usize, sums: &mut [RowBlock]) {
        let (a, m) = (self.pass.a, self.pass.a.p + 1);
        for sum in sums.iter_mut() {
            sum.xy[k * m..(k + 1) * m].fill(0.0);
            sum.z.iter_mut().zip(&a.factors).for_each(|(z, f)| z[k * f.q..(k + 1) * f.q].fill(0.0));
        }
        self.each(s, |rows, r, counts| {
            for (sum, w) in sums.iter_mut().zip(counts) {
                add_times(&mut sum.xy[k * m..(k + 1) * m], &rows.xy[r * m..(r + 1) * m], *w);
                for (f, (z, own)) in sum.z.iter_mut().zip(&rows.z).enumerate() {
                    let q = a.factors[f].q;
                    add_times(&mut z[k * q..(k + 1) * q], &own[r * q..(r + 1) * q], *w);
                }
                sum.levels.iter_mut().zip(&rows.levels).for_each(|(l, own)| l[k] = own[r]);
            }
        });
    }

    /// Sums of a series that touches several levels.
    fn over_levels(&mut self, s: usize) -> Vec<Combination> {
        let (a, m) = (self.pass.a, self.pass.a.p + 1);
        let none = |_: &f64| Combination { xy: vec![0.0; m], z: vec![Vec::new(); a.factors.len()] };
        let mut out: Vec<Combination> = self.counts.iter().map(none).collect();
        self.each(s, |rows, r, counts| {
            for (sum, w) in out.iter_mut().zip(counts) {
                add_times(&mut sum.xy, &rows.xy[r * m..(r + 1) * m], *w);
                for (f, all) in sum.z.iter_mut().enumerate() {
                    let q = a.factors[f].q;
                    let (level, z) = (rows.levels[f][r] as usize, &rows.z[f][r * q..(r + 1) * q]);
                    match all.iter_mut().find(|(l, _)| *l == level) {
                        Some((_, sum)) => add_times(sum, z, *w),
                        None => all.push((level, z.iter().map(|v| w * v).collect())),
                    }
                }
            }
        });
        out
    }
}

/// `to += w from`.
fn add_times(to: &mut [f64], from: &[f64], w: f64) {
    to.iter_mut().zip(from).for_each(|(o, x)| *o += w * x);
}
