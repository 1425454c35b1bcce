//! What a caller may set, with its default.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Arc;

use crate::error::{Error, Result};

/// Criterion that is minimised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Criterion {
    /// Restricted likelihood.
    Reml,
    /// Likelihood.
    Ml,
}

/// Where a search looks for optima other than the one it comes to first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// From the start alone.
    Alone,
    /// From the start, and in small models from moments.
    Near,
    /// From moments and from the start; in small models from every face of the boundary.
    Around,
}

/// Options of a fit.
#[derive(Clone, Debug)]
pub struct FitOptions {
    /// Criterion; default REML.
    pub criterion: Criterion,
    /// Start in the user's theta; default: found from moments.
    pub start: Option<Vec<f64>>,
    /// Most evaluations of criterion and gradient; default 2000.
    pub max_evaluations: usize,
    /// A fit is certified when the criterion could fall by less than this (deviance units); default 1e-8.
    pub tolerance: f64,
    /// Where a search looks for other optima; default: around.
    pub look: Look,
    /// Threads; default 1.
    pub threads: usize,
    /// Bytes that the workspace may take; default 8e9.
    pub memory: f64,
}

impl Default for FitOptions {
    fn default() -> Self {
        FitOptions {
            criterion: Criterion::Reml,
            start: None,
            max_evaluations: 2000,
            tolerance: 1e-8,
            look: Look::Around,
            threads: 1,
            memory: 8e9,
        }
    }
}

/// The line between running work and whoever waits for it on another thread; clones are ends of the same line.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    /// Set to stop the work at its next evaluation.
    pub stop: Arc<AtomicBool>,
    /// Units of work done so far: evaluations of a fit, fits of a bootstrap, points of a profile, levels of an inverse.
    pub evaluations: Arc<AtomicUsize>,
    /// Units in all, where the work knows better than who started it; else zero.
    pub total: Arc<AtomicUsize>,
}

impl Watch {
    /// For a part of the work: stopped with the whole, counted by itself.
    pub(crate) fn part(&self) -> Watch {
        Watch { stop: Arc::clone(&self.stop), ..Watch::default() }
    }

    /// True if somebody has asked to stop.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// [`Error::Interrupted`] if somebody has asked to stop.
    pub(crate) fn check(&self) -> Result<()> {
        if self.is_stopped() {
            return Err(Error::Interrupted);
        }
        Ok(())
    }

    /// `units` more are done.
    pub(crate) fn advance(&self, units: usize) {
        self.evaluations.fetch_add(units, Ordering::Relaxed);
    }

    /// The work ahead has `units`.
    pub(crate) fn announce(&self, units: usize) {
        self.evaluations.store(0, Ordering::Relaxed);
        self.total.store(units, Ordering::Relaxed);
    }
}
