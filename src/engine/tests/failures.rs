//! Misuse gets an error of its own class with the figures to name the cause; never a panic, never a number.

use ferrite_engine::{
    bootstrap, deletions, fit, fixed_inference, profile, refit, simulate_rlrt, Column, Derivatives, Design, Element,
    Error, Estimates, Factor, FitOptions, Null, Problem, Refit, Target, Term, Wanted, Watch,
};

const N: usize = 24;

fn values(f: impl Fn(usize) -> f64) -> Vec<f64> {
    (0..N).map(f).collect()
}

fn noise() -> Vec<f64> {
    values(|i| ((i * 7919 + 13) % 101) as f64)
}

fn groups() -> Vec<i32> {
    (0..N).map(|i| (i / 4) as i32 + 1).collect()
}

fn try_fit(y: &[f64], x: Vec<Column<'_>>, codes: &[i32], levels: usize, bases: Vec<Vec<Column<'_>>>) -> Error {
    let terms = bases.into_iter().map(|basis| Term::new(0, basis)).collect();
    let design = Design::new(y, x, vec![Factor { codes, levels }], terms);
    match fit(&design, &FitOptions::default(), &Watch::default()) {
        Ok((f, _)) => panic!("fitted: {:?}", f.convergence),
        Err(e) => e,
    }
}

fn intercept() -> Vec<Vec<Column<'static>>> {
    vec![vec![Column::Constant]]
}

#[test]
fn values_that_are_not_finite_are_named() {
    let mut y = noise();
    y[6] = f64::INFINITY;
    let e = try_fit(&y, vec![Column::Constant], &groups(), 6, intercept());
    assert_eq!(e, Error::NonFinite { kind: "response", term: 0, column: 1, row: 7 });
    let mut x = noise();
    x[2] = f64::NAN;
    let e = try_fit(&noise(), vec![Column::Constant, Column::Values(&x)], &groups(), 6, intercept());
    assert_eq!(e, Error::NonFinite { kind: "fixed", term: 0, column: 2, row: 3 });
    let e = try_fit(&noise(), vec![Column::Constant], &groups(), 6, vec![vec![Column::Constant, Column::Values(&x)]]);
    assert_eq!(e, Error::NonFinite { kind: "random", term: 1, column: 2, row: 3 });
}

#[test]
fn weights_must_be_positive() {
    let (y, codes) = (noise(), groups());
    let mut design = Design::new(
        &y,
        vec![Column::Constant],
        vec![Factor { codes: &codes, levels: 6 }],
        vec![Term::new(0, vec![Column::Constant])],
    );
    let w = values(|i| if i == 4 { 0.0 } else { 1.0 });
    design.weights = Some(&w);
    let e = fit(&design, &FitOptions::default(), &Watch::default()).err().unwrap();
    assert_eq!(e, Error::NotPositiveWeight { row: 5 });
}

#[test]
fn responses_without_residual_variance_are_refused() {
    let codes = groups();
    let constant = values(|_| 5.0);
    assert_eq!(try_fit(&constant, vec![Column::Constant], &codes, 6, intercept()), Error::ConstantResponse);
    let x = noise();
    let exact = values(|i| 2.0 + 3.0 * x[i]);
    let e = try_fit(&exact, vec![Column::Constant, Column::Values(&x)], &codes, 6, intercept());
    assert!(matches!(e, Error::PerfectFit { reason: "fixed", ratio } if ratio < 1e-12), "{e:?}");
    let by_group = values(|i| 2.0 + 3.0 * x[i] + f64::from(codes[i] * codes[i]));
    let e = try_fit(&by_group, vec![Column::Constant, Column::Values(&x)], &codes, 6, intercept());
    assert!(matches!(e, Error::PerfectFit { reason: "random", ratio } if ratio < 1e-6), "{e:?}");
}

#[test]
fn variances_that_no_number_can_hold_are_refused() {
    let x = noise();
    let huge = values(|i| x[i] * 1e200);
    let basis = || vec![vec![Column::Constant, Column::Values(&huge)]];
    let y = values(|i| f64::from(groups()[i]) * x[i] + ((i * 37 + 5) % 29) as f64 * 4.0);
    let e = try_fit(&y, vec![Column::Constant], &groups(), 6, basis());
    assert_eq!(e, Error::Scale { term: 1, column: 2 });
    let y = values(|i| by_groups()[i] * 1e300);
    assert_eq!(try_fit(&y, vec![Column::Constant], &groups(), 6, intercept()).class(), "scale");
}

#[test]
fn as_many_coefficients_as_rows_are_refused() {
    let dummies: Vec<Vec<f64>> = (0..N).map(|k| values(|i| f64::from(u8::from(i == k)))).collect();
    let x = dummies.iter().map(|d| Column::Values(d)).collect();
    assert_eq!(try_fit(&noise(), x, &groups(), 6, intercept()), Error::NoResidualDf { n: N, rank: N });
}

#[test]
fn variances_that_cannot_be_told_apart_are_refused() {
    let codes = groups();
    let dummies: Vec<Vec<f64>> = (2..=6).map(|k| values(|i| f64::from(u8::from(codes[i] == k)))).collect();
    let mut x = vec![Column::Constant];
    x.extend(dummies.iter().map(|d| Column::Values(d)));
    let e = try_fit(&noise(), x, &codes, 6, intercept());
    assert_eq!(
        e,
        Error::Unidentified { term: 1, column: 1, reason: "fixed", other: 0, parts: vec![Element::new(0, 0, 0)] }
    );
    let twice = vec![vec![Column::Constant], vec![Column::Constant]];
    let e = try_fit(&by_groups(), vec![Column::Constant], &codes, 6, twice);
    assert_eq!(e.class(), "unidentified");
    let own: Vec<i32> = (1..=N as i32).collect();
    let e = try_fit(&noise(), vec![Column::Constant], &own, N, intercept());
    assert_eq!(e.class(), "unidentified");
}

/// A response with a clear variance between groups.
fn by_groups() -> Vec<f64> {
    let (y, codes) = (noise(), groups());
    values(|i| y[i] + 60.0 * f64::from((codes[i] * 5) % 7))
}

#[test]
fn dependent_columns_of_a_random_term_are_named() {
    let x = noise();
    let double = values(|i| 2.0 * x[i] + 1.0);
    let basis = vec![Column::Constant, Column::Values(&x), Column::Values(&double)];
    let e = try_fit(&noise(), vec![Column::Constant], &groups(), 6, vec![basis]);
    assert_eq!(e, Error::RankRandom { term: 1, column: 3 });
}

#[test]
fn what_does_not_fit_in_memory_is_refused_with_the_figure() {
    let (y, codes) = (noise(), groups());
    let other: Vec<i32> = (0..N).map(|i| (i % 4) as i32 + 1).collect();
    let design = Design::new(
        &y,
        vec![Column::Constant],
        vec![Factor { codes: &codes, levels: 6 }, Factor { codes: &other, levels: 4 }],
        (0..2).map(|factor| Term::new(factor, vec![Column::Constant])).collect(),
    );
    let options = FitOptions { memory: 100.0, ..Default::default() };
    match fit(&design, &options, &Watch::default()).err().unwrap() {
        Error::TooLarge { bytes, limit } => assert!(bytes > 100.0 && limit == 100.0),
        e => panic!("{e:?}"),
    }
}

#[test]
fn wrong_lengths_and_codes_are_reported() {
    let codes = groups();
    let e = try_fit(&noise(), vec![Column::Values(&[1.0, 2.0])], &codes, 6, intercept());
    assert_eq!(e.class(), "dimension");
    let e = try_fit(&noise(), vec![Column::Constant], &codes, 5, intercept());
    assert_eq!(e.class(), "dimension");
}

#[test]
fn a_fit_can_be_stopped() {
    let (y, codes) = (noise(), groups());
    let watch = Watch::default();
    watch.stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let design = Design::new(
        &y,
        vec![Column::Constant],
        vec![Factor { codes: &codes, levels: 6 }],
        vec![Term::new(0, vec![Column::Constant])],
    );
    assert_eq!(fit(&design, &FitOptions::default(), &watch).err().unwrap(), Error::Interrupted);
}

#[test]
fn work_after_a_fit_can_be_stopped_and_says_what_was_not_done() {
    let (y, codes) = (noise(), groups());
    let factors = vec![Factor { codes: &codes, levels: 6 }];
    let design = Design::new(&y, vec![Column::Constant], factors, vec![Term::new(0, vec![Column::Constant])]);
    let (options, stopped) = (FitOptions::default(), Watch::default());
    let mut problem = Problem::new(&design, &options).unwrap();
    let f = problem.fit(&options, None, &stopped).unwrap();
    let from = Estimates { theta: &f.theta, beta: &f.beta, sigma: f.sigma, phi: &f.phi };
    stopped.stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let all = |refits: Vec<Refit>| refits.iter().all(|r| matches!(r, Refit::Stopped));
    assert_eq!(bootstrap(&design, from, &options, (40, 1), &stopped).err().unwrap(), Error::Interrupted);
    assert!(all(refit(&design, from, &options, &y, &stopped).unwrap()));
    let without = deletions(&design, from, &options, (&codes, 6), &stopped).unwrap();
    assert!(without.iter().all(|d| matches!(d, Refit::Stopped)));
    let null = Null { mu: vec![1.0], xi: vec![], n: 24.0, p: 1.0, fixed: 0 };
    assert_eq!(simulate_rlrt(&null, 10, 1, 1, &stopped).err().unwrap(), Error::Interrupted);
    problem.attend(&stopped);
    let (kind, theta) = (options.criterion, &f.theta);
    let limits = profile(&mut problem, theta, &[], kind, Target::Sigma, &[1.0]);
    assert_eq!(limits.err().unwrap(), Error::Interrupted);
    let wanted = Wanted { kenward_roger: true, derivatives: Derivatives::Either, memory: 1e9 };
    assert_eq!(fixed_inference(&mut problem, theta, &[], kind, wanted).err().unwrap(), Error::Interrupted);
}

#[test]
fn a_response_without_estimates_is_told_from_one_that_was_not_tried() {
    let (y, codes) = (noise(), groups());
    let factors = vec![Factor { codes: &codes, levels: 6 }];
    let design = Design::new(&y, vec![Column::Constant], factors, vec![Term::new(0, vec![Column::Constant])]);
    let options = FitOptions::default();
    let (f, _) = fit(&design, &options, &Watch::default()).unwrap();
    let from = Estimates { theta: &f.theta, beta: &f.beta, sigma: f.sigma, phi: &f.phi };
    let responses = [y.clone(), vec![1.0; N]].concat();
    let refits = refit(&design, from, &options, &responses, &Watch::default()).unwrap();
    assert!(matches!(refits[..], [Refit::Done(_), Refit::Failed]), "{refits:?}");
}
