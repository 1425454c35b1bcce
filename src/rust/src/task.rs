//! Work after a fit (bootstrap, refits, deletions, profiles, inference), run where R can still be asked whether to go on.
//!
//! What is done when the user stops is kept.

use std::sync::{Arc, Mutex, PoisonError};

use ferrite_engine::{
    Derivatives, Design, Estimates, Fit, FitOptions, FixedInference, Profile, Refit, Rows, Target, Wanted,
};

use crate::fit::{on_problem, summed, waited, At, Read};
use crate::watch::Watch;

type Line = ferrite_engine::Watch;
type Many<T> = ferrite_engine::Result<Vec<Refit<T>>>;

/// `count` fits that begin from a fit: `work` of a design, the estimates, the options and a line.
fn many<T: Send>(
    at: &At,
    count: usize,
    mut watch: Watch,
    work: impl FnOnce(Estimates<'_>, &FitOptions, &Line) -> Many<T> + Send,
) -> Read<Vec<Refit<T>>> {
    let (from, options) = (at.estimates()?, &at.options);
    waited(count, &mut watch, |line| work(from, options, line))
}

/// Parametric bootstrap: `draws` replicates from a seed.
pub fn bootstrap(at: &At, design: &Design<'_>, (draws, seed): (usize, u64), watch: Watch) -> Read<Vec<Refit>> {
    many(at, draws, watch, |from, options, line| ferrite_engine::bootstrap(design, from, options, (draws, seed), line))
}

/// Fits of other responses, one after the other.
pub fn refit(at: &At, design: &Design<'_>, responses: &[f64], watch: Watch) -> Read<Vec<Refit>> {
    let count = responses.len() / design.n().max(1);
    many(at, count, watch, |from, options, line| ferrite_engine::refit(design, from, options, responses, line))
}

/// Fits without each of `count` sets of rows.
pub fn delete(at: &At, design: &Design<'_>, sets: (&[i32], usize), watch: Watch) -> Read<Vec<Refit<Fit>>> {
    many(at, sets.1, watch, |from, options, line| ferrite_engine::deletions(design, from, options, sets, line))
}

/// Profiles of quantities; `None` for those that were not finished before a stop.
pub fn profile(
    at: &At,
    design: &Design<'_>,
    targets: &[Target],
    zetas: &[f64],
    mut watch: Watch,
) -> Read<Vec<Option<Profile>>> {
    let found = Arc::new(Mutex::new(Vec::with_capacity(targets.len())));
    let (store, count, total) = (Arc::clone(&found), targets.len(), 2 * targets.len() * zetas.len());
    let (theta, phi, criterion) = (at.theta()?.to_vec(), at.phi()?.to_vec(), at.options.criterion);
    let (targets, zetas) = (targets.to_vec(), zetas.to_vec());
    let problem = summed(design, &at.options, &mut watch)?.detached();
    let ended = on_problem(problem, total, watch, move |problem, _| {
        for target in targets {
            let profile = ferrite_engine::profile(problem, &theta, &phi, criterion, target, &zetas)?;
            store.lock().unwrap_or_else(PoisonError::into_inner).push(profile);
        }
        Ok(())
    });
    let done = std::mem::take(&mut *found.lock().unwrap_or_else(PoisonError::into_inner));
    match ended {
        Err(failure) if !failure.is_interrupt() || done.is_empty() => Err(failure),
        _ => Ok(done.into_iter().map(Some).chain(std::iter::repeat_with(|| None)).take(count).collect()),
    }
}

/// Pieces for tests of fixed effects. `known`: the parameters of the residuals count as known, and all terms as unstructured.
pub fn fixed(at: &At, design: &Design<'_>, kr: bool, known: bool, mut watch: Watch) -> Read<FixedInference> {
    let (theta, phi, criterion) = (at.theta()?.to_vec(), at.phi()?.to_vec(), at.options.criterion);
    let derivatives = if known { Derivatives::Exact } else { Derivatives::Either };
    let wanted = Wanted { kenward_roger: kr, derivatives, memory: at.options.memory };
    let problem = summed(design, &at.options, &mut watch)?.detached();
    on_problem(problem, 0, watch, move |problem, _| {
        ferrite_engine::fixed_inference(problem, &theta, &phi, criterion, wanted)
    })
}

/// Variance of the errors of predictions, one value a row.
pub fn prediction_variance(at: &At, design: &Design<'_>, rows: &Rows<'_>, mut watch: Watch) -> Read<Vec<f64>> {
    let (theta, phi, options) = (at.theta()?, at.phi()?, &at.options);
    let mut problem = summed(design, options, &mut watch)?;
    waited(0, &mut watch, |line| {
        problem.attend(line);
        ferrite_engine::prediction_variance(&mut problem, theta, phi, options.criterion, rows, options.threads)
    })
}
