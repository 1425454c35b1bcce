//! Ends of the problem search at and near its limits: each test is one cause that used to stall it or to end it too high.
//!
//! Tolerances: 1e-6 absolute for criteria of the same model reached in two ways.

mod oracle;

use ferrite_engine::{
    bootstrap, profile, Column, Correlation, Criterion, Design, Error, Estimates, Factor, Fit, FitOptions, Pattern,
    Problem, Serial, Status, Structured, Target, Watch,
};
use oracle::{Rows, Stream};

/// One row for each of `q` columns of each of 20 levels, `copies` times; effects with the given correlation of neighbours.
fn cells(q: usize, copies: usize, sd: f64, rho: f64, seed: u64) -> Rows {
    let (levels, mut s) = (20, Stream(seed));
    let n = levels * q * copies;
    let mut b = Vec::new();
    for _ in 0..levels {
        let mut last = s.normal();
        for k in 0..q {
            let fresh = s.normal();
            last = if k == 0 { last } else { rho * last + (1.0 - rho * rho).sqrt() * fresh };
            b.push(sd * last);
        }
    }
    let codes: Vec<i32> = (0..n).map(|i| 1 + ((i / q) % levels) as i32).collect();
    let y = (0..n).map(|i| 3.0 + b[(codes[i] as usize - 1) * q + i % q] + s.normal()).collect();
    let columns = (0..q).map(|k| (0..n).map(|i| f64::from(u8::from(i % q == k))).collect()).collect();
    Rows { y, x: vec![vec![]], codes: vec![codes], levels: vec![levels], terms: vec![(0, columns)], weights: None }
}

fn shaped(rows: &Rows, pattern: Pattern, equal: bool) -> Design<'_> {
    let mut d = rows.design();
    d.terms[0].structured = Some(Structured { pattern, equal });
    d
}

fn fit(design: &Design<'_>, options: &FitOptions) -> ferrite_engine::Result<Fit> {
    Problem::new(design, options)?.fit(options, None, &Watch::default())
}

#[test]
fn a_correlation_at_its_limit_is_reached_exactly_and_counted() {
    // All columns are one: the pattern is a random intercept.
    let options = FitOptions::default();
    for pattern in [Pattern::CompoundSymmetric, Pattern::Autoregressive] {
        let mut rows = cells(4, 2, 1.5, 1.0, 3);
        let design = shaped(&rows, pattern, true);
        let f = fit(&design, &options).unwrap();
        assert!(f.convergence.status.is_certified(), "{:?}", f.convergence);
        assert!(f.convergence.iterations > 0 && f.convergence.starts > 1);
        rows.terms[0].1 = vec![vec![]];
        let plain = ferrite_engine::fit(&rows.design(), &options, &Watch::default()).unwrap().0;
        assert!(f.criterion < plain.criterion + 1e-8, "{pattern:?}: {} {}", f.criterion, plain.criterion);
        if f.convergence.status == Status::OnBoundary {
            assert_eq!(f.terms[0].rank, 1);
            assert!((f.criterion - plain.criterion).abs() < 1e-8);
        }
    }
}

#[test]
fn the_lowest_common_correlation_is_reached_and_profiled_to() {
    // Effects that add up to zero within a level.
    let mut rows = cells(4, 2, 0.0, 0.0, 8);
    let mut s = Stream(9);
    let b: Vec<f64> = (0..80).map(|_| 2.0 * s.normal()).collect();
    for i in 0..rows.y.len() {
        let own = &b[(rows.codes[0][i] as usize - 1) * 4..][..4];
        rows.y[i] += own[i % 4] - own.iter().sum::<f64>() / 4.0;
    }
    let design = shaped(&rows, Pattern::CompoundSymmetric, true);
    let mut problem = Problem::new(&design, &FitOptions::default()).unwrap();
    let f = problem.fit(&FitOptions::default(), None, &Watch::default()).unwrap();
    assert!(f.convergence.status.is_certified(), "{:?}", f.convergence);
    let v = &f.terms[0].varcov;
    let rho = v[1] / v[0];
    assert!(rho < -0.1);
    let target = Target::Correlation { term: 0, columns: (0, 1) };
    let p = profile(&mut problem, &f.theta, &[], Criterion::Reml, target, &[0.5, 2.0]).unwrap();
    assert!((p.lower[1] + 1.0 / 3.0).abs() < 1e-12, "{p:?}");
    assert!(p.upper[0] > rho && p.upper[1] > p.upper[0] && p.upper[1] < 0.5, "{p:?}");
}

#[test]
fn a_profile_of_a_correlation_ends_at_one() {
    let rows = cells(4, 2, 1.0, 0.97, 5);
    let design = shaped(&rows, Pattern::Autoregressive, true);
    let mut problem = Problem::new(&design, &FitOptions::default()).unwrap();
    let f = problem.fit(&FitOptions::default(), None, &Watch::default()).unwrap();
    let target = Target::Correlation { term: 0, columns: (0, 1) };
    let p = profile(&mut problem, &f.theta, &[], Criterion::Reml, target, &[1.0, 4.0]).unwrap();
    assert_eq!(p.upper[1], 1.0, "{p:?}");
    assert!(p.lower[0] < p.estimate && p.lower[1] < p.lower[0], "{p:?}");
}

#[test]
fn no_replicate_is_lost_where_the_variance_of_a_pattern_is_small() {
    let rows = cells(4, 2, 0.25, 0.5, 11);
    for equal in [true, false] {
        let design = shaped(&rows, Pattern::Autoregressive, equal);
        let options = FitOptions::default();
        let f = fit(&design, &options).unwrap();
        let from = Estimates { theta: &f.theta, beta: &f.beta, sigma: f.sigma, phi: &[] };
        let out = bootstrap(&design, from, &options, (60, 1), &Watch::default()).unwrap();
        let certified = out.iter().filter(|r| r.done().is_some_and(|r| r.certified)).count();
        assert_eq!(certified, 60, "{equal}");
    }
}

#[test]
fn parameters_that_cannot_be_told_apart_are_refused_before_the_search() {
    let rows = cells(4, 1, 1.0, 0.5, 2);
    let options = FitOptions::default();
    let n = rows.y.len();
    // By halves of the levels, by rows of a level, by a covariate.
    let strata: Vec<f64> = rows.codes[0].iter().map(|g| f64::from(u8::from(*g > 10))).collect();
    let covariate: Vec<f64> = (0..n).map(|i| (i * i % 7) as f64 / 7.0).collect();
    let refused =
        |design: &Design<'_>| matches!(fit(design, &options), Err(Error::Unidentified { reason: "flat", .. }));
    for pattern in [Pattern::Diagonal, Pattern::CompoundSymmetric] {
        let mut design = shaped(&rows, pattern, true);
        // tau^2 (1 - rho) + sigma^2 is one number a stratum.
        assert!(refused(&design), "{pattern:?}");
        design.residual.scale = vec![Column::Values(&strata)];
        assert!(refused(&design), "{pattern:?} strata");
        design.residual.scale = vec![Column::Values(&covariate)];
        assert!(!refused(&design), "{pattern:?} covariate");
    }
    let series = Factor { codes: &rows.codes[0], levels: 20 };
    let mut design = shaped(&rows, Pattern::CompoundSymmetric, true);
    design.residual.correlation = Some(Correlation { form: Serial::Cs, series, time: &[] });
    assert!(refused(&design));
    let time: Vec<f64> = (0..n).map(|i| (i % 4) as f64).collect();
    design.residual.correlation = Some(Correlation { form: Serial::Ar1, series, time: &time });
    assert!(!refused(&design));
    assert!(!refused(&shaped(&rows, Pattern::Autoregressive, false)));
    // Series of one row have no correlation.
    let alone: Vec<i32> = (1..=n as i32).collect();
    let mut design = rows.design();
    design.terms[0].basis = vec![Column::Constant];
    design.residual.correlation =
        Some(Correlation { form: Serial::Ar1, series: Factor { codes: &alone, levels: n }, time: &time });
    let e = fit(&design, &options).unwrap_err();
    assert_eq!(e, Error::ResidualScale { column: 0, to: "flat" });
}

#[test]
fn a_residual_variance_that_the_random_effects_can_replace_is_named() {
    // One effect a row and no other noise: sigma tends to zero at a finite criterion.
    let mut rows = cells(5, 1, 3.0, 0.8, 7);
    let mut s = Stream(12);
    for level in 0..20 {
        let mut last = 3.0 * s.normal();
        for k in 0..5 {
            last = if k == 0 { last } else { 0.6 * last + 2.4 * s.normal() };
            rows.y[level * 5 + k] = last;
        }
    }
    let e = fit(&shaped(&rows, Pattern::Autoregressive, true), &FitOptions::default()).unwrap_err();
    assert!(matches!(e, Error::PerfectFit { reason: "vanishes", .. }), "{e:?}");
}

#[test]
fn covariates_in_other_units_change_nothing() {
    let mut s = Stream(21);
    let mut rows = cells(4, 3, 1.0, 0.9, 4);
    let x: Vec<f64> = (0..rows.y.len()).map(|_| s.normal()).collect();
    let b: Vec<f64> = (0..20).map(|_| s.normal()).collect();
    for (i, y) in rows.y.iter_mut().enumerate() {
        *y += b[rows.codes[0][i] as usize - 1] * x[i];
    }
    let at = |unit: f64| {
        let mut own = Rows { terms: vec![(0, vec![vec![], x.iter().map(|v| v * unit).collect()])], ..clone(&rows) };
        own.x = vec![vec![], own.terms[0].1[1].clone()];
        let f = fit(&shaped(&own, Pattern::CompoundSymmetric, false), &FitOptions::default()).unwrap();
        assert!(f.convergence.status.is_certified(), "{unit}: {:?}", f.convergence);
        f.criterion - 2.0 * unit.ln()
    };
    let (one, small, large) = (at(1.0), at(1e-7), at(1e7));
    assert!((one - small).abs() < 1e-6 && (one - large).abs() < 1e-6, "{one} {small} {large}");
}

fn clone(rows: &Rows) -> Rows {
    Rows {
        y: rows.y.clone(),
        x: rows.x.clone(),
        codes: rows.codes.clone(),
        levels: rows.levels.clone(),
        terms: rows.terms.clone(),
        weights: rows.weights.clone(),
    }
}
