//! The Hessian, from differences of the gradient where the function has none of its own, and Newton steps that polish a minimum.

use super::eigen;
use super::minimise::{Curvature, Objective, Point};
use crate::error::Result;
use crate::numerics::small;

/// A minimum with its curvature.
#[derive(Clone, Debug)]
pub struct Polished {
    /// The point.
    pub point: Point,
    /// Hessian, m x m by rows.
    pub hessian: Vec<f64>,
    /// Its eigenvalues, ascending.
    pub eigenvalues: Vec<f64>,
    /// Half g'H^-1 g over positive curvature: how much lower the function could still be.
    pub decrement: f64,
    /// Newton steps taken.
    pub steps: usize,
}

/// Hessian at `point`, by differences if the objective has none; `central` doubles the evaluations and the digits.
pub fn hessian(objective: &mut impl Objective, point: &Point, central: bool) -> Result<Vec<f64>> {
    let m = point.x.len();
    let mut h = vec![0.0; m * m];
    if objective.curvature(&point.x, &mut h)? == Curvature::Exact {
        return Ok(h);
    }
    for j in 0..m {
        let step = if central { 1e-4 } else { 1e-6 } * (0.1 + point.x[j].abs());
        let mut up = vec![0.0; m];
        let mut x = point.x.clone();
        x[j] += step;
        let above = objective.evaluate(&x, &mut up)?.is_some();
        let mut down = point.g.clone();
        let mut width = step;
        if central || !above {
            x[j] = point.x[j] - step;
            let below = objective.evaluate(&x, &mut down)?.is_some();
            match (above, below) {
                (true, true) => width = 2.0 * step,
                (false, true) => {
                    up.copy_from_slice(&point.g);
                }
                (true, false) => down.copy_from_slice(&point.g),
                (false, false) => {}
            }
        }
        for i in 0..m {
            h[i * m + j] = (up[i] - down[i]) / width;
        }
    }
    small::symmetrise(&mut h, m);
    Ok(h)
}

/// At most `rounds` Newton steps from `start` until the decrement is below `target` or no longer falls.
pub fn polish(
    objective: &mut impl Objective,
    start: Point,
    target: f64,
    central: bool,
    noise: f64,
    rounds: usize,
) -> Result<Polished> {
    let m = start.x.len();
    let mut point = start;
    let mut h = hessian(objective, &point, central)?;
    let (mut moved_far, mut stale) = (false, false);
    let mut steps = 0;
    for round in 0..=rounds {
        let (values, vectors) = eigen::symmetric(&h, m)?;
        let (step, decrement) = newton_step(&point.g, &values, &vectors);
        if decrement <= target || round == rounds {
            return finish(objective, point, h, moved_far, central).map(|p| Polished { steps, ..p });
        }
        let mut next = Point { x: point.x.iter().zip(&step).map(|(x, s)| x - s).collect(), f: 0.0, g: vec![0.0; m] };
        let mut after = f64::INFINITY;
        let better = match objective.evaluate(&next.x, &mut next.g)? {
            Some(f) => {
                next.f = f;
                (_, after) = newton_step(&next.g, &values, &vectors);
                // A gradient that vanishes says more than a value that differs by its rounding.
                let margin = noise * (1.0 + point.f.abs()) * if after < 1e-2 * decrement { 10.0 } else { 1.0 };
                f < point.f - margin || (f <= point.f + margin && after < 0.5 * decrement)
            }
            None => false,
        };
        if !better && stale {
            // The curvature was that of another point: look again before giving up.
            objective.evaluate(&point.x, &mut point.g)?;
            h = hessian(objective, &point, central)?;
            (moved_far, stale) = (false, false);
            continue;
        }
        if !better {
            return finish(objective, point, h, moved_far, central).map(|p| Polished { steps, ..p });
        }
        let length = step.iter().zip(&point.x).fold(0.0_f64, |a, (s, x)| a.max(s.abs() / (0.1 + x.abs())));
        point = next;
        steps += 1;
        // Steps shrink quadratically where the curvature is right.
        stale = length <= 1e-2 && after <= 1e-3 * decrement;
        if !stale {
            h = hessian(objective, &point, central)?;
            moved_far = false;
        } else if length > 1e-4 {
            moved_far = true;
        }
    }
    finish(objective, point, h, moved_far, central).map(|p| Polished { steps, ..p })
}

fn finish(
    objective: &mut impl Objective,
    point: Point,
    mut h: Vec<f64>,
    refresh: bool,
    central: bool,
) -> Result<Polished> {
    if refresh {
        h = hessian(objective, &point, central)?;
    }
    let (eigenvalues, eigenvectors) = eigen::symmetric(&h, point.x.len())?;
    let (_, decrement) = newton_step(&point.g, &eigenvalues, &eigenvectors);
    Ok(Polished { point, hessian: h, eigenvalues, decrement, steps: 0 })
}

/// H^-1 g and half g'H^-1 g, over eigenvalues by their size (a direction without curvature is left alone).
fn newton_step(g: &[f64], values: &[f64], vectors: &[Vec<f64>]) -> (Vec<f64>, f64) {
    let largest = values.iter().fold(0.0_f64, |a, v| a.max(v.abs()));
    let mut step = vec![0.0; g.len()];
    let mut decrement = 0.0;
    for (value, vector) in values.iter().zip(vectors) {
        if value.abs() <= 1e-10 * largest {
            continue;
        }
        let c: f64 = vector.iter().zip(g).map(|(v, g)| v * g).sum();
        decrement += 0.5 * c * c / value.abs();
        small::mul(&mut step, vector, &[c / value.abs()], g.len(), 1, 1, 1.0);
    }
    (step, decrement)
}
