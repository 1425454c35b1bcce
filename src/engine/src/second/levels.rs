//! One grouping factor: K is block diagonal, and the fixed part comes as sums of its whitened H.

use super::{Here, Pairs, Parts};
use crate::block::small;
use crate::error::{Error, Result};
use crate::gradient::Solved;
use crate::theta::Layout;
use crate::workers::Workers;

/// Levels of one piece of work.
const PIECE: usize = 8192;

/// The sums with K of V^-1 in place of P, and what the fixed part adds.
pub(super) fn parts(here: Here<'_>, at: &Solved<'_>, v: &[f64], workers: &Workers) -> Result<Parts> {
    let Here { s, a, w, inverse, layout, t } = here;
    let (link, p, m, k) = (&s.chain[0], a.p, a.p + 1, layout.len());
    let (q, f) = (link.q, link.factor);
    let (sums, tf, size) = (&a.factors[f], &t[f], q * q);
    let pieces = link.levels.div_ceil(PIECE);
    let all = workers.map(pieces, |piece| {
        let mut straight = vec![0.0; size * size];
        let mut crossed = vec![0.0; size * size];
        let (mut quadratic, mut score) = (vec![0.0; k * k], vec![0.0; size]);
        let (mut forms, mut fixed) = (vec![0.0; k * p * p], vec![0.0; k * k]);
        let mut linear = vec![0.0; p * k];
        let (mut b, mut kt, mut tk, mut tkt) = (vec![0.0; size], vec![0.0; size], vec![0.0; size], vec![0.0; size]);
        let mut turned = vec![0.0; q * k];
        let mut kx = vec![0.0; q * k];
        let mut h = vec![0.0; p * q];
        for j in piece * PIECE..((piece + 1) * PIECE).min(link.levels) {
            let d = &sums.diag[j * size..(j + 1) * size];
            b.fill(0.0);
            small::mul_transposed(&mut b, tf, d, q, q, q, 1.0);
            small::solve_lower(&w.links[0].diag[j * size..(j + 1) * size], q, &mut b, q);
            let mut cov = d.to_vec();
            small::mul_transposed(&mut cov, &b, &b, q, q, q, -1.0);
            [&mut kt, &mut tk, &mut tkt].into_iter().for_each(|x| x.fill(0.0));
            small::mul(&mut kt, &cov, tf, q, q, q, 1.0);
            small::mul_transposed(&mut tk, tf, &cov, q, q, q, 1.0);
            small::mul_transposed(&mut tkt, tf, &kt, q, q, q, 1.0);
            small::mul(&mut straight, &cov, &tkt, size, 1, size, 1.0);
            small::mul(&mut crossed, &tk, &kt, size, 1, size, 1.0);
            score.iter_mut().zip(&cov).for_each(|(s, x)| *s += x);
            let own = &v[j * q * k..(j + 1) * q * k];
            kx.fill(0.0);
            small::mul(&mut kx, &cov, own, q, q, k, 1.0);
            small::mul_transposed(&mut quadratic, own, &kx, k, q, k, 1.0);
            // H of the level, whitened by C: one row a fixed effect.
            for r in 0..q {
                let row = &inverse.residual[(j * q + r) * m..(j * q + r) * m + p];
                (0..p).for_each(|c| h[c * q + r] = row[c]);
            }
            small::mul(&mut linear, &h, own, p, q, k, 1.0);
            small::solve_lower(&at.pls.rx, p, &mut h, q);
            if at.reml {
                for x in h.chunks_exact(q) {
                    small::mul(&mut score, x, x, q, 1, q, -1.0);
                    turned.fill(0.0);
                    turn(&mut turned, layout, tf, x, q);
                    kx.fill(0.0);
                    small::mul(&mut kx, &cov, &turned, q, q, k, 1.0);
                    small::mul_transposed(&mut fixed, &turned, &kx, k, q, k, -2.0);
                }
                add_forms(&mut forms, layout, tf, &h, q, p);
            }
        }
        [straight, crossed, quadratic, score, forms, fixed, linear]
    });
    let mut all = all.into_iter();
    let mut total = all.next().ok_or_else(|| Error::Internal("a factor without levels".into()))?;
    for part in all {
        for (x, y) in total.iter_mut().zip(&part) {
            x.iter_mut().zip(y).for_each(|(x, y)| *x += y);
        }
    }
    let [straight, crossed, mut quadratic, score, forms, mut fixed, mut linear] = total;
    small::solve_lower(&at.pls.rx, p, &mut linear, k);
    small::mul_transposed(&mut quadratic, &linear, &linear, k, p, k, -1.0);
    if at.reml {
        // The forms are symmetric, so a trace of two is a sum of products.
        small::mul_by_transposed(&mut fixed, &forms, &forms, k, p * p, k, 1.0);
    }
    Ok(Parts {
        pairs: vec![Pairs { f, g: f, straight, crossed }],
        quadratic,
        score: vec![score],
        fixed,
        widths: vec![q],
    })
}

/// E_a x for all elements of theta (q x k).
fn turn(out: &mut [f64], layout: &Layout, tf: &[f64], x: &[f64], q: usize) {
    let k = layout.len();
    for (e, &(term, row, col)) in layout.places.iter().enumerate() {
        let first = layout.terms[term].1;
        let (r, c) = (first + row, first + col);
        out[r * k + e] += (0..q).map(|i| tf[i * q + c] * x[i]).sum::<f64>();
        (0..q).for_each(|i| out[i * k + e] += tf[i * q + c] * x[r]);
    }
}

/// Adds H'E_aH for all elements of theta (p x p each), `h` being p x q by rows.
fn add_forms(out: &mut [f64], layout: &Layout, tf: &[f64], h: &[f64], q: usize, p: usize) {
    let mut turned = vec![0.0; p];
    for (form, &(term, row, col)) in out.chunks_exact_mut(p * p).zip(&layout.places) {
        let first = layout.terms[term].1;
        let (r, c) = (first + row, first + col);
        for (x, own) in turned.iter_mut().zip(h.chunks_exact(q)) {
            *x = (0..q).map(|i| tf[i * q + c] * own[i]).sum();
        }
        for i in 0..p {
            for j in 0..p {
                form[i * p + j] += h[i * q + r] * turned[j] + turned[i] * h[j * q + r];
            }
        }
    }
}
