//! Sums of rows in one flat vector, so that sums with different weights can be combined.

use crate::crossprod::crossprod::{Crossprod, Pair};

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

    /// Copies the upper triangle of the sums of X and y to the lower one, in every set.
    pub fn mirror(&self, a: &Crossprod, out: &mut [f64]) {
        let m = a.p + 1;
        for gram in out.chunks_exact_mut(self.len) {
            for i in 0..m {
                (0..i).for_each(|j| gram[i * m + j] = gram[j * m + i]);
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

    pub(crate) fn add_cell(
        &self,
        out: &mut [f64],
        k: usize,
        pair: &Pair,
        f: (usize, &[f64]),
        g: (usize, &[f64]),
        w: f64,
    ) {
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
pub(crate) fn add_outer(out: &mut [f64], a: &[f64], b: &[f64], w: f64) {
    for (o, x) in out.chunks_exact_mut(b.len()).zip(a) {
        let f = w * x;
        o.iter_mut().zip(b).for_each(|(o, y)| *o += f * y);
    }
}
