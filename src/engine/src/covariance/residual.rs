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

use crate::covariance::classes::Classes;
use crate::covariance::correlation::Form;
use crate::covariance::series::{Series, NONE};
use crate::design::{Design, Serial};
use crate::error::Result;
use crate::numerics::small;
use crate::numerics::threads::Workers;

/// Largest spread of log standard deviations; beyond it one of them is zero or infinite.
pub(super) const SPREAD: f64 = 14.0;

/// The residuals of a design.
#[derive(Debug)]
pub struct ResidualCovariance {
    pub(crate) form: Option<Form>,
    /// Number of coefficients d.
    pub k: usize,
    /// Classes of rows, of neighbours and of series.
    pub classes: Classes,
    /// For each column of the scale its sum over the rows, and those of its products with all columns about the means.
    pub(crate) moments: Vec<(f64, Vec<f64>)>,
    /// For each column of the scale its ends.
    ends: Vec<(f64, f64)>,
}

impl ResidualCovariance {
    /// Sorts the rows of a design into classes.
    ///
    /// # Errors
    /// Those of [`Series::new`].
    pub fn new(design: &Design<'_>, workers: &Workers) -> Result<ResidualCovariance> {
        let correlation = design.residual.correlation.as_ref();
        let series = correlation.map_or_else(|| Ok(Series::default()), Series::new)?;
        let form = correlation.map(|c| Form::new(c.form, series.longest()));
        let classes = Classes::new(design, form, series, workers);
        let k = design.residual.width();
        let count = |c: usize| classes.row_counts.get(c).copied().unwrap_or(1.0);
        let rows = || classes.scales.chunks_exact(k.max(1)).enumerate();
        let (mut sums, mut products) = (vec![0.0; k], vec![vec![0.0; k]; k]);
        let mut ends = vec![(f64::INFINITY, f64::NEG_INFINITY); k];
        for (c, s) in rows() {
            sums.iter_mut().zip(s).for_each(|(o, s)| *o += count(c) * s);
            ends.iter_mut().zip(s).for_each(|(e, s)| *e = (e.0.min(*s), e.1.max(*s)));
        }
        let mean: Vec<f64> = sums.iter().map(|s| s / design.n() as f64).collect();
        for (c, s) in rows() {
            for (i, row) in products.iter_mut().enumerate() {
                let f = count(c) * (s[i] - mean[i]);
                row.iter_mut().zip(s.iter().zip(&mean)).for_each(|(o, (s, m))| *o += f * (s - m));
            }
        }
        let moments = sums.into_iter().zip(products).collect();
        Ok(ResidualCovariance { form, k, classes, moments, ends })
    }

    /// Of `n` residuals that are alike and independent: no parameters.
    pub fn alike(n: usize) -> ResidualCovariance {
        ResidualCovariance { form: None, k: 0, classes: Classes::alike(n), moments: Vec::new(), ends: Vec::new() }
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
        match self.k {
            0 => 0.0,
            1 => phi[0].abs() * (self.ends[0].1 - self.ends[0].0),
            k => {
                let all = (0..self.classes.scales.len() / k).map(|c| self.log_scale(c, phi));
                let (min, max) = all.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), x| (a.min(x), b.max(x)));
                max - min
            }
        }
    }

    /// rho and its derivative in phi.
    pub(crate) fn at(&self, phi: &[f64]) -> (f64, f64) {
        self.form.map_or((0.0, 0.0), |form| form.rho(phi[self.k]))
    }

    pub(crate) fn is_cs(&self) -> bool {
        self.form.is_some_and(|form| form.serial == Serial::Cs)
    }

    /// s'd of a class of scale.
    pub(crate) fn log_scale(&self, scale: usize, phi: &[f64]) -> f64 {
        self.scales(scale).iter().zip(phi).map(|(s, d)| s * d).sum()
    }

    /// Scale values of a class.
    pub(crate) fn scales(&self, scale: usize) -> &[f64] {
        &self.classes.scales[scale * self.k..(scale + 1) * self.k]
    }

    /// log of the standard deviation of row `i` beside sigma, without its prior weight.
    pub fn row_log_scale(&self, i: usize, phi: &[f64]) -> f64 {
        self.log_scale(self.classes.scale(i), phi)
    }

    /// Scale values of row `i`.
    pub fn row_scales(&self, i: usize) -> &[f64] {
        self.scales(self.classes.scale(i))
    }

    /// A rough Hessian of the deviance in phi, by rows, to begin a search with.
    pub fn curvature(&self) -> Vec<f64> {
        let (k, m) = (self.k, self.len());
        let mut out = vec![0.0; m * m];
        for i in 0..k {
            (0..k).for_each(|j| out[i * m + j] = 4.0 * self.moments[i].1[j]);
            out[i * m + i] = out[i * m + i].max(1.0);
        }
        if m > k {
            let pairs: f64 = self.classes.pair_counts.iter().chain(&self.classes.block_counts).sum();
            out[m * m - 1] = (2.0 * pairs).max(1.0);
        }
        out
    }

    /// Regression of logarithms of standard deviations, one for each class of rows, on the scales; kept where it is mild.
    pub fn fit_scales(&self, logs: &[f64], phi: &mut [f64]) {
        let k = self.k;
        if k == 0 {
            return;
        }
        let n: f64 = self.classes.row_counts.iter().sum();
        let all = || self.classes.scales.chunks_exact(k).zip(logs).zip(&self.classes.row_counts);
        let mean = all().map(|((_, l), c)| c * l).sum::<f64>() / n;
        let mut d = vec![0.0; k];
        for ((s, l), c) in all() {
            d.iter_mut().zip(s).for_each(|(d, s)| *d += c * (l - mean) * s);
        }
        let mut products: Vec<f64> = self.moments.iter().flat_map(|m| m.1.clone()).collect();
        if small::cholesky(&mut products, k) {
            small::solve_lower(&products, k, &mut d, 1);
            small::solve_lower_transposed(&products, k, &mut d, 1);
            if d.iter().all(|d| d.is_finite()) && self.spread(&d) < 0.5 * SPREAD {
                phi[..k].copy_from_slice(&d);
            }
        }
    }

    /// Takes a rough correlation, kept away from its limits.
    pub fn take_correlation(&self, rho: f64, phi: &mut [f64]) {
        let low = if self.serial() == Some(Serial::Ar1) { -0.6 } else { 0.05 };
        if rho.is_finite() {
            phi[self.k] = self.phi_of(rho.clamp(low, 0.6));
        }
    }

    /// Independent standard normal numbers made to have the correlation within series at phi.
    pub fn colour(&self, phi: &[f64], white: &[f64]) -> Vec<f64> {
        let Some(rho) = self.rho(phi) else { return white.to_vec() };
        let series = &self.classes.series;
        let mut out = white.to_vec();
        if self.serial() == Some(Serial::Cs) {
            for w in series.starts.windows(2) {
                let own = &series.rows[w[0]..w[1]];
                // sqrt(1 - rho) I + c J is a root of (1 - rho) I + rho J.
                let (m, a) = (own.len() as f64, (1.0 - rho).sqrt());
                let c = ((1.0 + (m - 1.0) * rho).max(0.0).sqrt() - a) / m;
                let sum: f64 = own.iter().map(|&i| white[i as usize]).sum();
                own.iter().for_each(|&i| out[i as usize] = a * white[i as usize] + c * sum);
            }
            return out;
        }
        for at in 0..white.len() {
            // Every row after the one before it.
            let i = series.rows.get(at).map_or(at, |i| *i as usize);
            if series.previous[i] != NONE {
                let gap = series.gap(i);
                let r = rho.abs().powf(gap) * if rho < 0.0 && gap % 2.0 != 0.0 { -1.0 } else { 1.0 };
                out[i] = r * out[series.previous[i] as usize] + (1.0 - r * r).sqrt() * white[i];
            }
        }
        out
    }
}
