//! The search in the working theta: starting points, descent, Newton polish.
//!
//! Theta is unconstrained here: the criterion depends on T_k T_k' alone, so a minimum on the boundary is an ordinary
//! minimum with a singular T_k. Which elements are free is the caller's choice (by the rank of every term).

use std::sync::atomic::Ordering;

use crate::covariance::theta;
use crate::error::{Error, Result};
use crate::fit::certificate::Looked;
use crate::fit::faces::{self, Known};
use crate::fit::moment_starts;
use crate::likelihood::model::Model;
use crate::numerics::minimise::{self, Curvature, Ended, Limits, Objective, Point};
use crate::numerics::newton::{self, Polished};
use crate::options::{Criterion, FitOptions, Look, Watch};

/// Relative rounding of the criterion.
pub(crate) const NOISE: f64 = 4e-15;
/// Tolerance above which a search ends where it is met, not where no digit is left to gain.
pub(crate) const LOOSE: f64 = 1e-7;

/// The criterion in the free elements of theta.
pub(crate) struct Free<'m> {
    model: &'m mut Model,
    kind: Criterion,
    theta: Vec<f64>,
    free: Vec<usize>,
    watch: &'m Watch,
    known: &'m [Known],
    pub evaluations: usize,
}

impl Objective for Free<'_> {
    fn evaluate(&mut self, x: &[f64], g: &mut [f64]) -> Result<Option<f64>> {
        if self.watch.stop.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        self.evaluations += 1;
        self.watch.evaluations.fetch_add(1, Ordering::Relaxed);
        if x.iter().any(|v| v.abs() > 1e8) {
            return Ok(None);
        }
        self.free.iter().zip(x).for_each(|(&i, v)| self.theta[i] = *v);
        let mut t = self.model.layout.zeros();
        self.model.layout.fill(&self.theta, &mut t);
        match self.model.value_and_gamma(&t, self.kind) {
            Ok((value, gamma)) => {
                let mut full = vec![0.0; self.theta.len()];
                self.model.layout.pick(&gamma.total, &mut full);
                g.iter_mut().zip(&self.free).for_each(|(g, &i)| *g = 2.0 * full[i]);
                Ok((value.f.is_finite() && g.iter().all(|x| x.is_finite())).then_some(value.f))
            }
            Err(Error::NotPositiveDefinite) => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn curvature(&mut self, x: &[f64], h: &mut [f64]) -> Result<Curvature> {
        self.free.iter().zip(x).for_each(|(&i, v)| self.theta[i] = *v);
        let mut t = self.model.layout.zeros();
        self.model.layout.fill(&self.theta, &mut t);
        let full = self.model.curvature(&t, self.kind)?;
        let (k, m) = (self.theta.len(), self.free.len());
        for (i, &row) in self.free.iter().enumerate() {
            for (j, &col) in self.free.iter().enumerate() {
                h[i * m + j] = full[row * k + col];
            }
        }
        Ok(if self.model.has_hessian() { Curvature::Exact } else { Curvature::Average })
    }

    fn verdict(&mut self, ahead: &[f64], f: f64, decrease: f64, known: Curvature) -> Option<Ended> {
        let lowest = self.known.iter().map(|k| k.f).min_by(f64::total_cmp)?;
        let mut theta = self.theta.clone();
        self.free.iter().zip(ahead).for_each(|(&i, v)| theta[i] = *v);
        if faces::is_known(self.known, self.model, &theta, f - decrease, 0.2 * decrease + 0.01) {
            return Some(Ended::Known);
        }
        let trust = if known == Curvature::Exact { 4.0 } else { 10.0 };
        (decrease < 1.0 && f - trust * decrease > lowest + faces::LOOSE).then_some(Ended::Higher)
    }
}

/// The search for one model under one criterion.
pub(crate) struct Search<'m> {
    pub model: &'m mut Model,
    pub options: &'m FitOptions,
    pub watch: &'m Watch,
    pub evaluations: usize,
    pub iterations: usize,
    pub cheap: bool,
    pub budget_spent: bool,
    /// Points at which a descent may stop.
    pub known: Vec<Known>,
    /// How much of the boundary has been looked at.
    pub looked: Looked,
}

impl Search<'_> {
    /// Where to begin: the first, one to turn to where that fails, and one that the user adds.
    pub(crate) fn starts(&self) -> Result<Vec<Vec<f64>>> {
        let layout = &self.model.layout;
        let moments = moment_starts::moments(&self.model.a, layout);
        Ok(match (self.users_start()?, self.options.look) {
            (None, _) => vec![moments, moment_starts::constant(layout, 1.0)],
            (Some(user), Look::Around) => vec![moments, moment_starts::constant(layout, 1.0), user],
            (Some(user), _) => vec![user, moments],
        })
    }

    fn users_start(&self) -> Result<Option<Vec<f64>>> {
        let layout = &self.model.layout;
        if let Some(user) = &self.options.start {
            if user.len() != layout.len() {
                return Err(Error::Dimension { what: "length of start", expected: layout.len(), found: user.len() });
            }
            let mut blocks = layout.zeros();
            layout.fill(user, &mut blocks);
            for (k, term) in self.model.a.coordinates.terms.iter().enumerate() {
                let t = theta::to_working(term, &layout.term_block(&blocks, k), self.model.a.coordinates.weight_mean);
                layout.set_term_block(&mut blocks, k, &t);
            }
            // A zero is a stationary point of theta: open it a little.
            let mut start = layout.theta(&blocks);
            for (x, &(_, row, col)) in start.iter_mut().zip(&layout.places) {
                if row == col && x.abs() < 1e-3 {
                    *x = 1e-3;
                }
            }
            return Ok(Some(start));
        }
        Ok(None)
    }

    pub(crate) fn objective(&mut self, theta: &[f64], free: Vec<usize>) -> Free<'_> {
        Free {
            model: self.model,
            kind: self.options.criterion,
            theta: theta.to_vec(),
            free,
            watch: self.watch,
            known: &self.known,
            evaluations: 0,
        }
    }

    pub(crate) fn remaining(&self) -> usize {
        self.options.max_evaluations.saturating_sub(self.evaluations)
    }

    /// How much lower the criterion may still be where a descent ends, before Newton's steps.
    pub(crate) fn decrease(&self) -> f64 {
        self.options.tolerance.max(1e-7)
    }

    /// The tolerance where it is loose, else zero.
    pub(crate) fn loose(&self) -> f64 {
        if self.options.tolerance > LOOSE {
            self.options.tolerance
        } else {
            0.0
        }
    }

    /// BFGS over all elements from `theta`.
    pub(crate) fn descend(&mut self, theta: &[f64]) -> Result<Option<(Point, Ended)>> {
        let places = &self.model.layout.places;
        let free: Vec<usize> = (0..theta.len()).filter(|&i| !self.model.held[places[i].0]).collect();
        self.descend_in(theta, &free, self.decrease())
    }

    /// BFGS over the elements `free` from `theta`, until the criterion can fall by no more than `decrease`.
    pub(crate) fn descend_in(
        &mut self,
        theta: &[f64],
        free: &[usize],
        decrease: f64,
    ) -> Result<Option<(Point, Ended)>> {
        self.descend_for(theta, free, decrease, usize::MAX)
    }

    /// The same with at most `most` evaluations.
    pub(crate) fn descend_for(
        &mut self,
        theta: &[f64],
        free: &[usize],
        decrease: f64,
        most: usize,
    ) -> Result<Option<(Point, Ended)>> {
        let x: Vec<f64> = free.iter().map(|&i| theta[i]).collect();
        let mut h = vec![0.0; x.len() * x.len()];
        let limits = Limits { decrease, noise: NOISE, evaluations: self.remaining().min(most) };
        let mut objective = self.objective(theta, free.to_vec());
        let out = minimise::minimise(&mut objective, &x, &mut h, limits)?;
        self.evaluations += objective.evaluations;
        Ok(out.map(|(mut point, ended, steps)| {
            // Elements that are held keep their values.
            let mut full = theta.to_vec();
            free.iter().zip(&point.x).for_each(|(&i, v)| full[i] = *v);
            point.x = full;
            self.iterations += steps;
            self.budget_spent |= ended == Ended::Budget && self.remaining() == 0;
            (point, ended)
        }))
    }

    pub(crate) fn free(&self, ranks: &[usize]) -> Vec<usize> {
        let places = &self.model.layout.places;
        (0..places.len()).filter(|&i| places[i].2 < ranks[places[i].0] && !self.model.held[places[i].0]).collect()
    }

    pub(crate) fn polish(&mut self, theta: &[f64], ranks: &[usize]) -> Result<Option<(Vec<f64>, Polished)>> {
        let free = self.free(ranks);
        let central = self.cheap;
        let exact = if central { 1e-22 } else { 1e-13 };
        let target = self.loose().max(exact);
        let rounds = if self.remaining() > 0 { 7 } else { 0 };
        let mut objective = self.objective(theta, free.clone());
        let mut g = vec![0.0; free.len()];
        let x: Vec<f64> = free.iter().map(|&i| theta[i]).collect();
        let Some(f) = objective.evaluate(&x, &mut g)? else { return Ok(None) };
        let polished = if free.is_empty() {
            Polished { point: Point { x, f, g }, hessian: vec![], eigenvalues: vec![], decrement: 0.0, steps: 0 }
        } else {
            newton::polish(&mut objective, Point { x, f, g }, target, central, NOISE, rounds)?
        };
        self.evaluations += objective.evaluations;
        self.iterations += polished.steps;
        let mut out = theta.to_vec();
        free.iter().zip(&polished.point.x).for_each(|(&i, v)| out[i] = *v);
        Ok(Some((out, polished)))
    }
}
