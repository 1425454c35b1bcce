//! Borrowed rows in; validated columns, orthonormal coordinates and grouping codes out.
//!
//! A [`design::Design`] borrows the rows and is validated before it is used; its columns are shifted and scaled
//! ([`column`]), made orthonormal ([`basis`]) and gathered by factor ([`grouping`]), without a copy. [`coordinates`] leads back
//! from the orthonormal columns to the user's and is all of this that cross-products keep.

pub(crate) mod basis;
pub(crate) mod column;
pub(crate) mod coordinates;
pub(crate) mod design;
pub(crate) mod elimination_order;
pub(crate) mod grouping;
pub(crate) mod interaction;
pub(crate) mod subset;
pub(crate) mod weights;
