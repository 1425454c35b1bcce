//! Refits of other responses on the rows of a model: only the sums with y are made again.

use super::bootstrap::{Refit, Replicate};
use crate::crossprod::crossprod::Crossprod;
use crate::crossprod::replace_response;
use crate::design::design::Design;
use crate::error::{Error, Result};
use crate::fit::estimates::Fit;
use crate::likelihood::model::Model;
use crate::numerics::threads::Workers;
use crate::options::{FitOptions, Look, Watch};

/// Fits every response (n values, one after the other), starting at the theta of `fit`. A response that is not finite or
/// does not vary has no estimates.
///
/// # Errors
/// [`Error::Dimension`] where a response has the wrong length.
pub fn refit_many(
    design: &Design<'_>,
    a: &Crossprod,
    fit: &Fit,
    options: &FitOptions,
    responses: &[f64],
    watch: &Watch,
) -> Result<Vec<Refit>> {
    if !responses.len().is_multiple_of(a.n) {
        return Err(Error::Dimension { what: "length of a response", expected: a.n, found: responses.len() % a.n });
    }
    let count = responses.len() / a.n;
    let single = FitOptions { threads: 1, look: Look::Near, start: Some(fit.theta.clone()), ..options.clone() };
    let workers = Workers::new(if count > 1 { options.threads } else { 1 })?;
    let batches = (count / 16).clamp(1, 64).max(workers.count().min(count));
    let parts = workers.map(batches, |k| -> Result<Vec<Refit>> {
        let range = k * count / batches..(k + 1) * count / batches;
        if watch.is_stopped() {
            return Ok(vec![Refit::Stopped; range.len()]);
        }
        let mut own = Model::new(a.clone(), &single)?;
        let mut out = Vec::with_capacity(range.len());
        for r in range {
            let y = &responses[r * a.n..(r + 1) * a.n];
            if watch.is_stopped() {
                out.push(Refit::Stopped);
                continue;
            }
            if !own.change_sums(|a| replace_response::replace(design, a, y)) {
                out.push(Refit::Failed);
                continue;
            }
            out.push(match own.fit(&single, &watch.part()) {
                Ok(f) => Refit::Done(Replicate::new(&f)),
                Err(Error::PerfectFit { .. } | Error::Unidentified { .. } | Error::NotPositiveDefinite) => {
                    Refit::Failed
                }
                Err(Error::Scale { .. }) => Refit::Failed,
                Err(Error::Interrupted) => Refit::Stopped,
                Err(e) => return Err(e),
            });
            watch.advance(1);
        }
        Ok(out)
    });
    let mut out = Vec::with_capacity(count);
    for part in parts {
        out.extend(part?);
    }
    Ok(out)
}
