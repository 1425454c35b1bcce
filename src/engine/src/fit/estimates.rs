//! The result in the user's coordinates: plain numbers that need neither the model nor the data any more.

use std::time::Instant;

use crate::covariance::theta;
use crate::design::coordinates;
use crate::error::{Error, Result};
use crate::fit::certificate::Convergence;
use crate::fit::identifiability;
use crate::fit::minimum::{self, Minimum};
use crate::likelihood::evaluation::Pls;
use crate::likelihood::model::Model;
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
    /// Hessian of the criterion in the user's theta (m x m by rows); NaN for singular terms.
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

impl Model {
    /// Fits the model.
    ///
    /// # Errors
    /// [`crate::Error::Unidentified`], [`crate::Error::PerfectFit`], [`crate::Error::Interrupted`],
    /// [`crate::Error::Dimension`] for a start of the wrong length. How the search ended is no error but
    /// [`Convergence::status`].
    pub fn fit(&mut self, options: &FitOptions, watch: &Watch) -> Result<Fit> {
        let begin = Instant::now();
        identifiability::check(self)?;
        let minimum = minimum::minimise(self, options, watch)?;
        let searched = begin.elapsed().as_secs_f64();
        let mut fit = self.estimates(minimum, options.criterion)?;
        fit.timing.optimise = searched;
        fit.timing.estimates = begin.elapsed().as_secs_f64() - searched;
        Ok(fit)
    }

    /// The estimates at a given theta (user's basis), with a certificate that says nothing: for work after a fit.
    ///
    /// # Errors
    /// [`crate::Error::Dimension`] for a theta of the wrong length.
    pub fn at(&mut self, theta: &[f64], kind: Criterion) -> Result<Fit> {
        let blocks = self.blocks_from_user(theta)?;
        let mut lower = self.layout.zeros();
        let mut ranks = Vec::new();
        for (k, &(_, _, q)) in self.layout.terms.clone().iter().enumerate() {
            let l = small::lower_from_product(&self.layout.term_block(&blocks, k), q).0;
            ranks.push((0..q).filter(|i| l[i * q + i] != 0.0).count());
            self.layout.set_term_block(&mut lower, k, &l);
        }
        let convergence = Convergence::unknown(ranks, self.layout.len());
        let mut fit = self.estimates(Minimum { theta: self.layout.theta(&lower), convergence }, kind)?;
        fit.theta = theta.to_vec();
        Ok(fit)
    }

    pub(crate) fn estimates(&mut self, minimum: Minimum, kind: Criterion) -> Result<Fit> {
        let mut blocks = self.layout.zeros();
        self.layout.fill(&minimum.theta, &mut blocks);
        let (value, _) = self.value_and_gamma(&blocks, kind)?;
        let pls = &value.pls;
        let sigma2 = pls.pwrss / self.nu(kind);
        let c = &self.a.coordinates;
        let unit = sigma2 * c.y_scale * c.y_scale;
        if !unit.is_normal() {
            return Err(Error::Scale { term: 0, column: 1 });
        }
        let mut user = self.layout.zeros();
        let mut terms = Vec::new();
        for k in 0..c.terms.len() {
            let t = self.layout.term_block(&blocks, k);
            let (term, lower) = self.term(k, &t, unit, minimum.convergence.ranks[k])?;
            let q = term.q;
            let lost = |c: usize| {
                let v = term.varcov[c * q + c];
                !v.is_finite() || (!v.is_normal() && (0..q).any(|j| lower[c * q + j] != 0.0))
            };
            if let Some(c) = (0..q).find(|c| lost(*c)) {
                return Err(Error::Scale { term: k + 1, column: c + 1 });
            }
            self.layout.set_term_block(&mut user, k, &lower);
            terms.push(term);
        }
        let mut beta = vec![f64::NAN; c.columns];
        c.x.kept.iter().zip(coordinates::fixed_to_user(c, &pls.beta)).for_each(|(&k, b)| beta[k] = b);
        let theta = self.layout.theta(&user);
        let hessian = self.user_hessian(&theta, &minimum);
        Ok(Fit {
            theta,
            beta,
            kept: c.x.kept.clone(),
            vcov: self.vcov(pls, unit),
            sigma: (unit * c.weight_mean).sqrt(),
            criterion: value.f,
            log_det_l: pls.log_det_m,
            log_det_rx: self.log_det_c(pls),
            pwrss: self.pwrss(pls),
            terms,
            convergence: minimum.convergence,
            hessian,
            phi: Vec::new(),
            rho: None,
            psi: Vec::new(),
            joint_hessian: Vec::new(),
            timing: Timing::default(),
        })
    }

    fn vcov(&self, pls: &Pls, unit: f64) -> Vec<f64> {
        let p = self.a.p;
        // C^-1 = (R^-1)'(R^-1) with C = R R', R lower: columns of J R^-T.
        let mut half = vec![0.0; p * p];
        let jacobian = coordinates::jacobian(&self.a.coordinates.x);
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

    fn term(&self, k: usize, t: &[f64], unit: f64, rank: usize) -> Result<(TermFit, Vec<f64>)> {
        let here = self.here()?;
        let c = &self.a.coordinates;
        let map = &c.terms[k];
        let (f, first, q) = self.layout.terms[k];
        let (levels, width, m) = (self.a.factors[f].levels, self.a.factors[f].q, self.a.p + 1);
        let (lower, turn) = theta::to_user(map, t, c.weight_mean);
        let back = coordinates::user_from_working(map);
        let mut bt = vec![0.0; q * q];
        small::mul(&mut bt, &back, t, q, q, q, 1.0);
        let mut varcov = vec![0.0; q * q];
        small::mul_by_transposed(&mut varcov, &bt, &bt, q, q, q, unit);
        let row = self.s.first_row(f);
        let diagonal = here.inverse_diagonal(f)?;
        let (mut b, mut u, mut condvar) = (vec![0.0; levels * q], vec![0.0; levels * q], vec![0.0; levels * q * q]);
        let mut own = vec![0.0; q];
        let mut inverse = vec![0.0; q * q];
        let mut half = vec![0.0; q * q];
        for j in 0..levels {
            for (i, x) in own.iter_mut().enumerate() {
                *x = here.inverse.solution[(row + j * width + first + i) * m + self.a.p] * c.y_scale;
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
    fn user_hessian(&self, user: &[f64], minimum: &Minimum) -> Vec<f64> {
        let m = user.len();
        let full = minimum.convergence.ranks.iter().zip(&self.layout.terms).all(|(r, t)| *r == t.2);
        if !full {
            return vec![f64::NAN; m * m];
        }
        let mut jacobian = vec![0.0; m * m];
        for j in 0..m {
            let step = 1e-5 * (user[j].abs() + 1e-3);
            let (up, down) = (self.working_theta(user, j, step), self.working_theta(user, j, -step));
            (0..m).for_each(|i| jacobian[i * m + j] = (up[i] - down[i]) / (2.0 * step));
        }
        let mut half = vec![0.0; m * m];
        small::mul(&mut half, &minimum.convergence.hessian, &jacobian, m, m, m, 1.0);
        let mut out = vec![0.0; m * m];
        small::mul_transposed(&mut out, &jacobian, &half, m, m, m, 1.0);
        out
    }

    fn working_theta(&self, user: &[f64], j: usize, step: f64) -> Vec<f64> {
        let mut moved = user.to_vec();
        moved[j] += step;
        let mut blocks = self.layout.zeros();
        self.layout.fill(&moved, &mut blocks);
        for (k, term) in self.a.coordinates.terms.iter().enumerate() {
            let t = theta::to_working(term, &self.layout.term_block(&blocks, k), self.a.coordinates.weight_mean);
            self.layout.set_term_block(&mut blocks, k, &t);
        }
        self.layout.theta(&blocks)
    }
}
