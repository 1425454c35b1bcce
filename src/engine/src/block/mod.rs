//! Kernels on small dense, large dense and sparse blocks: the only module that names faer.

pub mod dense;
pub mod small;
pub mod sparse;
pub mod strips;
pub mod tiny;
pub mod trailing;
