//! Ways out of a stationary point of the joint search that is no minimum.
//!
//! A saddle has a direction of negative curvature. Where fewer than two columns of a pattern vary its correlation multiplies
//! nothing, so that no curvature in psi can tell what it would do: the score says it, in G, for every correlation.

use std::f64::consts::FRAC_PI_2;

use crate::block::small;
use crate::error::{Error, Result};
use crate::joint::{Joint, Parameters};
use crate::optim::bfgs::Objective;
use crate::optim::eigen;
use crate::options::{Criterion, FitOptions, Watch};
use crate::settle::Ended;
use crate::shape::Shape;
use crate::theta;
use crate::together::Work;

/// Standard deviation (beside sigma, in units of the columns) with which a score is read off.
const OPEN: f64 = 1e-4;
/// The same with which a column is opened.
const WIDE: f64 = 0.2;
/// Score, beside the largest, below which the criterion falls.
const SCORE: f64 = -1e-5;

impl Joint<'_> {
    /// A point from which the criterion falls below that of `ended`, if there is one nearby.
    pub(crate) fn downhill(
        &mut self,
        ended: &Ended,
        options: &FitOptions,
        watch: &Watch,
        work: &mut Work,
    ) -> Result<Option<Parameters>> {
        if let Some(next) = self.off_the_saddle(ended, options.criterion, watch, work)? {
            return Ok(Some(next));
        }
        for (term, shape, range) in self.patterned() {
            if shape.alive(&ended.at.psi[range.clone()]) > usize::from(shape.place_of_rho().is_some()) {
                continue;
            }
            let own = &ended.at.psi[range.clone()];
            let score = self.score(&ended.at, term, &shape, own, options.criterion)?;
            work.evaluations += 1;
            if let Some(psi) = shape.fallen(own, &score) {
                let mut next = ended.at.clone();
                next.psi[range].copy_from_slice(&psi);
                return Ok(Some(next));
            }
        }
        Ok(None)
    }

    fn off_the_saddle(
        &mut self,
        ended: &Ended,
        kind: Criterion,
        watch: &Watch,
        work: &mut Work,
    ) -> Result<Option<Parameters>> {
        let p = &ended.polished;
        let n = p.point.x.len();
        let scale: Vec<f64> = p.point.x.iter().map(|x| x.abs() + 0.1).collect();
        let scaled: Vec<f64> = (0..n * n).map(|k| p.hessian[k] * scale[k / n] * scale[k % n]).collect();
        let (values, vectors) = eigen::symmetric(&scaled, n)?;
        let largest = values.last().copied().unwrap_or(0.0).max(1.0);
        let Some(vector) = vectors.first().filter(|_| values[0] < -1e-6 * largest) else { return Ok(None) };
        let mut all = self.all(&ended.at, ended.free.clone(), ended.held, kind, watch);
        let mut best = None;
        for side in [-1.0, 1.0, -0.1, 0.1] {
            let x: Vec<f64> = (0..n).map(|i| p.point.x[i] + side * scale[i] * vector[i]).collect();
            let f = all.evaluate(&x, &mut vec![0.0; n])?.unwrap_or(f64::INFINITY);
            if f < best.as_ref().map_or(p.point.f - 1e-9, |b: &(f64, Parameters)| b.0) {
                best = Some((f, all.at.clone()));
            }
        }
        work.evaluations += all.evaluations;
        Ok(best.map(|b| b.1))
    }

    /// The derivative D of the criterion in G of one term, df = tr(D dG), with the columns in their units.
    fn score(&mut self, at: &Parameters, term: usize, shape: &Shape, psi: &[f64], kind: Criterion) -> Result<Vec<f64>> {
        self.set(&at.phi);
        let q = shape.q;
        let diagonal: Vec<f64> =
            shape.tau(psi).iter().zip(&shape.units).map(|(tau, unit)| tau.abs().max(OPEN) / unit).collect();
        let map = theta::working_from_user(&self.model.a.coordinates.terms[term]);
        let root = self.model.a.coordinates.weight_mean.sqrt();
        let block: Vec<f64> = (0..q * q).map(|k| map[k] * diagonal[k % q] * root).collect();
        let mut t = self.blocks(at).ok_or(Error::NotPositiveDefinite)?;
        self.model.layout.set_term_block(&mut t, term, &block);
        let (_, gamma) = self.model.value_and_gamma(&t, kind)?;
        let mut d = vec![0.0; q * q];
        small::mul_transposed(&mut d, &map, &self.model.layout.term_block(&gamma.total, term), q, q, q, root);
        let scaled = |i: usize, j: usize| d[i * q + j] / (diagonal[j] * shape.units[i] * shape.units[j]);
        Ok((0..q * q).map(|k| 0.5 * (scaled(k / q, k % q) + scaled(k % q, k / q))).collect())
    }
}

impl Shape {
    /// psi with columns opened in the direction of G in which a criterion with score D falls most, if there is one.
    fn fallen(&self, psi: &[f64], score: &[f64]) -> Option<Vec<f64>> {
        let q = self.q;
        let tau = self.tau(psi);
        let alive = (0..q).find(|&i| tau[i] != 0.0);
        let scale = (0..q).map(|i| score[i * q + i].abs()).fold(f64::MIN_POSITIVE, f64::max);
        let angles: Vec<f64> =
            self.angle.map_or_else(|| vec![0.0], |_| (-4..=4).map(|k| f64::from(k) * FRAC_PI_2 / 4.0).collect());
        let mut best: Option<(f64, f64, Vec<f64>)> = None;
        for a in angles {
            let c = self.correlation(a);
            let m: Vec<f64> = (0..q * q).map(|k| c[k] * score[k]).collect();
            let (value, t) = match alive {
                Some(i) => {
                    let Some(j) = (0..q).filter(|&j| j != i).min_by(|&j, &k| m[i * q + j].total_cmp(&m[i * q + k]))
                    else {
                        continue;
                    };
                    let mut t: Vec<f64> = tau.iter().map(|t| t / WIDE).collect();
                    t[j] = 1.0;
                    (m[i * q + j], t)
                }
                None if self.place_of_sd(1) == 0 => {
                    let t = vec![(1.0 / q as f64).sqrt(); q];
                    (m.iter().sum::<f64>() / q as f64, t)
                }
                None => lowest(&m, q),
            };
            if value < SCORE * scale && best.as_ref().is_none_or(|b| value < b.0) {
                best = Some((value, a, t));
            }
        }
        let (_, a, t) = best?;
        let sds = self.place_of_rho().unwrap_or(self.len());
        let mut out: Vec<f64> = (0..sds).map(|i| self.psi_of_tau(WIDE * t[i].max(0.1))).collect();
        if self.angle.is_some() {
            // At its limit a correlation is stationary.
            out.push(0.9 * a);
        }
        Some(out)
    }

    /// Correlation matrix at an angle.
    fn correlation(&self, a: f64) -> Vec<f64> {
        let q = self.q;
        let Some(angle) = self.angle else { return (0..q * q).map(|k| f64::from(u8::from(k / q == k % q))).collect() };
        let (l, _) = angle.root(a);
        let mut c = vec![0.0; q * q];
        small::mul_by_transposed(&mut c, &l, &l, q, q, q, 1.0);
        c
    }
}

/// About the smallest t'Mt over t >= 0 of length one, by projected gradient steps from the best axis and from the middle.
fn lowest(m: &[f64], q: usize) -> (f64, Vec<f64>) {
    let size = m.iter().map(|x| x * x).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
    let value = |t: &[f64]| (0..q * q).map(|k| t[k / q] * m[k] * t[k % q]).sum::<f64>();
    let axis = (0..q).min_by(|&i, &j| m[i * q + i].total_cmp(&m[j * q + j])).unwrap_or(0);
    let mut best = (f64::INFINITY, vec![0.0; q]);
    for mut t in [(0..q).map(|i| f64::from(u8::from(i == axis))).collect(), vec![(1.0 / q as f64).sqrt(); q]] {
        for _ in 0..100 {
            let next: Vec<f64> =
                (0..q).map(|i| (t[i] - (0..q).map(|j| m[i * q + j] * t[j]).sum::<f64>() / size).max(0.0)).collect();
            let length = next.iter().map(|x| x * x).sum::<f64>().sqrt();
            if length == 0.0 {
                break;
            }
            t = next.iter().map(|x| x / length).collect();
        }
        let v = value(&t);
        if v < best.0 {
            best = (v, t);
        }
    }
    best
}
