//! Sums and factors T in; criterion, gradient and Hessian out. Knows no optimiser and no row.
//!
//! Structure says how M is eliminated, elimination does it; penalised least squares and the gradient follow, and a model
//! holds it all. Invariant: what is read of a model beside a criterion ([`evaluation::Here`]) belongs to one point.

mod average_information;
mod describe;
mod elimination;
mod evaluation;
mod gradient;
mod hessian;
mod model;
mod pls;
mod products;
mod quadratic_form;
mod residual_derivative;
mod selected_inverse;
mod structure;
mod workspace;

pub(crate) use evaluation::Here;
pub(crate) use evaluation::{Gamma, Pls};
pub use model::Model;
pub(crate) use quadratic_form::{quadratic_form, LevelPart};
pub use structure::Structure;
