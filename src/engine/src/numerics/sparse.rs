//! Sparse symmetric positive definite matrices: faer's supernodal Cholesky, and the selected inverse on its pattern.
//!
//! The pattern is fixed and analysed once; a new value costs one numeric factorisation. The selected inverse
//! holds every entry of the inverse that lies on the pattern of the factor, found from the last supernode to the
//! first (Takahashi, Fagan and Chin 1973; by blocks).

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::matmul::matmul;
use faer::linalg::triangular_solve as tri;
use faer::sparse::linalg::cholesky::{
    factorize_symbolic_cholesky, supernodal, CholeskySymbolicParams, SymbolicCholesky, SymbolicCholeskyRaw,
    SymmetricOrdering,
};
use faer::sparse::linalg::SupernodalThreshold;
use faer::sparse::{SparseColMatRef, SymbolicSparseColMatRef};
use faer::{Accum, Conj, Mat, MatMut, Par, Side};

use super::registers::clear_upper_halves;
use crate::error::{Error, Result};

/// Lower-triangular pattern by columns; row indices ascending, the diagonal first.
#[derive(Clone, Debug, Default)]
pub struct SparsityPattern {
    /// Start of each column in `rows`; length n + 1.
    pub starts: Vec<usize>,
    /// Row indices.
    pub rows: Vec<usize>,
}

/// A sparse matrix on a fixed pattern with its factor and selected inverse.
pub struct Sparse {
    n: usize,
    pattern: SparsityPattern,
    /// Values on the pattern.
    pub values: Vec<f64>,
    symbolic: SymbolicCholesky<usize>,
    /// Place of column i after the fill-reducing permutation.
    place: Vec<usize>,
    supernode_of: Vec<usize>,
    factor: Vec<f64>,
    inverse: Vec<f64>,
    stack: MemBuffer,
    par: Par,
}

impl Sparse {
    /// Analyses `pattern` (order `n`). No numbers yet.
    pub fn new(n: usize, pattern: SparsityPattern, threads: usize) -> Result<Self> {
        let par = if threads > 1 { Par::rayon(threads) } else { Par::Seq };
        let view = SymbolicSparseColMatRef::new_checked(n, n, &pattern.starts, None, &pattern.rows);
        let params = CholeskySymbolicParams {
            supernodal_flop_ratio_threshold: SupernodalThreshold::FORCE_SUPERNODAL,
            ..Default::default()
        };
        let symbolic = factorize_symbolic_cholesky(view, Side::Lower, SymmetricOrdering::Amd, params)
            .map_err(|e| Error::Internal(format!("symbolic factorisation: {e:?}")))?;
        let place = match symbolic.perm() {
            Some(perm) => perm.arrays().1.to_vec(),
            None => (0..n).collect(),
        };
        let mut supernode_of = vec![0; n];
        let raw = raw(&symbolic)?;
        for s in 0..raw.n_supernodes() {
            supernode_of[raw.supernode_begin()[s]..raw.supernode_end()[s]].fill(s);
        }
        let stack = MemBuffer::new(symbolic.factorize_numeric_llt_scratch::<f64>(par, Default::default()));
        let values = vec![0.0; pattern.rows.len()];
        Ok(Sparse {
            n,
            pattern,
            values,
            symbolic,
            place,
            supernode_of,
            factor: Vec::new(),
            inverse: Vec::new(),
            stack,
            par,
        })
    }

    /// Places that the factor takes; its inverse takes as many.
    pub fn fill(&self) -> usize {
        self.symbolic.len_val()
    }

    /// Sets every element to zero.
    pub fn clear(&mut self) {
        self.values.fill(0.0);
    }

    /// Adds `x` to element (i, j), i >= j.
    ///
    /// # Errors
    /// [`Error::Internal`] if the element is not on the pattern.
    #[inline]
    pub fn add(&mut self, i: usize, j: usize, x: f64) -> Result<()> {
        let (from, to) = (self.pattern.starts[j], self.pattern.starts[j + 1]);
        let at = self.pattern.rows[from..to].binary_search(&i).map_err(|_| off_the_pattern())?;
        self.values[from + at] += x;
        Ok(())
    }

    /// `S[cols, cols] -= w' w` for `cols` ascending and `w` (q x cols) by rows.
    ///
    /// # Errors
    /// [`Error::Internal`] if an element is not on the pattern.
    pub fn rank_update(&mut self, cols: &[u32], w: &[f64], q: usize) -> Result<()> {
        let m = cols.len();
        for b in 0..m {
            let j = cols[b] as usize;
            let column = self.pattern.starts[j]..self.pattern.starts[j + 1];
            let (rows, values) = (&self.pattern.rows[column.clone()], &mut self.values[column]);
            let mut at = 0;
            for a in b..m {
                let i = cols[a] as usize;
                while *rows.get(at).ok_or_else(off_the_pattern)? != i {
                    at += 1;
                }
                let mut s = 0.0;
                for r in 0..q {
                    s += w[r * m + a] * w[r * m + b];
                }
                values[at] -= s;
            }
        }
        Ok(())
    }

    /// Factors the matrix; returns log|L|^2.
    pub fn factorise(&mut self) -> Result<f64> {
        self.factor.resize(self.symbolic.len_val(), 0.0);
        let view = SymbolicSparseColMatRef::new_checked(self.n, self.n, &self.pattern.starts, None, &self.pattern.rows);
        let factored = self
            .symbolic
            .factorize_numeric_llt(
                &mut self.factor,
                SparseColMatRef::new(view, &self.values),
                Side::Lower,
                Default::default(),
                self.par,
                MemStack::new(&mut self.stack),
                Default::default(),
            )
            .map_err(|_| Error::NotPositiveDefinite);
        clear_upper_halves();
        factored?;
        let l = self.supernodes()?;
        let mut log_det = 0.0;
        for s in 0..l.symbolic().n_supernodes() {
            let val = l.supernode(s);
            for k in 0..val.val().ncols() {
                let d = val.val()[(k, k)];
                if d.is_nan() || d <= 0.0 {
                    return Err(Error::NotPositiveDefinite);
                }
                log_det += 2.0 * d.ln();
            }
        }
        Ok(log_det)
    }

    fn supernodes(&self) -> Result<supernodal::SupernodalLltRef<'_, usize, f64>> {
        Ok(supernodal::SupernodalLltRef::new(raw(&self.symbolic)?, &self.factor))
    }

    /// `b <- L^-1 P b` (n x m by rows); the rows of the result are in the order of the factor.
    pub fn forward(&self, b: &mut [f64], m: usize) -> Result<()> {
        let mut x = Mat::<f64>::zeros(self.n, m);
        for i in 0..self.n {
            for c in 0..m {
                x[(self.place[i], c)] = b[i * m + c];
            }
        }
        let l = self.supernodes()?;
        let mut buffer = MemBuffer::new(l.symbolic().solve_in_place_scratch::<f64>(m, self.par));
        l.l_solve_with_conj(Conj::No, x.as_mut(), self.par, MemStack::new(&mut buffer));
        clear_upper_halves();
        for i in 0..self.n {
            for c in 0..m {
                b[i * m + c] = x[(i, c)];
            }
        }
        Ok(())
    }

    /// `b <- P' L^-T b` (n x m by rows), from the order of the factor back to the order of the matrix.
    pub fn backward(&self, b: &mut [f64], m: usize) -> Result<()> {
        let mut x = Mat::<f64>::from_fn(self.n, m, |i, c| b[i * m + c]);
        let l = self.supernodes()?;
        let mut buffer = MemBuffer::new(l.symbolic().solve_in_place_scratch::<f64>(m, self.par));
        l.l_transpose_solve_with_conj(Conj::No, x.as_mut(), self.par, MemStack::new(&mut buffer));
        clear_upper_halves();
        for i in 0..self.n {
            for c in 0..m {
                b[i * m + c] = x[(self.place[i], c)];
            }
        }
        Ok(())
    }

    /// Forms the selected inverse from the last supernode to the first.
    pub fn invert(&mut self) -> Result<()> {
        let mut inverse = std::mem::take(&mut self.inverse);
        inverse.resize(self.symbolic.len_val(), 0.0);
        let l = self.supernodes()?;
        let symbolic = l.symbolic();
        let starts = symbolic.col_ptr_for_val();
        for s in (0..symbolic.n_supernodes()).rev() {
            let node = l.supernode(s);
            let (below, nc) = (node.pattern(), node.val().ncols());
            let nr = below.len();
            let (top, bottom) = node.val().split_at_row(nc);
            let mut y = bottom.transpose().to_owned();
            tri::solve_upper_triangular_in_place(top.transpose(), y.as_mut(), self.par);
            let g = gather_below(symbolic, &self.supernode_of, &inverse, below)?;
            let mut z = MatMut::from_column_major_slice_mut(&mut inverse[starts[s]..starts[s + 1]], nr + nc, nc);
            let (mut z_top, mut z_bottom) = z.as_mut().split_at_row_mut(nc);
            matmul(z_bottom.as_mut(), Accum::Replace, g.as_ref(), y.transpose(), -1.0, self.par);
            let mut li = Mat::<f64>::identity(nc, nc);
            tri::solve_lower_triangular_in_place(top, li.as_mut(), self.par);
            matmul(z_top.as_mut(), Accum::Replace, li.transpose(), li.as_ref(), 1.0, self.par);
            matmul(z_top.as_mut(), Accum::Add, y.as_ref(), z_bottom.as_ref(), -1.0, self.par);
            clear_upper_halves();
        }
        self.inverse = inverse;
        Ok(())
    }

    /// Element (i, j) of the inverse.
    ///
    /// # Errors
    /// [`Error::Internal`] if the element is not on the pattern of the factor.
    pub fn inverse_at(&self, i: usize, j: usize) -> Result<f64> {
        self.selected_at(i, j).ok_or_else(off_the_pattern)
    }

    /// The same, `None` off the pattern.
    pub fn selected_at(&self, i: usize, j: usize) -> Option<f64> {
        let (a, b) = (self.place[i], self.place[j]);
        let symbolic = raw(&self.symbolic).ok()?;
        lookup(symbolic, &self.supernode_of, &self.inverse, a.max(b), a.min(b))
    }
}

#[cold]
fn off_the_pattern() -> Error {
    Error::Internal("an element is not on the pattern of its sparse matrix".into())
}

fn raw(symbolic: &SymbolicCholesky<usize>) -> Result<&supernodal::SymbolicSupernodalCholesky<usize>> {
    match symbolic.raw() {
        SymbolicCholeskyRaw::Supernodal(s) => Ok(s),
        SymbolicCholeskyRaw::Simplicial(_) => Err(Error::Internal("the sparse factor is not supernodal".into())),
    }
}

/// Element (row, col), row >= col, of values stored like the factor; `None` off its pattern.
fn lookup(
    symbolic: &supernodal::SymbolicSupernodalCholesky<usize>,
    supernode_of: &[usize],
    values: &[f64],
    row: usize,
    col: usize,
) -> Option<f64> {
    let s = supernode_of[col];
    let (begin, end) = (symbolic.supernode_begin()[s], symbolic.supernode_end()[s]);
    let below = symbolic.supernode(s).pattern();
    let height = end - begin + below.len();
    let r = if row < end {
        row - begin
    } else {
        match below.binary_search(&row) {
            Ok(at) => end - begin + at,
            Err(_) => return None,
        }
    };
    Some(values[symbolic.col_ptr_for_val()[s] + (col - begin) * height + r])
}

/// The inverse restricted to the rows and columns of a supernode's pattern.
fn gather_below(
    symbolic: &supernodal::SymbolicSupernodalCholesky<usize>,
    supernode_of: &[usize],
    inverse: &[f64],
    below: &[usize],
) -> Result<Mat<f64>> {
    let nr = below.len();
    let mut g = Mat::<f64>::zeros(nr, nr);
    for b in 0..nr {
        for a in b..nr {
            let x = lookup(symbolic, supernode_of, inverse, below[a], below[b]).ok_or_else(off_the_pattern)?;
            g[(a, b)] = x;
            g[(b, a)] = x;
        }
    }
    Ok(g)
}

/// View of a column-major buffer, for tests.
#[cfg(test)]
fn view(values: &[f64], n: usize) -> faer::MatRef<'_, f64> {
    faer::MatRef::from_column_major_slice(values, n, n)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numerics::dense::Dense;

    /// An arrow with a chain: 40 nodes, node i tied to i + 1 and to the last one.
    fn arrow() -> (usize, SparsityPattern) {
        let n = 40;
        let mut p = SparsityPattern { starts: vec![0], rows: vec![] };
        for j in 0..n {
            p.rows.push(j);
            if j + 1 < n {
                p.rows.push(j + 1);
            }
            if j + 2 < n {
                p.rows.push(n - 1);
            }
            p.starts.push(p.rows.len());
        }
        (n, p)
    }

    #[test]
    fn selected_inverse_equals_dense_inverse_on_the_pattern() {
        let (n, p) = arrow();
        let mut sparse = Sparse::new(n, p.clone(), 1).unwrap();
        let mut dense = Dense::new(n, 1);
        for j in 0..n {
            for at in p.starts[j]..p.starts[j + 1] {
                let i = p.rows[at];
                let x = if i == j { 60.0 + j as f64 } else { 1.0 + (i * j % 7) as f64 };
                sparse.add(i, j, x).unwrap();
                dense.values[j * n + i] = x;
            }
        }
        let (a, b) = (sparse.factorise().unwrap(), dense.factor().unwrap());
        assert!((a - b).abs() < 1e-11, "{a} {b}");
        sparse.invert().unwrap();
        dense.invert();
        let inverse = view(&dense.inverse, n);
        for j in 0..n {
            for at in p.starts[j]..p.starts[j + 1] {
                let i = p.rows[at];
                assert!((sparse.inverse_at(i, j).unwrap() - inverse[(i, j)]).abs() < 1e-15);
            }
        }
        let mut x: Vec<f64> = (0..2 * n).map(|i| (i as f64).sin()).collect();
        let mut y = x.clone();
        sparse.forward(&mut x, 2).unwrap();
        sparse.backward(&mut x, 2).unwrap();
        dense.forward(&mut y, 2);
        dense.backward(&mut y, 2);
        for (u, v) in x.iter().zip(&y) {
            assert!((u - v).abs() < 1e-14);
        }
    }
}
