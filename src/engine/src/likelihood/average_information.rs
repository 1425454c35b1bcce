//! Average information: the mean of observed and expected second derivatives of the criterion, without any trace.
//!
//! With v_a = E_a h on every level, E_a the direction of theta_a in G_k and h = Z'Py, the mean of the two is
//! v_a'(Z'PZ)v_b / sigma^2 - (v_a'h)(v_b'h) / (nu sigma^4), which one half of a solve with M gives for all theta at once.
//! To this comes the curvature of theta -> G_k, with the score's positive part.
//!
//! Source: Gilmour, Thompson and Cullis (1995), Biometrics 51, for the average; here sigma^2 is profiled out.

use crate::covariance::theta::{Blocks, Layout};
use crate::error::Result;
use crate::likelihood::elimination;
use crate::likelihood::evaluation::{Gamma, Here};
use crate::likelihood::products::add_cross;
use crate::numerics::eigen;
use crate::numerics::small::{self, add_outer};

/// Largest element of T^-1 for which Gamma T^-1 still is the score.
const LOOSE: f64 = 1e5;

/// Average information in theta (m x m by rows).
pub(crate) fn average(here: Here<'_>) -> Result<Vec<f64>> {
    let Here { s, a, w, inverse, layout, t, at, gamma } = here;
    let (p, m, k) = (a.p, a.p + 1, layout.len());
    let nu = at.pls.pwrss / at.sigma2;
    let v = directions(here);
    let mut sv = vec![0.0; v.len()];
    add_cross(s, a, &v, k, &mut sv, 1.0);
    let mut out = vec![0.0; k * k];
    for (x, y) in v.chunks_exact(k).zip(sv.chunks_exact(k)) {
        add_outer(&mut out, x, y, 1.0);
    }
    let mut half = vec![0.0; v.len()];
    for (factor, q, first, levels) in s.blocks() {
        for j in 0..levels {
            let rows = (first + j * q) * k..(first + (j + 1) * q) * k;
            small::mul_transposed(&mut half[rows.clone()], &t[factor], &sv[rows], q, q, k, 1.0);
        }
    }
    elimination::forward(w, s, a, &mut half, k)?;
    for x in half.chunks_exact(k) {
        add_outer(&mut out, x, x, -1.0);
    }
    let mut fixed = vec![0.0; m * k];
    for (r, x) in inverse.residual.chunks_exact(m).zip(v.chunks_exact(k)) {
        add_outer(&mut fixed, r, x, 1.0);
    }
    small::solve_lower(&at.pls.rx, p, &mut fixed[..p * k], k);
    for x in fixed[..p * k].chunks_exact(k) {
        add_outer(&mut out, x, x, -1.0);
    }
    let form = &fixed[p * k..];
    for i in 0..k {
        for j in 0..k {
            out[i * k + j] = out[i * k + j] / at.sigma2 - form[i] * form[j] / (nu * at.sigma2 * at.sigma2);
        }
    }
    small::symmetrise(&mut out, k);
    add_bend(&mut out, layout, t, gamma)?;
    Ok(out)
}

/// v_a = E_a h for all elements of theta: rows of Z, one column an element.
pub(crate) fn directions(here: Here<'_>) -> Vec<f64> {
    let Here { s, a, inverse, layout, t, .. } = here;
    let (k, m) = (layout.len(), a.p + 1);
    let mut v = vec![0.0; s.q * k];
    for (factor, q, first, levels) in s.blocks() {
        let tf = &t[factor];
        for (e, &(term, row, col)) in layout.places.iter().enumerate() {
            let (f, offset, _) = layout.terms[term];
            if f != factor {
                continue;
            }
            let (r, c) = (offset + row, offset + col);
            for j in 0..levels {
                let base = first + j * q;
                let h = |i: usize| inverse.residual[(base + i) * m + a.p];
                let turned: f64 = (0..q).map(|i| tf[i * q + c] * h(i)).sum();
                v[(base + r) * k + e] += turned;
                for i in 0..q {
                    v[(base + i) * k + e] += tf[i * q + c] * h(r);
                }
            }
        }
    }
    v
}

/// Adds 2 tr(D dT dT') with the positive part of the score D, where T has an inverse.
fn add_bend(out: &mut [f64], layout: &Layout, t: &Blocks, gamma: &Gamma) -> Result<()> {
    for (term, &(_, _, q)) in layout.terms.iter().enumerate() {
        let Some(t_inverse) = small::solve_identity(&layout.term_block(t, term), q) else { continue };
        if t_inverse.iter().any(|x| x.abs() > LOOSE) {
            continue;
        }
        let mut d = vec![0.0; q * q];
        small::mul(&mut d, &layout.term_block(&gamma.total, term), &t_inverse, q, q, q, 1.0);
        let (values, vectors) = eigen::symmetric(&d, q)?;
        d.fill(0.0);
        for (value, x) in values.iter().zip(&vectors) {
            small::mul(&mut d, x, x, q, 1, q, value.max(0.0));
        }
        add_score(out, layout, term, &d);
    }
    Ok(())
}

/// Adds 2 D_rs where the two elements stand in the same column of a term's T.
pub(crate) fn add_score(out: &mut [f64], layout: &Layout, term: usize, d: &[f64]) {
    let (k, q) = (layout.len(), layout.terms[term].2);
    for (i, &(ti, r, c)) in layout.places.iter().enumerate() {
        for (j, &(tj, s, e)) in layout.places.iter().enumerate() {
            if ti == term && tj == term && c == e {
                out[i * k + j] += 2.0 * d[r * q + s];
            }
        }
    }
}
