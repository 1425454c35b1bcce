//! From rows to [`Crossprod`], in threads and without a copy of the data.
//!
//! `y ~ x + (x | g)` reads its rows three times:
//! 1. centres and ends of y and the columns of X: nothing can be squared before its scale is known;
//! 2. cross-products of X with itself and with y: orthonormal coordinates and the least-squares fit;
//! 3. sums by level ([`super::by_level`]), with y replaced by its residual. It cannot be one with the second: the part of y
//!    that X explains, subtracted from sums, would take the digits of what is left with it.
//!
//! A random term whose columns are not all among those of X has the first two passes for itself, a pair of crossed factors
//! one pass over its cells, weights one pass before all others. Pieces are cut by the number of rows, so results do not depend
//! on threads.

use std::ops;

use crate::crossprod::by_cell;
use crate::crossprod::by_level::LevelPass;
use crate::crossprod::crossprod::Crossprod;
use crate::design::{
    groupings, places_in, power_of_two, ranges, Basis, Column, Coordinates, Design, Gram, Grouping, Order, Range,
    Scaled, TermMap, Weight,
};
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
        sum_rows(design, threads)
    }
}

/// Sums the rows of a valid design, which may have no random term.
fn sum_rows(design: &Design<'_>, threads: usize) -> Result<Crossprod> {
    let n = design.n();
    let workers = Workers::new(if n >= 65_536 { threads } else { 1 })?;
    let weight = Weight::new(design, &workers)?;
    let rows = FirstPasses { design, n, weight, workers };
    let fixed = rows.fixed()?;
    let (x, p) = (&fixed.basis, fixed.basis.columns.len());
    if p >= n {
        return Err(Error::NoResidualDf { n, rank: p });
    }
    if fixed.y.max <= fixed.y.min {
        return Err(Error::ConstantResponse);
    }
    let bases = rows.random(&fixed)?;
    let groupings = groupings(design, &bases);
    let widths: Vec<usize> = groupings.iter().map(Grouping::q).collect();
    let series = design.residual.correlation.as_ref().map(|c| &c.series);
    let order = Order::choose(&design.factors, &widths, series);

    let y_shift = if x.map.ones.is_some() { fixed.y.mean } else { 0.0 };
    let y_factor = 1.0 / fixed.y.scale(y_shift);
    let response = |i: usize| (design.response(i) - y_shift) * y_factor;
    let (xx, coefficients) = rows.least_squares(&fixed, y_shift, y_factor);
    let mut gamma = vec![0.0; p];
    small::mul(&mut gamma, &x.rotate, &coefficients, p, p, 1, 1.0);
    let pass = LevelPass { n, x, gamma: &gamma, weight: &rows.weight, groupings: &groupings };
    let mut sums = pass.run(&rows.workers, &response);

    let mean_square = sums.yy / n as f64;
    let noise = 8.0 * f64::EPSILON * y_factor * fixed.y.min.abs().max(fixed.y.max.abs());
    if mean_square.sqrt() <= noise {
        return Err(Error::PerfectFit { reason: "fixed", ratio: mean_square.sqrt() });
    }
    let rescale = power_of_two(mean_square.sqrt());
    let mut pairs = by_cell::pairs(&groupings, &sums.factors, &order, &rows.weight, &rows.workers);
    sums.rotate(&x.rotate, p, &groupings, 1.0 / rescale);
    for pair in &mut pairs {
        by_cell::rotate(pair, &groupings[pair.f], &groupings[pair.g]);
    }
    let mut on_scaled = vec![0.0; p];
    small::mul(&mut on_scaled, &small::invert_upper(&x.map.r, p), &coefficients, p, p, 1, 1.0 / y_factor);
    let coordinates = Coordinates {
        columns: design.x.len(),
        x: x.map.clone(),
        y_shift,
        gamma: on_scaled,
        y_scale: rescale / y_factor,
        weight_mean: rows.weight.mean,
        weight_log_sum: rows.weight.log_sum,
        terms: term_maps(design, &bases),
    };
    let gram = (0..(p + 1) * (p + 1)).map(|k| {
        if k / (p + 1) < p && k % (p + 1) < p {
            xx[k / (p + 1) * p + k % (p + 1)]
        } else {
            0.0
        }
    });
    let mut out = Crossprod { n, p, gram: gram.collect(), factors: sums.factors, pairs, order, coordinates };
    out.set_response(&sums.xy, sums.yy);
    Ok(out)
}

/// Rows that are read to find coordinates.
struct FirstPasses<'r, 'a> {
    design: &'r Design<'a>,
    n: usize,
    weight: Weight<'a>,
    workers: Workers,
}

/// What the first two passes find.
struct Fixed<'a> {
    /// Range of the response less its offset.
    y: Range,
    /// Ranges of the columns of X.
    ranges: Vec<Range>,
    /// Columns of X.
    scaled: Scaled<'a>,
    /// Their cross-products, the last with y less its mean, over `scale`.
    gram: Gram,
    /// A power of two.
    scale: f64,
    basis: Basis<'a>,
}

impl<'a> FirstPasses<'_, 'a> {
    /// The first two passes.
    fn fixed(&self) -> Result<Fixed<'a>> {
        let (design, n) = (self.design, self.n);
        if n == 0 {
            return Err(Error::NoResidualDf { n: 0, rank: 0 });
        }
        let mut found = ranges(n, &self.workers, |rows| {
            let y = Range::of_rows(rows.clone(), n, |i| design.response(i));
            std::iter::once(y).chain(design.x.iter().map(|c| Range::of_column(c, rows.clone(), n))).collect()
        });
        let of_x = found.split_off(1);
        let y = found.pop().flatten().ok_or_else(|| not_finite(design))?;
        let ranges = finite(&design.x, of_x, "fixed", 0)?;
        let scaled = Scaled::new(&design.x, &ranges);
        let scale = y.scale(y.mean);
        let factor = 1.0 / scale;
        let response = |rows: ops::Range<usize>, out: &mut [f64]| {
            out.iter_mut().zip(rows).for_each(|(o, i)| *o = (design.response(i) - y.mean) * factor);
        };
        let gram = scaled.gram(n, &self.weight, &self.workers, Some(&response));
        let basis = Basis::new(&scaled, &gram, n, &self.weight);
        Ok(Fixed { y, ranges, scaled, gram, scale, basis })
    }

    /// Bases of the random terms.
    fn random(&self, fixed: &Fixed<'a>) -> Result<Vec<Basis<'a>>> {
        let one = |(t, columns): (usize, &Vec<Column<'a>>)| {
            let basis = self.random_basis(fixed, t + 1, columns)?;
            match (0..columns.len()).find(|c| !basis.map.kept.contains(c)) {
                Some(c) => Err(Error::RankRandom { term: t + 1, column: c + 1 }),
                None => Ok(basis),
            }
        };
        self.design.terms.iter().map(|t| &t.basis).enumerate().map(one).collect()
    }

    /// From the cross-products of X where its columns are there, shifted by the same.
    fn random_basis(&self, fixed: &Fixed<'a>, term: usize, columns: &[Column<'a>]) -> Result<Basis<'a>> {
        let n = self.n;
        let places = places_in(&self.design.x, columns);
        if places.as_ref().is_some_and(|p| p.iter().copied().eq(0..self.design.x.len())) {
            return Ok(fixed.basis.clone());
        }
        let own = match &places {
            Some(places) => places.iter().map(|&k| fixed.ranges[k]).collect(),
            None => {
                let of_rows =
                    |rows: ops::Range<usize>| columns.iter().map(|c| Range::of_column(c, rows.clone(), n)).collect();
                finite(columns, ranges(n, &self.workers, of_rows), "random", term)?
            }
        };
        let scaled = Scaled::new(columns, &own);
        let gram = match places {
            Some(places) if scaled.constant.map(|c| places[c]) == fixed.scaled.constant => {
                fixed.gram.of(&scaled, &places)
            }
            _ => scaled.gram(n, &self.weight, &self.workers, None),
        };
        Ok(Basis::new(&scaled, &gram, n, &self.weight))
    }

    /// X'WX and the least-squares coefficients of (y - shift) factor, both on the orthonormal columns.
    fn least_squares(&self, fixed: &Fixed<'a>, shift: f64, factor: f64) -> (Vec<f64>, Vec<f64>) {
        let x = &fixed.basis;
        let p = x.columns.len();
        let (inner, ones, mut xy) = if x.is_on_rows() {
            // Digits were lost in the cross-products: once more, with orthonormal columns.
            let columns = Scaled::orthonormal(x);
            let (scale, mean) = (fixed.scale, fixed.y.mean);
            let response = |rows: ops::Range<usize>, out: &mut [f64]| {
                out.iter_mut().zip(rows).for_each(|(o, i)| *o = (self.design.response(i) - mean) / scale);
            };
            let all: Vec<usize> = (0..p).collect();
            columns.gram(self.n, &self.weight, &self.workers, Some(&response)).kept(&all)
        } else {
            fixed.gram.kept(&x.map.kept)
        };
        // The response was centred at its mean; X'W1 leads to another centre.
        let (own, moved) = (fixed.scale * factor, (fixed.y.mean - shift) * factor);
        xy.iter_mut().zip(&ones).for_each(|(y, one)| *y = own * *y + moved * one);
        let mut half = vec![0.0; p * p];
        small::mul(&mut half, &inner, &x.rotate, p, p, p, 1.0);
        let mut xx = vec![0.0; p * p];
        small::mul_transposed(&mut xx, &x.rotate, &half, p, p, p, 1.0);
        let mut qy = vec![0.0; p];
        small::mul_transposed(&mut qy, &x.rotate, &xy, p, p, 1, 1.0);
        let mut l = xx.clone();
        if small::cholesky(&mut l, p) {
            small::solve_lower(&l, p, &mut qy, 1);
            small::solve_lower_transposed(&l, p, &mut qy, 1);
        }
        (xx, qy)
    }
}

/// Ranges that must be finite.
fn finite(columns: &[Column<'_>], found: Vec<Option<Range>>, kind: &'static str, term: usize) -> Result<Vec<Range>> {
    let row = |column: &Column<'_>| match column {
        Column::Constant => 0,
        Column::Values(v) => v.iter().position(|x| !x.is_finite()).unwrap_or(0),
    };
    let one = |(c, range): (usize, Option<Range>)| {
        range.ok_or_else(|| Error::NonFinite { kind, term, column: c + 1, row: 1 + row(&columns[c]) })
    };
    found.into_iter().enumerate().map(one).collect()
}

/// Where response or offset is not finite.
fn not_finite(design: &Design<'_>) -> Error {
    let bad = |v: &[f64]| v.iter().position(|x| !x.is_finite());
    let (kind, row) = match (bad(design.y), design.offset.and_then(bad)) {
        (Some(row), _) => ("response", row),
        (None, Some(row)) => ("offset", row),
        // Both are finite, their difference is not.
        (None, None) => ("response", 0),
    };
    Error::NonFinite { kind, term: 0, column: 1, row: row + 1 }
}

/// The way back from every term's basis, and its place among the columns of its factor.
fn term_maps(design: &Design<'_>, bases: &[Basis<'_>]) -> Vec<TermMap> {
    let mut next = vec![0; design.factors.len()];
    let one = |(basis, factor): (&Basis<'_>, usize)| {
        let first = next[factor];
        next[factor] += basis.columns.len();
        TermMap { factor, first, basis: basis.map.clone() }
    };
    bases.iter().zip(design.terms.iter().map(|t| t.factor)).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design::{Factor, Term};

    fn noise(n: usize, seed: usize) -> Vec<f64> {
        (0..n).map(|i| ((i * 7919 + seed * 104_729) % 1009) as f64 / 1009.0).collect()
    }

    /// Against the textbook: y = 1 + 2 x + e with e orthogonal to both.
    #[test]
    fn without_a_random_term_the_sums_are_those_of_least_squares() {
        let n = 40;
        let x: Vec<f64> = (0..n).map(|i| (i / 4) as f64).collect();
        let e = |i: usize| [0.5, -0.5, -0.5, 0.5][i % 4];
        let y: Vec<f64> = (0..n).map(|i| 1.0 + 2.0 * x[i] + e(i)).collect();
        let design = Design::new(&y, vec![Column::Constant, Column::Values(&x)], vec![], vec![]);
        let a = sum_rows(&design, 1).unwrap();
        assert_eq!((a.n, a.p, a.factors.len(), a.pairs.len(), a.order.all().count()), (n, 2, 0, 0, 0));
        let c = &a.coordinates;
        let squares = a.gram[8] * c.y_scale * c.y_scale;
        assert!((squares - 0.25 * n as f64).abs() < 1e-12, "{squares}");
        let beta = crate::design::fixed_to_user(c, &[0.0, 0.0]);
        assert!((beta[0] - 1.0).abs() < 1e-12 && (beta[1] - 2.0).abs() < 1e-12, "{beta:?}");
        for k in 0..4 {
            let unit = if k % 3 == 0 { n as f64 } else { 0.0 };
            assert!((a.gram[k / 2 * 3 + k % 2] - unit).abs() < 1e-12 * n as f64);
        }
        // Checked sums, rows that are read again, and another response do without a factor, too.
        let pieces = (a.gram.clone(), a.factors.clone(), a.pairs.clone(), a.order.clone(), a.coordinates.clone());
        let mut again = Crossprod::from_sums(n, pieces.0, pieces.1, pieces.2, pieces.3, pieces.4).unwrap();
        let other: Vec<f64> = y.iter().map(|y| 3.0 * y - 2.0).collect();
        assert!(crate::crossprod::replace_response::replace(&design, &mut again, &other));
        let found = again.gram[8] * again.coordinates.y_scale * again.coordinates.y_scale;
        assert!((found - 9.0 * squares).abs() < 1e-11, "{found}");
        let mut rest = a.clone();
        assert!(crate::crossprod::delete_rows::RowDeletion::new(&design, &a).delete(&[0, 1, 2, 3], &mut rest));
        let found = rest.gram[8] * c.y_scale * c.y_scale;
        assert!((found - 0.25 * 36.0).abs() < 1e-12, "{found}");
    }

    /// Columns of a term that stand among those of X have the basis that they would have by themselves.
    #[test]
    fn bases_do_not_depend_on_where_their_products_come_from() {
        let n = 60;
        let (x, z, y, w) = (noise(n, 1), noise(n, 2), noise(n, 3), noise(n, 4));
        let (z2, w): (Vec<f64>, Vec<f64>) = (z.clone(), w.iter().map(|w| 0.5 + w).collect());
        let g: Vec<i32> = (0..n).map(|i| 1 + i as i32 % 7).collect();
        let fixed = [
            vec![Column::Constant, Column::Values(&x), Column::Values(&z)],
            vec![Column::Values(&x), Column::Values(&z)],
        ];
        for fixed in fixed {
            for constant in [vec![Column::Constant], vec![]] {
                let [shared, own] = [&z, &z2].map(|z| {
                    let basis = [&constant[..], &[Column::Values(z)]].concat();
                    let factors = vec![Factor { codes: &g, levels: 7 }];
                    let mut design = Design::new(&y, fixed.clone(), factors, vec![Term::new(0, basis)]);
                    design.weights = Some(&w);
                    sum_rows(&design, 1).unwrap()
                });
                let pairs = shared.factors[0].diag.iter().chain(&shared.factors[0].rhs);
                for (a, b) in pairs.zip(own.factors[0].diag.iter().chain(&own.factors[0].rhs)) {
                    assert!((a - b).abs() < 1e-12 * n as f64, "{a} {b}");
                }
            }
        }
    }
}
