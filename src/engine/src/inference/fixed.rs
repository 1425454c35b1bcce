//! What tests of fixed effects need, in the user's coordinates: Satterthwaite's derivatives and Kenward-Roger's pieces.

use super::directions::{compressed, rank, Satterthwaite};
use super::information::Information;
use crate::covariance::theta::Blocks;
use crate::design::coordinates;
use crate::error::{Error, Result};
use crate::likelihood::model::Model;
use crate::numerics::small;
use crate::options::Criterion;

/// Kenward and Roger (1997): P_i, W and the adjusted covariance.
#[derive(Clone, Debug)]
pub struct KenwardRoger {
    /// P_i = d(X'V^-1X) / d parameter i, p x p by rows each.
    pub p: Vec<Vec<f64>>,
    /// Asymptotic covariance of the parameters, m x m by rows.
    pub w: Vec<f64>,
    /// Adjusted covariance of the coefficients, p x p by rows.
    pub adjusted: Vec<f64>,
}

impl KenwardRoger {
    /// From working coordinates to the user's: coefficients are turned by `jacobian` and have variances `scale` times as large.
    pub(super) fn in_users(self, jacobian: &[f64], p: usize, scale: f64) -> Result<KenwardRoger> {
        let inverse = invert_general(jacobian, p)?;
        let inward = |x: &Vec<f64>| sandwich(&transpose(&inverse, p), x, p, 1.0 / scale);
        Ok(KenwardRoger {
            p: self.p.iter().map(inward).collect(),
            w: self.w,
            adjusted: sandwich(jacobian, &self.adjusted, p, scale),
        })
    }
}

/// Both, with Phi.
#[derive(Clone, Debug)]
pub struct FixedInference {
    /// Covariance of the kept coefficients, p x p by rows.
    pub phi: Vec<f64>,
    /// Satterthwaite's pieces.
    pub satterthwaite: Satterthwaite,
    /// Kenward-Roger's pieces; `None` for a fit by ML or where the information is singular.
    pub kenward_roger: Option<KenwardRoger>,
}

impl Model {
    /// Pieces for tests of the coefficients at a fitted `theta` (user's basis, by the criterion that was minimised).
    ///
    /// # Errors
    /// [`Error::TooLarge`] with the bytes that the largest connected component of levels would need;
    /// [`Error::Dimension`] for a theta of the wrong length.
    ///
    /// # Source
    /// Kenward and Roger (1997), Biometrics 53, 983-997; Fai and Cornelius (1996).
    pub fn fixed_inference(&mut self, theta: &[f64], kind: Criterion, memory: f64) -> Result<FixedInference> {
        let t = self.blocks_from_user(theta)?;
        let info = Information::new(self, &t, kind, memory)?;
        let scale = self.a.coordinates.y_scale * self.a.coordinates.y_scale;
        let p = self.a.p;
        let jacobian = coordinates::jacobian(&self.a.coordinates.x);
        let outward = |x: &[f64]| sandwich(&jacobian, x, p, scale);
        let satterthwaite = self.satterthwaite(&info, &t)?;
        let kenward_roger = match kind {
            Criterion::Reml => kenward_roger(&info, p),
            Criterion::Ml => None,
        };
        Ok(FixedInference {
            phi: outward(&info.phi),
            satterthwaite: Satterthwaite {
                jacobian: satterthwaite.jacobian.iter().map(|x| outward(x)).collect(),
                covariance: satterthwaite.covariance,
            },
            kenward_roger: kenward_roger.map(|kr| kr.in_users(&jacobian, p, scale)).transpose()?,
        })
    }

    /// Satterthwaite's pieces where K does not fit in memory: differences of the exact gradient, no Kenward-Roger.
    ///
    /// # Errors
    /// [`Error::Dimension`] for a theta of the wrong length.
    pub fn fixed_inference_by_differences(&mut self, theta: &[f64], kind: Criterion) -> Result<FixedInference> {
        let t = self.blocks_from_user(theta)?;
        let (phi, satterthwaite) = super::differences::satterthwaite(self, &t, kind)?;
        let scale = self.a.coordinates.y_scale * self.a.coordinates.y_scale;
        let jacobian = coordinates::jacobian(&self.a.coordinates.x);
        let outward = |x: &[f64]| sandwich(&jacobian, x, self.a.p, scale);
        Ok(FixedInference {
            phi: outward(&phi),
            satterthwaite: Satterthwaite {
                jacobian: satterthwaite.jacobian.iter().map(|x| outward(x)).collect(),
                covariance: satterthwaite.covariance,
            },
            kenward_roger: None,
        })
    }

    /// Derivatives along the free elements of sigma T (a singular T keeps its rank) and sigma^2.
    fn satterthwaite(&self, info: &Information, t: &Blocks) -> Result<Satterthwaite> {
        let (m, k, p) = (info.m, info.m - 1, self.a.p);
        let sigma = info.values[k].sqrt();
        let mut directions: Vec<Vec<f64>> = Vec::new();
        let mut owners: Vec<(usize, usize, usize)> = Vec::new();
        for (term, &(_, _, q)) in self.layout.terms.iter().enumerate() {
            let mut l = compressed(&self.layout.term_block(t, term), q);
            l.iter_mut().for_each(|x| *x *= sigma);
            for col in 0..rank(&l, q) {
                for row in col..q {
                    // dG = e_row l_col' + l_col e_row'.
                    let mut d = vec![0.0; m];
                    for (i, &(other, r, c)) in self.layout.places.iter().enumerate().filter(|x| x.1 .0 == term) {
                        debug_assert_eq!(other, term);
                        d[i] =
                            if r == row { l[c * q + col] } else { 0.0 } + if c == row { l[r * q + col] } else { 0.0 };
                    }
                    directions.push(d);
                    owners.push((term, row, col));
                }
            }
        }
        let mut last = vec![0.0; m];
        last[k] = 1.0;
        directions.push(last);
        let n = directions.len();
        let mut hessian = vec![0.0; n * n];
        for (x, dx) in directions.iter().enumerate() {
            for (y, dy) in directions.iter().enumerate() {
                let mut turned = vec![0.0; m];
                small::mul(&mut turned, &info.hessian, dy, m, m, 1, 1.0);
                let sum: f64 = dx.iter().zip(&turned).map(|(a, b)| a * b).sum();
                hessian[x * n + y] = sum;
            }
        }
        // Curvature of G in the elements of one column: d2 G = e_r e_s' + e_s e_r'.
        for (x, a) in owners.iter().enumerate() {
            for (y, b) in owners.iter().enumerate().filter(|(_, b)| b.0 == a.0 && b.2 == a.2) {
                let (r, s) = (a.1.max(b.1), a.1.min(b.1));
                if let Some(i) = self.layout.places.iter().position(|place| *place == (a.0, r, s)) {
                    hessian[x * n + y] += info.score[i] * if r == s { 2.0 } else { 1.0 };
                }
            }
        }
        let covariance = small::solve_identity(&hessian, n).ok_or(Error::NotPositiveDefinite)?;
        let jacobian = directions
            .iter()
            .map(|d| {
                let mut sum = vec![0.0; p * p];
                for (i, f) in d.iter().enumerate().filter(|(_, f)| **f != 0.0) {
                    sum.iter_mut().zip(&info.p[i]).for_each(|(s, x)| *s += f * x);
                }
                sandwich(&info.phi, &sum, p, -1.0)
            })
            .collect();
        Ok(Satterthwaite { jacobian, covariance: covariance.iter().map(|x| 2.0 * x).collect() })
    }
}

/// Kenward and Roger's information, W and adjusted covariance in working coordinates.
fn kenward_roger(info: &Information, p: usize) -> Option<KenwardRoger> {
    let m = info.m;
    let w: Vec<f64> = small::solve_identity(&info.trace_reml, m)?.iter().map(|x| 2.0 * x).collect();
    let mut inner = vec![0.0; p * p];
    for i in 0..m {
        for j in 0..m {
            let bridge = sandwich_of(&info.p[i], &info.phi, &info.p[j], p);
            let weight = w[i * m + j];
            (0..p * p).for_each(|x| inner[x] += weight * (info.q[i * m + j][x] - bridge[x]));
        }
    }
    Some(KenwardRoger { p: info.p.clone(), w, adjusted: corrected(&info.phi, &inner, p) })
}

/// `phi + 2 phi inner phi`, made symmetric.
pub(super) fn corrected(phi: &[f64], inner: &[f64], p: usize) -> Vec<f64> {
    let mut adjusted = phi.to_vec();
    let correction = sandwich(phi, inner, p, 2.0);
    adjusted.iter_mut().zip(&correction).for_each(|(a, c)| *a += c);
    for i in 0..p {
        for j in 0..i {
            let x = 0.5 * (adjusted[i * p + j] + adjusted[j * p + i]);
            (adjusted[i * p + j], adjusted[j * p + i]) = (x, x);
        }
    }
    adjusted
}

/// `f * a x a'`.
pub(super) fn sandwich(a: &[f64], x: &[f64], p: usize, f: f64) -> Vec<f64> {
    let mut half = vec![0.0; p * p];
    small::mul(&mut half, a, x, p, p, p, f);
    let mut out = vec![0.0; p * p];
    small::mul_by_transposed(&mut out, &half, a, p, p, p, 1.0);
    out
}

/// `a b c`.
pub(super) fn sandwich_of(a: &[f64], b: &[f64], c: &[f64], p: usize) -> Vec<f64> {
    let mut half = vec![0.0; p * p];
    small::mul(&mut half, a, b, p, p, p, 1.0);
    let mut out = vec![0.0; p * p];
    small::mul(&mut out, &half, c, p, p, p, 1.0);
    out
}

fn transpose(a: &[f64], p: usize) -> Vec<f64> {
    (0..p * p).map(|x| a[x % p * p + x / p]).collect()
}

fn invert_general(a: &[f64], p: usize) -> Result<Vec<f64>> {
    small::solve_identity(a, p).ok_or(Error::NotPositiveDefinite)
}
