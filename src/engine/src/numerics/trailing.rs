//! The trailing matrix: what is left of M when the chain of nested factors is eliminated. Dense or sparse.
//!
//! Columns are scalar columns of the remaining factors. Used by factor (assembly, elimination) and gradient
//! (inverse on the pattern).

use super::dense::Dense;
use super::sparse::Sparse;
use super::strips::Strips;
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

    /// Adds a block (by rows of `cols`) at (`row`, `col`); only its part in the lower triangle is kept.
    ///
    /// # Errors
    /// [`crate::Error::Internal`] for an element off the pattern of a sparse matrix.
    pub fn add_block(&mut self, row: usize, col: usize, block: &[f64], cols: usize) -> Result<()> {
        for (k, &x) in block.iter().enumerate() {
            let (i, j) = (row + k / cols, col + k % cols);
            match self {
                _ if i < j => {}
                Trailing::Empty => {}
                Trailing::Dense(d, n) => d.values[j * *n + i] += x,
                Trailing::Sparse(s) => s.add(i, j, x)?,
            }
        }
        Ok(())
    }

    /// `S -= w'w` for the strips of all levels of a factor.
    pub fn rank_update(&mut self, strips: Strips<'_>, w: &[f64]) -> Result<()> {
        match self {
            Trailing::Empty => {}
            Trailing::Dense(d, n) => {
                let threads = d.threads();
                strips.update(&mut d.values, *n, w, &mut d.scratch, threads);
            }
            Trailing::Sparse(s) => {
                for pair in strips.starts.windows(2) {
                    s.rank_update(
                        &strips.cols[pair[0]..pair[1]],
                        &w[strips.q * pair[0]..strips.q * pair[1]],
                        strips.q,
                    )?;
                }
            }
        }
        Ok(())
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

    /// Copies the block of the inverse at (`row`, `col`) into `out` (by rows of `cols`).
    ///
    /// # Errors
    /// [`crate::Error::Internal`] for an element off the pattern of a sparse factor.
    #[inline]
    pub fn inverse_block(&self, row: usize, col: usize, cols: usize, out: &mut [f64]) -> Result<()> {
        for (k, x) in out.iter_mut().enumerate() {
            let (i, j) = (row + k / cols, col + k % cols);
            *x = match self {
                Trailing::Empty => 0.0,
                Trailing::Dense(d, n) => d.inverse[j * *n + i],
                Trailing::Sparse(s) => s.inverse_at(i, j)?,
            };
        }
        Ok(())
    }

    /// Element (i, j) of the inverse; `None` where a sparse factor has no such element.
    pub fn selected_at(&self, i: usize, j: usize) -> Option<f64> {
        match self {
            Trailing::Empty => None,
            Trailing::Dense(d, n) => Some(d.inverse[j * *n + i]),
            Trailing::Sparse(s) => s.selected_at(i, j),
        }
    }

    /// `out = -w S^-1` at the columns of the strips of all levels of a factor.
    pub fn product(&mut self, out: &mut [f64], strips: Strips<'_>, w: &[f64]) -> Result<()> {
        match self {
            Trailing::Empty => {}
            Trailing::Dense(d, n) => {
                let threads = d.threads();
                strips.product(out, &d.inverse, *n, w, &mut d.scratch, threads);
            }
            Trailing::Sparse(s) => {
                out.fill(0.0);
                for pair in strips.starts.windows(2) {
                    let range = strips.q * pair[0]..strips.q * pair[1];
                    subtract_product(s, &mut out[range.clone()], &w[range], &strips.cols[pair[0]..pair[1]], strips.q)?;
                }
            }
        }
        Ok(())
    }
}

/// `out -= w * inverse[cols, cols]`, `w` and `out` (q x cols) by rows.
fn subtract_product(s: &Sparse, out: &mut [f64], w: &[f64], cols: &[u32], q: usize) -> Result<()> {
    let m = cols.len();
    for b in 0..m {
        for a in 0..m {
            let x = s.inverse_at(cols[a] as usize, cols[b] as usize)?;
            for r in 0..q {
                out[r * m + b] -= w[r * m + a] * x;
            }
        }
    }
    Ok(())
}
