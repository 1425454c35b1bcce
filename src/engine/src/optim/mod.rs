//! Minimisers of a function with gradient. They know nothing of mixed models.

pub mod bfgs;
pub mod eigen;
pub mod newton;
