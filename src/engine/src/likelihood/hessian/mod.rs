//! Exact second derivatives of the criterion in theta, where K = Z'PZ fits: level by level for one grouping factor,
//! by level of the outermost one where they are nested, as one dense matrix for small crossed models.
//!
//! In G the second derivatives are 2 y'PV_aPV_bPy / sigma^2 - (y'PV_aPy)(y'PV_bPy) / (nu sigma^4) - tr(PV_aPV_b), with
//! V_a = Z E_a Z' and E_a = e_r t_c' + t_c e_r' for the element (r, c) of T; the curvature of T -> G adds 2 tr(D dT dT')
//! with the score D. Between two levels with block K_ij, and for b = (s, d), the trace of E_a K_ij E_b K_ji is
//! 2 (T'K)_cs (KT)_rd + 2 K_rs (T'KT)_cd.

mod dense;
mod groups;
mod levels;
mod parts;

use self::parts::Parts;
use crate::covariance::Layout;
use crate::crossprod::Crossprod;
use crate::error::Result;
use crate::likelihood::average_information::{add_score, directions};
use crate::likelihood::evaluation::Here;
use crate::likelihood::structure::{Elimination, Structure};
use crate::numerics::threads::Workers;

/// How the second derivatives are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// One grouping factor: level by level.
    Levels,
    /// Nested factors: by level of the outermost one.
    Groups,
    /// All of K as a dense matrix.
    Dense,
    /// Not worth it.
    No,
}

/// Chooses the way by its cost beside that of differences of the gradient (`work` operations each).
pub(crate) fn way(s: &Structure, a: &Crossprod, layout: &Layout, work: f64) -> Way {
    let (n, k, p) = (s.q as f64, layout.len() as f64, a.p);
    if s.elimination == Elimination::OneFactor {
        let q = s.chain[0].q as f64;
        let count = s.chain[0].levels as f64;
        let h = p as f64 * q;
        let cost = count * (q * q * q * q + h * h + 2.0 * h * q);
        let fits = levels::elements(s.chain[0].q) <= levels::MOST;
        return if fits && cost < 3.0 * (k + 3.0) * work { Way::Levels } else { Way::No };
    }
    if s.chain.len() > 1 && s.trail.is_empty() {
        let outermost = |c: usize, j: usize| s.chain[c].up.last().map_or(j, |&pair| a.pairs[pair].cols[j] as usize);
        let square: Vec<f64> = groups::groups(s, outermost).iter().map(|g| (g.1 as f64).powi(2)).collect();
        let cost: f64 = square.iter().map(|x| x * (3.0 * x.sqrt() + k * k + 2.0 * k * (1.0 + p as f64))).sum();
        if cost < 3.0 * (k + 3.0) * work {
            return Way::Groups;
        }
    }
    // Dense arithmetic runs about eight times as fast as that on small blocks.
    let widest = s.chain.iter().map(|l| l.q).chain(s.trail.iter().map(|t| t.q)).max().unwrap_or(1) as f64;
    let cost = 0.3 * n * n * n + 0.5 * n * n * widest * widest;
    if n <= 64.0 || (n <= 1500.0 && cost < (k + 3.0) * work) {
        Way::Dense
    } else {
        Way::No
    }
}

/// The Hessian in theta (m x m by rows).
pub(crate) fn hessian(here: Here<'_>, way: Way, workers: &Workers) -> Result<Vec<f64>> {
    let Here { a, layout, at, .. } = here;
    let k = layout.len();
    let parts = match way {
        Way::Levels => levels::parts(here, workers)?,
        Way::Groups => {
            let mut v = Vec::new();
            directions(here, &mut v);
            let mut parts = groups::parts(here, &v)?;
            parts.add_residuals(here, &v);
            parts
        }
        _ => {
            let mut v = Vec::new();
            directions(here, &mut v);
            let mut parts = workers.run(|| dense::parts(here, &v, workers.count()))?;
            parts.add_residuals(here, &v);
            parts
        }
    };
    let nu = at.pls.pwrss / at.sigma2;
    let form = &parts.form;
    let mut out = vec![0.0; k * k];
    for i in 0..k {
        for j in 0..=i {
            let x = 2.0 * parts.quadratic[i * k + j] / at.sigma2
                - form[i] * form[j] / (nu * at.sigma2 * at.sigma2)
                - trace(layout, &parts, i, j);
            out[i * k + j] = x;
            out[j * k + i] = x;
        }
    }
    for (term, &(f, first, q)) in layout.terms.iter().enumerate() {
        let width = a.factors[f].q;
        let d: Vec<f64> = (0..q * q).map(|x| parts.score[f][(first + x / q) * width + first + x % q]).collect();
        add_score(&mut out, layout, term, &d);
    }
    Ok(out)
}

/// tr(PV_iPV_j).
fn trace(layout: &Layout, parts: &Parts, i: usize, j: usize) -> f64 {
    let place = |e: usize| {
        let (term, row, col) = layout.places[e];
        let (f, first, _) = layout.terms[term];
        (f, first + row, first + col)
    };
    let ((f, r, c), (g, s, d)) = (place(i), place(j));
    let fixed = parts.fixed.get(i * layout.len() + j).copied().unwrap_or(0.0);
    for x in &parts.pairs {
        let ((r, c), (s, d)) = match (x.f, x.g) {
            pair if pair == (f, g) => ((r, c), (s, d)),
            pair if pair == (g, f) => ((s, d), (r, c)),
            _ => continue,
        };
        let (qf, qg) = (parts.widths[x.f], parts.widths[x.g]);
        let size = qf * qg;
        let straight = x.straight[(r * qg + s) * size + c * qg + d];
        let crossed = x.crossed[(c * qg + s) * size + r * qg + d];
        return 2.0 * (straight + crossed) + fixed;
    }
    fixed
}
