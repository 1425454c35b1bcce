//! The search over theta and phi together, for residuals that are not alike.
//!
//! A quasi-Newton descent in both; then, in turns, the fit of theta at the phi that was found (which knows about the
//! boundary) and Newton steps in both, until the joint decrement says that nothing is left to gain.

use std::sync::atomic::Ordering;

use crate::block::small;
use crate::convergence::Status;
use crate::crossprod::Crossprod;
use crate::design::Design;
use crate::error::{Error, Result};
use crate::estimate::Fit;
use crate::fit::{self, Minimum};
use crate::gradient::Solved;
use crate::model::Model;
use crate::optim::bfgs::{self, Limits, Objective, Point};
use crate::optim::eigen;
use crate::optim::newton::{self, Polished};
use crate::options::{Criterion, FitOptions, Watch};
use crate::residual::Residual;
use crate::reweight::Reweight;
use crate::search::NOISE;
use crate::start;
use crate::theta;

/// Work (operations an evaluation) up to which a second start is affordable.
const CHEAP: f64 = 2e6;

/// A model with rows that can be weighted anew.
pub struct Joint<'d> {
    /// The model at the phi that was set last.
    pub model: Model,
    rows: Reweight<'d>,
    change: Crossprod,
}

/// What was found about the residuals.
#[derive(Clone, Debug)]
pub struct PhiFit {
    /// Coefficients of the log standard deviation, then the transformed correlation.
    pub phi: Vec<f64>,
    /// Correlation, if there is one.
    pub rho: Option<f64>,
    /// Joint Hessian of the criterion in the free elements of theta (working basis) and phi, by rows.
    pub hessian: Vec<f64>,
}

/// The criterion in the free elements of theta and phi.
struct Both<'m, 'd> {
    joint: &'m mut Joint<'d>,
    kind: Criterion,
    theta: Vec<f64>,
    free: Vec<usize>,
    watch: &'m Watch,
    evaluations: usize,
}

impl Objective for Both<'_, '_> {
    fn evaluate(&mut self, x: &[f64], g: &mut [f64]) -> Result<Option<f64>> {
        if self.watch.stop.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        self.evaluations += 1;
        self.watch.evaluations.fetch_add(1, Ordering::Relaxed);
        let (own, phi) = x.split_at(self.free.len());
        if own.iter().any(|v| v.abs() > 1e8) || !self.joint.rows.residual.is_inside(phi) {
            return Ok(None);
        }
        self.free.iter().zip(own).for_each(|(&i, v)| self.theta[i] = *v);
        match self.joint.evaluate(&self.theta, phi, self.kind) {
            Ok((f, theta, of_phi)) => {
                g.iter_mut().zip(self.free.iter().map(|&i| theta[i]).chain(of_phi)).for_each(|(g, v)| *g = v);
                Ok((f.is_finite() && g.iter().all(|x| x.is_finite())).then_some(f))
            }
            Err(Error::NotPositiveDefinite) => Ok(None),
            Err(e) => Err(e),
        }
    }
}

impl<'d> Joint<'d> {
    /// Prepares the rows and the model.
    ///
    /// # Errors
    /// Those of [`Crossprod::from_design`] and [`Model::new`]; [`Error::TiedTimes`].
    pub fn new(design: &'d Design<'d>, options: &FitOptions) -> Result<Joint<'d>> {
        let rows = Reweight::new(design, options.threads)?;
        let model = Model::new(rows.base.clone(), options)?;
        Ok(Joint { change: rows.base.clone(), model, rows })
    }

    /// The classes of the residuals.
    pub fn residual(&self) -> &Residual {
        &self.rows.residual
    }

    /// The model with rows weighted by phi.
    pub fn into_model(mut self, phi: &[f64]) -> Model {
        self.set(phi);
        self.model
    }

    /// Weights the rows by phi.
    pub fn set(&mut self, phi: &[f64]) {
        self.rows.at(phi, &mut self.model.a);
        self.model.s.reload(&self.model.a);
    }

    /// Criterion and gradients at theta (working basis) and phi.
    fn evaluate(&mut self, theta: &[f64], phi: &[f64], kind: Criterion) -> Result<(f64, Vec<f64>, Vec<f64>)> {
        self.set(phi);
        let mut t = self.model.layout.zeros();
        self.model.layout.fill(theta, &mut t);
        let (value, gamma) = self.model.value_and_gamma(&t, kind)?;
        let mut own = vec![0.0; theta.len()];
        self.model.layout.pick(&gamma.total, &mut own);
        own.iter_mut().for_each(|g| *g *= 2.0);
        let sigma2 = value.pls.pwrss / self.model.nu(kind);
        let at = Solved { pls: &value.pls, sigma2, reml: kind == Criterion::Reml };
        let mut of_phi = Vec::with_capacity(phi.len());
        for i in 0..phi.len() {
            let log_det = self.rows.derivative(phi, i, &mut self.change);
            let Model { s, w, inverse, .. } = &self.model;
            of_phi.push(log_det + inverse.trace(s, &self.change, w, &t, &at));
        }
        Ok((value.f, own, of_phi))
    }

    /// Criterion and gradient in the user's theta and phi, for checks.
    ///
    /// # Errors
    /// As [`Model::criterion`].
    pub fn criterion(&mut self, theta: &[f64], phi: &[f64], kind: Criterion) -> Result<(f64, Vec<f64>)> {
        let t = self.model.blocks_from_user(theta)?;
        let mut lower = self.model.layout.zeros();
        for (k, &(_, _, q)) in self.model.layout.terms.clone().iter().enumerate() {
            let l = small::lower_from_product(&self.model.layout.term_block(&t, k), q).0;
            self.model.layout.set_term_block(&mut lower, k, &l);
        }
        let (f, _, of_phi) = self.evaluate(&self.model.layout.theta(&lower), phi, kind)?;
        Ok((f, of_phi))
    }

    fn both<'m>(&'m mut self, theta: &[f64], free: Vec<usize>, kind: Criterion, watch: &'m Watch) -> Both<'m, 'd> {
        Both { joint: self, kind, theta: theta.to_vec(), free, watch, evaluations: 0 }
    }

    /// Fits theta and phi. `start` is a phi to begin at.
    ///
    /// # Errors
    /// Those of [`Model::fit`]; [`Error::ResidualScale`] where a standard deviation tends to zero.
    pub fn fit(&mut self, options: &FitOptions, start: Option<&[f64]>, watch: &Watch) -> Result<(Fit, PhiFit)> {
        let begin = std::time::Instant::now();
        let kind = options.criterion;
        let (mut theta, mut phi, mut evaluations) = self.descend(options, start, watch)?;
        let mut last: Option<(Minimum, Polished)> = None;
        for _ in 0..6 {
            self.rows.residual.check(&phi)?;
            self.set(&phi);
            let inner = FitOptions { start: Some(self.user(&theta)), starts: 1, ..options.clone() };
            let minimum = fit::minimise(&mut self.model, &inner, watch)?;
            evaluations += minimum.convergence.evaluations;
            let polished = self.polish(&minimum, &phi, options, watch)?;
            evaluations += polished.1;
            let (free, polished) = (polished.2, polished.0);
            let mut at = minimum.theta.clone();
            free.iter().zip(&polished.point.x).for_each(|(&i, v)| at[i] = *v);
            let moved = polished.point.x[free.len()..]
                .iter()
                .zip(&phi)
                .fold(0.0_f64, |a, (x, y)| a.max((x - y).abs() / (0.1 + y.abs())));
            phi = polished.point.x[free.len()..].to_vec();
            let lower = minimum.theta.iter().zip(&at).fold(0.0_f64, |a, (x, y)| a.max((x - y).abs()));
            theta = at;
            let settled = moved < 1e-6 && lower < 1e-6;
            last = Some((minimum, polished));
            if settled {
                break;
            }
        }
        let (mut minimum, polished) = last.ok_or_else(|| Error::Internal("no phi was polished".into()))?;
        self.check_flat(&minimum, &polished, kind, watch)?;
        let m = minimum.theta.len();
        let k = polished.point.x.len();
        let free = k - phi.len();
        let c = &mut minimum.convergence;
        let largest = polished.eigenvalues.last().copied().unwrap_or(0.0);
        let curved = polished.eigenvalues.first().is_none_or(|v| *v > -1e-7 * largest.max(1.0));
        let enough = polished.decrement <= options.tolerance + 100.0 * NOISE * (1.0 + polished.point.f.abs());
        if c.status.is_certified() && !(curved && enough) {
            c.status = Status::Stalled;
        }
        c.evaluations = evaluations;
        c.decrement = polished.decrement;
        c.gradient = (0..k)
            .map(|i| polished.point.g[i].abs() / polished.hessian[i * k + i].abs().max(f64::MIN_POSITIVE).sqrt())
            .fold(0.0, f64::max);
        c.eigenvalues.clone_from(&polished.eigenvalues);
        if free == m {
            c.hessian = (0..m * m).map(|x| polished.hessian[x / m * k + x % m]).collect();
        }
        minimum.theta = theta;
        self.set(&phi);
        let searched = begin.elapsed().as_secs_f64();
        let mut fit = self.model.estimates(minimum, kind)?;
        fit.timing.optimise = searched;
        fit.timing.estimates = begin.elapsed().as_secs_f64() - searched;
        let rho = self.rows.residual.rho(&phi);
        Ok((fit, PhiFit { phi, rho, hessian: polished.hessian }))
    }

    /// Theta in the user's basis.
    fn user(&self, working: &[f64]) -> Vec<f64> {
        let (layout, c) = (&self.model.layout, &self.model.a.coordinates);
        let mut blocks = layout.zeros();
        layout.fill(working, &mut blocks);
        for (k, term) in c.terms.iter().enumerate() {
            let l = theta::to_user(term, &layout.term_block(&blocks, k), c.weight_mean).0;
            layout.set_term_block(&mut blocks, k, &l);
        }
        layout.theta(&blocks)
    }

    /// Quasi-Newton descent in all of theta and phi, from one or two starts.
    fn descend(
        &mut self,
        options: &FitOptions,
        start: Option<&[f64]>,
        watch: &Watch,
    ) -> Result<(Vec<f64>, Vec<f64>, usize)> {
        let mut starts = start.map_or_else(|| self.rows.residual.starts(), |phi| vec![phi.to_vec()]);
        if self.model.s.work(self.model.a.p) >= CHEAP {
            starts.truncate(1);
        }
        let mut best: Option<Point> = None;
        let mut evaluations = 0;
        for phi in starts {
            self.set(&phi);
            let layout = &self.model.layout;
            let theta = match &options.start {
                Some(user) => self.open(user)?,
                None => start::moments(&self.model.a, layout),
            };
            let (m, k) = (theta.len(), phi.len());
            let free: Vec<usize> = (0..m).collect();
            let mut blocks = layout.zeros();
            layout.fill(&theta, &mut blocks);
            let (_, gamma) = self.model.value_and_gamma(&blocks, options.criterion)?;
            let own = start::curvature(&self.model.a, &self.model.layout, &theta, &free, &gamma);
            let mut h = vec![0.0; (m + k) * (m + k)];
            for i in 0..m {
                h[i * (m + k)..i * (m + k) + m].copy_from_slice(&own[i * m..(i + 1) * m]);
            }
            let curvature = self.rows.residual.curvature();
            (0..k).for_each(|i| h[(m + i) * (m + k) + m + i] = 1.0 / curvature[i]);
            let x: Vec<f64> = theta.iter().chain(&phi).copied().collect();
            let limits = Limits { decrease: 1e-7, noise: NOISE, evaluations: options.max_evaluations };
            let mut both = self.both(&theta, free, options.criterion, watch);
            let out = bfgs::minimise(&mut both, &x, &mut h, limits)?;
            evaluations += both.evaluations + 1;
            if let Some((point, _, _)) = out {
                if best.as_ref().is_none_or(|b| point.f < b.f - 1e-9) {
                    best = Some(point);
                }
            }
        }
        let best = best.ok_or_else(|| Error::Internal("the criterion is not defined at any starting point".into()))?;
        let (theta, phi) = best.x.split_at(self.model.layout.len());
        Ok((theta.to_vec(), phi.to_vec(), evaluations))
    }

    /// A start in the working basis, with zeros opened a little: they are stationary.
    fn open(&self, user: &[f64]) -> Result<Vec<f64>> {
        let layout = &self.model.layout;
        let mut blocks = self.model.blocks_from_user(user)?;
        for (k, &(_, _, q)) in layout.terms.iter().enumerate() {
            let l = small::lower_from_product(&layout.term_block(&blocks, k), q).0;
            layout.set_term_block(&mut blocks, k, &l);
        }
        let mut theta = layout.theta(&blocks);
        for (x, &(_, row, col)) in theta.iter_mut().zip(&layout.places) {
            if row == col && x.abs() < 1e-3 {
                *x = 1e-3;
            }
        }
        Ok(theta)
    }

    /// Newton steps in the free elements of theta and phi.
    fn polish(
        &mut self,
        minimum: &Minimum,
        phi: &[f64],
        options: &FitOptions,
        watch: &Watch,
    ) -> Result<(Polished, usize, Vec<usize>)> {
        let ranks = &minimum.convergence.ranks;
        let places = &self.model.layout.places;
        let free: Vec<usize> = (0..places.len()).filter(|&i| places[i].2 < ranks[places[i].0]).collect();
        let central = self.model.s.work(self.model.a.p) < CHEAP;
        let x: Vec<f64> = free.iter().map(|&i| minimum.theta[i]).chain(phi.iter().copied()).collect();
        let mut both = self.both(&minimum.theta, free.clone(), options.criterion, watch);
        let mut g = vec![0.0; x.len()];
        let f = both.evaluate(&x, &mut g)?.ok_or(Error::NotPositiveDefinite)?;
        let target = if central { 1e-22 } else { 1e-13 };
        let polished = newton::polish(&mut both, Point { x, f, g }, target, central, NOISE, 7)?;
        let used = both.evaluations;
        Ok((polished, used, free))
    }

    /// Refuses a model whose criterion does not change along some direction of theta and phi.
    fn check_flat(&mut self, minimum: &Minimum, p: &Polished, kind: Criterion, watch: &Watch) -> Result<()> {
        let ranks = &minimum.convergence.ranks;
        let places = self.model.layout.places.clone();
        let free: Vec<usize> = (0..places.len()).filter(|&i| places[i].2 < ranks[places[i].0]).collect();
        let n = p.point.x.len();
        let scale: Vec<f64> = p.point.x.iter().map(|x| x.abs() + 0.05).collect();
        let scaled: Vec<f64> = (0..n * n).map(|k| p.hessian[k] * scale[k / n] * scale[k % n]).collect();
        let (values, vectors) = eigen::symmetric(&scaled, n)?;
        let largest = values.last().copied().unwrap_or(0.0).max(1.0);
        for (value, vector) in values.iter().zip(&vectors).filter(|(v, _)| v.abs() <= 1e-5 * largest) {
            let mut flat = value.abs() <= 1e-5 * largest;
            for side in [-0.3, 0.3] {
                let x: Vec<f64> = (0..n).map(|i| p.point.x[i] + side * scale[i] * vector[i]).collect();
                let mut g = vec![0.0; n];
                let mut both = self.both(&minimum.theta, free.clone(), kind, watch);
                let change = both.evaluate(&x, &mut g)?.map(|f| (f - p.point.f).abs());
                flat &= change.is_some_and(|c| c < 1e-6 + 1e-12 * p.point.f.abs());
            }
            if flat {
                let strongest = (0..n).max_by(|&i, &j| vector[i].abs().total_cmp(&vector[j].abs())).unwrap_or(0);
                return Err(match free.get(strongest) {
                    Some(&i) => {
                        Error::Unidentified { term: places[i].0 + 1, column: places[i].1 + 1, reason: "flat", other: 0 }
                    }
                    None => self.rows.residual.flat(strongest - free.len()),
                });
            }
        }
        Ok(())
    }
}
