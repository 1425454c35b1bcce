//! The search for the minimum of a problem: descents from several starts, Newton's steps, exact zeros on the boundary, and
//! the way out where the criterion still falls.
//!
//! The order is always the same. Descents from the starts (see `starts`); in small plain models a look from every face of the
//! boundary (`faces`); the minimum over theta at its exact ranks (`rank_reduction`); Newton's steps in theta, psi and phi
//! together, in turns with a second look at theta, until nothing is left to gain (`active_set`); the way out of saddles
//! (`saddle`); the certificate (`certify`). With empty psi and phi the minimum over theta is the end.

use super::certificate::{Convergence, Looked};
use super::identifiability::{PERFECT, VANISHING};
use super::objective::{FreeCriterion, Known};
use super::problem::{Free, Parameters, Problem};
use crate::error::{Error, Result};
use crate::numerics::minimise::{self, Ended, Limits, Objective, Point};
use crate::numerics::newton::{self, Polished};
use crate::options::{Criterion, FitOptions, Watch};

/// Relative rounding of the criterion.
pub(crate) const NOISE: f64 = 4e-15;
/// Tolerance above which a search ends where it is met, not where no digit is left to gain.
const LOOSE: f64 = 1e-7;
/// Work (operations an evaluation) up to which every digit is affordable: a tight polish, central differences.
pub(crate) const CHEAP: f64 = 2e6;
/// The same up to which several starts are, and differences of the gradient in all parameters.
pub(crate) const TINY: f64 = 1e5;
/// Of many starts, how many are tried by some steps, how many evaluations these take, and how many are followed.
const TRIED: usize = 5;
const GLANCE: usize = 6;
const FOLLOWED: usize = 3;

/// The minimum in the working basis.
pub(crate) struct Minimum {
    pub at: Parameters,
    pub convergence: Convergence,
    /// Hessian in the free parameters.
    pub hessian: Vec<f64>,
}

/// Where a descent is: the criterion (infinite before the first evaluation), the parameters, and the inverse Hessian.
pub(crate) struct Descent {
    pub f: f64,
    pub at: Parameters,
    pub h: Vec<f64>,
    pub ended: Option<Ended>,
}

/// What the search has cost.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub evaluations: usize,
    pub iterations: usize,
    pub starts: usize,
    pub budget_spent: bool,
}

/// The search for one problem under one criterion.
pub(crate) struct Search<'s, 'd> {
    pub problem: &'s mut Problem<'d>,
    pub options: &'s FitOptions,
    pub watch: &'s Watch,
    pub tally: Tally,
    /// True where a quick search was not enough.
    pub careful: bool,
    /// Operations of an evaluation.
    pub work: f64,
    /// Points at which a descent may stop.
    pub known: Vec<Known>,
    /// How much of the boundary has been looked at.
    pub looked: Looked,
}

/// Minimises the criterion of a problem; `phi` is where residuals that are not alike begin.
///
/// # Errors
/// [`Error::PerfectFit`], [`Error::ResidualScale`], [`Error::Interrupted`], [`Error::NotPositiveDefinite`] where the
/// criterion is defined at no start.
pub(crate) fn minimise(
    problem: &mut Problem<'_>,
    options: &FitOptions,
    phi: Option<&[f64]>,
    watch: &Watch,
) -> Result<Minimum> {
    if problem.is_plain() {
        return Search::new(problem, options, watch, false).minimum(None);
    }
    let tiny = problem.model.s.work(problem.model.a.p) < TINY;
    match Search::new(problem, options, watch, tiny).minimum(phi) {
        Err(Error::Interrupted) => Err(Error::Interrupted),
        Ok(found) if tiny || found.convergence.status.is_certified() => Ok(found),
        Err(e) if tiny => Err(e),
        // What was quick has not found a minimum.
        _ => Search::new(problem, options, watch, true).minimum(phi),
    }
}

impl<'s, 'd> Search<'s, 'd> {
    pub fn new(problem: &'s mut Problem<'d>, options: &'s FitOptions, watch: &'s Watch, careful: bool) -> Self {
        let work = problem.model.s.work(problem.model.a.p);
        let (tally, known, looked) = (Tally::default(), Vec::new(), Looked::default());
        Search { problem, options, watch, tally, careful, work, known, looked }
    }

    /// The lowest end that is found, with its certificate.
    pub fn minimum(&mut self, phi: Option<&[f64]>) -> Result<Minimum> {
        let plain = self.problem.is_plain();
        // Where V can no longer be factorised, sigma or another standard deviation is lost in the rounding of the rest.
        let lost = |e: Error| match e {
            Error::NotPositiveDefinite if !plain => Error::PerfectFit { reason: "vanishes", ratio: 0.0 },
            Error::PerfectFit { ratio, .. } if !plain => Error::PerfectFit { reason: "vanishes", ratio },
            e => e,
        };
        let best = self.descend_from_starts(phi).map_err(lost)?;
        let best = self.look_around(best)?;
        let end = self.refine(best).map_err(lost)?;
        if !plain {
            self.check_leaving(&end)?;
            // Work after a fit takes such an end as it is, without a certificate.
            if phi.is_none() && !self.is_certified(&end) {
                self.problem.residual().check_within(&end.at.phi, 0.5)?;
            }
        }
        self.certify(end)
    }

    /// The lowest end of the descents from all starts.
    fn descend_from_starts(&mut self, phi: Option<&[f64]>) -> Result<Descent> {
        let starts = self.starts(phi)?;
        let free = self.problem.free(None);
        let mut begun = Vec::new();
        for at in starts.first {
            begun.push(self.begin(at, &free)?);
        }
        self.tally.starts += begun.len();
        // Where there are many, one evaluation each and some steps from the best tell which are worth a descent.
        for (evaluations, most) in [(1, TRIED), (GLANCE, FOLLOWED)] {
            if begun.len() > most {
                let mut further = Vec::with_capacity(begun.len());
                for one in begun {
                    further.push(self.go_on(one, &free, 0.0, evaluations)?);
                }
                further.sort_by(|a, b| a.f.total_cmp(&b.f));
                further.truncate(most);
                begun = further;
            }
        }
        let many = begun.len() > 1 && !free.is_theta_alone();
        let mut best: Option<Descent> = None;
        let mut spare = starts.spare;
        let mut queue: std::collections::VecDeque<Descent> = begun.into();
        while let Some(one) = queue.pop_front() {
            let end = self.go_on(one, &free, self.decrease(&free), usize::MAX)?;
            if many {
                self.known.extend(Known::new(self.problem, &end.at, end.f).filter(|k| k.f.is_finite()));
            }
            if end.f.is_finite() && best.as_ref().is_none_or(|b| end.f < b.f - 1e-9) {
                best = Some(end);
            }
            // The spare start is there for where the first fails; small models near a start try both.
            let settled = best.as_ref().is_some_and(|b| b.ended == Some(Ended::Small));
            if let Some(at) = spare.take_if(|_| !settled || starts.both) {
                self.tally.starts += 1;
                queue.push_front(self.begin(at, &free)?);
            }
            spare = None;
        }
        self.known.clear();
        best.ok_or(Error::NotPositiveDefinite)
    }

    /// A descent that has not begun.
    pub fn begin(&mut self, at: Parameters, free: &Free) -> Result<Descent> {
        let h = self.guess(&at, free)?;
        Ok(Descent { f: f64::INFINITY, at, h, ended: None })
    }

    /// Quasi-Newton steps in the free parameters until the criterion can fall by no more than `decrease`, with at most `most`
    /// evaluations; f is infinite where the criterion is not defined at the start.
    pub fn go_on(&mut self, from: Descent, free: &Free, decrease: f64, most: usize) -> Result<Descent> {
        let Descent { at, mut h, .. } = from;
        let limits = Limits { decrease, noise: NOISE, evaluations: self.remaining().min(most) };
        let x = free.pick(&at);
        let mut objective = self.objective(&at, free);
        let end = minimise::minimise(&mut objective, &x, &mut h, limits)?;
        let evaluations = objective.evaluations;
        self.tally.evaluations += evaluations;
        let Some((point, ended, steps)) = end else { return Ok(Descent { f: f64::INFINITY, at, h, ended: None }) };
        self.tally.iterations += steps;
        self.tally.budget_spent |= ended == Ended::Budget && self.remaining() == 0;
        let mut at = at;
        free.put(&point.x, &mut at);
        Ok(Descent { f: point.f, at, h, ended: Some(ended) })
    }

    /// A whole descent from one point; `None` where the criterion is not defined there.
    pub fn descend(&mut self, at: Parameters, free: &Free, decrease: f64) -> Result<Option<Descent>> {
        let begun = self.begin(at, free)?;
        let end = self.go_on(begun, free, decrease, usize::MAX)?;
        Ok(end.f.is_finite().then_some(end))
    }

    /// Newton's steps in the free parameters; `None` where the criterion is not defined at `at`.
    pub fn polish(&mut self, at: &Parameters, free: &Free) -> Result<Option<(Parameters, Polished)>> {
        let central = if free.is_theta_alone() { self.work < CHEAP } else { self.is_tiny() };
        let target = self.loose().max(if central { 1e-22 } else { 1e-13 });
        let rounds = if self.remaining() > 0 { 7 } else { 0 };
        let x = free.pick(at);
        let mut g = vec![0.0; x.len()];
        let mut objective = self.objective(at, free);
        let Some(f) = objective.evaluate(&x, &mut g)? else {
            self.tally.evaluations += 1;
            return Ok(None);
        };
        let start = Point { x, f, g };
        let polished = if start.x.is_empty() {
            Polished { point: start, hessian: vec![], eigenvalues: vec![], decrement: 0.0, steps: 0 }
        } else {
            newton::polish(&mut objective, start, target, central, NOISE, rounds)?
        };
        let evaluations = objective.evaluations;
        self.tally.evaluations += evaluations;
        self.tally.iterations += polished.steps;
        let mut at = at.clone();
        free.put(&polished.point.x, &mut at);
        Ok(Some((at, polished)))
    }

    /// The criterion in the free parameters.
    pub fn objective(&mut self, at: &Parameters, free: &Free) -> FreeCriterion<'_, 'd> {
        FreeCriterion {
            problem: self.problem,
            kind: self.options.criterion,
            at: at.clone(),
            free: free.clone(),
            watch: self.watch,
            known: &self.known,
            evaluations: 0,
        }
    }

    pub fn kind(&self) -> Criterion {
        self.options.criterion
    }

    pub fn remaining(&self) -> usize {
        self.options.max_evaluations.saturating_sub(self.tally.evaluations)
    }

    /// True if several starts and central differences in all parameters are affordable.
    pub fn is_tiny(&self) -> bool {
        self.work < if self.careful { CHEAP } else { TINY }
    }

    /// How much lower the criterion may still be where a descent ends, before Newton's steps.
    pub fn decrease(&self, free: &Free) -> f64 {
        let quick = !free.is_theta_alone() && !self.is_tiny() && !self.careful;
        if quick {
            1e-3
        } else {
            self.options.tolerance.max(1e-7)
        }
    }

    /// The tolerance where it is loose, else zero.
    fn loose(&self) -> f64 {
        if self.options.tolerance > LOOSE {
            self.options.tolerance
        } else {
            0.0
        }
    }

    /// sigma^2 beside the variance of the response.
    pub fn share_of_sigma(&mut self, at: &Parameters) -> Result<f64> {
        self.problem.set(&at.phi);
        let blocks = self.problem.blocks(at).ok_or(Error::NotPositiveDefinite)?;
        let (kind, model) = (self.options.criterion, &mut self.problem.model);
        let value = model.value(&blocks, kind)?;
        let response = model.a.gram[model.a.gram.len() - 1] / model.a.n as f64;
        Ok(value.pls.pwrss / model.nu(kind) / response)
    }

    /// Refuses a point at which sigma is zero beside the response: to working precision, or (`ended` false) on the way there.
    pub fn check_sigma(&mut self, at: &Parameters, ended: bool) -> Result<()> {
        let share = self.share_of_sigma(at)?;
        if share < if ended { PERFECT } else { VANISHING } {
            return Err(Error::PerfectFit { reason: "random", ratio: share.max(0.0).sqrt() });
        }
        Ok(())
    }

    /// The inverse of a rough Hessian: theta's own, and what the numbers of rows and levels say of psi and phi. Nothing where
    /// the criterion has second derivatives at every step.
    fn guess(&mut self, at: &Parameters, free: &Free) -> Result<Vec<f64>> {
        let (m, k) = (free.theta.len(), free.theta.len() + free.psi.len() + free.phi.len());
        let mut h = vec![0.0; k * k];
        if free.is_theta_alone() {
            return Ok(h);
        }
        let kind = self.kind();
        self.problem.set(&at.phi);
        let blocks = self.problem.blocks(at).ok_or(Error::NotPositiveDefinite)?;
        self.problem.model.value_and_gamma(&blocks, kind)?;
        let full = self.problem.model.curvature(&blocks, kind)?;
        let n_theta = at.theta.len();
        let own: Vec<f64> = (0..m * m).map(|x| full[free.theta[x / m] * n_theta + free.theta[x % m]]).collect();
        minimise::invert_into(&own, &mut h, m, k)?;
        for (term, _, range) in self.problem.patterned() {
            let levels = self.problem.model.a.factors[self.problem.model.layout.terms[term].0].levels as f64;
            range.for_each(|i| h[(m + i) * k + m + i] = 0.5 / levels);
        }
        let (first, r) = (m + free.psi.len(), at.phi.len());
        let mut own = vec![0.0; r * r];
        minimise::invert_into(&self.problem.residual().curvature(), &mut own, r, r)?;
        let phi = &free.phi;
        phi.iter().for_each(|&i| phi.iter().for_each(|&j| h[(first + i) * k + first + j] = own[i * r + j]));
        Ok(h)
    }
}
