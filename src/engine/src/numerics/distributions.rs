//! Upper tails of the distributions that tests refer to, and the functions they rest on (by statrs).

use statrs::function::{beta::checked_beta_reg, gamma::checked_gamma_ur};

/// P(X > x) for X chi-square with `df` degrees of freedom; all of it stands at zero where there are none.
/// Not a number where x is none or df is negative.
pub fn chi_square_tail(x: f64, df: f64) -> f64 {
    if x.is_nan() || df.is_nan() || df < 0.0 {
        return f64::NAN;
    }
    if df == 0.0 {
        return f64::from(u8::from(x <= 0.0));
    }
    match x {
        x if x <= 0.0 => 1.0,
        x if x == f64::INFINITY => 0.0,
        x => checked_gamma_ur(0.5 * df, 0.5 * x).unwrap_or(f64::NAN),
    }
}

/// P(X > x) for the equal mixture of chi-square with `df - 1` and `df` degrees of freedom: the reference of a likelihood
/// ratio for one variance that is zero, of `df` parameters.
///
/// # Source
/// Self and Liang (1987), J. Am. Stat. Assoc. 82, cases 5 and 6; Stram and Lee (1994), Biometrics 50.
pub fn chi_bar_square_tail(x: f64, df: f64) -> f64 {
    0.5 * (chi_square_tail(x, df - 1.0) + chi_square_tail(x, df))
}

/// P(X > x) for X from F with `df1` and `df2` > 0 degrees of freedom; `df2` may be infinite. Not a number otherwise.
pub fn f_tail(x: f64, df1: f64, df2: f64) -> f64 {
    if x.is_nan() || df1.is_nan() || df2.is_nan() || df1 <= 0.0 || df2 <= 0.0 {
        return f64::NAN;
    }
    match x {
        x if x <= 0.0 => 1.0,
        x if x == f64::INFINITY => 0.0,
        x if df2 == f64::INFINITY => chi_square_tail(df1 * x, df1),
        x => checked_beta_reg(0.5 * df2, 0.5 * df1, df2 / (df2 + df1 * x)).unwrap_or(f64::NAN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() <= 1e-13 * b.abs(), "{a} {b}");
    }

    #[test]
    fn tails_equal_their_closed_forms() {
        for x in [0.1_f64, 1.0, 3.5, 20.0, 300.0] {
            // Two degrees of freedom: exponential; four: one more term of the Poisson sum.
            close(chi_square_tail(x, 2.0), (-0.5 * x).exp());
            close(chi_square_tail(x, 4.0), (-0.5 * x).exp() * (1.0 + 0.5 * x));
            // F with 2 and d: a power.
            for d in [1.0, 3.0, 17.5] {
                close(f_tail(x, 2.0, d), (1.0 + 2.0 * x / d).powf(-0.5 * d));
            }
            close(f_tail(x, 2.0, f64::INFINITY), (-x).exp());
            close(chi_bar_square_tail(x, 3.0), 0.5 * (chi_square_tail(x, 2.0) + chi_square_tail(x, 3.0)));
            close(chi_bar_square_tail(x, 1.0), 0.5 * chi_square_tail(x, 1.0));
        }
        // The classic five-percent points, to the digits of the tables.
        assert!((chi_square_tail(3.841_458_820_694_124, 1.0) - 0.05).abs() < 1e-14);
        assert!((f_tail(4.964_602_743_730_711, 1.0, 10.0) - 0.05).abs() < 1e-14);
    }

    #[test]
    fn edges_have_their_limits() {
        assert!(chi_square_tail(0.0, 0.0) == 1.0 && chi_square_tail(1e-300, 0.0) == 0.0);
        assert!(chi_bar_square_tail(0.0, 1.0) == 1.0 && chi_square_tail(f64::INFINITY, 3.0) == 0.0);
        assert!(f_tail(-1.0, 2.0, 3.0) == 1.0 && f_tail(f64::INFINITY, 2.0, 3.0) == 0.0);
        assert!(f_tail(1.0, 0.0, 3.0).is_nan() && chi_square_tail(f64::NAN, 1.0).is_nan());
        assert!(chi_square_tail(1.0, -1.0).is_nan() && f_tail(1.0, 2.0, f64::NAN).is_nan());
    }
}
