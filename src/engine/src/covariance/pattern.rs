//! Covariance matrices with a pattern: the factor L of one term as a smooth function of few numbers psi.
//!
//! L = diag(tau) C with C C' the correlation matrix. psi holds tau (one, or one a column; in units of the columns) and an
//! angle a with rho = middle + half sin(a). Both limits of rho are then ordinary stationary points at which C is singular
//! and still smooth, so that a search finds them, ends there and proves them like any other minimum. Where columns with
//! their own tau are correlated, tau = s^2 is searched in s: a tau below zero would turn a correlation round.

use std::f64::consts::FRAC_PI_2;

use crate::covariance::angle::Angle;
use crate::design::{Column, Structured};
use crate::numerics::small;

/// Smallest tau that is not zero.
const ZERO: f64 = 1e-7;
/// Standard deviation (beside sigma, in units of the columns) with which a column is opened.
const WIDE: f64 = 0.2;
/// Score, beside the largest, below which the criterion falls.
const SCORE: f64 = -1e-5;

/// The factor of one structured term.
#[derive(Clone, Debug)]
pub struct PatternedFactor {
    kind: Structured,
    /// Columns.
    pub q: usize,
    /// The correlation, if there is one.
    pub angle: Option<Angle>,
    /// Size of each column where it is not zero.
    pub units: Vec<f64>,
}

impl PatternedFactor {
    /// For a term of the given columns (n rows).
    pub fn new(kind: Structured, basis: &[Column<'_>], n: usize) -> PatternedFactor {
        let q = basis.len();
        let sums = |c: &Column<'_>| match c {
            Column::Constant => (1.0, 1.0),
            Column::Values(v) => {
                let alive = v.iter().take(n).filter(|x| **x != 0.0);
                alive.fold((0.0, 0.0), |(sum, count), x| (sum + x * x, count + 1.0))
            }
        };
        let all: Vec<(f64, f64)> = basis.iter().map(sums).collect();
        let (sum, count) = all.iter().fold((0.0, 0.0), |(a, b), (x, y)| (a + x, b + y));
        let size = |(sum, count): (f64, f64)| {
            let unit = (sum / count).sqrt();
            if unit.is_normal() {
                unit
            } else {
                1.0
            }
        };
        let units = all.iter().map(|own| size(if kind.equal { (sum, count) } else { *own })).collect();
        PatternedFactor { kind, q, angle: Angle::new(kind.pattern, q), units }
    }

    fn sds(&self) -> usize {
        if self.kind.equal {
            1
        } else {
            self.q
        }
    }

    fn squared(&self) -> bool {
        self.angle.is_some() && !self.kind.equal
    }

    /// Number of parameters.
    pub fn len(&self) -> usize {
        self.sds() + usize::from(self.angle.is_some())
    }

    /// tau of every column, in units of the columns.
    pub fn tau(&self, psi: &[f64]) -> Vec<f64> {
        let own = |i: usize| psi[if self.kind.equal { 0 } else { i }];
        (0..self.q).map(|i| if self.squared() { own(i) * own(i) } else { own(i) }).collect()
    }

    /// psi near a lower factor (q x q by rows) that need not have the pattern.
    pub fn start(&self, l: &[f64]) -> Vec<f64> {
        let q = self.q;
        let norm = |i: usize| l[i * q..(i + 1) * q].iter().map(|x| x * x).sum::<f64>().sqrt();
        let sd = |i: usize| (norm(i) * self.units[i]).max(0.02);
        let mut psi: Vec<f64> = if self.kind.equal {
            vec![((0..q).map(|i| sd(i).powi(2)).sum::<f64>() / q as f64).sqrt()]
        } else {
            (0..q).map(|i| if self.squared() { sd(i).sqrt() } else { sd(i) }).collect()
        };
        if let Some(angle) = self.angle {
            let neighbours: Vec<f64> = (1..q)
                .filter(|&i| norm(i - 1) * norm(i) > 0.0)
                .map(|i| (0..q).map(|k| l[(i - 1) * q + k] * l[i * q + k]).sum::<f64>() / (norm(i - 1) * norm(i)))
                .collect();
            let mean = neighbours.iter().sum::<f64>() / neighbours.len().max(1) as f64;
            let known = mean.clamp(0.98 * angle.lowest(), 0.98);
            psi.push(angle.of(if known.abs() > 1e-6 { known } else { 0.2 }));
        }
        psi
    }

    /// Other numbers to start from: at tau = 0 the criterion is stationary, and a wrong correlation may lead there. With
    /// `each`, one for each column that has its own variance as well.
    pub fn variants(&self, psi: &[f64], each: bool) -> Vec<Vec<f64>> {
        let Some(angle) = self.angle else { return Vec::new() };
        let with = |rho: f64| {
            let sds = psi[..self.sds()].iter().map(|x| self.psi_of_tau(self.psi_tau(*x).max(0.4)));
            sds.chain([angle.of(rho)]).collect::<Vec<f64>>()
        };
        let mut out = vec![with(0.6), with(0.6 * angle.lowest())];
        if each && self.squared() {
            let alone = |j: usize| (0..self.q).map(move |i| if i == j { 1.0 } else { 0.2 });
            out.extend((0..self.q).map(|j| alone(j).map(|t| self.psi_of_tau(t)).chain([angle.of(0.5)]).collect()));
        }
        out
    }

    /// True where columns have variances of their own and are correlated.
    pub fn is_searched_in_roots(&self) -> bool {
        self.squared()
    }

    /// Makes the variances of columns equal, in a common unit.
    pub fn equalise(&mut self) {
        if self.squared() {
            let unit = (self.units.iter().map(|u| u * u).sum::<f64>() / self.q as f64).sqrt();
            self.units.fill(unit);
            self.kind.equal = true;
        }
    }

    /// psi, each element away from where the criterion is stationary.
    pub fn opened(&self, psi: &[f64]) -> Vec<f64> {
        psi.iter().enumerate().map(|(i, x)| self.opened_element(i, *x)).collect()
    }

    /// psi of a tau in units of the columns.
    pub fn psi_of_tau(&self, tau: f64) -> f64 {
        if self.squared() {
            tau.max(0.0).sqrt()
        } else {
            tau
        }
    }

    /// psi of a lower factor that has the pattern.
    pub fn psi_of(&self, l: &[f64]) -> Vec<f64> {
        let q = self.q;
        let sd = |i: usize| l[i * q..(i + 1) * q].iter().map(|x| x * x).sum::<f64>().sqrt();
        let mut psi: Vec<f64> = (0..self.sds()).map(|i| self.psi_of_sd(i, sd(i))).collect();
        if let Some(angle) = self.angle {
            let neighbours = (1..q).find(|&i| sd(i - 1) * sd(i) > 0.0);
            let rho = neighbours.map(|i| {
                let dot: f64 = (0..q).map(|k| l[(i - 1) * q + k] * l[i * q + k]).sum();
                dot / (sd(i - 1) * sd(i))
            });
            psi.push(angle.of(rho.unwrap_or(0.2)));
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
        self.angle.map(|_| self.sds())
    }

    /// Standard deviation of a column beside sigma.
    pub fn sd(&self, psi: &[f64], column: usize) -> f64 {
        self.tau(psi)[column].abs() / self.units[column]
    }

    /// Lowest correlation; minus one where there is none.
    pub fn lowest(&self) -> f64 {
        self.angle.map_or(-1.0, Angle::lowest)
    }

    /// The correlation.
    pub fn rho(&self, psi: &[f64]) -> Option<f64> {
        self.angle.map(|angle| angle.rho(psi[self.sds()]))
    }

    /// psi of a standard deviation (that of column `column`, or of all) beside sigma.
    pub fn psi_of_sd(&self, column: usize, tau: f64) -> f64 {
        self.psi_of_tau(tau * self.units[column])
    }

    /// psi of a correlation.
    pub fn psi_of_rho(&self, rho: f64) -> f64 {
        self.angle.map_or(0.0, |angle| angle.of(rho))
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
        psi.iter().all(|x| x.is_finite()) && psi[..self.sds()].iter().all(|t| t.abs() < 1e8)
    }

    /// psi with what is nearly zero set to zero and what is nearly at its limit set there; the angle in its main range.
    pub fn at_limits(&self, psi: &[f64]) -> Vec<f64> {
        let mut out = psi.to_vec();
        for x in &mut out[..self.sds()] {
            if self.psi_tau(*x) < ZERO {
                *x = 0.0;
            }
        }
        if self.angle.is_some() {
            out[self.sds()] = Angle::at_limits(psi[self.sds()]);
        }
        out
    }

    /// Element i of psi, away from where the criterion is stationary whatever the data: zero and the limits of the angle.
    pub fn opened_element(&self, i: usize, psi: f64) -> f64 {
        if i < self.sds() {
            return if self.psi_tau(psi) < 0.01 { self.psi_of_tau(0.01) } else { psi };
        }
        Angle::opened(psi)
    }

    /// tau of one element of psi.
    pub fn psi_tau(&self, psi: f64) -> f64 {
        if self.squared() {
            psi * psi
        } else {
            psi.abs()
        }
    }

    /// Columns that vary.
    pub fn alive(&self, psi: &[f64]) -> usize {
        self.tau(&self.at_limits(psi)).iter().filter(|t| **t != 0.0).count()
    }

    /// Rank of the covariance matrix, with a correlation at its limit taken as there.
    pub fn rank(&self, psi: &[f64]) -> usize {
        let alive = self.alive(psi);
        match self.edge(psi) {
            Some(true) => alive.min(1),
            Some(false) if alive == self.q => self.q - 1,
            _ => alive,
        }
    }

    /// True where the correlation is at a limit at which all columns are one, false where it is at one at which they
    /// add up to nothing.
    fn edge(&self, psi: &[f64]) -> Option<bool> {
        let lowest = self.angle?.lowest();
        Angle::edge(psi[self.sds()]).map(|upper| upper || lowest == -1.0)
    }

    /// True if psi[i] is a correlation that multiplies nothing, or that is at its limit.
    pub fn is_idle(&self, psi: &[f64], i: usize) -> bool {
        i == self.sds() && (self.alive(psi) < 2 || self.edge(psi).is_some())
    }

    /// L (q x q by rows, lower) and its derivatives.
    pub fn factor(&self, psi: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
        let q = self.q;
        let (c, d) = self.angle.map_or_else(
            || ((0..q * q).map(|k| f64::from(u8::from(k / q == k % q))).collect(), Vec::new()),
            |angle| angle.root(psi[self.sds()]),
        );
        let tau = self.tau(psi);
        let scaled = |t: &dyn Fn(usize) -> f64, m: &[f64]| {
            (0..q * q).map(|k| t(k / q) * m[k] / self.units[k / q]).collect::<Vec<f64>>()
        };
        let mut slopes: Vec<Vec<f64>> = Vec::with_capacity(self.len());
        if self.kind.equal {
            slopes.push(scaled(&|_| 1.0, &c));
        } else {
            for (i, own) in psi[..q].iter().enumerate() {
                let slope = if self.squared() { 2.0 * own } else { 1.0 };
                slopes.push(scaled(&|r| if r == i { slope } else { 0.0 }, &c));
            }
        }
        if self.angle.is_some() {
            slopes.push(scaled(&|r| tau[r], &d));
        }
        (scaled(&|r| tau[r], &c), slopes)
    }

    /// psi with columns opened in the direction of G in which a criterion with score D falls most, if there is one.
    pub fn fallen(&self, psi: &[f64], score: &[f64]) -> Option<Vec<f64>> {
        let q = self.q;
        let tau = self.tau(psi);
        let alive = (0..q).find(|&i| tau[i] != 0.0);
        let scale = (0..q).map(|i| score[i * q + i].abs()).fold(f64::MIN_POSITIVE, f64::max);
        let angles: Vec<f64> =
            self.angle.map_or_else(|| vec![0.0], |_| (-4..=4).map(|k| f64::from(k) * FRAC_PI_2 / 4.0).collect());
        let mut best: Option<(f64, f64, Vec<f64>)> = None;
        for a in angles {
            let c = self.correlation(a);
            let m: Vec<f64> = (0..q * q).map(|k| c[k] * score[k]).collect();
            let (value, t) = match alive {
                Some(i) => {
                    let Some(j) = (0..q).filter(|&j| j != i).min_by(|&j, &k| m[i * q + j].total_cmp(&m[i * q + k]))
                    else {
                        continue;
                    };
                    let mut t: Vec<f64> = tau.iter().map(|t| t / WIDE).collect();
                    t[j] = 1.0;
                    (m[i * q + j], t)
                }
                None if self.place_of_sd(1) == 0 => {
                    let t = vec![(1.0 / q as f64).sqrt(); q];
                    (m.iter().sum::<f64>() / q as f64, t)
                }
                None => lowest(&m, q),
            };
            if value < SCORE * scale && best.as_ref().is_none_or(|b| value < b.0) {
                best = Some((value, a, t));
            }
        }
        let (_, a, t) = best?;
        let sds = self.place_of_rho().unwrap_or(self.len());
        let mut out: Vec<f64> = (0..sds).map(|i| self.psi_of_tau(WIDE * t[i].max(0.1))).collect();
        if self.angle.is_some() {
            // At its limit a correlation is stationary.
            out.push(0.9 * a);
        }
        Some(out)
    }

    /// Correlation matrix at an angle.
    fn correlation(&self, a: f64) -> Vec<f64> {
        let q = self.q;
        let Some(angle) = self.angle else { return (0..q * q).map(|k| f64::from(u8::from(k / q == k % q))).collect() };
        let (l, _) = angle.root(a);
        let mut c = vec![0.0; q * q];
        small::mul_by_transposed(&mut c, &l, &l, q, q, q, 1.0);
        c
    }
}

/// About the smallest t'Mt over t >= 0 of length one, by projected gradient steps from the best axis and from the middle.
fn lowest(m: &[f64], q: usize) -> (f64, Vec<f64>) {
    let size = m.iter().map(|x| x * x).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
    let value = |t: &[f64]| (0..q * q).map(|k| t[k / q] * m[k] * t[k % q]).sum::<f64>();
    let axis = (0..q).min_by(|&i, &j| m[i * q + i].total_cmp(&m[j * q + j])).unwrap_or(0);
    let mut best = (f64::INFINITY, vec![0.0; q]);
    for mut t in [(0..q).map(|i| f64::from(u8::from(i == axis))).collect(), vec![(1.0 / q as f64).sqrt(); q]] {
        for _ in 0..100 {
            let next: Vec<f64> =
                (0..q).map(|i| (t[i] - (0..q).map(|j| m[i * q + j] * t[j]).sum::<f64>() / size).max(0.0)).collect();
            let length = next.iter().map(|x| x * x).sum::<f64>().sqrt();
            if length == 0.0 {
                break;
            }
            t = next.iter().map(|x| x / length).collect();
        }
        let v = value(&t);
        if v < best.0 {
            best = (v, t);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design::Pattern;

    #[test]
    fn factors_have_their_pattern_and_slopes_are_differences() {
        for pattern in [Pattern::Diagonal, Pattern::CompoundSymmetric, Pattern::Autoregressive] {
            for equal in [true, false] {
                let shape = PatternedFactor::new(Structured { pattern, equal }, &[Column::Constant; 4], 1);
                let psi: Vec<f64> = (0..shape.len()).map(|i| 0.4 + 0.1 * i as f64).collect();
                let (l, slopes) = shape.factor(&psi);
                for (i, slope) in slopes.iter().enumerate() {
                    let (mut up, mut down) = (psi.clone(), psi.clone());
                    (up[i], down[i]) = (psi[i] + 1e-6, psi[i] - 1e-6);
                    let (a, b) = (shape.factor(&up).0, shape.factor(&down).0);
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

    #[test]
    fn psi_does_not_depend_on_the_units_of_columns() {
        let (x, z) = ([1.0, -2.0, 0.0, 3.0], [1e6, -2e6, 0.0, 3e6]);
        let kind = Structured { pattern: Pattern::CompoundSymmetric, equal: false };
        let small = PatternedFactor::new(kind, &[Column::Constant, Column::Values(&x)], 4);
        let large = PatternedFactor::new(kind, &[Column::Constant, Column::Values(&z)], 4);
        let l = [0.5, 0.0, 0.2, 0.1];
        let psi = small.psi_of(&l);
        let other = large.psi_of(&[0.5, 0.0, 0.2e-6, 0.1e-6]);
        assert!(psi.iter().zip(&other).all(|(a, b)| (a - b).abs() < 1e-14), "{psi:?} {other:?}");
        assert!(small.factor(&psi).0.iter().zip(&l).all(|(a, b)| (a - b).abs() < 1e-14));
    }
}
