//! Borrowed rows in; validated columns, orthonormal coordinates and grouping codes out.
//!
//! A [`design::Design`] borrows the rows and is validated before it is used; its columns are shifted and scaled
//! ([`column`]), made orthonormal ([`basis`]) and gathered by factor ([`grouping`]), without a copy. [`coordinates`] leads back
//! from the orthonormal columns to the user's and is all of this that cross-products keep.

mod basis;
mod column;
mod coordinates;
#[allow(clippy::module_inception)]
mod design;
mod elimination_order;
mod grouping;
mod interaction;
mod subset;
mod weights;

pub(crate) use basis::{places_in, Basis, Gram, Scaled};
pub(crate) use column::{power_of_two, ranges, Range};
pub(crate) use coordinates::{fixed_to_user, jacobian, user_from_working, working_from_user};
pub(crate) use coordinates::{BasisMap, Coordinates, TermMap};
pub use design::{Column, Correlation, Design, Factor, Pattern, Residual, Serial, Strata, Structured, Term};
pub(crate) use elimination_order::{holds, Order};
pub(crate) use grouping::{groupings, Grouping};
pub use interaction::cross;
pub(crate) use subset::Subset;
pub(crate) use weights::Weight;
