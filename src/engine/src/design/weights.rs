//! Prior weights, divided by their geometric mean.

use super::design::Design;
use crate::error::{Error, Result};
use crate::numerics::sums::{chunk, chunks};
use crate::numerics::threads::Workers;

/// Weights divided by their geometric mean.
#[derive(Clone, Copy, Debug)]
pub struct Weight<'a> {
    values: Option<&'a [f64]>,
    inverse_mean: f64,
    /// Sum of the logarithms of the weights as given.
    pub log_sum: f64,
    /// Their geometric mean.
    pub mean: f64,
}

impl<'a> Weight<'a> {
    /// Checks the weights and finds their geometric mean.
    ///
    /// # Errors
    /// [`Error::NonFinite`], [`Error::NotPositiveWeight`] with the row.
    pub fn new(design: &Design<'a>, workers: &Workers) -> Result<Self> {
        let Some(w) = design.weights else {
            return Ok(Weight { values: None, inverse_mean: 1.0, log_sum: 0.0, mean: 1.0 });
        };
        let n = design.n();
        if let Some(row) = w.iter().position(|x| !x.is_finite()) {
            return Err(Error::NonFinite { kind: "weights", term: 0, column: 1, row: row + 1 });
        }
        if let Some(row) = w.iter().position(|x| *x <= 0.0) {
            return Err(Error::NotPositiveWeight { row: row + 1 });
        }
        let log_sum: f64 = workers.map(chunks(n), |c| w[chunk(c, n)].iter().map(|x| x.ln()).sum::<f64>()).iter().sum();
        let mean = (log_sum / n as f64).exp();
        Ok(Weight { values: Some(w), inverse_mean: 1.0 / mean, log_sum, mean })
    }

    /// Weight of row `i`.
    #[inline]
    pub fn at(&self, i: usize) -> f64 {
        match self.values {
            Some(w) => w[i] * self.inverse_mean,
            None => 1.0,
        }
    }

    /// True if all weights are one.
    pub fn is_unit(&self) -> bool {
        self.values.is_none()
    }

    /// Multiplies columns of some rows, one after the other, by the roots of their weights.
    pub fn scale(&self, rows: std::ops::Range<usize>, columns: &mut [f64]) {
        if !self.is_unit() {
            for column in columns.chunks_exact_mut(rows.len()) {
                column.iter_mut().zip(rows.clone()).for_each(|(x, i)| *x *= self.at(i).sqrt());
            }
        }
    }
}
