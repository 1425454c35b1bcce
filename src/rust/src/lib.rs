//! The bridge between R and the engine: read, call, write. No arithmetic, no defaults, no decisions.
//!
//! Every exported function takes plain R objects and returns a list: the result, or a `failure` (see [`failure`]).
//! R calls it through `.Call(wrap__<name>, ...)`, from its files `engine*.R` alone.

use extendr_api::prelude::*;

mod failure;
mod fit;
mod input;
mod output;
mod rows;
mod task;
mod watch;

use failure::guard;
use fit::At;
use rows::{Blocks, NewBlocks};
use watch::Watch;

/// Interaction of grouping factors: `list(codes, parents)`, the first factor slowest, unused combinations dropped.
#[extendr]
fn cross_codes(codes: Robj, n_levels: Robj) -> Robj {
    guard(|| {
        let factors = input::elements(&codes, "codes")?;
        let slices = factors.iter().map(|f| input::integers(f, "codes")).collect::<std::result::Result<Vec<_>, _>>()?;
        let levels: Vec<usize> = input::integers(&n_levels, "n_levels")?.iter().map(|&j| j.max(0) as usize).collect();
        let (codes, parents) = ferrite_engine::cross_codes(&slices, &levels)?;
        Ok(list!(codes = codes, parents = parents).into_robj())
    })
}

/// Fit of a linear mixed model from a design; see the seam in R's `engine*.R` files for both shapes.
#[extendr]
fn fit_lmm(design: Robj, options: Robj, progress: Robj) -> Robj {
    guard(|| {
        let watch = Watch::new(input::optional_function(&progress, "progress")?);
        let (blocks, phi) = (Blocks::read(&design)?, input::field(&options, "phi")?);
        let phi = input::optional_doubles(&phi, "phi")?;
        Ok(output::fit(&fit::run(&blocks.design()?, &fit::options(&options)?, phi, watch)?))
    })
}

/// Whether the variances of a design can be told apart: an empty list, or the failure that says why not.
#[extendr]
fn check_identified(design: Robj, options: Robj) -> Robj {
    guard(|| {
        let blocks = Blocks::read(&design)?;
        ferrite_engine::check_identified(&blocks.design()?, &fit::options(&options)?)?;
        Ok(List::new(0).into_robj())
    })
}

/// Structure, memory and work of a fit that is not done; the rows are summed.
#[extendr]
fn plan_lmm(design: Robj, options: Robj) -> Robj {
    guard(|| {
        let blocks = Blocks::read(&design)?;
        let begin = std::time::Instant::now();
        let (sums, classes) = ferrite_engine::sums(&blocks.design()?, fit::options(&options)?.threads)?;
        let seconds = begin.elapsed().as_secs_f64();
        Ok(output::plan(&ferrite_engine::Structure::new(&sums, f64::INFINITY)?, &sums, classes.as_ref(), seconds))
    })
}

/// Pieces for tests of fixed effects at a fitted theta: Satterthwaite's derivatives and Kenward-Roger's sums.
#[extendr]
fn fixed_inference(design: Robj, options: Robj, progress: Robj) -> Robj {
    guard(|| {
        let watch = Watch::new(input::optional_function(&progress, "progress")?);
        let blocks = Blocks::read(&design)?;
        let at = At::read(&options)?;
        let flag = |name: &str| input::flag(&input::field(&options, name)?, name);
        Ok(output::fixed(&task::fixed(&at, &blocks.design()?, flag("kr")?, flag("known")?, watch)?))
    })
}

/// Profiles of quantities at a fitted theta: their values where the criterion has risen by zeta^2, on both sides.
#[extendr]
fn profile_lmm(design: Robj, options: Robj, what: Robj, progress: Robj) -> Robj {
    guard(|| {
        let watch = Watch::new(input::optional_function(&progress, "progress")?);
        let blocks = Blocks::read(&design)?;
        let at = At::read(&options)?;
        let zetas = input::field(&what, "zetas")?;
        let zetas = input::doubles(&zetas, "zetas")?;
        let targets = input::elements(&input::field(&what, "targets")?, "targets")?;
        let targets = targets.iter().map(input::target).collect::<std::result::Result<Vec<_>, _>>()?;
        let profiles = task::profile(&at, &blocks.design()?, &targets, zetas, watch)?;
        Ok(List::from_values(profiles.iter().map(output::profile)).into_robj())
    })
}

/// Variance of the errors of predictions at a fitted theta, one value a row.
#[extendr]
fn prediction_variance(design: Robj, options: Robj, rows: Robj, progress: Robj) -> Robj {
    guard(|| {
        let watch = Watch::new(input::optional_function(&progress, "progress")?);
        let (blocks, new) = (Blocks::read(&design)?, NewBlocks::read(&rows)?);
        let at = At::read(&options)?;
        let variance = task::prediction_variance(&at, &blocks.design()?, &new.rows()?, watch)?;
        Ok(list!(variance = variance).into_robj())
    })
}

/// Parametric bootstrap at a fitted theta: estimates of every replicate that was finished.
#[extendr]
fn bootstrap_lmm(design: Robj, options: Robj, what: Robj, progress: Robj) -> Robj {
    guard(|| {
        let watch = Watch::new(input::optional_function(&progress, "progress")?);
        let blocks = Blocks::read(&design)?;
        let at = At::read(&options)?;
        let draws = input::count(&input::field(&what, "nsim")?, "nsim")?;
        let seed = input::seed(&input::field(&what, "seed")?)?;
        Ok(output::replicates(&task::bootstrap(&at, &blocks.design()?, (draws, seed), watch)?))
    })
}

/// Fits of other responses (n x N, by columns) with the structure of a fit.
#[extendr]
fn refit_lmm(design: Robj, options: Robj, responses: Robj, progress: Robj) -> Robj {
    guard(|| {
        let watch = Watch::new(input::optional_function(&progress, "progress")?);
        let blocks = Blocks::read(&design)?;
        let at = At::read(&options)?;
        let responses = input::doubles(&responses, "responses")?;
        Ok(output::replicates(&task::refit(&at, &blocks.design()?, responses, watch)?))
    })
}

/// Fits without sets of rows: list(sets, count).
#[extendr]
fn deletion_lmm(design: Robj, options: Robj, what: Robj, progress: Robj) -> Robj {
    guard(|| {
        let watch = Watch::new(input::optional_function(&progress, "progress")?);
        let blocks = Blocks::read(&design)?;
        let at = At::read(&options)?;
        let sets = input::field(&what, "sets")?;
        let sets = (input::integers(&sets, "sets")?, input::count(&input::field(&what, "count")?, "count")?);
        Ok(output::deletions(&task::delete(&at, &blocks.design()?, sets, watch)?))
    })
}

/// Draws from the null distribution of the (restricted) likelihood ratio for one variance component.
#[extendr]
fn simulate_rlrt(mu: Robj, xi: Robj, sizes: Robj, draws: Robj, threads: Robj, progress: Robj) -> Robj {
    guard(|| {
        let mut watch = Watch::new(input::optional_function(&progress, "progress")?);
        let sizes = input::doubles(&sizes, "sizes")?;
        let [n, p, fixed] = sizes else { return Err(failure::Failure::internal("`sizes` must be n, p, fixed.")) };
        let null = ferrite_engine::Null {
            mu: input::doubles(&mu, "mu")?.to_vec(),
            xi: input::doubles(&xi, "xi")?.to_vec(),
            n: *n,
            p: *p,
            fixed: *fixed as usize,
        };
        let nsim = input::count(&input::field(&draws, "nsim")?, "nsim")?;
        let seed = input::seed(&input::field(&draws, "seed")?)?;
        let threads = input::count(&threads, "threads")?;
        let batches = nsim.div_ceil(ferrite_engine::RLRT_BATCH);
        let draws =
            fit::waited(batches, &mut watch, |line| ferrite_engine::simulate_rlrt(&null, nsim, seed, threads, line))?;
        Ok(list!(draws = draws).into_robj())
    })
}

extendr_module! {
    mod ferrite;
    fn cross_codes;
    fn bootstrap_lmm;
    fn check_identified;
    fn deletion_lmm;
    fn fit_lmm;
    fn fixed_inference;
    fn plan_lmm;
    fn prediction_variance;
    fn profile_lmm;
    fn refit_lmm;
    fn simulate_rlrt;
}
