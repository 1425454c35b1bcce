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

/// Pieces for tests of fixed effects at a fitted theta: Satterthwaite's derivatives and Kenward-Roger's sums.
#[extendr]
fn fixed_inference(y: Robj, x: Robj, offset: Robj, weights: Robj, factors: Robj, terms: Robj, options: Robj) -> Robj {
    guard(|| {
        let blocks = rows::Blocks::read(&x, &factors, &terms)?;
        let design = blocks.design(&y, &offset, &weights)?;
        let (theta, options) = (input::field(&options, "theta")?, fit::options(&options)?);
        let mut model = fit::model(&design, &options)?;
        let theta = input::doubles(&theta, "theta")?;
        match model.fixed_inference(theta, options.criterion, options.memory) {
            Err(ferrite_engine::Error::TooLarge { bytes, .. }) => {
                let pieces = model.fixed_inference_by_differences(theta, options.criterion)?;
                Ok(output::fixed(&pieces, bytes))
            }
            pieces => Ok(output::fixed(&pieces?, 0.0)),
        }
    })
}

/// Profile of one quantity at a fitted theta: its values where the criterion has risen by zeta^2, on both sides.
#[extendr]
fn profile_lmm(
    y: Robj,
    x: Robj,
    offset: Robj,
    weights: Robj,
    factors: Robj,
    terms: Robj,
    options: Robj,
    what: Robj,
) -> Robj {
    guard(|| {
        let blocks = rows::Blocks::read(&x, &factors, &terms)?;
        let design = blocks.design(&y, &offset, &weights)?;
        let (theta, options) = (input::field(&options, "theta")?, fit::options(&options)?);
        let theta = input::doubles(&theta, "theta")?;
        let zetas = input::field(&what, "zetas")?;
        let zetas = input::doubles(&zetas, "zetas")?;
        let mut model = fit::model(&design, &options)?;
        let mut profiles = Vec::new();
        for target in input::elements(&input::field(&what, "targets")?, "targets")? {
            profiles.push(output::profile(&model.profile(theta, options.criterion, input::target(&target)?, zetas)?));
        }
        Ok(List::from_values(profiles).into_robj())
    })
}

/// Parametric bootstrap at a fitted theta: estimates of every replicate that was finished.
#[extendr]
fn bootstrap_lmm(
    y: Robj,
    x: Robj,
    offset: Robj,
    weights: Robj,
    factors: Robj,
    terms: Robj,
    options: Robj,
    what: Robj,
    progress: Robj,
) -> Robj {
    guard(|| {
        let watch = Watch::new(input::optional_function(&progress, "progress")?);
        let blocks = rows::Blocks::read(&x, &factors, &terms)?;
        let design = blocks.design(&y, &offset, &weights)?;
        let (theta, options) = (input::field(&options, "theta")?, fit::options(&options)?);
        let draws = input::count(&input::field(&what, "nsim")?, "nsim")?;
        let seed = input::seed(&input::field(&what, "seed")?)?;
        let theta = input::doubles(&theta, "theta")?;
        Ok(output::replicates(&fit::bootstrap(&design, &options, theta, (draws, seed), watch)?))
    })
}

/// Draws from the null distribution of the (restricted) likelihood ratio for one variance component.
#[extendr]
fn simulate_rlrt(mu: Robj, xi: Robj, sizes: Robj, nsim: Robj, seed: Robj, threads: Robj) -> Robj {
    guard(|| {
        let sizes = input::doubles(&sizes, "sizes")?;
        let [n, p, fixed] = sizes else { return Err(failure::Failure::internal("`sizes` must be n, p, fixed.")) };
        let null = ferrite_engine::Null {
            mu: input::doubles(&mu, "mu")?.to_vec(),
            xi: input::doubles(&xi, "xi")?.to_vec(),
            n: *n,
            p: *p,
            fixed: *fixed as usize,
        };
        let seed = input::seed(&seed)?;
        let threads = input::count(&threads, "threads")?;
        let draws = ferrite_engine::simulate_rlrt(&null, input::count(&nsim, "nsim")?, seed, threads)?;
        Ok(list!(draws = draws).into_robj())
    })
}

extendr_module! {
    mod ferrite;
    fn cross_codes;
    fn bootstrap_lmm;
    fn fit_lmm;
    fn fixed_inference;
    fn profile_lmm;
    fn simulate_rlrt;
}
