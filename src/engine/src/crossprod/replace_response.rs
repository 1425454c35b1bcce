//! What another response adds up to on the rows of a model, for refits that keep its structure.

use crate::crossprod::crossprod::Crossprod;
use crate::crossprod::working::{weight, Row};
use crate::design::design::Design;
use crate::numerics::small;

/// Replaces the response of `a` by `y` (less the offset of the design); `false` if it is not finite, or if the fixed
/// part reproduces it.
pub(crate) fn replace(design: &Design<'_>, a: &mut Crossprod, y: &[f64]) -> bool {
    let (n, p, m) = (a.n, a.p, a.p + 1);
    let value = |i: usize| y[i] - design.offset.map_or(0.0, |o| o[i]);
    let (mut min, mut max) = (f64::INFINITY, f64::NEG_INFINITY);
    let mut finite = true;
    for i in 0..n {
        finite &= value(i).is_finite();
        (min, max) = (min.min(value(i)), max.max(value(i)));
    }
    if !finite || max <= min {
        return false;
    }
    let shift = if a.coordinates.x.constant.is_some() { 0.5 * min + 0.5 * max } else { 0.0 };
    let factor = 1.0 / crate::design::column::power_of_two((max - shift).abs().max((min - shift).abs()));
    let mut row = Row::new(a);
    let mut coefficients = vec![0.0; p];
    for i in 0..n {
        row.read(design, a, i);
        let f = weight(design, a, i) * (value(i) - shift) * factor;
        coefficients.iter_mut().zip(&row.x).for_each(|(c, x)| *c += f * x);
    }
    let mut l: Vec<f64> = (0..p * p).map(|k| a.gram[k / p * m + k % p]).collect();
    if !small::cholesky(&mut l, p) {
        return false;
    }
    small::solve_lower(&l, p, &mut coefficients, 1);
    small::solve_lower_transposed(&l, p, &mut coefficients, 1);
    let mut xy = vec![0.0; p];
    let mut yy = 0.0;
    for f in &mut a.factors {
        f.rhs.chunks_exact_mut(m).for_each(|r| r[p] = 0.0);
    }
    for i in 0..n {
        row.read(design, a, i);
        let w = weight(design, a, i);
        let e = (value(i) - shift) * factor - row.x.iter().zip(&coefficients).map(|(x, c)| x * c).sum::<f64>();
        xy.iter_mut().zip(&row.x).for_each(|(s, x)| *s += w * e * x);
        yy += w * e * e;
        for (f, (sums, z)) in a.factors.iter_mut().zip(&row.z).enumerate() {
            let level = design.factors[f].codes[i] as usize - 1;
            for (r, z) in z.iter().enumerate() {
                sums.rhs[(level * sums.q + r) * m + p] += w * e * z;
            }
        }
    }
    let noise = 8.0 * f64::EPSILON * factor * min.abs().max(max.abs());
    if (yy / n as f64).sqrt() <= noise {
        return false;
    }
    let rescale = 1.0 / crate::design::column::power_of_two((yy / n as f64).sqrt());
    for f in &mut a.factors {
        f.rhs.chunks_exact_mut(m).for_each(|r| r[p] *= rescale);
    }
    for (i, x) in xy.iter().enumerate() {
        a.gram[i * m + p] = x * rescale;
        a.gram[p * m + i] = x * rescale;
    }
    a.gram[p * m + p] = yy * rescale * rescale;
    let c = &mut a.coordinates;
    let mut gamma = vec![0.0; p];
    small::mul(&mut gamma, &small::invert_upper(&c.x.r, p), &coefficients, p, p, 1, 1.0 / factor);
    if let Some(k) = c.x.constant {
        gamma[k] += shift;
    }
    c.gamma = gamma;
    c.y_scale = 1.0 / (factor * rescale);
    true
}
