//! The result in the user's coordinates: plain numbers that need neither the model nor the data any more.

use std::time::Instant;

use super::certificate::Convergence;
use super::identifiability;
use super::problem::Problem;
use super::search::{self, Minimum};
use crate::covariance::{to_user, to_working};
use crate::design::{fixed_to_user, jacobian, user_from_working};
use crate::error::{Error, Result};
use crate::likelihood::Model;
use crate::likelihood::Pls;
use crate::numerics::small;
use crate::options::{Criterion, FitOptions, Watch};

/// Estimates of one random term.
#[derive(Clone, Debug)]
pub struct TermFit {
    /// Columns q.
    pub q: usize,
    /// Levels J.
    pub levels: usize,
    /// Var(b), q x q by rows, unit of y squared.
    pub varcov: Vec<f64>,
    /// Conditional modes b, J x q by rows, unit of y.
    pub b: Vec<f64>,
    /// Spherical u with b = T u, J x q by rows.
    pub u: Vec<f64>,
    /// Var(b | y) at beta and theta as estimated, J blocks q x q by rows.
    pub condvar: Vec<f64>,
    /// Rank of Var(b).
    pub rank: usize,
}

/// A fitted model: inert data.
#[derive(Clone, Debug)]
pub struct Fit {
    /// Free elements of Lambda in the user's basis.
    pub theta: Vec<f64>,
    /// Coefficients of all given columns of X; NaN where a column was dropped.
    pub beta: Vec<f64>,
    /// Kept columns of X, from 0.
    pub kept: Vec<usize>,
    /// Covariance of the kept coefficients, by rows.
    pub vcov: Vec<f64>,
    /// Residual standard deviation for weight one, unit of y.
    pub sigma: f64,
    /// Minus twice the (restricted) log-likelihood.
    pub criterion: f64,
    /// log|L|^2.
    pub log_det_l: f64,
    /// log|R_X|^2 for X as given.
    pub log_det_rx: f64,
    /// Penalised weighted residual sum of squares.
    pub pwrss: f64,
    /// Random terms in the order of theta.
    pub terms: Vec<TermFit>,
    /// The certificate.
    pub convergence: Convergence,
    /// Hessian of the criterion in the user's theta (m x m by rows), evaluated within 1e-4 of it (relative); NaN for
    /// singular terms.
    pub hessian: Vec<f64>,
    /// Coefficients of the log residual standard deviation, then the transformed correlation; empty where residuals are alike.
    pub phi: Vec<f64>,
    /// Residual correlation, if there is one.
    pub rho: Option<f64>,
    /// psi of the terms with a pattern.
    pub psi: Vec<f64>,
    /// Hessian of the criterion in the free elements of theta (working basis), psi and phi, by rows; empty in a plain model.
    pub joint_hessian: Vec<f64>,
    /// Where the time went.
    pub timing: Timing,
}

/// Seconds by stage.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timing {
    /// Rows to cross-products and their structure (0 if they were made before).
    pub crossprod: f64,
    /// Search and certificate.
    pub optimise: f64,
    /// Estimates.
    pub estimates: f64,
}

impl Problem<'_> {
    /// Fits all parameters; `phi` is where residuals that are not alike begin, if that is known.
    ///
    /// # Errors
    /// [`Error::Unidentified`], [`Error::PerfectFit`], [`Error::Interrupted`], [`Error::Dimension`] for a start of the wrong
    /// length, [`Error::ResidualScale`] where a standard deviation tends to zero. How the search ended is no error but
    /// [`Convergence::status`].
    pub fn fit(&mut self, options: &FitOptions, phi: Option<&[f64]>, watch: &Watch) -> Result<Fit> {
        let begin = Instant::now();
        identifiability::check(self, options.criterion)?;
        let minimum = search::minimise(self, options, phi, watch)?;
        self.set(&minimum.at.phi);
        let searched = begin.elapsed().as_secs_f64();
        let mut fit = estimates(&mut self.model, &minimum, options.criterion)?;
        if !self.is_plain() {
            fit.rho = self.residual().rho(&minimum.at.phi);
            (fit.phi, fit.psi, fit.joint_hessian) = (minimum.at.phi, minimum.at.psi, minimum.hessian);
        }
        fit.timing.optimise = searched;
        fit.timing.estimates = begin.elapsed().as_secs_f64() - searched;
        Ok(fit)
    }
}

/// The estimates at a minimum whose phi is set.
fn estimates(model: &mut Model, minimum: &Minimum, kind: Criterion) -> Result<Fit> {
    let mut blocks = model.layout.zeros();
    model.layout.fill(&minimum.at.theta, &mut blocks);
    let (value, _) = model.value_and_gamma(&blocks, kind)?;
    let pls = &value.pls;
    let sigma2 = pls.pwrss / model.nu(kind);
    let c = &model.a.coordinates;
    let unit = sigma2 * c.y_scale * c.y_scale;
    if !unit.is_normal() {
        return Err(Error::Scale { term: 0, column: 1 });
    }
    let mut user = model.layout.zeros();
    let mut terms = Vec::new();
    for k in 0..c.terms.len() {
        let t = model.layout.term_block(&blocks, k);
        let (term, lower) = term_fit(model, k, &t, unit, minimum.convergence.ranks[k])?;
        let q = term.q;
        let lost = |c: usize| {
            let v = term.varcov[c * q + c];
            !v.is_finite() || (!v.is_normal() && (0..q).any(|j| lower[c * q + j] != 0.0))
        };
        if let Some(c) = (0..q).find(|c| lost(*c)) {
            return Err(Error::Scale { term: k + 1, column: c + 1 });
        }
        model.layout.set_term_block(&mut user, k, &lower);
        terms.push(term);
    }
    let mut beta = vec![f64::NAN; c.columns];
    c.x.kept.iter().zip(fixed_to_user(c, &pls.beta)).for_each(|(&k, b)| beta[k] = b);
    let theta = model.layout.theta(&user);
    let hessian = user_hessian(model, &theta, minimum);
    Ok(Fit {
        theta,
        beta,
        kept: c.x.kept.clone(),
        vcov: vcov_beta(model, pls, unit),
        sigma: (unit * c.weight_mean).sqrt(),
        criterion: value.f,
        log_det_l: pls.log_det_m,
        log_det_rx: model.log_det_c(pls),
        pwrss: model.pwrss(pls),
        terms,
        convergence: minimum.convergence.clone(),
        hessian,
        phi: Vec::new(),
        rho: None,
        psi: Vec::new(),
        joint_hessian: Vec::new(),
        timing: Timing::default(),
    })
}

/// Covariance of the kept coefficients, by rows.
fn vcov_beta(model: &Model, pls: &Pls, unit: f64) -> Vec<f64> {
    let p = model.a.p;
    // C^-1 = (R^-1)'(R^-1) with C = R R', R lower: columns of J R^-T.
    let mut half = vec![0.0; p * p];
    let jacobian = jacobian(&model.a.coordinates.x);
    for i in 0..p {
        for j in 0..p {
            half[j * p + i] = jacobian[i * p + j];
        }
    }
    small::solve_lower(&pls.rx, p, &mut half, p);
    let mut out = vec![0.0; p * p];
    small::mul_transposed(&mut out, &half, &half, p, p, p, unit);
    out
}

/// Estimates of one term, and its factor in the user's basis.
fn term_fit(model: &Model, k: usize, t: &[f64], unit: f64, rank: usize) -> Result<(TermFit, Vec<f64>)> {
    let here = model.here()?;
    let c = &model.a.coordinates;
    let map = &c.terms[k];
    let (f, first, q) = model.layout.terms[k];
    let (levels, width, m) = (model.a.factors[f].levels, model.a.factors[f].q, model.a.p + 1);
    let (lower, turn) = to_user(map, t, c.weight_mean);
    let back = user_from_working(map);
    let mut bt = vec![0.0; q * q];
    small::mul(&mut bt, &back, t, q, q, q, 1.0);
    let mut varcov = vec![0.0; q * q];
    small::mul_by_transposed(&mut varcov, &bt, &bt, q, q, q, unit);
    let row = model.s.first_row(f);
    let diagonal = here.inverse_diagonal(f)?;
    let (mut b, mut u, mut condvar) = (vec![0.0; levels * q], vec![0.0; levels * q], vec![0.0; levels * q * q]);
    let mut own = vec![0.0; q];
    let mut inverse = vec![0.0; q * q];
    let mut half = vec![0.0; q * q];
    for j in 0..levels {
        for (i, x) in own.iter_mut().enumerate() {
            *x = here.inverse.solution[(row + j * width + first + i) * m + model.a.p] * c.y_scale;
        }
        small::mul(&mut b[j * q..(j + 1) * q], &bt, &own, q, q, 1, 1.0);
        small::mul_transposed(&mut u[j * q..(j + 1) * q], &turn, &own, q, q, 1, c.weight_mean.sqrt());
        (0..q * q).for_each(|x| inverse[x] = diagonal[(j * width + first + x / q) * width + first + x % q]);
        half.fill(0.0);
        small::mul(&mut half, &bt, &inverse, q, q, q, unit);
        small::mul_by_transposed(&mut condvar[j * q * q..(j + 1) * q * q], &half, &bt, q, q, q, 1.0);
    }
    Ok((TermFit { q, levels, varcov, b, u, condvar, rank }, lower))
}

/// The Hessian in the user's theta by the chain rule; at a minimum the second derivatives of the map drop out.
fn user_hessian(model: &Model, user: &[f64], minimum: &Minimum) -> Vec<f64> {
    let m = user.len();
    let full = minimum.convergence.ranks.iter().zip(&model.layout.terms).all(|(r, t)| *r == t.2);
    if !full {
        return vec![f64::NAN; m * m];
    }
    let mut jacobian = vec![0.0; m * m];
    for j in 0..m {
        let step = 1e-5 * (user[j].abs() + 1e-3);
        let (up, down) = (working_theta(model, user, j, step), working_theta(model, user, j, -step));
        (0..m).for_each(|i| jacobian[i * m + j] = (up[i] - down[i]) / (2.0 * step));
    }
    let signs = column_signs(model, user, &minimum.at.theta);
    (0..m * m).for_each(|x| jacobian[x] *= signs[x / m]);
    let mut half = vec![0.0; m * m];
    small::mul(&mut half, &minimum.convergence.hessian, &jacobian, m, m, m, 1.0);
    let mut out = vec![0.0; m * m];
    small::mul_transposed(&mut out, &jacobian, &half, m, m, m, 1.0);
    out
}

/// -1 for the elements of the columns of Lambda that the search ended with negated, 1 for others: the criterion is the
/// same for both, the user's theta has a diagonal that is not negative, and mixed derivatives have the columns' signs.
fn column_signs(model: &Model, user: &[f64], found: &[f64]) -> Vec<f64> {
    let (mut at_user, mut at_found, mut signs) = (model.layout.zeros(), model.layout.zeros(), model.layout.zeros());
    model.layout.fill(&working_theta(model, user, 0, 0.0), &mut at_user);
    model.layout.fill(found, &mut at_found);
    for (k, term) in model.layout.terms.iter().enumerate() {
        let (a, b, q) = (model.layout.term_block(&at_user, k), model.layout.term_block(&at_found, k), term.2);
        let negated = |c: usize| a[c * q + c] * b[c * q + c] < 0.0;
        let block: Vec<f64> = (0..q * q).map(|x| if negated(x % q) { -1.0 } else { 1.0 }).collect();
        model.layout.set_term_block(&mut signs, k, &block);
    }
    model.layout.theta(&signs)
}

/// Theta in the working basis where element `j` of the user's has moved by a step.
fn working_theta(model: &Model, user: &[f64], j: usize, step: f64) -> Vec<f64> {
    let mut moved = user.to_vec();
    moved[j] += step;
    let mut blocks = model.layout.zeros();
    model.layout.fill(&moved, &mut blocks);
    for (k, term) in model.a.coordinates.terms.iter().enumerate() {
        let t = to_working(term, &model.layout.term_block(&blocks, k), model.a.coordinates.weight_mean);
        model.layout.set_term_block(&mut blocks, k, &t);
    }
    model.layout.theta(&blocks)
}
