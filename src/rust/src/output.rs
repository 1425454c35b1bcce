//! The engine's results as R lists of plain vectors; dimensions and names are R's business.

use extendr_api::prelude::*;
use ferrite_engine::{Fit, FixedInference, Model, TermFit};

/// A fit, in the shape that `R/engine.R` documents.
pub fn fit((fit, model): &(Fit, Model)) -> Robj {
    let c = &fit.convergence;
    let kept: Vec<i32> = fit.kept.iter().map(|k| *k as i32 + 1).collect();
    let timing = [fit.timing.crossprod, fit.timing.optimise, fit.timing.estimates];
    list!(
        status = c.status.name(),
        theta = fit.theta.clone(),
        beta = fit.beta.clone(),
        kept = kept,
        vcov = fit.vcov.clone(),
        sigma = fit.sigma,
        criterion = fit.criterion,
        ld_l = fit.log_det_l,
        ld_rx = fit.log_det_rx,
        pwrss = fit.pwrss,
        terms = List::from_values(fit.terms.iter().map(term)),
        evaluations = c.evaluations as i32,
        iterations = c.iterations as i32,
        starts = c.starts as i32,
        decrement = c.decrement,
        gradient = c.gradient,
        kkt = c.kkt.map_or_else(|| Robj::from(Rfloat::na()), Robj::from),
        eigenvalues = c.eigenvalues.clone(),
        hessian = fit.hessian.clone(),
        structure = model.structure().to_string(),
        timing = timing.to_vec()
    )
    .into_robj()
}

/// Pieces for tests of fixed effects, matrices one after the other; `bytes` that Kenward-Roger would need, if it was refused.
pub fn fixed(f: &FixedInference, bytes: f64) -> Robj {
    let kr = match &f.kenward_roger {
        Some(kr) => list!(p = kr.p.concat(), w = kr.w.clone(), adjusted = kr.adjusted.clone()).into_robj(),
        None => ().into_robj(),
    };
    list!(
        phi = f.phi.clone(),
        jacobian = f.satterthwaite.jacobian.concat(),
        covariance = f.satterthwaite.covariance.clone(),
        kr = kr,
        bytes = bytes
    )
    .into_robj()
}

fn term(t: &TermFit) -> Robj {
    list!(
        varcov = t.varcov.clone(),
        b = by_columns(&t.b, t.levels, t.q),
        u = by_columns(&t.u, t.levels, t.q),
        condvar = t.condvar.clone(),
        rank = t.rank as i32
    )
    .into_robj()
}

/// R stores matrices by columns.
fn by_columns(rows: &[f64], n: usize, q: usize) -> Vec<f64> {
    (0..n * q).map(|k| rows[k % n * q + k / n]).collect()
}
