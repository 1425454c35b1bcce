//! Forms of correlation within a series: powers of rho, and rho as a smooth function of a free number.
//!
//! atanh(rho) for AR(1); rho = r^2/(1 + r^2) for CAR(1), which reaches zero as an ordinary point; for compound symmetry a
//! logistic curve between -1/(m - 1) and 1, with m the rows of the longest series.

use crate::design::Serial;

/// A form of correlation with the range of its rho.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// Which.
    pub serial: Serial,
    /// Lowest correlation under compound symmetry.
    lowest: f64,
}

impl Form {
    /// For series of at most `longest` rows.
    pub fn new(serial: Serial, longest: usize) -> Form {
        Form { serial, lowest: -1.0 / (longest.max(2) as f64 - 1.0) }
    }

    /// True if neighbours in time are what is correlated.
    pub fn is_in_time(&self) -> bool {
        self.serial != Serial::Cs
    }

    /// A little correlation and a strong one, to start from; in continuous time one that is lost within a step as well.
    pub fn starts(&self) -> Vec<f64> {
        match self.serial {
            Serial::Ar1 => vec![0.2, 1.1],
            Serial::Car1 => vec![0.5, 2.0, 0.1],
            Serial::Cs => vec![self.free(0.1), self.free(0.6)],
        }
    }

    /// Lowest correlation.
    pub fn lowest(&self) -> f64 {
        match self.serial {
            Serial::Ar1 => -1.0,
            Serial::Car1 => 0.0,
            Serial::Cs => self.lowest,
        }
    }

    /// The free number of a correlation.
    pub fn free(&self, rho: f64) -> f64 {
        match self.serial {
            Serial::Ar1 => rho.atanh(),
            Serial::Car1 => (rho / (1.0 - rho)).sqrt(),
            Serial::Cs => ((rho - self.lowest) / (1.0 - rho)).ln(),
        }
    }

    /// rho and its derivative in the free number.
    pub fn rho(&self, r: f64) -> (f64, f64) {
        match self.serial {
            Serial::Ar1 => (r.tanh(), 1.0 - r.tanh().powi(2)),
            Serial::Car1 => (r * r / (1.0 + r * r), 2.0 * r / (1.0 + r * r).powi(2)),
            Serial::Cs => {
                let s = 1.0 / (1.0 + (-r).exp());
                (self.lowest + (1.0 - self.lowest) * s, (1.0 - self.lowest) * s * (1.0 - s))
            }
        }
    }

    /// The free number that is as far out as `limit` is for AR(1).
    pub fn limit(&self, limit: f64) -> f64 {
        match self.serial {
            Serial::Ar1 => limit,
            Serial::Car1 => limit.exp(),
            Serial::Cs => 2.0 * limit,
        }
    }
}

/// rho^gap and its derivative in rho.
pub fn power(rho: f64, gap: f64) -> (f64, f64) {
    if gap == 1.0 {
        return (rho, 1.0);
    }
    if gap.fract() == 0.0 && gap < f64::from(i32::MAX) {
        return (rho.powi(gap as i32), gap * rho.powi(gap as i32 - 1));
    }
    (rho.powf(gap), if rho > 0.0 { gap * rho.powf(gap - 1.0) } else { 0.0 })
}

/// Weight of the sum over a series of compound symmetry, and its log-determinant, each with its derivative in rho.
pub fn block(rho: f64, m: usize) -> ((f64, f64), (f64, f64)) {
    let m = m as f64;
    let (a, b) = (1.0 - rho, 1.0 + (m - 1.0) * rho);
    let weight = -rho / (a * b);
    let slope = -(a * b - rho * (-b + (m - 1.0) * a)) / (a * b).powi(2);
    ((weight, slope), ((m - 1.0) * a.ln() + b.ln(), -(m - 1.0) / a + (m - 1.0) / b))
}
