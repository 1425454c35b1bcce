//! What another response adds up to on the rows of a model, for refits that keep its structure.

use crate::crossprod::crossprod::Crossprod;
use crate::crossprod::row_reader::{blocks, Response, RowBlock, RowReader};
use crate::design::{power_of_two, Design, Range};
use crate::numerics::small;

/// Replaces the response of `a` by `y` (less the offset of the design); `false` if it is not finite, or if the fixed
/// part reproduces it. As from the rows, y is centred before all else where 1 lies in the span of X.
pub(crate) fn replace(design: &Design<'_>, a: &mut Crossprod, y: &[f64]) -> bool {
    let (n, p, m) = (a.n, a.p, a.p + 1);
    let value = |i: usize| y[i] - design.offset.map_or(0.0, |o| o[i]);
    let range = match Range::of_rows(0..n, n, value) {
        Some(range) if range.max > range.min => range,
        _ => return false,
    };
    let shift = if a.coordinates.x.ones.is_some() { range.mean.clamp(range.min, range.max) } else { 0.0 };
    let factor = 1.0 / range.scale(shift);
    let mut reader = RowReader::new(design, a);
    reader.response = Response { y, shift, factor, gamma: vec![0.0; p] };
    let mut block = reader.block();

    let mut coefficients = vec![0.0; p];
    for rows in blocks(0..n) {
        reader.read_xy(rows.len(), &|k| rows.start + k, &mut block);
        for (k, i) in rows.enumerate() {
            let (x, y) = block.xy[k * m..(k + 1) * m].split_at(p);
            let f = reader.weight(i) * y[0];
            coefficients.iter_mut().zip(x).for_each(|(c, x)| *c += f * x);
        }
    }
    let mut l = a.fixed_gram();
    if !small::cholesky(&mut l, p) {
        return false;
    }
    small::solve_lower(&l, p, &mut coefficients, 1);
    small::solve_lower_transposed(&l, p, &mut coefficients, 1);
    let mut gamma = vec![0.0; p];
    small::mul(&mut gamma, &small::invert_upper(&a.coordinates.x.r, p), &coefficients, p, p, 1, 1.0 / factor);
    reader.response.gamma = coefficients;

    let mut sums = vec![0.0; m];
    a.factors.iter_mut().for_each(|f| f.rhs.chunks_exact_mut(m).for_each(|r| r[p] = 0.0));
    for rows in blocks(0..n) {
        reader.read(rows.len(), &|k| rows.start + k, &mut block);
        (0..rows.len()).for_each(|k| add_response(a, &mut sums, &block, k));
    }
    let mean_square = sums[p] / n as f64;
    let noise = 8.0 * f64::EPSILON * factor * range.min.abs().max(range.max.abs());
    if mean_square.sqrt() <= noise {
        return false;
    }
    let rescale = 1.0 / power_of_two(mean_square.sqrt());
    a.factors.iter_mut().for_each(|f| f.rhs.chunks_exact_mut(m).for_each(|r| r[p] *= rescale));
    sums[..p].iter_mut().for_each(|x| *x *= rescale);
    a.set_response(&sums[..p], sums[p] * rescale * rescale);
    let c = &mut a.coordinates;
    (c.y_shift, c.gamma, c.y_scale) = (shift, gamma, 1.0 / (factor * rescale));
    true
}

/// Adds y [X, y] of row `k` of a block to `sums`, and Z'y to those of its levels.
fn add_response(a: &mut Crossprod, sums: &mut [f64], block: &RowBlock, k: usize) {
    let m = sums.len();
    let xy = &block.xy[k * m..(k + 1) * m];
    let y = xy[m - 1];
    sums.iter_mut().zip(xy).for_each(|(s, x)| *s += y * x);
    for (f, (factor, z)) in a.factors.iter_mut().zip(&block.z).enumerate() {
        let (q, level) = (factor.q, block.levels[f][k] as usize);
        let own = factor.rhs[level * q * m..].iter_mut().skip(m - 1).step_by(m);
        own.zip(&z[k * q..(k + 1) * q]).for_each(|(s, z)| *s += y * z);
    }
}
