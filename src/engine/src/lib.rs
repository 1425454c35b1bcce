//! Linear mixed-effects models from cross-products.
//!
//! y = X beta + Z b + e with b = Lambda(theta) u, u ~ N(0, sigma^2 I), e ~ N(0, sigma^2 W^-1). Rows enter once, as a
//! [`Design`], and become a [`Crossprod`]; a [`Model`] evaluates the profiled criterion and its gradient from it at a
//! cost that does not depend on the number of rows; [`Model::fit`] returns a [`Fit`], which is inert data with the
//! certificate of its own convergence.
//!
//! The engine knows nothing of R, prints nothing and uses no global thread pool.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod accumulate;
mod angle;
mod assemble;
mod average;
mod banks;
mod basis;
mod begin;
mod block;
mod boundary;
mod cells;
mod classes;
pub mod codes;
mod column;
mod convergence;
mod correlation;
mod crossprod;
mod descents;
mod describe;
mod design;
mod distinct;
mod error;
mod estimate;
mod faces;
mod factor;
mod fit;
mod flat;
mod gradient;
mod grouping;
mod identify;
mod inference;
mod inverse;
mod joint;
mod levels;
mod limits;
mod mivque;
mod model;
mod nested;
mod opening;
mod optim;
mod options;
mod order;
mod outer;
mod pls;
mod residual;
mod reweight;
mod rng;
mod rows;
mod search;
mod second;
mod series;
mod settle;
mod shape;
mod sheet;
mod start;
mod structure;
mod sweep;
mod theta;
mod tie;
mod together;
mod trace;
mod weigh;
mod within;
mod workers;
mod working;

pub use convergence::{Convergence, Status};
pub use crossprod::Crossprod;
pub use design::{Column, Correlation, Design, Factor, Pattern, Residual, Serial, Strata, Structured, Term};
pub use error::{Element, Error, Result, Value};
pub use estimate::{Fit, TermFit, Timing};
pub use inference::again::{bootstrap_rows, delete_rows, refit_rows, Estimates};
pub use inference::bootstrap::{bootstrap, Refit, Replicate};
pub use inference::deletion::{deletions, Deletion};
pub use inference::directions::Satterthwaite;
pub use inference::fixed::{FixedInference, KenwardRoger};
pub use inference::prediction::{Part, Rows};
pub use inference::profile::Profile;
pub use inference::refit::refit_many;
pub use inference::rlrt::{simulate as simulate_rlrt, Null, RLRT_BATCH};
pub use inference::Target;
pub use joint::Joint;
pub use model::Model;
pub use options::{Criterion, FitOptions, Look, Watch};
pub use reweight::Kinds;
pub use structure::Structure;
pub use together::Found;

/// Fits a model from its rows.
///
/// # Errors
/// Those of [`Crossprod::from_design`], [`Model::new`] and [`Model::fit`].
pub fn fit(design: &Design<'_>, options: &FitOptions, watch: &Watch) -> Result<(Fit, Model)> {
    let begin = std::time::Instant::now();
    let a = Crossprod::from_design(design, options.threads)?;
    let mut model = Model::new(a, options)?;
    let summed = begin.elapsed().as_secs_f64();
    let mut fit = model.fit(options, watch)?;
    fit.timing.crossprod = summed;
    Ok((fit, model))
}

/// Says whether the variances of a design can be told apart, without a fit.
///
/// # Errors
/// [`Error::Unidentified`]; those of [`Crossprod::from_design`] and [`Model::new`].
pub fn check_identified(design: &Design<'_>, options: &FitOptions) -> Result<()> {
    if design.is_plain() {
        return identify::check(&mut Model::new(Crossprod::from_design(design, options.threads)?, options)?);
    }
    Joint::new(design, options)?.check_distinct(options.criterion)
}

/// The cross-products of a design with all cells that its fit needs, at equal weights: for its structure; and what
/// residuals that are not alike add to it.
///
/// # Errors
/// Those of [`Crossprod::from_design`]; [`Error::TiedTimes`].
pub fn sums(design: &Design<'_>, threads: usize) -> Result<(Crossprod, Option<Kinds>)> {
    if design.residual.is_empty() {
        return Ok((Crossprod::from_design(design, threads)?, None));
    }
    let rows = reweight::Reweight::new(design, threads)?;
    let kinds = rows.kinds();
    Ok((rows.base, Some(kinds)))
}

/// Keeps the linear algebra library from starting threads on its own; call once per process.
pub fn init() {
    block::dense::sequential_by_default();
}
