//! Inference about a fit, from q- and p-sized quantities only: no matrix with a side of n is ever formed.
//!
//! Everything here takes a [`crate::Model`] and a theta and makes its own workspace; a [`crate::Fit`] is never changed.

mod adjusted;
pub mod again;
mod blockwise;
pub mod bootstrap;
pub mod component;
pub mod constrained;
pub mod deletion;
mod differences;
pub mod directions;
pub mod fixed;
pub mod information;
mod jointly;
pub mod prediction;
pub mod profile;
pub mod refit;

pub mod rlrt;

mod varying;
