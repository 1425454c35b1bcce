//! Inference about a fit: a problem (for many fits: a design) and the estimates of a fit in; figures out.
//!
//! Every inference exists once, for all problems: a plain one has empty psi and phi. A fit is never changed, and what a call
//! leaves in the problem is nothing that a later call relies on: each begins by setting phi. Matrices are of the order of
//! coefficients or of the levels that are connected by rows; none has a side of n.

mod bootstrap;
mod connected_components;
mod constrained;
mod deletion;
mod fixed;
mod forms;
mod information;
mod kenward_roger;
mod marginal_products;
mod prediction;
mod profile;
mod refit;
mod refits;
mod rlrt;
mod satterthwaite;
mod schur_complement;
mod target;

pub use bootstrap::bootstrap;
pub use deletion::deletions;
pub use fixed::{fixed_inference, Derivatives, FixedInference, Wanted};
pub use kenward_roger::KenwardRoger;
pub use prediction::{prediction_variance, Part, Rows};
pub use profile::{profile, Profile};
pub use refit::refit;
pub use refits::{Estimates, Refit, Replicate};
pub use rlrt::{simulate as simulate_rlrt, Null, RLRT_BATCH};
pub use satterthwaite::Satterthwaite;
pub use target::Target;
