//! A model in; a fit with its certificate out.

pub(crate) mod certificate;
pub(crate) mod descents;
pub(crate) mod distinct;
pub(crate) mod estimates;
pub(crate) mod faces;
pub(crate) mod identifiability;
pub(crate) mod minimum;
pub(crate) mod mivque;
pub(crate) mod moment_starts;
pub(crate) mod problem;
pub(crate) mod rank_reduction;
pub(crate) mod saddle;
pub(crate) mod search;
pub(crate) mod settle;
pub(crate) mod starts;
pub(crate) mod together;
