//! Vector registers after a call of faer.
//!
//! Its kernels for products return with values in the upper halves of the vector registers (there is no `vzeroupper` in
//! them). Until those are zero, every loop that the compiler wrote for the baseline instructions waits for them and takes
//! three to four times as long: all kernels on small blocks, to the end of the process.

use pulp::{Arch, Simd, WithSimd};
use std::hint::black_box;

/// A sum over one wide register: the compiler clears the upper halves when such a function returns.
struct WideSum;

impl WithSimd for WideSum {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        simd.reduce_sum_f64s(black_box(simd.splat_f64s(black_box(0.0))))
    }
}

/// Clears the upper halves; to be called after faer.
pub fn clear_upper_halves() {
    black_box(Arch::new().dispatch(WideSum));
}
