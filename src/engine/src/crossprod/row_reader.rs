//! The reader of rows: in the orthonormal coordinates of cross-products that were made before, a block at a time.

use std::ops::Range;

use crate::crossprod::crossprod::Crossprod;
use crate::design::{BasisMap, Column, Design};
use crate::numerics::small;

/// Rows of a block at most.
pub(crate) const ROWS: usize = 256;

/// Rows of a block as they stand.
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
pub(crate) struct RowBlock {
    /// Columns of X, and y: p + 1 for each row.
    pub xy: Vec<f64>,
    /// For each factor its columns, q for each row.
    pub z: Vec<Vec<f64>>,
    /// For each factor the level of each row, from 0.
    pub levels: Vec<Vec<u32>>,
    /// One column after the other, as they are read.
    columns: Vec<f64>,
}

/// Columns of a basis on their way to orthonormal coordinates.
struct Orthonormal<'d> {
    columns: Vec<Column<'d>>,
    shift: Vec<f64>,
    factor: Vec<f64>,
    inverse: Vec<f64>,
}

impl<'d> Orthonormal<'d> {
    fn new(map: &BasisMap, columns: &[Column<'d>]) -> Orthonormal<'d> {
        Orthonormal {
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

/// What becomes of the response of a row: (y - offset - shift) * factor - X gamma.
#[derive(Clone, Debug)]
pub(crate) struct Response<'d> {
    /// Response, length n.
    pub y: &'d [f64],
    /// Centre, in units of y.
    pub shift: f64,
    /// One over the scale.
    pub factor: f64,
    /// Coefficients on the orthonormal columns, after the factor.
    pub gamma: Vec<f64>,
}

/// Reads the rows of a design.
pub(crate) struct RowReader<'d> {
    design: &'d Design<'d>,
    x: Orthonormal<'d>,
    /// Factor, first column, basis.
    terms: Vec<(usize, usize, Orthonormal<'d>)>,
    /// Columns of the factors.
    widths: Vec<usize>,
    weight_mean: f64,
    /// The response as it is read.
    pub response: Response<'d>,
}

impl<'d> RowReader<'d> {
    /// For the coordinates of `a`.
    pub fn new(design: &'d Design<'d>, a: &Crossprod) -> RowReader<'d> {
        let (c, p) = (&a.coordinates, a.p);
        let factor = 1.0 / c.y_scale;
        let mut gamma = vec![0.0; p];
        small::mul(&mut gamma, &c.x.r, &c.gamma, p, p, 1, factor);
        let terms = c.terms.iter().zip(&design.terms);
        RowReader {
            design,
            x: Orthonormal::new(&c.x, &design.x),
            terms: terms.map(|(t, own)| (t.factor, t.first, Orthonormal::new(&t.basis, &own.basis))).collect(),
            widths: a.widths(),
            weight_mean: c.weight_mean,
            response: Response { y: design.y, shift: c.y_shift, factor, gamma },
        }
    }

    /// Room for [`ROWS`] rows, all zero.
    pub fn block(&self) -> RowBlock {
        let m = self.x.columns.len() + 1;
        let widest = self.widths.iter().copied().max().unwrap_or(0).max(m);
        RowBlock {
            xy: vec![0.0; ROWS * m],
            z: self.widths.iter().map(|q| vec![0.0; ROWS * q]).collect(),
            levels: vec![vec![0; ROWS]; self.widths.len()],
            columns: vec![0.0; ROWS * widest],
        }
    }

    /// Prior weight of row `i` over the geometric mean of all.
    pub fn weight(&self, i: usize) -> f64 {
        self.design.weights.map_or(1.0, |w| w[i] / self.weight_mean)
    }

    /// Reads X and y of the rows `at(0), ..., at(count - 1)`, without prior weights.
    pub fn read_xy(&self, count: usize, at: &impl Fn(usize) -> usize, out: &mut RowBlock) {
        let r = &self.response;
        let m = r.gamma.len() + 1;
        self.x.read(count, at, &mut out.columns);
        let (x, y) = out.columns.split_at_mut((m - 1) * ROWS);
        let y = &mut y[..count];
        let offset = |i: usize| self.design.offset.map_or(0.0, |o| o[i]);
        y.iter_mut().enumerate().for_each(|(k, y)| *y = (r.y[at(k)] - offset(at(k)) - r.shift) * r.factor);
        for (column, gamma) in x.chunks_exact(ROWS).zip(&r.gamma) {
            y.iter_mut().zip(column).for_each(|(y, x)| *y -= gamma * x);
        }
        spread(&out.columns, count, m, (m, 0), &mut out.xy);
    }

    /// Reads the rows `at(0), ..., at(count - 1)`, without prior weights.
    pub fn read_unweighted(&self, count: usize, at: &impl Fn(usize) -> usize, out: &mut RowBlock) {
        self.read_xy(count, at, out);
        for (factor, first, basis) in &self.terms {
            basis.read(count, at, &mut out.columns);
            spread(&out.columns, count, basis.columns.len(), (self.widths[*factor], *first), &mut out.z[*factor]);
        }
        for (levels, factor) in out.levels.iter_mut().zip(&self.design.factors) {
            levels[..count].iter_mut().enumerate().for_each(|(k, l)| *l = factor.codes[at(k)] as u32 - 1);
        }
    }

    /// Reads the rows `at(0), ..., at(count - 1)`, each times the root of its prior weight.
    pub fn read(&self, count: usize, at: &impl Fn(usize) -> usize, out: &mut RowBlock) {
        self.read_unweighted(count, at, out);
        if self.design.weights.is_some() {
            let m = self.x.columns.len() + 1;
            for k in 0..count {
                let root = self.weight(at(k)).sqrt();
                out.xy[k * m..(k + 1) * m].iter_mut().for_each(|v| *v *= root);
                for (z, q) in out.z.iter_mut().zip(&self.widths) {
                    z[k * q..(k + 1) * q].iter_mut().for_each(|v| *v *= root);
                }
            }
        }
    }
}

/// Cuts rows into blocks.
pub(crate) fn blocks(rows: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    rows.clone().step_by(ROWS).map(move |start| start..(start + ROWS).min(rows.end))
}

/// Columns one after the other to places `first, ...` of rows of `width`.
fn spread(columns: &[f64], count: usize, own: usize, (width, first): (usize, usize), out: &mut [f64]) {
    for (c, column) in columns.chunks_exact(ROWS).take(own).enumerate() {
        let places = out[first + c..].iter_mut().step_by(width);
        places.zip(&column[..count]).for_each(|(o, v)| *o = *v);
    }
}
