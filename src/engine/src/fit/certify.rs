//! The certificate of an end: is it a minimum, and is there one at all?

use super::active_set::End;
use super::certificate::{Convergence, Status};
use super::rank_reduction::SCORE;
use super::search::{Minimum, Search, NOISE};
use crate::error::{Error, Result};
use crate::numerics::newton::Polished;
use crate::numerics::small;

/// Elements of T from which the way to infinity is looked at, and how many times as far.
const LARGE: f64 = 8.0;
const BEYOND: f64 = 20.0;
/// What is left of the rounding of R^-1 close to where R is singular.
const SINGULAR: f64 = 1e-8;

impl Search<'_, '_> {
    /// True if nothing is left to gain: no negative curvature, a decrement within the tolerance and rounding, no score below
    /// zero. `at_limit`: R is nearly singular.
    pub fn is_minimum(&self, p: &Polished, kkt: f64, at_limit: bool) -> bool {
        let largest = p.eigenvalues.last().copied().unwrap_or(0.0);
        let curved = p.eigenvalues.first().is_none_or(|v| *v > -1e-7 * largest.max(1.0));
        let rounding = if at_limit { SINGULAR } else { 100.0 * NOISE * (1.0 + p.point.f.abs()) };
        curved && p.decrement <= self.options.tolerance + rounding && kkt >= SCORE
    }

    /// The same for an end.
    pub fn is_certified(&self, end: &End) -> bool {
        self.is_minimum(&end.polished, end.kkt, end.at_limit)
    }

    /// Refuses an end on the way to where the likelihood has no maximum: sigma tends to zero beside the random effects.
    pub fn check_leaving(&mut self, end: &End) -> Result<()> {
        let (f, kind) = (end.polished.point.f, self.kind());
        self.problem.set(&end.at.phi);
        let mut blocks = self.problem.blocks(&end.at).ok_or(Error::NotPositiveDefinite)?;
        if blocks.iter().flatten().any(|x| x.abs() > LARGE) {
            let ratio = self.share_of_sigma(&end.at)?.max(0.0).sqrt();
            blocks.iter_mut().flatten().for_each(|x| *x *= BEYOND);
            let beyond = self.problem.model.value(&blocks, kind).map_or(f64::INFINITY, |v| v.f);
            let rounding = if self.is_certified(end) { 1e-5 } else { 0.1 };
            if beyond < f + rounding {
                return Err(Error::PerfectFit { reason: "vanishes", ratio });
            }
        }
        Ok(())
    }

    /// True where a covariance matrix is singular or a residual correlation is at its limit.
    fn is_at_edge(&self, end: &End) -> bool {
        let singular =
            |pattern: &super::problem::Patterned| pattern.1.rank(&end.at.psi[pattern.2.clone()]) < pattern.1.q;
        end.kkt.is_finite() || end.at_limit || self.problem.patterned().iter().any(singular)
    }

    /// The minimum with its certificate; theta with the terms that have a pattern filled in.
    pub fn certify(&mut self, end: End) -> Result<Minimum> {
        let status = match (self.is_certified(&end), self.is_at_edge(&end)) {
            (true, false) => Status::Converged,
            (true, true) => Status::OnBoundary,
            _ if self.tally.budget_spent || self.remaining() == 0 => Status::MaxEvaluations,
            _ => Status::Stalled,
        };
        let End { mut at, free, mut ranks, kkt, polished, .. } = end;
        let (m, k) = (at.theta.len(), polished.point.x.len());
        let scaled = |i: usize| {
            let curvature = polished.hessian[i * k + i].abs().max(f64::MIN_POSITIVE);
            polished.point.g[i].abs() / curvature.sqrt()
        };
        let gradient = (0..k).map(scaled).fold(0.0, f64::max);
        let hessian = match free.theta.len() {
            n if n == m => (0..m * m).map(|x| polished.hessian[x / m * k + x % m]).collect(),
            n if free.is_theta_alone() => (0..n * n).map(|x| polished.hessian[x]).collect(),
            _ => vec![f64::NAN; m * m],
        };
        let layout = &self.problem.model.layout;
        let mut blocks = self.problem.blocks(&at).ok_or(Error::NotPositiveDefinite)?;
        for (term, pattern, range) in self.problem.patterned() {
            ranks[term] = pattern.rank(&at.psi[range]);
            let l = small::lower_from_product(&layout.term_block(&blocks, term), pattern.q).0;
            layout.set_term_block(&mut blocks, term, &l);
        }
        at.theta = layout.theta(&blocks);
        let convergence = Convergence {
            status,
            evaluations: self.tally.evaluations,
            iterations: self.tally.iterations,
            starts: self.tally.starts,
            looked: self.looked,
            decrement: polished.decrement,
            gradient,
            kkt: kkt.is_finite().then_some(kkt),
            hessian,
            eigenvalues: polished.eigenvalues,
            ranks,
        };
        Ok(Minimum { at, convergence, hessian: polished.hessian })
    }
}
