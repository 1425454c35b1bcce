//! A model ready to be evaluated: cross-products, their structure and the workspace of one evaluation.

use crate::covariance::theta::{Blocks, Layout};
use crate::crossprod::crossprod::Crossprod;
use crate::design::coordinates;
use crate::error::{Error, Result};
use crate::likelihood::average_information;
use crate::likelihood::factor::Workspace;
use crate::likelihood::gradient::{Gamma, Solved};
use crate::likelihood::hessian::{self, Here, Way};
use crate::likelihood::one_factor;
use crate::likelihood::pls::{self, Pls};
use crate::likelihood::selected_inverse::Inverse;
use crate::likelihood::structure::Structure;
use crate::numerics::small;
use crate::numerics::threads::Workers;
use crate::options::{Criterion, FitOptions, Watch};

/// Order of the trailing matrix from which threads pay.
const THREADED_ORDER: usize = 256;
/// Columns of Z from which they pay for one grouping factor.
const THREADED_ROWS: usize = 40_000;

/// Cross-products with the workspace to evaluate the criterion and its gradient.
pub struct Model {
    pub(crate) a: Crossprod,
    pub(crate) s: Structure,
    pub(crate) w: Workspace,
    pub(crate) inverse: Inverse,
    pub(crate) layout: Layout,
    pub(crate) workers: Workers,
    /// Terms whose factor is not searched: they are given.
    pub(crate) held: Vec<bool>,
    way: Way,
    /// Asked before every evaluation whether to go on.
    pub(crate) watch: Watch,
    /// The point that the workspace belongs to; none when it was left half way.
    last: Option<Last>,
}

/// A point whose gradient has been found, while workspace and inverse still belong to it.
struct Last {
    t: Blocks,
    kind: Criterion,
    sigma2: Option<f64>,
    value: Value,
    gamma: Gamma,
}

/// Criterion and solution at one theta.
#[derive(Clone)]
pub(crate) struct Value {
    pub f: f64,
    pub pls: Pls,
}

impl Model {
    /// Analyses the structure and allocates the workspace.
    ///
    /// # Errors
    /// [`Error::TooLarge`] with the predicted memory, before it is allocated.
    pub fn new(a: Crossprod, options: &FitOptions) -> Result<Model> {
        let s = Structure::new(&a, options.memory)?;
        let large = s.trailing_order() >= THREADED_ORDER || (one_factor::applies(&s) && s.q >= THREADED_ROWS);
        let workers = Workers::new(if large { options.threads } else { 1 })?;
        let w = Workspace::new(&s, &a, workers.count())?;
        let (inverse, layout) = (Inverse::new(&s, &a), Layout::new(&a.coordinates, &a.widths()));
        let held = vec![false; layout.terms.len()];
        let way = hessian::way(&s, &a, &layout, s.work(a.p));
        Ok(Model { a, s, w, inverse, layout, workers, way, watch: Watch::default(), last: None, held })
    }

    /// Drops what belongs to the cross-products as they were: they have been changed.
    pub(crate) fn renew(&mut self) {
        self.s.reload(&self.a);
        self.last = None;
    }

    /// Lets `watch` stop whatever is evaluated from now on, with [`crate::Error::Interrupted`].
    pub fn attend(&mut self, watch: &Watch) {
        self.watch = watch.clone();
    }

    /// The block structure.
    pub fn structure(&self) -> &Structure {
        &self.s
    }

    /// The cross-products.
    pub fn crossprod(&self) -> &Crossprod {
        &self.a
    }

    /// Number of elements of theta.
    pub fn n_theta(&self) -> usize {
        self.layout.len()
    }

    /// Residual degrees of freedom of the criterion: n - p (REML) or n (ML).
    pub fn nu(&self, kind: Criterion) -> f64 {
        match kind {
            Criterion::Reml => (self.a.n - self.a.p) as f64,
            Criterion::Ml => self.a.n as f64,
        }
    }

    /// Profiled criterion at `theta`: minus twice the log-likelihood (ML) or restricted log-likelihood (REML), for
    /// the model matrix X as it was given.
    ///
    /// # Arguments
    /// * `theta`: free elements of Lambda in the user's basis, term by term, each lower triangle by columns.
    ///
    /// # Errors
    /// [`Error::Dimension`] for a wrong length; [`Error::NotPositiveDefinite`] where a pivot is not positive.
    ///
    /// # Source
    /// Bates, Maechler, Bolker and Walker (2015), J. Stat. Softw. 67(1), section 3.
    ///
    /// # Example
    /// Two groups {0, 2}, {4, 6}; at theta = 0 the residual sum of squares is 20, so the ML criterion is
    /// 4 (1 + log(2 pi 20 / 4)).
    /// ```
    /// use ferrite_engine::{Column, Criterion, Crossprod, Design, Factor, FitOptions, Model, Term};
    /// let (y, g) = ([0.0, 2.0, 4.0, 6.0], [1, 1, 2, 2]);
    /// let factors = vec![Factor { codes: &g, levels: 2 }];
    /// let terms = vec![Term::new(0, vec![Column::Constant])];
    /// let a = Crossprod::from_design(&Design::new(&y, vec![Column::Constant], factors, terms), 1).unwrap();
    /// let mut model = Model::new(a, &FitOptions::default()).unwrap();
    /// let expected = 4.0 * (1.0 + (2.0 * std::f64::consts::PI * 20.0 / 4.0f64).ln());
    /// assert!((model.criterion(&[0.0], Criterion::Ml).unwrap() - expected).abs() < 1e-12);
    /// ```
    pub fn criterion(&mut self, theta: &[f64], kind: Criterion) -> Result<f64> {
        let t = self.blocks_from_user(theta)?;
        Ok(self.value(&t, kind)?.f)
    }

    /// Criterion and its gradient in the user's theta.
    ///
    /// # Errors
    /// As [`Model::criterion`].
    pub fn gradient(&mut self, theta: &[f64], kind: Criterion, out: &mut [f64]) -> Result<f64> {
        let t = self.blocks_from_user(theta)?;
        let (value, gamma) = self.value_and_gamma(&t, kind)?;
        let g = self.a.coordinates.weight_mean.sqrt();
        let mut turned = self.layout.zeros();
        for (k, term) in self.a.coordinates.terms.iter().enumerate() {
            let q = term.q();
            let block = self.layout.term_block(&gamma.total, k);
            let map = coordinates::working_from_user(term);
            let mut product = vec![0.0; q * q];
            small::mul_transposed(&mut product, &map, &block, q, q, q, 2.0 * g);
            self.layout.set_term_block(&mut turned, k, &product);
        }
        self.layout.pick(&turned, out);
        Ok(value.f)
    }

    /// Blocks in working coordinates (not triangular) of a theta in the user's basis.
    pub(crate) fn blocks_from_user(&self, theta: &[f64]) -> Result<Blocks> {
        if theta.len() != self.layout.len() {
            return Err(Error::Dimension { what: "length of theta", expected: self.layout.len(), found: theta.len() });
        }
        let mut t = self.layout.zeros();
        self.layout.fill(theta, &mut t);
        for (k, term) in self.a.coordinates.terms.iter().enumerate() {
            let q = term.q();
            let block = self.layout.term_block(&t, k);
            let mut product = vec![0.0; q * q];
            let g = self.a.coordinates.weight_mean.sqrt();
            small::mul(&mut product, &coordinates::working_from_user(term), &block, q, q, q, g);
            self.layout.set_term_block(&mut t, k, &product);
        }
        Ok(t)
    }

    pub(crate) fn value(&mut self, t: &Blocks, kind: Criterion) -> Result<Value> {
        if let Some(last) = self.last.as_ref().filter(|l| l.t == *t && l.kind == kind) {
            return Ok(last.value.clone());
        }
        self.last = None;
        self.watch.check()?;
        let Model { a, s, w, workers, .. } = self;
        let pls = workers.run(|| pls::solve(s, a, t, w))?;
        Ok(Value { f: self.assemble(&pls, kind), pls })
    }

    pub(crate) fn value_and_gamma(&mut self, t: &Blocks, kind: Criterion) -> Result<(Value, Gamma)> {
        self.value_and_gamma_at(t, kind, None)
    }

    /// The same with sigma^2 held at a value instead of profiled out.
    pub(crate) fn value_and_gamma_at(
        &mut self,
        t: &Blocks,
        kind: Criterion,
        sigma2: Option<f64>,
    ) -> Result<(Value, Gamma)> {
        if let Some(last) = self.last.as_ref().filter(|l| l.t == *t && l.kind == kind && l.sigma2 == sigma2) {
            return Ok((last.value.clone(), last.gamma.clone()));
        }
        self.last = None;
        let value = self.value(t, kind)?;
        let held = sigma2;
        let sigma2 = sigma2.unwrap_or(value.pls.pwrss / self.nu(kind));
        let Model { a, s, w, workers, inverse, .. } = self;
        let gamma = workers.run(|| -> Result<Gamma> {
            inverse.update(s, a, w)?;
            let at = Solved { pls: &value.pls, sigma2, reml: kind == Criterion::Reml };
            Ok(inverse.gamma(s, a, w, t, &at))
        })?;
        self.last = Some(Last { t: t.clone(), kind, sigma2: held, value: value.clone(), gamma: gamma.clone() });
        Ok((value, gamma))
    }

    /// Forgets the point that was evaluated last: whoever changes the cross-products of a model calls this.
    pub(crate) fn forget(&mut self) {
        self.last = None;
    }

    /// True if [`Model::curvature`] is the Hessian.
    pub(crate) fn has_hessian(&self) -> bool {
        self.way != Way::No
    }

    /// Second derivatives in the working theta at `t`: the Hessian where it is affordable, average information elsewhere.
    pub(crate) fn curvature(&mut self, t: &Blocks, kind: Criterion) -> Result<Vec<f64>> {
        self.value_and_gamma(t, kind)?;
        let nu = self.nu(kind);
        let Model { a, s, w, workers, inverse, layout, way, last, .. } = self;
        let Some(last) = last else { return Err(Error::Internal("no point was evaluated".into())) };
        let at = Solved { pls: &last.value.pls, sigma2: last.value.pls.pwrss / nu, reml: kind == Criterion::Reml };
        if *way == Way::No {
            return workers.run(|| average_information::average((s, a, w), inverse, layout, t, &at, &last.gamma));
        }
        hessian::hessian(Here { s, a, w, inverse, layout, t }, &at, *way, workers)
    }

    /// What the search sees as second derivatives at `theta`: for benchmarks.
    ///
    /// # Errors
    /// As [`Model::criterion`].
    #[cfg(feature = "bench")]
    #[doc(hidden)]
    pub fn curvature_at(&mut self, theta: &[f64], kind: Criterion) -> Result<Vec<f64>> {
        let t = self.blocks_from_user(theta)?;
        self.curvature(&t, kind)
    }

    /// The ML criterion and Gamma with the user's kept coefficient `k` held at `value`.
    pub(crate) fn constrained_ml(&mut self, t: &Blocks, k: usize, value: f64) -> Result<(f64, Gamma, Pls)> {
        let mut solved = self.value(t, Criterion::Ml)?;
        self.last = None;
        let p = self.a.p;
        let jacobian = coordinates::jacobian(&self.a.coordinates.x);
        // C^-1 a by two triangular solves; the residual sum of squares rises by (a'beta - value)^2 / a'C^-1a.
        let a: Vec<f64> = jacobian[k * p..(k + 1) * p].iter().map(|x| x * self.a.coordinates.y_scale).collect();
        let mut direction = a.clone();
        small::solve_lower(&solved.pls.rx, p, &mut direction, 1);
        small::solve_lower_transposed(&solved.pls.rx, p, &mut direction, 1);
        let length: f64 = a.iter().zip(&direction).map(|(x, y)| x * y).sum();
        let distance = coordinates::fixed_to_user(&self.a.coordinates, &solved.pls.beta)[k] - value;
        solved.pls.beta.iter_mut().zip(&direction).for_each(|(b, d)| *b -= d * distance / length);
        solved.pls.pwrss += distance * distance / length;
        let f = self.assemble(&solved.pls, Criterion::Ml);
        let sigma2 = solved.pls.pwrss / self.nu(Criterion::Ml);
        let Model { a, s, w, workers, inverse, .. } = self;
        let gamma = workers.run(|| -> Result<Gamma> {
            inverse.update(s, a, w)?;
            Ok(inverse.gamma(s, a, w, t, &Solved { pls: &solved.pls, sigma2, reml: false }))
        })?;
        Ok((f, gamma, solved.pls))
    }

    /// Standard error of the user's kept coefficient `k` at the point that was evaluated last, roughly: from the
    /// cross-products alone, for a first step.
    pub(crate) fn standard_error(&self, k: usize) -> Result<f64> {
        let (c, p) = (&self.a.coordinates, self.a.p);
        let jacobian = coordinates::jacobian(&c.x);
        let length: f64 = jacobian[k * p..(k + 1) * p].iter().map(|x| x * x).sum::<f64>().sqrt();
        let spread = (self.a.gram[self.a.gram.len() - 1] / self.a.n as f64).sqrt();
        Ok(length * c.y_scale * spread / (self.a.n as f64).sqrt())
    }

    /// log|C| for X as it was given.
    pub(crate) fn log_det_c(&self, pls: &Pls) -> f64 {
        let x = &self.a.coordinates.x;
        let p = self.a.p;
        let scales: f64 = (0..p).map(|i| x.r[i * p + i].abs().ln() + x.scale[i].abs().ln()).sum();
        pls.log_det_c + 2.0 * scales + p as f64 * self.a.coordinates.weight_mean.ln()
    }

    /// r2 in the user's units.
    pub(crate) fn pwrss(&self, pls: &Pls) -> f64 {
        let c = &self.a.coordinates;
        pls.pwrss * c.y_scale * c.y_scale * c.weight_mean
    }

    fn assemble(&self, pls: &Pls, kind: Criterion) -> f64 {
        let (c, nu) = (&self.a.coordinates, self.nu(kind));
        let reml = if kind == Criterion::Reml { self.log_det_c(pls) } else { 0.0 };
        let log_r2 = pls.pwrss.ln() + 2.0 * c.y_scale.ln() + c.weight_mean.ln();
        pls.log_det_m - c.weight_log_sum + reml + nu * (1.0 + (2.0 * std::f64::consts::PI / nu).ln() + log_r2)
    }
}
