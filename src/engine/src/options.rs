//! What a caller may set, with its default.

use std::sync::atomic::{AtomicBool, AtomicUsize};

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

/// The line between a running fit and whoever waits for it on another thread.
#[derive(Debug, Default)]
pub struct Watch {
    /// Set to stop the fit at its next evaluation.
    pub stop: AtomicBool,
    /// Evaluations done so far.
    pub evaluations: AtomicUsize,
}
