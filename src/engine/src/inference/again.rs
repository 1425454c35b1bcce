//! Fits from the rows again, for models whose cross-products depend on more than theta: other responses, fewer rows.

use super::bootstrap::{Refit, Replicate};
use super::deletion::Deletion;
use crate::design::design::{Column, Correlation, Design, Factor, Residual, Serial, Strata, Term};
use crate::error::{Error, Result};
use crate::fit::estimates::Fit;
use crate::fit::problem::Problem;
use crate::numerics::random::Stream;
use crate::numerics::threads::Workers;
use crate::options::{FitOptions, Look, Watch};

/// The fit that the work begins from.
#[derive(Clone, Copy, Debug)]
pub struct Estimates<'a> {
    /// Theta in the user's basis.
    pub theta: &'a [f64],
    /// Coefficients of all columns of X; NaN where one was dropped.
    pub beta: &'a [f64],
    /// Residual standard deviation.
    pub sigma: f64,
    /// Parameters of the residuals.
    pub phi: &'a [f64],
}

fn fit(design: &Design<'_>, from: Estimates<'_>, options: &FitOptions, watch: &Watch) -> Result<Fit> {
    let single = FitOptions { threads: 1, look: Look::Near, start: Some(from.theta.to_vec()), ..options.clone() };
    let mut joint = Problem::new(design, &single)?;
    joint.fit(&single, (!from.phi.is_empty()).then_some(from.phi), &watch.part())
}

/// True for what a data set can do to a fit, as against a mistake of the caller.
fn is_of_the_data(e: &Error) -> bool {
    !matches!(e, Error::Dimension { .. } | Error::Internal(_) | Error::TooLarge { .. } | Error::Interrupted)
}

/// Runs `count` jobs in threads; `None` after a stop.
fn run<T: Send>(
    count: usize,
    options: &FitOptions,
    watch: &Watch,
    job: impl Fn(usize) -> Result<T> + Sync,
) -> Result<Vec<Option<T>>> {
    let workers = Workers::new(if count > 1 { options.threads } else { 1 })?;
    let parts = workers.map(count, |i| {
        if watch.is_stopped() {
            return Ok(None);
        }
        let out = match job(i) {
            Err(Error::Interrupted) => Ok(None),
            other => other.map(Some),
        };
        watch.advance(1);
        out
    });
    parts.into_iter().collect()
}

/// Fits every response (n values each).
///
/// # Errors
/// [`Error::Dimension`] where a response has the wrong length.
pub fn refit_rows(
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
    let out = run(responses.len() / n, options, watch, |r| {
        let other = Design { y: &responses[r * n..(r + 1) * n], ..design.clone() };
        replicate(fit(&other, from, options, watch))
    })?;
    Ok(out.into_iter().map(|r| r.unwrap_or(Refit::Stopped)).collect())
}

fn replicate(fitted: Result<Fit>) -> Result<Refit> {
    match fitted {
        Ok(f) => Ok(Refit::Done(Replicate::new(&f))),
        Err(e) if is_of_the_data(&e) => Ok(Refit::Failed),
        Err(e) => Err(e),
    }
}

/// Parametric bootstrap: responses are drawn row by row from the fitted model; replicate i uses stream i of the seed.
///
/// # Errors
/// As [`refit_rows`].
pub fn bootstrap_rows(
    design: &Design<'_>,
    from: Estimates<'_>,
    options: &FitOptions,
    (draws, seed): (usize, u64),
    watch: &Watch,
) -> Result<Vec<Refit>> {
    let joint = Problem::new(design, options)?;
    let out = run(draws, options, watch, |i| {
        let y = draw(&joint, design, from, &mut Stream::new(seed, i as u64));
        replicate(fit(&Design { y: &y, ..design.clone() }, from, options, watch))
    })?;
    Ok(out.into_iter().map(|r| r.unwrap_or(Refit::Stopped)).collect())
}

/// One response from the fitted model.
fn draw(joint: &Problem<'_>, design: &Design<'_>, from: Estimates<'_>, s: &mut Stream) -> Vec<f64> {
    let n = design.n();
    let mut y: Vec<f64> = (0..n)
        .map(|i| {
            let fixed = design.x.iter().zip(from.beta).filter(|(_, b)| !b.is_nan());
            design.offset.map_or(0.0, |o| o[i]) + fixed.map(|(x, b)| x.at(i) * b).sum::<f64>()
        })
        .collect();
    let mut next = 0;
    for term in &design.terms {
        let (q, levels) = (term.basis.len(), design.factors[term.factor].levels);
        let mut t = vec![0.0; q * q];
        for col in 0..q {
            for row in col..q {
                t[row * q + col] = from.theta[next];
                next += 1;
            }
        }
        let mut b = vec![0.0; levels * q];
        for own in b.chunks_exact_mut(q) {
            let u: Vec<f64> = (0..q).map(|_| s.normal() * from.sigma).collect();
            own.iter_mut().enumerate().for_each(|(r, b)| *b = (0..=r).map(|c| t[r * q + c] * u[c]).sum());
        }
        for (i, y) in y.iter_mut().enumerate() {
            let level = design.factors[term.factor].codes[i] as usize - 1;
            *y += term.basis.iter().zip(&b[level * q..]).map(|(z, b)| z.at(i) * b).sum::<f64>();
        }
    }
    let residual = joint.residual();
    let white: Vec<f64> = (0..n).map(|_| s.normal()).collect();
    for (i, e) in residual.colour(from.phi, &white).into_iter().enumerate() {
        let weight = design.weights.map_or(1.0, |w| w[i]);
        y[i] += from.sigma * (residual.row_log_scale(i, from.phi)).exp() / weight.sqrt() * e;
    }
    y
}

/// Fits without each set of rows. `sets[i]` is the set of row i, from 1 to `count`; 0 is never deleted.
///
/// # Errors
/// [`Error::Dimension`] where `sets` does not fit the design.
pub fn delete_rows(
    design: &Design<'_>,
    from: Estimates<'_>,
    options: &FitOptions,
    (sets, count): (&[i32], usize),
    watch: &Watch,
) -> Result<Vec<Deletion>> {
    if sets.len() != design.n() || sets.iter().any(|s| *s < 0 || *s as usize > count) {
        return Err(Error::Dimension { what: "sets of rows", expected: design.n(), found: sets.len() });
    }
    let rank = from.beta.iter().filter(|b| !b.is_nan()).count();
    let out = run(count, options, watch, |k| {
        let keep: Vec<usize> = (0..sets.len()).filter(|&i| sets[i] != k as i32 + 1).collect();
        if keep.len() <= rank {
            return Ok(Deletion::Rank);
        }
        let rest = Subset::new(design, &keep);
        match fit(&rest.design(design), from, options, watch) {
            Ok(f) if f.kept.len() < rank => Ok(Deletion::Rank),
            Ok(f) => {
                let phi = f.phi.clone();
                Ok(Deletion::Refitted(Box::new(f), phi))
            }
            Err(e) if is_of_the_data(&e) => Ok(Deletion::Failed),
            Err(e) => Err(e),
        }
    })?;
    Ok(out.into_iter().map(|d| d.unwrap_or(Deletion::Stopped)).collect())
}

/// Some rows of a design, with the levels that still occur.
struct Subset {
    y: Vec<f64>,
    offset: Option<Vec<f64>>,
    weights: Option<Vec<f64>>,
    x: Vec<Vec<f64>>,
    bases: Vec<Vec<Vec<f64>>>,
    scale: Vec<Vec<f64>>,
    strata: Option<(Vec<i32>, Vec<f64>, usize)>,
    codes: Vec<(Vec<i32>, usize)>,
    series: (Vec<i32>, usize),
    time: Vec<f64>,
}

impl Subset {
    fn new(design: &Design<'_>, keep: &[usize]) -> Subset {
        let pick = |v: &[f64]| keep.iter().map(|&i| v[i]).collect::<Vec<f64>>();
        // An empty column is the constant.
        let column = |c: &Column<'_>| match c {
            Column::Constant => Vec::new(),
            Column::Values(v) => pick(v),
        };
        let columns = |all: &[Column<'_>]| all.iter().map(column).collect::<Vec<_>>();
        let levels = |f: &Factor<'_>| {
            let mut place = vec![0; f.levels];
            let mut count = 0;
            keep.iter().for_each(|&i| place[f.codes[i] as usize - 1] = 1);
            for p in place.iter_mut().filter(|p| **p == 1) {
                count += 1;
                *p = count;
            }
            (keep.iter().map(|&i| place[f.codes[i] as usize - 1]).collect::<Vec<i32>>(), count as usize)
        };
        let correlation = design.residual.correlation.as_ref();
        Subset {
            y: pick(design.y),
            offset: design.offset.map(pick),
            weights: design.weights.map(pick),
            x: columns(&design.x),
            bases: design.terms.iter().map(|t| columns(&t.basis)).collect(),
            scale: columns(&design.residual.scale),
            strata: design.residual.strata.map(|s| {
                let (codes, kept): (Vec<i32>, usize) = levels(&Factor { codes: s.codes, levels: s.levels });
                let mut first = vec![0; kept];
                codes.iter().zip(keep).for_each(|(c, &i)| first[*c as usize - 1] = s.codes[i] as usize - 1);
                let columns = s.values.chunks_exact(s.levels);
                (codes, columns.flat_map(|v| first.iter().map(|l| v[*l]).collect::<Vec<_>>()).collect(), kept)
            }),
            codes: design.factors.iter().map(levels).collect(),
            series: correlation.map(|c| levels(&c.series)).unwrap_or_default(),
            time: correlation.filter(|c| c.form != Serial::Cs).map(|c| pick(&c.times())).unwrap_or_default(),
        }
    }

    fn design<'a>(&'a self, of: &Design<'_>) -> Design<'a> {
        let column = |v: &'a Vec<f64>| if v.is_empty() { Column::Constant } else { Column::Values(v) };
        let columns = |all: &'a [Vec<f64>]| all.iter().map(column).collect::<Vec<_>>();
        let factor = |(codes, levels): &'a (Vec<i32>, usize)| Factor { codes, levels: *levels };
        let correlation = of.residual.correlation.as_ref();
        Design {
            y: &self.y,
            offset: self.offset.as_deref(),
            weights: self.weights.as_deref(),
            x: columns(&self.x),
            factors: self.codes.iter().map(factor).collect(),
            terms: of
                .terms
                .iter()
                .zip(&self.bases)
                .map(|(t, b)| Term { factor: t.factor, basis: columns(b), structured: t.structured })
                .collect(),
            residual: Residual {
                scale: columns(&self.scale),
                strata: self.strata.as_ref().map(|(codes, values, levels)| Strata { codes, values, levels: *levels }),
                correlation: correlation.map(|c| Correlation {
                    form: c.form,
                    series: factor(&self.series),
                    time: &self.time,
                }),
            },
        }
    }
}
