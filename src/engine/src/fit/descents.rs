//! Quasi-Newton descents in theta, psi and phi together, from many starts of which the most promising are followed.

use crate::error::{Error, Result};
use crate::fit::problem::{Parameters, Problem};
use crate::fit::search::NOISE;
use crate::fit::settle::Ended;
use crate::fit::together::Work;
use crate::numerics::minimise::{self, Limits};
use crate::options::{Criterion, FitOptions, Watch};

/// Of many starts, how many are tried by some steps, how many evaluations these take, and how many are followed to their
/// ends.
const TRIED: usize = 5;
const GLANCE: usize = 6;
const FOLLOWED: usize = 3;

/// A descent: where it is, and its inverse Hessian.
struct Begun {
    f: f64,
    at: Parameters,
    h: Vec<f64>,
}

impl Problem<'_> {
    /// Quasi-Newton descent from every start; the lowest end.
    pub(crate) fn descend(
        &mut self,
        options: &FitOptions,
        phi: Option<&[f64]>,
        watch: &Watch,
        work: &mut Work,
    ) -> Result<Parameters> {
        let starts = self.starts(options, phi, watch, work)?;
        work.starts += starts.len();
        let free = self.free(None);
        let mut begun = Vec::new();
        for at in starts {
            begun.push(Begun { f: f64::INFINITY, h: self.guess(&at, &free, options.criterion)?, at });
        }
        let limits = |evaluations| Limits { decrease: 0.0, noise: NOISE, evaluations };
        // Where there are many, one evaluation each and some steps from the best tell which are worth a descent.
        for (evaluations, most) in [(1, TRIED), (GLANCE, FOLLOWED)] {
            if begun.len() > most {
                let further = |one| self.go_on(one, (free.clone(), false), limits(evaluations), (options, watch), work);
                begun = begun.into_iter().map(further).collect::<Result<Vec<_>>>()?;
                begun.sort_by(|a, b| a.f.total_cmp(&b.f));
                begun.truncate(most);
            }
        }
        let limits = Limits { decrease: self.decrease(), ..limits(options.max_evaluations) };
        let mut best: Option<(f64, Parameters)> = None;
        for one in begun {
            work.lowest.clone_from(&best);
            let end = self.go_on(one, (free.clone(), false), limits, (options, watch), work)?;
            if end.f.is_finite() && best.as_ref().is_none_or(|b| end.f < b.0 - 1e-9) {
                best = Some((end.f, end.at));
            }
        }
        work.lowest = None;
        Ok(best.ok_or(Error::NotPositiveDefinite)?.1)
    }

    /// Quasi-Newton descent from one point: the criterion at its end, and the end. `curvature`: an end that
    /// says what is free and what the Hessian is; by default all is free, and the Hessian is guessed.
    pub(crate) fn descend_from(
        &mut self,
        at: &Parameters,
        curvature: Option<&Ended>,
        options: &FitOptions,
        watch: &Watch,
        work: &mut Work,
    ) -> Result<Option<(f64, Parameters)>> {
        let (free, held) = match curvature {
            Some(ended) => (ended.free.clone(), ended.held),
            None => (self.free(None), false),
        };
        let h = match curvature {
            Some(ended) => {
                let k = ended.polished.point.x.len();
                let mut h = vec![0.0; k * k];
                minimise::invert_into(&ended.polished.hessian, &mut h, k, k)?;
                h
            }
            None => self.guess(at, &free, options.criterion)?,
        };
        let decrease = if curvature.is_some() { 1e-12 } else { self.decrease() };
        let limits = Limits { decrease, noise: NOISE, evaluations: options.max_evaluations };
        let begun = Begun { f: f64::INFINITY, at: at.clone(), h };
        let end = self.go_on(begun, (free, held), limits, (options, watch), work)?;
        Ok(end.f.is_finite().then_some((end.f, end.at)))
    }

    /// How much lower the criterion may still be where a descent ends.
    fn decrease(&self) -> f64 {
        let quick = !self.is_tiny() && !self.careful;
        if quick {
            1e-3
        } else {
            1e-7
        }
    }

    /// Quasi-Newton steps; f is infinite where the criterion is not defined at the start.
    fn go_on(
        &mut self,
        begun: Begun,
        (free, held): (Vec<usize>, bool),
        limits: Limits,
        (options, watch): (&FitOptions, &Watch),
        work: &mut Work,
    ) -> Result<Begun> {
        let Begun { at, mut h, .. } = begun;
        let mut all = self.all(&at, free, held, options.criterion, watch);
        all.lowest.clone_from(&work.lowest);
        let x = all.x();
        let end = minimise::minimise(&mut all, &x, &mut h, limits)?;
        work.evaluations += all.evaluations;
        let Some((point, ended, steps)) = end else { return Ok(Begun { f: f64::INFINITY, at, h }) };
        all.take(&point.x);
        work.iterations += steps;
        work.budget_spent |= ended == minimise::Ended::Budget && limits.evaluations == options.max_evaluations;
        Ok(Begun { f: point.f, at: all.at, h })
    }

    /// The inverse of a rough Hessian: theta's own, and what the numbers of rows and levels say of the rest.
    fn guess(&mut self, at: &Parameters, free: &[usize], kind: Criterion) -> Result<Vec<f64>> {
        self.set(&at.phi);
        let blocks = self.blocks(at).ok_or(Error::NotPositiveDefinite)?;
        self.model.value_and_gamma(&blocks, kind)?;
        let full = self.model.curvature(&blocks, kind)?;
        let (m, k) = (free.len(), free.len() + at.psi.len() + at.phi.len());
        let n_theta = at.theta.len();
        let mut h = vec![0.0; k * k];
        let own: Vec<f64> = (0..m * m).map(|x| full[free[x / m] * n_theta + free[x % m]]).collect();
        minimise::invert_into(&own, &mut h, m, k)?;
        for (term, _, range) in self.patterned() {
            let levels = self.model.a.factors[self.model.layout.terms[term].0].levels as f64;
            range.for_each(|i| h[(m + i) * k + m + i] = 0.5 / levels);
        }
        let first = m + at.psi.len();
        let r = at.phi.len();
        let mut own = vec![0.0; r * r];
        minimise::invert_into(&self.residual().curvature(), &mut own, r, r)?;
        (0..r * r).for_each(|x| h[(first + x / r) * k + first + x % r] = own[x]);
        Ok(h)
    }
}
