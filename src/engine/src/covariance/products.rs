//! Products with R, R^-1 and the derivative of R for rows that no other row is correlated with.
//!
//! R = D C D on rows times the root of their prior weight; C by series. AR(1) and CAR(1) need one state forwards and one
//! backwards: s_t = r_t (s_{t-1} + b_{t-1}), r_t = rho^gap, carries the sum over all rows before.

use crate::covariance::correlation::power;
use crate::covariance::residual::ResidualCovariance;
use crate::design::Serial;

/// Rows of one series, or rows without correlation.
pub(crate) struct ResidualBlock {
    form: Option<Serial>,
    rho: f64,
    /// d rho / d phi.
    slope: f64,
    /// r and its derivative in phi for the gap before each row but the first.
    links: Vec<[f64; 2]>,
    /// Standard deviation of each row beside sigma.
    sd: Vec<f64>,
}

/// The matrix between two D.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CorrelationPart {
    /// C.
    Correlation,
    /// Its derivative in phi.
    Slope,
}

impl ResidualBlock {
    /// For rows in the order of their times.
    pub fn new(residual: &ResidualCovariance, rows: &[u32], phi: &[f64]) -> ResidualBlock {
        let form = residual.serial();
        let (rho, slope) = residual.at(phi);
        let series = &residual.classes.series;
        let link = |i: &u32| {
            let (r, d) = power(rho, series.gap(*i as usize));
            [r, slope * d]
        };
        let in_time = form.is_some_and(|f| f != Serial::Cs);
        let links = rows.iter().skip(1).filter(|_| in_time).map(link).collect();
        let sd = rows.iter().map(|i| residual.row_log_scale(*i as usize, phi).exp()).collect();
        ResidualBlock { form, rho, slope, links, sd }
    }

    /// `D C D b`, or with the derivative of C, for b of m columns.
    pub fn times(&self, middle: CorrelationPart, b: &[f64], m: usize) -> Vec<f64> {
        let g = self.scaled(b, m, |sd| sd);
        let plain = middle == CorrelationPart::Correlation;
        let mut out = if plain { g.clone() } else { vec![0.0; g.len()] };
        match self.form {
            None => (),
            Some(Serial::Cs) => {
                let (f, sum) = (if plain { self.rho } else { self.slope }, sum_of(&g, m));
                for (o, b) in out.chunks_exact_mut(m).zip(g.chunks_exact(m)) {
                    (0..m).for_each(|c| o[c] += f * (sum[c] - b[c]));
                }
            }
            Some(_) => {
                let n = self.sd.len();
                let mut state = vec![[0.0; 2]; m];
                let which = usize::from(!plain);
                for t in 1..n {
                    advance(&mut state, self.links[t - 1], &g[(t - 1) * m..t * m]);
                    (0..m).for_each(|c| out[t * m + c] += state[c][which]);
                }
                state.fill([0.0; 2]);
                for t in (1..n).rev() {
                    advance(&mut state, self.links[t - 1], &g[t * m..(t + 1) * m]);
                    (0..m).for_each(|c| out[(t - 1) * m + c] += state[c][which]);
                }
            }
        }
        self.scaled(&out, m, |sd| sd)
    }

    /// `R^-1 b`.
    pub fn solve(&self, b: &[f64], m: usize) -> Vec<f64> {
        let g = self.scaled(b, m, |sd| 1.0 / sd);
        let n = self.sd.len();
        let mut out = g.clone();
        match self.form {
            None => (),
            Some(Serial::Cs) => {
                let (own, f) = (1.0 / (1.0 - self.rho), self.rho / (1.0 + (n as f64 - 1.0) * self.rho));
                let sum = sum_of(&g, m);
                for o in out.chunks_exact_mut(m) {
                    (0..m).for_each(|c| o[c] = own * (o[c] - f * sum[c]));
                }
            }
            Some(_) => {
                for t in 1..n {
                    let r = self.links[t - 1][0];
                    let e = r / (1.0 - r * r);
                    for c in 0..m {
                        let (before, here) = (g[(t - 1) * m + c], g[t * m + c]);
                        out[t * m + c] += e * (r * here - before);
                        out[(t - 1) * m + c] += e * (r * before - here);
                    }
                }
            }
        }
        self.scaled(&out, m, |sd| 1.0 / sd)
    }

    fn scaled(&self, b: &[f64], m: usize, f: impl Fn(f64) -> f64) -> Vec<f64> {
        let mut out = b.to_vec();
        out.chunks_exact_mut(m).zip(&self.sd).for_each(|(row, sd)| row.iter_mut().for_each(|x| *x *= f(*sd)));
        out
    }
}

/// The state and its derivative after one more row.
fn advance(state: &mut [[f64; 2]], [r, d]: [f64; 2], b: &[f64]) {
    for (s, b) in state.iter_mut().zip(b) {
        let u = s[0] + b;
        *s = [r * u, d * u + r * s[1]];
    }
}

fn sum_of(g: &[f64], m: usize) -> Vec<f64> {
    let mut sum = vec![0.0; m];
    g.chunks_exact(m).for_each(|b| sum.iter_mut().zip(b).for_each(|(s, x)| *s += x));
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design::{Column, Correlation, Design, Factor};
    use crate::numerics::threads::Workers;

    #[test]
    fn solving_undoes_the_product_and_slopes_are_differences() {
        let y = [0.0; 6];
        let series = [1; 6];
        let time = [4.0, 1.0, 2.0, 7.0, 5.0, 11.0];
        let s = [0.0, 1.0, 0.0, 1.0, 0.5, 0.0];
        for form in [None, Some(Serial::Ar1), Some(Serial::Car1), Some(Serial::Cs)] {
            let mut design = Design::new(&y, vec![Column::Constant], vec![], vec![]);
            design.residual.scale = vec![Column::Values(&s)];
            let of = |form| Correlation { form, series: Factor { codes: &series, levels: 1 }, time: &time };
            design.residual.correlation = form.map(of);
            let r = ResidualCovariance::new(&design, &Workers::new(1).unwrap()).unwrap();
            let rows: Vec<u32> = if form.is_some() { r.classes.series.rows.clone() } else { (0..6).collect() };
            let phi = vec![0.3, r.phi_of(0.45)];
            let b: Vec<f64> = (0..12).map(|i| (1.7 * f64::from(i)).sin()).collect();
            let at = |phi: &[f64]| ResidualBlock::new(&r, &rows, phi);
            let back = at(&phi).solve(&at(&phi).times(CorrelationPart::Correlation, &b, 2), 2);
            assert!(b.iter().zip(&back).all(|(x, y)| (x - y).abs() < 1e-13), "{form:?}");
            let moved = |h: f64| at(&[phi[0], phi[1] + h]).times(CorrelationPart::Correlation, &b, 2);
            let (up, down, exact) = (moved(1e-5), moved(-1e-5), at(&phi).times(CorrelationPart::Slope, &b, 2));
            let gap = |k: usize| (exact[k] - (up[k] - down[k]) / 2e-5).abs();
            assert!((0..12).all(|k| gap(k) < 1e-8), "{form:?}");
        }
    }
}
