//! Ways out of a stationary point of the joint search that is no minimum.
//!
//! A saddle has a direction of negative curvature. Where fewer than two columns of a pattern vary its correlation multiplies
//! nothing, so that no curvature in psi can tell what it would do: the score says it, in G, for every correlation.

use crate::covariance::pattern::PatternedFactor;
use crate::design::coordinates;
use crate::error::{Error, Result};
use crate::fit::problem::{Parameters, Problem};
use crate::fit::settle::Ended;
use crate::fit::together::Work;
use crate::numerics::eigen;
use crate::numerics::minimise::Objective;
use crate::numerics::small;
use crate::options::{Criterion, FitOptions, Watch};

/// Standard deviation (beside sigma, in units of the columns) with which a score is read off.
const OPEN: f64 = 1e-4;

impl Problem<'_> {
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
    fn score(
        &mut self,
        at: &Parameters,
        term: usize,
        shape: &PatternedFactor,
        psi: &[f64],
        kind: Criterion,
    ) -> Result<Vec<f64>> {
        self.set(&at.phi);
        let q = shape.q;
        let diagonal: Vec<f64> =
            shape.tau(psi).iter().zip(&shape.units).map(|(tau, unit)| tau.abs().max(OPEN) / unit).collect();
        let map = coordinates::working_from_user(&self.model.a.coordinates.terms[term]);
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
