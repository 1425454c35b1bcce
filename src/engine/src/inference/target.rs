//! The quantity that a profile holds; and the factor of a term without a pattern in which it is one element.
//!
//! Var(b) of the term is (D L)(D L)' in the user's basis with the target's columns first and D their units: a standard
//! deviation is the first element of L, a correlation the direction of its second row.

use crate::design::{user_from_working, working_from_user};
use crate::likelihood::Model;
use crate::numerics::small;

/// What is held. Terms and columns count from 0, in the user's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Standard deviation of a column of a term.
    Sd {
        /// Term.
        term: usize,
        /// Column.
        column: usize,
    },
    /// Correlation of two columns of a term.
    Correlation {
        /// Term.
        term: usize,
        /// The two columns.
        columns: (usize, usize),
    },
    /// Residual standard deviation.
    Sigma,
    /// Coefficient, by its place among the kept columns of X.
    Coefficient(usize),
    /// Coefficient of the log residual standard deviation.
    ResidualScale(usize),
    /// Correlation of the residuals within series.
    ResidualCorrelation,
}

/// The factor of the target's term, with T = frame L / sqrt(sigma^2).
pub(super) struct TargetFactor {
    pub term: usize,
    pub q: usize,
    /// F P' D / y_scale, q x q by rows: order P and units D of the user's columns, F to the working basis.
    pub frame: Vec<f64>,
    /// Unit of the first column.
    pub unit: f64,
    /// True if the first correlation is held, false if the first standard deviation is.
    pub correlation: bool,
}

impl TargetFactor {
    /// The frame of `target` at T = `block` (working basis) and sigma^2 = s, with L there.
    pub fn new(model: &Model, target: Target, block: &[f64], s: f64) -> Option<(TargetFactor, Vec<f64>)> {
        let (term, leading) = match target {
            Target::Sd { term, column } => (term, vec![column]),
            Target::Correlation { term, columns } => (term, vec![columns.0, columns.1]),
            _ => return None,
        };
        let (scale, map) = (model.a.coordinates.y_scale, &model.a.coordinates.terms[term]);
        let q = map.q();
        let forth = working_from_user(map);
        let back = user_from_working(map);
        let mut user = vec![0.0; q * q];
        small::mul(&mut user, &back, block, q, q, q, s.sqrt() * scale);
        let mut order = leading.clone();
        order.extend((0..q).filter(|c| !leading.contains(c)));
        // A column that has no variance yet is measured by what would be one sigma in the working basis.
        let size = |row: usize| (0..q).map(|c| user[row * q + c].powi(2)).sum::<f64>().sqrt();
        let spare = |row: usize| (0..q).map(|c| back[row * q + c].powi(2)).sum::<f64>().sqrt() * s.sqrt() * scale;
        let units: Vec<f64> =
            order.iter().map(|&r| if size(r) > 1e-8 * spare(r) { size(r) } else { spare(r) }).collect();
        let ordered: Vec<f64> = (0..q * q).map(|k| user[order[k / q] * q + k % q] / units[k / q]).collect();
        let (mut l, mut turn) = small::lower_from_product(&ordered, q);
        small::clear_zero_pivots(&mut l, &mut turn, q);
        let mut frame = vec![0.0; q * q];
        for i in 0..q {
            for (c, &column) in order.iter().enumerate() {
                frame[i * q + c] = forth[i * q + column] * units[c] / scale;
            }
        }
        Some((TargetFactor { term, q, frame, unit: units[0], correlation: leading.len() == 2 }, l))
    }

    /// Number of free elements.
    pub fn len(&self) -> usize {
        self.q * (self.q + 1) / 2 - 1
    }

    /// What is held of L, in the user's unit, and the free elements.
    pub fn split(&self, l: &[f64]) -> (f64, Vec<f64>) {
        let q = self.q;
        let rows = |from: usize| (from..q).flat_map(move |r| l[r * q..r * q + r + 1].to_vec());
        if self.correlation {
            let m = l[q].hypot(l[q + 1]);
            let rho = if m > 0.0 { l[q] / m } else { f64::NAN };
            return (rho, [l[0], m].into_iter().chain(rows(2)).collect());
        }
        (l[0] * self.unit, rows(1).collect())
    }

    /// L from its free elements and the value that is held.
    pub fn lower(&self, free: &[f64], value: f64) -> Vec<f64> {
        let q = self.q;
        let mut l = vec![0.0; q * q];
        let (mut rest, mut from) = (free, 1);
        if self.correlation {
            l[0] = rest[0];
            l[q] = rest[1] * value;
            l[q + 1] = rest[1] * (1.0 - value * value).max(0.0).sqrt();
            (rest, from) = (&rest[2..], 2);
        } else {
            l[0] = value / self.unit;
        }
        for r in from..q {
            l[r * q..r * q + r + 1].copy_from_slice(&rest[..r + 1]);
            rest = &rest[r + 1..];
        }
        l
    }

    /// Gradient in the free elements, from that in T / 2.
    pub fn slope(&self, of_t: &[f64], value: f64, s: f64) -> Vec<f64> {
        let q = self.q;
        let mut d = vec![0.0; q * q];
        small::mul_transposed(&mut d, &self.frame, of_t, q, q, q, 2.0 / s.sqrt());
        let mut out = Vec::with_capacity(self.len());
        let mut from = 1;
        if self.correlation {
            out.extend([d[0], value * d[q] + (1.0 - value * value).max(0.0).sqrt() * d[q + 1]]);
            from = 2;
        }
        out.extend((from..q).flat_map(|r| d[r * q..r * q + r + 1].to_vec()));
        out
    }
}
