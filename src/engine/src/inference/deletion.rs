//! Refits without some of the rows; the search starts at the estimates of a fit.
//!
//! Where sums are enough, the products of the rows are taken out of them. Exact: the same criterion is minimised as from the
//! remaining rows. A level that loses all its rows keeps a zero block, which adds nothing to the likelihood.

use super::refits::{run, Estimates, Refit};
use crate::crossprod::crossprod::Crossprod;
use crate::crossprod::working::{response, subtracted, weight, Row};
use crate::design::design::Design;
use crate::design::subset::Subset;
use crate::error::{Error, Result};
use crate::fit::estimates::Fit;
use crate::fit::problem::Problem;
use crate::numerics::small;
use crate::options::{FitOptions, Look, Watch};

/// A column of X that keeps less than this share of its square is a combination of the others, to rounding.
const LOST: f64 = 1e-11;

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
    let (starts, rows) = members(sets, count);
    let workspace = || Ok((Problem::from_sums(a.clone(), &single)?, Row::new(a)));
    run(count, options, watch, workspace, |(own, row), s| {
        let gone = &rows[starts[s]..starts[s + 1]];
        if a.n - gone.len() <= a.p {
            return Ok(Refit::Rank);
        }
        own.model.change_sums(|left| {
            left.clone_from(a);
            let gamma = subtracted(a);
            for &i in gone {
                row.read(design, a, i);
                take_out(design, left, row, &gamma, i);
            }
        });
        if !full_rank(&own.model.a, a) {
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

/// Subtracts the products of one row.
fn take_out(design: &Design<'_>, a: &mut Crossprod, row: &Row, gamma: &[f64], i: usize) {
    let m = a.p + 1;
    let (w, y) = (weight(design, a, i), response(design, a, row, gamma, i));
    let mut xy = row.x.clone();
    xy.push(y);
    for r in 0..m {
        for c in 0..m {
            a.gram[r * m + c] -= w * xy[r] * xy[c];
        }
    }
    let level = |f: usize| design.factors[f].codes[i] as usize - 1;
    for (f, sums) in a.factors.iter_mut().enumerate() {
        let (j, q, z) = (level(f), sums.q, &row.z[f]);
        sums.counts[j] -= 1;
        let gone = sums.counts[j] == 0;
        let (diag, rhs) = (&mut sums.diag[j * q * q..(j + 1) * q * q], &mut sums.rhs[j * q * m..(j + 1) * q * m]);
        if gone {
            diag.fill(0.0);
            rhs.fill(0.0);
            continue;
        }
        for r in 0..q {
            let f = w * z[r];
            diag[r * q..(r + 1) * q].iter_mut().zip(z).for_each(|(d, v)| *d -= f * v);
            rhs[r * m..(r + 1) * m].iter_mut().zip(&xy).for_each(|(d, v)| *d -= f * v);
        }
    }
    for pair in &mut a.pairs {
        let (zf, zg) = (&row.z[pair.f], &row.z[pair.g]);
        let j = level(pair.f);
        let cells = &pair.cols[pair.starts[j]..pair.starts[j + 1]];
        if let Ok(at) = cells.binary_search(&(level(pair.g) as u32)) {
            let (qf, qg) = (zf.len(), zg.len());
            let cell = pair.starts[j] + at;
            small::mul_by_transposed(&mut pair.blocks[cell * qf * qg..(cell + 1) * qf * qg], zf, zg, qf, 1, qg, -w);
        }
    }
    a.n -= 1;
    a.coordinates.weight_log_sum -= design.weights.map_or(0.0, |w| w[i].ln());
}

/// True if X still has its rank: no pivot of X'WX has vanished.
fn full_rank(a: &Crossprod, before: &Crossprod) -> bool {
    let (p, m) = (a.p, a.p + 1);
    let mut l: Vec<f64> = (0..p * p).map(|k| a.gram[k / p * m + k % p]).collect();
    small::cholesky(&mut l, p) && (0..p).all(|i| l[i * p + i].powi(2) > LOST * before.gram[i * m + i])
}

/// Rows of every set: those of set s are `rows[starts[s]..starts[s + 1]]`.
fn members(sets: &[i32], count: usize) -> (Vec<usize>, Vec<usize>) {
    let mut starts = vec![0; count + 1];
    sets.iter().filter(|s| **s > 0).for_each(|&s| starts[s as usize] += 1);
    for s in 0..count {
        starts[s + 1] += starts[s];
    }
    let mut next = starts.clone();
    let mut rows = vec![0; starts[count]];
    for (i, &s) in sets.iter().enumerate().filter(|(_, s)| **s > 0) {
        rows[next[s as usize - 1]] = i;
        next[s as usize - 1] += 1;
    }
    (starts, rows)
}
