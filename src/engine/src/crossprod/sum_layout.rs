//! Sums of rows in one flat vector, so that sums with different weights can be combined.

use crate::crossprod::crossprod::{add, Crossprod};

/// Where the sums of a [`Crossprod`] stand in one flat vector.
pub(crate) struct SumLayout {
    /// Z'WZ by factor.
    pub diag: Vec<usize>,
    /// Z'W[X, y] by factor.
    pub rhs: Vec<usize>,
    /// Cells by pair.
    pub blocks: Vec<usize>,
    /// Elements in all.
    pub len: usize,
}

impl SumLayout {
    /// Places of the sums of `a`.
    pub fn new(a: &Crossprod) -> SumLayout {
        let m = a.p + 1;
        let mut len = m * m;
        let mut take = |size: usize| {
            len += size;
            len - size
        };
        let diag = a.factors.iter().map(|f| take(f.diag.len())).collect();
        let rhs = a.factors.iter().map(|f| take(f.rhs.len())).collect();
        let blocks = a.pairs.iter().map(|p| take(p.blocks.len())).collect();
        SumLayout { diag, rhs, blocks, len }
    }

    /// Writes a combination of sets of sums into `a`.
    pub fn load(&self, sets: &[(f64, &[f64])], a: &mut Crossprod) {
        let combine = |to: &mut [f64], at: usize| {
            let n = to.len();
            match sets {
                [(f, set)] => to.iter_mut().zip(&set[at..at + n]).for_each(|(o, x)| *o = f * x),
                [(f, one), (g, two), rest @ ..] => {
                    let both = one[at..at + n].iter().zip(&two[at..at + n]);
                    to.iter_mut().zip(both).for_each(|(o, (x, y))| *o = f * x + g * y);
                    for (f, set) in rest {
                        to.iter_mut().zip(&set[at..at + n]).for_each(|(o, x)| *o += f * x);
                    }
                }
                [] => to.fill(0.0),
            }
        };
        combine(&mut a.gram, 0);
        for (k, f) in a.factors.iter_mut().enumerate() {
            combine(&mut f.diag, self.diag[k]);
            combine(&mut f.rhs, self.rhs[k]);
        }
        for (k, p) in a.pairs.iter_mut().enumerate() {
            combine(&mut p.blocks, self.blocks[k]);
        }
    }

    /// Writes the sums of `a`.
    pub fn store(&self, a: &Crossprod) -> Vec<f64> {
        let mut out = a.gram.clone();
        out.reserve_exact(self.len - out.len());
        a.factors.iter().for_each(|f| out.extend_from_slice(&f.diag));
        a.factors.iter().for_each(|f| out.extend_from_slice(&f.rhs));
        a.pairs.iter().for_each(|p| out.extend_from_slice(&p.blocks));
        out
    }

    /// Adds a set of sums to `a`.
    pub fn add_to(&self, set: &[f64], a: &mut Crossprod) {
        let add_from = |to: &mut [f64], at: usize| add(to, &set[at..at + to.len()]);
        add_from(&mut a.gram, 0);
        for (k, f) in a.factors.iter_mut().enumerate() {
            add_from(&mut f.diag, self.diag[k]);
            add_from(&mut f.rhs, self.rhs[k]);
        }
        for (k, p) in a.pairs.iter_mut().enumerate() {
            add_from(&mut p.blocks, self.blocks[k]);
        }
    }

    /// Copies the upper triangle of the sums of X and y to the lower one, in every set.
    pub fn mirror(&self, a: &Crossprod, out: &mut [f64]) {
        let m = a.p + 1;
        for gram in out.chunks_exact_mut(self.len) {
            for i in 0..m {
                (0..i).for_each(|j| gram[i * m + j] = gram[j * m + i]);
            }
        }
    }
}
