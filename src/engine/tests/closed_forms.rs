//! Balanced one-way layouts, whose REML and ML answers are closed forms of the analysis of variance.
//!
//! Source: `Dyestuff`, 6 batches x 5 yields, and `Dyestuff2` (Davies and Goldsmith 1972, section 6.4; Box and Tiao 1973).
//! MSB = 11271.5 and MSW = 2451.25 by hand, so REML gives sigma_b^2 = (MSB - MSW) / 5 = 1764.05; no other software.
//! Tolerances: the optimum is found by Newton steps on the exact gradient, so 1e-9 relative is rounding, not convergence.

mod dyestuff;

use dyestuff::{model, problem, DYESTUFF, DYESTUFF2};
use ferrite_engine::{Criterion, FitOptions, Status, Watch};

fn close(found: f64, expected: f64, relative: f64) {
    assert!((found - expected).abs() <= relative * expected.abs(), "{found} != {expected}");
}

#[test]
fn criterion_matches_references_at_fixed_theta() {
    let mut m = model(&DYESTUFF);
    let at_optimum = (1764.05_f64 / 2451.25).sqrt();
    for (theta, reference) in [(0.0, 326.0232321558786), (1.0, 319.7923890420018), (at_optimum, 319.6542768422575)] {
        let value = m.criterion(&[theta], Criterion::Reml).unwrap();
        assert!((value - reference).abs() < 1e-10, "theta = {theta}: {value} != {reference}");
    }
}

#[test]
fn reml_is_the_analysis_of_variance() {
    let fit = problem(&DYESTUFF).fit(&FitOptions::default(), None, &Watch::default()).unwrap();
    assert_eq!(fit.convergence.status, Status::Converged);
    close(fit.terms[0].varcov[0], 1764.05, 1e-9);
    close(fit.sigma * fit.sigma, 2451.25, 1e-10);
    close(fit.beta[0], 1527.5, 1e-14);
    close(fit.vcov[0].sqrt(), 19.38341215231898, 1e-9);
    // Shrinkage J n b / (n sigma_b^2 + sigma^2) times the deviation of batch A.
    close(fit.terms[0].b[0], -17.60685135, 1e-8);
}

#[test]
fn ml_is_the_closed_form() {
    let options = FitOptions { criterion: Criterion::Ml, ..Default::default() };
    let fit = problem(&DYESTUFF).fit(&options, None, &Watch::default()).unwrap();
    close(fit.theta[0], 0.752580692320214, 1e-9);
    close(fit.criterion, 327.3270598811351, 1e-14);
    close(fit.vcov[0].sqrt(), 17.69455346207478, 1e-9);
}

#[test]
fn a_variance_on_the_boundary_is_exactly_zero_and_certified() {
    let fit = problem(&DYESTUFF2).fit(&FitOptions::default(), None, &Watch::default()).unwrap();
    assert_eq!(fit.convergence.status, Status::OnBoundary);
    assert_eq!(fit.theta[0], 0.0);
    assert!(fit.convergence.kkt.unwrap() > 0.0);
    close(fit.criterion, 161.8282778122884, 1e-13);
    // sigma is the standard deviation of all 30 values.
    close(fit.sigma, 3.71568427447573, 1e-12);
}

#[test]
fn a_variance_just_inside_the_boundary_is_neither_lost_nor_doubted() {
    // Dyestuff2 with its batch means pulled apart until F = 1 + delta: REML gives theta^2 = delta / 5 exactly (balanced).
    let means: Vec<f64> = (0..6).map(|g| DYESTUFF2[5 * g..5 * g + 5].iter().sum::<f64>() / 5.0).collect();
    let grand = means.iter().sum::<f64>() / 6.0;
    let within: f64 = (0..30).map(|i| (DYESTUFF2[i] - means[i / 5]).powi(2)).sum::<f64>() / 24.0;
    let between: f64 = 5.0 * means.iter().map(|m| (m - grand).powi(2)).sum::<f64>() / 5.0;
    for delta in [1e-1, 1e-3, 1e-5, 3e-6, 1e-6, 3e-7, 1e-8, -1e-8, -1e-6, -1e-3] {
        let pull = ((1.0 + delta) * within / between).sqrt();
        let y: Vec<f64> =
            (0..30).map(|i| grand + pull * (means[i / 5] - grand) + DYESTUFF2[i] - means[i / 5]).collect();
        let fit = problem(&y).fit(&FitOptions::default(), None, &Watch::default()).unwrap();
        let status = fit.convergence.status;
        assert!(matches!(status, Status::Converged | Status::OnBoundary), "{delta}: {:?}", fit.convergence);
        let expected = if delta > 0.0 { delta / 5.0 } else { 0.0 };
        // A zero is right where the criterion cannot tell: it differs by less than 1e-11 below delta = 3e-6.
        let found = fit.theta[0].powi(2);
        assert!((found - expected).abs() < 1e-3 * expected + 6e-7, "{delta}: {found} against {expected}");
        assert!(delta < 1e-5 || found > 0.0, "{delta}: lost");
        assert!(delta > 0.0 || found == 0.0, "{delta}: false variance {found}");
    }
}
