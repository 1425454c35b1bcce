//! R^-1(phi) of the residuals, row by row: what each row, each pair of neighbours and each series is weighted with.
//!
//! Var(e) = sigma^2 R, R = D C D / w with D = exp(s'd) and C a correlation within series. Rows whose weights are the same
//! function of phi form a class, so that R^-1 is a sum of a few fixed matrices when there are few classes:
//!
//! * no correlation: 1 / D^2 for each row;
//! * AR(1) and CAR(1): R^-1 is tridiagonal in a series; with r = rho^gap, a row has 1 + r^2/(1 - r^2) for the gap before
//!   it and the same for the gap after it, neighbours have -r/(1 - r^2);
//! * compound symmetry: 1/(1 - rho) for each row, and for the sum over a series of m rows
//!   -rho / ((1 - rho)(1 + (m - 1) rho)).
//!
//! phi holds d and a transformed correlation (see [`Form`]).

use crate::classes::Classes;
use crate::correlation::{block, power, side, Form};
use crate::design::{Design, Serial};
use crate::error::Result;
use crate::series::Series;

/// The residuals of a design.
#[derive(Debug)]
pub struct Residual {
    form: Option<Form>,
    /// Number of coefficients d.
    pub k: usize,
    /// Classes of rows, of neighbours and of series.
    pub classes: Classes,
}

/// Weights of all classes at one phi.
#[derive(Clone, Debug, Default)]
pub struct Weights {
    /// By class of rows.
    pub rows: Vec<f64>,
    /// By class of neighbours.
    pub pairs: Vec<f64>,
    /// By class of series; where blocks are mixed the factor 1/D^2 is left to the rows.
    pub blocks: Vec<f64>,
}

impl Residual {
    /// Sorts the rows of a design into classes.
    ///
    /// # Errors
    /// Those of [`Series::new`].
    pub fn new(design: &Design<'_>) -> Result<Residual> {
        let correlation = design.residual.correlation.as_ref();
        let series = correlation.map_or_else(|| Ok(Series::default()), Series::new)?;
        let form = correlation.map(|c| Form::new(c.form, series.longest()));
        Ok(Residual { form, k: design.residual.scale.len(), classes: Classes::new(design, form, series) })
    }

    /// Number of parameters.
    pub fn len(&self) -> usize {
        self.k + usize::from(self.form.is_some())
    }

    /// phi to start from: equal scales with a little correlation, and with a strong one.
    pub fn starts(&self) -> Vec<Vec<f64>> {
        let scales = vec![0.0; self.k];
        match self.form {
            Some(form) => form.starts().iter().map(|r| [&scales[..], &[*r]].concat()).collect(),
            None => vec![scales],
        }
    }

    /// The correlation at phi; `None` if there is none.
    pub fn rho(&self, phi: &[f64]) -> Option<f64> {
        self.form.map(|form| form.rho(phi[self.k]).0)
    }

    /// The form of the correlation.
    pub fn serial(&self) -> Option<Serial> {
        self.form.map(|form| form.serial)
    }

    /// phi of a correlation.
    pub fn phi_of(&self, rho: f64) -> f64 {
        self.form.map_or(0.0, |form| form.free(rho))
    }

    /// The transformed correlation that is as far out as `limit` is for AR(1).
    pub fn tightest(&self, limit: f64) -> f64 {
        self.form.map_or(limit, |form| form.limit(limit))
    }

    /// Largest distance between log standard deviations.
    pub fn spread(&self, phi: &[f64]) -> f64 {
        if self.k == 0 {
            return 0.0;
        }
        let all = (0..(self.classes.scales.len() / self.k) as u32).map(|c| self.log_scale(c, phi));
        let (min, max) = all.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), x| (a.min(x), b.max(x)));
        max - min
    }

    /// rho and its derivative in phi.
    pub(crate) fn at(&self, phi: &[f64]) -> (f64, f64) {
        self.form.map_or((0.0, 0.0), |form| form.rho(phi[self.k]))
    }

    fn is_cs(&self) -> bool {
        self.form.is_some_and(|form| form.serial == Serial::Cs)
    }

    /// s'd of a class of scale.
    fn log_scale(&self, scale: u32, phi: &[f64]) -> f64 {
        let own = &self.classes.scales[scale as usize * self.k..(scale as usize + 1) * self.k];
        own.iter().zip(phi).map(|(s, d)| s * d).sum()
    }

    /// log of the standard deviation of row `i` beside sigma, without its prior weight.
    pub fn row_log_scale(&self, i: usize, phi: &[f64]) -> f64 {
        self.log_scale(self.classes.scale_class[i], phi)
    }

    /// Scale values of row `i`.
    pub fn row_scales(&self, i: usize) -> &[f64] {
        let scale = self.classes.scale_class[i] as usize;
        &self.classes.scales[scale * self.k..(scale + 1) * self.k]
    }

    /// Weights and log|R| (without prior weights) at phi.
    pub fn weights(&self, phi: &[f64]) -> (Weights, f64) {
        let rho = self.at(phi).0;
        let mut log_det = 0.0;
        let mut w = Weights::default();
        let cs = if self.is_cs() { 1.0 / (1.0 - rho) } else { 1.0 };
        for (key, count) in self.classes.rows.iter().zip(&self.classes.row_counts) {
            let log_scale = self.log_scale(key.scale, phi);
            log_det += 2.0 * count * log_scale;
            let near = side(rho, key.before).0 + side(rho, key.after).0;
            w.rows.push((-2.0 * log_scale).exp() * (cs + near));
        }
        for (&(a, b, gap), count) in self.classes.pairs.iter().zip(&self.classes.pair_counts) {
            let (r, _) = power(rho, f64::from_bits(gap));
            log_det += count * (1.0 - r * r).ln();
            let scale = (-self.log_scale(a, phi) - self.log_scale(b, phi)).exp();
            w.pairs.push(-scale * r / (1.0 - r * r));
        }
        for (&(scale, m), count) in self.classes.blocks.iter().zip(&self.classes.block_counts) {
            let (own, log) = block(rho, m);
            log_det += count * log.0;
            let f = if self.classes.mixed_blocks { 1.0 } else { (-2.0 * self.log_scale(scale, phi)).exp() };
            w.blocks.push(f * own.0);
        }
        (w, log_det)
    }

    /// Derivatives of the weights and of log|R| in phi[i]. Where blocks are mixed, a derivative of a scale leaves out the
    /// blocks, whose sums are weighted row by row.
    pub fn derivative(&self, phi: &[f64], i: usize) -> (Weights, f64) {
        let (rho, slope) = self.at(phi);
        let mut log_det = 0.0;
        let mut w = Weights::default();
        let at = |scale: u32| self.classes.scales[scale as usize * self.k + i];
        let of_rho = i == self.k;
        let cs = if self.is_cs() { 1.0 / (1.0 - rho) } else { 1.0 };
        for (key, count) in self.classes.rows.iter().zip(&self.classes.row_counts) {
            let f = (-2.0 * self.log_scale(key.scale, phi)).exp();
            let (before, after) = (side(rho, key.before), side(rho, key.after));
            if of_rho {
                let own = if self.is_cs() { cs * cs } else { 0.0 };
                w.rows.push(f * slope * (own + before.1 + after.1));
            } else {
                log_det += 2.0 * count * at(key.scale);
                w.rows.push(-2.0 * at(key.scale) * f * (cs + before.0 + after.0));
            }
        }
        for (&(a, b, gap), count) in self.classes.pairs.iter().zip(&self.classes.pair_counts) {
            let (r, dr) = power(rho, f64::from_bits(gap));
            let f = (-self.log_scale(a, phi) - self.log_scale(b, phi)).exp();
            let e = 1.0 - r * r;
            if of_rho {
                log_det -= count * slope * 2.0 * r * dr / e;
                w.pairs.push(-f * slope * dr * (1.0 + r * r) / (e * e));
            } else {
                w.pairs.push(f * (at(a) + at(b)) * r / e);
            }
        }
        for (&(scale, m), count) in self.classes.blocks.iter().zip(&self.classes.block_counts) {
            let (own, log) = block(rho, m);
            let f = if self.classes.mixed_blocks { 1.0 } else { (-2.0 * self.log_scale(scale, phi)).exp() };
            if of_rho {
                log_det += count * slope * log.1;
                w.blocks.push(f * slope * own.1);
            } else {
                w.blocks.push(if self.classes.mixed_blocks { 0.0 } else { -2.0 * at(scale) * f * own.0 });
            }
        }
        (w, log_det)
    }

    /// A rough Hessian of the deviance in phi (its diagonal), to begin a search with.
    pub fn curvature(&self) -> Vec<f64> {
        let n: f64 = self.classes.row_counts.iter().sum();
        let mut out = Vec::new();
        for i in 0..self.k {
            let (mut sum, mut square) = (0.0, 0.0);
            for (key, count) in self.classes.rows.iter().zip(&self.classes.row_counts) {
                let s = self.classes.scales[key.scale as usize * self.k + i];
                sum += count * s;
                square += count * s * s;
            }
            out.push((4.0 * (square - sum * sum / n)).max(1.0));
        }
        if self.form.is_some() {
            out.push((2.0 * self.classes.pair_counts.iter().chain(&self.classes.block_counts).sum::<f64>()).max(1.0));
        }
        out
    }
}

#[cfg(test)]
#[allow(clippy::needless_range_loop)]
mod tests {
    use super::*;
    use crate::design::{Column, Correlation, Factor};
    use crate::series::NONE;

    /// Dense R by its definition for the rows of a design.
    fn dense(design: &Design<'_>, d: &[f64], rho: f64) -> Vec<Vec<f64>> {
        let n = design.n();
        let c = design.residual.correlation.unwrap();
        let sd = |i: usize| design.residual.scale.iter().zip(d).map(|(s, d)| s.at(i) * d).sum::<f64>().exp();
        let corr = |i: usize, j: usize| match (i == j, c.series.codes[i] == c.series.codes[j]) {
            (true, _) => 1.0,
            (_, false) => 0.0,
            _ if c.form == Serial::Cs => rho,
            _ => rho.powf((c.time[i] - c.time[j]).abs()),
        };
        (0..n).map(|i| (0..n).map(|j| sd(i) * sd(j) * corr(i, j)).collect()).collect()
    }

    #[test]
    fn weights_are_the_inverse_of_r_and_derivatives_are_differences() {
        let y = [0.0, 1.0, 2.0, 1.0, 5.0, 3.0, 2.0];
        let series = [2, 1, 1, 2, 1, 3, 1];
        let time = [4.0, 1.0, 2.0, 1.0, 5.0, 7.0, 3.5];
        let s = [0.0, 1.0, 0.0, 1.0, 0.5, 0.0, 0.0];
        for form in [Serial::Ar1, Serial::Car1, Serial::Cs] {
            let mut design = Design::new(&y, vec![Column::Constant], vec![], vec![]);
            design.residual.scale = vec![Column::Values(&s)];
            design.residual.correlation =
                Some(Correlation { form, series: Factor { codes: &series, levels: 3 }, time: &time });
            let r = Residual::new(&design).unwrap();
            let phi = [0.3, r.phi_of(0.35)];
            assert!((r.rho(&phi).unwrap() - 0.35).abs() < 1e-14);
            let big = dense(&design, &phi[..1], 0.35);
            // R^-1 R = I, built from rows, neighbours and series.
            let (w, log_det) = r.weights(&phi);
            let n = y.len();
            let mut inverse = vec![vec![0.0; n]; n];
            for i in 0..n {
                inverse[i][i] += w.rows[r.classes.row_class[i] as usize];
                if form != Serial::Cs && r.classes.series.previous[i] != NONE {
                    let (j, v) = (r.classes.series.previous[i] as usize, w.pairs[r.classes.pair_class[i] as usize]);
                    inverse[i][j] += v;
                    inverse[j][i] += v;
                }
            }
            for k in 0..r.classes.block_class.len() {
                let own = &r.classes.series.rows[r.classes.series.starts[k]..r.classes.series.starts[k + 1]];
                for &i in own {
                    for &j in own {
                        let f = (-r.row_log_scale(i as usize, &phi) - r.row_log_scale(j as usize, &phi)).exp();
                        inverse[i as usize][j as usize] += f * w.blocks[r.classes.block_class[k] as usize];
                    }
                }
            }
            for i in 0..n {
                for j in 0..n {
                    let x: f64 = (0..n).map(|k| inverse[i][k] * big[k][j]).sum();
                    assert!((x - f64::from(u8::from(i == j))).abs() < 1e-12, "{form:?} {i} {j} {x}");
                }
            }
            for p in 0..2 {
                let (mut up, mut down) = (phi, phi);
                (up[p], down[p]) = (phi[p] + 1e-6, phi[p] - 1e-6);
                let ((a, la), (b, lb)) = (r.weights(&up), r.weights(&down));
                let (exact, slope) = r.derivative(&phi, p);
                assert!((slope - (la - lb) / 2e-6).abs() < 1e-7, "{form:?} {p}: {slope}");
                for (e, (x, y)) in exact.rows.iter().zip(a.rows.iter().zip(&b.rows)) {
                    assert!((e - (x - y) / 2e-6).abs() < 1e-7);
                }
                for (e, (x, y)) in exact.pairs.iter().zip(a.pairs.iter().zip(&b.pairs)) {
                    assert!((e - (x - y) / 2e-6).abs() < 1e-7);
                }
                for (e, (x, y)) in exact.blocks.iter().zip(a.blocks.iter().zip(&b.blocks)) {
                    assert!((e - (x - y) / 2e-6).abs() < 1e-7);
                }
            }
            // log|R| by Gaussian elimination.
            let mut a = big.clone();
            let mut sum = 0.0;
            for k in 0..n {
                sum += a[k][k].ln();
                for i in k + 1..n {
                    let f = a[i][k] / a[k][k];
                    for j in k..n {
                        a[i][j] -= f * a[k][j];
                    }
                }
            }
            assert!((sum - log_det).abs() < 1e-12, "{form:?}: {sum} {log_det}");
        }
    }
}
