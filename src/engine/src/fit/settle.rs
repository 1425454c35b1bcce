//! The end of the joint search: what is zero or at its limit is put there, Newton steps, and the certificate.
//!
//! In turns: the fit of theta at the psi and phi that were found (which knows about the boundary of theta) and Newton steps
//! in all, until the joint decrement says that nothing is left to gain. A limit of psi or phi is an ordinary stationary
//! point; a parameter that the criterion does not miss there is set to it exactly.

use crate::design::design::Serial;
use crate::error::{Error, Result};
use crate::fit::certificate::Status;
use crate::fit::minimum::{self, Minimum};
use crate::fit::problem::{Parameters, Problem};
use crate::fit::search::NOISE;
use crate::fit::together::Work;
use crate::numerics::minimise::{Objective, Point};
use crate::numerics::newton::{self, Polished};
use crate::options::{FitOptions, Look, Watch};

/// The end of the search: parameters, the fit of theta there, and the joint certificate.
pub(crate) struct Ended {
    pub at: Parameters,
    pub free: Vec<usize>,
    /// True if the residual correlation is at its lower limit.
    pub held: bool,
    pub minimum: Minimum,
    pub polished: Polished,
}

impl Ended {
    /// True if nothing is left to gain in theta, psi and phi.
    pub fn is_certified(&self, options: &FitOptions) -> bool {
        let p = &self.polished;
        let largest = p.eigenvalues.last().copied().unwrap_or(0.0);
        let curved = p.eigenvalues.first().is_none_or(|v| *v > -1e-7 * largest.max(1.0));
        // Close to where R is singular the rounding of R^-1 is what is left.
        let rounding = if self.held { 1e-8 } else { 100.0 * NOISE * (1.0 + p.point.f.abs()) };
        let enough = p.decrement <= options.tolerance + rounding;
        curved && enough && self.minimum.convergence.kkt.is_none_or(|score| score >= minimum::SCORE)
    }
}

impl Problem<'_> {
    /// Settles the end of a descent.
    pub(crate) fn settle(
        &mut self,
        from: &Parameters,
        options: &FitOptions,
        watch: &Watch,
        work: &mut Work,
    ) -> Result<Ended> {
        let mut at = from.clone();
        let mut last: Option<Ended> = None;
        for round in 0..6 {
            self.residual().check(&at.phi)?;
            for (_, shape, range) in self.patterned() {
                let settled = shape.settled(&at.psi[range.clone()]);
                at.psi[range].copy_from_slice(&settled);
            }
            let held = self.residual().hold(&mut at.phi);
            self.set(&at.phi);
            let inner = FitOptions { start: Some(self.user(&at)?), look: Look::Alone, ..options.clone() };
            let minimum = minimum::minimise(&mut self.model, &inner, watch)?;
            work.evaluations += minimum.convergence.evaluations;
            work.iterations += minimum.convergence.iterations;
            at.theta.clone_from(&minimum.theta);
            let free = self.free(Some(&minimum.convergence.ranks));
            // A second look at theta that changes nothing leaves the proof as it is.
            let optimal = minimum.convergence.kkt.is_none_or(|score| score >= minimum::SCORE);
            let same =
                |l: &Ended| l.free == free && l.held == held && is_near(&l.at, &at, &free) && l.is_certified(options);
            if let Some(proved) = last.take_if(|l| optimal && same(l)) {
                return Ok(Ended { minimum, ..proved });
            }
            let (mut next, mut polished) = self.polish(&at, (&free, held), options, watch, work)?;
            while let Some((other, proof)) =
                self.without_a_zero(&next, &polished, (&free, held), options, watch, work)?
            {
                (next, polished) = (other, proof);
            }
            let moved =
                distance(&next.theta, &at.theta).max(distance(&next.psi, &at.psi)).max(distance(&next.phi, &at.phi));
            at = next;
            let ended = Ended { at: at.clone(), free, held, minimum, polished };
            // Away from the boundary a second look at theta, at the phi that was polished, could not change anything.
            let inside = ended.minimum.convergence.status == Status::Converged && at.psi.is_empty();
            if inside && moved < 1e-3 && ended.is_certified(options) {
                return Ok(ended);
            }
            if moved < 1e-6 && (ended.is_certified(options) || round > 3) {
                return Ok(ended);
            }
            if moved < 1e-6 {
                // Newton's steps have stopped short of the minimum.
                if let Some((_, further)) = self.descend_from(&at, Some(&ended), options, watch, work)? {
                    at = further;
                }
            }
            last = Some(ended);
        }
        last.ok_or_else(|| Error::Internal("no point was polished".into()))
    }

    /// Refuses an end on the way to where the likelihood has no maximum: sigma tends to zero beside the random effects.
    pub(crate) fn check_leaving(&mut self, ended: &Ended, options: &FitOptions) -> Result<()> {
        let (f, kind) = (ended.polished.point.f, options.criterion);
        self.set(&ended.at.phi);
        let mut blocks = self.blocks(&ended.at).ok_or(Error::NotPositiveDefinite)?;
        if blocks.iter().flatten().any(|x| x.abs() > 8.0) {
            let value = self.model.value(&blocks, kind)?;
            let response = self.model.a.gram[self.model.a.gram.len() - 1] / self.model.a.n as f64;
            let ratio = (value.pls.pwrss / self.model.nu(kind) / response).max(0.0).sqrt();
            blocks.iter_mut().flatten().for_each(|x| *x *= 20.0);
            let beyond = self.model.value(&blocks, kind).map_or(f64::INFINITY, |v| v.f);
            let rounding = if ended.is_certified(options) { 1e-5 } else { 0.1 };
            if beyond < f + rounding {
                return Err(Error::PerfectFit { reason: "vanishes", ratio });
            }
        }
        Ok(())
    }

    /// True where a covariance matrix is singular or a residual correlation is at its limit.
    pub(crate) fn is_at_edge(&self, ended: &Ended) -> bool {
        let theta = ended.minimum.convergence.kkt.is_some();
        let psi = self.patterned().iter().any(|(_, shape, range)| shape.rank(&ended.at.psi[range.clone()]) < shape.q);
        theta || psi || ended.held
    }

    /// The end with one more parameter at zero, the smallest first, if the criterion does not miss it.
    fn without_a_zero(
        &mut self,
        at: &Parameters,
        polished: &Polished,
        (free, held): (&[usize], bool),
        options: &FitOptions,
        watch: &Watch,
        work: &mut Work,
    ) -> Result<Option<(Parameters, Polished)>> {
        let f = polished.point.f;
        let mut small: Vec<(f64, usize)> = Vec::new();
        for (term, shape, range) in self.patterned() {
            let sds = shape.place_of_rho().unwrap_or(shape.len());
            let levels = self.model.a.factors[self.model.layout.terms[term].0].levels as f64;
            let size = |i: usize| shape.psi_tau(at.psi[i]) * (self.model.a.n as f64 / levels).sqrt();
            small.extend(range.clone().take(sds).map(|i| (size(i), i)).filter(|(s, _)| *s > 0.0 && *s < 0.2));
        }
        let residual = &self.residual();
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
            let mut all = self.all(&candidate, free.to_vec(), held, options.criterion, watch);
            let x = all.x();
            let first = all.evaluate(&x, &mut vec![0.0; x.len()])?;
            work.evaluations += 1;
            if first.is_none_or(|first| first > f + 0.05) {
                continue;
            }
            let (next, proof) = self.polish(&candidate, (free, held), options, watch, work)?;
            if proof.point.f <= f + 1e-7 + 10.0 * NOISE * (1.0 + f.abs()) {
                return Ok(Some((next, proof)));
            }
        }
        Ok(None)
    }

    /// Newton steps in all parameters.
    fn polish(
        &mut self,
        at: &Parameters,
        (free, held): (&[usize], bool),
        options: &FitOptions,
        watch: &Watch,
        work: &mut Work,
    ) -> Result<(Parameters, Polished)> {
        let central = self.is_tiny();
        let mut all = self.all(at, free.to_vec(), held, options.criterion, watch);
        let x = all.x();
        let mut g = vec![0.0; x.len()];
        let f = all.evaluate(&x, &mut g)?.ok_or(Error::NotPositiveDefinite)?;
        let target = if central { 1e-22 } else { 1e-13 };
        let polished = if x.is_empty() {
            Polished { point: Point { x, f, g }, hessian: vec![], eigenvalues: vec![], decrement: 0.0, steps: 0 }
        } else {
            newton::polish(&mut all, Point { x, f, g }, target, central, NOISE, 7)?
        };
        all.take(&polished.point.x);
        work.evaluations += all.evaluations;
        work.iterations += polished.steps;
        Ok((all.at, polished))
    }
}

/// True if two parameters differ by rounding only; of theta the elements `free`, the rest follows from psi.
fn is_near(a: &Parameters, b: &Parameters, free: &[usize]) -> bool {
    let theta = |x: &Parameters| free.iter().map(|&i| x.theta[i]).collect::<Vec<f64>>();
    distance(&theta(a), &theta(b)).max(distance(&a.psi, &b.psi)).max(distance(&a.phi, &b.phi)) < 1e-6
}

/// Largest difference beside the size of what is compared.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).fold(0.0_f64, |m, (x, y)| m.max((x - y).abs() / (0.1 + y.abs())))
}
