//! [Z, X, y]'R^-1[Z, X, y] for residuals that are not alike: sums by class of weight, combined at every phi.
//!
//! With few classes the rows are summed once, a set of sums for each class, and a new phi costs a combination of sets
//! (banks); with many classes the rows are summed again at every phi, with all derivatives at once. Rows are read in the
//! working coordinates of plain cross-products, so that everything downstream finds what it knows.

use std::ops::Range;
use std::sync::Mutex;

use crate::covariance::residual::ResidualCovariance;
use crate::covariance::series::NONE;
use crate::crossprod::by_series::{is_held, Added, Within};
use crate::crossprod::crossprod::Crossprod;
use crate::crossprod::flat::Places;
use crate::crossprod::outer::{Chosen, Into};
use crate::crossprod::row_reader::{Reader, Sheet, IDENTITY, ROWS};
use crate::crossprod::ties::tie;
use crate::design::design::Design;
use crate::error::Result;
use crate::numerics::threads::Workers;

/// Classes up to which sums are kept for each.
const FEW: usize = 48;
/// Rows in one piece of work at least.
const PIECE: usize = 65_536;

/// Rows of a design that can be summed with any weights.
pub struct WeightedSums<'d> {
    pub(crate) design: &'d Design<'d>,
    /// Coordinates and cells; its sums are those of equal weights.
    pub base: Crossprod,
    /// Classes of weights.
    pub residual: ResidualCovariance,
    pub(crate) places: Places,
    pub(crate) reader: Reader<'d>,
    /// Sums of every class, if there are few.
    pub(crate) banks: Option<Vec<f64>>,
    /// The sums and their derivatives at the phi that was asked for last, where there are many.
    last: Mutex<(Vec<f64>, Vec<f64>)>,
    /// Row after each row in its series; only where rows are summed again.
    next: Vec<u32>,
    pub(crate) held: bool,
    pub(crate) workers: Workers,
    log_weights: f64,
}

/// Rows whose weights are the same function of phi, and the sums over them.
#[derive(Clone, Copy, Debug)]
pub struct Kinds {
    /// Classes of rows, sides, neighbours and series together.
    pub classes: usize,
    /// True if the sums of every class are kept; otherwise the rows are read again at every phi.
    pub kept: bool,
    /// Elements of one set of sums.
    pub elements: usize,
}

/// Room for one block of rows.
pub(crate) struct Room {
    pub(crate) here: Sheet,
    pub(crate) before: Sheet,
    /// Rows with one before them, and those before them.
    pub(crate) late: Vec<u32>,
    pub(crate) early: Vec<u32>,
    pub(crate) sets: Vec<u32>,
    pub(crate) weights: Vec<f64>,
}

impl<'d> WeightedSums<'d> {
    /// Prepares the rows; sums them by class if there are few classes.
    ///
    /// # Errors
    /// Those of [`Crossprod::from_design`] and of [`ResidualCovariance::new`].
    pub fn new(design: &'d Design<'d>, threads: usize) -> Result<WeightedSums<'d>> {
        let mut base = Crossprod::from_design(design, threads)?;
        let workers = Workers::new(if design.n() >= PIECE { threads } else { 1 })?;
        let residual = ResidualCovariance::new(design, &workers)?;
        tie(design, &residual, &mut base);
        let mut out = WeightedSums {
            design,
            residual,
            places: Places::new(&base),
            reader: Reader::new(design, &base),
            banks: None,
            last: Mutex::default(),
            next: Vec::new(),
            held: is_held(design),
            workers,
            log_weights: base.coordinates.weight_log_sum,
            base,
        };
        if design.residual.is_empty() {
            return Ok(out);
        }
        let count = out.residual.classes.sizes().iter().sum::<usize>();
        if count <= FEW && !out.residual.classes.mixed_blocks && count * out.places.len <= 16 * design.n() + 100_000 {
            out.banks = Some(out.by_class());
        } else if !out.residual.classes.pairs.is_empty() {
            out.next = vec![NONE; design.n()];
            for (i, &j) in out.residual.classes.series.previous.iter().enumerate().filter(|(_, j)| **j != NONE) {
                out.next[j as usize] = i as u32;
            }
        }
        Ok(out)
    }

    /// What the residuals cost.
    pub fn kinds(&self) -> Kinds {
        Kinds {
            classes: self.residual.classes.sizes().iter().sum(),
            kept: self.banks.is_some(),
            elements: self.places.len,
        }
    }

    /// Writes the cross-products at phi into `a`, which has the cells of `base`.
    pub fn at(&self, phi: &[f64], a: &mut Crossprod) {
        self.load(phi, None, a);
        a.coordinates.weight_log_sum = self.log_weights - self.residual.log_det(phi).0;
    }

    /// Writes the derivative in phi[i] into `a` and returns that of log|R|.
    pub fn derivative(&self, phi: &[f64], i: usize, a: &mut Crossprod) -> f64 {
        self.load(phi, Some(i), a);
        self.residual.log_det(phi).1[i]
    }

    fn load(&self, phi: &[f64], derivative: Option<usize>, a: &mut Crossprod) {
        let len = self.places.len;
        if let Some(banks) = &self.banks {
            let r = &self.residual;
            let weights = derivative.map_or_else(|| r.weights(phi), |i| r.derivative(phi, i));
            let sets: Vec<(f64, &[f64])> =
                weights.all().zip(banks.chunks_exact(len)).filter(|(w, _)| *w != 0.0).collect();
            return self.places.load(&sets, a);
        }
        let place = derivative.map_or(0, |i| i + 1) * len;
        if let Ok(mut last) = self.last.lock() {
            if last.0 != phi || last.1.is_empty() {
                *last = (phi.to_vec(), self.sum_rows(phi));
            }
            self.places.load(&[(1.0, &last.1[place..place + len])], a);
        }
    }

    /// Pieces of a pass; a function of sizes alone.
    fn pieces(&self, sets: usize) -> usize {
        let n = self.design.n();
        (n / PIECE).min(n / (2 * sets * self.places.len).max(1)).clamp(1, 8)
    }

    pub(crate) fn room(&self) -> Room {
        Room {
            here: Sheet::new(&self.base),
            before: Sheet::new(&self.base),
            late: Vec::with_capacity(ROWS),
            early: Vec::with_capacity(ROWS),
            sets: vec![0; ROWS],
            weights: vec![1.0; ROWS],
        }
    }

    /// Visits `count` things in pieces, each with its own sums; they are added in order.
    pub(crate) fn pass(&self, sets: usize, count: usize, add: impl Fn(Range<usize>, &mut [f64]) + Sync) -> Vec<f64> {
        let pieces = self.pieces(sets);
        let parts = self.workers.map(pieces, |k| {
            let mut out = vec![0.0; sets * self.places.len];
            add(k * count / pieces..(k + 1) * count / pieces, &mut out);
            out
        });
        let mut parts = parts.into_iter();
        let mut total = parts.next().unwrap_or_default();
        parts.for_each(|part| total.iter_mut().zip(&part).for_each(|(x, y)| *x += y));
        self.places.mirror(&self.base, &mut total);
        total
    }

    /// Visits the rows of a piece in blocks.
    pub(crate) fn blocks(&self, piece: Range<usize>, mut visit: impl FnMut(Range<usize>, &mut Room)) {
        let mut room = self.room();
        for start in piece.clone().step_by(ROWS) {
            visit(start..(start + ROWS).min(piece.end), &mut room);
        }
    }

    /// Reads the rows of a block that have a neighbour before them, and those neighbours; false where there is none.
    pub(crate) fn read_pairs(&self, rows: &Range<usize>, room: &mut Room) -> bool {
        room.late.clear();
        room.early.clear();
        for i in rows.clone() {
            let j = self.residual.classes.series.previous[i];
            if j != NONE {
                room.late.push((i - rows.start) as u32);
                room.early.push(j);
            }
        }
        let early = &room.early;
        self.reader.read(&self.base, early.len(), &|k| early[k] as usize, &mut room.before);
        !early.is_empty()
    }

    pub(crate) fn within(&self) -> Within<'_, 'd> {
        let series = &self.residual.classes.series;
        Within { a: &self.base, places: &self.places, reader: &self.reader, series, held: self.held }
    }

    /// The sums at phi and their derivatives, one after the other.
    fn sum_rows(&self, phi: &[f64]) -> Vec<f64> {
        let (r, c) = (&self.residual, &self.residual.classes);
        let (n, sets) = (self.design.n(), 1 + phi.len());
        let own = r.own(phi);
        let near: Vec<[(f64, f64); 2]> = c.pairs.iter().map(|p| r.neighbour(phi, p.gap)).collect();
        let serial = r.serial().is_some();
        let mut out = self.pass(sets, n, |piece, out| {
            let mut scales = vec![(0.0, 0.0); ROWS];
            let mut known = vec![0.0; ROWS];
            self.blocks(piece, |block, room| {
                self.reader.read(&self.base, block.len(), &|k| block.start + k, &mut room.here);
                for (k, i) in block.clone().enumerate() {
                    known[k] = (-r.row_log_scale(i, phi)).exp();
                    let mut weight = own;
                    if !near.is_empty() {
                        let after = self.next[i];
                        let mut side = |i: usize| {
                            let own = near[c.pair(i)][0];
                            weight = (weight.0 + own.0, weight.1 + own.1);
                        };
                        if c.series.previous[i] != NONE {
                            side(i);
                        }
                        if after != NONE {
                            side(after as usize);
                        }
                    }
                    scales[k] = (known[k] * known[k] * weight.0, known[k] * known[k] * weight.1);
                }
                let all = &IDENTITY[..block.len()];
                for set in 0..sets {
                    room.sets.fill(set as u32);
                    for ((w, i), scale) in room.weights.iter_mut().zip(block.clone()).zip(&scales) {
                        *w = match set {
                            0 => scale.0,
                            s if s == r.k + 1 => scale.1,
                            s => -2.0 * r.row_scales(i)[s - 1] * scale.0,
                        };
                    }
                    let rows = Chosen { sheet: &room.here, rows: all };
                    let into = Into { weights: &room.weights, sets: &room.sets };
                    self.places.add_rows(&self.base, out, &rows, &into);
                }
                if near.is_empty() || !self.read_pairs(&block, room) {
                    return;
                }
                let Room { here, before, late, early, sets: places, weights } = room;
                for (k, (late, &j)) in late.iter().zip(&*early).enumerate() {
                    let (i, j) = (block.start + *late as usize, j as usize);
                    let both = known[*late as usize] * (-r.row_log_scale(j, phi)).exp();
                    let pair = near[c.pair(i)][1];
                    scales[k] = (both * pair.0, both * pair.1);
                }
                let here = Chosen { sheet: here, rows: late };
                let before = Chosen { sheet: before, rows: &IDENTITY[..late.len()] };
                for set in 0..sets {
                    places.fill(set as u32);
                    for (k, w) in weights.iter_mut().enumerate().take(late.len()) {
                        let (i, j) = (block.start + late[k] as usize, early[k] as usize);
                        *w = match set {
                            0 => scales[k].0,
                            s if s == r.k + 1 => scales[k].1,
                            s => -(r.row_scales(i)[s - 1] + r.row_scales(j)[s - 1]) * scales[k].0,
                        };
                    }
                    self.places.add_pairs(&self.base, out, &here, &before, &Into { weights, sets: places });
                }
            });
        });
        if serial && near.is_empty() {
            let series = self.sums_of_series(phi, sets);
            out.iter_mut().zip(&series).for_each(|(o, s)| *o += s);
        }
        out
    }

    /// The part of the sums over series at phi, and its derivatives.
    fn sums_of_series(&self, phi: &[f64], sets: usize) -> Vec<f64> {
        let (r, c) = (&self.residual, &self.residual.classes);
        let weights: Vec<(f64, f64)> = c.blocks.iter().map(|b| r.series_weight(phi, b.1)).collect();
        let factors = |i: usize, w: &mut [f64]| {
            let e = (-r.row_log_scale(i, phi)).exp();
            w[0] = e;
            w[1..].iter_mut().zip(r.row_scales(i)).for_each(|(w, s)| *w = -s * e);
        };
        let added = |s: usize| {
            let (value, slope) = weights[c.block_class[s] as usize];
            let all = (0..sets).map(|set| match set {
                0 => Added { of: (0, 0), set, weight: 0.5 * value },
                k if k == r.k + 1 => Added { of: (0, 0), set, weight: 0.5 * slope },
                k => Added { of: (k, 0), set, weight: value },
            });
            all.collect()
        };
        self.pass(sets, c.block_class.len(), |piece, out| self.within().add(piece, 1 + r.k, factors, added, out))
    }
}
