//! Null distribution of the (restricted) likelihood ratio for one variance component, by simulation of its spectral form.
//!
//! Source: Crainiceanu and Ruppert (2004), J. R. Statist. Soc. B 66, 165-185. With mu the eigenvalues of Z'MZ,
//! M = I - X(X'X)^-1X', and xi those of Z'Z:
//! RLRT = sup over lambda of (n - p) log(1 + N / D) - sum log(1 + lambda mu), LRT the same with n and xi, where
//! N = sum lambda mu w^2 / (1 + lambda mu), D = sum w^2 / (1 + lambda mu) + chi-square with n - p - K degrees of freedom.

use crate::error::Result;
use crate::numerics::random::Stream;
use crate::numerics::threads::Workers;
use crate::options::Watch;

/// Draws that are one unit of work.
pub const RLRT_BATCH: usize = 500;

/// What is simulated.
#[derive(Clone, Debug)]
pub struct Null {
    /// Eigenvalues mu of Z'MZ, all positive.
    pub mu: Vec<f64>,
    /// Eigenvalues xi of Z'Z (ML); empty for REML.
    pub xi: Vec<f64>,
    /// Rows.
    pub n: f64,
    /// Rank of X.
    pub p: f64,
    /// Fixed effects that the hypothesis removes as well (ML).
    pub fixed: usize,
}

/// Draws of the statistic; replicate i uses stream i of `seed`. [`RLRT_BATCH`] draws are a unit of work.
///
/// # Errors
/// Only if threads cannot be started; [`crate::Error::Interrupted`].
pub fn simulate(null: &Null, draws: usize, seed: u64, threads: usize, watch: &Watch) -> Result<Vec<f64>> {
    let workers = Workers::new(if draws > RLRT_BATCH { threads } else { 1 })?;
    let (mu, xi) = (Spectrum::new(&null.mu), Spectrum::new(&null.xi));
    let grid = grid(null);
    let batches = workers.map(draws.div_ceil(RLRT_BATCH), |b| {
        watch.check()?;
        let mut w = vec![0.0; mu.values.len()];
        let own: Vec<f64> = (b * RLRT_BATCH..((b + 1) * RLRT_BATCH).min(draws))
            .map(|i| draw(null, (&mu, &xi), &grid, &mut Stream::new(seed, i as u64), &mut w))
            .collect();
        watch.advance(1);
        Ok(own)
    });
    Ok(batches.into_iter().collect::<Result<Vec<_>>>()?.concat())
}

/// Values of lambda around which the supremum is looked for: logarithmic, over all scales of mu.
fn grid(null: &Null) -> Vec<f64> {
    let largest = null.mu.iter().chain(&null.xi).fold(0.0_f64, |a, x| a.max(*x));
    let smallest = null.mu.iter().fold(largest, |a, x| a.min(*x)).max(1e-12 * largest);
    let (from, to) = ((1e-4 / largest).ln(), (1e4 / smallest).ln());
    (0..48).map(|i| (from + (to - from) * f64::from(i) / 47.0).exp()).collect()
}

/// Distinct eigenvalues with their multiplicities: groups of equal size share one chi-square draw.
struct Spectrum {
    values: Vec<f64>,
    times: Vec<f64>,
}

impl Spectrum {
    fn new(eigen: &[f64]) -> Spectrum {
        let mut sorted = eigen.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let (mut values, mut times) = (Vec::new(), Vec::<f64>::new());
        for e in sorted {
            if values.last() == Some(&e) {
                if let Some(t) = times.last_mut() {
                    *t += 1.0;
                }
            } else {
                values.push(e);
                times.push(1.0);
            }
        }
        Spectrum { values, times }
    }

    /// sum log(1 + lambda e): one logarithm for many single eigenvalues.
    fn log_product(&self, lambda: f64) -> f64 {
        let (mut sum, mut product) = (0.0, 1.0_f64);
        for (e, &times) in self.values.iter().zip(&self.times) {
            if times > 1.0 {
                sum += times * (1.0 + lambda * e).ln();
                continue;
            }
            product *= 1.0 + lambda * e;
            if product > 1e200 {
                sum += product.ln();
                product = 1.0;
            }
        }
        sum + product.ln()
    }
}

fn draw(null: &Null, (mu, xi): (&Spectrum, &Spectrum), grid: &[f64], s: &mut Stream, w: &mut [f64]) -> f64 {
    for (x, &times) in w.iter_mut().zip(&mu.times) {
        *x = if times > 1.0 { s.chi_square(times) } else { s.normal().powi(2) };
    }
    let rest_df = null.n - null.p - null.mu.len() as f64;
    let rest = if rest_df > 0.0 { s.chi_square(rest_df) } else { 0.0 };
    let total: f64 = w.iter().sum::<f64>() + rest;
    let ml = !null.xi.is_empty();
    let extra = if ml && null.fixed > 0 { null.n * (1.0 + s.chi_square(null.fixed as f64) / total).ln() } else { 0.0 };
    let value = |lambda: f64| {
        let inside: f64 = w.iter().zip(&mu.values).map(|(w, m)| w / (1.0 + lambda * m)).sum::<f64>() + rest;
        let (scale, eigen) = if ml { (null.n, xi) } else { (null.n - null.p, mu) };
        scale * (total / inside).ln() - eigen.log_product(lambda)
    };
    let (mut best, mut top) = (0.0, 0);
    for (i, &lambda) in grid.iter().enumerate() {
        let v = value(lambda);
        if v > best {
            (best, top) = (v, i);
        }
    }
    // Golden section on log lambda between the neighbours of the best point (also where only a small lambda is better).
    let low = if top == 0 { grid[0] * 1e-3 } else { grid[top - 1] };
    let high = grid[(top + 1).min(grid.len() - 1)];
    best = best.max(golden(value, low.ln(), high.ln()));
    best + extra
}

fn golden(value: impl Fn(f64) -> f64, mut a: f64, mut b: f64) -> f64 {
    const RATIO: f64 = 0.618_033_988_749_894_9;
    let (mut c, mut d) = (b - RATIO * (b - a), a + RATIO * (b - a));
    let (mut fc, mut fd) = (value(c.exp()), value(d.exp()));
    for _ in 0..16 {
        if fc > fd {
            (b, d, fd) = (d, c, fc);
            c = b - RATIO * (b - a);
            fc = value(c.exp());
        } else {
            (a, c, fc) = (c, d, fd);
            d = a + RATIO * (b - a);
            fd = value(d.exp());
        }
    }
    fc.max(fd)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balanced_one_way_layout_has_its_known_atom_at_zero() {
        // J = 6 groups of 5: mu = 5 (five times). RLRT > 0 if and only if the F statistic exceeds 1, so the mass
        // at zero is P(F(5, 24) <= 1) = 0.561089 (R: pf(1, 5, 24)); 3 standard errors of 40,000 draws are 0.0074.
        let null = Null { mu: vec![5.0; 5], xi: vec![], n: 30.0, p: 1.0, fixed: 0 };
        let draws = simulate(&null, 40_000, 9, 1, &Watch::default()).unwrap();
        let zero = draws.iter().filter(|d| **d < 1e-6).count() as f64 / 40_000.0;
        assert!((zero - 0.561_089).abs() < 0.0074, "{zero}");
        assert_eq!(draws, simulate(&null, 40_000, 9, 2, &Watch::default()).unwrap());
    }
}
