//! Satterthwaite's pieces with psi and phi among the variance parameters, from differences of the exact gradient; the same
//! points serve Kenward and Roger's.
//!
//! Parameters: the free elements of T (working basis, zero columns left out), psi, phi and sigma^2, not profiled. A
//! correlation that multiplies nothing, or that is at its limit, counts as known.

use super::adjusted::{Known, Solution};
use super::directions::{compressed, rank, Satterthwaite};
use super::fixed::{sandwich, FixedInference};
use crate::design::coordinates;
use crate::error::{Error, Result};
use crate::fit::problem::{Parameters, Problem};
use crate::numerics::small;
use crate::options::Criterion;

/// Gradient in the free parameters, Phi, and the solution.
type Point = (Vec<f64>, Vec<f64>, Solution);

impl Problem<'_> {
    /// Pieces for tests of the coefficients at a fit (theta in the user's basis): Phi and Satterthwaite's derivatives,
    /// with the uncertainty of all variance parameters; with `kr` and by REML Kenward and Roger's pieces as well.
    ///
    /// # Errors
    /// [`Error::Dimension`] for a theta of the wrong length; [`Error::NotPositiveDefinite`] where the fit is no minimum.
    pub fn fixed_inference(&mut self, theta: &[f64], phi: &[f64], kind: Criterion, kr: bool) -> Result<FixedInference> {
        let kr = kr && kind == Criterion::Reml;
        self.set(phi);
        let mut at = Parameters { theta: self.working(theta)?, psi: self.psi_of(theta), phi: phi.to_vec() };
        let free = self.free_places(&mut at);
        let blocks = self.blocks(&at).ok_or(Error::NotPositiveDefinite)?;
        let s = self.model.value(&blocks, kind)?.pls.pwrss / self.model.nu(kind);
        let x: Vec<f64> = free.iter().map(|i| self.get(&at, *i)).chain([s]).collect();
        let n = x.len();
        let (_, phi_hat, here) = self.point(&at, &free, s, kind)?;
        let mut hessian = vec![0.0; n * n];
        let mut slopes = Vec::new();
        let mut jacobian = Vec::with_capacity(n);
        self.model.watch.announce(n);
        for k in 0..n {
            self.model.watch.advance(1);
            let step = if k + 1 < n { 1e-4 * (x[k].abs() + 0.1) } else { 1e-4 * s };
            let mut side = |sign: f64| -> Result<Point> {
                let (mut moved, mut sigma2) = (at.clone(), s);
                match free.get(k) {
                    Some(&(which, i)) => match which {
                        0 => moved.theta[i] += sign * step,
                        1 => moved.psi[i] += sign * step,
                        _ => moved.phi[i] += sign * step,
                    },
                    None => sigma2 += sign * step,
                }
                self.point(&moved, &free, sigma2, kind)
            };
            let (up, down) = (side(1.0)?, side(-1.0)?);
            (0..n).for_each(|i| hessian[i * n + k] = (up.0[i] - down.0[i]) / (2.0 * step));
            jacobian.push(up.1.iter().zip(&down.1).map(|(a, b)| (a - b) / (2.0 * step)).collect::<Vec<f64>>());
            if kr && k + 1 < n {
                slopes.push(up.2.minus(&down.2, 2.0 * step));
            }
        }
        self.set(phi);
        for i in 0..n {
            for j in 0..i {
                let x = 0.5 * (hessian[i * n + j] + hessian[j * n + i]);
                (hessian[i * n + j], hessian[j * n + i]) = (x, x);
            }
        }
        let mut covariance = small::solve_identity(&hessian, n).ok_or(Error::NotPositiveDefinite)?;
        covariance.iter_mut().for_each(|x| *x *= 2.0);
        let kenward_roger = match kr {
            true => self.adjusted(&Known {
                at: &at,
                free: &free,
                s,
                w: &covariance,
                phi: &phi_hat,
                here: &here,
                slopes: &slopes,
            })?,
            false => None,
        };
        let c = &self.model.a.coordinates;
        let (turn, scale, p) = (coordinates::jacobian(&c.x), c.y_scale * c.y_scale, self.model.a.p);
        let outward = |x: &[f64]| sandwich(&turn, x, p, scale);
        Ok(FixedInference {
            phi: outward(&phi_hat),
            satterthwaite: Satterthwaite { jacobian: jacobian.iter().map(|x| outward(x)).collect(), covariance },
            kenward_roger: kenward_roger.map(|kr| kr.in_users(&turn, p, scale)).transpose()?,
        })
    }

    /// Free parameters: 0 theta, 1 psi, 2 phi, with their places. Puts the zero columns of every T last.
    fn free_places(&self, at: &mut Parameters) -> Vec<(usize, usize)> {
        let layout = &self.model.layout;
        let mut blocks = layout.zeros();
        layout.fill(&at.theta, &mut blocks);
        let mut free = Vec::new();
        for (term, &(_, _, q)) in layout.terms.iter().enumerate().filter(|(k, _)| self.patterns[*k].is_none()) {
            let l = compressed(&layout.term_block(&blocks, term), q);
            let r = rank(&l, q);
            layout.set_term_block(&mut blocks, term, &l);
            let own = (0..layout.places.len()).filter(|&i| layout.places[i].0 == term && layout.places[i].2 < r);
            free.extend(own.map(|i| (0, i)));
        }
        at.theta = layout.theta(&blocks);
        for (_, shape, range) in self.patterned() {
            let own = &at.psi[range.clone()];
            let zero = |i: usize| i < own.len() && own[i] == 0.0;
            free.extend((0..own.len()).filter(|&i| !shape.is_idle(own, i) && !zero(i)).map(|i| (1, range.start + i)));
        }
        free.extend((0..at.phi.len()).filter(|&i| !self.residual().is_idle(&at.phi, i)).map(|i| (2, i)));
        free
    }

    fn get(&self, at: &Parameters, (which, i): (usize, usize)) -> f64 {
        match which {
            0 => at.theta[i],
            1 => at.psi[i],
            _ => at.phi[i],
        }
    }

    fn point(&mut self, at: &Parameters, free: &[(usize, usize)], s: f64, kind: Criterion) -> Result<Point> {
        self.set(&at.phi);
        let t = self.blocks(at).ok_or(Error::NotPositiveDefinite)?;
        let (value, gamma) = self.model.value_and_gamma_at(&t, kind, Some(s))?;
        let slope = self.slope(at, &gamma)?;
        let of = |&(which, i): &(usize, usize)| [&slope.theta, &slope.psi, &slope.phi][which][i];
        let mut g: Vec<f64> = free.iter().map(of).collect();
        g.push(self.model.nu(kind) / s - value.pls.pwrss / (s * s));
        let p = self.model.a.p;
        let mut c = vec![0.0; p * p];
        small::mul_by_transposed(&mut c, &value.pls.rx, &value.pls.rx, p, p, p, 1.0);
        let phi = small::invert_spd(&c, p).ok_or(Error::NotPositiveDefinite)?.iter().map(|x| x * s).collect();
        let solution = Solution::new(self.model.here()?);
        Ok((g, phi, solution))
    }
}
