//! Profile likelihood: the values of one quantity at which the criterion has risen by zeta^2, by root finding.
//!
//! The criterion is minimised over everything else at each value (warm start from the last one). zeta is close to linear
//! in the value, so a secant in zeta inside a bracket needs few steps. Where the edge of the parameter space comes
//! first, the edge is the answer.

use super::constrained::Constrained;
use super::target::Target;
use crate::error::Result;
use crate::fit::Problem;
use crate::numerics::minimise::{self, Limits, Objective};
use crate::numerics::{eigen, newton};
use crate::options::Criterion;

/// A profile on both sides of the estimate.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The estimate.
    pub estimate: f64,
    /// Values at -zeta, in the order of the given zetas; NaN where the search failed.
    pub lower: Vec<f64>,
    /// Values at +zeta.
    pub upper: Vec<f64>,
}

/// A walk from the estimate to one side.
struct Walk<'m, 'd> {
    constrained: Constrained<'m, 'd>,
    /// Criterion at the fit.
    best: f64,
    /// Free parameters where the last minimum was found, and the inverse Hessian there.
    x: Vec<f64>,
    h: Vec<f64>,
}

/// The profile of `target` at a fit (theta in the user's basis), at rising `zetas`; twice as many units of work.
///
/// # Errors
/// [`crate::Error::Dimension`] for a theta of the wrong length; [`crate::Error::Interrupted`]; [`crate::Error::Internal`]
/// for a target that the model does not have.
pub fn profile(
    problem: &mut Problem<'_>,
    theta: &[f64],
    phi: &[f64],
    kind: Criterion,
    target: Target,
    zetas: &[f64],
) -> Result<Profile> {
    problem.set(phi);
    let best = problem.model.criterion(theta, kind)?;
    let (mut constrained, x) = Constrained::new(problem, theta, phi, kind, target)?;
    let estimate = constrained.value;
    if !estimate.is_finite() {
        return Ok(Profile { estimate, lower: vec![f64::NAN; zetas.len()], upper: vec![f64::NAN; zetas.len()] });
    }
    let h = inverse_hessian(&mut constrained, &x, best)?;
    let mut walk = Walk { constrained, best, x: x.clone(), h: h.clone() };
    let lower = walk.side(estimate, target, -1.0, zetas)?;
    (walk.x, walk.h) = (x, h);
    let upper = walk.side(estimate, target, 1.0, zetas)?;
    Ok(Profile { estimate, lower, upper })
}

/// Inverse of the Hessian in the free parameters at the fit, made positive definite; zero where it cannot be evaluated.
fn inverse_hessian(constrained: &mut Constrained<'_, '_>, x: &[f64], best: f64) -> Result<Vec<f64>> {
    let m = x.len();
    let mut point = minimise::Point { x: constrained.opened(x), f: best, g: vec![0.0; m] };
    let mut h = vec![0.0; m * m];
    if constrained.evaluate(&point.x, &mut point.g)?.is_some() {
        let hessian = newton::hessian(constrained, &point, true)?;
        let (values, vectors) = eigen::symmetric(&hessian, m)?;
        let floor = 1e-6 * values.iter().fold(1.0_f64, |a, v| a.max(v.abs()));
        for (value, vector) in values.iter().zip(&vectors) {
            for i in 0..m {
                for j in 0..m {
                    h[i * m + j] += vector[i] * vector[j] / value.abs().max(floor);
                }
            }
        }
    }
    Ok(h)
}

impl Walk<'_, '_> {
    /// zeta at `value`, `None` where no minimum was found.
    fn zeta(&mut self, value: f64) -> Result<Option<f64>> {
        self.constrained.value = value;
        let limits = Limits { decrease: 1e-11, noise: 4e-15, evaluations: 400 };
        let start = self.constrained.opened(&self.x);
        let mut h = self.h.clone();
        let found = minimise::minimise(&mut self.constrained, &start, &mut h, limits)?;
        Ok(found.map(|(point, _, _)| {
            self.h = h;
            self.x = point.x;
            (point.f - self.best).max(0.0).sqrt()
        }))
    }

    /// The values at `zetas` on one side.
    fn side(&mut self, estimate: f64, target: Target, sign: f64, zetas: &[f64]) -> Result<Vec<f64>> {
        let edges = self.constrained.edges();
        let (edge, near) = if sign < 0.0 { edges[0] } else { edges[1] };
        let mut out = Vec::with_capacity(zetas.len());
        // (value, zeta) of the last point inside.
        let mut inside = (estimate, 0.0);
        let mut step = self.first_step(estimate, target)?;
        let mut at_edge = (estimate - near) * sign >= 0.0;
        for &zeta in zetas {
            self.constrained.problem.model.watch.advance(1);
            if at_edge {
                out.push(edge);
                continue;
            }
            let mut outside = None;
            for _ in 0..60 {
                let mut next = inside.0 + sign * step;
                if (next - near) * sign >= 0.0 {
                    next = near;
                }
                // sigma = 0 is no model; a correlation of one is.
                if target == Target::Sigma && next == 0.0 {
                    next = 0.5 * inside.0;
                }
                match self.zeta(next)? {
                    Some(z) if z >= zeta => {
                        outside = Some((next, z));
                        break;
                    }
                    Some(z) if next == near => {
                        inside = (next, z);
                        at_edge = true;
                        break;
                    }
                    Some(z) => {
                        step *= if z > inside.1 { ((zeta - z) / (z - inside.1)).clamp(1.0, 3.0) * 1.05 } else { 2.0 };
                        inside = (next, z);
                    }
                    None => step *= 0.3,
                }
            }
            match outside {
                Some(outside) => {
                    let root = self.root(inside, outside, zeta)?;
                    step = (root - inside.0).abs().max(1e-3 * step);
                    inside = (root, zeta);
                    out.push(root);
                }
                None if at_edge => out.push(edge),
                None => out.push(f64::NAN),
            }
        }
        Ok(out)
    }

    /// A first guess of the distance over which zeta rises by one.
    fn first_step(&mut self, estimate: f64, target: Target) -> Result<f64> {
        let mut step = match target {
            Target::Correlation { .. } | Target::ResidualCorrelation | Target::ResidualScale(_) => 0.1,
            Target::Coefficient(k) => self.constrained.problem.model.standard_error(k)?,
            _ => 0.25 * estimate.abs(),
        };
        if step <= 0.0 {
            step = 0.1 * self.constrained.scale();
        }
        Ok(step)
    }

    /// Root of zeta(value) = target between two points: false position with the Illinois rule.
    fn root(&mut self, inside: (f64, f64), outside: (f64, f64), target: f64) -> Result<f64> {
        let (mut a, mut fa) = (inside.0, inside.1 - target);
        let (mut b, mut fb) = (outside.0, outside.1 - target);
        let mut last = 0;
        for _ in 0..60 {
            if fb == 0.0 || (b - a).abs() <= 1e-10 * (a.abs() + b.abs()) {
                return Ok(b);
            }
            let mut c = b - fb * (b - a) / (fb - fa);
            if !c.is_finite() || (c - a) * (c - b) > 0.0 {
                c = 0.5 * (a + b);
            }
            let Some(z) = self.zeta(c)? else { return Ok(f64::NAN) };
            let fc = z - target;
            if fc.abs() < 1e-9 {
                return Ok(c);
            }
            if fc < 0.0 {
                (a, fa) = (c, fc);
                fb *= if last == -1 { 0.5 } else { 1.0 };
                last = -1;
            } else {
                (b, fb) = (c, fc);
                fa *= if last == 1 { 0.5 } else { 1.0 };
                last = 1;
            }
        }
        Ok(0.5 * (a + b))
    }
}
