//! Sums without some rows: they are added with weight -1.

use crate::crossprod::add_rows::{Addition, Selection};
use crate::crossprod::crossprod::Crossprod;
use crate::crossprod::row_reader::{RowBlock, RowReader, IDENTITY, ROWS};
use crate::crossprod::sum_layout::SumLayout;
use crate::design::Design;
use crate::numerics::small;

/// A column of X that keeps less than this share of its square is a combination of the others, to rounding.
const LOST: f64 = 1e-11;

/// Deletes rows from the sums of a design.
pub(crate) struct RowDeletion<'d> {
    design: &'d Design<'d>,
    all: &'d Crossprod,
    layout: SumLayout,
    reader: RowReader<'d>,
    block: RowBlock,
    /// Minus the sums of the deleted rows.
    change: Vec<f64>,
}

impl<'d> RowDeletion<'d> {
    /// `all` are the sums of all rows of `design`.
    pub fn new(design: &'d Design<'d>, all: &'d Crossprod) -> RowDeletion<'d> {
        let (layout, reader) = (SumLayout::new(all), RowReader::new(design, all));
        let (block, change) = (reader.block(), vec![0.0; layout.len]);
        RowDeletion { design, all, layout, reader, block, change }
    }

    /// Writes the sums without `rows` into `out`; false if X loses its rank with them, or no row is left for sigma.
    ///
    /// A level that loses all its rows keeps a block of exact zeros, which adds nothing to the likelihood.
    pub fn delete(&mut self, rows: &[u32], out: &mut Crossprod) -> bool {
        let all = self.all;
        if all.n <= rows.len() + all.p {
            return false;
        }
        out.clone_from(all);
        self.change.fill(0.0);
        let mut emptied = vec![Vec::new(); all.factors.len()];
        for chunk in rows.chunks(ROWS) {
            self.reader.read(chunk.len(), &|k| chunk[k] as usize, &mut self.block);
            let selection = Selection { block: &self.block, rows: &IDENTITY[..chunk.len()] };
            let minus = Addition { weights: &[-1.0; ROWS], sets: &[0; ROWS] };
            self.layout.add_rows(all, &mut self.change, selection, minus);
            for ((sums, levels), emptied) in out.factors.iter_mut().zip(&self.block.levels).zip(&mut emptied) {
                for &level in &levels[..chunk.len()] {
                    let count = &mut sums.counts[level as usize];
                    *count -= 1;
                    if *count == 0 {
                        emptied.push(level as usize);
                    }
                }
            }
        }
        self.layout.mirror(all, &mut self.change);
        self.layout.add_to(&self.change, out);
        clear(out, &emptied);
        out.n -= rows.len();
        let log = |w: &[f64]| rows.iter().map(|&i| w[i as usize].ln()).sum::<f64>();
        out.coordinates.weight_log_sum -= self.design.weights.map_or(0.0, log);
        has_rank(out, all)
    }
}

/// Puts exact zeros in the place of what rounding left of levels without rows.
fn clear(a: &mut Crossprod, emptied: &[Vec<usize>]) {
    let m = a.p + 1;
    for (sums, levels) in a.factors.iter_mut().zip(emptied) {
        let q = sums.q;
        for &j in levels {
            sums.diag[j * q * q..(j + 1) * q * q].fill(0.0);
            sums.rhs[j * q * m..(j + 1) * q * m].fill(0.0);
        }
    }
    for pair in &mut a.pairs {
        let size = a.factors[pair.f].q * a.factors[pair.g].q;
        for &j in &emptied[pair.f] {
            pair.blocks[pair.starts[j] * size..pair.starts[j + 1] * size].fill(0.0);
        }
        if !emptied[pair.g].is_empty() {
            let gone = |level: &u32| a.factors[pair.g].counts[*level as usize] == 0;
            for (cell, _) in pair.cols.iter().enumerate().filter(|(_, level)| gone(level)) {
                pair.blocks[cell * size..(cell + 1) * size].fill(0.0);
            }
        }
    }
}

/// True if X still has its rank: no pivot of X'WX has vanished.
fn has_rank(a: &Crossprod, before: &Crossprod) -> bool {
    let (p, m) = (a.p, a.p + 1);
    let mut l = a.fixed_gram();
    small::cholesky(&mut l, p) && (0..p).all(|i| l[i * p + i].powi(2) > LOST * before.gram[i * m + i])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design::{Column, Factor, Term};

    /// Against the sums that the rows with the working coordinates of all give: by adding them.
    #[test]
    fn deleted_rows_and_the_rest_add_up_to_all() {
        let n = 60;
        let noise = |k: usize| (0..n).map(|i| ((i * 7919 + k * 104_729) % 1009) as f64 / 500.0).collect::<Vec<f64>>();
        let (y, x, w): (_, _, Vec<f64>) = (noise(1), noise(2), noise(3).iter().map(|v| 0.5 + v).collect());
        let (g, h): (Vec<i32>, Vec<i32>) = (0..n as i32).map(|i| (1 + i % 6, 1 + i / 12)).unzip();
        let factors = vec![Factor { codes: &g, levels: 6 }, Factor { codes: &h, levels: 5 }];
        let slope = vec![Column::Constant, Column::Values(&x)];
        let terms = vec![Term::new(0, slope.clone()), Term::new(1, vec![Column::Constant])];
        let mut design = Design::new(&y, slope, factors, terms);
        design.weights = Some(&w);
        let all = Crossprod::from_design(&design, 1).unwrap();
        let mut deletion = RowDeletion::new(&design, &all);
        // The second level of h, and some rows of others.
        let gone: Vec<u32> = (12..24).chain([1, 5, 59]).collect();
        let rest: Vec<u32> = (0..n as u32).filter(|i| !gone.contains(i)).collect();
        let (mut without, mut removed) = (all.clone(), all.clone());
        assert!(deletion.delete(&gone, &mut without) && deletion.delete(&rest, &mut removed));
        assert_eq!((without.n, removed.n), (45, 15));
        assert_eq!((without.factors[1].counts[1], removed.factors[1].counts[1]), (0, 12));
        assert!(without.factors[1].diag[1] == 0.0 && without.factors[1].rhs[3..6].iter().all(|v| *v == 0.0));
        let mut sum = without.clone();
        sum.merge(&removed).unwrap();
        assert!((sum.coordinates.weight_log_sum - all.coordinates.weight_log_sum).abs() < 1e-12);
        let (layout, n) = (SumLayout::new(&all), n as f64);
        for (a, b) in layout.store(&sum).iter().zip(layout.store(&all)) {
            assert!((a - b).abs() < 1e-13 * n, "{a} {b}");
        }
        // The slope of x cannot be estimated from two rows; one row of a level is left out with it.
        let keep: Vec<u32> = (2..n as u32).collect();
        assert!(!deletion.delete(&keep, &mut without));
    }
}
