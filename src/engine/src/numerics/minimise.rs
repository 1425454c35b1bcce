//! BFGS with a line search that needs one evaluation at most steps; Newton's steps where the function has second
//! derivatives, and Newton's steps corrected by the last secant where they are approximate.
//!
//! Source: Nocedal and Wright (2006), Numerical Optimization, chapters 3 and 6; the acceptance of steps in the noise
//! of the function by their slope follows Hager and Zhang (2005).

use super::eigen;
use crate::error::Result;
use crate::numerics::small;

/// Where a minimisation stands.
#[derive(Clone, Debug)]
pub struct Point {
    /// Position.
    pub x: Vec<f64>,
    /// Value.
    pub f: f64,
    /// Gradient.
    pub g: Vec<f64>,
}

/// How a minimisation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The predicted decrease is below the tolerance.
    Small,
    /// On the way to a point that is known.
    Known,
    /// On the way to a point that is higher than one that is known.
    Higher,
    /// No step lowers the function any more.
    Stalled,
    /// The budget of evaluations is used up.
    Budget,
}

/// A function with gradient; `Ok(None)` where it is not defined.
pub trait Objective {
    /// Value at `x`; writes the gradient to `g`.
    fn evaluate(&mut self, x: &[f64], g: &mut [f64]) -> Result<Option<f64>>;

    /// Writes second derivatives at `x` (m x m by rows), which was evaluated last or nearly so; by default there are none.
    fn curvature(&mut self, _x: &[f64], _h: &mut [f64]) -> Result<Curvature> {
        Ok(Curvature::None)
    }

    /// Why there is no need to go on, if there is none: a Newton step leads to `ahead` and should bring `decrease` beside
    /// the value `f` of today; `known` is what it is made of.
    fn verdict(&mut self, _ahead: &[f64], _f: f64, _decrease: f64, _known: Curvature) -> Option<Ended> {
        None
    }
}

/// What an objective knows of its second derivatives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curvature {
    /// Nothing.
    None,
    /// A positive semidefinite approximation.
    Average,
    /// The Hessian.
    Exact,
}

/// Limits of a minimisation.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Stop when half the Newton decrement is below this.
    pub decrease: f64,
    /// Relative rounding error of the function.
    pub noise: f64,
    /// Most evaluations.
    pub evaluations: usize,
}

/// Steps after which secants alone say something of the curvature.
const LEARNT: usize = 4;
/// Least scaled curvature that a step believes in where there is a negative one.
const LEAST: f64 = 1e-2;

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// Minimises from `start`; `h` is the inverse of an approximate Hessian (m x m by rows) and is updated. The last
/// value is the number of steps taken.
///
/// # Errors
/// Those of the objective. `Ok(None)` if the function is not defined at the start.
pub fn minimise(
    objective: &mut impl Objective,
    start: &[f64],
    h: &mut [f64],
    limits: Limits,
) -> Result<Option<(Point, Ended, usize)>> {
    let m = start.len();
    let mut here = Point { x: start.to_vec(), f: 0.0, g: vec![0.0; m] };
    let (mut used, mut steps) = (1, 0);
    match objective.evaluate(&here.x, &mut here.g)? {
        Some(f) => here.f = f,
        None => return Ok(None),
    }
    let mut reset = false;
    let mut secant: Option<(Vec<f64>, Vec<f64>)> = None;
    let mut b = vec![0.0; m * m];
    loop {
        let known = if reset { Curvature::None } else { objective.curvature(&here.x, &mut b)? };
        let inverted = if known == Curvature::None { None } else { invert_shifted(&b, h, m)? };
        let steady = inverted == Some(true);
        if inverted.is_some() {
            if let (Curvature::Average, Some((s, y))) = (known, &secant) {
                update(h, s, y);
            }
        } else if let Some((s, y)) = &secant {
            update(h, s, y);
        }
        let mut d: Vec<f64> = (0..m).map(|i| -dot(&h[i * m..(i + 1) * m], &here.g)).collect();
        let mut slope = dot(&d, &here.g);
        if slope >= 0.0 {
            identity(h, m, &here.g);
            d = (0..m).map(|i| -dot(&h[i * m..(i + 1) * m], &here.g)).collect();
            slope = dot(&d, &here.g);
        }
        if -0.5 * slope < limits.decrease {
            return Ok(Some((here, Ended::Small, steps)));
        }
        if steady || (known == Curvature::None && steps >= LEARNT) {
            let ahead: Vec<f64> = here.x.iter().zip(&d).map(|(x, d)| x + d).collect();
            if let Some(ended) = objective.verdict(&ahead, here.f, -0.5 * slope, known) {
                return Ok(Some((here, ended, steps)));
            }
        }
        // A variance ratio that moves by more than a few units at once has left the region where the model holds.
        let longest = d.iter().fold(0.0_f64, |a, x| a.max(x.abs()));
        let reach = 2.0 * (1.0 + here.x.iter().fold(0.0_f64, |a, x| a.max(x.abs())));
        let mut step = if longest > reach { reach / longest } else { 1.0 };
        let noise = limits.noise * (1.0 + here.f.abs());
        let mut next = Point { x: vec![0.0; m], f: 0.0, g: vec![0.0; m] };
        let mut taken = false;
        for _ in 0..30 {
            if used >= limits.evaluations {
                return Ok(Some((here, Ended::Budget, steps)));
            }
            next.x.iter_mut().zip(here.x.iter().zip(&d)).for_each(|(n, (x, d))| *n = x + step * d);
            used += 1;
            let Some(f) = objective.evaluate(&next.x, &mut next.g)? else {
                step *= 0.25;
                continue;
            };
            next.f = f;
            let after = dot(&next.g, &d);
            let lower = f <= here.f + 1e-4 * step * slope;
            let flat = f <= here.f + noise && after.abs() <= 0.9 * slope.abs();
            if lower || flat {
                taken = true;
                break;
            }
            // What a shorter step could still bring is below the rounding of the function.
            if step * slope.abs() < noise {
                break;
            }
            // Cubic through both values and slopes, kept inside the middle of the interval.
            let (a, b) = (slope, after);
            let z = 3.0 * (here.f - f) / step + a + b;
            let w = (z * z - a * b).max(0.0).sqrt();
            let trial = step * (1.0 - (b + w - z) / (b - a + 2.0 * w));
            step = if trial.is_finite() { trial.clamp(0.1 * step, 0.6 * step) } else { 0.3 * step };
        }
        if !taken {
            if reset {
                return Ok(Some((here, Ended::Stalled, steps)));
            }
            reset = true;
            secant = None;
            identity(h, m, &here.g);
            continue;
        }
        reset = false;
        let s: Vec<f64> = next.x.iter().zip(&here.x).map(|(a, b)| a - b).collect();
        let y: Vec<f64> = next.g.iter().zip(&here.g).map(|(a, b)| a - b).collect();
        secant = Some((s, y));
        here = next;
        steps += 1;
    }
}

/// Writes the inverse of `b` (m x m), made positive definite, into the first rows and columns of `h` (k x k).
pub fn invert_into(b: &[f64], h: &mut [f64], m: usize, k: usize) -> Result<()> {
    let mut own = vec![0.0; m * m];
    if invert_shifted(b, &mut own, m)?.is_none() {
        (0..m).for_each(|i| own[i * m + i] = 1.0);
    }
    for i in 0..m {
        h[i * k..i * k + m].copy_from_slice(&own[i * m..(i + 1) * m]);
    }
    Ok(())
}

/// `h <- b^-1` where b is positive definite (`Some(true)`), else the inverse of what b is in size: its eigenvalues, after
/// scaling by its diagonal, without their signs and none too small (`Some(false)`).
fn invert_shifted(b: &[f64], h: &mut [f64], m: usize) -> Result<Option<bool>> {
    let largest = (0..m).map(|i| b[i * m + i].abs()).fold(0.0, f64::max);
    if largest.is_nan() || largest <= 0.0 {
        return Ok(None);
    }
    let mut l = b.to_vec();
    // A pivot that is all rounding is no curvature.
    if small::cholesky(&mut l, m) && (0..m).all(|i| l[i * m + i].powi(2) > 1e-8 * b[i * m + i].abs()) {
        h.fill(0.0);
        (0..m).for_each(|i| h[i * m + i] = 1.0);
        small::solve_lower(&l, m, h, m);
        small::solve_lower_transposed(&l, m, h, m);
        return Ok(Some(true));
    }
    let scale: Vec<f64> = (0..m).map(|i| (b[i * m + i].abs() + 1e-3 * largest).sqrt()).collect();
    let scaled: Vec<f64> = (0..m * m).map(|x| b[x] / (scale[x / m] * scale[x % m])).collect();
    let (values, vectors) = eigen::symmetric(&scaled, m)?;
    h.fill(0.0);
    for (value, v) in values.iter().zip(&vectors) {
        let size = value.abs().max(LEAST);
        (0..m * m).for_each(|x| h[x] += v[x / m] * v[x % m] / (size * scale[x / m] * scale[x % m]));
    }
    Ok(Some(false))
}

fn identity(h: &mut [f64], m: usize, g: &[f64]) {
    let scale = 1.0 / g.iter().map(|x| x * x).sum::<f64>().sqrt().max(1.0);
    h.fill(0.0);
    (0..m).for_each(|i| h[i * m + i] = scale);
}

/// BFGS update of the inverse; skipped when the curvature along the step is not positive.
fn update(h: &mut [f64], s: &[f64], y: &[f64]) {
    let m = s.len();
    let sy = dot(s, y);
    let hy: Vec<f64> = (0..m).map(|i| dot(&h[i * m..(i + 1) * m], y)).collect();
    let yhy = dot(y, &hy);
    if sy <= 1e-10 * (dot(s, s) * dot(y, y)).sqrt() {
        return;
    }
    for i in 0..m {
        for j in 0..m {
            h[i * m + j] += (1.0 + yhy / sy) * s[i] * s[j] / sy - (hy[i] * s[j] + s[i] * hy[j]) / sy;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Rosenbrock;
    impl Objective for Rosenbrock {
        fn evaluate(&mut self, x: &[f64], g: &mut [f64]) -> Result<Option<f64>> {
            let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
            g[0] = -2.0 * a - 400.0 * x[0] * b;
            g[1] = 200.0 * b;
            Ok(Some(a * a + 100.0 * b * b))
        }
    }

    #[test]
    fn finds_the_minimum_of_a_bent_valley() {
        // Rosenbrock's function has its minimum 0 at (1, 1).
        let mut h = vec![1.0, 0.0, 0.0, 1.0];
        let limits = Limits { decrease: 1e-16, noise: 1e-15, evaluations: 200 };
        let (p, ended, _) = minimise(&mut Rosenbrock, &[-1.2, 1.0], &mut h, limits).unwrap().unwrap();
        assert_eq!(ended, Ended::Small);
        assert!((p.x[0] - 1.0).abs() < 1e-7 && (p.x[1] - 1.0).abs() < 1e-7, "{:?}", p.x);
    }
}
