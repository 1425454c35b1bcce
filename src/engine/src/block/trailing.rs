//! The trailing matrix: what is left of M when the chain of nested factors is eliminated. Dense or sparse.
//!
//! Columns are scalar columns of the remaining factors. Used by factor (assembly, elimination) and gradient
//! (inverse on the pattern).

use super::dense::Dense;
use super::sparse::Sparse;
use crate::error::Result;

/// Dense or sparse storage of one symmetric matrix, chosen by predicted fill.
pub enum Trailing {
    /// No factor is left.
    Empty,
    /// Dense lower triangle.
    Dense(Dense, usize),
    /// Sparse on a fixed pattern.
    Sparse(Box<Sparse>),
}

impl Trailing {
    /// Sets every element to zero.
    pub fn clear(&mut self) {
        match self {
            Trailing::Empty => {}
            Trailing::Dense(d, _) => d.clear(),
            Trailing::Sparse(s) => s.clear(),
        }
    }

    /// Adds a block (rows x cols by rows) at (`row`, `col`); only its part in the lower triangle is kept.
    pub fn add_block(&mut self, row: usize, col: usize, block: &[f64], rows: usize, cols: usize) {
        for r in 0..rows {
            for c in 0..cols {
                let (i, j, x) = (row + r, col + c, block[r * cols + c]);
                if i < j {
                    continue;
                }
                match self {
                    Trailing::Empty => {}
                    Trailing::Dense(d, n) => d.values[j * *n + i] += x,
                    Trailing::Sparse(s) => s.add(i, j, x),
                }
            }
        }
    }

    /// `S[cols, cols] -= w' w`, `cols` ascending, `w` (q x cols) by rows.
    pub fn rank_update(&mut self, cols: &[u32], w: &[f64], q: usize) {
        match self {
            Trailing::Empty => {}
            Trailing::Dense(d, n) => {
                let m = cols.len();
                for r in 0..q {
                    let w = &w[r * m..(r + 1) * m];
                    for b in 0..m {
                        let f = w[b];
                        let column = &mut d.values[cols[b] as usize * *n..(cols[b] as usize + 1) * *n];
                        for a in b..m {
                            column[cols[a] as usize] -= f * w[a];
                        }
                    }
                }
            }
            Trailing::Sparse(s) => s.rank_update(cols, w, q),
        }
    }

    /// Factors; returns log|L|^2.
    pub fn factorise(&mut self) -> Result<f64> {
        match self {
            Trailing::Empty => Ok(0.0),
            Trailing::Dense(d, _) => d.factor(),
            Trailing::Sparse(s) => s.factorise(),
        }
    }

    /// `b <- L^-1 b` (by rows; a sparse factor leaves the rows in its own order).
    pub fn forward(&self, b: &mut [f64], m: usize) -> Result<()> {
        match self {
            Trailing::Empty => Ok(()),
            Trailing::Dense(d, _) => {
                d.forward(b, m);
                Ok(())
            }
            Trailing::Sparse(s) => s.forward(b, m),
        }
    }

    /// `b <- L^-T b`, the second half of a solve.
    pub fn backward(&self, b: &mut [f64], m: usize) -> Result<()> {
        match self {
            Trailing::Empty => Ok(()),
            Trailing::Dense(d, _) => {
                d.backward(b, m);
                Ok(())
            }
            Trailing::Sparse(s) => s.backward(b, m),
        }
    }

    /// Forms the inverse (dense) or its selected part (sparse).
    pub fn invert(&mut self) -> Result<()> {
        match self {
            Trailing::Empty => Ok(()),
            Trailing::Dense(d, _) => {
                d.invert();
                Ok(())
            }
            Trailing::Sparse(s) => s.invert(),
        }
    }

    /// Element (i, j) of the inverse.
    #[inline]
    pub fn inverse_at(&self, i: usize, j: usize) -> f64 {
        match self {
            Trailing::Empty => 0.0,
            Trailing::Dense(d, n) => d.inverse[j * *n + i],
            Trailing::Sparse(s) => s.inverse_at(i, j),
        }
    }

    /// Element (i, j) of the inverse; `None` where a sparse factor has no such element.
    pub fn selected_at(&self, i: usize, j: usize) -> Option<f64> {
        match self {
            Trailing::Empty => None,
            Trailing::Dense(..) => Some(self.inverse_at(i.max(j), i.min(j))),
            Trailing::Sparse(s) => s.selected_at(i, j),
        }
    }

    /// `out -= w * inverse[cols, cols]`, `w` and `out` (q x cols) by rows.
    pub fn subtract_product(&self, out: &mut [f64], w: &[f64], cols: &[u32], q: usize) {
        let m = cols.len();
        for b in 0..m {
            if let Trailing::Dense(d, n) = self {
                let column = &d.inverse[cols[b] as usize * *n..(cols[b] as usize + 1) * *n];
                for r in 0..q {
                    let w = &w[r * m..(r + 1) * m];
                    let s: f64 = cols.iter().zip(w).map(|(&a, x)| x * column[a as usize]).sum();
                    out[r * m + b] -= s;
                }
            } else {
                for a in 0..m {
                    let x = self.inverse_at(cols[a] as usize, cols[b] as usize);
                    for r in 0..q {
                        out[r * m + b] -= w[r * m + a] * x;
                    }
                }
            }
        }
    }
}
