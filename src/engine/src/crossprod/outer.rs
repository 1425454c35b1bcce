//! Outer products of rows, added to sums in one flat vector.

use crate::crossprod::crossprod::Crossprod;
use crate::crossprod::flat::{add_outer, Places};
use crate::crossprod::row_reader::Sheet;

/// Rows of a sheet, each with its weight and the set of sums that it is added to.
pub(crate) struct Chosen<'s> {
    /// The sheet.
    pub sheet: &'s Sheet,
    /// Rows of it.
    pub rows: &'s [u32],
}

/// Weights of rows, and the sets of sums they are added to.
pub(crate) struct Into<'s> {
    /// Weights.
    pub weights: &'s [f64],
    /// Sets.
    pub sets: &'s [u32],
}

impl Places {
    /// `w a a'` for rows; of X and y the upper triangle only, until [`Places::mirror`].
    pub fn add_rows(&self, a: &Crossprod, out: &mut [f64], rows: &Chosen<'_>, into: &Into<'_>) {
        match a.p + 1 {
            2 => self.add_rows_of::<2>(a, out, rows, into),
            3 => self.add_rows_of::<3>(a, out, rows, into),
            4 => self.add_rows_of::<4>(a, out, rows, into),
            5 => self.add_rows_of::<5>(a, out, rows, into),
            6 => self.add_rows_of::<6>(a, out, rows, into),
            _ => self.add_rows_of::<0>(a, out, rows, into),
        }
    }

    /// `M`: columns of X and y where the compiler should know; 0 where it cannot.
    fn add_rows_of<const M: usize>(&self, a: &Crossprod, out: &mut [f64], rows: &Chosen<'_>, into: &Into<'_>) {
        let m = if M > 0 { M } else { a.p + 1 };
        let sheet = rows.sheet;
        let all =
            || rows.rows.iter().zip(into.weights).zip(into.sets).map(|((k, w), s)| (*k as usize, *w, *s as usize));
        let one = alike(into.sets, rows.rows.len());
        if let (true, Some(set)) = (M > 0, one) {
            let mut own = [[0.0; M]; M];
            for (k, w, _) in all() {
                let xy = &sheet.xy[k * M..(k + 1) * M];
                for i in 0..M {
                    let f = w * xy[i];
                    (i..M).for_each(|j| own[i][j] += f * xy[j]);
                }
            }
            add_square(&mut out[set * self.len..], &own);
        }
        for (k, w, set) in all().filter(|_| M == 0 || one.is_none()) {
            let xy = &sheet.xy[k * m..(k + 1) * m];
            let gram = &mut out[set * self.len..set * self.len + m * m];
            for i in 0..m {
                let f = w * xy[i];
                (i..m).for_each(|j| gram[i * m + j] += f * xy[j]);
            }
        }
        for (f, sums) in a.factors.iter().enumerate() {
            let (q, levels, z) = (sums.q, &sheet.levels[f], &sheet.z[f]);
            if q == 1 {
                let (diag, rhs) = (self.diag[f], self.rhs[f]);
                for (k, w, set) in all() {
                    let (j, f, base) = (levels[k] as usize, w * z[k], set * self.len);
                    out[base + diag + j] += f * z[k];
                    let at = base + rhs + j * m;
                    add::<M>(&mut out[at..at + m], &sheet.xy[k * m..(k + 1) * m], f);
                }
                continue;
            }
            for (k, w, set) in all() {
                let (j, z, base) = (levels[k] as usize, &z[k * q..(k + 1) * q], set * self.len);
                let at = base + self.diag[f] + j * q * q;
                add_outer(&mut out[at..at + q * q], z, z, w);
                let at = base + self.rhs[f] + j * q * m;
                let xy = &sheet.xy[k * m..(k + 1) * m];
                out[at..at + q * m].chunks_exact_mut(m).zip(z).for_each(|(o, z)| add::<M>(o, xy, w * z));
            }
        }
        for (c, pair) in a.pairs.iter().enumerate().filter(|(_, p)| p.f != p.g) {
            for (k, w, set) in all() {
                let own = &mut out[set * self.len..(set + 1) * self.len];
                self.add_cell(own, c, pair, of(sheet, pair.f, k, a), of(sheet, pair.g, k, a), w);
            }
        }
    }

    /// `w (a b' + b a')` for pairs of rows; of X and y the upper triangle only, until [`Places::mirror`].
    pub fn add_pairs(&self, a: &Crossprod, out: &mut [f64], one: &Chosen<'_>, two: &Chosen<'_>, into: &Into<'_>) {
        match a.p + 1 {
            2 => self.add_pairs_of::<2>(a, out, one, two, into),
            3 => self.add_pairs_of::<3>(a, out, one, two, into),
            4 => self.add_pairs_of::<4>(a, out, one, two, into),
            5 => self.add_pairs_of::<5>(a, out, one, two, into),
            6 => self.add_pairs_of::<6>(a, out, one, two, into),
            _ => self.add_pairs_of::<0>(a, out, one, two, into),
        }
    }

    fn add_pairs_of<const M: usize>(
        &self,
        a: &Crossprod,
        out: &mut [f64],
        one: &Chosen<'_>,
        two: &Chosen<'_>,
        into: &Into<'_>,
    ) {
        let m = if M > 0 { M } else { a.p + 1 };
        let (u, v) = (one.sheet, two.sheet);
        let all = || {
            let rows = one.rows.iter().zip(two.rows).map(|(k, l)| (*k as usize, *l as usize));
            rows.zip(into.weights.iter().zip(into.sets)).map(|((k, l), (w, s))| (k, l, *w, *s as usize))
        };
        self.add_products::<M>(m, out, one, two, into);
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
                        self.add_cell(own, c, pair, f, g, w);
                    }
                }
            }
        }
    }

    /// The part of [`Places::add_pairs`] for X and y.
    fn add_products<const M: usize>(
        &self,
        m: usize,
        out: &mut [f64],
        one: &Chosen<'_>,
        two: &Chosen<'_>,
        into: &Into<'_>,
    ) {
        let (u, v) = (one.sheet, two.sheet);
        let all = || {
            let rows = one.rows.iter().zip(two.rows).map(|(k, l)| (*k as usize, *l as usize));
            rows.zip(into.weights.iter().zip(into.sets)).map(|((k, l), (w, s))| (k, l, *w, *s as usize))
        };
        let one = alike(into.sets, one.rows.len());
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

    /// `w (a b' + b a')` for pairs of rows, X and y alone: as [`Places::add_pairs`].
    pub fn add_lagged(&self, m: usize, out: &mut [f64], one: &Chosen<'_>, two: &Chosen<'_>, into: &Into<'_>) {
        match m {
            2 => self.add_products::<2>(m, out, one, two, into),
            3 => self.add_products::<3>(m, out, one, two, into),
            4 => self.add_products::<4>(m, out, one, two, into),
            5 => self.add_products::<5>(m, out, one, two, into),
            6 => self.add_products::<6>(m, out, one, two, into),
            _ => self.add_products::<0>(m, out, one, two, into),
        }
    }
}

/// Level and columns of row `k` of a sheet for factor `f`.
fn of<'s>(sheet: &'s Sheet, f: usize, k: usize, a: &Crossprod) -> (usize, &'s [f64]) {
    let q = a.factors[f].q;
    (sheet.levels[f][k] as usize, &sheet.z[f][k * q..(k + 1) * q])
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
