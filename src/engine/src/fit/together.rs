//! The search over theta, psi and phi together.
//!
//! A quasi-Newton descent in all of them, from several points; the end is settled and proved (see `settle`), and left again
//! where a direction is found in which the criterion falls (see `opening`). The descents are in `descents`.

use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::error::{Error, Result};
use crate::fit::certificate::{Looked, Status};
use crate::fit::estimates::Fit;
use crate::fit::minimum::Minimum;
use crate::fit::problem::{Parameters, Problem};
use crate::fit::settle::Ended;
use crate::numerics::minimise::{self, Curvature, Objective};
use crate::numerics::small;
use crate::options::{Criterion, FitOptions, Watch};

/// Work (operations an evaluation) up to which a second start and central differences are affordable.
pub(crate) const CHEAP: f64 = 2e6;

/// The same up to which several correlations to start from and central differences of all parameters are.
pub(crate) const TINY: f64 = 1e5;

/// How many times the decrease that its steps promise a descent may bring.
const TRUST: f64 = 20.0;

/// The criterion in the free elements of theta, in psi and in phi.
pub(crate) struct All<'m, 'd> {
    joint: &'m mut Problem<'d>,
    kind: Criterion,
    pub at: Parameters,
    free: Vec<usize>,
    /// True if the last element of phi is at its limit and stays there.
    held: bool,
    watch: &'m Watch,
    /// The lowest end that is known: a descent that will not come below it stops.
    pub lowest: Option<(f64, Parameters)>,
    pub evaluations: usize,
}

impl All<'_, '_> {
    pub fn x(&self) -> Vec<f64> {
        let theta = self.free.iter().map(|&i| self.at.theta[i]);
        theta.chain(self.at.psi.iter().copied()).chain(self.at.phi[..self.n_phi()].iter().copied()).collect()
    }

    pub fn take(&mut self, x: &[f64]) {
        let (own, rest) = x.split_at(self.free.len());
        self.free.iter().zip(own).for_each(|(&i, v)| self.at.theta[i] = *v);
        let (psi, phi) = rest.split_at(self.at.psi.len());
        self.at.psi.copy_from_slice(psi);
        self.at.phi[..phi.len()].copy_from_slice(phi);
    }

    fn n_phi(&self) -> usize {
        self.at.phi.len() - usize::from(self.held)
    }
}

impl Objective for All<'_, '_> {
    fn evaluate(&mut self, x: &[f64], g: &mut [f64]) -> Result<Option<f64>> {
        if self.watch.stop.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        self.evaluations += 1;
        self.watch.evaluations.fetch_add(1, Ordering::Relaxed);
        self.take(x);
        let shaped = self.joint.patterned().iter().all(|(_, s, range)| s.is_inside(&self.at.psi[range.clone()]));
        if x[..self.free.len()].iter().any(|v| v.abs() > 1e8)
            || !shaped
            || !self.joint.residual().is_inside(&self.at.phi)
        {
            return Ok(None);
        }
        match self.joint.evaluate(&self.at, self.kind) {
            Ok((f, slope)) => {
                let all = self.free.iter().map(|&i| slope.theta[i]).chain(slope.psi).chain(slope.phi);
                g.iter_mut().zip(all).for_each(|(g, v)| *g = v);
                Ok((f.is_finite() && g.iter().all(|x| x.is_finite())).then_some(f))
            }
            Err(Error::NotPositiveDefinite) => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn verdict(&mut self, ahead: &[f64], f: f64, decrease: f64, _known: Curvature) -> Option<minimise::Ended> {
        let (lowest, at) = self.lowest.as_ref()?;
        let least = f - TRUST * decrease;
        let theta = self.free.iter().map(|&i| at.theta[i]);
        let known = theta.chain(at.psi.iter().copied()).chain(at.phi.iter().copied());
        let near = ahead.iter().zip(known).all(|(x, y)| (x - y).abs() < 0.02 * (0.1 + y.abs()));
        if near && least > lowest - 0.01 {
            return Some(minimise::Ended::Known);
        }
        (decrease < 0.1 && least > *lowest).then_some(minimise::Ended::Higher)
    }
}

/// What the search has cost.
#[derive(Default)]
pub(crate) struct Work {
    pub evaluations: usize,
    pub iterations: usize,
    pub starts: usize,
    pub budget_spent: bool,
    /// The lowest end of the descents from other starts.
    pub lowest: Option<(f64, Parameters)>,
}

impl<'d> Problem<'d> {
    pub(crate) fn all<'m>(
        &'m mut self,
        at: &Parameters,
        free: Vec<usize>,
        held: bool,
        kind: Criterion,
        watch: &'m Watch,
    ) -> All<'m, 'd> {
        All { joint: self, kind, at: at.clone(), free, held, watch, lowest: None, evaluations: 0 }
    }

    /// True if several starts and central differences are affordable.
    pub(crate) fn is_tiny(&self) -> bool {
        self.model.s.work(self.model.a.p) < if self.careful { CHEAP } else { TINY }
    }

    /// Elements of theta that belong to no pattern and, at given ranks, are not zero.
    pub(crate) fn free(&self, ranks: Option<&[usize]>) -> Vec<usize> {
        let places = &self.model.layout.places;
        let within = |i: usize| ranks.is_none_or(|r| places[i].2 < r[places[i].0]);
        (0..places.len()).filter(|&i| self.patterns[places[i].0].is_none() && within(i)).collect()
    }

    /// Fits all parameters. `phi` is where to begin.
    ///
    /// # Errors
    /// Those of [`crate::Model::fit`]; [`Error::ResidualScale`] where a standard deviation tends to zero.
    pub fn fit(&mut self, options: &FitOptions, phi: Option<&[f64]>, watch: &Watch) -> Result<Fit> {
        if self.is_plain() {
            return self.model.fit(options, watch);
        }
        self.careful = false;
        self.careful = self.is_tiny();
        match self.fit_once(options, phi, watch) {
            Err(Error::Interrupted) => Err(Error::Interrupted),
            Ok(found) if found.convergence.status.is_certified() => Ok(found),
            other if self.careful => other,
            // What was quick has not found a minimum.
            _ => {
                self.careful = true;
                self.fit_once(options, phi, watch)
            }
        }
    }

    fn fit_once(&mut self, options: &FitOptions, phi: Option<&[f64]>, watch: &Watch) -> Result<Fit> {
        let begin = Instant::now();
        let kind = options.criterion;
        self.check_distinct(kind)?;
        let mut work = Work::default();
        // Where V can no longer be factorised, sigma or another standard deviation is lost in the rounding of the rest.
        let lost = |e: Error| match e {
            Error::NotPositiveDefinite => Error::PerfectFit { reason: "vanishes", ratio: 0.0 },
            Error::PerfectFit { ratio, .. } => Error::PerfectFit { reason: "vanishes", ratio },
            e => e,
        };
        let ended = self.search(options, phi, watch, &mut work).map_err(lost)?;
        self.check_leaving(&ended, options)?;
        // Work after a fit takes such an end as it is, without a certificate.
        if phi.is_none() && !ended.is_certified(options) {
            self.residual().check_within(&ended.at.phi, 0.5)?;
        }
        self.set(&ended.at.phi);
        let searched = begin.elapsed().as_secs_f64();
        let (at, hessian) = (ended.at.clone(), ended.polished.hessian.clone());
        let minimum = self.certify(ended, options, &work)?;
        let mut fit = self.model.estimates(minimum, kind)?;
        fit.timing.optimise = searched;
        fit.timing.estimates = begin.elapsed().as_secs_f64() - searched;
        (fit.rho, fit.phi, fit.psi, fit.joint_hessian) = (self.residual().rho(&at.phi), at.phi, at.psi, hessian);
        Ok(fit)
    }

    /// The lowest settled end that is found.
    fn search(&mut self, options: &FitOptions, phi: Option<&[f64]>, watch: &Watch, work: &mut Work) -> Result<Ended> {
        let mut at = self.descend(options, phi, watch, work)?;
        let mut ended = self.settle(&at, options, watch, work)?;
        for _ in 0..4 {
            let Some(next) = self.downhill(&ended, options, watch, work)? else { break };
            at = self.descend_from(&next, None, options, watch, work)?.map_or(next, |(_, at)| at);
            let other = self.settle(&at, options, watch, work)?;
            if other.polished.point.f > ended.polished.point.f - 1e-8 {
                break;
            }
            ended = other;
        }
        Ok(ended)
    }

    /// The certificate of all parameters, on theta with the terms that have a pattern filled in.
    fn certify(&self, ended: Ended, options: &FitOptions, work: &Work) -> Result<Minimum> {
        let (certified, boundary) = (ended.is_certified(options), self.is_at_edge(&ended));
        let Ended { at, free, mut minimum, polished, .. } = ended;
        let (m, k) = (minimum.theta.len(), polished.point.x.len());
        let c = &mut minimum.convergence;
        c.status = match (certified, boundary) {
            (true, false) => Status::Converged,
            (true, true) => Status::OnBoundary,
            _ if work.budget_spent => Status::MaxEvaluations,
            _ => Status::Stalled,
        };
        c.evaluations = work.evaluations;
        c.iterations = work.iterations;
        c.starts = work.starts;
        c.looked = Looked::default();
        c.decrement = polished.decrement;
        c.gradient = (0..k)
            .map(|i| polished.point.g[i].abs() / polished.hessian[i * k + i].abs().max(f64::MIN_POSITIVE).sqrt())
            .fold(0.0, f64::max);
        c.eigenvalues.clone_from(&polished.eigenvalues);
        c.hessian = if free.len() == m {
            (0..m * m).map(|x| polished.hessian[x / m * k + x % m]).collect()
        } else {
            vec![f64::NAN; m * m]
        };
        let layout = &self.model.layout;
        let mut blocks = self.blocks(&at).ok_or(Error::NotPositiveDefinite)?;
        for (term, shape, range) in self.patterned() {
            c.ranks[term] = shape.rank(&at.psi[range]);
            let l = small::lower_from_product(&layout.term_block(&blocks, term), shape.q).0;
            layout.set_term_block(&mut blocks, term, &l);
        }
        minimum.theta = layout.theta(&blocks);
        Ok(minimum)
    }
}
