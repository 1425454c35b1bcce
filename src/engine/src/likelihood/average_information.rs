//! Average information: the mean of observed and expected second derivatives of the criterion, without any trace.
//!
//! With v_a = E_a h on every level, E_a the direction of theta_a in G_k and h = Z'Py, the mean of the two is
//! v_a'(Z'PZ)v_b / sigma^2 - (v_a'h)(v_b'h) / (nu sigma^4), which one half of a solve with M gives for all theta at once.
//! To this comes the curvature of theta -> G_k, with the score's positive part.
//!
//! Source: Gilmour, Thompson and Cullis (1995), Biometrics 51, for the average; here sigma^2 is profiled out.

use crate::covariance::{Blocks, Layout};
use crate::error::Result;
use crate::likelihood::elimination;
use crate::likelihood::evaluation::{Gamma, Here};
use crate::likelihood::products::add_cross;
use crate::numerics::eigen;
use crate::numerics::small::{self, add_outer};

/// Largest element of T^-1 for which Gamma T^-1 still is the score.
const LOOSE: f64 = 1e5;

/// Columns over all rows of Z, one an element of theta: kept from one call to the next.
#[derive(Default)]
pub(crate) struct Columns {
    v: Vec<f64>,
    sv: Vec<f64>,
}

/// Average information in theta (m x m by rows).
pub(crate) fn average(here: Here<'_>, work: &mut Columns) -> Result<Vec<f64>> {
    let Here { s, a, w, inverse, layout, t, at, gamma } = here;
    let (p, m, k) = (a.p, a.p + 1, layout.len());
    let nu = at.pls.pwrss / at.sigma2;
    let Columns { v, sv } = work;
    directions(here, v);
    sv.clear();
    sv.resize(v.len(), 0.0);
    add_cross(s, a, v, k, sv, 1.0);
    let mut out = vec![0.0; k * k];
    small::add_gram(&mut out, v, sv, k, k);
    let mut fixed = vec![0.0; m * k];
    small::add_gram(&mut fixed, &inverse.residual, v, m, k);
    // L^-1 T'Z'WZ v, in the place of Z'WZ v.
    let mut own = Vec::new();
    for (factor, q, first, levels) in s.blocks() {
        for rows in sv[first * k..(first + levels * q) * k].chunks_exact_mut(q * k) {
            if q == 1 {
                rows.iter_mut().for_each(|x| *x *= t[factor][0]);
                continue;
            }
            own.clear();
            own.extend_from_slice(rows);
            rows.fill(0.0);
            small::mul_transposed(rows, &t[factor], &own, q, q, k, 1.0);
        }
    }
    elimination::forward(w, s, a, sv, k)?;
    let mut halves = vec![0.0; k * k];
    small::add_gram(&mut halves, sv, sv, k, k);
    out.iter_mut().zip(&halves).for_each(|(o, x)| *o -= x);
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
pub(crate) fn directions(here: Here<'_>, v: &mut Vec<f64>) {
    let Here { s, a, inverse, layout, t, .. } = here;
    let (k, m) = (layout.len(), a.p + 1);
    v.clear();
    v.resize(s.q * k, 0.0);
    for (factor, q, first, levels) in s.blocks() {
        let tf = &t[factor];
        for (e, &(term, row, col)) in layout.places.iter().enumerate() {
            let (f, offset, _) = layout.terms[term];
            if f != factor {
                continue;
            }
            let (r, c) = (offset + row, offset + col);
            if q == 1 {
                let rows = v[first * k..].chunks_exact_mut(k).zip(inverse.residual[first * m..].chunks_exact(m));
                rows.take(levels).for_each(|(v, h)| v[e] = 2.0 * tf[0] * h[a.p]);
                continue;
            }
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
