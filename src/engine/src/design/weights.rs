//! Prior weights, and weighted Gram matrices of functions of a row.

use super::design::Design;
use crate::error::{Error, Result};
use crate::numerics::sums::{add_gram, chunk, chunks, sum_in_pairs};
use crate::numerics::threads::Workers;

/// Rows packed at once.
const PACK: usize = 256;

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
}

/// Weighted Gram matrix (m x m by rows, both triangles) of the columns that `fill` writes for a range of rows, one after
/// the other.
pub fn gram(
    n: usize,
    workers: &Workers,
    m: usize,
    weight: &Weight<'_>,
    fill: impl Fn(std::ops::Range<usize>, &mut [f64]) + Sync,
) -> Vec<f64> {
    let parts = workers.map(chunks(n), |c| {
        let mut g = vec![0.0; m * m];
        let mut buffer = vec![0.0; PACK * m];
        let range = chunk(c, n);
        for start in range.clone().step_by(PACK) {
            let stop = (start + PACK).min(range.end);
            let packed = &mut buffer[..(stop - start) * m];
            fill(start..stop, packed);
            if !weight.is_unit() {
                for column in packed.chunks_exact_mut(stop - start) {
                    column.iter_mut().zip(start..stop).for_each(|(x, i)| *x *= weight.at(i).sqrt());
                }
            }
            add_gram(&mut g, packed, stop - start, m);
        }
        g
    });
    let mut g = sum_in_pairs(parts);
    for j in 0..m {
        for i in j + 1..m {
            g[i * m + j] = g[j * m + i];
        }
    }
    g
}
