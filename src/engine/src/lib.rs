//! Linear mixed-effects models from cross-products.
//!
//! y = X beta + Z b + e with b = Lambda(theta, psi) u, u ~ N(0, sigma^2 I), e ~ N(0, sigma^2 R(phi)). Rows enter as a
//! [`Design`] and become a [`Crossprod`]; a [`Model`] evaluates the profiled criterion and its gradient from it at a cost
//! that does not depend on the number of rows; a [`Problem`] has all parameters, and [`Problem::fit`] returns a [`Fit`]:
//! inert data with the certificate of its own convergence. Inference starts from a problem and a fit.
//!
//! The modules are rooms: each imports from those below it alone, in the order inference, fit, likelihood, crossprod,
//! covariance, design, numerics.
//!
//! The engine knows nothing of R, prints nothing and uses no global thread pool.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod covariance;
mod crossprod;
mod design;
mod error;
mod fit;
mod inference;
mod likelihood;
mod numerics;
mod options;

pub use crossprod::Crossprod;
pub use crossprod::WeightClasses;
pub use design::cross as cross_codes;
pub use design::{Column, Correlation, Design, Factor, Pattern, Residual, Serial, Strata, Structured, Term};
pub use error::{Element, Error, Result, Value};
pub use fit::Problem;
pub use fit::{Convergence, Status};
pub use fit::{Fit, TermFit, Timing};
pub use inference::{
    bootstrap, deletions, fixed_inference, prediction_variance, profile, refit, simulate_rlrt, Derivatives, Estimates,
    FixedInference, KenwardRoger, Null, Part, Profile, Refit, Replicate, Rows, Satterthwaite, Target, Wanted,
    RLRT_BATCH,
};
pub use likelihood::Model;
pub use likelihood::Structure;
pub use numerics::distributions::{chi_bar_square_tail, chi_square_tail, f_tail};
pub use options::{Criterion, FitOptions, Look, Watch};

/// Fits a model from its rows; the model at the phi that was found.
///
/// # Errors
/// Those of [`Problem::new`] and [`Problem::fit`].
pub fn fit(design: &Design<'_>, options: &FitOptions, watch: &Watch) -> Result<(Fit, Model)> {
    let begin = std::time::Instant::now();
    let mut problem = Problem::new(design, options)?;
    let summed = begin.elapsed().as_secs_f64();
    let mut fit = problem.fit(options, None, watch)?;
    fit.timing.crossprod = summed;
    let model = problem.into_model(&fit.phi);
    Ok((fit, model))
}

/// Says whether the variances of a design can be told apart, without a fit.
///
/// # Errors
/// [`Error::Unidentified`]; those of [`Crossprod::from_design`] and [`Model::new`].
pub fn check_identified(design: &Design<'_>, options: &FitOptions) -> Result<()> {
    fit::check_identified(&mut Problem::new(design, options)?, options.criterion)
}

/// The cross-products of a design with all cells that its fit needs, at equal weights: for its structure; and what
/// residuals that are not alike add to it.
///
/// # Errors
/// Those of [`Crossprod::from_design`]; [`Error::TiedTimes`].
pub fn sums(design: &Design<'_>, threads: usize) -> Result<(Crossprod, Option<WeightClasses>)> {
    if design.residual.is_empty() {
        return Ok((Crossprod::from_design(design, threads)?, None));
    }
    let rows = crossprod::WeightedSums::new(design, threads)?;
    let classes = rows.weight_classes();
    Ok((rows.base, Some(classes)))
}

/// Keeps the linear algebra library from starting threads on its own; call once per process.
pub fn init() {
    numerics::dense::sequential_by_default();
}
