//! The criterion in the free parameters of a problem, as the minimisers see it.
//!
//! Theta is unconstrained here: the criterion depends on T_k T_k' alone, so a minimum on the boundary is an ordinary minimum
//! with a singular T_k. Where theta alone is free the criterion has second derivatives.

use std::sync::atomic::Ordering;

use super::problem::{Free, Parameters, Problem};
use crate::error::{Error, Result};
use crate::numerics::minimise::{Curvature, Ended, Objective};
use crate::options::{Criterion, Watch};

/// An element of theta beyond which no covariance matrix is looked for.
const FAR: f64 = 1e8;
/// How much above the lowest known point a descent may lead and still go on.
pub(crate) const LOOSE: f64 = 1e-3;

/// A point of the search that has been looked at: the G_k, phi and the criterion.
pub(crate) struct Known {
    g: Vec<Vec<f64>>,
    phi: Vec<f64>,
    pub f: f64,
}

impl Known {
    /// A point where the criterion is `f`; `None` where it is not defined.
    pub fn new(problem: &Problem<'_>, at: &Parameters, f: f64) -> Option<Known> {
        problem.covariances(at).map(|g| Known { g, phi: at.phi.clone(), f })
    }

    /// True if `at` is this point, but for a share of the standard deviations.
    pub fn is_near(&self, problem: &Problem<'_>, at: &Parameters, share: f64) -> bool {
        let Some(g) = problem.covariances(at) else { return false };
        let (a, terms) = (&problem.model.a, &problem.model.layout.terms);
        let phi = at.phi.iter().zip(&self.phi).all(|(x, y)| (x - y).abs() < share * (0.1 + y.abs()));
        phi && g.iter().zip(&self.g).zip(terms).all(|((g, known), &(factor, _, q))| {
            let least = 0.05 * a.factors[factor].levels as f64 / a.n as f64;
            let size = |i: usize| least + g[i * q + i].max(known[i * q + i]);
            (0..q * q).all(|x| (g[x] - known[x]).abs() <= share * (size(x / q) * size(x % q)).sqrt())
        })
    }
}

/// The criterion in the free parameters; the others keep the values that they have in `at`.
pub(crate) struct FreeCriterion<'s, 'd> {
    pub problem: &'s mut Problem<'d>,
    pub kind: Criterion,
    pub at: Parameters,
    pub free: Free,
    pub watch: &'s Watch,
    /// Points on the way to which a descent stops.
    pub known: &'s [Known],
    pub evaluations: usize,
}

impl Objective for FreeCriterion<'_, '_> {
    fn evaluate(&mut self, x: &[f64], g: &mut [f64]) -> Result<Option<f64>> {
        if self.watch.stop.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        self.evaluations += 1;
        self.watch.evaluations.fetch_add(1, Ordering::Relaxed);
        self.free.put(x, &mut self.at);
        if x[..self.free.theta.len()].iter().any(|v| v.abs() > FAR) || !self.problem.is_inside(&self.at) {
            return Ok(None);
        }
        match self.problem.evaluate(&self.at, &self.free, self.kind) {
            Ok((f, slope)) => {
                g.copy_from_slice(&slope);
                Ok((f.is_finite() && g.iter().all(|x| x.is_finite())).then_some(f))
            }
            Err(Error::NotPositiveDefinite) => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn curvature(&mut self, x: &[f64], h: &mut [f64]) -> Result<Curvature> {
        if !self.free.is_theta_alone() {
            return Ok(Curvature::None);
        }
        self.free.put(x, &mut self.at);
        self.problem.set(&self.at.phi);
        let t = self.problem.blocks(&self.at).ok_or(Error::NotPositiveDefinite)?;
        let full = self.problem.model.curvature(&t, self.kind)?;
        let (k, free) = (self.at.theta.len(), &self.free.theta);
        let pairs = free.iter().flat_map(|&row| free.iter().map(move |&col| row * k + col));
        h.iter_mut().zip(pairs).for_each(|(h, at)| *h = full[at]);
        Ok(if self.problem.model.has_hessian() { Curvature::Exact } else { Curvature::Average })
    }

    fn verdict(&mut self, ahead: &[f64], f: f64, decrease: f64, known: Curvature) -> Option<Ended> {
        let lowest = self.known.iter().map(|k| k.f).min_by(f64::total_cmp)?;
        // How many times the decrease that its step promises a descent may bring, and how far its end is from the step's.
        let (trust, share) = match known {
            Curvature::Exact => (4.0, 0.1),
            Curvature::Average => (10.0, 0.1),
            Curvature::None => (20.0, 0.02),
        };
        let mut at = self.at.clone();
        self.free.put(ahead, &mut at);
        let as_low = |k: &&Known| match known {
            Curvature::None => f - trust * decrease > k.f - 0.01,
            _ => (k.f - (f - decrease)).abs() < 0.2 * decrease + 0.01,
        };
        if self.known.iter().filter(as_low).any(|k| k.is_near(self.problem, &at, share)) {
            return Some(Ended::Known);
        }
        let late = decrease < if known == Curvature::None { 0.1 } else { 1.0 };
        (late && f - trust * decrease > lowest + LOOSE).then_some(Ended::Higher)
    }
}
