//! Minimisers of a function with gradient, and the algebra of small matrices beside them. They know nothing of mixed models.

pub mod bfgs;
pub mod eigen;
pub mod newton;
pub mod pivot;
