//! The rows of eliminated levels beside the dense trailing matrix: one strip (q x cols) a level.
//!
//! S -= W'W and P = -W S^-1 go column by column of S, which stays in the nearest cache, through an index of the levels
//! that touch a column; or by panels of full rows where the strips are nearly full. A column belongs to one piece of
//! work, so results do not depend on threads.

use rayon::prelude::*;

use super::dense;

/// Share of a strip that is not zero from which panels of full rows are faster.
const FULL: f64 = 0.3;
/// Rows of a panel.
const PANEL: usize = 256;
/// Pieces of work that columns are cut into.
const PIECES: usize = 64;

/// Which levels touch which column.
#[derive(Clone, Debug, Default)]
pub struct Index {
    /// First entry of each column; n + 1 of them.
    starts: Vec<usize>,
    /// Level of each entry.
    level: Vec<u32>,
    /// Place of each entry in the columns of all strips.
    at: Vec<u32>,
    /// Columns at which pieces of equal work begin.
    cuts: Vec<usize>,
    full: bool,
}

/// The strips of all levels of a factor: where they are, not what is in them.
#[derive(Clone, Copy)]
pub struct Strips<'a> {
    /// Rows of a strip.
    pub q: usize,
    /// First column of each level.
    pub starts: &'a [usize],
    /// Columns, ascending within a level.
    pub cols: &'a [u32],
    /// The same by column.
    pub index: &'a Index,
}

impl Index {
    /// Sorts the columns of all strips; `n` is the order of the trailing matrix.
    pub fn new(n: usize, starts: &[usize], cols: &[u32]) -> Index {
        let levels = starts.len() - 1;
        let mut first = vec![0usize; n + 1];
        for &c in cols {
            first[c as usize + 1] += 1;
        }
        for c in 0..n {
            first[c + 1] += first[c];
        }
        let mut next = first.clone();
        let (mut level, mut at) = (vec![0; cols.len()], vec![0; cols.len()]);
        let mut work = vec![0usize; n];
        let mut total = 0;
        for j in 0..levels {
            for (k, &col) in cols.iter().enumerate().take(starts[j + 1]).skip(starts[j]) {
                let c = col as usize;
                (level[next[c]], at[next[c]]) = (j as u32, k as u32);
                next[c] += 1;
                work[c] += starts[j + 1] - starts[j];
                total += starts[j + 1] - starts[j];
            }
        }
        let (mut cuts, mut done) = (vec![0], 0);
        for (c, w) in work.iter().enumerate() {
            done += w;
            if done * PIECES >= total * cuts.len() && cuts.len() < PIECES {
                cuts.push(c + 1);
            }
        }
        cuts.push(n);
        Index { starts: first, level, at, cuts, full: cols.len() as f64 >= FULL * levels as f64 * n as f64 }
    }
}

impl Strips<'_> {
    fn levels(&self) -> usize {
        self.starts.len() - 1
    }

    /// Entries of column `c`: (values of the strip, columns in the strip, place of `c` among them).
    fn entries<'w>(&'w self, c: usize, w: &'w [f64]) -> impl Iterator<Item = (&'w [f64], &'w [u32], usize)> {
        let index = self.index;
        (index.starts[c]..index.starts[c + 1]).map(move |e| {
            let j = index.level[e] as usize;
            let (from, to) = (self.starts[j], self.starts[j + 1]);
            (&w[self.q * from..self.q * to], &self.cols[from..to], index.at[e] as usize - from)
        })
    }

    /// `s -= w'w` on the lower triangle of `s` (n x n by columns).
    pub fn update(&self, s: &mut [f64], n: usize, w: &[f64], panel: &mut Vec<f64>, threads: usize) {
        if self.index.full {
            let par = dense::parallel(threads, n);
            return self.panels(n, w, panel, |rows, panel, _| dense::add_gram(s, panel, rows, n, -1.0, par));
        }
        let column = |(c, column): (usize, &mut [f64])| {
            if self.q == 1 {
                for (values, cols, at) in self.entries(c, w) {
                    let f = values[at];
                    cols[at..].iter().zip(&values[at..]).for_each(|(&i, x)| column[i as usize] -= f * x);
                }
                return;
            }
            for (values, cols, at) in self.entries(c, w) {
                let width = cols.len();
                for row in values.chunks_exact(width) {
                    let f = row[at];
                    cols[at..].iter().zip(&row[at..]).for_each(|(&i, x)| column[i as usize] -= f * x);
                }
            }
        };
        if threads > 1 {
            s.par_chunks_mut(n).enumerate().for_each(column);
        } else {
            s.chunks_mut(n).enumerate().for_each(column);
        }
    }

    /// `out = -w z` at the columns of every strip, for symmetric `z` (n x n).
    pub fn product(&self, out: &mut [f64], z: &[f64], n: usize, w: &[f64], work: &mut Vec<f64>, threads: usize) {
        let q = self.q;
        if self.index.full {
            let mut turned = vec![0.0; PANEL.max(q) * n];
            let par = dense::parallel(threads, n);
            return self.panels(n, w, work, |rows, panel, levels| {
                turned[..rows * n].fill(0.0);
                dense::add_product(&mut turned, panel, z, (rows, n, n), -1.0, par);
                self.collect(out, levels, &turned, n);
            });
        }
        work.resize(self.cols.len() * q, 0.0);
        let mut pieces = Vec::with_capacity(PIECES);
        let mut rest = &mut work[..];
        for pair in self.index.cuts.windows(2) {
            let size = (self.index.starts[pair[1]] - self.index.starts[pair[0]]) * q;
            let (piece, later) = rest.split_at_mut(size);
            pieces.push((pair[0]..pair[1], piece));
            rest = later;
        }
        let one = |(columns, piece): &mut (std::ops::Range<usize>, &mut [f64])| {
            let mut sums = piece.chunks_exact_mut(q);
            for c in columns.clone() {
                let column = &z[c * n..(c + 1) * n];
                for ((values, cols, _), sums) in self.entries(c, w).zip(&mut sums) {
                    if q == 1 {
                        sums[0] = gathered(values, cols, column);
                        continue;
                    }
                    for (sum, row) in sums.iter_mut().zip(values.chunks_exact(cols.len())) {
                        *sum = gathered(row, cols, column);
                    }
                }
            }
        };
        if threads > 1 {
            pieces.par_iter_mut().for_each(one);
        } else {
            pieces.iter_mut().for_each(one);
        }
        for (e, sums) in work.chunks_exact(q).enumerate() {
            let j = self.index.level[e] as usize;
            let (from, to) = (self.starts[j], self.starts[j + 1]);
            let at = q * from + self.index.at[e] as usize - from;
            sums.iter().enumerate().for_each(|(r, x)| out[at + r * (to - from)] = -x);
        }
    }

    /// Hands over panels of full rows: number of rows, the panel, and its levels.
    fn panels(
        &self,
        n: usize,
        w: &[f64],
        panel: &mut Vec<f64>,
        mut f: impl FnMut(usize, &[f64], std::ops::Range<usize>),
    ) {
        let q = self.q;
        let each = (PANEL / q).max(1);
        panel.resize(each * q * n, 0.0);
        for first in (0..self.levels()).step_by(each) {
            let levels = first..(first + each).min(self.levels());
            panel.fill(0.0);
            for (j, rows) in levels.clone().zip(panel.chunks_exact_mut(q * n)) {
                let (from, to) = (self.starts[j], self.starts[j + 1]);
                if to == from {
                    continue;
                }
                for (row, values) in rows.chunks_exact_mut(n).zip(w[q * from..q * to].chunks_exact(to - from)) {
                    self.cols[from..to].iter().zip(values).for_each(|(&c, x)| row[c as usize] = *x);
                }
            }
            f(levels.len() * q, panel, levels);
        }
    }

    /// Takes the columns of every strip out of full rows.
    fn collect(&self, out: &mut [f64], levels: std::ops::Range<usize>, full: &[f64], n: usize) {
        let q = self.q;
        for (j, rows) in levels.zip(full.chunks_exact(q * n)) {
            let (from, to) = (self.starts[j], self.starts[j + 1]);
            if to == from {
                continue;
            }
            for (row, values) in rows.chunks_exact(n).zip(out[q * from..q * to].chunks_exact_mut(to - from)) {
                self.cols[from..to].iter().zip(values).for_each(|(&c, x)| *x = row[c as usize]);
            }
        }
    }
}

/// Sum of `row` times the elements of `column` at `cols`, in four partial sums.
#[inline]
fn gathered(row: &[f64], cols: &[u32], column: &[f64]) -> f64 {
    let mut sums = [0.0; 4];
    let (quads, fours) = (row.chunks_exact(4), cols.chunks_exact(4));
    let last = quads.remainder();
    for (x, c) in quads.zip(fours) {
        for k in 0..4 {
            sums[k] += x[k] * column[c[k] as usize];
        }
    }
    let rest: f64 = last.iter().zip(&cols[cols.len() - last.len()..]).map(|(x, &c)| x * column[c as usize]).sum();
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest
}
