//! The data as cross-products: everything that the likelihood needs, free of theta and of the number of rows.
//!
//! Holds X'WX, X'Wy, y'Wy, and for every grouping factor Z'WZ and Z'W[X, y] by level, and for every pair of factors
//! Z_f'WZ_g by cell, in working coordinates: y is the least-squares residual divided by a power of two, X and the
//! bases of the random terms are orthonormal over the rows, weights are divided by their geometric mean.
//! [`Coordinates`] leads back. Cross-products on the same coordinates and pattern can be merged.

use crate::design::{Coordinates, Order};
use crate::error::{Error, Result};

/// Sums of one grouping factor.
#[derive(Clone, Debug)]
pub struct FactorSums {
    /// Levels J.
    pub levels: usize,
    /// Columns a level q.
    pub q: usize,
    /// Z'WZ of each level, J blocks q x q by rows.
    pub diag: Vec<f64>,
    /// Z'W[X, y] of each level, J blocks q x (p + 1) by rows.
    pub rhs: Vec<f64>,
    /// Rows in each level.
    pub counts: Vec<u32>,
}

/// Sums of two grouping factors by cell; `f` comes before `g` in the order of elimination.
#[derive(Clone, Debug)]
pub struct Pair {
    /// Factor whose levels are the rows of cells.
    pub f: usize,
    /// Factor whose levels are the columns of cells.
    pub g: usize,
    /// First cell of each level of `f`; J_f + 1 entries.
    pub starts: Vec<usize>,
    /// Level of `g` of each cell, ascending within a level of `f`.
    pub cols: Vec<u32>,
    /// Z_f'WZ_g of each cell, q_f x q_g by rows.
    pub blocks: Vec<f64>,
}

impl FactorSums {
    /// Sums of no row; `m` = p + 1.
    pub(crate) fn zero(levels: usize, q: usize, m: usize) -> FactorSums {
        let (diag, rhs) = (vec![0.0; levels * q * q], vec![0.0; levels * q * m]);
        FactorSums { levels, q, diag, rhs, counts: vec![0; levels] }
    }

    /// Adds the sums of other rows.
    pub(crate) fn add(&mut self, other: &FactorSums) {
        add(&mut self.diag, &other.diag);
        add(&mut self.rhs, &other.rhs);
        self.counts.iter_mut().zip(&other.counts).for_each(|(x, y)| *x += y);
    }
}

/// The cross-products of a model.
#[derive(Clone, Debug)]
pub struct Crossprod {
    /// Rows.
    pub n: usize,
    /// Rank of X.
    pub p: usize,
    /// [X, y]'W[X, y], order p + 1, by rows.
    pub gram: Vec<f64>,
    /// Grouping factors in the caller's order.
    pub factors: Vec<FactorSums>,
    /// Pairs of factors.
    pub pairs: Vec<Pair>,
    /// Order of elimination that the pairs follow.
    pub order: Order,
    /// Way back to the user's coordinates.
    pub coordinates: Coordinates,
}

impl Crossprod {
    /// Adds the sums of other rows in the same coordinates and with the same cells.
    ///
    /// # Errors
    /// [`Error::Dimension`] if the two do not describe the same levels and cells.
    pub fn merge(&mut self, other: &Crossprod) -> Result<()> {
        let same = self.order == other.order
            && self.p == other.p
            && self.factors.iter().zip(&other.factors).all(|(a, b)| a.levels == b.levels && a.q == b.q)
            && self.pairs.iter().zip(&other.pairs).all(|(a, b)| a.starts == b.starts && a.cols == b.cols);
        if !same || self.factors.len() != other.factors.len() {
            return Err(Error::Dimension {
                what: "cells of merged cross-products",
                expected: self.pairs.len(),
                found: other.pairs.len(),
            });
        }
        self.n += other.n;
        self.coordinates.weight_log_sum += other.coordinates.weight_log_sum;
        add(&mut self.gram, &other.gram);
        self.factors.iter_mut().zip(&other.factors).for_each(|(a, b)| a.add(b));
        for (a, b) in self.pairs.iter_mut().zip(&other.pairs) {
            add(&mut a.blocks, &b.blocks);
        }
        Ok(())
    }

    /// X'WX, p x p by rows.
    pub fn fixed_gram(&self) -> Vec<f64> {
        self.gram.chunks_exact(self.p + 1).take(self.p).flat_map(|row| &row[..self.p]).copied().collect()
    }

    /// Replaces X'Wy and y'Wy.
    pub fn set_response(&mut self, xy: &[f64], yy: f64) {
        let (p, m) = (self.p, self.p + 1);
        for (i, x) in xy.iter().enumerate() {
            self.gram[i * m + p] = *x;
            self.gram[p * m + i] = *x;
        }
        self.gram[p * m + p] = yy;
    }

    /// Columns a level of every factor.
    pub fn widths(&self) -> Vec<usize> {
        self.factors.iter().map(|f| f.q).collect()
    }

    /// Total of the working weights.
    pub fn total(&self) -> f64 {
        self.n as f64
    }
}

/// `a += b`.
pub(crate) fn add(a: &mut [f64], b: &[f64]) {
    a.iter_mut().zip(b).for_each(|(x, y)| *x += y);
}
