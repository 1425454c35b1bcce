//! Single rows in the working coordinates of cross-products that were made before.

use crate::crossprod::crossprod::Crossprod;
use crate::design::coordinates::BasisMap;
use crate::design::design::{Column, Design};
use crate::numerics::small;

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
