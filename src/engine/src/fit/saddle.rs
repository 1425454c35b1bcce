//! Ways out of a stationary point that is no minimum.
//!
//! A saddle has a direction of negative curvature. Where fewer than two columns of a pattern vary its correlation multiplies
//! nothing, so that no curvature in psi can tell what it would do: the score says it, in G, for every correlation.

use super::active_set::End;
use super::problem::Parameters;
use super::search::Search;
use crate::covariance::PatternedFactor;
use crate::design::working_from_user;
use crate::error::{Error, Result};
use crate::numerics::minimise::Objective;
use crate::numerics::{eigen, small};

/// Standard deviation (beside sigma, in units of the columns) with which a score is read off.
const OPEN: f64 = 1e-4;

impl Search<'_, '_> {
    /// A point from which the criterion falls below that of `end`, if there is one nearby.
    pub fn downhill(&mut self, end: &End) -> Result<Option<Parameters>> {
        if let Some(next) = self.off_the_saddle(end)? {
            return Ok(Some(next));
        }
        for (term, pattern, range) in self.problem.patterned() {
            let own = &end.at.psi[range.clone()];
            if pattern.alive(own) > usize::from(pattern.place_of_rho().is_some()) {
                continue;
            }
            let score = self.score(&end.at, term, &pattern, own)?;
            self.tally.evaluations += 1;
            if let Some(psi) = pattern.fallen(own, &score) {
                let mut next = end.at.clone();
                next.psi[range].copy_from_slice(&psi);
                return Ok(Some(next));
            }
        }
        Ok(None)
    }

    /// A lower point along the direction of the most negative curvature, if there is any.
    fn off_the_saddle(&mut self, end: &End) -> Result<Option<Parameters>> {
        let p = &end.polished;
        let n = p.point.x.len();
        let scale: Vec<f64> = p.point.x.iter().map(|x| x.abs() + 0.1).collect();
        let scaled: Vec<f64> = (0..n * n).map(|k| p.hessian[k] * scale[k / n] * scale[k % n]).collect();
        let (values, vectors) = eigen::symmetric(&scaled, n)?;
        let largest = values.last().copied().unwrap_or(0.0).max(1.0);
        let Some(vector) = vectors.first().filter(|_| values[0] < -1e-6 * largest) else { return Ok(None) };
        let mut objective = self.objective(&end.at, &end.free);
        let mut best = None;
        for side in [-1.0, 1.0, -0.1, 0.1] {
            let x: Vec<f64> = (0..n).map(|i| p.point.x[i] + side * scale[i] * vector[i]).collect();
            let f = objective.evaluate(&x, &mut vec![0.0; n])?.unwrap_or(f64::INFINITY);
            if f < best.as_ref().map_or(p.point.f - 1e-9, |b: &(f64, Parameters)| b.0) {
                best = Some((f, objective.at.clone()));
            }
        }
        let evaluations = objective.evaluations;
        self.tally.evaluations += evaluations;
        Ok(best.map(|b| b.1))
    }

    /// The derivative D of the criterion in G of one term, df = tr(D dG), with the columns in their units.
    fn score(&mut self, at: &Parameters, term: usize, pattern: &PatternedFactor, psi: &[f64]) -> Result<Vec<f64>> {
        let (kind, problem) = (self.kind(), &mut *self.problem);
        problem.set(&at.phi);
        let q = pattern.q;
        let diagonal: Vec<f64> =
            pattern.tau(psi).iter().zip(&pattern.units).map(|(tau, unit)| tau.abs().max(OPEN) / unit).collect();
        let map = working_from_user(&problem.model.a.coordinates.terms[term]);
        let root = problem.model.a.coordinates.weight_mean.sqrt();
        let block: Vec<f64> = (0..q * q).map(|k| map[k] * diagonal[k % q] * root).collect();
        let mut t = problem.blocks(at).ok_or(Error::NotPositiveDefinite)?;
        problem.model.layout.set_term_block(&mut t, term, &block);
        let (_, gamma) = problem.model.value_and_gamma(&t, kind)?;
        let mut d = vec![0.0; q * q];
        small::mul_transposed(&mut d, &map, &problem.model.layout.term_block(&gamma.total, term), q, q, q, root);
        let scaled = |i: usize, j: usize| d[i * q + j] / (diagonal[j] * pattern.units[i] * pattern.units[j]);
        Ok((0..q * q).map(|k| 0.5 * (scaled(k / q, k % q) + scaled(k % q, k / q))).collect())
    }
}
