//! Parameters (theta, psi, phi) in; factors T, weights of R^-1 and their derivatives out. Knows no sums.

pub(crate) mod angle;
pub(crate) mod bounds;
pub(crate) mod class_weights;
pub(crate) mod classes;
pub(crate) mod correlation;
pub(crate) mod pattern;
pub(crate) mod products;
pub(crate) mod residual;
pub(crate) mod series;
pub(crate) mod theta;
