//! Inference against closed forms, against a second derivation of the same quantity, and across threads.

mod dyestuff;
mod oracle;

use dyestuff::{design, problem, DYESTUFF, DYESTUFF2};
use ferrite_engine::{
    bootstrap, fixed_inference, profile, Criterion, Derivatives, Estimates, Fit, FitOptions, FixedInference, Problem,
    Refit, Target, Wanted, Watch,
};
use oracle::designs;

fn pieces_of(problem: &mut Problem<'_>, f: &Fit, kind: Criterion, memory: f64) -> FixedInference {
    let wanted = Wanted { kenward_roger: true, derivatives: Derivatives::Either, memory };
    fixed_inference(problem, &f.theta, &f.phi, kind, wanted).unwrap()
}

fn estimates(f: &Fit) -> Estimates<'_> {
    Estimates { theta: &f.theta, beta: &f.beta, sigma: f.sigma, phi: &f.phi }
}

fn df(pieces: &FixedInference, k: usize) -> f64 {
    let (p, m) = ((pieces.vcov_beta.len() as f64).sqrt() as usize, pieces.satterthwaite.jacobian.len());
    let g: Vec<f64> = pieces.satterthwaite.jacobian.iter().map(|j| j[k * p + k]).collect();
    let v: f64 = (0..m * m).map(|x| g[x / m] * pieces.satterthwaite.covariance[x] * g[x % m]).sum();
    2.0 * pieces.vcov_beta[k * p + k].powi(2) / v
}

#[test]
fn balanced_one_way_layout_has_five_degrees_of_freedom() {
    // 6 batches: the mean has J - 1 = 5 degrees of freedom exactly, and Kenward-Roger adjusts nothing.
    let mut m = problem(&DYESTUFF);
    let f = m.fit(&FitOptions::default(), None, &Watch::default()).unwrap();
    let pieces = pieces_of(&mut m, &f, Criterion::Reml, 1e9);
    assert!((df(&pieces, 0) - 5.0).abs() < 1e-8, "{}", df(&pieces, 0));
    let kr = pieces.kenward_roger.unwrap();
    assert!((kr.adjusted[0] / f.vcov[0] - 1.0).abs() < 1e-12);
    let again = pieces_of(&mut m, &f, Criterion::Reml, 0.0);
    assert!((df(&again, 0) - 5.0).abs() < 1e-5, "{}", df(&again, 0));
}

#[test]
fn a_zero_variance_leaves_all_residual_degrees_of_freedom() {
    // theta = 0: ordinary least squares with n - 1 = 29.
    let mut m = problem(&DYESTUFF2);
    let f = m.fit(&FitOptions::default(), None, &Watch::default()).unwrap();
    let pieces = pieces_of(&mut m, &f, Criterion::Reml, 1e9);
    assert!((df(&pieces, 0) - 29.0).abs() < 1e-8, "{}", df(&pieces, 0));
}

#[test]
fn exact_derivatives_equal_differences_of_the_gradient() {
    // Two derivations: traces of K against differences of the exact gradient. 1e-4: second derivatives by differences.
    for (name, rows) in designs() {
        for criterion in [Criterion::Reml, Criterion::Ml] {
            let options = FitOptions { criterion, ..Default::default() };
            let design = rows.design();
            let mut m = Problem::new(&design, &options).unwrap();
            let f = m.fit(&options, None, &Watch::default()).unwrap();
            let exact = pieces_of(&mut m, &f, criterion, 1e9);
            let other = pieces_of(&mut m, &f, criterion, 0.0);
            for (k, v) in exact.vcov_beta.iter().enumerate() {
                assert!((v - f.vcov[k]).abs() < 1e-9 * f.vcov[0].abs(), "{name}: phi");
            }
            for k in 0..f.kept.len() {
                let (a, b) = (df(&exact, k), df(&other, k));
                assert!((a / b - 1.0).abs() < 1e-4, "{name} {criterion:?} [{k}]: {a} against {b}");
            }
        }
    }
}

#[test]
fn too_little_memory_is_refused_with_the_figure() {
    let mut m = problem(&DYESTUFF);
    // One level at a time: 4 matrices of order 1.
    let f = m.fit(&FitOptions::default(), None, &Watch::default()).unwrap();
    let refused = pieces_of(&mut m, &f, Criterion::Reml, 1.0);
    assert_eq!(refused.refused, Some(32.0));
    assert!(refused.kenward_roger.is_none());
    let allowed = pieces_of(&mut m, &f, Criterion::Reml, 32.0);
    assert!(allowed.refused.is_none() && allowed.kenward_roger.is_some());
}

#[test]
fn profile_limits_by_ml() {
    // Source: root finding to 1e-9 on a dense likelihood; lme4's spline agrees to 1.7e-4.
    let options = FitOptions { criterion: Criterion::Ml, ..Default::default() };
    let z = [1.959963984540054];
    let mut m = problem(&DYESTUFF);
    let f = m.fit(&options, None, &Watch::default()).unwrap();
    let cases = [
        (Target::Sd { term: 0, column: 0 }, 12.1965052789661, 84.0634109684649),
        (Target::Sigma, 38.2301233112571, 67.6576727947205),
        (Target::Coefficient(0), 1486.45148764445, 1568.54851235555),
    ];
    for (target, lower, upper) in cases {
        let p = profile(&mut m, &f.theta, &[], Criterion::Ml, target, &z).unwrap();
        assert!(
            (p.lower[0] / lower - 1.0).abs() < 1e-7 && (p.upper[0] / upper - 1.0).abs() < 1e-7,
            "{target:?}: {p:?}"
        );
    }
    let mut m = problem(&DYESTUFF2);
    let f = m.fit(&options, None, &Watch::default()).unwrap();
    let p = profile(&mut m, &f.theta, &[], Criterion::Ml, Target::Sd { term: 0, column: 0 }, &z).unwrap();
    assert_eq!(p.lower[0], 0.0);
    assert!(p.upper[0] > 1.0);
}

#[test]
fn bootstrap_repeats_and_does_not_depend_on_threads() {
    for (name, rows) in designs().into_iter().filter(|d| ["slope", "nested and crossed", "weighted"].contains(&d.0)) {
        let run = |threads| {
            let options = FitOptions { threads, ..Default::default() };
            let design = rows.design();
            let f = Problem::new(&design, &options).unwrap().fit(&options, None, &Watch::default()).unwrap();
            let all = bootstrap(&design, estimates(&f), &options, (40, 17), &Watch::default()).unwrap();
            (f, all.iter().map(|r| r.done().unwrap().theta.clone()).collect::<Vec<_>>())
        };
        let ((_, one), (_, two)) = (run(1), run(2));
        assert_eq!(one, two, "{name}");
    }
}

#[test]
fn bootstrap_has_the_sampling_distribution_of_the_balanced_layout() {
    // theta is zero if and only if F <= 1; under the fit, F / (1 + 5 theta^2) is F(5, 24). With theta^2 = 1764.05 / 2451.25
    // R's pf(1 / (1 + 5 * 1764.05 / 2451.25), 5, 24) is 0.04841829; 4 standard errors of 8,000 draws are 0.0096.
    let options = FitOptions::default();
    let mut m = problem(&DYESTUFF);
    let f = m.fit(&options, None, &Watch::default()).unwrap();
    let draws = bootstrap(&design(&DYESTUFF), estimates(&f), &options, (8000, 3), &Watch::default()).unwrap();
    let zero = draws.iter().filter_map(Refit::done).filter(|r| r.theta[0] == 0.0).count() as f64 / 8000.0;
    assert!((zero - 0.04841829).abs() < 0.0096, "{zero}");
    let mean = draws.iter().filter_map(Refit::done).map(|r| r.beta[0]).sum::<f64>() / 8000.0;
    assert!((mean - 1527.5).abs() < 4.0 * 19.39 / 8000f64.sqrt(), "{mean}");
}
