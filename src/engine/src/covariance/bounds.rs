//! Where phi ends: standard deviations and correlations that leave the range of numbers, and values at which the criterion
//! is stationary or flat whatever the data.

use crate::covariance::residual::{ResidualCovariance, SPREAD};
use crate::design::Serial;
use crate::error::{Error, Result};

/// Largest transformed correlation.
const TIGHT: f64 = 9.0;

impl ResidualCovariance {
    /// False where a standard deviation or a correlation has left the range of numbers.
    pub fn is_inside(&self, phi: &[f64]) -> bool {
        self.spread(phi) < 2.0 * SPREAD && phi.get(self.k).is_none_or(|r| r.abs() < self.tightest(2.0 * TIGHT))
    }

    /// Refuses a phi that is on its way to infinity.
    pub fn check(&self, phi: &[f64]) -> Result<()> {
        self.check_within(phi, 1.0)
    }

    /// The same within a share of the limits.
    pub fn check_within(&self, phi: &[f64], share: f64) -> Result<()> {
        if self.spread(phi) > share * SPREAD {
            let column = (0..self.k).max_by(|&i, &j| phi[i].abs().total_cmp(&phi[j].abs())).unwrap_or(0);
            let to = if phi[column] < 0.0 { "zero" } else { "infinite" };
            return Err(Error::ResidualScale { column: column + 1, to });
        }
        if phi.get(self.k).is_some_and(|r| r.abs() > self.tightest(share * TIGHT)) {
            return Err(Error::ResidualScale { column: 0, to: "one" });
        }
        Ok(())
    }

    /// The error for phi[i] along which the criterion does not change.
    pub fn flat(&self, i: usize) -> Error {
        Error::ResidualScale { column: if i < self.k { i + 1 } else { 0 }, to: "flat" }
    }

    /// True if phi[i] is a continuous-time correlation at its limit of zero, where steps of more than one unit of time make
    /// the criterion flat.
    pub(crate) fn is_idle(&self, phi: &[f64], i: usize) -> bool {
        i == self.k && self.serial() == Some(Serial::Car1) && self.rho(phi).is_some_and(|r| r < 1e-3)
    }

    /// Element i of phi, away from where the criterion is stationary or flat whatever the data.
    pub(crate) fn opened(&self, i: usize, phi: f64) -> f64 {
        match self.serial() {
            Some(Serial::Car1) if i == self.k => phi.abs().max(0.2),
            Some(Serial::Cs) if i == self.k => phi.clamp(-4.0, 8.0),
            _ => phi,
        }
    }

    /// Edges of the correlation, each with the last value before it where R can be inverted.
    pub(crate) fn edges(&self) -> [(f64, f64); 2] {
        let rho = |r: f64| {
            let mut phi = vec![0.0; self.k];
            phi.push(r);
            self.rho(&phi).unwrap_or(0.0)
        };
        let (far, high) = (self.tightest(8.0), 1.0);
        match self.serial() {
            Some(Serial::Car1) => [(0.0, 0.0), (high, rho(far))],
            Some(Serial::Cs) => [(rho(f64::NEG_INFINITY), rho(-far)), (high, rho(far))],
            _ => [(-1.0, rho(-far)), (high, rho(far))],
        }
    }

    /// Puts a common correlation that is nearly at its lower limit (where R is singular) so close to it that the criterion
    /// differs by rounding; true if it is there.
    pub(crate) fn hold(&self, phi: &mut [f64]) -> bool {
        let there = self.serial() == Some(Serial::Cs) && phi[self.k] < -12.0;
        if there {
            phi[self.k] = -16.0;
        }
        there
    }
}
