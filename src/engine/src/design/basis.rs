//! A set of columns and its orthonormal coordinates: columns = Q R with Q of unit weighted mean square.
//!
//! R comes from the Gram matrix where that keeps the digits, and from the rows where it does not; dependent columns are
//! dropped from left to right, as in `lm()`.

use crate::design::column::{Prepared, Range, Source};
use crate::design::design::{Column, Design};
use crate::design::weights;
use crate::error::{Error, Result};
use crate::numerics::small;
use crate::numerics::threads::Workers;

/// Below this share of its length outside the span of the columns before it, a column is made orthogonal on the
/// rows and not through its cross-products (which would lose twice the digits).
const ORTHOGONALISE: f64 = 1e-3;
/// Below this share (of the norm), a column is a combination of the others: the tolerance of `lm()`.
const DEPENDENT: f64 = 1e-7;

/// Columns with their orthonormal coordinates: user's column = shift + scale * (Q R).
#[derive(Clone, Debug)]
pub struct Basis<'a> {
    /// Columns that are summed (kept ones, in order).
    pub columns: Vec<Prepared<'a>>,
    /// Index of each kept column among the caller's, from 0.
    pub kept: Vec<usize>,
    /// Shift of each kept column.
    pub shift: Vec<f64>,
    /// Scale of each kept column.
    pub scale: Vec<f64>,
    /// Place of the constant among the kept columns.
    pub constant: Option<usize>,
    /// R by rows: scaled columns = Q R.
    pub r: Vec<f64>,
    /// R^-1 that is still to be applied to the sums (identity when the columns are Q already).
    pub rotate: Vec<f64>,
    /// Coefficients of the constant 1 on the scaled columns, if it lies in their span.
    pub ones: Option<Vec<f64>>,
}

/// What the columns of a basis are, for messages.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// `fixed` or `random`.
    pub name: &'static str,
    /// Random term, from 1; 0 for the fixed part.
    pub term: usize,
}

impl<'a> Basis<'a> {
    /// Prepares `columns`: shift (only if they hold a constant), scale, orthonormalise, drop dependent columns.
    ///
    /// # Errors
    /// [`Error::NonFinite`] with kind, column and row.
    pub fn new(
        design: &Design<'a>,
        columns: &[Column<'a>],
        weight: &weights::Weight<'a>,
        workers: &Workers,
        kind: Kind,
    ) -> Result<Self> {
        let n = design.n();
        let mut ranges = Vec::with_capacity(columns.len());
        for (c, column) in columns.iter().enumerate() {
            let range = match column {
                Column::Constant => Range { mean: 1.0, min: 1.0, max: 1.0 },
                Column::Values(v) => Range::of(n, workers, |i| v[i]).ok_or_else(|| Error::NonFinite {
                    kind: kind.name,
                    term: kind.term,
                    column: c + 1,
                    row: 1 + v.iter().position(|x| !x.is_finite()).unwrap_or(0),
                })?,
            };
            ranges.push(range);
        }
        let constant = ranges.iter().position(|r| r.is_constant() && r.max != 0.0);
        let prepared: Vec<Prepared<'a>> = columns
            .iter()
            .zip(&ranges)
            .enumerate()
            .map(|(c, (column, range))| {
                let is_constant = range.is_constant();
                let shift = if constant.is_some() && constant != Some(c) {
                    if is_constant {
                        range.max
                    } else {
                        range.mean
                    }
                } else {
                    0.0
                };
                let (shift, scale) = if constant == Some(c) { (0.0, range.max) } else { (shift, range.scale(shift)) };
                Prepared { source: Source::Borrowed(*column), shift, factor: 1.0 / scale }
            })
            .collect();
        // A second constant column is dependent and must not survive as rounding noise.
        let usable: Vec<bool> = (0..columns.len()).map(|c| constant == Some(c) || !ranges[c].is_constant()).collect();
        let m = prepared.len() + 1;
        let gram = if weight.is_unit() && columns.iter().all(|c| matches!(c, Column::Constant)) {
            vec![n as f64; m * m]
        } else {
            weights::gram(n, workers, m, weight, |rows, out| {
                let mut columns = out.chunks_exact_mut(rows.len());
                prepared.iter().zip(&mut columns).for_each(|(p, out)| p.fill(rows.clone(), out));
                columns.for_each(|out| out.fill(1.0));
            })
        };
        Ok(orthonormalise(prepared, constant, &usable, &gram, n, weight))
    }
}

/// True if both are the same columns, held at the same place.
pub fn same(a: &[Column<'_>], b: &[Column<'_>]) -> bool {
    a.len() == b.len()
        && a.iter().zip(b).all(|pair| match pair {
            (Column::Constant, Column::Constant) => true,
            (Column::Values(a), Column::Values(b)) => std::ptr::eq(*a, *b),
            _ => false,
        })
}

/// Sequential Cholesky of the Gram matrix (order p + 1, the constant last); falls back to the rows when digits are lost.
fn orthonormalise<'a>(
    prepared: Vec<Prepared<'a>>,
    constant: Option<usize>,
    usable: &[bool],
    gram: &[f64],
    n: usize,
    weight: &weights::Weight<'a>,
) -> Basis<'a> {
    let p = prepared.len();
    let total = gram[p * (p + 1) + p];
    let mut kept: Vec<usize> = Vec::new();
    let mut l: Vec<Vec<f64>> = Vec::new();
    let mut exact = true;
    for c in (0..p).filter(|c| usable[*c]) {
        let mut row = Vec::with_capacity(kept.len() + 1);
        let mut d = gram[c * (p + 1) + c];
        for (k, &other) in kept.iter().enumerate() {
            let s: f64 = gram[c * (p + 1) + other] - (0..k).map(|m| row[m] * l[k][m]).sum::<f64>();
            row.push(s / l[k][k]);
            d -= row[k] * row[k];
        }
        if d <= ORTHOGONALISE * gram[c * (p + 1) + c] {
            exact = false;
            break;
        }
        row.push(d.sqrt());
        l.push(row);
        kept.push(c);
    }
    let unit = total.sqrt();
    if exact {
        let q = kept.len();
        let mut r = vec![0.0; q * q];
        for i in 0..q {
            for j in 0..=i {
                r[j * q + i] = l[i][j] / unit;
            }
        }
        let mut z = vec![0.0; q];
        for i in 0..q {
            z[i] = (gram[kept[i] * (p + 1) + p] - (0..i).map(|m| l[i][m] * z[m]).sum::<f64>()) / l[i][i];
        }
        z.iter_mut().for_each(|x| *x /= unit);
        return finish(prepared, kept, constant, r, None, &z);
    }
    let (kept, r, owned) = on_rows(&prepared, usable, n, weight, unit);
    let z: Vec<f64> = owned.iter().map(|v| (0..n).map(|i| weight.at(i) * v[i]).sum::<f64>() / total).collect();
    finish(prepared, kept, constant, r, Some(owned), &z)
}

/// Gram-Schmidt twice on the rows, dropping dependent columns from left to right.
fn on_rows(
    prepared: &[Prepared<'_>],
    usable: &[bool],
    n: usize,
    weight: &weights::Weight<'_>,
    unit: f64,
) -> (Vec<usize>, Vec<f64>, Vec<Vec<f64>>) {
    let mut kept: Vec<usize> = Vec::new();
    let mut q: Vec<Vec<f64>> = Vec::new();
    let mut coordinates: Vec<Vec<f64>> = Vec::new();
    let norm = |v: &[f64]| (0..n).map(|i| weight.at(i) * v[i] * v[i]).sum::<f64>().sqrt() / unit;
    for c in (0..prepared.len()).filter(|c| usable[*c]) {
        let mut v: Vec<f64> = (0..n).map(|i| prepared[c].at(i)).collect();
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
    prepared: Vec<Prepared<'a>>,
    kept: Vec<usize>,
    constant: Option<usize>,
    r: Vec<f64>,
    owned: Option<Vec<Vec<f64>>>,
    z: &[f64],
) -> Basis<'a> {
    let q = kept.len();
    let shift = kept.iter().map(|&c| prepared[c].shift).collect();
    let scale = kept.iter().map(|&c| 1.0 / prepared[c].factor).collect();
    let constant = constant.and_then(|c| kept.iter().position(|&k| k == c));
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
            let columns =
                values.into_iter().map(|v| Prepared { source: Source::Owned(v), shift: 0.0, factor: 1.0 }).collect();
            let mut eye = vec![0.0; q * q];
            (0..q).for_each(|i| eye[i * q + i] = 1.0);
            (columns, eye)
        }
        None => (kept.iter().map(|&c| prepared[c].clone()).collect(), r_inverse),
    };
    Basis { columns, kept, shift, scale, constant, r, rotate, ones }
}
