//! A model ready to be evaluated: cross-products, their structure and the workspace of one evaluation.

use std::ops::Deref;
use std::sync::Arc;

use crate::covariance::{Blocks, Layout};
use crate::crossprod::Crossprod;
use crate::design::{fixed_to_user, jacobian, working_from_user};
use crate::error::{Error, Result};
use crate::likelihood::average_information::{self, Columns};
use crate::likelihood::evaluation::{Evaluation, Gamma, Here, Pls, Solved};
use crate::likelihood::gradient;
use crate::likelihood::hessian::{self, Way};
use crate::likelihood::pls;
use crate::likelihood::residual_derivative;
use crate::likelihood::selected_inverse::Inverse;
use crate::likelihood::structure::{Elimination, Structure};
use crate::likelihood::workspace::Workspace;
use crate::numerics::small;
use crate::numerics::threads::Workers;
use crate::options::{Criterion, FitOptions, Watch};

/// Order of the trailing matrix from which threads pay.
const THREADED_ORDER: usize = 256;
/// Columns of Z from which they pay for one grouping factor.
const THREADED_ROWS: usize = 40_000;

/// Cross-products with the workspace to evaluate the criterion and its gradient.
pub struct Model {
    pub(crate) a: ReadOnly<Crossprod>,
    pub(crate) s: Structure,
    w: Workspace,
    inverse: Inverse,
    pub(crate) layout: Layout,
    pub(crate) workers: Workers,
    way: Way,
    /// Asked before every evaluation whether to go on.
    pub(crate) watch: Watch,
    columns: Columns,
    last: Last,
}

/// What others may read and only the model changes.
pub(crate) struct ReadOnly<T>(T);

impl<T> Deref for ReadOnly<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// The point that the workspace belongs to, if any, and the gradient that the inverse belongs to, if any.
#[derive(Default)]
struct Last {
    t: Blocks,
    pls: Option<Arc<Pls>>,
    gradient: Option<Gradient>,
}

/// A gradient that was found at the last point.
struct Gradient {
    kind: Criterion,
    given: Given,
    evaluation: Evaluation,
    sigma2: f64,
    gamma: Arc<Gamma>,
}

/// What is given beside theta.
#[derive(Clone, Copy, PartialEq)]
enum Given {
    Nothing,
    /// sigma^2, which is not profiled out.
    Variance(f64),
    /// The user's kept coefficient, and its value.
    Coefficient(usize, f64),
}

impl Model {
    /// Analyses the structure and allocates the workspace.
    ///
    /// # Errors
    /// [`Error::TooLarge`] with the predicted memory, before it is allocated.
    pub fn new(a: Crossprod, options: &FitOptions) -> Result<Model> {
        let s = Structure::new(&a, options.memory)?;
        let large =
            s.trailing_order() >= THREADED_ORDER || (s.elimination == Elimination::OneFactor && s.q >= THREADED_ROWS);
        let workers = Workers::new(if large { options.threads } else { 1 })?;
        let w = Workspace::new(&s, &a, workers.count())?;
        let (inverse, layout) = (Inverse::new(&s, &a), Layout::new(&a.coordinates, &a.widths()));
        let way = hessian::way(&s, &a, &layout, s.work(a.p));
        let (watch, columns, last) = (Watch::default(), Columns::default(), Last::default());
        Ok(Model { a: ReadOnly(a), s, w, inverse, layout, workers, way, watch, columns, last })
    }

    /// Changes the values of the cross-products, not their cells; what was solved for the old ones is dropped.
    pub(crate) fn change_sums<T>(&mut self, change: impl FnOnce(&mut Crossprod) -> T) -> T {
        self.last.pls = None;
        self.last.gradient = None;
        change(&mut self.a.0)
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
            let map = working_from_user(term);
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
            small::mul(&mut product, &working_from_user(term), &block, q, q, q, g);
            self.layout.set_term_block(&mut t, k, &product);
        }
        Ok(t)
    }

    /// Criterion and solution at `t` (factors in working coordinates).
    ///
    /// # Errors
    /// [`Error::NotPositiveDefinite`] where a pivot is not positive; [`Error::Interrupted`].
    pub(crate) fn value(&mut self, t: &Blocks, kind: Criterion) -> Result<Evaluation> {
        let pls = self.solve(t)?;
        Ok(Evaluation { f: self.assemble(&pls, kind), pls })
    }

    /// The same with Gamma: the gradient in the factors is twice its lower triangle.
    pub(crate) fn value_and_gamma(&mut self, t: &Blocks, kind: Criterion) -> Result<(Evaluation, Arc<Gamma>)> {
        self.evaluate(t, kind, Given::Nothing)
    }

    /// The same with sigma^2 held at a value instead of profiled out: in Gamma, not in the criterion.
    pub(crate) fn value_and_gamma_at(
        &mut self,
        t: &Blocks,
        kind: Criterion,
        sigma2: Option<f64>,
    ) -> Result<(Evaluation, Arc<Gamma>)> {
        self.evaluate(t, kind, sigma2.map_or(Given::Nothing, Given::Variance))
    }

    /// The ML criterion and Gamma with the user's kept coefficient `k` held at `value`.
    pub(crate) fn constrained_ml(&mut self, t: &Blocks, k: usize, value: f64) -> Result<(Evaluation, Arc<Gamma>)> {
        self.evaluate(t, Criterion::Ml, Given::Coefficient(k, value))
    }

    /// Penalised least squares at `t`, with the workspace left there.
    fn solve(&mut self, t: &Blocks) -> Result<Arc<Pls>> {
        if let Some(pls) = self.last.pls.as_ref().filter(|_| self.last.t == *t) {
            return Ok(pls.clone());
        }
        self.last.pls = None;
        self.last.gradient = None;
        self.watch.check()?;
        let Model { a, s, w, workers, .. } = self;
        let pls = Arc::new(workers.run(|| pls::solve(s, a, t, w))?);
        self.last.t.clone_from(t);
        self.last.pls = Some(pls.clone());
        Ok(pls)
    }

    fn evaluate(&mut self, t: &Blocks, kind: Criterion, given: Given) -> Result<(Evaluation, Arc<Gamma>)> {
        let mut pls = self.solve(t)?;
        if let Some(g) = self.last.gradient.as_ref().filter(|g| g.kind == kind && g.given == given) {
            return Ok((g.evaluation.clone(), g.gamma.clone()));
        }
        self.last.gradient = None;
        if let Given::Coefficient(k, value) = given {
            pls = Arc::new(self.constrain(&pls, k, value));
        }
        let evaluation = Evaluation { f: self.assemble(&pls, kind), pls };
        let sigma2 = match given {
            Given::Variance(sigma2) => sigma2,
            _ => evaluation.pls.pwrss / self.nu(kind),
        };
        let at = Solved { pls: &evaluation.pls, sigma2, reml: kind == Criterion::Reml };
        let Model { a, s, w, workers, inverse, .. } = self;
        let gamma = Arc::new(workers.run(|| gradient::gamma(inverse, (s, a), w, t, &at))?);
        let found = (evaluation.clone(), gamma.clone());
        self.last.gradient = Some(Gradient { kind, given, evaluation, sigma2, gamma });
        Ok(found)
    }

    /// The solution with the user's kept coefficient `k` held at `value`: C^-1 a by two triangular solves; the residual
    /// sum of squares rises by (a'beta - value)^2 / a'C^-1a.
    fn constrain(&self, free: &Pls, k: usize, value: f64) -> Pls {
        let (p, mut pls) = (self.a.p, free.clone());
        let jacobian = jacobian(&self.a.coordinates.x);
        let a: Vec<f64> = jacobian[k * p..(k + 1) * p].iter().map(|x| x * self.a.coordinates.y_scale).collect();
        let mut direction = a.clone();
        small::solve_lower(&pls.rx, p, &mut direction, 1);
        small::solve_lower_transposed(&pls.rx, p, &mut direction, 1);
        let length: f64 = a.iter().zip(&direction).map(|(x, y)| x * y).sum();
        let distance = fixed_to_user(&self.a.coordinates, &pls.beta)[k] - value;
        pls.beta.iter_mut().zip(&direction).for_each(|(b, d)| *b -= d * distance / length);
        pls.pwrss += distance * distance / length;
        pls
    }

    /// The point whose gradient was found last, with everything that belongs to it.
    ///
    /// # Errors
    /// [`Error::Internal`] if no gradient was found since the cross-products changed or another point was solved.
    pub(crate) fn here(&self) -> Result<Here<'_>> {
        let Model { a, s, w, inverse, layout, last, .. } = self;
        let Some(g) = &last.gradient else { return Err(Error::Internal("no gradient was found".into())) };
        let at = Solved { pls: &g.evaluation.pls, sigma2: g.sigma2, reml: g.kind == Criterion::Reml };
        Ok(Here { s, a, w, inverse, layout, t: &last.t, at, gamma: &g.gamma })
    }

    /// The criterion's derivative at the point whose gradient was found last, along a change of the cross-products.
    ///
    /// # Errors
    /// As [`Model::here`].
    pub(crate) fn derivative_along(&self, change: &Crossprod) -> Result<f64> {
        residual_derivative::derivative(self.here()?, change)
    }

    /// True if [`Model::curvature`] is the Hessian.
    pub(crate) fn has_hessian(&self) -> bool {
        self.way != Way::No
    }

    /// Second derivatives in the working theta at `t`: the Hessian where it is affordable, average information elsewhere.
    pub(crate) fn curvature(&mut self, t: &Blocks, kind: Criterion) -> Result<Vec<f64>> {
        self.value_and_gamma(t, kind)?;
        if self.way == Way::No {
            let mut columns = std::mem::take(&mut self.columns);
            let here = self.here()?;
            let found = self.workers.run(|| average_information::average(here, &mut columns));
            self.columns = columns;
            return found;
        }
        hessian::hessian(self.here()?, self.way, &self.workers)
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

    /// Standard error of the user's kept coefficient `k` at the point that was evaluated last, roughly: from the
    /// cross-products alone, for a first step.
    pub(crate) fn standard_error(&self, k: usize) -> Result<f64> {
        let (c, p) = (&self.a.coordinates, self.a.p);
        let jacobian = jacobian(&c.x);
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
