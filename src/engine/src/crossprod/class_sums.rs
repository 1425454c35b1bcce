//! One set of sums for each class of weights, from the rows once.

use crate::covariance::series::NONE;
use crate::crossprod::by_series::Added;
use crate::crossprod::outer::{Chosen, Into};
use crate::crossprod::row_reader::{IDENTITY, ROWS};
use crate::crossprod::weighted_sums::{Room, WeightedSums};
use crate::design::design::{Column, Term};
use crate::numerics::sums;

impl WeightedSums<'_> {
    /// One set of sums for each class.
    pub(crate) fn by_class(&self) -> Vec<f64> {
        let (c, n, len) = (&self.residual.classes, self.design.n(), self.places.len);
        let [rows, sides, pairs, blocks] = c.sizes();
        let mut out = if rows == 1 {
            self.places.store(&self.base)
        } else {
            self.pass(rows, n, |piece, out| {
                self.blocks(piece, |block, room| {
                    self.reader.read(&self.base, block.len(), &|k| block.start + k, &mut room.here);
                    room.sets.iter_mut().zip(block.clone()).for_each(|(s, i)| *s = c.scale(i) as u32);
                    let into = Into { weights: &room.weights, sets: &room.sets };
                    self.places.add_rows(
                        &self.base,
                        out,
                        &Chosen { sheet: &room.here, rows: &IDENTITY[..block.len()] },
                        &into,
                    );
                });
            })
        };
        // With one kind of neighbours every row has two sides but the first and the last of a series.
        let ends = sides == 1 && rows == 1;
        if ends {
            let both = self.ends();
            let twice: Vec<f64> = out.iter().zip(&both).map(|(all, ends)| 2.0 * all - ends).collect();
            out.extend(twice);
        }
        if ends && self.is_level() {
            let lagged = self.lagged();
            let mut both = out[len..2 * len].to_vec();
            both[..lagged.len()].copy_from_slice(&lagged);
            out.extend(both);
        } else if pairs > 0 {
            let own = if ends { 0 } else { sides };
            out.extend(self.pass(own + pairs, n, |piece, out| {
                self.blocks(piece, |block, room| {
                    if !self.read_pairs(&block, room) {
                        return;
                    }
                    self.reader.read(&self.base, block.len(), &|k| block.start + k, &mut room.here);
                    let Room { here, before, late, sets, weights, .. } = room;
                    let here = Chosen { sheet: here, rows: late };
                    let before = Chosen { sheet: before, rows: &IDENTITY[..late.len()] };
                    let pair = |k: &u32| c.pair(block.start + *k as usize);
                    if own > 0 {
                        for (side, rows) in [(0, &here), (1, &before)] {
                            sets.iter_mut().zip(&*late).for_each(|(s, k)| *s = c.pairs[pair(k)].sides[side] as u32);
                            self.places.add_rows(&self.base, out, rows, &Into { weights, sets });
                        }
                    }
                    sets.iter_mut().zip(&*late).for_each(|(s, k)| *s = (own + pair(k)) as u32);
                    self.places.add_pairs(&self.base, out, &here, &before, &Into { weights, sets });
                });
            }));
        }
        if blocks > 0 {
            let added = |s: usize| vec![Added { of: (0, 0), set: c.block_class[s] as usize, weight: 0.5 }];
            let all = self.pass(blocks, c.block_class.len(), |piece, out| {
                self.within().add(piece, 1, |_, w| w[0] = 1.0, added, out);
            });
            out.extend(all);
        }
        debug_assert_eq!(out.len(), (rows + sides + pairs + blocks) * len);
        out
    }

    /// Moves phi to where the squares of the least-squares residuals put it; `ratio`: variance of the random part beside
    /// that of the residuals.
    pub fn guess(&self, ratio: f64, phi: &mut [f64]) {
        let (Some(banks), c) = (&self.banks, &self.residual.classes) else { return };
        let [rows, sides, ..] = c.sizes();
        let last = (self.base.p + 1) * (self.base.p + 1) - 1;
        let squares: Vec<f64> = banks.chunks_exact(self.places.len).map(|b| b[last]).collect();
        let n = self.design.n() as f64;
        let random = squares[..rows].iter().sum::<f64>() / n * ratio / (1.0 + ratio);
        let logs: Vec<f64> = squares
            .iter()
            .zip(&c.row_counts)
            .map(|(s, n)| 0.5 * (s / n - random).max(0.1 * s / n).max(f64::MIN_POSITIVE).ln())
            .collect();
        self.residual.fit_scales(&logs, phi);
        if let (1, 1, Some(gap)) = (rows, sides, c.pairs.first().map(|p| p.gap)) {
            let products = squares[2] / (2.0 * c.pair_counts[0]);
            let own = squares[0] / n;
            let rho = (products - random) / (own - random).max(0.1 * own);
            self.residual.take_correlation(rho.signum() * rho.abs().powf(1.0 / gap), phi);
        }
    }

    /// True if the columns of all factors are constant within series: of neighbours they see their sums alone, which are
    /// those of the sides.
    fn is_level(&self) -> bool {
        let constant = |t: &Term<'_>| t.basis.iter().all(|c| matches!(c, Column::Constant));
        self.held && self.design.weights.is_none() && self.design.terms.iter().all(constant)
    }

    /// Products of X and y of all neighbours, both ways.
    fn lagged(&self) -> Vec<f64> {
        let (n, m) = (self.design.n(), self.base.p + 1);
        let parts = self.workers.map(sums::chunks(n), |c| {
            let mut out = vec![0.0; m * m];
            self.blocks(sums::chunk(c, n), |block, room| {
                let previous = &self.residual.classes.series.previous[block.clone()];
                let Room { here, before, late, early, sets, weights } = room;
                late.clear();
                early.clear();
                let known = previous.iter().enumerate().filter(|(_, j)| **j != NONE);
                known.for_each(|(k, &j)| {
                    late.push(k as u32);
                    early.push(j);
                });
                self.reader.read_xy(block.len(), &|k| block.start + k, here);
                self.reader.read_xy(early.len(), &|k| early[k] as usize, before);
                let here = Chosen { sheet: here, rows: late };
                let before = Chosen { sheet: before, rows: &IDENTITY[..late.len()] };
                self.places.add_lagged(m, &mut out, &here, &before, &Into { weights, sets });
            });
            out
        });
        let mut out = sums::sum_in_pairs(parts);
        for i in 0..m {
            (0..i).for_each(|j| out[i * m + j] = out[j * m + i]);
        }
        out
    }

    /// Sums of the first row and of the last row of every series.
    fn ends(&self) -> Vec<f64> {
        let series = &self.residual.classes.series;
        let first = series.previous.iter().enumerate().filter(|(_, j)| **j == NONE).map(|(i, _)| i as u32);
        let all: Vec<u32> = first.chain(series.last.iter().copied()).collect();
        let mut out = vec![0.0; self.places.len];
        let mut room = self.room();
        for chunk in all.chunks(ROWS) {
            self.reader.read(&self.base, chunk.len(), &|k| chunk[k] as usize, &mut room.here);
            let rows = Chosen { sheet: &room.here, rows: &IDENTITY[..chunk.len()] };
            self.places.add_rows(&self.base, &mut out, &rows, &Into { weights: &room.weights, sets: &room.sets });
        }
        self.places.mirror(&self.base, &mut out);
        out
    }
}
