//! A set of columns and its orthonormal coordinates: columns = Q R with Q of unit weighted mean square.
//!
//! R comes from the Gram matrix where that keeps the digits, and from the rows where it does not; dependent columns are
//! dropped from left to right, as in `lm()`.

use std::ops;
use std::sync::Arc;

use crate::design::column::{Prepared, Range, Source};
use crate::design::coordinates::BasisMap;
use crate::design::design::Column;
use crate::design::weights::Weight;
use crate::numerics::small;
use crate::numerics::sums;
use crate::numerics::threads::Workers;

/// Below this share of its length outside the span of the columns before it, a column is made orthogonal on the
/// rows and not through its cross-products (which would lose twice the digits).
const ORTHOGONALISE: f64 = 1e-3;
/// Below this share (of the norm), a column is a combination of the others: the tolerance of `lm()`.
const DEPENDENT: f64 = 1e-7;

/// Writes the values of some rows.
pub type Fill<'f> = dyn Fn(ops::Range<usize>, &mut [f64]) + Sync + 'f;

/// Columns that are shifted (only if they hold a constant) and scaled.
#[derive(Clone, Debug)]
pub struct Scaled<'a> {
    /// The columns, all of them.
    pub columns: Vec<Prepared<'a>>,
    /// Place of the first constant column.
    pub constant: Option<usize>,
    /// False for a second constant column: it is dependent and must not survive as rounding noise.
    usable: Vec<bool>,
}

/// Columns with their orthonormal coordinates.
#[derive(Clone, Debug)]
pub struct Basis<'a> {
    /// Kept columns and the way back to the user's.
    pub map: BasisMap,
    /// Columns that are summed: the kept ones, in order.
    pub columns: Vec<Prepared<'a>>,
    /// R^-1 that is still to be applied to the sums, by rows (identity where the columns are Q already).
    pub rotate: Vec<f64>,
}

/// Weighted cross-products of scaled columns, of the constant 1 and of a response.
#[derive(Clone, Debug)]
pub struct Gram {
    /// Order.
    m: usize,
    /// Place of the constant 1.
    one: usize,
    /// m x m by rows.
    values: Vec<f64>,
}

impl<'a> Scaled<'a> {
    /// Centres and scales columns of known ranges.
    pub fn new(columns: &[Column<'a>], ranges: &[Range]) -> Scaled<'a> {
        let constant = ranges.iter().position(|r| r.is_constant() && r.max != 0.0);
        let prepared = columns.iter().zip(ranges).enumerate().map(|(c, (column, range))| {
            let centre = if range.is_constant() { range.max } else { range.mean };
            let (shift, scale) = match constant {
                Some(k) if k == c => (0.0, range.max),
                Some(_) => (centre, range.scale(centre)),
                None => (0.0, range.scale(0.0)),
            };
            Prepared { source: Source::Borrowed(*column), shift, factor: 1.0 / scale }
        });
        Scaled {
            columns: prepared.collect(),
            constant,
            usable: (0..columns.len()).map(|c| constant == Some(c) || !ranges[c].is_constant()).collect(),
        }
    }

    /// The columns of a basis that are orthonormal already.
    pub fn orthonormal(basis: &Basis<'a>) -> Scaled<'a> {
        Scaled { columns: basis.columns.clone(), constant: None, usable: vec![true; basis.columns.len()] }
    }

    /// Their cross-products and, as the last column, those with a response, in one pass over `n` rows.
    pub fn gram(&self, n: usize, weight: &Weight<'a>, workers: &Workers, response: Option<&Fill<'_>>) -> Gram {
        let q = self.columns.len();
        let one = self.constant.unwrap_or(q);
        let m = q.max(one + 1) + usize::from(response.is_some());
        let alike = |c: &Prepared<'_>| matches!(c.source, Source::Borrowed(Column::Constant));
        if weight.is_unit() && response.is_none() && self.columns.iter().all(alike) {
            return Gram { m, one, values: vec![n as f64; m * m] };
        }
        let values = sums::gram(n, workers, m, |rows, out| {
            let mut all = out.chunks_exact_mut(rows.len());
            self.columns.iter().zip(&mut all).for_each(|(c, out)| c.fill(rows.clone(), out));
            if one == q {
                all.by_ref().take(1).for_each(|out| out.fill(1.0));
            }
            if let Some(y) = response {
                all.for_each(|out| y(rows.clone(), out));
            }
            weight.scale(rows, out);
        });
        Gram { m, one, values }
    }
}

impl Gram {
    fn at(&self, i: usize, j: usize) -> f64 {
        self.values[i * self.m + j]
    }

    /// Those of other columns, which stand at `places` among these.
    pub fn of(&self, columns: &Scaled<'_>, places: &[usize]) -> Gram {
        let one = columns.constant.unwrap_or(places.len());
        let all: Vec<usize> = places.iter().copied().chain((one == places.len()).then_some(self.one)).collect();
        let values = all.iter().flat_map(|&i| all.iter().map(move |&j| self.at(i, j))).collect();
        Gram { m: all.len(), one, values }
    }

    /// Products of the kept columns with each other (q x q by rows), with the constant 1, and with the response.
    pub fn kept(&self, kept: &[usize]) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
        let with = |c: usize| kept.iter().map(move |&i| self.at(i, c)).collect();
        let own = kept.iter().flat_map(|&i| kept.iter().map(move |&j| self.at(i, j))).collect();
        (own, with(self.one), with(self.m - 1))
    }
}

impl<'a> Basis<'a> {
    /// Orthonormalises columns by sequential Cholesky of their Gram matrix, or on the rows where that would lose digits;
    /// drops dependent columns.
    pub fn new(scaled: &Scaled<'a>, gram: &Gram, n: usize, weight: &Weight<'a>) -> Basis<'a> {
        let total = gram.at(gram.one, gram.one);
        let unit = total.sqrt();
        let Some((kept, l)) = cholesky(&scaled.usable, gram) else {
            let (kept, r, owned) = on_rows(scaled, n, weight, unit);
            let z: Vec<f64> = owned.iter().map(|v| (0..n).map(|i| weight.at(i) * v[i]).sum::<f64>() / total).collect();
            return finish(scaled, kept, r, Some(owned), &z);
        };
        let q = kept.len();
        let mut r = vec![0.0; q * q];
        let mut z = vec![0.0; q];
        for i in 0..q {
            (0..=i).for_each(|j| r[j * q + i] = l[i][j] / unit);
            z[i] = (gram.at(kept[i], gram.one) - (0..i).map(|m| l[i][m] * z[m]).sum::<f64>()) / l[i][i];
        }
        z.iter_mut().for_each(|x| *x /= unit);
        finish(scaled, kept, r, None, &z)
    }

    /// True if the columns that are summed are orthonormal already, and not the user's.
    pub fn is_on_rows(&self) -> bool {
        self.columns.iter().any(|c| matches!(c.source, Source::Owned(_)))
    }
}

/// Place among `columns` of each of `own`, held at the same address; `None` if one is missing.
pub fn places_in(columns: &[Column<'_>], own: &[Column<'_>]) -> Option<Vec<usize>> {
    let same = |a: &Column<'_>, b: &Column<'_>| match (a, b) {
        (Column::Constant, Column::Constant) => true,
        (Column::Values(a), Column::Values(b)) => std::ptr::eq(*a, *b),
        _ => false,
    };
    own.iter().map(|b| columns.iter().position(|a| same(a, b))).collect()
}

/// Usable columns and the rows of their lower triangle; `None` where digits would be lost.
fn cholesky(usable: &[bool], gram: &Gram) -> Option<(Vec<usize>, Vec<Vec<f64>>)> {
    let mut kept: Vec<usize> = Vec::new();
    let mut l: Vec<Vec<f64>> = Vec::new();
    for c in (0..usable.len()).filter(|c| usable[*c]) {
        let mut row = Vec::with_capacity(kept.len() + 1);
        let mut d = gram.at(c, c);
        for (k, &other) in kept.iter().enumerate() {
            let s: f64 = gram.at(c, other) - (0..k).map(|m| row[m] * l[k][m]).sum::<f64>();
            row.push(s / l[k][k]);
            d -= row[k] * row[k];
        }
        if d <= ORTHOGONALISE * gram.at(c, c) {
            return None;
        }
        row.push(d.sqrt());
        l.push(row);
        kept.push(c);
    }
    Some((kept, l))
}

/// Gram-Schmidt twice on the rows, dropping dependent columns from left to right.
fn on_rows(scaled: &Scaled<'_>, n: usize, weight: &Weight<'_>, unit: f64) -> (Vec<usize>, Vec<f64>, Vec<Vec<f64>>) {
    let mut kept: Vec<usize> = Vec::new();
    let mut q: Vec<Vec<f64>> = Vec::new();
    let mut coordinates: Vec<Vec<f64>> = Vec::new();
    let norm = |v: &[f64]| (0..n).map(|i| weight.at(i) * v[i] * v[i]).sum::<f64>().sqrt() / unit;
    for c in (0..scaled.columns.len()).filter(|c| scaled.usable[*c]) {
        let mut v: Vec<f64> = (0..n).map(|i| scaled.columns[c].at(i)).collect();
        let before = norm(&v);
        let mut r = vec![0.0; q.len() + 1];
        for _ in 0..2 {
            for (k, qk) in q.iter().enumerate() {
                let s = (0..n).map(|i| weight.at(i) * v[i] * qk[i]).sum::<f64>() / (unit * unit);
                r[k] += s;
                for (x, y) in v.iter_mut().zip(qk) {
                    *x -= s * y;
                }
            }
        }
        let after = norm(&v);
        if after <= DEPENDENT * before {
            continue;
        }
        for x in &mut v {
            *x /= after;
        }
        r[q.len()] = after;
        q.push(v);
        coordinates.push(r);
        kept.push(c);
    }
    let m = kept.len();
    let mut r = vec![0.0; m * m];
    for (j, column) in coordinates.iter().enumerate() {
        for (i, x) in column.iter().enumerate() {
            r[i * m + j] = *x;
        }
    }
    (kept, r, q)
}

/// `z`: coordinates of the constant 1 on the orthonormal columns (its squared length in their span is at most 1).
fn finish<'a>(
    scaled: &Scaled<'a>,
    kept: Vec<usize>,
    r: Vec<f64>,
    owned: Option<Vec<Vec<f64>>>,
    z: &[f64],
) -> Basis<'a> {
    let q = kept.len();
    let shift = kept.iter().map(|&c| scaled.columns[c].shift).collect();
    let scale = kept.iter().map(|&c| 1.0 / scaled.columns[c].factor).collect();
    let constant = scaled.constant.and_then(|c| kept.iter().position(|&k| k == c));
    let r_inverse = small::invert_upper(&r, q);
    let ones = if let Some(k) = constant {
        Some((0..q).map(|c| f64::from(u8::from(c == k))).collect())
    } else if (1.0 - z.iter().map(|x| x * x).sum::<f64>()).abs() < 1e-10 {
        let mut a = vec![0.0; q];
        small::mul(&mut a, &r_inverse, z, q, q, 1, 1.0);
        Some(a)
    } else {
        None
    };
    let (columns, rotate) = match owned {
        Some(values) => {
            let own = |v| Prepared { source: Source::Owned(Arc::new(v)), shift: 0.0, factor: 1.0 };
            let mut eye = vec![0.0; q * q];
            (0..q).for_each(|i| eye[i * q + i] = 1.0);
            (values.into_iter().map(own).collect(), eye)
        }
        None => (kept.iter().map(|&c| scaled.columns[c].clone()).collect(), r_inverse),
    };
    Basis { map: BasisMap { kept, shift, scale, constant, r, ones }, columns, rotate }
}
