//! Patterned correlation matrices as a smooth function of an angle a: rho = middle + half sin(a).
//!
//! At both limits of rho the criterion has an ordinary stationary point in a, and the root of the correlation matrix is
//! singular there and still smooth (its last columns change their sign), so that a limit can be found, reached and proved
//! like any other minimum.

use std::f64::consts::FRAC_PI_2;

use crate::design::Pattern;

/// Distance of the angle from its limit at which a correlation is there: at most 1e-8 in rho.
const EDGE: f64 = 1e-4;

/// A pattern of correlations.
#[derive(Clone, Copy, Debug)]
pub struct Angle {
    autoregressive: bool,
    q: usize,
}

impl Angle {
    /// For q columns; `None` where there is no correlation.
    pub fn new(pattern: Pattern, q: usize) -> Option<Angle> {
        let correlated = q > 1 && pattern != Pattern::Diagonal;
        correlated.then_some(Angle { autoregressive: pattern == Pattern::Autoregressive, q })
    }

    /// Lowest correlation.
    pub fn lowest(self) -> f64 {
        if self.autoregressive {
            -1.0
        } else {
            -1.0 / (self.q as f64 - 1.0)
        }
    }

    fn half(self) -> f64 {
        0.5 * (1.0 - self.lowest())
    }

    /// The correlation.
    pub fn rho(self, a: f64) -> f64 {
        self.lowest() + self.half() * (1.0 + a.sin())
    }

    /// The angle of a correlation.
    pub fn of(self, rho: f64) -> f64 {
        ((rho - self.lowest()) / self.half() - 1.0).clamp(-1.0, 1.0).asin()
    }

    /// The same correlation in the main range, at its limit where it is nearly there.
    pub fn at_limits(a: f64) -> f64 {
        let main = a.sin().asin();
        if FRAC_PI_2 - main.abs() < EDGE {
            main.signum() * FRAC_PI_2
        } else {
            main
        }
    }

    /// The same, or an angle some way inside where it is at its limit.
    pub fn opened(a: f64) -> f64 {
        let main = a.sin().asin();
        main.clamp(0.2 - FRAC_PI_2, FRAC_PI_2 - 0.2)
    }

    /// True at the upper limit, false at the lower one.
    pub fn edge(a: f64) -> Option<bool> {
        let main = a.sin().asin();
        (FRAC_PI_2 - main.abs() < EDGE).then_some(main > 0.0)
    }

    /// Root of the correlation matrix (lower, by rows) and its derivative in the angle.
    pub fn root(self, a: f64) -> (Vec<f64>, Vec<f64>) {
        let cells = (0..self.q * self.q).map(|k| (k / self.q, k % self.q));
        let cell = |(i, j): (usize, usize)| match (j > i, self.autoregressive) {
            (true, _) => (0.0, 0.0),
            (false, true) => power(a, i - j, j),
            (false, false) => self.shared(a, i, j),
        };
        cells.map(cell).unzip()
    }

    /// Element (i, j) of the root under compound symmetry: a column j > 0 holds what those before it leave, of variance
    /// (1 - rho)(1 + j rho) / (1 + (j - 1) rho).
    fn shared(self, a: f64, i: usize, j: usize) -> (f64, f64) {
        let (sin, cos) = a.sin_cos();
        let (rho, slope) = (self.rho(a), self.half() * cos);
        let k = j as f64;
        let (before, after) = (1.0 + (k - 1.0) * rho, 1.0 + k * rho);
        // Signed root of 1 - rho, which turns at rho = 1.
        let size = (2.0 * self.half()).sqrt();
        let (s, c) = (0.5 * (FRAC_PI_2 - a)).sin_cos();
        let (root, of_root) = (size * s, -0.5 * size * c);
        match (i, j) {
            (0, _) => (1.0, 0.0),
            (_, 0) => (rho, slope),
            _ if j + 1 == self.q => {
                // (1 - rho)(1 + (q - 1) rho) = (q - 1) half^2 cos^2.
                let f = self.half() * k.sqrt() / before.sqrt();
                (f * cos, -f * sin - 0.5 * f * cos * (k - 1.0) * slope / before)
            }
            _ if i == j => {
                let f = (after / before).sqrt();
                (root * f, of_root * f + 0.5 * root / f * slope / (before * before))
            }
            _ => {
                let g = (before * after).sqrt();
                let of_f = (1.0 - 0.5 * rho * ((k - 1.0) / before + k / after)) / g * slope;
                (root * rho / g, of_root * rho / g + root * of_f)
            }
        }
    }
}

/// sin^k, times cos for the columns after the first, and its derivative.
fn power(a: f64, k: usize, column: usize) -> (f64, f64) {
    let (sin, cos) = a.sin_cos();
    let r = sin.powi(k as i32);
    let slope = if k == 0 { 0.0 } else { k as f64 * sin.powi(k as i32 - 1) * cos };
    if column == 0 {
        (r, slope)
    } else {
        (r * cos, slope * cos - r * sin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_have_their_pattern_and_are_smooth_at_and_beyond_the_limits() {
        for pattern in [Pattern::CompoundSymmetric, Pattern::Autoregressive] {
            let angle = Angle::new(pattern, 4).unwrap();
            for a in [-2.0, -FRAC_PI_2, -1.3, 0.0, 0.7, FRAC_PI_2, 1.8] {
                let (l, d) = angle.root(a);
                let (up, down) = (angle.root(a + 1e-6).0, angle.root(a - 1e-6).0);
                let rho = angle.rho(a);
                for k in 0..16 {
                    assert!((d[k] - (up[k] - down[k]) / 2e-6).abs() < 1e-8, "{pattern:?} {a} {k}");
                    let (i, j) = (k / 4, k % 4);
                    let g: f64 = (0..4).map(|c| l[i * 4 + c] * l[j * 4 + c]).sum();
                    let lag = i.abs_diff(j) as i32;
                    let expected = if lag > 1 && pattern == Pattern::CompoundSymmetric { rho } else { rho.powi(lag) };
                    assert!((g - expected).abs() < 1e-14, "{pattern:?} {a}: {g} {expected}");
                }
            }
            for side in [-1.0, 1.0] {
                let rho = angle.rho(side * FRAC_PI_2);
                assert!((rho - if side > 0.0 { 1.0 } else { angle.lowest() }).abs() < 1e-15);
                assert_eq!(Angle::edge(side * FRAC_PI_2), Some(side > 0.0));
                assert!((Angle::at_limits(side * 2.0) - side * (std::f64::consts::PI - 2.0)).abs() < 1e-12);
            }
            assert!((angle.rho(angle.of(0.35)) - 0.35).abs() < 1e-15);
        }
    }
}
