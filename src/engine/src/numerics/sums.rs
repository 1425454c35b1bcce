//! Sums over rows: how rows are cut into pieces, Gram matrices of columns, and sums of the pieces in pairs.

use std::ops::Range;

use faer::Par;

use super::dense;
use super::threads::Workers;

/// Rows of one piece of work; a function of n alone, so that sums do not depend on the number of threads.
const CHUNK: usize = 32_768;
/// Rows of which columns are packed at once.
const PACK: usize = 256;

/// Number of pieces for `n` rows.
pub fn chunks(n: usize) -> usize {
    n.div_ceil(CHUNK).max(1)
}

/// Rows of piece `c`.
pub fn chunk(c: usize, n: usize) -> Range<usize> {
    (c * CHUNK).min(n)..((c + 1) * CHUNK).min(n)
}

/// Gram matrix (m x m by rows, both triangles) of the m columns that `fill` writes for a range of rows, one column after
/// the other.
pub fn gram(n: usize, workers: &Workers, m: usize, fill: impl Fn(Range<usize>, &mut [f64]) + Sync) -> Vec<f64> {
    let parts = workers.map(chunks(n), |c| {
        let mut g = vec![0.0; m * m];
        let mut buffer = vec![0.0; PACK * m];
        let range = chunk(c, n);
        for start in range.clone().step_by(PACK) {
            let stop = (start + PACK).min(range.end);
            let packed = &mut buffer[..(stop - start) * m];
            fill(start..stop, packed);
            add_gram(&mut g, packed, stop - start, m);
        }
        g
    });
    let mut g = sum_in_pairs(parts);
    for j in 0..m {
        for i in j + 1..m {
            g[i * m + j] = g[j * m + i];
        }
    }
    g
}

/// Adds the Gram matrix of packed columns of `rows` rows; element (i, j), i >= j, is at j * m + i.
pub fn add_gram(g: &mut [f64], packed: &[f64], rows: usize, m: usize) {
    if m >= 8 {
        dense::add_gram_of_columns(g, packed, rows, m, 1.0, Par::Seq);
        return;
    }
    for (j, a) in packed.chunks_exact(rows).enumerate() {
        for (i, b) in packed.chunks_exact(rows).enumerate().skip(j) {
            g[j * m + i] += dot(a, b);
        }
    }
}

/// `c -= rows'rows` on the lower triangle of `c` (m x m by rows), for rows of m elements.
pub fn subtract_gram_of_rows(c: &mut [f64], rows: &[f64], m: usize) {
    if m >= 8 {
        dense::add_gram(c, rows, rows.len() / m, m, -1.0, Par::Seq);
        dense::mirror(c, m);
        return;
    }
    let (mut sum, mut part) = (vec![0.0; m * m], vec![0.0; m * m]);
    for chunk in rows.chunks(1024 * m) {
        part.fill(0.0);
        for row in chunk.chunks_exact(m) {
            for i in 0..m {
                for j in 0..=i {
                    part[i * m + j] += row[i] * row[j];
                }
            }
        }
        sum.iter_mut().zip(&part).for_each(|(x, y)| *x += y);
    }
    c.iter_mut().zip(&sum).for_each(|(x, y)| *x -= y);
}

/// Inner product in eight partial sums.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (x, y) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = x.remainder().iter().zip(y.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in x.zip(y) {
        for k in 0..8 {
            sums[k] += x[k] * y[k];
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// Sum of equally long vectors, in pairs.
pub fn sum_in_pairs(mut parts: Vec<Vec<f64>>) -> Vec<f64> {
    while parts.len() > 1 {
        let mut next = Vec::with_capacity(parts.len().div_ceil(2));
        let mut it = parts.into_iter();
        while let Some(mut a) = it.next() {
            if let Some(b) = it.next() {
                a.iter_mut().zip(&b).for_each(|(x, y)| *x += y);
            }
            next.push(a);
        }
        parts = next;
    }
    parts.pop().unwrap_or_default()
}
