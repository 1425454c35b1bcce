//! [Z, X, y]'R^-1[Z, X, y] for residuals that are not alike: sums by class of weight, combined at every phi.
//!
//! With few classes the rows are summed once, a set of sums for each class, and a new phi costs a combination of sets
//! (banks); with many classes the rows are summed again at every phi. Rows are read in the working coordinates of plain
//! cross-products, so that everything downstream finds what it knows.

use crate::crossprod::Crossprod;
use crate::design::Design;
use crate::error::Result;
use crate::flat::{Own, Place, Places, Sum};
use crate::residual::{Residual, Weights};
use crate::series::NONE;
use crate::tie::tie;
use crate::workers::Workers;
use crate::working::{response, subtracted, weight, Row};

/// Classes up to which sums are kept for each.
const FEW: usize = 48;
/// Rows in one piece of work at least.
const PIECE: usize = 65_536;

/// Rows of a design that can be summed with any weights.
pub struct Reweight<'d> {
    design: &'d Design<'d>,
    /// Coordinates and cells; its sums are those of equal weights.
    pub base: Crossprod,
    /// Classes of weights.
    pub residual: Residual,
    places: Places,
    gamma: Vec<f64>,
    /// Sums of every class, if there are few.
    banks: Option<Vec<Vec<f64>>>,
    workers: Workers,
    log_weights: f64,
}

impl<'d> Reweight<'d> {
    /// Prepares the rows; sums them by class if there are few classes.
    ///
    /// # Errors
    /// Those of [`Crossprod::from_design`] and of [`Residual::new`].
    pub fn new(design: &'d Design<'d>, threads: usize) -> Result<Reweight<'d>> {
        let mut base = Crossprod::from_design(design, threads)?;
        let residual = Residual::new(design)?;
        tie(design, &residual, &mut base);
        let places = Places::new(&base);
        let workers = Workers::new(if design.n() >= PIECE { threads } else { 1 })?;
        let (gamma, log_weights) = (subtracted(&base), base.coordinates.weight_log_sum);
        let mut out = Reweight { design, base, residual, places, gamma, banks: None, workers, log_weights };
        let count = out.residual.classes.sizes().iter().sum::<usize>();
        if !design.residual.is_empty()
            && count <= FEW
            && !out.residual.classes.mixed_blocks
            && count * out.places.len <= 16 * design.n() + 100_000
        {
            out.banks = Some(out.sum_classes());
        }
        Ok(out)
    }

    /// Writes the cross-products at phi into `a`, which has the cells of `base`.
    pub fn at(&self, phi: &[f64], a: &mut Crossprod) {
        let (weights, log_det) = self.residual.weights(phi);
        self.places.load(&self.combine(&weights, phi, None), a);
        a.coordinates.weight_log_sum = self.log_weights - log_det;
    }

    /// Writes the derivative in phi[i] into `a` and returns that of log|R|.
    pub fn derivative(&self, phi: &[f64], i: usize, a: &mut Crossprod) -> f64 {
        let (weights, log_det) = self.residual.derivative(phi, i);
        self.places.load(&self.combine(&weights, phi, Some(i)), a);
        log_det
    }

    fn combine(&self, weights: &Weights, phi: &[f64], derivative: Option<usize>) -> Vec<f64> {
        let Some(banks) = &self.banks else { return self.sum_rows(weights, phi, derivative) };
        let mut out = vec![0.0; self.places.len];
        let all = weights.rows.iter().chain(&weights.pairs).chain(&weights.blocks);
        for (bank, f) in banks.iter().zip(all) {
            out.iter_mut().zip(bank).for_each(|(o, b)| *o += f * b);
        }
        out
    }

    /// Pieces of a pass; a function of sizes alone.
    fn pieces(&self, sets: usize) -> usize {
        let n = self.design.n();
        (n / PIECE).min(8 * n / (sets * self.places.len).max(1)).clamp(1, 8)
    }

    /// One set of sums for each class, in one pass.
    fn sum_classes(&self) -> Vec<Vec<f64>> {
        let [rows, pairs, blocks] = self.residual.classes.sizes();
        let sets = rows + pairs + blocks;
        self.pass(sets, &|row, own, class, out| match own {
            Own::Row => self.places.add_row(&self.base, &mut out[class as usize], row, 1.0),
            Own::Pair(before) => self.places.add_pair(&self.base, &mut out[rows + class as usize], row, before, 1.0),
            Own::Block(sum) => self.places.add_sums(&self.base, &mut out[rows + pairs + class as usize], sum, sum, 0.5),
        })
    }

    /// The sums at given weights, from the rows.
    fn sum_rows(&self, weights: &Weights, phi: &[f64], derivative: Option<usize>) -> Vec<f64> {
        let mixed = if self.residual.classes.mixed_blocks { Some((phi, derivative)) } else { None };
        let add = |row: &Place, own: Own<'_>, class: u32, out: &mut [Vec<f64>]| match own {
            Own::Row => self.places.add_row(&self.base, &mut out[0], row, weights.rows[class as usize]),
            Own::Pair(before) => {
                self.places.add_pair(&self.base, &mut out[0], row, before, weights.pairs[class as usize])
            }
            Own::Block(sum) => {
                self.places.add_sums(&self.base, &mut out[0], sum, sum, 0.5 * weights.blocks[class as usize])
            }
        };
        let mut out = self.pass(1, &add).pop().unwrap_or_default();
        if let Some((phi, derivative)) = mixed {
            self.add_mixed(&mut out, phi, derivative);
        }
        out
    }

    /// Visits all rows, neighbours and series; pieces are added in order.
    fn pass(&self, sets: usize, add: &(impl Fn(&Place, Own<'_>, u32, &mut [Vec<f64>]) + Sync)) -> Vec<Vec<f64>> {
        let (n, r) = (self.design.n(), &self.residual.classes);
        let pieces = self.pieces(sets);
        let blocks = if r.mixed_blocks { 0 } else { r.block_class.len() };
        let parts = self.workers.map(pieces, |k| {
            let mut out = vec![vec![0.0; self.places.len]; sets];
            let (mut here, mut before) = (self.place(), self.place());
            for at in k * n / pieces..(k + 1) * n / pieces {
                // By series where there are series: the row before is then mostly the one that was read last.
                let i = if r.pair_class.is_empty() { at } else { r.series.rows[at] as usize };
                std::mem::swap(&mut here, &mut before);
                let pair = if r.pair_class.is_empty() { NONE } else { r.pair_class[i] };
                if pair != NONE && before.row != r.series.previous[i] as usize {
                    self.read(&mut before, r.series.previous[i] as usize);
                }
                self.read(&mut here, i);
                add(&here, Own::Row, r.row_class[i], &mut out);
                if pair != NONE {
                    add(&here, Own::Pair(&before), pair, &mut out);
                }
            }
            for s in k * blocks / pieces..(k + 1) * blocks / pieces {
                let sum = self.series_sum(s, &mut here, |_| 1.0);
                add(&here, Own::Block(&sum), r.block_class[s], &mut out);
            }
            out
        });
        let mut parts = parts.into_iter();
        let mut total = parts.next().unwrap_or_default();
        for part in parts {
            for (a, b) in total.iter_mut().zip(&part) {
                a.iter_mut().zip(b).for_each(|(x, y)| *x += y);
            }
        }
        total
    }

    /// The part of series with rows of different scale: the sum over a series is weighted row by row.
    fn add_mixed(&self, out: &mut [f64], phi: &[f64], derivative: Option<usize>) {
        let r = &self.residual;
        let weights = match derivative {
            Some(i) if i == r.k => r.derivative(phi, i).0,
            _ => r.weights(phi).0,
        };
        let mut here = self.place();
        for s in 0..r.classes.block_class.len() {
            let w = weights.blocks[r.classes.block_class[s] as usize];
            let sum = self.series_sum(s, &mut here, |i| (-r.row_log_scale(i, phi)).exp());
            match derivative {
                Some(k) if k < r.k => {
                    let slope =
                        self.series_sum(s, &mut here, |i| -r.row_scales(i)[k] * (-r.row_log_scale(i, phi)).exp());
                    self.places.add_sums(&self.base, out, &slope, &sum, w);
                }
                _ => self.places.add_sums(&self.base, out, &sum, &sum, 0.5 * w),
            }
        }
    }

    /// Room for a row.
    pub(crate) fn place(&self) -> Place {
        let row = Row::new(&self.base);
        Place { row: usize::MAX, values: row, xy: vec![0.0; self.base.p + 1], levels: vec![0; self.base.factors.len()] }
    }

    /// Reads a row, times the root of its prior weight.
    pub(crate) fn read(&self, out: &mut Place, i: usize) {
        out.values.read(self.design, &self.base, i);
        let y = response(self.design, &self.base, &out.values, &self.gamma, i);
        let p = self.base.p;
        out.xy[..p].copy_from_slice(&out.values.x);
        out.xy[p] = y;
        out.row = i;
        out.levels.iter_mut().zip(&self.design.factors).for_each(|(l, f)| *l = f.codes[i] as usize - 1);
        if self.design.weights.is_some() {
            let root = weight(self.design, &self.base, i).sqrt();
            out.xy.iter_mut().chain(out.values.z.iter_mut().flatten()).for_each(|v| *v *= root);
        }
    }

    /// Sum over a series of its rows times `f(row)`.
    fn series_sum(&self, s: usize, here: &mut Place, f: impl Fn(usize) -> f64) -> Sum {
        let r = &self.residual.classes.series;
        let mut out = Sum { xy: vec![0.0; self.base.p + 1], z: vec![Vec::new(); self.base.factors.len()] };
        for &i in &r.rows[r.starts[s]..r.starts[s + 1]] {
            self.read(here, i as usize);
            let w = f(i as usize);
            out.xy.iter_mut().zip(&here.xy).for_each(|(o, v)| *o += w * v);
            for (f, (all, z)) in out.z.iter_mut().zip(&here.values.z).enumerate() {
                let level = here.levels[f];
                match all.iter_mut().find(|(l, _)| *l == level) {
                    Some((_, sum)) => sum.iter_mut().zip(z).for_each(|(o, v)| *o += w * v),
                    None => all.push((level, z.iter().map(|v| w * v).collect())),
                }
            }
        }
        out
    }
}
