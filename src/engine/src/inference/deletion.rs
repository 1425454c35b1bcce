//! Refits without some of the rows; the search starts at the estimates of a fit.
//!
//! Where sums are enough, the products of the rows are taken out of them. Exact: the same criterion is minimised as from the
//! remaining rows. A level that loses all its rows keeps a zero block, which adds nothing to the likelihood.

use super::refits::{run, Estimates, Refit};
use crate::crossprod::{Crossprod, RowDeletion};
use crate::design::{Design, Subset};
use crate::error::{Error, Result};
use crate::fit::Fit;
use crate::fit::Problem;
use crate::numerics::counting_sort::Sorted;
use crate::options::{FitOptions, Look, Watch};

/// Refits without each of the sets of rows. `sets[i]` is the set of row i, from 1 to `count`; 0 is never deleted.
///
/// # Errors
/// [`Error::Dimension`] where `sets` does not fit the design.
pub fn deletions(
    design: &Design<'_>,
    from: Estimates<'_>,
    options: &FitOptions,
    (sets, count): (&[i32], usize),
    watch: &Watch,
) -> Result<Vec<Refit<Fit>>> {
    if sets.len() != design.n() || sets.iter().any(|s| *s < 0 || *s as usize > count) {
        return Err(Error::Dimension { what: "sets of rows", expected: design.n(), found: sets.len() });
    }
    let Ok(problem) = Problem::new(design, options)?.detached() else {
        let job = |(): &mut (), s| without_rows(design, from, options, &|i| sets[i] != s as i32 + 1, watch);
        return run(count, options, watch, || Ok(()), job);
    };
    let (a, single): (&Crossprod, _) = (&problem.model.a, from.options(options, Look::Alone));
    let members = Sorted::by_key(count + 1, sets.iter().map(|s| *s as usize));
    let workspace = || Ok((Problem::from_sums(a.clone(), &single)?, RowDeletion::new(design, a)));
    run(count, options, watch, workspace, |(own, deletion), s| {
        if !own.model.change_sums(|left| deletion.delete(members.of(s + 1), left)) {
            return Ok(Refit::Rank);
        }
        Ok(Refit::Done(search(own, &single, watch)?))
    })
}

/// A fit of the rows that are kept.
fn without_rows(
    design: &Design<'_>,
    from: Estimates<'_>,
    options: &FitOptions,
    is_kept: &dyn Fn(usize) -> bool,
    watch: &Watch,
) -> Result<Refit<Fit>> {
    let rank = from.beta.iter().filter(|b| !b.is_nan()).count();
    let keep: Vec<usize> = (0..design.n()).filter(|&i| is_kept(i)).collect();
    if keep.len() <= rank {
        return Ok(Refit::Rank);
    }
    let fit = from.fit(&Subset::new(design, &keep).design(design), options, watch)?;
    Ok(if fit.kept.len() < rank { Refit::Rank } else { Refit::Done(fit) })
}

/// From the fit with all rows; a search that ends without a certificate begins again from the data.
fn search(own: &mut Problem<'_>, options: &FitOptions, watch: &Watch) -> Result<Fit> {
    let near = own.fit(options, None, &watch.part())?;
    if near.convergence.status.is_certified() {
        return Ok(near);
    }
    let afresh = FitOptions { start: None, look: Look::Near, ..options.clone() };
    let fresh = own.fit(&afresh, None, &watch.part())?;
    Ok(if fresh.criterion <= near.criterion { fresh } else { near })
}
