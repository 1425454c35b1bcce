//! Refits without some of the rows: their products are taken out of the sums, and the search starts at the fit.
//!
//! Exact: the same criterion is minimised as from the remaining rows. A level that loses all its rows keeps a zero block,
//! which adds nothing to the likelihood. Deletions are independent and run in threads.

use crate::crossprod::crossprod::Crossprod;
use crate::crossprod::delete_rows::RowDeletion;
use crate::design::design::Design;
use crate::error::{Error, Result};
use crate::fit::estimates::Fit;
use crate::likelihood::model::Model;
use crate::numerics::counting_sort::Sorted;
use crate::numerics::threads::Workers;
use crate::options::{FitOptions, Look, Watch};

/// What became of a deletion.
#[derive(Clone, Debug)]
pub enum Deletion {
    /// Estimates without the rows, and the parameters of residuals that are not alike.
    Refitted(Box<Fit>, Vec<f64>),
    /// Without the rows a coefficient cannot be estimated.
    Rank,
    /// No estimates: too few rows, a perfect fit, or a variance that is no longer identified.
    Failed,
    /// Not done: somebody asked to stop.
    Stopped,
}

/// Refits without each of the sets of rows. `sets[i]` is the set of row i, from 1 to `count`; 0 is never deleted.
///
/// # Errors
/// [`Error::Dimension`] where `sets` does not fit the design.
pub fn deletions(
    design: &Design<'_>,
    a: &Crossprod,
    fit: &Fit,
    options: &FitOptions,
    (sets, count): (&[i32], usize),
    watch: &Watch,
) -> Result<Vec<Deletion>> {
    if sets.len() != a.n || sets.iter().any(|s| *s < 0 || *s as usize > count) {
        return Err(Error::Dimension { what: "sets of rows", expected: a.n, found: sets.len() });
    }
    let single = FitOptions { threads: 1, look: Look::Alone, start: Some(fit.theta.clone()), ..options.clone() };
    let workers = Workers::new(if count > 1 { options.threads } else { 1 })?;
    let batches = (count / 16).clamp(1, 64).max(workers.count().min(count));
    let members = Sorted::by_key(count + 1, sets.iter().map(|s| *s as usize));
    let parts = workers.map(batches, |k| -> Result<Vec<Deletion>> {
        let range = k * count / batches..(k + 1) * count / batches;
        if watch.is_stopped() {
            return Ok(vec![Deletion::Stopped; range.len()]);
        }
        let mut own = Model::new(a.clone(), &single)?;
        let mut rows = RowDeletion::new(design, a);
        let mut out = Vec::with_capacity(range.len());
        for s in range {
            if watch.is_stopped() {
                out.push(Deletion::Stopped);
                continue;
            }
            out.push(delete(&mut rows, &mut own, members.of(s + 1), &single, watch)?);
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

fn delete(
    sums: &mut RowDeletion<'_>,
    own: &mut Model,
    rows: &[u32],
    options: &FitOptions,
    watch: &Watch,
) -> Result<Deletion> {
    if !sums.delete(rows, &mut own.a) {
        return Ok(Deletion::Rank);
    }
    own.renew();
    match search(own, options, watch) {
        Ok(fit) => Ok(Deletion::Refitted(Box::new(fit), Vec::new())),
        Err(
            Error::PerfectFit { .. } | Error::Unidentified { .. } | Error::NotPositiveDefinite | Error::Scale { .. },
        ) => Ok(Deletion::Failed),
        Err(Error::Interrupted) => Ok(Deletion::Stopped),
        Err(e) => Err(e),
    }
}

/// From the fit with all rows; a search that ends without a certificate begins again from the data.
fn search(own: &mut Model, options: &FitOptions, watch: &Watch) -> Result<Fit> {
    let near = own.fit(options, &watch.part())?;
    if near.convergence.status.is_certified() {
        return Ok(near);
    }
    let afresh = FitOptions { start: None, look: Look::Near, ..options.clone() };
    let fresh = own.fit(&afresh, &watch.part())?;
    Ok(if fresh.criterion <= near.criterion { fresh } else { near })
}
