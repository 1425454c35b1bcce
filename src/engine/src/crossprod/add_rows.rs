//! Rows with weights, added to sums in one flat vector: the one place where products of rows are formed, once coordinates
//! are known. A deletion is an addition with weight -1, residuals that are not alike are other weights, correlated rows are
//! added in pairs.

use crate::crossprod::crossprod::{Crossprod, Pair};
use crate::crossprod::row_reader::RowBlock;
use crate::crossprod::sum_layout::SumLayout;

/// Some rows of a block.
#[derive(Clone, Copy)]
pub(crate) struct Selection<'s> {
    /// The block.
    pub block: &'s RowBlock,
    /// Rows of it.
    pub rows: &'s [u32],
}

/// What becomes of selected rows, or pairs of them, one after the other.
#[derive(Clone, Copy)]
pub(crate) struct Addition<'s> {
    /// Weight of each.
    pub weights: &'s [f64],
    /// Set of sums to which each is added.
    pub sets: &'s [u32],
}

/// A linear combination of rows: coefficients of X and y, and of every factor by level.
pub(crate) struct Combination {
    /// Columns of X, and y.
    pub xy: Vec<f64>,
    /// For each factor the levels it touches and their columns.
    pub z: Vec<Vec<(usize, Vec<f64>)>>,
}

/// Calls a method with the number of columns of X and y as a constant where the compiler should know it, else 0.
macro_rules! with_width {
    ($m:expr, $self:ident.$method:ident($($arg:expr),*)) => {
        match $m {
            2 => $self.$method::<2>($($arg),*),
            3 => $self.$method::<3>($($arg),*),
            4 => $self.$method::<4>($($arg),*),
            5 => $self.$method::<5>($($arg),*),
            6 => $self.$method::<6>($($arg),*),
            _ => $self.$method::<0>($($arg),*),
        }
    };
}

impl SumLayout {
    /// `w a a'` for rows; of X and y the upper triangle only, until [`SumLayout::mirror`].
    pub fn add_rows(&self, a: &Crossprod, out: &mut [f64], rows: Selection<'_>, to: Addition<'_>) {
        with_width!(a.p + 1, self.add_rows_of(a, out, rows, to));
    }

    /// `M`: columns of X and y where the compiler should know; 0 where it cannot.
    fn add_rows_of<const M: usize>(&self, a: &Crossprod, out: &mut [f64], rows: Selection<'_>, to: Addition<'_>) {
        let m = if M > 0 { M } else { a.p + 1 };
        let block = rows.block;
        let all = || rows.rows.iter().zip(to.weights).zip(to.sets).map(|((k, w), s)| (*k as usize, *w, *s as usize));
        let one = alike(to.sets, rows.rows.len());
        if let (true, Some(set)) = (M > 0, one) {
            let mut own = [[0.0; M]; M];
            for (k, w, _) in all() {
                let xy = &block.xy[k * M..(k + 1) * M];
                for i in 0..M {
                    let f = w * xy[i];
                    (i..M).for_each(|j| own[i][j] += f * xy[j]);
                }
            }
            add_square(&mut out[set * self.len..], &own);
        }
        for (k, w, set) in all().filter(|_| M == 0 || one.is_none()) {
            let xy = &block.xy[k * m..(k + 1) * m];
            let gram = &mut out[set * self.len..set * self.len + m * m];
            for i in 0..m {
                let f = w * xy[i];
                (i..m).for_each(|j| gram[i * m + j] += f * xy[j]);
            }
        }
        for (f, sums) in a.factors.iter().enumerate() {
            let (q, levels, z) = (sums.q, &block.levels[f], &block.z[f]);
            if q == 1 {
                let (diag, rhs) = (self.diag[f], self.rhs[f]);
                for (k, w, set) in all() {
                    let (j, f, base) = (levels[k] as usize, w * z[k], set * self.len);
                    out[base + diag + j] += f * z[k];
                    let at = base + rhs + j * m;
                    add::<M>(&mut out[at..at + m], &block.xy[k * m..(k + 1) * m], f);
                }
                continue;
            }
            for (k, w, set) in all() {
                let (j, z, base) = (levels[k] as usize, &z[k * q..(k + 1) * q], set * self.len);
                let at = base + self.diag[f] + j * q * q;
                add_outer(&mut out[at..at + q * q], z, z, w);
                let at = base + self.rhs[f] + j * q * m;
                let xy = &block.xy[k * m..(k + 1) * m];
                out[at..at + q * m].chunks_exact_mut(m).zip(z).for_each(|(o, z)| add::<M>(o, xy, w * z));
            }
        }
        for (c, pair) in a.pairs.iter().enumerate().filter(|(_, p)| p.f != p.g) {
            for (k, w, set) in all() {
                let own = &mut out[set * self.len..(set + 1) * self.len];
                self.add_cell(own, (c, pair), of(block, pair.f, k, a), of(block, pair.g, k, a), w);
            }
        }
    }

    /// `w (a b' + b a')` for pairs of rows; of X and y the upper triangle only, until [`SumLayout::mirror`].
    pub fn add_pairs(&self, a: &Crossprod, out: &mut [f64], one: Selection<'_>, two: Selection<'_>, to: Addition<'_>) {
        with_width!(a.p + 1, self.add_pairs_of(a, out, one, two, to));
    }

    fn add_pairs_of<const M: usize>(
        &self,
        a: &Crossprod,
        out: &mut [f64],
        one: Selection<'_>,
        two: Selection<'_>,
        to: Addition<'_>,
    ) {
        let m = if M > 0 { M } else { a.p + 1 };
        let (u, v) = (one.block, two.block);
        let all = || paired(one, two, to);
        self.add_products::<M>(m, out, one, two, to);
        for (f, sums) in a.factors.iter().enumerate() {
            let q = sums.q;
            if q == 1 {
                let (diag, rhs) = (self.diag[f], self.rhs[f]);
                for (k, l, w, set) in all() {
                    let (i, j, base) = (u.levels[f][k] as usize, v.levels[f][l] as usize, set * self.len);
                    let (g, h) = (w * u.z[f][k], w * v.z[f][l]);
                    if i == j {
                        out[base + diag + i] += 2.0 * g * v.z[f][l];
                    }
                    let (x, y) = (&u.xy[k * m..(k + 1) * m], &v.xy[l * m..(l + 1) * m]);
                    let at = base + rhs + i * m;
                    if i == j {
                        let out = &mut out[at..at + m];
                        (0..m).for_each(|c| out[c] += g * y[c] + h * x[c]);
                        continue;
                    }
                    add::<M>(&mut out[at..at + m], y, g);
                    let at = base + rhs + j * m;
                    add::<M>(&mut out[at..at + m], x, h);
                }
                continue;
            }
            for (k, l, w, set) in all() {
                let base = set * self.len;
                for ((s, k), (t, l)) in [((u, k), (v, l)), ((v, l), (u, k))] {
                    let (j, z) = (s.levels[f][k] as usize, &s.z[f][k * q..(k + 1) * q]);
                    if j == t.levels[f][l] as usize {
                        let at = base + self.diag[f] + j * q * q;
                        add_outer(&mut out[at..at + q * q], z, &t.z[f][l * q..(l + 1) * q], w);
                    }
                    let at = base + self.rhs[f] + j * q * m;
                    let xy = &t.xy[l * m..(l + 1) * m];
                    out[at..at + q * m].chunks_exact_mut(m).zip(z).for_each(|(o, z)| add::<M>(o, xy, w * z));
                }
            }
        }
        for (c, pair) in a.pairs.iter().enumerate() {
            for (k, l, w, set) in all() {
                let own = &mut out[set * self.len..(set + 1) * self.len];
                for ((s, k), (t, l)) in [((u, k), (v, l)), ((v, l), (u, k))] {
                    let (f, g) = (of(s, pair.f, k, a), of(t, pair.g, l, a));
                    // Within a factor each pair of levels has one cell, with the smaller level first.
                    if pair.f != pair.g || f.0 < g.0 {
                        self.add_cell(own, (c, pair), f, g, w);
                    }
                }
            }
        }
    }

    /// The part of [`SumLayout::add_pairs`] for X and y.
    fn add_products<const M: usize>(
        &self,
        m: usize,
        out: &mut [f64],
        one: Selection<'_>,
        two: Selection<'_>,
        to: Addition<'_>,
    ) {
        let (u, v) = (one.block, two.block);
        let all = || paired(one, two, to);
        let one = alike(to.sets, one.rows.len());
        if let (true, Some(set)) = (M > 0, one) {
            let mut own = [[0.0; M]; M];
            for (k, l, w, _) in all() {
                let (x, y) = (&u.xy[k * M..(k + 1) * M], &v.xy[l * M..(l + 1) * M]);
                for i in 0..M {
                    let (f, g) = (w * x[i], w * y[i]);
                    (i..M).for_each(|j| own[i][j] += f * y[j] + g * x[j]);
                }
            }
            add_square(&mut out[set * self.len..], &own);
        }
        for (k, l, w, set) in all().filter(|_| M == 0 || one.is_none()) {
            let (x, y) = (&u.xy[k * m..(k + 1) * m], &v.xy[l * m..(l + 1) * m]);
            let gram = &mut out[set * self.len..set * self.len + m * m];
            for i in 0..m {
                let (f, g) = (w * x[i], w * y[i]);
                (i..m).for_each(|j| gram[i * m + j] += f * y[j] + g * x[j]);
            }
        }
    }

    /// `w (a b' + b a')` for pairs of rows, X and y alone: as [`SumLayout::add_pairs`].
    pub fn add_pairs_xy(&self, m: usize, out: &mut [f64], one: Selection<'_>, two: Selection<'_>, to: Addition<'_>) {
        with_width!(m, self.add_products(m, out, one, two, to));
    }

    /// `w (a b' + b a')` for two combinations of rows.
    pub fn add_combinations(&self, a: &Crossprod, out: &mut [f64], one: &Combination, two: &Combination, w: f64) {
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
                        self.add_cell(out, (k, pair), (*j, z), (*l, other), w);
                    }
                }
            }
        }
    }

    /// `w z_f z_g'` in the cell of a level of each factor of pair `k`.
    fn add_cell(&self, out: &mut [f64], (k, pair): (usize, &Pair), f: (usize, &[f64]), g: (usize, &[f64]), w: f64) {
        let cells = &pair.cols[pair.starts[f.0]..pair.starts[f.0 + 1]];
        match cells.binary_search(&(g.0 as u32)) {
            Ok(at) => {
                let size = f.1.len() * g.1.len();
                let at = self.blocks[k] + (pair.starts[f.0] + at) * size;
                add_outer(&mut out[at..at + size], f.1, g.1, w);
            }
            // Rows without a cell: no factorisation bears what is not a number, so that nothing is lost in silence.
            Err(_) => out[0] = f64::NAN,
        }
    }
}

/// Places of pairs of rows in their blocks, with weight and set.
fn paired<'s>(
    one: Selection<'s>,
    two: Selection<'s>,
    to: Addition<'s>,
) -> impl Iterator<Item = (usize, usize, f64, usize)> + 's {
    let rows = one.rows.iter().zip(two.rows).map(|(k, l)| (*k as usize, *l as usize));
    rows.zip(to.weights.iter().zip(to.sets)).map(|((k, l), (w, s))| (k, l, *w, *s as usize))
}

/// Level and columns of row `k` of a block for factor `f`.
fn of<'s>(block: &'s RowBlock, f: usize, k: usize, a: &Crossprod) -> (usize, &'s [f64]) {
    let q = a.factors[f].q;
    (block.levels[f][k] as usize, &block.z[f][k * q..(k + 1) * q])
}

/// The set that all rows are added to.
fn alike(sets: &[u32], count: usize) -> Option<usize> {
    let own = &sets[..count];
    own.first().filter(|first| own.iter().all(|s| s == *first)).map(|s| *s as usize)
}

/// Adds a square matrix to the first elements, by rows.
fn add_square<const M: usize>(out: &mut [f64], own: &[[f64; M]; M]) {
    out[..M * M].iter_mut().zip(own.iter().flatten()).for_each(|(o, x)| *o += x);
}

/// `out += w x`.
#[inline]
fn add<const M: usize>(out: &mut [f64], x: &[f64], w: f64) {
    let m = if M > 0 { M } else { x.len() };
    let (out, x) = (&mut out[..m], &x[..m]);
    (0..m).for_each(|c| out[c] += w * x[c]);
}

/// `out += w a b'`, by rows.
#[inline]
pub(crate) fn add_outer(out: &mut [f64], a: &[f64], b: &[f64], w: f64) {
    for (o, x) in out.chunks_exact_mut(b.len()).zip(a) {
        let f = w * x;
        o.iter_mut().zip(b).for_each(|(o, y)| *o += f * y);
    }
}
