//! Rows and weights in; sums out. The last room that sees y.
//!
//! Rows enter as a [`Design`](crate::design::Design) by [`from_rows`], whose pass by level ([`by_level`]) and by cell
//! ([`by_cell`]) sees columns as they were given; whoever reads rows again does so in the coordinates that were found then,
//! through [`row_reader`], and sums them through [`add_rows`]: other weights ([`weighted_sums`]), fewer rows
//! ([`delete_rows`]). Sums that were made elsewhere enter by [`from_sums`]. What leaves is a [`crossprod::Crossprod`]: sums
//! in working coordinates, every level with a block, every pair of factors with its cells ascending.

mod add_rows;
mod by_cell;
mod by_class;
mod by_level;
mod by_phi;
mod by_series;
#[allow(clippy::module_inception)]
mod crossprod;
mod delete_rows;
mod from_rows;
mod from_sums;
mod replace_response;
mod row_pass;
mod row_reader;
mod sum_layout;
mod weighted_sums;

pub(crate) use add_rows::add_outer;
pub use crossprod::Crossprod;
pub(crate) use crossprod::Pair;
pub(crate) use delete_rows::RowDeletion;
pub(crate) use replace_response::replace as replace_response;
pub(crate) use row_reader::{blocks, RowReader, ROWS};
pub use weighted_sums::{WeightClasses, WeightedSums};
