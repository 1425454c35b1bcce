//! Sums over rows: how rows are cut into pieces, Gram matrices of packed columns, and sums of the pieces in pairs.

use faer::Par;

use super::dense;

/// Rows of one piece of work; a function of n alone, so that sums do not depend on the number of threads.
const CHUNK: usize = 32_768;
/// Number of pieces for `n` rows.
pub fn chunks(n: usize) -> usize {
    n.div_ceil(CHUNK).max(1)
}

/// Rows of piece `c`.
pub fn chunk(c: usize, n: usize) -> std::ops::Range<usize> {
    (c * CHUNK).min(n)..((c + 1) * CHUNK).min(n)
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
