//! M factored, solved and inverted on its pattern, by the kind of elimination that its structure asks for.
//!
//! All kinds write the same blocks into the same places. Invariant: after [`factor`] every pivot is positive, or it
//! returned [`Error::NotPositiveDefinite`](crate::Error::NotPositiveDefinite) and the blocks must not be read.

mod assemble;
mod general;
mod inverse;
pub(crate) mod nested_intercepts;
pub(crate) mod one_factor;

use crate::covariance::Blocks;
use crate::crossprod::Crossprod;
use crate::error::Result;
use crate::likelihood::selected_inverse::Inverse;
use crate::likelihood::structure::{Elimination, Structure};
use crate::likelihood::workspace::Workspace;

/// Factors M at `t` and solves for the border; returns log|M|.
///
/// # Errors
/// [`crate::Error::NotPositiveDefinite`] if a pivot is not positive.
pub(crate) fn factor(w: &mut Workspace, s: &Structure, a: &Crossprod, t: &Blocks) -> Result<f64> {
    match s.elimination {
        Elimination::OneFactor => one_factor::factor(w, s, a, t),
        Elimination::NestedIntercepts => nested_intercepts::factor(w, s, a, t),
        Elimination::General => general::factor(w, s, a, t),
    }
}

/// `rhs <- L^-1 rhs` for all rows (q x m by rows): the first half of a solve with M.
pub(crate) fn forward(w: &Workspace, s: &Structure, a: &Crossprod, rhs: &mut [f64], m: usize) -> Result<()> {
    match s.elimination {
        Elimination::NestedIntercepts => nested_intercepts::forward(w, s, a, rhs, m),
        Elimination::OneFactor | Elimination::General => return general::forward(w, s, a, rhs, m),
    }
    Ok(())
}

/// Fills the selected inverse and the solutions [U, u] from a factored workspace and the coefficients.
pub(crate) fn invert(
    inverse: &mut Inverse,
    s: &Structure,
    a: &Crossprod,
    w: &mut Workspace,
    beta: &[f64],
) -> Result<()> {
    match s.elimination {
        Elimination::OneFactor => one_factor::invert(inverse, s, a, w, beta),
        Elimination::NestedIntercepts => nested_intercepts::invert(inverse, s, a, w, beta),
        Elimination::General => inverse::invert(inverse, s, a, w, beta)?,
    }
    Ok(())
}
