//! Sums over whole series, for compound symmetry: each series is one more row.

use crate::covariance::series::Series;
use crate::crossprod::crossprod::Crossprod;
use crate::crossprod::flat::{Places, Sum};
use crate::crossprod::outer::{Chosen, Into};
use crate::crossprod::row_reader::{Reader, Sheet, ROWS};
use crate::design::design::Design;
use crate::design::elimination_order::holds;

/// What the sums over series are made of.
pub(crate) struct Within<'s, 'd> {
    pub a: &'s Crossprod,
    pub places: &'s Places,
    pub reader: &'s Reader<'d>,
    pub series: &'s Series,
    /// True if every series lies in one level of every factor.
    pub held: bool,
}

/// One more row for each of two series sums: into which set of sums, and its weight.
pub(crate) struct Added {
    /// Which of the sums over the series, and which other.
    pub of: (usize, usize),
    /// Set.
    pub set: usize,
    /// Weight of a b' + b a'.
    pub weight: f64,
}

/// True if every series lies in one level of every factor.
pub(crate) fn is_held(design: &Design<'_>) -> bool {
    design.residual.correlation.is_some_and(|c| design.factors.iter().all(|f| holds(&c.series, f)))
}

impl Within<'_, '_> {
    /// Adds the sums over the series `range`. `factors(row, f)` writes what the row counts in each of the `kinds` sums, and
    /// `added(series)` says what they become.
    pub fn add(
        &self,
        range: std::ops::Range<usize>,
        kinds: usize,
        factors: impl Fn(usize, &mut [f64]),
        added: impl Fn(usize) -> Vec<Added>,
        out: &mut [f64],
    ) {
        let mut rows = Sheet::new(self.a);
        let mut w = vec![0.0; kinds];
        if !self.held {
            for s in range {
                let sums = self.scattered(s, &mut rows, &mut w, &factors);
                for one in added(s) {
                    let own = &mut out[one.set * self.places.len..(one.set + 1) * self.places.len];
                    self.places.add_sums(self.a, own, &sums[one.of.0], &sums[one.of.1], one.weight);
                }
            }
            return;
        }
        let mut sums = vec![Sheet::new(self.a); kinds];
        for start in range.clone().step_by(ROWS) {
            let here = start..(start + ROWS).min(range.end);
            for (k, s) in here.clone().enumerate() {
                self.whole(s, k, &mut rows, &mut w, &factors, &mut sums);
            }
            for (k, s) in here.enumerate() {
                let row = [k as u32];
                for one in added(s) {
                    let of = |kind: usize| Chosen { sheet: &sums[kind], rows: &row };
                    let into = Into { weights: &[one.weight], sets: &[one.set as u32] };
                    self.places.add_pairs(self.a, out, &of(one.of.0), &of(one.of.1), &into);
                }
            }
        }
    }

    fn chunks(&self, s: usize) -> impl Iterator<Item = &[u32]> {
        self.series.rows[self.series.starts[s]..self.series.starts[s + 1]].chunks(ROWS)
    }

    /// Sums of a series that lies in one level of every factor, into row `k` of the sheets.
    fn whole(
        &self,
        s: usize,
        k: usize,
        rows: &mut Sheet,
        w: &mut [f64],
        factors: &impl Fn(usize, &mut [f64]),
        sums: &mut [Sheet],
    ) {
        let m = self.a.p + 1;
        for sum in sums.iter_mut() {
            sum.xy[k * m..(k + 1) * m].fill(0.0);
            sum.z.iter_mut().zip(&self.a.factors).for_each(|(z, f)| z[k * f.q..(k + 1) * f.q].fill(0.0));
        }
        for chunk in self.chunks(s) {
            self.reader.read(self.a, chunk.len(), &|k| chunk[k] as usize, rows);
            for (r, &i) in chunk.iter().enumerate() {
                factors(i as usize, w);
                for (sum, w) in sums.iter_mut().zip(&*w) {
                    let add = |to: &mut [f64], from: &[f64]| to.iter_mut().zip(from).for_each(|(o, x)| *o += w * x);
                    add(&mut sum.xy[k * m..(k + 1) * m], &rows.xy[r * m..(r + 1) * m]);
                    for (f, (z, own)) in sum.z.iter_mut().zip(&rows.z).enumerate() {
                        let q = self.a.factors[f].q;
                        add(&mut z[k * q..(k + 1) * q], &own[r * q..(r + 1) * q]);
                    }
                }
            }
            sums.iter_mut().for_each(|sum| {
                sum.levels.iter_mut().zip(&rows.levels).for_each(|(l, own)| l[k] = own[0]);
            });
        }
    }

    /// Sums of a series that touches several levels.
    fn scattered(&self, s: usize, rows: &mut Sheet, w: &mut [f64], factors: &impl Fn(usize, &mut [f64])) -> Vec<Sum> {
        let m = self.a.p + 1;
        let mut out: Vec<Sum> =
            w.iter().map(|_| Sum { xy: vec![0.0; m], z: vec![Vec::new(); self.a.factors.len()] }).collect();
        for chunk in self.chunks(s) {
            self.reader.read(self.a, chunk.len(), &|k| chunk[k] as usize, rows);
            for (r, &i) in chunk.iter().enumerate() {
                factors(i as usize, w);
                for (sum, w) in out.iter_mut().zip(&*w) {
                    sum.xy.iter_mut().zip(&rows.xy[r * m..(r + 1) * m]).for_each(|(o, v)| *o += w * v);
                    for (f, all) in sum.z.iter_mut().enumerate() {
                        let q = self.a.factors[f].q;
                        let (level, z) = (rows.levels[f][r] as usize, &rows.z[f][r * q..(r + 1) * q]);
                        match all.iter_mut().find(|(l, _)| *l == level) {
                            Some((_, sum)) => sum.iter_mut().zip(z).for_each(|(o, v)| *o += w * v),
                            None => all.push((level, z.iter().map(|v| w * v).collect())),
                        }
                    }
                }
            }
        }
        out
    }
}
