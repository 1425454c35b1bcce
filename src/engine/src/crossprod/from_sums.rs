//! Sums that were made elsewhere, in a database or from chunks: checked, as nobody else will.

use crate::crossprod::crossprod::{Crossprod, FactorSums, Pair};
use crate::design::{BasisMap, Coordinates, Order};
use crate::error::{Error, Result};

impl Crossprod {
    /// Puts sums together that are in the working coordinates that `coordinates` leads back from.
    ///
    /// # Arguments
    /// * `n`: rows.
    /// * `gram`: [X, y]'W[X, y], order p + 1, by rows.
    /// * `factors`: sums by level; every level has a row.
    /// * `pairs`: sums by cell of every two factors, f before g in `order`.
    ///
    /// # Errors
    /// [`Error::Dimension`] naming what has the wrong length or range; [`Error::NonFinite`] for a sum;
    /// [`Error::NotPositiveDefinite`] for squares that are negative or products that are not symmetric;
    /// [`Error::NoResidualDf`].
    pub fn from_sums(
        n: usize,
        gram: Vec<f64>,
        factors: Vec<FactorSums>,
        pairs: Vec<Pair>,
        order: Order,
        coordinates: Coordinates,
    ) -> Result<Crossprod> {
        let p = coordinates.x.kept.len();
        if p >= n {
            return Err(Error::NoResidualDf { n, rank: p });
        }
        let out = Crossprod { n, p, gram, factors, pairs, order, coordinates };
        out.check_coordinates()?;
        square(&out.gram, p + 1)?;
        out.check_factors()?;
        out.check_pairs()?;
        Ok(out)
    }

    fn check_coordinates(&self) -> Result<()> {
        let c = &self.coordinates;
        basis(&c.x, c.columns)?;
        expect("coefficients of X", self.p, c.gamma.len())?;
        let mut widths = vec![0; self.factors.len()];
        for term in &c.terms {
            let width = widths.get_mut(term.factor);
            let width = width.ok_or(Error::Dimension {
                what: "factor of a term",
                expected: self.factors.len(),
                found: term.factor,
            })?;
            expect("first column of a term", *width, term.first)?;
            basis(&term.basis, term.q())?;
            *width += term.q();
        }
        self.factors.iter().zip(widths).try_for_each(|(f, q)| expect("columns of a factor", q, f.q))?;
        finite([c.y_shift, c.y_scale, c.weight_mean, c.weight_log_sum].iter().chain(&c.gamma))?;
        positive([c.y_scale, c.weight_mean].iter())
    }

    fn check_factors(&self) -> Result<()> {
        for f in &self.factors {
            let (levels, q) = (f.levels, f.q);
            expect("sums by level", levels * q * q, f.diag.len())?;
            expect("products by level", levels * q * (self.p + 1), f.rhs.len())?;
            expect("levels", levels, f.counts.len())?;
            expect("levels that occur", levels, f.counts.iter().filter(|c| **c > 0).count())?;
            expect("rows of all levels", self.n, f.counts.iter().map(|c| *c as usize).sum())?;
            finite(&f.rhs)?;
            f.diag.chunks_exact((q * q).max(1)).try_for_each(|block| square(block, q))?;
        }
        Ok(())
    }

    fn check_pairs(&self) -> Result<()> {
        let all: Vec<usize> = self.order.all().collect();
        let k = self.factors.len();
        let mut sorted = all.clone();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(0..k) {
            return Err(Error::Dimension {
                what: "factors in the order of elimination",
                expected: k,
                found: all.len(),
            });
        }
        let twos = all.iter().enumerate().flat_map(|(at, &f)| all[at + 1..].iter().map(move |&g| (f, g)));
        for (f, g) in twos {
            let found = self.pairs.iter().filter(|p| (p.f, p.g) == (f, g)).count();
            expect("sums of two factors", 1, found)?;
        }
        expect("pairs of factors", k * k.saturating_sub(1) / 2, self.pairs.len())?;
        for (at, pair) in self.pairs.iter().enumerate() {
            let (f, g) = (&self.factors[pair.f], &self.factors[pair.g]);
            expect("first cells of levels", f.levels + 1, pair.starts.len())?;
            expect("first cell", 0, pair.starts[0])?;
            expect("cells", pair.cols.len(), pair.starts[f.levels])?;
            for w in pair.starts.windows(2) {
                // A level has a row, and so a cell; cells of a level ascend.
                let own = if w[0] < w[1] { pair.cols.get(w[0]..w[1]) } else { None };
                match own {
                    Some(c) if c.windows(2).all(|c| c[0] < c[1]) && (c[c.len() - 1] as usize) < g.levels => {}
                    _ => return Err(Error::Dimension { what: "cells of a level", expected: g.levels, found: at }),
                }
            }
            let inside = self.order.chain.contains(&pair.f) && self.order.chain.contains(&pair.g);
            if inside {
                expect("cells of nested factors", f.levels, pair.cols.len())?;
            }
            expect("sums of cells", pair.cols.len() * f.q * g.q, pair.blocks.len())?;
            finite(&pair.blocks)?;
        }
        Ok(())
    }
}

fn expect(what: &'static str, expected: usize, found: usize) -> Result<()> {
    if expected == found {
        Ok(())
    } else {
        Err(Error::Dimension { what, expected, found })
    }
}

fn finite<'v>(values: impl IntoIterator<Item = &'v f64>) -> Result<()> {
    match values.into_iter().position(|v| !v.is_finite()) {
        Some(at) => Err(Error::NonFinite { kind: "sums", term: 0, column: 1, row: at + 1 }),
        None => Ok(()),
    }
}

fn positive<'v>(mut values: impl Iterator<Item = &'v f64>) -> Result<()> {
    if values.all(|v| *v > 0.0) {
        Ok(())
    } else {
        Err(Error::NotPositiveDefinite)
    }
}

/// Cross-products of columns with themselves: symmetric to rounding, no negative square.
fn square(values: &[f64], m: usize) -> Result<()> {
    expect("cross-products", m * m, values.len())?;
    finite(values)?;
    let root = |i: usize| values[i * m + i].sqrt();
    let bad = |k: usize| {
        let (i, j) = (k / m, k % m);
        let size = root(i) * root(j);
        // A negative square has no root, which no comparison bears.
        !((values[k] - values[j * m + i]).abs() <= 1e-10 * size && values[k].abs() <= (1.0 + 1e-10) * size)
    };
    if (0..m * m).any(bad) {
        return Err(Error::NotPositiveDefinite);
    }
    Ok(())
}

/// Kept columns among `columns`, and R upper triangular with a positive diagonal.
fn basis(map: &BasisMap, columns: usize) -> Result<()> {
    let q = map.kept.len();
    let ascending = map.kept.windows(2).all(|w| w[0] < w[1]) && map.kept.last().is_none_or(|k| *k < columns);
    if !ascending || map.constant.is_some_and(|k| k >= q) {
        return Err(Error::Dimension { what: "kept columns", expected: columns, found: q });
    }
    expect("shifts of columns", q, map.shift.len())?;
    expect("scales of columns", q, map.scale.len())?;
    expect("elements of R", q * q, map.r.len())?;
    expect("coefficients of the constant", q, map.ones.as_ref().map_or(q, Vec::len))?;
    finite(map.shift.iter().chain(&map.scale).chain(&map.r).chain(map.ones.iter().flatten()))?;
    expect("elements below the diagonal of R", 0, (0..q * q).filter(|k| k / q > k % q && map.r[*k] != 0.0).count())?;
    if map.scale.contains(&0.0) {
        return Err(Error::NotPositiveDefinite);
    }
    positive((0..q).map(|i| &map.r[i * q + i]))
}
