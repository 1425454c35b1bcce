//! Many fits of one problem: the runner of the bootstrap, of refits and of deletions.
//!
//! Fits are independent and run in threads, each of which has one workspace, made once. A fit replaces all that it reads of
//! it, so results depend neither on the order nor on the number of threads. Which errors are of the data, and so no reason
//! to end the rest, is said by [`Error::is_of_the_data`] alone. A problem without parameters beyond theta is fitted from its
//! sums; any other from rows.

use std::sync::{Mutex, PoisonError};

use crate::design::Design;
use crate::error::{Error, Result};
use crate::fit::Fit;
use crate::fit::Problem;
use crate::numerics::threads::Workers;
use crate::options::{FitOptions, Look, Watch};

/// What became of one of many fits.
#[derive(Clone, Debug)]
pub enum Refit<T = Replicate> {
    /// Its estimates.
    Done(T),
    /// Without the rows that were deleted a coefficient cannot be estimated.
    Rank,
    /// The data allow no estimates.
    Failed,
    /// Not done: somebody asked to stop.
    Stopped,
}

impl<T> Refit<T> {
    /// The estimates, if there are any.
    pub fn done(&self) -> Option<&T> {
        match self {
            Refit::Done(estimates) => Some(estimates),
            _ => None,
        }
    }
}

/// Estimates of one replicate.
#[derive(Clone, Debug)]
pub struct Replicate {
    /// Theta in the user's basis.
    pub theta: Vec<f64>,
    /// Kept coefficients.
    pub beta: Vec<f64>,
    /// Residual standard deviation.
    pub sigma: f64,
    /// Criterion.
    pub criterion: f64,
    /// True if the fit is certified.
    pub certified: bool,
    /// Parameters of the residuals; empty where they are alike.
    pub phi: Vec<f64>,
}

impl Replicate {
    /// The estimates of a fit.
    pub(super) fn new(f: &Fit) -> Replicate {
        Replicate {
            theta: f.theta.clone(),
            beta: f.kept.iter().map(|&k| f.beta[k]).collect(),
            sigma: f.sigma,
            criterion: f.criterion,
            certified: f.convergence.status.is_certified(),
            phi: f.phi.clone(),
        }
    }
}

/// The fit that the work begins from.
#[derive(Clone, Copy, Debug)]
pub struct Estimates<'a> {
    /// Theta in the user's basis.
    pub theta: &'a [f64],
    /// Coefficients of all columns of X; NaN where one was dropped.
    pub beta: &'a [f64],
    /// Residual standard deviation.
    pub sigma: f64,
    /// Parameters of the residuals.
    pub phi: &'a [f64],
}

impl Estimates<'_> {
    /// Options of one of many fits: a thread, and the start of these estimates.
    pub(super) fn options(&self, options: &FitOptions, look: Look) -> FitOptions {
        FitOptions { threads: 1, look, start: Some(self.theta.to_vec()), ..options.clone() }
    }

    /// A fit of rows.
    pub(super) fn fit(&self, design: &Design<'_>, options: &FitOptions, watch: &Watch) -> Result<Fit> {
        let single = self.options(options, Look::Near);
        let phi = (!self.phi.is_empty()).then_some(self.phi);
        Problem::new(design, &single)?.fit(&single, phi, &watch.part())
    }
}

/// Runs jobs 0 to `count` in threads, every thread with a workspace of its own. An error of the data is a job that failed;
/// any other error is that of the whole.
///
/// # Errors
/// The first error of a workspace or of a job that is not of the data.
pub(super) fn run<W: Send, T: Send>(
    count: usize,
    options: &FitOptions,
    watch: &Watch,
    workspace: impl Fn() -> Result<W> + Sync,
    job: impl Fn(&mut W, usize) -> Result<Refit<T>> + Sync,
) -> Result<Vec<Refit<T>>> {
    let workers = Workers::new(if count > 1 { options.threads } else { 1 })?;
    let idle: Mutex<Vec<W>> = Mutex::default();
    let all = workers.map(count, |i| {
        if watch.is_stopped() {
            return Ok(Refit::Stopped);
        }
        let found = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut own = found.map_or_else(&workspace, Ok)?;
        let done = job(&mut own, i);
        idle.lock().unwrap_or_else(PoisonError::into_inner).push(own);
        watch.advance(1);
        match done {
            Err(Error::Interrupted) => Ok(Refit::Stopped),
            Err(e) if e.is_of_the_data() => Ok(Refit::Failed),
            other => other,
        }
    });
    all.into_iter().collect()
}
