//! Seeded streams of random numbers: one stream a replicate, so that threads do not change results.
//!
//! The generator is named (ChaCha with 8 rounds), not the library's default, which may change between versions.

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use rand_distr::{ChiSquared, Distribution, StandardNormal};

/// A stream of one replicate.
pub struct Stream {
    rng: ChaCha8Rng,
}

impl Stream {
    /// Stream `index` of the family that `seed` names.
    pub fn new(seed: u64, index: u64) -> Stream {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(index);
        Stream { rng }
    }

    /// Standard normal.
    #[inline]
    pub fn normal(&mut self) -> f64 {
        self.rng.sample(StandardNormal)
    }

    /// Chi-square with `df` degrees of freedom; 0 where there are none, as a sum of no squares is.
    pub fn chi_square(&mut self, df: f64) -> f64 {
        ChiSquared::new(df).map_or(0.0, |d| d.sample(&mut self.rng))
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
        let (x, y, z) = (a.normal(), b.normal(), c.normal());
        assert!(x == y && x != z);
    }
}
