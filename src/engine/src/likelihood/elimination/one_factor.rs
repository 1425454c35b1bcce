//! One grouping factor alone: factor, selected inverse and gradient level by level, in threads over pieces of levels.
//!
//! Writes what the general way writes, into the same places. Pieces are cut by their size alone and summed in order.

use rayon::prelude::*;

use crate::covariance::Blocks;
use crate::crossprod::Crossprod;
use crate::error::{Error, Result};
use crate::likelihood::evaluation::{Gamma, Solved};
use crate::likelihood::products::{subtract_fitted, subtract_fixed};
use crate::likelihood::selected_inverse::Inverse;
use crate::likelihood::structure::Structure;
use crate::likelihood::workspace::Workspace;
use crate::numerics::small::{inlined as small, LogProduct};

/// Levels of a piece.
const PIECE: usize = 4096;

fn run<A: Send, T: Send>(threads: usize, pieces: Vec<A>, f: impl Fn(A) -> T + Sync + Send) -> Vec<T> {
    if threads > 1 {
        pieces.into_par_iter().map(f).collect()
    } else {
        pieces.into_iter().map(f).collect()
    }
}

/// Calls `f` with the number of columns known to the compiler where it is small.
macro_rules! by_width {
    ($q:expr, $f:ident, $($x:expr),*) => {
        match $q {
            1 => $f::<1>($($x),*),
            2 => $f::<2>($($x),*),
            3 => $f::<3>($($x),*),
            _ => $f::<0>($($x),*),
        }
    };
}

/// What all levels share.
#[derive(Clone, Copy)]
struct Shared<'a> {
    q: usize,
    p: usize,
    t: &'a [f64],
}

impl Shared<'_> {
    fn width<const Q: usize>(&self) -> usize {
        if Q == 0 {
            self.q
        } else {
            Q
        }
    }
}

/// Factors M and solves for the border; returns log|L|^2.
pub(super) fn factor(w: &mut Workspace, s: &Structure, a: &Crossprod, t: &Blocks) -> Result<f64> {
    let link = &s.chain[0];
    let (q, m, sums) = (link.q, a.p + 1, &a.factors[link.factor]);
    let shared = Shared { q, p: a.p, t: &t[link.factor] };
    let pieces: Vec<_> = w.links[0]
        .diag
        .chunks_mut(PIECE * q * q)
        .zip(w.border.chunks_mut(PIECE * q * m))
        .zip(sums.diag.chunks(PIECE * q * q).zip(sums.rhs.chunks(PIECE * q * m)))
        .collect();
    let parts = run(w.threads, pieces, |((l, border), (d, rhs))| by_width!(q, factor_piece, shared, l, border, d, rhs));
    parts.into_iter().try_fold(0.0, |sum, x| x.map(|x| sum + x)).ok_or(Error::NotPositiveDefinite)
}

fn factor_piece<const Q: usize>(
    shared: Shared<'_>,
    l: &mut [f64],
    border: &mut [f64],
    d: &[f64],
    rhs: &[f64],
) -> Option<f64> {
    let (q, m, t) = (shared.width::<Q>(), shared.p + 1, shared.t);
    let mut scratch = vec![0.0; q * q];
    let mut pivots = LogProduct::new();
    let rows = border.chunks_exact_mut(q * m).zip(rhs.chunks_exact(q * m));
    for ((l, d), (border, rhs)) in l.chunks_exact_mut(q * q).zip(d.chunks_exact(q * q)).zip(rows) {
        small::congruence(l, d, t, q, &mut scratch);
        (0..q).for_each(|i| l[i * q + i] += 1.0);
        if !small::cholesky(l, q) {
            return None;
        }
        (0..q).for_each(|i| pivots.multiply(l[i * q + i]));
        if q == 1 {
            let f = t[0] / l[0];
            border.iter_mut().zip(rhs).for_each(|(b, x)| *b = f * x);
            continue;
        }
        border.fill(0.0);
        small::mul_transposed(border, t, rhs, q, q, m, 1.0);
        small::solve_lower(l, q, border, m);
    }
    Some(pivots.ln_square())
}

/// Solutions [U, u] and diagonal blocks of M^-1.
pub(super) fn invert(inverse: &mut Inverse, s: &Structure, a: &Crossprod, w: &Workspace, beta: &[f64]) {
    let (q, m) = (s.chain[0].q, a.p + 1);
    let shared = Shared { q, p: a.p, t: &[] };
    let pieces: Vec<_> = inverse.diag[0]
        .chunks_mut(PIECE * q * q)
        .zip(inverse.solution.chunks_mut(PIECE * q * m))
        .zip(w.links[0].diag.chunks(PIECE * q * q).zip(w.border.chunks(PIECE * q * m)))
        .collect();
    run(w.threads, pieces, |((x, u), (l, border))| by_width!(q, invert_piece, shared, (x, u), (l, border), beta));
}

fn invert_piece<const Q: usize>(
    shared: Shared<'_>,
    (x, u): (&mut [f64], &mut [f64]),
    (l, border): (&[f64], &[f64]),
    beta: &[f64],
) {
    let (q, m) = (shared.width::<Q>(), shared.p + 1);
    let rows = u.chunks_exact_mut(q * m).zip(border.chunks_exact(q * m));
    for ((x, l), (u, border)) in x.chunks_exact_mut(q * q).zip(l.chunks_exact(q * q)).zip(rows) {
        if q == 1 {
            let f = 1.0 / l[0];
            x[0] = f * f;
            u.iter_mut().zip(border).for_each(|(u, b)| *u = f * b);
            subtract_fitted(u, shared.p, beta);
            continue;
        }
        u.copy_from_slice(border);
        small::solve_lower_transposed(l, q, u, m);
        subtract_fitted(u, shared.p, beta);
        small::set_identity(x, q);
        small::solve_lower(l, q, x, q);
        small::solve_lower_transposed(l, q, x, q);
    }
}

/// Gamma; fills the residuals.
pub(crate) fn gamma(
    inverse: &mut Inverse,
    s: &Structure,
    a: &Crossprod,
    t: &Blocks,
    at: &Solved<'_>,
    threads: usize,
) -> Gamma {
    let link = &s.chain[0];
    let (q, m, sums) = (link.q, a.p + 1, &a.factors[link.factor]);
    let shared = Shared { q, p: a.p, t: &t[link.factor] };
    let pieces: Vec<_> = inverse
        .solution
        .chunks(PIECE * q * m)
        .zip(inverse.residual.chunks_mut(PIECE * q * m))
        .zip(inverse.diag[0].chunks(PIECE * q * q))
        .zip(sums.diag.chunks(PIECE * q * q).zip(sums.rhs.chunks(PIECE * q * m)))
        .collect();
    let parts =
        run(threads, pieces, |(((u, r), x), (d, rhs))| by_width!(q, gamma_piece, shared, at, (u, r), (x, d, rhs)));
    let (mut total, mut spread) = (vec![0.0; q * q], vec![0.0; q * q]);
    for (a, b) in parts {
        spread.iter_mut().zip(&a).for_each(|(x, y)| *x += y);
        total.iter_mut().zip(&b).for_each(|(x, y)| *x += y);
    }
    total.iter_mut().zip(&spread).for_each(|(x, y)| *x += y);
    Gamma { total: vec![total], spread: vec![spread] }
}

type Read<'a> = (&'a [f64], &'a [f64], &'a [f64]);

fn gamma_piece<const Q: usize>(
    shared: Shared<'_>,
    at: &Solved<'_>,
    (u, r): (&[f64], &mut [f64]),
    (x, d, rhs): Read<'_>,
) -> (Vec<f64>, Vec<f64>) {
    let (q, p, t) = (shared.width::<Q>(), shared.p, shared.t);
    let m = p + 1;
    let (mut spread, mut fixed) = (vec![0.0; q * q], vec![0.0; q * q]);
    let (mut half, mut product) = (vec![0.0; q * q], vec![0.0; q * m]);
    let levels = x.chunks_exact(q * q).zip(d.chunks_exact(q * q)).zip(rhs.chunks_exact(q * m));
    let rows = u.chunks_exact(q * m).zip(r.chunks_exact_mut(q * m));
    for ((u, r), ((x, d), rhs)) in rows.zip(levels) {
        half.fill(0.0);
        small::mul(&mut half, t, x, q, q, q, 1.0);
        small::mul(&mut spread, d, &half, q, q, q, 1.0);
        r.copy_from_slice(rhs);
        subtract_fitted(r, p, &at.pls.beta);
        product.fill(0.0);
        small::mul(&mut product, t, u, q, q, m, 1.0);
        small::mul(r, d, &product, q, q, m, -1.0);
    }
    subtract_fixed(&mut fixed, r, u, q, p, at);
    (spread, fixed)
}
