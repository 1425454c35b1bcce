//! One grouping factor: K is block diagonal, and everything is a contraction of a few sums over levels.
//!
//! With K, the whitened H and h of a level, M = HH' and N = hh', the sums of K x K, K x M and K x N hold all traces and
//! forms in pairs of elements of theta; T enters after the sum, so that a level costs the same for any number of them.

use super::parts::Parts;
use crate::covariance::Layout;
use crate::error::{Error, Result};
use crate::likelihood::evaluation::Here;
use crate::likelihood::products::{whiten, BATCH};
use crate::numerics::small::{self, inlined};
use crate::numerics::threads::Workers;

/// Levels of one piece of work, at least.
const PIECE: usize = 8192;
/// Elements that the sums of all pieces may hold together.
pub(super) const MOST: usize = 100_000_000;

/// Sums over levels. Blocks are symmetric and kept as their lower triangles by rows, pairs of blocks by rows of the first
/// one's elements.
struct Sums {
    k: Vec<f64>,
    m: Vec<f64>,
    n: Vec<f64>,
    kk: Vec<f64>,
    km: Vec<f64>,
    kn: Vec<f64>,
    /// Whitened H, as one vector by columns of Z, with itself.
    hh: Vec<f64>,
    /// H as it is with h.
    linear: Vec<f64>,
}

impl Sums {
    fn new(q: usize, p: usize, reml: bool) -> Sums {
        let zeros = |n: usize| vec![0.0; n];
        let (size, h) = (half(q), if reml { p * q } else { 0 });
        Sums {
            k: zeros(size),
            m: zeros(size),
            n: zeros(size),
            kk: zeros(size * size),
            km: zeros(if reml { size * size } else { 0 }),
            kn: zeros(size * size),
            hh: zeros(h * h),
            linear: zeros(p * q * q),
        }
    }

    fn each(&mut self) -> [&mut Vec<f64>; 8] {
        let Sums { k, m, n, kk, km, kn, hh, linear } = self;
        [k, m, n, kk, km, kn, hh, linear]
    }
}

/// Elements of a lower triangle.
fn half(q: usize) -> usize {
    q * (q + 1) / 2
}

/// Place of an element of a symmetric block in its lower triangle.
fn place(i: usize, j: usize) -> usize {
    half(i.max(j)) + i.min(j)
}

/// Elements of the largest sums of one piece.
pub(super) fn elements(q: usize) -> usize {
    3 * half(q) * half(q)
}

/// The sums with K of V^-1 in place of P, and what the fixed part adds.
pub(super) fn parts(here: Here<'_>, workers: &Workers) -> Result<Parts> {
    let (link, p, k, at) = (&here.s.chain[0], here.a.p, here.layout.len(), here.at);
    let q = link.q;
    let pieces = (MOST / elements(q)).clamp(1, link.levels.div_ceil(PIECE));
    let length = link.levels.div_ceil(pieces);
    let all = workers.map(pieces, |piece| {
        let levels = piece * length..((piece + 1) * length).min(link.levels);
        match q {
            1 => sum::<1>(here, levels),
            2 => sum::<2>(here, levels),
            3 => sum::<3>(here, levels),
            _ => sum::<0>(here, levels),
        }
    });
    let mut all = all.into_iter();
    let mut sums = all.next().ok_or_else(|| Error::Internal("a factor without levels".into()))?;
    for mut part in all {
        for (x, y) in sums.each().into_iter().zip(part.each()) {
            x.iter_mut().zip(y).for_each(|(x, y)| *x += *y);
        }
    }
    let directions = Directions::new(here.layout, &here.t[link.factor], q);
    let mut quadratic = directions.pairs(&sums.kn);
    let mut linear = vec![0.0; p * k];
    for (e, entries) in directions.entries.iter().enumerate() {
        for &(i, j, x) in entries {
            (0..p).for_each(|c| linear[c * k + e] += x * sums.linear[(i * p + c) * q + j]);
        }
    }
    small::solve_lower(&at.pls.rx, p, &mut linear, k);
    small::mul_transposed(&mut quadratic, &linear, &linear, k, p, k, -1.0);
    let mut fixed = directions.pairs(&sums.kk);
    if at.reml {
        let forms = directions.forms(&sums.hh, p);
        // The forms are symmetric, so a trace of two is a sum of products.
        small::mul_by_transposed(&mut fixed, &forms, &forms, k, p * p, k, 1.0);
        fixed.iter_mut().zip(directions.pairs(&sums.km)).for_each(|(f, x)| *f -= 2.0 * x);
    }
    let mut lower = sums.k;
    lower.iter_mut().zip(sums.m.iter().zip(&sums.n)).for_each(|(s, (m, n))| *s -= m + n / at.sigma2);
    let score = (0..q * q).map(|x| lower[place(x / q, x % q)]).collect();
    let form = directions.entries.iter().map(|e| e.iter().map(|&(i, j, x)| x * sums.n[place(i, j)]).sum()).collect();
    Ok(Parts { pairs: Vec::new(), quadratic, score: vec![score], form, fixed, widths: vec![q] })
}

fn sum<const Q: usize>(here: Here<'_>, levels: std::ops::Range<usize>) -> Sums {
    let Here { s, a, w, inverse, t, at, .. } = here;
    let (link, p, m) = (&s.chain[0], a.p, a.p + 1);
    let q = if Q == 0 { link.q } else { Q };
    let (sums, tf, size) = (&a.factors[link.factor], &t[link.factor], q * q);
    let mut out = Sums::new(q, p, at.reml);
    let lower = half(q);
    let (mut b, mut cov) = (vec![0.0; size], vec![0.0; size]);
    let (mut own, mut other) = (vec![0.0; lower], vec![0.0; lower]);
    let (mut h, mut last) = (vec![0.0; p * q], vec![0.0; q]);
    let batch = (BATCH / q).max(1);
    let (mut white, mut whitening) = (Vec::new(), Vec::new());
    for j in levels.clone() {
        let at_row = (j - levels.start) % batch * q;
        if at.reml && at_row == 0 {
            white.clear();
            white.extend_from_slice(&inverse.residual[j * q * m..(j + batch).min(levels.end) * q * m]);
            whiten(&at.pls.rx, p, &mut white, &mut whitening);
        }
        // K = D - B'B with B = L^-1 T'D.
        let d = &sums.diag[j * size..(j + 1) * size];
        b.fill(0.0);
        inlined::mul_transposed(&mut b, tf, d, q, q, q, 1.0);
        inlined::solve_lower(&w.links[0].diag[j * size..(j + 1) * size], q, &mut b, q);
        cov.copy_from_slice(d);
        inlined::mul_transposed(&mut cov, &b, &b, q, q, q, -1.0);
        for r in 0..q {
            own[half(r)..half(r + 1)].copy_from_slice(&cov[r * q..r * q + r + 1]);
        }
        inlined::mul(&mut out.kk, &own, &own, lower, 1, lower, 1.0);
        out.k.iter_mut().zip(&own).for_each(|(s, x)| *s += x);
        for r in 0..q {
            let row = &inverse.residual[(j * q + r) * m..(j * q + r + 1) * m];
            h[r * p..(r + 1) * p].copy_from_slice(&row[..p]);
            last[r] = row[p];
        }
        inlined::mul(&mut out.linear, &h, &last[..q], p * q, 1, q, 1.0);
        for r in 0..q {
            (0..=r).for_each(|c| other[half(r) + c] = last[r] * last[c]);
        }
        out.n.iter_mut().zip(&other).for_each(|(s, x)| *s += x);
        inlined::mul(&mut out.kn, &own, &other, lower, 1, lower, 1.0);
        if at.reml {
            for r in 0..q {
                h[r * p..(r + 1) * p].copy_from_slice(&white[(at_row + r) * m..][..p]);
            }
            inlined::mul(&mut out.hh, &h, &h, p * q, 1, p * q, 1.0);
            for r in 0..q {
                for c in 0..=r {
                    let pair = h[r * p..(r + 1) * p].iter().zip(&h[c * p..(c + 1) * p]);
                    other[half(r) + c] = pair.map(|(x, y)| x * y).sum();
                }
            }
            out.m.iter_mut().zip(&other).for_each(|(s, x)| *s += x);
            inlined::mul(&mut out.km, &own, &other, lower, 1, lower, 1.0);
        }
    }
    out
}

/// E_a = e_r t_c' + t_c e_r' of all elements of theta, as lists of (row, column, value).
struct Directions {
    entries: Vec<Vec<(usize, usize, f64)>>,
    q: usize,
}

impl Directions {
    fn new(layout: &Layout, tf: &[f64], q: usize) -> Directions {
        let entries = layout.places.iter().map(|&(term, row, col)| {
            let first = layout.terms[term].1;
            let (r, c) = (first + row, first + col);
            (0..q).flat_map(|i| [(r, i, tf[i * q + c]), (i, r, tf[i * q + c])]).filter(|e| e.2 != 0.0).collect()
        });
        Directions { entries: entries.collect(), q }
    }

    /// tr(E_a X E_b Y) for all pairs of elements, `sums` holding the sum of the outer products of X and Y.
    fn pairs(&self, sums: &[f64]) -> Vec<f64> {
        let (q, k) = (self.q, self.entries.len());
        let mut out = vec![0.0; k * k];
        let mut inner = vec![0.0; q * q];
        for (row, a) in out.chunks_exact_mut(k).zip(&self.entries) {
            inner.fill(0.0);
            for &(l, i, x) in a {
                for j in 0..q {
                    let from = place(i, j) * half(q);
                    (0..q).for_each(|n| inner[j * q + n] += x * sums[from + place(n, l)]);
                }
            }
            for (o, b) in row.iter_mut().zip(&self.entries) {
                *o = b.iter().map(|&(j, n, x)| x * inner[j * q + n]).sum();
            }
        }
        out
    }

    /// H'E_aH for all elements (p x p each), `hh` holding the sums of products of all elements of H.
    fn forms(&self, hh: &[f64], p: usize) -> Vec<f64> {
        let mut out = vec![0.0; self.entries.len() * p * p];
        for (form, entries) in out.chunks_exact_mut((p * p).max(1)).zip(&self.entries) {
            for &(i, j, x) in entries {
                for (c, row) in form.chunks_exact_mut(p).enumerate() {
                    let from = (i * p + c) * self.q * p + j * p;
                    row.iter_mut().zip(&hh[from..from + p]).for_each(|(o, v)| *o += x * v);
                }
            }
        }
        out
    }
}
