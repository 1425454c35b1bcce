//! Residual scales and correlations against dense algebra, and the search over them against random points.
//!
//! Source: the definition of R by its elements. Tolerances: 1e-8 absolute for a criterion (its rounding), 1e-5 relative for
//! a gradient against central differences.
#![allow(clippy::needless_range_loop)]

mod oracle;

use ferrite_engine::{
    bootstrap, deletions, profile, refit, Column, Correlation, Criterion, Crossprod, Design, Error, Estimates, Factor,
    FitOptions, Problem, Refit, Serial, Status, Strata, Target, Term, Watch,
};
use oracle::{designs, Rows, Stream};

/// Series and times for the rows of a design.
struct Layers {
    series: Vec<i32>,
    levels: usize,
    time: Vec<f64>,
    strata: Vec<Vec<f64>>,
}

/// Whole times with gaps, in no order; series are levels of a factor or cross them all; three strata and a covariate.
fn layers(rows: &Rows, nested: bool, seed: u64) -> Layers {
    let n = rows.y.len();
    let mut s = Stream(seed);
    let (series, levels) = if nested {
        (rows.codes[0].clone(), rows.levels[0])
    } else {
        ((0..n).map(|i| 1 + (i * 5 / n) as i32).collect(), 5)
    };
    let mut used = std::collections::HashSet::new();
    let time = (0..n)
        .map(|i| loop {
            let t = (s.uniform() * 60.0).floor();
            if used.insert((series[i], t as i64)) {
                return t;
            }
        })
        .collect();
    let strata = (1..3).map(|k| (0..n).map(|i| f64::from(u8::from(i % 3 == k))).collect()).collect();
    Layers { series, levels, time, strata }
}

fn with<'a>(mut design: Design<'a>, l: &'a Layers, form: Option<Serial>, scales: usize) -> Design<'a> {
    design.residual.scale = l.strata[..scales].iter().map(|s| Column::Values(s)).collect();
    design.residual.correlation =
        form.map(|form| Correlation { form, series: Factor { codes: &l.series, levels: l.levels }, time: &l.time });
    design
}

/// R by its elements.
fn dense(rows: &Rows, l: &Layers, form: Option<Serial>, d: &[f64], rho: f64) -> Vec<Vec<f64>> {
    let n = rows.y.len();
    let sd = |i: usize| {
        let log: f64 = d.iter().zip(&l.strata).map(|(d, s)| d * s[i]).sum();
        log.exp() / rows.weights.as_ref().map_or(1.0, |w| w[i]).sqrt()
    };
    let corr = |i: usize, j: usize| match form {
        _ if i == j => 1.0,
        Some(_) if l.series[i] != l.series[j] => 0.0,
        Some(Serial::Cs) => rho,
        Some(_) => rho.powf((l.time[i] - l.time[j]).abs()),
        None => 0.0,
    };
    (0..n).map(|i| (0..n).map(|j| sd(i) * sd(j) * corr(i, j)).collect()).collect()
}

const FORMS: [Option<Serial>; 4] = [None, Some(Serial::Ar1), Some(Serial::Car1), Some(Serial::Cs)];

#[test]
fn criterion_equals_dense_algebra_and_gradient_differences() {
    let mut s = Stream(5);
    for (name, rows) in designs() {
        for nested in [true, false] {
            let l = layers(&rows, nested, 17);
            for form in FORMS {
                for scales in [0, 2] {
                    if form.is_none() && scales == 0 {
                        continue;
                    }
                    let design = with(rows.design(), &l, form, scales);
                    let mut problem = Problem::new(&design, &FitOptions::default()).unwrap();
                    let theta: Vec<f64> = (0..rows.n_theta()).map(|_| 0.3 + 0.5 * s.uniform()).collect();
                    let mut phi: Vec<f64> = (0..scales).map(|_| s.uniform() - 0.5).collect();
                    if form.is_some() {
                        phi.push(problem.residual().phi_of(0.45));
                    }
                    let r = dense(&rows, &l, form, &phi[..scales], 0.45);
                    for kind in [Criterion::Reml, Criterion::Ml] {
                        let (f, g) = problem.criterion(&theta, &[], &phi, kind).unwrap();
                        let expected = rows.criterion_with(&theta, &r, kind);
                        let what = format!("{name} nested={nested} {form:?} scales={scales} {kind:?}");
                        assert!((f - expected).abs() < 1e-8, "{what}: {f} {expected}");
                        for i in 0..phi.len() {
                            let (mut up, mut down) = (phi.clone(), phi.clone());
                            (up[i], down[i]) = (phi[i] + 1e-5, phi[i] - 1e-5);
                            let a = problem.criterion(&theta, &[], &up, kind).unwrap().0;
                            let b = problem.criterion(&theta, &[], &down, kind).unwrap().0;
                            let difference = (a - b) / 2e-5;
                            assert!(
                                (g[i] - difference).abs() < 1e-5 * (1.0 + difference.abs()),
                                "{what} [{i}]: {} {difference}",
                                g[i]
                            );
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn a_fit_is_certified_and_no_random_point_lies_below_it() {
    let mut s = Stream(8);
    for (name, mut rows) in designs() {
        let l = layers(&rows, name != "intercept", 23);
        // Errors with three strata, on top of what is there.
        let noise: Vec<f64> = (0..rows.y.len()).map(|i| s.normal() * (1.0 + (i % 3) as f64)).collect();
        rows.y.iter_mut().zip(&noise).for_each(|(y, e)| *y += e);
        for form in FORMS {
            for scales in [0, 2] {
                if form.is_none() && scales == 0 || form == Some(Serial::Cs) && name != "intercept" {
                    continue;
                }
                let design = with(rows.design(), &l, form, scales);
                let what = format!("{name} {form:?} scales={scales}");
                let mut problem = Problem::new(&design, &FitOptions::default()).unwrap();
                let f = problem.fit(&FitOptions::default(), None, &Watch::default()).unwrap();
                let ok = matches!(f.convergence.status, Status::Converged | Status::OnBoundary);
                assert!(ok, "{what}: {f:?}");
                let r = dense(&rows, &l, form, &f.phi[..scales], f.rho.unwrap_or(0.0));
                let expected = rows.criterion_with(&f.theta, &r, Criterion::Reml);
                assert!((f.criterion - expected).abs() < 1e-8, "{what}: {} {expected}", f.criterion);
                for _ in 0..10 {
                    let theta: Vec<f64> = f.theta.iter().map(|x| x + 0.2 * (s.uniform() - 0.5)).collect();
                    let phi: Vec<f64> = f.phi.iter().map(|x| x + 0.2 * (s.uniform() - 0.5)).collect();
                    let other = problem.criterion(&theta, &[], &phi, Criterion::Reml).unwrap().0;
                    assert!(other >= f.criterion - 1e-8, "{what}: {other} below {}", f.criterion);
                }
            }
        }
    }
}

#[test]
fn one_stratum_is_the_plain_model_and_known_scales_are_weights() {
    for (name, rows) in designs() {
        let l = layers(&rows, true, 3);
        let design = with(rows.design(), &l, Some(Serial::Ar1), 2);
        let mut problem = Problem::new(&design, &FitOptions::default()).unwrap();
        let theta: Vec<f64> = (0..rows.n_theta()).map(|k| 0.4 + 0.1 * k as f64).collect();
        let (f, _) = problem.criterion(&theta, &[], &[0.0; 3], Criterion::Reml).unwrap();
        assert!((f - rows.criterion(&theta, Criterion::Reml)).abs() < 1e-9, "{name}");
    }
}

#[test]
fn ties_in_time_and_vanishing_strata_are_refused() {
    let rows = designs().remove(0).1;
    let mut l = layers(&rows, true, 3);
    let (a, b) = (4, (5..90).find(|&i| l.series[i] == l.series[4]).unwrap());
    l.time[b] = l.time[a];
    let design = with(rows.design(), &l, Some(Serial::Ar1), 0);
    let e = Problem::new(&design, &FitOptions::default()).err().unwrap();
    assert_eq!(e, Error::TiedTimes { first: 5, second: b + 1 });
    // Three rows with their own variance and their own mean, all alike: no residual is left for them.
    let mut rows = designs().remove(0).1;
    let mut l = layers(&rows, true, 3);
    l.strata[0] = (0..90).map(|i| f64::from(u8::from((10..13).contains(&i)))).collect();
    rows.x = vec![vec![], l.strata[0].clone()];
    rows.y[10..13].fill(41.0);
    let design = with(rows.design(), &l, None, 1);
    let mut problem = Problem::new(&design, &FitOptions::default()).unwrap();
    match problem.fit(&FitOptions::default(), None, &Watch::default()) {
        Err(e) => assert_eq!(e, Error::ResidualScale { column: 1, to: "zero" }),
        Ok(f) => panic!("{f:?}"),
    }
}

#[test]
fn a_pure_autoregression_is_found_again() {
    // 40 series of 50 rows, rho = 0.6, no weights: within four standard errors sqrt((1 - rho^2) / n).
    let (series, m) = (40, 50);
    let n = series * m;
    let mut s = Stream(2);
    let mut y = vec![0.0; n];
    for k in 0..series {
        let b = 0.5 * s.normal();
        let mut e = s.normal() / (1.0f64 - 0.36).sqrt();
        for t in 0..m {
            if t > 0 {
                e = 0.6 * e + s.normal();
            }
            y[k * m + t] = b + e;
        }
    }
    let codes: Vec<i32> = (0..n).map(|i| (i / m) as i32 + 1).collect();
    let rows = Rows {
        y,
        x: vec![vec![]],
        codes: vec![codes.clone()],
        levels: vec![series],
        terms: vec![(0, vec![vec![]])],
        weights: None,
    };
    let l = Layers { series: codes, levels: series, time: (0..n).map(|i| (i % m) as f64).collect(), strata: vec![] };
    let design = with(rows.design(), &l, Some(Serial::Ar1), 0);
    let mut problem = Problem::new(&design, &FitOptions::default()).unwrap();
    let f = problem.fit(&FitOptions::default(), None, &Watch::default()).unwrap();
    assert!((f.rho.unwrap() - 0.6).abs() < 4.0 * (0.64 / n as f64).sqrt(), "{:?} {:?}", f.phi, f.theta);
    let again = Crossprod::from_design(&design, 1).unwrap();
    assert_eq!(again.n, n);
}

#[test]
fn work_from_the_rows_again_agrees_with_fresh_fits() {
    let rows = designs().remove(6).1;
    let l = layers(&rows, true, 31);
    let design = with(rows.design(), &l, Some(Serial::Ar1), 1);
    let options = FitOptions { threads: 2, ..Default::default() };
    let f = Problem::new(&design, &options).unwrap().fit(&options, None, &Watch::default()).unwrap();
    let from = Estimates { theta: &f.theta, beta: &f.beta, sigma: f.sigma, phi: &f.phi };
    // The same response gives the same fit; a set that holds the first rows gives the fit of the others.
    let again = refit(&design, from, &options, &rows.y, &Watch::default()).unwrap();
    let again = again[0].done().unwrap();
    assert!((again.criterion - f.criterion).abs() < 1e-9 && (again.phi[1] - f.phi[1]).abs() < 1e-6);
    let sets: Vec<i32> = (0..90).map(|i| i32::from(i >= 60)).collect();
    let Refit::Done(part) = &deletions(&design, from, &options, (&sets, 1), &Watch::default()).unwrap()[0] else {
        panic!("no fit without the last rows")
    };
    let cut = |v: &[f64]| v[..60.min(v.len())].to_vec();
    let first = Rows {
        y: cut(&rows.y),
        x: rows.x.iter().map(|v| cut(v)).collect(),
        codes: rows.codes.iter().map(|c| c[..60].to_vec()).collect(),
        levels: rows.codes.iter().map(|c| *c[..60].iter().max().unwrap() as usize).collect(),
        terms: rows.terms.iter().map(|(f, b)| (*f, b.iter().map(|v| cut(v)).collect())).collect(),
        weights: None,
    };
    let own = Layers {
        series: l.series[..60].to_vec(),
        levels: *l.series[..60].iter().max().unwrap() as usize,
        time: cut(&l.time),
        strata: l.strata.iter().map(|v| cut(v)).collect(),
    };
    let design = with(first.design(), &own, Some(Serial::Ar1), 1);
    let fresh = Problem::new(&design, &options).unwrap().fit(&options, None, &Watch::default()).unwrap();
    assert!((part.criterion - fresh.criterion).abs() < 1e-8, "{} {}", part.criterion, fresh.criterion);
}

#[test]
fn the_bootstrap_draws_the_model_and_does_not_depend_on_threads() {
    // Ordinates of 200 replicates: means of rho and of the log scale within five of their standard errors.
    let rows = designs().remove(0).1;
    let l = layers(&rows, true, 3);
    for form in [Serial::Ar1, Serial::Cs] {
        let other = layers(&rows, form != Serial::Cs, 3);
        let l = if form == Serial::Cs { &other } else { &l };
        let design = with(rows.design(), l, Some(form), 1);
        let problem = Problem::new(&design, &FitOptions::default()).unwrap();
        let phi = [0.5, problem.residual().phi_of(0.4)];
        let from = Estimates { theta: &[0.7], beta: &[40.0, 1.0], sigma: 2.0, phi: &phi };
        let run = |threads| {
            let options = FitOptions { threads, ..Default::default() };
            bootstrap(&design, from, &options, (200, 9), &Watch::default()).unwrap()
        };
        let (one, two) = (run(1), run(2));
        let of = |all: &[Refit], f: &dyn Fn(&ferrite_engine::Replicate) -> f64| {
            all.iter().filter_map(Refit::done).map(f).collect::<Vec<f64>>()
        };
        assert_eq!(of(&one, &|r| r.criterion), of(&two, &|r| r.criterion), "{form:?}");
        for (value, truth) in [
            (of(&one, &|r| r.phi[0]), 0.5),
            (of(&one, &|r| r.beta[1]), 1.0),
            (of(&one, &|r| problem.residual().rho(&r.phi).unwrap()), 0.4),
        ] {
            let n = value.len() as f64;
            let mean = value.iter().sum::<f64>() / n;
            let sd = (value.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
            // 0.12: what estimates of a variance ratio and a correlation from 90 rows are off by on average.
            assert!((mean - truth).abs() < 5.0 * sd / n.sqrt() + 0.12, "{form:?}: {mean} for {truth}");
        }
    }
}

#[test]
fn profiles_reach_their_height_and_do_not_depend_on_the_coding() {
    let rows = designs().remove(1).1;
    let mut l = layers(&rows, true, 41);
    let options = FitOptions { criterion: Criterion::Ml, ..Default::default() };
    let z = [1.5];
    // One parameter of the residuals: the criterion where it is held is that of the model with it known.
    for (form, scales) in [(Some(Serial::Ar1), 0), (None, 1)] {
        let design = with(rows.design(), &l, form, scales);
        let mut problem = Problem::new(&design, &options).unwrap();
        let f = problem.fit(&options, None, &Watch::default()).unwrap();
        let target = if form.is_some() { Target::ResidualCorrelation } else { Target::ResidualScale(0) };
        let limits = profile(&mut problem, &f.theta, &f.phi, Criterion::Ml, target, &z).unwrap();
        for value in [limits.lower[0], limits.upper[0]] {
            let phi = if form.is_some() { problem.residual().phi_of(value) } else { value };
            let known = Problem::new(&design, &options).unwrap().into_model(&[phi]);
            let mut known = Problem::from_sums(known.crossprod().clone(), &options).unwrap();
            let height = known.fit(&options, None, &Watch::default()).unwrap().criterion - f.criterion;
            assert!((height - 2.25).abs() < 1e-6, "{form:?}: {height} at {value}");
        }
    }
    // The other stratum as reference: the same model, so the same limits for everything that is not of the residuals.
    let mut limits = Vec::new();
    for _ in 0..2 {
        let design = with(rows.design(), &l, Some(Serial::Car1), 1);
        let mut problem = Problem::new(&design, &options).unwrap();
        let f = problem.fit(&options, None, &Watch::default()).unwrap();
        let mut own = Vec::new();
        for target in [Target::Sd { term: 0, column: 0 }, Target::Coefficient(1)] {
            let found = profile(&mut problem, &f.theta, &f.phi, Criterion::Ml, target, &z).unwrap();
            own.extend([found.lower[0], found.upper[0]]);
        }
        limits.push(own);
        l.strata[0].iter_mut().for_each(|s| *s = 1.0 - *s);
    }
    for (a, b) in limits[0].iter().zip(&limits[1]) {
        assert!((a - b).abs() < 1e-5 * b.abs().max(0.01), "{limits:?}");
    }
}

#[test]
fn a_correlation_in_continuous_time_may_be_zero() {
    // Times two units apart, residuals that alternate: the best correlation is zero, and the criterion is flat there.
    let mut rows = designs().remove(0).1;
    let mut l = layers(&rows, true, 3);
    let mut count = [0; 12];
    for i in 0..90 {
        let own = &mut count[l.series[i] as usize];
        l.time[i] = 2.0 * f64::from(*own);
        rows.y[i] = 40.0 + if *own % 2 == 0 { 1.0 } else { -1.0 } + 0.1 * (i as f64).sin();
        *own += 1;
    }
    let design = with(rows.design(), &l, Some(Serial::Car1), 0);
    let mut problem = Problem::new(&design, &FitOptions::default()).unwrap();
    let f = problem.fit(&FitOptions::default(), None, &Watch::default()).unwrap();
    assert!(f.rho.unwrap() < 1e-3, "{f:?}");
    assert!(matches!(f.convergence.status, Status::Converged | Status::OnBoundary), "{:?}", f.convergence);
}

/// Criteria and gradients at one point, in the user's theta.
fn at(design: &Design<'_>, rows: &Rows, phi: &[f64], threads: usize) -> (f64, Vec<f64>) {
    let mut problem = Problem::new(design, &FitOptions { threads, ..Default::default() }).unwrap();
    let theta: Vec<f64> = (0..rows.n_theta()).map(|k| 0.4 + 0.1 * k as f64).collect();
    problem.criterion(&theta, &[], phi, Criterion::Reml).unwrap()
}

#[test]
fn rows_that_all_differ_are_summed_at_every_phi() {
    // A covariate with 90 values, alone and within series: dense algebra again, and differences for the gradient.
    let mut s = Stream(77);
    for (name, rows) in designs() {
        for nested in [true, false] {
            let mut l = layers(&rows, nested, 17);
            l.strata[0] = (0..90).map(|_| s.uniform()).collect();
            for form in FORMS {
                let design = with(rows.design(), &l, form, 1);
                let residual = Problem::new(&design, &FitOptions::default()).unwrap();
                let phi: Vec<f64> = [0.6].into_iter().chain(form.map(|_| residual.residual().phi_of(0.45))).collect();
                let (f, g) = at(&design, &rows, &phi, 1);
                let theta: Vec<f64> = (0..rows.n_theta()).map(|k| 0.4 + 0.1 * k as f64).collect();
                let r = dense(&rows, &l, form, &phi[..1], 0.45);
                let expected = rows.criterion_with(&theta, &r, Criterion::Reml);
                let what = format!("{name} nested={nested} {form:?}");
                assert!((f - expected).abs() < 1e-8, "{what}: {f} {expected}");
                for i in 0..phi.len() {
                    let (mut up, mut down) = (phi.clone(), phi.clone());
                    (up[i], down[i]) = (phi[i] + 1e-5, phi[i] - 1e-5);
                    let difference = (at(&design, &rows, &up, 1).0 - at(&design, &rows, &down, 1).0) / 2e-5;
                    assert!((g[i] - difference).abs() < 1e-5 * (1.0 + difference.abs()), "{what} [{i}]: {g:?}");
                }
            }
        }
    }
}

#[test]
fn strata_are_their_columns_and_no_time_is_the_order_of_rows() {
    for (name, rows) in designs() {
        let mut l = layers(&rows, true, 29);
        let codes: Vec<i32> = (0..90).map(|i| i % 3 + 1).collect();
        let mut count = vec![0.0; l.levels];
        for i in 0..90 {
            let own = &mut count[l.series[i] as usize - 1];
            *own += 1.0;
            l.time[i] = *own;
        }
        let columns = with(rows.design(), &l, Some(Serial::Ar1), 2);
        let mut short = columns.clone();
        short.residual.scale.clear();
        short.residual.strata = Some(Strata { codes: &codes, values: &[0.0, 1.0, 0.0, 0.0, 0.0, 1.0], levels: 3 });
        short.residual.correlation.as_mut().unwrap().time = &[];
        let phi = [0.3, -0.2, 0.4];
        let (a, b) = (at(&columns, &rows, &phi, 1), at(&short, &rows, &phi, 1));
        assert!((a.0 - b.0).abs() < 1e-10, "{name}: {} {}", a.0, b.0);
        // Without some rows there are gaps in the order.
        let options = FitOptions::default();
        let from = |phi| Estimates { theta: &[0.5], beta: &[40.0, 1.0], sigma: 2.0, phi };
        let sets: Vec<i32> = (0..90).map(|i| i32::from(i % 7 == 3)).collect();
        if rows.n_theta() == 1 && rows.x.len() == 2 {
            let part = |d: &Design<'_>| match deletions(d, from(&phi), &options, (&sets, 1), &Watch::default()) {
                Ok(mut found) => match found.remove(0) {
                    Refit::Done(f) => f.criterion,
                    _ => panic!("no fit"),
                },
                Err(e) => panic!("{e:?}"),
            };
            assert!((part(&columns) - part(&short)).abs() < 1e-8, "{name}");
        }
    }
}

#[test]
fn large_sums_do_not_depend_on_threads() {
    let n = 150_000;
    let mut s = Stream(4);
    let codes: Vec<i32> = (0..n).map(|i| (i * 7919 % 1500) as i32 + 1).collect();
    let x: Vec<f64> = (0..n).map(|_| s.uniform()).collect();
    let y: Vec<f64> = (0..n).map(|i| x[i] + f64::from(codes[i] % 5) + s.normal()).collect();
    let strata: Vec<i32> = (0..n).map(|i| (i % 3) as i32 + 1).collect();
    let factors = vec![Factor { codes: &codes, levels: 1500 }];
    let terms = vec![Term::new(0, vec![Column::Constant])];
    let plain = Design::new(&y, vec![Column::Constant, Column::Values(&x)], factors, terms);
    for kind in 0..4 {
        let mut design = plain.clone();
        if kind == 1 {
            design.residual.scale = vec![Column::Values(&x)];
        } else {
            design.residual.strata =
                Some(Strata { codes: &strata, values: &[0.0, 1.0, 0.0, 0.0, 0.0, 1.0], levels: 3 });
        }
        if kind > 1 {
            let form = if kind == 2 { Serial::Ar1 } else { Serial::Cs };
            design.residual.correlation = Some(Correlation { form, series: design.factors[0], time: &[] });
        }
        let run = |threads| {
            let mut problem = Problem::new(&design, &FitOptions { threads, ..Default::default() }).unwrap();
            let phi = vec![0.2; problem.residual().len()];
            problem.criterion(&[0.5], &[], &phi, Criterion::Reml).unwrap()
        };
        assert_eq!(run(1), run(2), "{kind}");
    }
}
