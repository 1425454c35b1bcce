//! Sums and factors T in; criterion, gradient and Hessian out. Knows no optimiser and no row.

pub(crate) mod assemble;
pub(crate) mod average_information;
pub(crate) mod describe;
pub(crate) mod factor;
pub(crate) mod gradient;
pub(crate) mod hessian;
pub(crate) mod model;
pub(crate) mod nested_intercepts;
pub(crate) mod one_factor;
pub(crate) mod pls;
pub(crate) mod residual_derivative;
pub(crate) mod selected_inverse;
pub(crate) mod structure;
