//! Covariance matrices with a pattern: the factor L of one term as a function of few numbers psi.
//!
//! L = diag(tau) C with C C' the correlation matrix. psi holds tau (one, or one a column) and the transformed correlation.
//! Where columns with their own tau are correlated, tau = s^2 is searched in s: a tau below zero would turn a correlation
//! round.

use crate::block::small;
use crate::correlation::Form;
use crate::design::{Pattern, Serial, Structured};

/// Smallest tau that is not zero.
const ZERO: f64 = 1e-5;

/// Distance from its limit at which a correlation is there.
const EDGE: f64 = 1e-4;

/// The factor of one structured term.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    kind: Structured,
    /// Columns.
    pub q: usize,
    form: Option<Form>,
}

impl Shape {
    /// For a term of q columns.
    pub fn new(kind: Structured, q: usize) -> Shape {
        let form = match kind.pattern {
            _ if q < 2 => None,
            Pattern::Diagonal => None,
            Pattern::CompoundSymmetric => Some(Form::new(Serial::Cs, q)),
            Pattern::Autoregressive => Some(Form::new(Serial::Ar1, q)),
        };
        Shape { kind, q, form }
    }

    fn sds(&self) -> usize {
        if self.kind.equal {
            1
        } else {
            self.q
        }
    }

    fn squared(&self) -> bool {
        self.form.is_some() && !self.kind.equal
    }

    /// Number of parameters.
    pub fn len(&self) -> usize {
        self.sds() + usize::from(self.form.is_some())
    }

    /// tau of every column.
    fn tau(&self, psi: &[f64]) -> Vec<f64> {
        let own = |i: usize| psi[if self.kind.equal { 0 } else { i }];
        (0..self.q).map(|i| if self.squared() { own(i) * own(i) } else { own(i) }).collect()
    }

    /// psi near a lower factor (q x q by rows) that need not have the pattern.
    pub fn start(&self, l: &[f64]) -> Vec<f64> {
        let q = self.q;
        let norm = |i: usize| l[i * q..(i + 1) * q].iter().map(|x| x * x).sum::<f64>().sqrt();
        let sd = |i: usize| norm(i).max(0.02);
        let mut psi: Vec<f64> = if self.kind.equal {
            vec![((0..q).map(|i| sd(i).powi(2)).sum::<f64>() / q as f64).sqrt()]
        } else {
            (0..q).map(|i| if self.squared() { sd(i).sqrt() } else { sd(i) }).collect()
        };
        if let Some(form) = self.form {
            let neighbours: Vec<f64> = (1..q)
                .filter(|&i| norm(i - 1) * norm(i) > 0.0)
                .map(|i| (0..q).map(|k| l[(i - 1) * q + k] * l[i * q + k]).sum::<f64>() / (norm(i - 1) * norm(i)))
                .collect();
            let mean = neighbours.iter().sum::<f64>() / neighbours.len().max(1) as f64;
            let known = mean.clamp(0.98 * form.lowest(), 0.98);
            psi.push(if known.abs() > 1e-6 { form.free(known) } else { form.starts()[0] });
        }
        psi
    }

    /// Other numbers to start from: at tau = 0 the criterion is stationary, and a wrong correlation may lead there.
    pub fn variants(&self, psi: &[f64]) -> Vec<Vec<f64>> {
        let Some(form) = self.form else { return Vec::new() };
        let larger = |x: f64| self.psi_of_sd(self.tau_of(x).max(0.4));
        let with = |rho: f64| {
            let sds = psi[..self.sds()].iter().map(|x| larger(*x));
            sds.chain([form.free(rho)]).collect::<Vec<f64>>()
        };
        vec![with(0.6), with(0.6 * form.lowest())]
    }

    fn tau_of(&self, psi: f64) -> f64 {
        if self.squared() {
            psi * psi
        } else {
            psi.abs()
        }
    }

    /// psi of a lower factor that has the pattern.
    pub fn psi_of(&self, l: &[f64]) -> Vec<f64> {
        let q = self.q;
        let sd = |i: usize| l[i * q..(i + 1) * q].iter().map(|x| x * x).sum::<f64>().sqrt();
        let mut psi: Vec<f64> = (0..self.sds()).map(|i| self.psi_of_sd(sd(i))).collect();
        if let Some(form) = self.form {
            let neighbours = (1..q).find(|&i| sd(i - 1) * sd(i) > 0.0);
            let rho = neighbours.map(|i| {
                let dot: f64 = (0..q).map(|k| l[(i - 1) * q + k] * l[i * q + k]).sum();
                dot / (sd(i - 1) * sd(i))
            });
            psi.push(rho.map_or_else(|| form.starts()[0], |r| form.free(r)));
        }
        psi
    }

    /// Place of the standard deviation of a column among psi.
    pub fn place_of_sd(&self, column: usize) -> usize {
        if self.kind.equal {
            0
        } else {
            column
        }
    }

    /// Place of the correlation among psi, if there is one.
    pub fn place_of_rho(&self) -> Option<usize> {
        self.form.map(|_| self.sds())
    }

    /// Standard deviation of a column beside sigma.
    pub fn sd(&self, psi: &[f64], column: usize) -> f64 {
        self.tau(psi)[column].abs()
    }

    /// The correlation.
    pub fn rho(&self, psi: &[f64]) -> Option<f64> {
        self.form.map(|form| form.rho(psi[self.sds()]).0)
    }

    /// psi of a standard deviation beside sigma.
    pub fn psi_of_sd(&self, tau: f64) -> f64 {
        if self.squared() {
            tau.max(0.0).sqrt()
        } else {
            tau
        }
    }

    /// psi of a correlation.
    pub fn psi_of_rho(&self, rho: f64) -> f64 {
        self.form.map_or(0.0, |form| form.free(rho))
    }

    /// Change of psi for a unit of the logarithm of its standard deviation.
    pub fn psi_per_log_sd(&self, psi: f64) -> f64 {
        if self.squared() {
            0.5 * psi
        } else {
            psi
        }
    }

    /// True if the numbers are in range.
    pub fn is_inside(&self, psi: &[f64]) -> bool {
        psi[..self.sds()].iter().all(|t| t.abs() < 1e8) && psi.get(self.sds()).is_none_or(|r| r.abs() < 25.0)
    }

    /// psi with what is nearly zero set to zero.
    pub fn settled(&self, psi: &[f64]) -> Vec<f64> {
        let tau = |x: f64| if self.squared() { x * x } else { x.abs() };
        psi.iter().enumerate().map(|(i, &x)| if i < self.sds() && tau(x) < ZERO { 0.0 } else { x }).collect()
    }

    /// Rank of the covariance matrix, with a correlation at its limit taken as there.
    pub fn rank(&self, psi: &[f64]) -> usize {
        let alive = self.tau(&self.settled(psi)).iter().filter(|t| **t != 0.0).count();
        match self.edge(psi) {
            Some(true) => alive.min(1),
            Some(false) if alive == self.q => self.q - 1,
            _ => alive,
        }
    }

    /// True where the correlation is at a limit at which all columns are one, false where it is at one at which they
    /// add up to nothing.
    fn edge(&self, psi: &[f64]) -> Option<bool> {
        let rho = self.rho(psi)?;
        let low = self.form.map_or(-1.0, |form| form.lowest());
        match rho {
            r if r > 1.0 - EDGE => Some(true),
            r if r < low + EDGE => Some(low == -1.0),
            _ => None,
        }
    }

    /// True if psi[i] is a correlation that multiplies nothing, or that is at its limit.
    pub fn is_idle(&self, psi: &[f64], i: usize) -> bool {
        let alive = self.tau(&self.settled(psi)).iter().filter(|t| **t != 0.0).count();
        i == self.sds() && (alive < 2 || self.edge(psi).is_some())
    }

    /// Correlation matrix and its derivative in the transformed correlation.
    fn correlations(&self, psi: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let q = self.q;
        let (mut r, mut d) = (vec![0.0; q * q], vec![0.0; q * q]);
        let (rho, slope) = self.form.map_or((0.0, 0.0), |f| f.rho(psi[self.sds()]));
        for i in 0..q {
            for j in 0..q {
                let lag = i.abs_diff(j) as i32;
                (r[i * q + j], d[i * q + j]) = match (lag, self.kind.pattern) {
                    (0, _) => (1.0, 0.0),
                    (_, Pattern::Diagonal) => (0.0, 0.0),
                    (_, Pattern::CompoundSymmetric) => (rho, slope),
                    (_, Pattern::Autoregressive) => (rho.powi(lag), f64::from(lag) * rho.powi(lag - 1) * slope),
                };
            }
        }
        (r, d)
    }

    /// L (q x q by rows, lower) and its derivatives; `None` where the correlation matrix is singular to rounding.
    pub fn factor(&self, psi: &[f64]) -> Option<(Vec<f64>, Vec<Vec<f64>>)> {
        let q = self.q;
        let (mut c, d) = self.correlations(psi);
        if !small::cholesky(&mut c, q) {
            return None;
        }
        (0..q).for_each(|i| c[i * q + i + 1..(i + 1) * q].fill(0.0));
        let tau = self.tau(psi);
        let scaled = |t: &dyn Fn(usize) -> f64, m: &[f64]| (0..q * q).map(|k| t(k / q) * m[k]).collect::<Vec<f64>>();
        let mut slopes: Vec<Vec<f64>> = Vec::with_capacity(self.len());
        if self.kind.equal {
            slopes.push(c.clone());
        } else {
            for (i, own) in psi[..q].iter().enumerate() {
                let slope = if self.squared() { 2.0 * own } else { 1.0 };
                slopes.push(scaled(&|r| if r == i { slope } else { 0.0 }, &c));
            }
        }
        if self.form.is_some() {
            // dC = C Phi(C^-1 dR C^-T), Phi the lower triangle with half its diagonal.
            let mut half = d;
            small::solve_lower(&c, q, &mut half, q);
            (1..q).for_each(|r| (0..r).for_each(|k| half.swap(r * q + k, k * q + r)));
            small::solve_lower(&c, q, &mut half, q);
            for i in 0..q {
                half[i * q + i] *= 0.5;
                half[i * q + i + 1..(i + 1) * q].fill(0.0);
            }
            let mut slope = vec![0.0; q * q];
            small::mul(&mut slope, &c, &half, q, q, q, 1.0);
            slopes.push(scaled(&|r| tau[r], &slope));
        }
        Some((scaled(&|r| tau[r], &c), slopes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_have_their_pattern_and_slopes_are_differences() {
        for pattern in [Pattern::Diagonal, Pattern::CompoundSymmetric, Pattern::Autoregressive] {
            for equal in [true, false] {
                let shape = Shape::new(Structured { pattern, equal }, 4);
                let psi: Vec<f64> = (0..shape.len()).map(|i| 0.4 + 0.1 * i as f64).collect();
                let (l, slopes) = shape.factor(&psi).unwrap();
                for (i, slope) in slopes.iter().enumerate() {
                    let (mut up, mut down) = (psi.clone(), psi.clone());
                    (up[i], down[i]) = (psi[i] + 1e-6, psi[i] - 1e-6);
                    let (a, b) = (shape.factor(&up).unwrap().0, shape.factor(&down).unwrap().0);
                    for k in 0..16 {
                        assert!((slope[k] - (a[k] - b[k]) / 2e-6).abs() < 1e-8, "{pattern:?} {equal} {i}");
                    }
                }
                let g = |i: usize, j: usize| (0..4).map(|k| l[i * 4 + k] * l[j * 4 + k]).sum::<f64>();
                let r = |i: usize, j: usize| g(i, j) / (g(i, i) * g(j, j)).sqrt();
                assert_eq!(equal, (g(0, 0) - g(3, 3)).abs() < 1e-14);
                match pattern {
                    Pattern::Diagonal => assert!(r(0, 2).abs() < 1e-15),
                    Pattern::CompoundSymmetric => assert!((r(0, 1) - r(1, 3)).abs() < 1e-14),
                    Pattern::Autoregressive => assert!((r(0, 2) - r(1, 2).powi(2)).abs() < 1e-14),
                }
            }
        }
    }
}
