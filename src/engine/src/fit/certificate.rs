//! The proof that a fit is a minimum: Newton decrement where theta is free, the score where it is on the boundary.
//!
//! In G_k >= 0 the conditions of Karush, Kuhn and Tucker are that the score D_k is positive semidefinite on the null
//! space of G_k and orthogonal to G_k. D_k on the null space is read off the gradient at a T_k that is opened by a
//! tiny amount in those directions, since Gamma_k = D_k T_k.

use super::problem::{Parameters, Problem};
use crate::error::{Error, Result};
use crate::numerics::eigen;
use crate::numerics::small;
use crate::options::Criterion;

/// How a fit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// A minimum inside the parameter space, certified.
    Converged,
    /// A minimum with a singular covariance matrix, certified by the score.
    OnBoundary,
    /// No step lowers the criterion, and the certificate is not met.
    Stalled,
    /// The budget of evaluations is used up.
    MaxEvaluations,
}

impl Status {
    /// True if the certificate says that this is a minimum.
    pub fn is_certified(self) -> bool {
        matches!(self, Status::Converged | Status::OnBoundary)
    }

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Status::Converged => "converged",
            Status::OnBoundary => "on_boundary",
            Status::Stalled => "stalled",
            Status::MaxEvaluations => "max_evaluations",
        }
    }
}

/// How much of the boundary has been looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// Faces the search has looked from.
    pub faces: usize,
    /// Faces that there are.
    pub of: usize,
    /// True if the criterion is known to have one minimum only.
    pub single: bool,
}

impl Looked {
    /// True if no other minimum is left unlooked for.
    pub fn is_everywhere(self) -> bool {
        self.single || (self.of > 0 && self.faces == self.of)
    }
}

/// The certificate of a fit.
#[derive(Clone, Debug)]
pub struct Convergence {
    /// How it ended.
    pub status: Status,
    /// Evaluations of criterion and gradient.
    pub evaluations: usize,
    /// Steps of the minimisers.
    pub iterations: usize,
    /// Starting points tried.
    pub starts: usize,
    /// How much of the boundary the search has looked at for other minima.
    pub looked: Looked,
    /// Half g'H^-1 g: how much lower the criterion could still be, in deviance units.
    pub decrement: f64,
    /// Largest element of the gradient beside its curvature.
    pub gradient: f64,
    /// Smallest eigenvalue of the scaled score on the null spaces; none inside the parameter space.
    pub kkt: Option<f64>,
    /// Hessian in the working theta, free elements only.
    pub hessian: Vec<f64>,
    /// Eigenvalues of that Hessian, ascending.
    pub eigenvalues: Vec<f64>,
    /// Rank of the covariance matrix of each term.
    pub ranks: Vec<usize>,
}

/// The score on the null space of one term.
pub(crate) struct Edge {
    /// Smallest eigenvalue of the scaled score; negative: a direction in which the criterion falls.
    pub score: f64,
    /// That direction in the columns of the term, unit length.
    pub direction: Vec<f64>,
    /// Term.
    pub term: usize,
}

/// Scores on the null spaces of all singular terms that have no pattern (working basis, null columns last).
pub(crate) fn edges(problem: &mut Problem<'_>, at: &Parameters, ranks: &[usize], kind: Criterion) -> Result<Vec<Edge>> {
    if ranks.iter().zip(&problem.model.layout.terms).all(|(r, t)| *r == t.2) {
        return Ok(Vec::new());
    }
    problem.set(&at.phi);
    let mut blocks = problem.blocks(at).ok_or(Error::NotPositiveDefinite)?;
    let model = &mut problem.model;
    let mut nulls = Vec::new();
    for (k, &(f, _, q)) in model.layout.terms.iter().enumerate() {
        let r = ranks[k];
        if r == q {
            continue;
        }
        let mut t = model.layout.term_block(&blocks, k);
        let mut g = vec![0.0; q * q];
        small::mul_by_transposed(&mut g, &t, &t, q, q, q, 1.0);
        let null: Vec<Vec<f64>> = eigen::symmetric(&g, q)?.1.into_iter().take(q - r).collect();
        // Rows per level set the scale of Z'WZ in the working basis.
        let open = (1e-12 * model.a.factors[f].levels as f64 / model.a.n as f64).sqrt();
        for (c, v) in null.iter().enumerate() {
            (0..q).for_each(|i| t[i * q + r + c] = open * v[i]);
        }
        model.layout.set_term_block(&mut blocks, k, &t);
        nulls.push((k, r, q, open, null));
    }
    let (_, gamma) = model.value_and_gamma(&blocks, kind)?;
    let mut out = Vec::new();
    for (k, r, q, open, null) in nulls {
        let (total, spread) = (model.layout.term_block(&gamma.total, k), model.layout.term_block(&gamma.spread, k));
        let d = null.len();
        let project =
            |block: &[f64], i: usize, j: usize| (0..q).map(|c| null[i][c] * block[c * q + r + j]).sum::<f64>() / open;
        let score: Vec<f64> = (0..d * d).map(|x| project(&total, x / d, x % d)).collect();
        let scale = (0..d).map(|i| project(&spread, i, i)).sum::<f64>() / d as f64;
        let (values, vectors) = eigen::symmetric(&score, d)?;
        let direction = (0..q).map(|c| (0..d).map(|i| vectors[0][i] * null[i][c]).sum()).collect();
        out.push(Edge { score: values[0] / scale.abs().max(f64::MIN_POSITIVE), direction, term: k });
    }
    Ok(out)
}
