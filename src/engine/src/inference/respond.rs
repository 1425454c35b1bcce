//! Rows in working coordinates, and what a response adds up to: for refits that keep the structure of a fit.

use crate::block::small;
use crate::crossprod::{BasisMap, Crossprod};
use crate::design::{Column, Design};

/// One row of the data in the coordinates of the cross-products.
pub(crate) struct Row {
    /// Orthonormal columns of X, p.
    pub x: Vec<f64>,
    /// For each factor its columns, q_f.
    pub z: Vec<Vec<f64>>,
    /// Shifted and scaled columns, before they are made orthonormal.
    scaled: Vec<f64>,
    inverses: Vec<Vec<f64>>,
}

impl Row {
    /// Room for one row of a model.
    pub fn new(a: &Crossprod) -> Row {
        let maps = std::iter::once(&a.coordinates.x).chain(a.coordinates.terms.iter().map(|t| &t.basis));
        let widest = maps.clone().map(|m| m.kept.len()).max().unwrap_or(0);
        Row {
            x: vec![0.0; a.p],
            z: a.factors.iter().map(|f| vec![0.0; f.q]).collect(),
            scaled: vec![0.0; widest],
            inverses: maps.map(|m| small::invert_upper(&m.r, m.kept.len())).collect(),
        }
    }

    /// Reads row `i`.
    pub fn read(&mut self, design: &Design<'_>, a: &Crossprod, i: usize) {
        let Row { x, z, scaled, inverses } = self;
        turn(&a.coordinates.x, &design.x, &inverses[0], i, scaled, x);
        for (k, term) in a.coordinates.terms.iter().enumerate() {
            let out = &mut z[term.factor][term.first..term.first + term.q()];
            turn(&term.basis, &design.terms[k].basis, &inverses[k + 1], i, scaled, out);
        }
    }
}

/// Scaled columns times R^-1.
fn turn(map: &BasisMap, columns: &[Column<'_>], inverse: &[f64], i: usize, scaled: &mut [f64], out: &mut [f64]) {
    let q = map.kept.len();
    for (c, &k) in map.kept.iter().enumerate() {
        scaled[c] = (columns[k].at(i) - map.shift[c]) / map.scale[c];
    }
    for (c, o) in out.iter_mut().enumerate() {
        *o = (0..=c).map(|k| scaled[k] * inverse[k * q + c]).sum();
    }
}

/// Weight of row `i` over the geometric mean of all weights.
pub(crate) fn weight(design: &Design<'_>, a: &Crossprod, i: usize) -> f64 {
    design.weights.map_or(1.0, |w| w[i] / a.coordinates.weight_mean)
}

/// Response of row `i` in working coordinates.
pub(crate) fn response(design: &Design<'_>, a: &Crossprod, row: &Row, gamma: &[f64], i: usize) -> f64 {
    let fitted: f64 = row.x.iter().zip(gamma).map(|(x, g)| x * g).sum();
    (design.response(i) - fitted) / a.coordinates.y_scale
}

/// Coefficients of the subtracted least-squares fit on the orthonormal columns, in units of y.
pub(crate) fn subtracted(a: &Crossprod) -> Vec<f64> {
    let p = a.p;
    let mut out = vec![0.0; p];
    small::mul(&mut out, &a.coordinates.x.r, &a.coordinates.gamma, p, p, 1, 1.0);
    out
}

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
    let factor = 1.0 / crate::column::power_of_two((max - shift).abs().max((min - shift).abs()));
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
    let rescale = 1.0 / crate::column::power_of_two((yy / n as f64).sqrt());
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
