//! Weights of rows, neighbours and series at phi, with their derivatives, and log|R|.

use crate::covariance::classes::PairKey;
use crate::covariance::correlation::{block, power};
use crate::covariance::residual::ResidualCovariance;

/// Weights of all classes at one phi.
#[derive(Clone, Debug, Default)]
pub struct Weights {
    /// By class of rows, without what neighbours add.
    pub rows: Vec<f64>,
    /// By class of sides: what a neighbour adds.
    pub sides: Vec<f64>,
    /// By class of neighbours.
    pub pairs: Vec<f64>,
    /// By class of series; where blocks are mixed the factor 1/D^2 is left to the rows.
    pub blocks: Vec<f64>,
}

impl Weights {
    /// All of them, in the order of `Classes::sizes`.
    pub fn all(&self) -> impl Iterator<Item = f64> + '_ {
        self.rows.iter().chain(&self.sides).chain(&self.pairs).chain(&self.blocks).copied()
    }
}

impl ResidualCovariance {
    /// A row's own weight beside 1/D^2, and its derivative in phi.
    pub fn own(&self, phi: &[f64]) -> (f64, f64) {
        let (rho, slope) = self.at(phi);
        if self.is_cs() {
            (1.0 / (1.0 - rho), slope / ((1.0 - rho) * (1.0 - rho)))
        } else {
            (1.0, 0.0)
        }
    }

    /// What a neighbour at a distance adds to a row's own weight, and the weight of the two, beside 1/D^2; each with its
    /// derivative in phi.
    pub fn neighbour(&self, phi: &[f64], gap: f64) -> [(f64, f64); 2] {
        let (rho, slope) = self.at(phi);
        let (r, dr) = power(rho, gap);
        let e = 1.0 - r * r;
        [(r * r / e, slope * 2.0 * r * dr / (e * e)), (-r / e, -slope * dr * (1.0 + r * r) / (e * e))]
    }

    /// Weight of the sum over a series of `m` rows, each over its scale, with its derivative in phi.
    pub fn series_weight(&self, phi: &[f64], m: usize) -> (f64, f64) {
        let (rho, slope) = self.at(phi);
        let own = block(rho, m).0;
        (own.0, slope * own.1)
    }

    /// Weights by class at phi; where every row has its own scale those of rows and neighbours are not by class.
    pub fn weights(&self, phi: &[f64]) -> Weights {
        let c = &self.classes;
        let own = self.own(phi).0;
        let square = |scale: u32| (-2.0 * self.log_scale(scale as usize, phi)).exp();
        let both =
            |p: &PairKey| (-self.log_scale(p.scale as usize, phi) - self.log_scale(p.before as usize, phi)).exp();
        Weights {
            rows: (0..c.row_counts.len() as u32).map(|s| own * square(s)).collect(),
            sides: c.sides.iter().map(|s| square(s.0) * self.neighbour(phi, s.1)[0].0).collect(),
            pairs: c.pairs.iter().map(|p| both(p) * self.neighbour(phi, p.gap)[1].0).collect(),
            blocks: self.blocks(phi).map(|(f, own, _)| f * own.0).collect(),
        }
    }

    /// Derivatives of the weights in phi[i].
    pub fn derivative(&self, phi: &[f64], i: usize) -> Weights {
        let c = &self.classes;
        let own = self.own(phi);
        let at = |scale: u32| c.scales[scale as usize * self.k + i];
        let square = |scale: u32| (-2.0 * self.log_scale(scale as usize, phi)).exp();
        let both =
            |p: &PairKey| (-self.log_scale(p.scale as usize, phi) - self.log_scale(p.before as usize, phi)).exp();
        let of_rho = i == self.k;
        let scaled = |s: u32, (value, slope): (f64, f64)| if of_rho { slope } else { -2.0 * at(s) * value };
        let slope = |p: &PairKey, (value, slope): (f64, f64)| {
            if of_rho {
                slope
            } else {
                -(at(p.scale) + at(p.before)) * value
            }
        };
        Weights {
            rows: (0..c.row_counts.len() as u32).map(|s| square(s) * scaled(s, own)).collect(),
            sides: c.sides.iter().map(|s| square(s.0) * scaled(s.0, self.neighbour(phi, s.1)[0])).collect(),
            pairs: c.pairs.iter().map(|p| both(p) * slope(p, self.neighbour(phi, p.gap)[1])).collect(),
            blocks: self
                .blocks(phi)
                .zip(&c.blocks)
                .map(|((f, own, _), key)| if c.mixed_blocks && !of_rho { 0.0 } else { f * scaled(key.0, own) })
                .collect(),
        }
    }

    /// For each class of series 1/D^2 (one where they are mixed), the weight of its sum and log|C|, with derivatives.
    fn blocks<'s>(&'s self, phi: &'s [f64]) -> impl Iterator<Item = (f64, (f64, f64), (f64, f64))> + 's {
        let (rho, slope) = self.at(phi);
        self.classes.blocks.iter().map(move |&(scale, m)| {
            let (own, log) = block(rho, m);
            let mixed = self.classes.mixed_blocks;
            let f = if mixed { 1.0 } else { (-2.0 * self.log_scale(scale as usize, phi)).exp() };
            (f, (own.0, slope * own.1), (log.0, slope * log.1))
        })
    }

    /// log|R|, without prior weights, at phi and its derivatives.
    pub fn log_det(&self, phi: &[f64]) -> (f64, Vec<f64>) {
        let (rho, slope) = self.at(phi);
        let mut value: f64 = self.moments.iter().zip(phi).map(|(m, d)| 2.0 * m.0 * d).sum();
        let mut slopes: Vec<f64> = self.moments.iter().map(|m| 2.0 * m.0).collect();
        let mut of_rho = 0.0;
        for (key, count) in self.classes.pairs.iter().zip(&self.classes.pair_counts) {
            let (r, dr) = power(rho, key.gap);
            value += count * (1.0 - r * r).ln();
            of_rho -= count * slope * 2.0 * r * dr / (1.0 - r * r);
        }
        for ((_, _, log), count) in self.blocks(phi).zip(&self.classes.block_counts) {
            value += count * log.0;
            of_rho += count * log.1;
        }
        if self.form.is_some() {
            slopes.push(of_rho);
        }
        (value, slopes)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::needless_range_loop)]

    use super::*;
    use crate::covariance::series::NONE;
    use crate::design::{Column, Correlation, Design, Factor, Serial};
    use crate::numerics::threads::Workers;

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
        let s = [0.0, 1.0, 0.0, 1.0, 0.5, 0.0, 0.0];
        for form in [Serial::Ar1, Serial::Car1, Serial::Cs] {
            let time = [4.0, 1.0, 2.0, 1.0, 5.0, 7.0, if form == Serial::Ar1 { 3.0 } else { 3.5 }];
            let mut design = Design::new(&y, vec![Column::Constant], vec![], vec![]);
            design.residual.scale = vec![Column::Values(&s)];
            design.residual.correlation =
                Some(Correlation { form, series: Factor { codes: &series, levels: 3 }, time: &time });
            let r = ResidualCovariance::new(&design, &Workers::new(1).unwrap()).unwrap();
            let phi = [0.3, r.phi_of(0.35)];
            assert!((r.rho(&phi).unwrap() - 0.35).abs() < 1e-14);
            let big = dense(&design, &phi[..1], 0.35);
            // R^-1 R = I, built from rows, neighbours and series.
            let (w, (log_det, slopes)) = (r.weights(&phi), r.log_det(&phi));
            let c = &r.classes;
            let n = y.len();
            let mut inverse = vec![vec![0.0; n]; n];
            for i in 0..n {
                inverse[i][i] += w.rows[c.scale(i)];
                if form != Serial::Cs && c.series.previous[i] != NONE {
                    let (j, pair) = (c.series.previous[i] as usize, c.pair(i));
                    let v = w.pairs[pair];
                    inverse[i][j] += v;
                    inverse[j][i] += v;
                    inverse[i][i] += w.sides[c.pairs[pair].sides[0]];
                    inverse[j][j] += w.sides[c.pairs[pair].sides[1]];
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
                let (a, b) = (r.weights(&up), r.weights(&down));
                let (la, lb) = (r.log_det(&up).0, r.log_det(&down).0);
                let (exact, slope) = (r.derivative(&phi, p), slopes[p]);
                assert!((slope - (la - lb) / 2e-6).abs() < 1e-7, "{form:?} {p}: {slope}");
                for (e, (x, y)) in exact.all().zip(a.all().zip(b.all())) {
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
