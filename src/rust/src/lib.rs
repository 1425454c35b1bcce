//! The bridge between R and the engine: read, call, write. No arithmetic, no defaults, no decisions.
//!
//! Every exported function takes plain R objects and returns a list: the result, or a `failure` (see [`failure`]).
//! `R/engine.R` is its only caller, through `.Call(wrap__<name>, ...)`.

// An exported function has as many arguments as its call in R.
#![allow(clippy::too_many_arguments)]

use extendr_api::prelude::*;

mod failure;
mod fit;
mod input;
mod output;
mod rows;
mod watch;

use failure::guard;
use watch::Watch;

/// Interaction of grouping factors: `list(codes, parents)`, the first factor slowest, unused combinations dropped.
#[extendr]
fn cross_codes(codes: Robj, n_levels: Robj) -> Robj {
    guard(|| {
        let factors = input::elements(&codes, "codes")?;
        let slices = factors.iter().map(|f| input::integers(f, "codes")).collect::<std::result::Result<Vec<_>, _>>()?;
        let levels: Vec<usize> = input::integers(&n_levels, "n_levels")?.iter().map(|&j| j.max(0) as usize).collect();
        let (codes, parents) = ferrite_engine::codes::cross(&slices, &levels)?;
        Ok(list!(codes = codes, parents = parents).into_robj())
    })
}

/// Fit of a linear mixed model from a design; see the seam in `R/engine.R` for both shapes.
#[extendr]
fn fit_lmm(
    y: Robj,
    x: Robj,
    offset: Robj,
    weights: Robj,
    factors: Robj,
    terms: Robj,
    options: Robj,
    progress: Robj,
) -> Robj {
    guard(|| {
        let watch = Watch::new(input::optional_function(&progress, "progress")?);
        let blocks = rows::Blocks::read(&x, &factors, &terms)?;
        let design = blocks.design(&y, &offset, &weights)?;
        Ok(output::fit(&fit::run(&design, &fit::options(&options)?, watch)?))
    })
}

extendr_module! {
    mod ferrite;
    fn cross_codes;
    fn fit_lmm;
}
