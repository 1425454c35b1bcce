//! The full inverse of M over one component, by its largest factor and the rest.
//!
//! Levels of one factor never meet in a row, so their part D of M is block diagonal. With E its sparse tie to the rest,
//! W = D^-1 E and S = M_RR - E'W: (M^-1)_RR = S^-1, (M^-1)_0R = -W S^-1, (M^-1)_00 = D^-1 + W S^-1 W'. Only S is inverted
//! as a dense matrix; the products cost by the non-zeros of W.

use super::connected_components::Component;
use crate::error::{Error, Result};
use crate::likelihood::Model;
use crate::numerics::dense::Dense;
use crate::numerics::small;

/// Non-zeros of one level: its first column, its columns, D^-1, the columns of the rest it touches, and W there (by rows).
struct Level {
    at: usize,
    q: usize,
    inverse: Vec<f64>,
    cols: Vec<usize>,
    w: Vec<f64>,
}

/// M^-1 by rows, both triangles; `m` is M by rows, both triangles.
pub(super) fn invert(model: &Model, c: &Component, m: &[f64]) -> Result<Vec<f64>> {
    let n = c.size;
    let sizes: Vec<usize> = (0..model.a.factors.len())
        .map(|f| c.members.iter().filter(|x| x.0 == f).count() * model.a.factors[f].q)
        .collect();
    let largest = (0..sizes.len()).max_by_key(|&f| sizes[f]).unwrap_or(0);
    let rest: Vec<usize> =
        c.members.iter().filter(|x| x.0 != largest).flat_map(|&(f, _, at)| at..at + model.a.factors[f].q).collect();
    let r = rest.len();
    let levels = levels(model, c, m, largest, &rest)?;
    model.watch.advance(c.members.len() - levels.len());
    let mut s = Dense::new(r, model.workers.count());
    for (j, &col) in rest.iter().enumerate() {
        for (i, &row) in rest.iter().enumerate() {
            s.values[j * r + i] = m[row * n + col];
        }
    }
    for level in &levels {
        for (b, &j) in level.cols.iter().enumerate() {
            for &i in &level.cols {
                let sum: f64 =
                    (0..level.q).map(|k| m[(level.at + k) * n + rest[i]] * level.w[k * level.cols.len() + b]).sum();
                s.values[j * r + i] -= sum;
            }
        }
    }
    s.factor()?;
    s.invert();
    let mut out = vec![0.0; n * n];
    for (j, &col) in rest.iter().enumerate() {
        for (i, &row) in rest.iter().enumerate() {
            out[row * n + col] = s.inverse[j * r + i];
        }
    }
    // Rows of (M^-1)_0R over the places of the rest.
    let mut tie = vec![0.0; r];
    for level in &levels {
        model.watch.check()?;
        model.watch.advance(1);
        let width = level.cols.len();
        for k in 0..level.q {
            tie.fill(0.0);
            for (b, &i) in level.cols.iter().enumerate() {
                let f = level.w[k * width + b];
                tie.iter_mut().zip(&s.inverse[i * r..(i + 1) * r]).for_each(|(t, x)| *t -= f * x);
            }
            let row = level.at + k;
            for (x, &col) in tie.iter().zip(&rest) {
                out[row * n + col] = *x;
                out[col * n + row] = *x;
            }
            for other in &levels {
                for l in 0..other.q {
                    let w = &other.w[l * other.cols.len()..(l + 1) * other.cols.len()];
                    out[row * n + other.at + l] = -other.cols.iter().zip(w).map(|(&i, w)| tie[i] * w).sum::<f64>();
                }
            }
            for l in 0..level.q {
                out[row * n + level.at + l] += level.inverse[k * level.q + l];
            }
        }
    }
    Ok(out)
}

fn levels(model: &Model, c: &Component, m: &[f64], factor: usize, rest: &[usize]) -> Result<Vec<Level>> {
    let (n, q) = (c.size, model.a.factors[factor].q);
    c.members
        .iter()
        .filter(|x| x.0 == factor)
        .map(|&(_, _, at)| {
            let d: Vec<f64> = (0..q * q).map(|x| m[(at + x / q) * n + at + x % q]).collect();
            let inverse = small::invert_spd(&d, q).ok_or(Error::NotPositiveDefinite)?;
            let cols: Vec<usize> =
                (0..rest.len()).filter(|&i| (0..q).any(|k| m[(at + k) * n + rest[i]] != 0.0)).collect();
            let e: Vec<f64> = (0..q).flat_map(|k| cols.iter().map(move |&i| m[(at + k) * n + rest[i]])).collect();
            let mut w = vec![0.0; q * cols.len()];
            small::mul(&mut w, &inverse, &e, q, q, cols.len(), 1.0);
            Ok(Level { at, q, inverse, cols, w })
        })
        .collect()
}
