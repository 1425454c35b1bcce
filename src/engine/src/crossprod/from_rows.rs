//! From rows to [`Crossprod`]: two passes, in threads, without a copy of the data.
//!
//! The first pass finds centres, scales and the Gram matrix of X; the second sums by level, with y replaced on the
//! fly by its least-squares residual. Pieces are cut by the number of rows, so results do not depend on threads.

use crate::crossprod::by_cell;
use crate::crossprod::by_level::LevelPass;
use crate::crossprod::crossprod::Crossprod;
use crate::design::basis::{self, Basis, Kind};
use crate::design::column::{power_of_two, Range};
use crate::design::coordinates::{BasisMap, Coordinates, TermMap};
use crate::design::design::Design;
use crate::design::elimination_order;
use crate::design::grouping::{groupings, Grouping};
use crate::design::weights::{self, Weight};
use crate::error::{Error, Result};
use crate::numerics::small;
use crate::numerics::threads::Workers;

impl Crossprod {
    /// Sums the rows of `design`.
    ///
    /// # Errors
    /// Every check that needs the values: [`Error::NonFinite`], [`Error::NotPositiveWeight`], [`Error::ConstantResponse`],
    /// [`Error::PerfectFit`] by the fixed part, [`Error::NoResidualDf`], [`Error::RankRandom`], [`Error::Dimension`].
    pub fn from_design(design: &Design<'_>, threads: usize) -> Result<Crossprod> {
        design.validate()?;
        let n = design.n();
        let workers = Workers::new(if n >= 65_536 { threads } else { 1 })?;
        let weight = Weight::new(design, &workers)?;
        let y_range = response_range(design, &workers)?;
        let x = Basis::new(design, &design.x, &weight, &workers, Kind { name: "fixed", term: 0 })?;
        let p = x.kept.len();
        if p >= n {
            return Err(Error::NoResidualDf { n, rank: p });
        }
        if y_range.max <= y_range.min {
            return Err(Error::ConstantResponse);
        }
        let mut bases = Vec::with_capacity(design.terms.len());
        for (t, term) in design.terms.iter().enumerate() {
            let basis = if basis::same(&design.x, &term.basis) {
                x.clone()
            } else {
                Basis::new(design, &term.basis, &weight, &workers, Kind { name: "random", term: t + 1 })?
            };
            if let Some(c) = (0..term.basis.len()).find(|c| !basis.kept.contains(c)) {
                return Err(Error::RankRandom { term: t + 1, column: c + 1 });
            }
            bases.push(basis);
        }
        let groupings = groupings(design, &bases);
        let widths: Vec<usize> = groupings.iter().map(Grouping::q).collect();
        let order = elimination_order::choose(
            &design.factors,
            &widths,
            design.residual.correlation.as_ref().map(|c| &c.series),
        );

        let y_shift = if x.ones.is_some() { y_range.mean } else { 0.0 };
        let y_factor = 1.0 / y_range.scale(y_shift);
        let response = |i: usize| (design.response(i) - y_shift) * y_factor;
        let (xx, coefficients) = least_squares(&x, n, &weight, &workers, &response);
        let mut gamma = vec![0.0; p];
        small::mul(&mut gamma, &x.rotate, &coefficients, p, p, 1, 1.0);
        let pass = LevelPass { n, x: &x, gamma: &gamma, weight: &weight, groupings: &groupings };
        let mut sums = pass.run(&workers, &response);

        let mean_square = sums.yy / n as f64;
        let noise = 8.0 * f64::EPSILON * y_factor * y_range.min.abs().max(y_range.max.abs());
        if mean_square.sqrt() <= noise {
            return Err(Error::PerfectFit { reason: "fixed", ratio: mean_square.sqrt() });
        }
        let rescale = power_of_two(mean_square.sqrt());
        let mut pairs = by_cell::pairs(&groupings, &sums.factors, &order, &weight, &workers);
        sums.rotate(&x.rotate, p, &groupings, 1.0 / rescale);
        for pair in &mut pairs {
            by_cell::rotate(pair, &groupings[pair.f], &groupings[pair.g]);
        }

        let mut gram = vec![0.0; (p + 1) * (p + 1)];
        for i in 0..p {
            gram[i * (p + 1)..i * (p + 1) + p].copy_from_slice(&xx[i * p..(i + 1) * p]);
            gram[i * (p + 1) + p] = sums.xy[i];
            gram[p * (p + 1) + i] = sums.xy[i];
        }
        gram[p * (p + 1) + p] = sums.yy;
        let mut next = vec![0; groupings.len()];
        let terms = bases
            .iter()
            .zip(&design.terms)
            .map(|(basis, term)| {
                let first = next[term.factor];
                next[term.factor] += basis.kept.len();
                TermMap { factor: term.factor, first, basis: map(basis) }
            })
            .collect();
        let coordinates = Coordinates {
            columns: design.x.len(),
            x: map(&x),
            gamma: subtracted(&coefficients, &x, y_factor, y_shift),
            y_scale: rescale / y_factor,
            weight_mean: weight.mean,
            weight_log_sum: weight.log_sum,
            terms,
        };
        Ok(Crossprod { n, p, gram, factors: sums.factors, pairs, order, coordinates })
    }
}

/// Coefficients on the scaled columns of the part of y that was subtracted: the fit to the centred y, and the centre.
fn subtracted(coefficients: &[f64], x: &Basis<'_>, y_factor: f64, y_shift: f64) -> Vec<f64> {
    let p = coefficients.len();
    let mut out = vec![0.0; p];
    small::mul(&mut out, &small::invert_upper(&x.r, p), coefficients, p, p, 1, 1.0 / y_factor);
    if let Some(ones) = &x.ones {
        out.iter_mut().zip(ones).for_each(|(o, c)| *o += y_shift * c);
    }
    out
}

fn response_range(design: &Design<'_>, workers: &Workers) -> Result<Range> {
    let n = design.n();
    if n == 0 {
        return Err(Error::NoResidualDf { n: 0, rank: 0 });
    }
    Range::of(n, workers, |i| design.response(i)).ok_or_else(|| {
        let bad = |v: &[f64]| v.iter().position(|x| !x.is_finite());
        match (bad(design.y), design.offset.and_then(bad)) {
            (Some(row), _) => Error::NonFinite { kind: "response", term: 0, column: 1, row: row + 1 },
            (None, Some(row)) => Error::NonFinite { kind: "offset", term: 0, column: 1, row: row + 1 },
            (None, None) => Error::NonFinite { kind: "response", term: 0, column: 1, row: 1 },
        }
    })
}

fn map(basis: &Basis<'_>) -> BasisMap {
    BasisMap {
        kept: basis.kept.clone(),
        shift: basis.shift.clone(),
        scale: basis.scale.clone(),
        constant: basis.constant,
        r: basis.r.clone(),
    }
}

/// X'WX and the least-squares coefficients, both on the orthonormal columns.
fn least_squares(
    x: &Basis<'_>,
    n: usize,
    weight: &Weight<'_>,
    workers: &Workers,
    response: &(impl Fn(usize) -> f64 + Sync),
) -> (Vec<f64>, Vec<f64>) {
    let p = x.kept.len();
    let g = weights::gram(n, workers, p + 1, weight, |rows, out| {
        let mut columns = out.chunks_exact_mut(rows.len());
        x.columns.iter().zip(&mut columns).for_each(|(c, out)| c.fill(rows.clone(), out));
        columns.for_each(|out| out.iter_mut().zip(rows.clone()).for_each(|(o, i)| *o = response(i)));
    });
    let mut inner = vec![0.0; p * p];
    for i in 0..p {
        inner[i * p..(i + 1) * p].copy_from_slice(&g[i * (p + 1)..i * (p + 1) + p]);
    }
    let mut half = vec![0.0; p * p];
    small::mul(&mut half, &inner, &x.rotate, p, p, p, 1.0);
    let mut xx = vec![0.0; p * p];
    small::mul_transposed(&mut xx, &x.rotate, &half, p, p, p, 1.0);
    let xy: Vec<f64> = (0..p).map(|i| g[i * (p + 1) + p]).collect();
    let mut qy = vec![0.0; p];
    small::mul_transposed(&mut qy, &x.rotate, &xy, p, p, 1, 1.0);
    let mut l = xx.clone();
    if small::cholesky(&mut l, p) {
        small::solve_lower(&l, p, &mut qy, 1);
        small::solve_lower_transposed(&l, p, &mut qy, 1);
    }
    (xx, qy)
}
