//! The end of a descent: what is zero or at its limit is put there, and Newton's steps are taken in all parameters.
//!
//! In turns: the minimum over theta at the psi and phi that were found (which knows about the boundary of theta) and Newton's
//! steps in all, until the decrement says that nothing is left to gain. A limit of psi or phi is an ordinary stationary
//! point; a parameter that the criterion does not miss there is set to it exactly.

use super::problem::{Free, Parameters};
use super::rank_reduction::{ThetaMinimum, SCORE};
use super::search::{Descent, Search, NOISE};
use crate::design::Serial;
use crate::error::{Error, Result};
use crate::numerics::minimise::{self, Objective};
use crate::numerics::newton::Polished;

/// Turns of the two.
const ROUNDS: usize = 6;
/// Ends that are left again where the criterion falls.
const WAYS_OUT: usize = 4;

/// The end of the search: parameters, what of them is free, and what is known of the minimum there.
pub(crate) struct End {
    pub at: Parameters,
    pub free: Free,
    /// True if the residual correlation is at its lower limit.
    pub at_limit: bool,
    /// Rank of every G_k that has no pattern.
    pub ranks: Vec<usize>,
    /// Smallest scaled score on the null spaces of theta; infinite inside the parameter space.
    pub kkt: f64,
    /// Newton's steps in the free parameters.
    pub polished: Polished,
}

impl Search<'_, '_> {
    /// The lowest end from a descent: left again where a direction is found in which the criterion falls.
    pub fn refine(&mut self, from: Descent) -> Result<End> {
        if self.problem.free(None).is_theta_alone() {
            let ThetaMinimum { at, ranks, polished, kkt } = self.exact_ranks(from.f, from.at)?;
            let free = self.theta_alone(Some(&ranks));
            return Ok(End { at, free, at_limit: false, ranks, kkt, polished });
        }
        let mut end = self.refine_from(&from.at)?;
        for _ in 0..WAYS_OUT {
            let Some(next) = self.downhill(&end)? else { break };
            let free = self.problem.free(None);
            let at = self.descend(next.clone(), &free, self.decrease(&free))?.map_or(next, |d| d.at);
            let other = self.refine_from(&at)?;
            if other.polished.point.f > end.polished.point.f - 1e-8 {
                break;
            }
            end = other;
        }
        Ok(end)
    }

    /// The exact end of a descent.
    fn refine_from(&mut self, from: &Parameters) -> Result<End> {
        let mut at = from.clone();
        let mut last: Option<End> = None;
        for round in 0..ROUNDS {
            self.problem.residual().check(&at.phi)?;
            for (_, pattern, range) in self.problem.patterned() {
                let exact = pattern.at_limits(&at.psi[range.clone()]);
                at.psi[range].copy_from_slice(&exact);
            }
            let at_limit = self.problem.residual().hold(&mut at.phi);
            let theta = self.theta_near(&at)?;
            at.theta.clone_from(&theta.at.theta);
            let mut free = self.problem.free(Some(&theta.ranks));
            if at_limit {
                free.phi.pop();
            }
            // A second look at theta that changes nothing leaves the proof as it is.
            let same = |l: &End| {
                l.free == free && l.at_limit == at_limit && distance(&l.free, &l.at, &at) < 1e-6 && self.is_certified(l)
            };
            if let Some(proved) = last.take_if(|l| theta.kkt >= SCORE && same(l)) {
                return Ok(End { ranks: theta.ranks, kkt: theta.kkt, ..proved });
            }
            let (mut next, mut polished) = self.polish(&at, &free)?.ok_or(Error::NotPositiveDefinite)?;
            while let Some((other, proof)) = self.without_a_zero(&next, &polished, &free)? {
                (next, polished) = (other, proof);
            }
            let everything = Free { theta: (0..at.theta.len()).collect(), ..self.problem.free(None) };
            let moved = distance(&everything, &next, &at);
            at = next;
            // Away from the boundary a second look at theta, at the phi that was polished, could not change anything.
            let inside =
                theta.kkt.is_infinite() && at.psi.is_empty() && self.is_minimum(&theta.polished, theta.kkt, false);
            let end = End { at: at.clone(), free, at_limit, ranks: theta.ranks, kkt: theta.kkt, polished };
            if (inside && moved < 1e-3 && self.is_certified(&end))
                || (moved < 1e-6 && (self.is_certified(&end) || round > 3))
            {
                return Ok(end);
            }
            if moved < 1e-6 {
                at = self.further(&end)?.unwrap_or(at);
            }
            last = Some(end);
        }
        last.ok_or_else(|| Error::Internal("no point was polished".into()))
    }

    /// The minimum over theta at psi and phi, from theta as it is.
    fn theta_near(&mut self, at: &Parameters) -> Result<ThetaMinimum> {
        self.problem.set(&at.phi);
        let mut start = at.clone();
        self.open(&mut start.theta);
        self.theta_minimum(&start)
    }

    /// Where Newton's steps have stopped short of the minimum: quasi-Newton steps with the Hessian there.
    fn further(&mut self, end: &End) -> Result<Option<Parameters>> {
        let k = end.polished.point.x.len();
        let mut h = vec![0.0; k * k];
        minimise::invert_into(&end.polished.hessian, &mut h, k, k)?;
        let from = Descent { f: f64::INFINITY, at: end.at.clone(), h, ended: None };
        let end = self.go_on(from, &end.free, 1e-12, usize::MAX)?;
        Ok(end.f.is_finite().then_some(end.at))
    }

    /// The end with one more parameter at zero, the smallest first, if the criterion does not miss it.
    fn without_a_zero(
        &mut self,
        at: &Parameters,
        polished: &Polished,
        free: &Free,
    ) -> Result<Option<(Parameters, Polished)>> {
        let f = polished.point.f;
        let mut small: Vec<(f64, usize)> = Vec::new();
        let model = &self.problem.model;
        for (term, pattern, range) in self.problem.patterned() {
            let sds = pattern.place_of_rho().unwrap_or(pattern.len());
            let levels = model.a.factors[model.layout.terms[term].0].levels as f64;
            let size = |i: usize| pattern.psi_tau(at.psi[i]) * (model.a.n as f64 / levels).sqrt();
            small.extend(range.clone().take(sds).map(|i| (size(i), i)).filter(|(s, _)| *s > 0.0 && *s < 0.2));
        }
        let residual = self.problem.residual();
        if residual.serial() == Some(Serial::Car1) && residual.rho(&at.phi).is_some_and(|r| r > 0.0 && r < 0.05) {
            small.push((0.0, at.psi.len() + residual.k));
        }
        small.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (_, i) in small {
            let mut candidate = at.clone();
            match i.checked_sub(at.psi.len()) {
                Some(k) => candidate.phi[k] = 0.0,
                None => candidate.psi[i] = 0.0,
            }
            let x = free.pick(&candidate);
            let first = self.objective(&candidate, free).evaluate(&x, &mut vec![0.0; x.len()])?;
            self.tally.evaluations += 1;
            if first.is_none_or(|first| first > f + 0.05) {
                continue;
            }
            let (next, proof) = self.polish(&candidate, free)?.ok_or(Error::NotPositiveDefinite)?;
            if proof.point.f <= f + 1e-7 + 10.0 * NOISE * (1.0 + f.abs()) {
                return Ok(Some((next, proof)));
            }
        }
        Ok(None)
    }
}

/// Largest difference of two points in the free parameters, beside the size of what is compared.
fn distance(free: &Free, a: &Parameters, b: &Parameters) -> f64 {
    let pairs = free.pick(a).into_iter().zip(free.pick(b));
    pairs.fold(0.0_f64, |m, (x, y)| m.max((x - y).abs() / (0.1 + y.abs())))
}
