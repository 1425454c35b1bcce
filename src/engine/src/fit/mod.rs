//! A problem in; a fit with its certificate out. The only room that calls the minimisers, but for profiles.
//!
//! What enters is a [`problem::Problem`]: sums, and the rows only where R or a pattern needs them again. What leaves is an
//! [`estimates::Fit`], inert numbers in the user's coordinates with the proof of their minimum. Between the two every search
//! goes the same way, which `search` tells.

pub(crate) mod certificate;
pub(crate) mod certify;
pub(crate) mod estimates;
pub(crate) mod faces;
pub(crate) mod identifiability;
pub(crate) mod moments;
pub(crate) mod objective;
pub(crate) mod problem;
pub(crate) mod rank_reduction;
pub(crate) mod saddle;
pub(crate) mod search;
pub(crate) mod settle;
pub(crate) mod starts;
