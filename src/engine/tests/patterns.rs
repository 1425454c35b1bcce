//! Random terms whose covariance matrix has a pattern, against the unstructured ones that they are and against dense algebra.
//!
//! Tolerances: 1e-8 absolute for criteria (rounding); 1e-5 relative for gradients against central differences.

mod oracle;

use ferrite_engine::{
    fit, fixed_inference, profile, Criterion, Derivatives, Design, Factor, FitOptions, Pattern, Problem, Serial,
    Status, Structured, Target, Wanted, Watch,
};
use oracle::{designs, Rows, Stream};

const PATTERNS: [Pattern; 3] = [Pattern::Diagonal, Pattern::CompoundSymmetric, Pattern::Autoregressive];

fn with(rows: &Rows, pattern: Pattern, equal: bool) -> Design<'_> {
    let mut d = rows.design();
    d.terms[0].structured = Some(Structured { pattern, equal });
    d
}

/// Rows with four columns that vary by a factor, and another factor beside it.
fn four() -> Rows {
    let mut s = Stream(29);
    let n = 400;
    let codes = s.codes(n, 25);
    let other = s.codes(n, 8);
    let columns: Vec<Vec<f64>> = (0..4).map(|k| (0..n).map(|i| f64::from(u8::from(i % 4 == k))).collect()).collect();
    let b: Vec<f64> = (0..25 * 4).map(|_| s.normal()).collect();
    let common: Vec<f64> = (0..25).map(|_| s.normal()).collect();
    let y = (0..n)
        .map(|i| {
            let g = codes[i] as usize - 1;
            5.0 + common[g] + 0.7 * b[g * 4 + i % 4] + 0.5 * (other[i] as f64) + s.normal()
        })
        .collect();
    Rows {
        y,
        x: vec![vec![]],
        codes: vec![codes, other],
        levels: vec![25, 8],
        terms: vec![(0, columns), (1, vec![vec![]])],
        weights: None,
    }
}

#[test]
fn gradients_are_differences_and_the_search_ends_at_a_minimum() {
    let rows = four();
    let mut s = Stream(4);
    for pattern in PATTERNS {
        for equal in [true, false] {
            let what = format!("{pattern:?} {equal}");
            let design = with(&rows, pattern, equal);
            let mut problem = Problem::new(&design, &FitOptions::default()).unwrap();
            let psi: Vec<f64> = (0..problem.n_psi()).map(|_| 0.4 + 0.4 * s.uniform()).collect();
            let theta = vec![0.5; 11];
            let (_, g) = problem.criterion(&theta, &psi, &[], Criterion::Reml).unwrap();
            for i in 0..psi.len() {
                let (mut up, mut down) = (psi.clone(), psi.clone());
                (up[i], down[i]) = (psi[i] + 1e-5, psi[i] - 1e-5);
                let a = problem.criterion(&theta, &up, &[], Criterion::Reml).unwrap().0;
                let b = problem.criterion(&theta, &down, &[], Criterion::Reml).unwrap().0;
                assert!((g[i] - (a - b) / 2e-5).abs() < 1e-5 * (1.0 + g[i].abs()), "{what} [{i}]");
            }
            let f = problem.fit(&FitOptions::default(), None, &Watch::default()).unwrap();
            let ok = matches!(f.convergence.status, Status::Converged | Status::OnBoundary);
            assert!(ok, "{what}: {:?}", f.convergence);
            let expected = rows.criterion(&f.theta, Criterion::Reml);
            assert!((f.criterion - expected).abs() < 1e-8, "{what}: {} {expected}", f.criterion);
            for _ in 0..20 {
                let psi: Vec<f64> = f.psi.iter().map(|x| x + 0.2 * (s.uniform() - 0.5)).collect();
                let other = problem.criterion(&f.theta, &psi, &[], Criterion::Reml).unwrap().0;
                assert!(other > f.criterion - 1e-8, "{what}: {other} below {}", f.criterion);
            }
            // A pattern is a part of the unstructured model.
            let free = fit(&rows.design(), &FitOptions::default(), &Watch::default()).unwrap().0;
            assert!(f.criterion >= free.criterion - 1e-8, "{what}");
        }
    }
}

#[test]
fn with_two_columns_and_own_variances_a_pattern_is_unstructured() {
    for (name, rows) in designs().into_iter().filter(|(_, r)| r.terms[0].1.len() == 2) {
        let free = fit(&rows.design(), &FitOptions::default(), &Watch::default()).unwrap().0;
        for pattern in [Pattern::CompoundSymmetric, Pattern::Autoregressive] {
            let design = with(&rows, pattern, false);
            let mut problem = Problem::new(&design, &FitOptions::default()).unwrap();
            let f = problem.fit(&FitOptions::default(), None, &Watch::default()).unwrap();
            // Where the unstructured matrix is singular, the correlation is at its limit.
            let slack = 1e-8;
            assert!(
                (f.criterion - free.criterion).abs() < slack,
                "{name} {pattern:?}: {} {}",
                f.criterion,
                free.criterion
            );
        }
    }
}

#[test]
fn a_pattern_and_a_serial_correlation_are_searched_together() {
    let rows = four();
    let time: Vec<f64> = (0..400).map(f64::from).collect();
    let mut design = with(&rows, Pattern::CompoundSymmetric, true);
    design.residual.correlation = Some(ferrite_engine::Correlation {
        form: Serial::Ar1,
        series: Factor { codes: &rows.codes[1], levels: 8 },
        time: &time,
    });
    let mut problem = Problem::new(&design, &FitOptions::default()).unwrap();
    let f = problem.fit(&FitOptions::default(), None, &Watch::default()).unwrap();
    assert_eq!(f.convergence.status, Status::Converged, "{f:?}");
    assert!(f.rho.unwrap().abs() < 0.2);
}

#[test]
fn profiles_of_two_columns_are_those_of_the_unstructured_term() {
    let mut rows = designs().remove(1).1;
    let mut s = Stream(6);
    let b: Vec<(f64, f64)> = (0..11).map(|_| (3.0 * s.normal(), 1.5 * s.normal())).collect();
    for i in 0..rows.y.len() {
        let (a, c) = b[rows.codes[0][i] as usize - 1];
        rows.y[i] += a + c * (rows.x[1][i] - 3.0);
    }
    let options = FitOptions::default();
    let unstructured = rows.design();
    let mut plain = Problem::new(&unstructured, &options).unwrap();
    let f = plain.fit(&options, None, &Watch::default()).unwrap();
    let design = with(&rows, Pattern::CompoundSymmetric, false);
    let mut problem = Problem::new(&design, &options).unwrap();
    let g = problem.fit(&options, None, &Watch::default()).unwrap();
    for target in [
        Target::Sd { term: 0, column: 0 },
        Target::Sd { term: 0, column: 1 },
        Target::Correlation { term: 0, columns: (0, 1) },
        Target::Sigma,
    ] {
        let a = profile(&mut plain, &f.theta, &[], Criterion::Reml, target, &[1.0]).unwrap();
        let b = profile(&mut problem, &g.theta, &[], Criterion::Reml, target, &[1.0]).unwrap();
        for (x, y) in [(a.estimate, b.estimate), (a.lower[0], b.lower[0]), (a.upper[0], b.upper[0])] {
            assert!((x - y).abs() < 1e-5 * y.abs().max(0.05), "{target:?}: {a:?} {b:?}");
        }
    }
}

#[test]
fn degrees_of_freedom_of_two_columns_are_those_of_the_unstructured_term() {
    // The same model in two parametrisations; 1e-4: second derivatives by differences.
    let mut rows = designs().remove(1).1;
    let mut s = Stream(6);
    let b: Vec<(f64, f64)> = (0..11).map(|_| (3.0 * s.normal(), 1.5 * s.normal())).collect();
    for i in 0..rows.y.len() {
        let (a, c) = b[rows.codes[0][i] as usize - 1];
        rows.y[i] += a + c * (rows.x[1][i] - 3.0);
    }
    let options = FitOptions::default();
    let unstructured = rows.design();
    let mut plain = Problem::new(&unstructured, &options).unwrap();
    let f = plain.fit(&options, None, &Watch::default()).unwrap();
    let wanted = Wanted { kenward_roger: true, derivatives: Derivatives::Either, memory: 1e9 };
    let exact = fixed_inference(&mut plain, &f.theta, &[], Criterion::Reml, wanted).unwrap();
    let design = with(&rows, Pattern::CompoundSymmetric, false);
    let mut problem = Problem::new(&design, &options).unwrap();
    let g = problem.fit(&options, None, &Watch::default()).unwrap();
    let other = fixed_inference(&mut problem, &g.theta, &[], Criterion::Reml, wanted).unwrap();
    let df = |pieces: &ferrite_engine::FixedInference, k: usize| {
        let m = pieces.satterthwaite.jacobian.len();
        let slope: Vec<f64> = pieces.satterthwaite.jacobian.iter().map(|j| j[k * 3]).collect();
        let v: f64 = (0..m * m).map(|x| slope[x / m] * pieces.satterthwaite.covariance[x] * slope[x % m]).sum();
        2.0 * pieces.vcov_beta[k * 3].powi(2) / v
    };
    for k in 0..2 {
        assert!((df(&exact, k) / df(&other, k) - 1.0).abs() < 1e-4, "{} {}", df(&exact, k), df(&other, k));
    }
}
