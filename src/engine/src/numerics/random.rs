//! Seeded streams of random numbers: one stream a replicate, so that threads do not change results.
//!
//! The generator is named (ChaCha with 8 rounds), not the library's default, which may change between versions.

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

/// A stream of one replicate.
pub struct Stream {
    rng: ChaCha8Rng,
    spare: Option<f64>,
}

impl Stream {
    /// Stream `index` of the family that `seed` names.
    pub fn new(seed: u64, index: u64) -> Stream {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(index);
        Stream { rng, spare: None }
    }

    /// Uniform on (0, 1).
    #[inline]
    pub fn uniform(&mut self) -> f64 {
        loop {
            let u: f64 = self.rng.random();
            if u > 0.0 {
                return u;
            }
        }
    }

    /// Standard normal (Box and Muller 1958, both halves used).
    #[inline]
    pub fn normal(&mut self) -> f64 {
        if let Some(z) = self.spare.take() {
            return z;
        }
        let (r, angle) = ((-2.0 * self.uniform().ln()).sqrt(), 2.0 * std::f64::consts::PI * self.uniform());
        self.spare = Some(r * angle.sin());
        r * angle.cos()
    }

    /// Chi-square with `df` > 0 degrees of freedom (Marsaglia and Tsang 2000).
    pub fn chi_square(&mut self, df: f64) -> f64 {
        let shape = 0.5 * df;
        if shape < 1.0 {
            let boost = self.uniform().powf(1.0 / shape);
            return boost * self.chi_square(df + 2.0);
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && self.uniform().ln() < 0.5 * x * x + d * (1.0 - v + v.ln()) {
                return 2.0 * d * v;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_chi_square_and_normal() {
        // Mean df and variance 2 df; 4 standard errors of the mean of 40,000 draws.
        for df in [0.7, 3.0, 40.0] {
            let mut s = Stream::new(1, 2);
            let n = 40_000;
            let mean = (0..n).map(|_| s.chi_square(df)).sum::<f64>() / n as f64;
            assert!((mean - df).abs() < 4.0 * (2.0 * df / n as f64).sqrt(), "{df}: {mean}");
        }
        let mut s = Stream::new(5, 0);
        let draws: Vec<f64> = (0..40_000).map(|_| s.normal()).collect();
        let mean = draws.iter().sum::<f64>() / 40_000.0;
        let square = draws.iter().map(|x| x * x).sum::<f64>() / 40_000.0;
        assert!(mean.abs() < 0.02 && (square - 1.0).abs() < 0.03);
    }

    #[test]
    fn streams_differ_and_repeat() {
        let (mut a, mut b, mut c) = (Stream::new(1, 0), Stream::new(1, 0), Stream::new(1, 1));
        let (x, y, z) = (a.uniform(), b.uniform(), c.uniform());
        assert!(x == y && x != z);
    }
}
