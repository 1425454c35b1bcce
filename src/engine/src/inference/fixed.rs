//! What tests of fixed effects need, in the user's coordinates: Var(beta), Satterthwaite's derivatives and Kenward and
//! Roger's pieces, by the way that a problem allows.

use super::forms::Outward;
use super::information::Information;
use super::kenward_roger::{self, KenwardRoger};
use super::satterthwaite::{self, Satterthwaite};
use crate::error::{Error, Result};
use crate::fit::Problem;
use crate::options::Criterion;

/// The pieces, for the kept coefficients.
#[derive(Clone, Debug)]
pub struct FixedInference {
    /// Covariance of the coefficients, p x p by rows.
    pub vcov_beta: Vec<f64>,
    /// Satterthwaite's pieces.
    pub satterthwaite: Satterthwaite,
    /// Kenward-Roger's pieces; `None` for a fit by ML, where the information is singular, or where they were refused.
    pub kenward_roger: Option<KenwardRoger>,
    /// Bytes that the exact way would need, where they are not allowed: the pieces are from differences, without
    /// Kenward-Roger's.
    pub refused: Option<f64>,
}

/// How derivatives in the variance parameters are found, and which of these are unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Derivatives {
    /// Exact where the criterion has no parameters but theta; otherwise by differences, in theta, psi and phi.
    Either,
    /// Exact: phi counts as known and all terms as unstructured.
    Exact,
    /// By differences, in theta, psi and phi; Kenward-Roger's by the observed information.
    Differences,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// True if Kenward-Roger's pieces are wanted; by ML there are none.
    pub kenward_roger: bool,
    /// How derivatives are found.
    pub derivatives: Derivatives,
    /// Bytes that exact derivatives may take.
    pub memory: f64,
}

/// Pieces for tests of the coefficients at a fit (theta in the user's basis, by the criterion that was minimised).
///
/// Exact derivatives need K = Z'V^-1Z; where that does not fit in memory they are replaced by differences.
///
/// # Errors
/// [`Error::Dimension`] for a theta of the wrong length; [`Error::NotPositiveDefinite`] where the fit is no minimum;
/// [`Error::Interrupted`].
pub fn fixed_inference(
    problem: &mut Problem<'_>,
    theta: &[f64],
    phi: &[f64],
    kind: Criterion,
    wanted: Wanted,
) -> Result<FixedInference> {
    let kr = wanted.kenward_roger && kind == Criterion::Reml;
    let mut refused = None;
    let exact = match wanted.derivatives {
        Derivatives::Either => problem.is_plain(),
        Derivatives::Exact => true,
        Derivatives::Differences => false,
    };
    if exact {
        problem.set(phi);
        match by_information(problem, theta, kind, kr, wanted.memory) {
            Err(Error::TooLarge { bytes, .. }) => refused = Some(bytes),
            pieces => return pieces,
        }
    }
    let found = satterthwaite::by_differences(problem, theta, phi, kind, kr && refused.is_none())?;
    let adjusted = kenward_roger::observed(problem, &found)?;
    let out = Outward::new(&problem.model.a.coordinates);
    Ok(FixedInference {
        vcov_beta: out.covariance(&found.vcov_beta),
        satterthwaite: found.satterthwaite.outward(&out),
        kenward_roger: adjusted.map(|pieces| pieces.outward(&out)).transpose()?,
        refused,
    })
}

/// The pieces from exact derivatives in the elements of Var(b) and sigma^2, with R as it is.
fn by_information(
    problem: &mut Problem<'_>,
    theta: &[f64],
    kind: Criterion,
    kr: bool,
    memory: f64,
) -> Result<FixedInference> {
    let model = &mut problem.model;
    let t = model.blocks_from_user(theta)?;
    let info = Information::new(model, &t, kind, memory)?;
    let out = Outward::new(&model.a.coordinates);
    let adjusted = kr.then(|| kenward_roger::expected(&info, model.a.p)).flatten();
    Ok(FixedInference {
        vcov_beta: out.covariance(&info.vcov_beta),
        satterthwaite: satterthwaite::exact(model, &info, &t)?.outward(&out),
        kenward_roger: adjusted.map(|pieces| pieces.outward(&out)).transpose()?,
        refused: None,
    })
}
