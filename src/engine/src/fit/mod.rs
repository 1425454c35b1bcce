//! A problem in; a fit with its certificate out. The only room that calls the minimisers, but for profiles.
//!
//! What enters is a [`problem::Problem`]: sums, and the rows only where R or a pattern needs them again. What leaves is an
//! [`estimates::Fit`], inert numbers in the user's coordinates with the proof of their minimum. Between the two every search
//! goes the same way, which `search` tells.

mod active_set;
mod certificate;
mod certify;
mod estimates;
mod faces;
mod identifiability;
mod moments;
mod objective;
mod problem;
mod rank_reduction;
mod saddle;
mod search;
mod starts;

pub use certificate::{Convergence, Status};
pub use estimates::{Fit, TermFit, Timing};
pub(crate) use identifiability::check as check_identified;
pub use problem::Problem;
pub(crate) use problem::{Free, Parameters, Patterned};
