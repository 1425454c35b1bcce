//! The engine's results as R lists of plain vectors; dimensions and names are R's business.

use crate::fit::Outcome;
use extendr_api::prelude::*;
use ferrite_engine::{Crossprod, Fit, FixedInference, Profile, Refit, Replicate, Structure, TermFit, WeightClasses};

/// A fit: theta, coefficients, terms, the certificate, and the parameters of residuals and patterns.
pub fn fit(outcome: &Outcome) -> Robj {
    let fit = &outcome.fit;
    let phi = if fit.phi.is_empty() && fit.psi.is_empty() {
        ().into_robj()
    } else {
        list!(
            phi = fit.phi.clone(),
            rho = fit.rho.map_or_else(|| ().into_robj(), Robj::from),
            psi = fit.psi.clone(),
            hessian = fit.joint_hessian.clone()
        )
        .into_robj()
    };
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
        faces = vec![c.looked.faces as f64, c.looked.of as f64],
        global = c.looked.is_everywhere(),
        decrement = c.decrement,
        gradient = c.gradient,
        kkt = c.kkt.map_or_else(|| Robj::from(Rfloat::na()), Robj::from),
        eigenvalues = c.eigenvalues.clone(),
        hessian = fit.hessian.clone(),
        structure = outcome.structure.clone(),
        timing = timing.to_vec(),
        residual = phi
    )
    .into_robj()
}

/// Pieces for tests of fixed effects, matrices one after the other; `bytes` that Kenward-Roger's would need, if they were
/// refused, else zero.
pub fn fixed(f: &FixedInference) -> Robj {
    let kr = match &f.kenward_roger {
        Some(kr) => list!(p = kr.p.concat(), w = kr.w.clone(), adjusted = kr.adjusted.clone()).into_robj(),
        None => ().into_robj(),
    };
    list!(
        phi = f.vcov_beta.clone(),
        jacobian = f.satterthwaite.jacobian.concat(),
        covariance = f.satterthwaite.covariance.clone(),
        kr = kr,
        bytes = f.refused.unwrap_or(0.0)
    )
    .into_robj()
}

/// Replicates of a bootstrap: matrices with a row a finished replicate, the numbers of those, and how many have no estimates
/// or were not begun.
pub fn replicates(all: &[Refit]) -> Robj {
    let done: Vec<(i32, &Replicate)> = (1..).zip(all).filter_map(|(i, r)| r.done().map(|r| (i, r))).collect();
    let count = |of: fn(&Refit) -> bool| all.iter().filter(|r| of(r)).count() as i32;
    let matrix = |of: &dyn Fn(&Replicate) -> Vec<f64>| -> Vec<f64> {
        let rows: Vec<f64> = done.iter().flat_map(|(_, r)| of(r)).collect();
        let q = rows.len() / done.len().max(1);
        by_columns(&rows, done.len(), q)
    };
    list!(
        failed = count(|r| matches!(r, Refit::Failed)),
        stopped = count(|r| matches!(r, Refit::Stopped)),
        index = done.iter().map(|(i, _)| *i).collect::<Vec<i32>>(),
        theta = matrix(&|r| r.theta.clone()),
        beta = matrix(&|r| r.beta.clone()),
        sigma = matrix(&|r| vec![r.sigma]),
        criterion = matrix(&|r| vec![r.criterion]),
        phi = matrix(&|r| r.phi.clone()),
        certified = done.iter().map(|(_, r)| r.certified).collect::<Vec<bool>>()
    )
    .into_robj()
}

/// Deletions: matrices with a row a deletion (covariances one after the other), NaN where there are no estimates.
pub fn deletions(all: &[Refit<Fit>]) -> Robj {
    let matrix = |of: &dyn Fn(&Fit) -> Vec<f64>| -> Vec<f64> {
        let width = all.iter().find_map(Refit::done).map_or(0, |fit| of(fit).len());
        let row = |deletion: &Refit<Fit>| deletion.done().map_or_else(|| vec![f64::NAN; width], of);
        by_columns(&all.iter().flat_map(row).collect::<Vec<f64>>(), all.len(), width)
    };
    let status = all.iter().map(|deletion| match deletion {
        Refit::Rank => "rank",
        Refit::Stopped => "stopped",
        Refit::Failed => "failed",
        Refit::Done(fit) if fit.convergence.status.is_certified() => "ok",
        Refit::Done(_) => "stalled",
    });
    list!(
        phi = matrix(&|f| f.phi.clone()),
        theta = matrix(&|f| f.theta.clone()),
        beta = matrix(&|f| f.kept.iter().map(|&k| f.beta[k]).collect()),
        sigma = matrix(&|f| vec![f.sigma]),
        criterion = matrix(&|f| vec![f.criterion]),
        vcov = all.iter().filter_map(Refit::done).flat_map(|f| f.vcov.clone()).collect::<Vec<f64>>(),
        evaluations = matrix(&|f| vec![f.convergence.evaluations as f64]),
        status = status.collect::<Vec<_>>()
    )
    .into_robj()
}

/// Structure and cost of a fit.
pub fn plan(s: &Structure, sums: &Crossprod, classes: Option<&WeightClasses>, seconds: f64) -> Robj {
    let (fill, dense) = s.trailing_fill();
    let n_theta: usize = sums.coordinates.terms.iter().map(|t| t.q() * (t.q() + 1) / 2).sum();
    list!(
        structure = s.to_string(),
        bytes = s.bytes,
        work = s.work(sums.p),
        n_theta = n_theta as i32,
        order = s.trailing_order() as i32,
        fill = fill,
        dense = dense,
        seconds_sums = seconds,
        classes = classes.map_or(0.0, |k| k.classes as f64),
        kept = classes.is_some_and(|k| k.kept),
        elements = classes.map_or(0.0, |k| k.elements as f64)
    )
    .into_robj()
}

/// A profile; `NULL` where it was not finished.
pub fn profile(p: &Option<Profile>) -> Robj {
    let Some(p) = p else { return ().into_robj() };
    list!(estimate = p.estimate, lower = p.lower.clone(), upper = p.upper.clone()).into_robj()
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
