//! One grouping factor: K is block diagonal, and the fixed part comes as sums of its whitened H.

use super::{Here, Pairs, Parts};
use crate::block::small;
use crate::error::{Error, Result};
use crate::gradient::{whiten, Solved, BATCH};
use crate::theta::Layout;
use crate::workers::Workers;

/// Levels of one piece of work.
const PIECE: usize = 8192;

/// Sums over levels.
struct Sums {
    straight: Vec<f64>,
    crossed: Vec<f64>,
    quadratic: Vec<f64>,
    score: Vec<f64>,
    form: Vec<f64>,
    /// H'E_aH for all elements of theta, H whitened by C.
    fixed_forms: Vec<f64>,
    fixed: Vec<f64>,
    linear: Vec<f64>,
}

impl Sums {
    fn new(q: usize, p: usize, k: usize) -> Sums {
        let zeros = |n: usize| vec![0.0; n];
        Sums {
            straight: zeros(q * q * q * q),
            crossed: zeros(q * q * q * q),
            quadratic: zeros(k * k),
            score: zeros(q * q),
            form: zeros(k),
            fixed_forms: zeros(k * p * p),
            fixed: zeros(k * k),
            linear: zeros(p * k),
        }
    }

    fn each(&mut self) -> [&mut Vec<f64>; 8] {
        [
            &mut self.straight,
            &mut self.crossed,
            &mut self.quadratic,
            &mut self.score,
            &mut self.form,
            &mut self.fixed_forms,
            &mut self.fixed,
            &mut self.linear,
        ]
    }
}

/// The sums with K of V^-1 in place of P, and what the fixed part adds.
pub(super) fn parts(here: Here<'_>, at: &Solved<'_>, workers: &Workers) -> Result<Parts> {
    let (link, p, k) = (&here.s.chain[0], here.a.p, here.layout.len());
    let (q, f) = (link.q, link.factor);
    let all = workers.map(link.levels.div_ceil(PIECE), |piece| {
        let levels = piece * PIECE..((piece + 1) * PIECE).min(link.levels);
        match q {
            1 => sum::<1>(here, at, levels),
            2 => sum::<2>(here, at, levels),
            3 => sum::<3>(here, at, levels),
            _ => sum::<0>(here, at, levels),
        }
    });
    let mut all = all.into_iter();
    let mut total = all.next().ok_or_else(|| Error::Internal("a factor without levels".into()))?;
    for mut part in all {
        for (x, y) in total.each().into_iter().zip(part.each()) {
            x.iter_mut().zip(y).for_each(|(x, y)| *x += *y);
        }
    }
    let Sums { straight, crossed, mut quadratic, score, form, fixed_forms, mut fixed, mut linear } = total;
    small::solve_lower(&at.pls.rx, p, &mut linear, k);
    small::mul_transposed(&mut quadratic, &linear, &linear, k, p, k, -1.0);
    if at.reml {
        // The forms are symmetric, so a trace of two is a sum of products.
        small::mul_by_transposed(&mut fixed, &fixed_forms, &fixed_forms, k, p * p, k, 1.0);
    }
    let pairs = vec![Pairs { f, g: f, straight, crossed }];
    Ok(Parts { pairs, quadratic, score: vec![score], form, fixed, widths: vec![q] })
}

fn sum<const Q: usize>(here: Here<'_>, at: &Solved<'_>, levels: std::ops::Range<usize>) -> Sums {
    let Here { s, a, w, inverse, layout, t } = here;
    let (link, p, m, k) = (&s.chain[0], a.p, a.p + 1, layout.len());
    let q = if Q == 0 { link.q } else { Q };
    let (sums, tf, size) = (&a.factors[link.factor], &t[link.factor], q * q);
    let mut out = Sums::new(q, p, k);
    let (mut b, mut cov) = (vec![0.0; size], vec![0.0; size]);
    let (mut kt, mut tk, mut tkt) = (vec![0.0; size], vec![0.0; size], vec![0.0; size]);
    let (mut own, mut kx) = (vec![0.0; q * k], vec![0.0; q * k]);
    let (mut h, mut last, mut work) = (vec![0.0; p * q], vec![0.0; q], vec![0.0; p]);
    let batch = (BATCH / q).max(1);
    let (mut white, mut whitening) = (Vec::new(), Vec::new());
    for j in levels.clone() {
        let place = (j - levels.start) % batch;
        if at.reml && place == 0 {
            white.clear();
            white.extend_from_slice(&inverse.residual[j * q * m..(j + batch).min(levels.end) * q * m]);
            whiten(&at.pls.rx, p, &mut white, &mut whitening);
        }
        let d = &sums.diag[j * size..(j + 1) * size];
        b.fill(0.0);
        small::mul_transposed(&mut b, tf, d, q, q, q, 1.0);
        small::solve_lower(&w.links[0].diag[j * size..(j + 1) * size], q, &mut b, q);
        cov.copy_from_slice(d);
        small::mul_transposed(&mut cov, &b, &b, q, q, q, -1.0);
        [&mut kt, &mut tk, &mut tkt].into_iter().for_each(|x| x.fill(0.0));
        small::mul(&mut kt, &cov, tf, q, q, q, 1.0);
        small::mul_transposed(&mut tk, tf, &cov, q, q, q, 1.0);
        small::mul_transposed(&mut tkt, tf, &kt, q, q, q, 1.0);
        small::mul(&mut out.straight, &cov, &tkt, size, 1, size, 1.0);
        small::mul(&mut out.crossed, &tk, &kt, size, 1, size, 1.0);
        out.score.iter_mut().zip(&cov).for_each(|(s, x)| *s += x);
        // H of the level, one row a fixed effect, and h.
        for r in 0..q {
            let row = &inverse.residual[(j * q + r) * m..(j * q + r + 1) * m];
            (0..p).for_each(|c| h[c * q + r] = row[c]);
            last[r] = row[p];
        }
        turn(&mut own, layout, tf, &last, q);
        kx.fill(0.0);
        small::mul(&mut kx, &cov, &own, q, q, k, 1.0);
        small::mul_transposed(&mut out.quadratic, &own, &kx, k, q, k, 1.0);
        small::mul_transposed(&mut out.form, &last, &own, 1, q, k, 1.0);
        small::mul(&mut out.score, &last, &last, q, 1, q, -1.0 / at.sigma2);
        small::mul(&mut out.linear, &h, &own, p, q, k, 1.0);
        if at.reml && p > 0 {
            for r in 0..q {
                let row = &white[(place * q + r) * m..];
                (0..p).for_each(|c| h[c * q + r] = row[c]);
            }
            for x in h.chunks_exact(q) {
                small::mul(&mut out.score, x, x, q, 1, q, -1.0);
                turn(&mut own, layout, tf, x, q);
                kx.fill(0.0);
                small::mul(&mut kx, &cov, &own, q, q, k, 1.0);
                small::mul_transposed(&mut out.fixed, &own, &kx, k, q, k, -2.0);
            }
            add_forms(&mut out.fixed_forms, layout, tf, (&h, &mut work), q, p);
        }
    }
    out
}

/// E_a x for all elements of theta (q x k).
#[inline]
fn turn(out: &mut [f64], layout: &Layout, tf: &[f64], x: &[f64], q: usize) {
    let k = layout.len();
    out.fill(0.0);
    for (e, &(term, row, col)) in layout.places.iter().enumerate() {
        let first = layout.terms[term].1;
        let (r, c) = (first + row, first + col);
        out[r * k + e] += (0..q).map(|i| tf[i * q + c] * x[i]).sum::<f64>();
        (0..q).for_each(|i| out[i * k + e] += tf[i * q + c] * x[r]);
    }
}

/// Adds H'E_aH for all elements of theta (p x p each), `h` being p x q by rows.
#[inline]
fn add_forms(out: &mut [f64], layout: &Layout, tf: &[f64], (h, turned): (&[f64], &mut [f64]), q: usize, p: usize) {
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
