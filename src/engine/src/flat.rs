//! Sums of rows in one flat vector, so that sums with different weights can be combined.

use crate::crossprod::{Crossprod, Pair};
use crate::working::Row;

/// Where the sums of a [`Crossprod`] stand in one flat vector.
pub struct Places {
    /// Z'WZ by factor.
    pub diag: Vec<usize>,
    /// Z'W[X, y] by factor.
    pub rhs: Vec<usize>,
    /// Cells by pair.
    pub blocks: Vec<usize>,
    /// Elements in all.
    pub len: usize,
}

/// One row as it is summed.
pub struct Place {
    /// Its number.
    pub row: usize,
    /// Columns of the factors.
    pub values: Row,
    /// Columns of X, and y.
    pub xy: Vec<f64>,
    /// Levels, from 0.
    pub levels: Vec<usize>,
}

/// What is added beside the row that was read.
pub enum Own<'a> {
    /// The row alone.
    Row,
    /// The row with the one before it.
    Pair(&'a Place),
    /// The sum over a series.
    Block(&'a Sum),
}

/// A linear combination of rows: coefficients of X and y, and of every factor by level.
pub struct Sum {
    /// Columns of X, and y.
    pub xy: Vec<f64>,
    /// For each factor the levels it touches and their columns.
    pub z: Vec<Vec<(usize, Vec<f64>)>>,
}

impl Places {
    /// Places of the sums of `a`.
    pub fn new(a: &Crossprod) -> Places {
        let m = a.p + 1;
        let mut len = m * m;
        let mut take = |size: usize| {
            len += size;
            len - size
        };
        let diag = a.factors.iter().map(|f| take(f.diag.len())).collect();
        let rhs = a.factors.iter().map(|f| take(f.rhs.len())).collect();
        let blocks = a.pairs.iter().map(|p| take(p.blocks.len())).collect();
        Places { diag, rhs, blocks, len }
    }

    /// Writes the sums into `a`.
    pub fn load(&self, flat: &[f64], a: &mut Crossprod) {
        let copy = |to: &mut [f64], at: usize| to.copy_from_slice(&flat[at..at + to.len()]);
        copy(&mut a.gram, 0);
        for (k, f) in a.factors.iter_mut().enumerate() {
            copy(&mut f.diag, self.diag[k]);
            copy(&mut f.rhs, self.rhs[k]);
        }
        for (k, p) in a.pairs.iter_mut().enumerate() {
            copy(&mut p.blocks, self.blocks[k]);
        }
    }

    /// `w a a'` for a row.
    pub fn add_row(&self, a: &Crossprod, out: &mut [f64], row: &Place, w: f64) {
        let m = a.p + 1;
        add_outer(&mut out[..m * m], &row.xy, &row.xy, w);
        for (f, sums) in a.factors.iter().enumerate() {
            let (j, q, z) = (row.levels[f], sums.q, &row.values.z[f]);
            let at = self.diag[f] + j * q * q;
            add_outer(&mut out[at..at + q * q], z, z, w);
            let at = self.rhs[f] + j * q * m;
            add_outer(&mut out[at..at + q * m], z, &row.xy, w);
        }
        for (k, pair) in a.pairs.iter().enumerate().filter(|(_, p)| p.f != p.g) {
            self.add_cell(
                out,
                k,
                pair,
                (row.levels[pair.f], &row.values.z[pair.f]),
                (row.levels[pair.g], &row.values.z[pair.g]),
                w,
            );
        }
    }

    /// `w (a b' + b a')` for two rows.
    pub fn add_pair(&self, a: &Crossprod, out: &mut [f64], one: &Place, two: &Place, w: f64) {
        let m = a.p + 1;
        add_outer(&mut out[..m * m], &one.xy, &two.xy, w);
        add_outer(&mut out[..m * m], &two.xy, &one.xy, w);
        for (f, sums) in a.factors.iter().enumerate() {
            let q = sums.q;
            for (u, v) in [(one, two), (two, one)] {
                let (j, l) = (u.levels[f], v.levels[f]);
                if j == l {
                    let at = self.diag[f] + j * q * q;
                    add_outer(&mut out[at..at + q * q], &u.values.z[f], &v.values.z[f], w);
                }
                let at = self.rhs[f] + j * q * m;
                add_outer(&mut out[at..at + q * m], &u.values.z[f], &v.xy, w);
            }
        }
        for (k, pair) in a.pairs.iter().enumerate() {
            for (u, v) in [(one, two), (two, one)] {
                let (j, l) = (u.levels[pair.f], v.levels[pair.g]);
                // Within a factor each pair of levels has one cell, with the smaller level first.
                if pair.f != pair.g || j < l {
                    self.add_cell(out, k, pair, (j, &u.values.z[pair.f]), (l, &v.values.z[pair.g]), w);
                }
            }
        }
    }

    /// `w (a b' + b a')` for two sums of rows.
    pub fn add_sums(&self, a: &Crossprod, out: &mut [f64], one: &Sum, two: &Sum, w: f64) {
        let m = a.p + 1;
        add_outer(&mut out[..m * m], &one.xy, &two.xy, w);
        add_outer(&mut out[..m * m], &two.xy, &one.xy, w);
        for (u, v) in [(one, two), (two, one)] {
            for (f, sums) in a.factors.iter().enumerate() {
                let q = sums.q;
                for (j, z) in &u.z[f] {
                    let at = self.rhs[f] + j * q * m;
                    add_outer(&mut out[at..at + q * m], z, &v.xy, w);
                    if let Some((_, other)) = v.z[f].iter().find(|(l, _)| l == j) {
                        let at = self.diag[f] + j * q * q;
                        add_outer(&mut out[at..at + q * q], z, other, w);
                    }
                }
            }
            for (k, pair) in a.pairs.iter().enumerate() {
                for (j, z) in &u.z[pair.f] {
                    for (l, other) in v.z[pair.g].iter().filter(|(l, _)| pair.f != pair.g || j < l) {
                        self.add_cell(out, k, pair, (*j, z), (*l, other), w);
                    }
                }
            }
        }
    }

    fn add_cell(&self, out: &mut [f64], k: usize, pair: &Pair, f: (usize, &[f64]), g: (usize, &[f64]), w: f64) {
        let cells = &pair.cols[pair.starts[f.0]..pair.starts[f.0 + 1]];
        if let Ok(at) = cells.binary_search(&(g.0 as u32)) {
            let size = f.1.len() * g.1.len();
            let at = self.blocks[k] + (pair.starts[f.0] + at) * size;
            add_outer(&mut out[at..at + size], f.1, g.1, w);
        }
    }
}

/// `out += w a b'`, by rows.
#[inline]
fn add_outer(out: &mut [f64], a: &[f64], b: &[f64], w: f64) {
    for (o, x) in out.chunks_exact_mut(b.len()).zip(a) {
        let f = w * x;
        o.iter_mut().zip(b).for_each(|(o, y)| *o += f * y);
    }
}
