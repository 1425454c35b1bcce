//! Kernels on slices: dense, small and sparse matrices, minimisers, random numbers, threads. No statistics.

pub(crate) mod counting_sort;
pub(crate) mod dense;
pub(crate) mod distributions;
pub(crate) mod eigen;
pub(crate) mod minimise;
pub(crate) mod newton;
pub(crate) mod null_space;
pub(crate) mod random;
pub(crate) mod small;
pub(crate) mod sparse;
pub(crate) mod strips;
pub(crate) mod sums;
pub(crate) mod threads;
pub(crate) mod trailing;
