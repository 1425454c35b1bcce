//! Parameters (theta, psi, phi) in; factors T, weights of R^-1 and their derivatives out. Knows no sums.

mod angle;
mod bounds;
mod class_weights;
mod classes;
mod correlation;
mod pattern;
mod products;
mod residual;
mod series;
mod theta;

pub(crate) use pattern::PatternedFactor;
pub(crate) use products::{CorrelationPart, ResidualBlock};
pub(crate) use residual::ResidualCovariance;
pub(crate) use series::NONE;
pub(crate) use theta::{to_user, to_working, Blocks, Layout};
