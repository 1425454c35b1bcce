//! Refits of other responses on the rows of a problem.

use super::refits::{run, Estimates, Refit, Replicate};
use crate::crossprod::replace_response;
use crate::design::Design;
use crate::error::{Error, Result};
use crate::fit::Problem;
use crate::options::{FitOptions, Look, Watch};

/// Fits every response (n values, one after the other), starting at the estimates of a fit. A response that is not finite
/// or does not vary has no estimates. Where sums are enough only those with y are made again.
///
/// # Errors
/// [`Error::Dimension`] where a response has the wrong length.
pub fn refit(
    design: &Design<'_>,
    from: Estimates<'_>,
    options: &FitOptions,
    responses: &[f64],
    watch: &Watch,
) -> Result<Vec<Refit>> {
    let n = design.n();
    if !responses.len().is_multiple_of(n) {
        return Err(Error::Dimension { what: "length of a response", expected: n, found: responses.len() % n });
    }
    let (count, response) = (responses.len() / n, |r: usize| &responses[r * n..(r + 1) * n]);
    let done = |fit| Ok(Refit::Done(Replicate::new(&fit)));
    let Ok(problem) = Problem::new(design, options)?.detached() else {
        let fit = |r| from.fit(&Design { y: response(r), ..design.clone() }, options, watch);
        return run(count, options, watch, || Ok(()), |(), r| done(fit(r)?));
    };
    let single = from.options(options, Look::Near);
    let workspace = || Problem::from_sums(problem.model.crossprod().clone(), &single);
    run(count, options, watch, workspace, |own, r| {
        if !own.model.change_sums(|a| replace_response(design, a, response(r))) {
            return Ok(Refit::Failed);
        }
        done(own.fit(&single, None, &watch.part())?)
    })
}
