//! Borrowed rows in; validated columns, orthonormal coordinates and grouping codes out.

pub(crate) mod basis;
pub(crate) mod column;
pub(crate) mod coordinates;
pub(crate) mod design;
pub(crate) mod elimination_order;
pub(crate) mod grouping;
pub(crate) mod interaction;
pub(crate) mod subset;
pub(crate) mod weights;
