//! Rows of the data in the working coordinates of cross-products that were made before, a block at a time.

use crate::crossprod::crossprod::Crossprod;
use crate::crossprod::working::{subtracted, weight};
use crate::design::coordinates::BasisMap;
use crate::design::design::{Column, Design};
use crate::numerics::small;

/// Rows of a sheet at most.
pub(crate) const ROWS: usize = 256;

/// Rows of a sheet as they stand.
pub(crate) const IDENTITY: [u32; ROWS] = {
    let mut all = [0; ROWS];
    let mut k = 0;
    while k < ROWS {
        all[k] = k as u32;
        k += 1;
    }
    all
};

/// Some rows, as they are summed.
#[derive(Clone, Debug)]
pub(crate) struct Sheet {
    /// Columns of X, and y: p + 1 for each row.
    pub xy: Vec<f64>,
    /// For each factor its columns, q for each row.
    pub z: Vec<Vec<f64>>,
    /// For each factor the level of each row, from 0.
    pub levels: Vec<Vec<u32>>,
    /// One column after the other, as they are read.
    columns: Vec<f64>,
}

impl Sheet {
    /// Room for [`ROWS`] rows, all zero.
    pub fn new(a: &Crossprod) -> Sheet {
        let widest = a.factors.iter().map(|f| f.q).max().unwrap_or(0).max(a.p + 1);
        Sheet {
            xy: vec![0.0; ROWS * (a.p + 1)],
            z: a.factors.iter().map(|f| vec![0.0; ROWS * f.q]).collect(),
            levels: vec![vec![0; ROWS]; a.factors.len()],
            columns: vec![0.0; ROWS * widest],
        }
    }
}

/// Columns of a basis on their way to orthonormal coordinates.
struct Turn<'d> {
    columns: Vec<Column<'d>>,
    shift: Vec<f64>,
    factor: Vec<f64>,
    inverse: Vec<f64>,
}

impl<'d> Turn<'d> {
    fn new(map: &BasisMap, columns: &[Column<'d>]) -> Turn<'d> {
        Turn {
            columns: map.kept.iter().map(|&c| columns[c]).collect(),
            shift: map.shift.clone(),
            factor: map.scale.iter().map(|s| 1.0 / s).collect(),
            inverse: small::invert_upper(&map.r, map.kept.len()),
        }
    }

    /// Writes the orthonormal columns of the rows `at(0), ..., at(count - 1)`, one after the other.
    fn read(&self, count: usize, at: &impl Fn(usize) -> usize, out: &mut [f64]) {
        let q = self.columns.len();
        for (c, out) in out.chunks_exact_mut(ROWS).take(q).enumerate() {
            let (shift, factor) = (self.shift[c], self.factor[c]);
            match self.columns[c] {
                Column::Constant => out[..count].fill((1.0 - shift) * factor),
                Column::Values(v) => {
                    out[..count].iter_mut().enumerate().for_each(|(k, o)| *o = (v[at(k)] - shift) * factor);
                }
            }
        }
        for c in (0..q).rev() {
            let (before, own) = out.split_at_mut(c * ROWS);
            let diagonal = self.inverse[c * q + c];
            own[..count].iter_mut().for_each(|o| *o *= diagonal);
            for (k, other) in before.chunks_exact(ROWS).enumerate() {
                let f = self.inverse[k * q + c];
                if f != 0.0 {
                    own[..count].iter_mut().zip(other).for_each(|(o, x)| *o += f * x);
                }
            }
        }
    }
}

/// Reads the rows of a design.
pub(crate) struct Reader<'d> {
    design: &'d Design<'d>,
    x: Turn<'d>,
    /// Factor, first column, basis.
    terms: Vec<(usize, usize, Turn<'d>)>,
    /// Columns of the factors.
    widths: Vec<usize>,
    gamma: Vec<f64>,
    y_factor: f64,
}

impl<'d> Reader<'d> {
    /// For the coordinates of `a`.
    pub fn new(design: &'d Design<'d>, a: &Crossprod) -> Reader<'d> {
        let terms = a.coordinates.terms.iter().zip(&design.terms);
        Reader {
            design,
            x: Turn::new(&a.coordinates.x, &design.x),
            terms: terms.map(|(t, own)| (t.factor, t.first, Turn::new(&t.basis, &own.basis))).collect(),
            widths: a.factors.iter().map(|f| f.q).collect(),
            gamma: subtracted(a),
            y_factor: 1.0 / a.coordinates.y_scale,
        }
    }

    /// Reads X and y of the rows `at(0), ..., at(count - 1)`, without prior weights.
    pub fn read_xy(&self, count: usize, at: &impl Fn(usize) -> usize, out: &mut Sheet) {
        let p = self.gamma.len();
        let m = p + 1;
        self.x.read(count, at, &mut out.columns);
        let (x, y) = out.columns.split_at_mut(p * ROWS);
        let y = &mut y[..count];
        y.iter_mut().enumerate().for_each(|(k, y)| *y = self.design.response(at(k)));
        for (column, gamma) in x.chunks_exact(ROWS).zip(&self.gamma) {
            y.iter_mut().zip(column).for_each(|(y, x)| *y -= gamma * x);
        }
        y.iter_mut().for_each(|y| *y *= self.y_factor);
        spread(&out.columns, count, m, (m, 0), &mut out.xy);
    }

    /// Reads the rows `at(0), ..., at(count - 1)`, each times the root of its prior weight.
    pub fn read(&self, a: &Crossprod, count: usize, at: &impl Fn(usize) -> usize, out: &mut Sheet) {
        self.read_xy(count, at, out);
        let m = self.gamma.len() + 1;
        for (factor, first, turn) in &self.terms {
            turn.read(count, at, &mut out.columns);
            spread(&out.columns, count, turn.columns.len(), (self.widths[*factor], *first), &mut out.z[*factor]);
        }
        for (levels, factor) in out.levels.iter_mut().zip(&self.design.factors) {
            levels[..count].iter_mut().enumerate().for_each(|(k, l)| *l = factor.codes[at(k)] as u32 - 1);
        }
        if self.design.weights.is_some() {
            for k in 0..count {
                let root = weight(self.design, a, at(k)).sqrt();
                out.xy[k * m..(k + 1) * m].iter_mut().for_each(|v| *v *= root);
                for (z, q) in out.z.iter_mut().zip(&self.widths) {
                    z[k * q..(k + 1) * q].iter_mut().for_each(|v| *v *= root);
                }
            }
        }
    }
}

/// Columns one after the other to places `first, ...` of rows of `width`.
fn spread(columns: &[f64], count: usize, own: usize, (width, first): (usize, usize), out: &mut [f64]) {
    for (c, column) in columns.chunks_exact(ROWS).take(own).enumerate() {
        let places = out[first + c..].iter_mut().step_by(width);
        places.zip(&column[..count]).for_each(|(o, v)| *o = *v);
    }
}
