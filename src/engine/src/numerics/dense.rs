//! Dense symmetric positive definite matrices of any order: Cholesky, solves and inverse by faer.
//!
//! Storage: column-major n x n in one buffer, lower triangle meaningful. Buffers are kept between factorisations.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt;
use faer::linalg::lu::partial_pivoting::factor as lu;
use faer::linalg::matmul::{
    self,
    triangular::{self, BlockStructure},
};
use faer::linalg::triangular_solve as tri;
use faer::prelude::ReborrowMut;
use faer::{Accum, Mat, MatMut, MatRef, Par};

use super::registers::clear_upper_halves;
use crate::error::{Error, Result};

/// A dense matrix and, after [`Dense::factor`], its Cholesky factor in the same place.
pub struct Dense {
    n: usize,
    /// Lower triangle of the matrix, or of its factor L.
    pub values: Vec<f64>,
    /// The inverse (both triangles), after [`Dense::invert`].
    pub inverse: Vec<f64>,
    /// A buffer for whoever updates the matrix.
    pub scratch: Vec<f64>,
    factor_stack: MemBuffer,
    inverse_stack: Option<MemBuffer>,
    par: Par,
}

impl Dense {
    /// A zero matrix of order `n`; `threads` is the number of threads of the surrounding rayon pool (1: none).
    pub fn new(n: usize, threads: usize) -> Self {
        let par = parallel(threads, n);
        Dense {
            n,
            values: vec![0.0; n * n],
            inverse: Vec::new(),
            scratch: Vec::new(),
            factor_stack: MemBuffer::new(llt::factor::cholesky_in_place_scratch::<f64>(n, par, Default::default())),
            inverse_stack: None,
            par,
        }
    }

    /// Bytes that a matrix of order `n` needs with its inverse and the workspace of the inversion.
    pub fn bytes(n: usize) -> f64 {
        3.0 * 8.0 * (n as f64) * (n as f64)
    }

    /// Threads of the surrounding pool that may be used.
    pub fn threads(&self) -> usize {
        self.par.degree()
    }

    /// Sets every element to zero.
    pub fn clear(&mut self) {
        self.values.fill(0.0);
    }

    /// Replaces the lower triangle by its Cholesky factor; returns log|L|^2.
    pub fn factor(&mut self) -> Result<f64> {
        let n = self.n;
        let stack = MemStack::new(&mut self.factor_stack);
        let factored = llt::factor::cholesky_in_place(
            MatMut::from_column_major_slice_mut(&mut self.values, n, n),
            Default::default(),
            self.par,
            stack,
            Default::default(),
        )
        .map_err(|_| Error::NotPositiveDefinite);
        clear_upper_halves();
        factored?;
        let mut log_det = 0.0;
        for i in 0..n {
            let d = self.values[i * n + i];
            if d.is_nan() || d <= 0.0 {
                return Err(Error::NotPositiveDefinite);
            }
            log_det += 2.0 * d.ln();
        }
        Ok(log_det)
    }

    fn lower(&self) -> MatRef<'_, f64> {
        MatRef::from_column_major_slice(&self.values, self.n, self.n)
    }

    /// `b <- L^-1 b`, `b` n x m by rows.
    pub fn forward(&self, b: &mut [f64], m: usize) {
        tri::solve_lower_triangular_in_place(self.lower(), MatMut::from_row_major_slice_mut(b, self.n, m), self.par);
        clear_upper_halves();
    }

    /// `b <- L^-T b`, `b` n x m by rows.
    pub fn backward(&self, b: &mut [f64], m: usize) {
        tri::solve_upper_triangular_in_place(
            self.lower().transpose(),
            MatMut::from_row_major_slice_mut(b, self.n, m),
            self.par,
        );
        clear_upper_halves();
    }

    /// Forms the inverse of the factored matrix in [`Dense::inverse`], both triangles.
    pub fn invert(&mut self) {
        let n = self.n;
        if self.inverse.len() != n * n {
            self.inverse = vec![0.0; n * n];
            self.inverse_stack = Some(MemBuffer::new(llt::inverse::inverse_scratch::<f64>(n, self.par)));
        }
        if let Some(buffer) = self.inverse_stack.as_mut() {
            llt::inverse::inverse(
                MatMut::from_column_major_slice_mut(&mut self.inverse, n, n),
                MatRef::from_column_major_slice(&self.values, n, n),
                self.par,
                MemStack::new(buffer),
            );
        }
        clear_upper_halves();
        mirror(&mut self.inverse, n);
    }
}

/// Side of the tiles by which a large matrix is turned.
const TILE: usize = 32;

/// Copies what stands at j n + i to i n + j for all i > j: the lower triangle by columns to the upper one, or the upper
/// triangle by rows to the lower one.
pub fn mirror(x: &mut [f64], n: usize) {
    for jb in (0..n).step_by(TILE) {
        for ib in (jb..n).step_by(TILE) {
            for j in jb..(jb + TILE).min(n) {
                for i in ib.max(j + 1)..(ib + TILE).min(n) {
                    x[i * n + j] = x[j * n + i];
                }
            }
        }
    }
}

/// Solution of `a x = b` by LU with partial pivots, all by rows, `a` n x n and `b` n x m; `None` if `a` is singular.
pub fn solve_general(a: &[f64], b: &[f64], n: usize, m: usize) -> Option<Vec<f64>> {
    let mut factor = MatRef::from_row_major_slice(a, n, n).to_owned();
    let (mut order, mut back) = (vec![0usize; n], vec![0usize; n]);
    let mut buffer = MemBuffer::new(lu::lu_in_place_scratch::<usize, f64>(n, n, Par::Seq, Default::default()));
    let stack = MemStack::new(&mut buffer);
    lu::lu_in_place(factor.as_mut(), &mut order, &mut back, Par::Seq, stack, Default::default());
    let mut x = Mat::from_fn(n, m, |i, c| b[order[i] * m + c]);
    tri::solve_unit_lower_triangular_in_place(factor.as_ref(), x.as_mut(), Par::Seq);
    tri::solve_upper_triangular_in_place(factor.as_ref(), x.as_mut(), Par::Seq);
    clear_upper_halves();
    (0..n * m).map(|k| Some(x[(k / m, k % m)]).filter(|x| x.is_finite())).collect()
}

/// The transpose of a matrix n x n.
pub fn transposed(x: &[f64], n: usize) -> Vec<f64> {
    let mut out = vec![0.0; n * n];
    for ib in (0..n).step_by(TILE) {
        for jb in (0..n).step_by(TILE) {
            for i in ib..(ib + TILE).min(n) {
                for j in jb..(jb + TILE).min(n) {
                    out[i * n + j] = x[j * n + i];
                }
            }
        }
    }
    out
}

/// Turns off faer's own choice of threads (all cores, in a global pool).
pub fn sequential_by_default() {
    faer::set_global_parallelism(Par::Seq);
}

/// Threads of a product of order `n`: those of the surrounding pool, or none for a small one.
pub fn parallel(threads: usize, n: usize) -> Par {
    if threads > 1 && n >= 256 {
        Par::rayon(threads)
    } else {
        Par::Seq
    }
}

/// `c += alpha * a b`, all by rows; `a` is m x k, `b` k x n for (m, k, n).
pub fn add_product(c: &mut [f64], a: &[f64], b: &[f64], (m, k, n): (usize, usize, usize), alpha: f64, par: Par) {
    let a = MatRef::from_row_major_slice(&a[..m * k], m, k);
    let b = MatRef::from_row_major_slice(&b[..k * n], k, n);
    matmul::matmul(MatMut::from_row_major_slice_mut(&mut c[..m * n], m, n), Accum::Add, a, b, alpha, par);
    clear_upper_halves();
}

/// `c += alpha * a' b`, all by rows; `a` is k x m, `b` k x n for (k, m, n).
pub fn add_transposed_product(
    c: &mut [f64],
    a: &[f64],
    b: &[f64],
    (k, m, n): (usize, usize, usize),
    alpha: f64,
    par: Par,
) {
    let a = MatRef::from_row_major_slice(&a[..k * m], k, m).transpose();
    let b = MatRef::from_row_major_slice(&b[..k * n], k, n);
    matmul::matmul(MatMut::from_row_major_slice_mut(&mut c[..m * n], m, n), Accum::Add, a, b, alpha, par);
    clear_upper_halves();
}

/// `g += b' b` on the lower triangle: `b` is rows x m by rows, `g` m x m column-major.
pub fn add_gram(g: &mut [f64], b: &[f64], rows: usize, m: usize, sign: f64, par: Par) {
    add_gram_of(g, MatRef::from_row_major_slice(&b[..rows * m], rows, m), sign, par);
}

/// The same for `b` by columns.
pub fn add_gram_of_columns(g: &mut [f64], b: &[f64], rows: usize, m: usize, sign: f64, par: Par) {
    add_gram_of(g, MatRef::from_column_major_slice(&b[..rows * m], rows, m), sign, par);
}

fn add_gram_of(g: &mut [f64], b: MatRef<'_, f64>, sign: f64, par: Par) {
    let m = b.ncols();
    let mut g = MatMut::from_column_major_slice_mut(g, m, m);
    triangular::matmul(
        g.rb_mut(),
        BlockStructure::TriangularLower,
        Accum::Add,
        b.transpose(),
        BlockStructure::Rectangular,
        b,
        BlockStructure::Rectangular,
        sign,
        par,
    );
    clear_upper_halves();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inverse_times_matrix_is_identity() {
        let n = 300;
        let mut d = Dense::new(n, 1);
        let entry = |i: usize, j: usize| if i == j { n as f64 } else { 1.0 / (1.0 + (i as f64 - j as f64).abs()) };
        for j in 0..n {
            for i in 0..n {
                d.values[j * n + i] = entry(i, j);
            }
        }
        d.factor().unwrap();
        d.invert();
        for i in [0, 17, 299] {
            for j in [0, 17, 299] {
                let s: f64 = (0..n).map(|k| entry(i, k) * d.inverse[j * n + k]).sum();
                assert!((s - f64::from(u8::from(i == j))).abs() < 1e-13);
            }
        }
    }
}
