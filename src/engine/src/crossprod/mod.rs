//! Rows and weights in; sums out. The last room that sees y.

pub(crate) mod by_cell;
pub(crate) mod by_level;
pub(crate) mod by_series;
pub(crate) mod class_sums;
pub(crate) mod crossprod;
pub(crate) mod flat;
pub(crate) mod from_rows;
pub(crate) mod outer;
pub(crate) mod replace_response;
pub(crate) mod row_reader;
pub(crate) mod ties;
pub(crate) mod weighted_sums;
pub(crate) mod working;
