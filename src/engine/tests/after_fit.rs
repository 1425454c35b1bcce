//! Predictions, deletions and refits against dense algebra and against fits from the rows.
//!
//! Source: Henderson's mixed model equations in their V form; the model's definition. Tolerances: 1e-9 relative for a
//! variance at one theta; 1e-8 relative where two searches end, each certified far below that.
// Written as in the definition, index by index.
#![allow(clippy::needless_range_loop)]

mod oracle;

use ferrite_engine::{
    bootstrap, deletions, fit, prediction_variance, refit, Column, Criterion, Design, Estimates, Factor, Fit,
    FitOptions, Part, Problem, Refit, Rows as NewRows, Term, Watch,
};
use oracle::{designs, Rows, Stream};

fn estimates(f: &Fit) -> Estimates<'_> {
    Estimates { theta: &f.theta, beta: &f.beta, sigma: f.sigma, phi: &f.phi }
}

fn at(v: &[f64], i: usize) -> f64 {
    if v.is_empty() {
        1.0
    } else {
        v[i]
    }
}

fn solve(a: &[Vec<f64>], b: &[f64]) -> Vec<f64> {
    let n = b.len();
    let (mut a, mut b) = (a.to_vec(), b.to_vec());
    for k in 0..n {
        let pivot = (k..n).max_by(|&i, &j| a[i][k].abs().total_cmp(&a[j][k].abs())).unwrap();
        a.swap(k, pivot);
        b.swap(k, pivot);
        for i in k + 1..n {
            let f = a[i][k] / a[k][k];
            for j in k..n {
                a[i][j] -= f * a[k][j];
            }
            b[i] -= f * b[k];
        }
    }
    for i in (0..n).rev() {
        let s: f64 = (i + 1..n).map(|j| a[i][j] * b[j]).sum();
        b[i] = (b[i] - s) / a[i][i];
    }
    b
}

/// Covariance over sigma^2 between the random parts of a row of `a` and a row of `b`.
fn covariance(rows: &Rows, theta: &[f64], (i, codes_i): (usize, &[i32]), (j, codes_j): (usize, &[i32])) -> f64 {
    let mut next = 0;
    let mut sum = 0.0;
    for (f, basis) in &rows.terms {
        let q = basis.len();
        let mut t = vec![vec![0.0; q]; q];
        for c in 0..q {
            for row in t.iter_mut().skip(c) {
                row[c] = theta[next];
                next += 1;
            }
        }
        if codes_i[*f] == codes_j[*f] {
            for k in 0..q {
                let zi: f64 = (0..q).map(|a| at(&basis[a], i) * t[a][k]).sum();
                let zj: f64 = (0..q).map(|a| at(&basis[a], j) * t[a][k]).sum();
                sum += zi * zj;
            }
        }
    }
    sum
}

/// Variance of the prediction error of row i's columns at other levels, by V.
fn dense(rows: &Rows, f: &Fit, i: usize, codes: &[i32]) -> f64 {
    let (n, p) = (rows.y.len(), rows.x.len());
    let own = |k: usize| rows.codes.iter().map(|c| c[k]).collect::<Vec<i32>>();
    let v: Vec<Vec<f64>> = (0..n)
        .map(|a| {
            (0..n)
                .map(|b| {
                    let e = if a == b { 1.0 / rows.weights.as_ref().map_or(1.0, |w| w[a]) } else { 0.0 };
                    covariance(rows, &f.theta, (a, &own(a)), (b, &own(b))) + e
                })
                .collect()
        })
        .collect();
    let c: Vec<f64> = (0..n).map(|k| covariance(rows, &f.theta, (i, codes), (k, &own(k)))).collect();
    let vc = solve(&v, &c);
    let columns: Vec<Vec<f64>> =
        rows.x.iter().map(|x| solve(&v, &(0..n).map(|k| at(x, k)).collect::<Vec<_>>())).collect();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let h: Vec<f64> = rows.x.iter().map(|x| at(x, i) - (0..n).map(|k| at(x, k) * vc[k]).sum::<f64>()).collect();
    let xx: Vec<Vec<f64>> =
        (0..p).map(|a| (0..p).map(|b| (0..n).map(|k| at(&rows.x[a], k) * columns[b][k]).sum()).collect()).collect();
    let fixed = dot(&h, &solve(&xx, &h));
    f.sigma * f.sigma * (covariance(rows, &f.theta, (i, codes), (i, codes)) - dot(&c, &vc) + fixed)
}

fn column(v: &[f64]) -> Column<'_> {
    if v.is_empty() {
        Column::Constant
    } else {
        Column::Values(v)
    }
}

#[test]
fn variance_of_prediction_errors_equals_dense_algebra() {
    for (name, rows) in designs() {
        let design = rows.design();
        let mut problem = Problem::new(&design, &FitOptions::default()).unwrap();
        let f = problem.fit(&FitOptions::default(), None, &Watch::default()).unwrap();
        let mut variance = |new: &NewRows<'_>, threads| {
            prediction_variance(&mut problem, &f.theta, &[], Criterion::Reml, new, threads).unwrap()
        };
        // Rows of the data at levels of other rows: pairs that never met are among them; and a level that is new.
        let n = rows.y.len();
        let codes: Vec<Vec<i32>> = rows
            .codes
            .iter()
            .enumerate()
            .map(|(k, c)| (0..n).map(|i| if i % 13 == 5 && k == 0 { 99 } else { c[(i * (k + 1)) % n] }).collect())
            .collect();
        let new = NewRows {
            n,
            x: rows.x.iter().map(|v| column(v)).collect(),
            codes: codes.iter().map(Vec::as_slice).collect(),
            terms: rows.terms.iter().map(|(_, b)| (Part::Known, b.iter().map(|v| column(v)).collect())).collect(),
        };
        let got = variance(&new, 2);
        for i in (0..n).step_by(6).chain([5, 18]) {
            let here: Vec<i32> = codes.iter().map(|c| c[i]).collect();
            let expected = dense(&rows, &f, i, &here);
            assert!((got[i] / expected - 1.0).abs() < 1e-9, "{name} row {i}: {} against {expected}", got[i]);
        }
        // Without random effects: x' vcov x; all of them new: plus z'Gz.
        let with =
            |part: Part| NewRows { terms: new.terms.iter().map(|(_, b)| (part, b.clone())).collect(), ..new.clone() };
        let none = variance(&with(Part::None), 1);
        let fresh = variance(&with(Part::New), 1);
        let p = rows.x.len();
        for i in 0..n {
            let x: Vec<f64> = rows.x.iter().map(|v| at(v, i)).collect();
            let fixed: f64 = (0..p * p).map(|k| x[k / p] * f.vcov[k] * x[k % p]).sum();
            assert!((none[i] / fixed - 1.0).abs() < 1e-9, "{name} row {i}: {} against {fixed}", none[i]);
            let codes = vec![1; rows.codes.len()];
            let more = f.sigma.powi(2) * covariance(&rows, &f.theta, (i, &codes), (i, &codes));
            assert!((fresh[i] / (fixed + more) - 1.0).abs() < 1e-9, "{name} row {i}");
        }
    }
}

/// The rows that are left, with the levels that still occur.
fn subset(rows: &Rows, keep: &[usize]) -> Rows {
    let pick = |v: &Vec<f64>| if v.is_empty() { vec![] } else { keep.iter().map(|&i| v[i]).collect() };
    let mut codes = Vec::new();
    let mut levels = Vec::new();
    for c in &rows.codes {
        let own: Vec<i32> = keep.iter().map(|&i| c[i]).collect();
        let mut there = own.clone();
        there.sort_unstable();
        there.dedup();
        codes.push(own.iter().map(|c| there.binary_search(c).unwrap() as i32 + 1).collect());
        levels.push(there.len());
    }
    Rows {
        y: pick(&rows.y),
        x: rows.x.iter().map(&pick).collect(),
        codes,
        levels,
        terms: rows.terms.iter().map(|(f, b)| (*f, b.iter().map(&pick).collect())).collect(),
        weights: rows.weights.as_ref().map(pick),
    }
}

fn close(name: &str, a: &[f64], b: &[f64]) {
    let size = b.iter().fold(1e-6_f64, |s, x| s.max(x.abs()));
    assert!(a.len() == b.len() && a.iter().zip(b).all(|(x, y)| (x - y).abs() < 1e-8 * size), "{name}: {a:?} {b:?}");
}

#[test]
fn a_deletion_equals_a_fit_of_the_remaining_rows() {
    for (name, rows) in designs() {
        for criterion in [Criterion::Reml, Criterion::Ml] {
            let options = FitOptions { criterion, threads: 2, ..Default::default() };
            let (f, _) = fit(&rows.design(), &options, &Watch::default()).unwrap();
            // Levels of the first factor, the first of them whole; single rows are sets as well.
            let sets: Vec<i32> =
                rows.codes[0].iter().enumerate().map(|(i, c)| if i == 60 { 4 } else { (*c).min(3) % 4 }).collect();
            let sets: Vec<i32> =
                sets.iter().zip(&rows.codes[0]).map(|(s, c)| if *s == 3 && *c > 3 { 0 } else { *s }).collect();
            let all = deletions(&rows.design(), estimates(&f), &options, (&sets, 4), &Watch::default()).unwrap();
            for (s, deletion) in (1..).zip(&all) {
                let keep: Vec<usize> = (0..sets.len()).filter(|&i| sets[i] != s).collect();
                let fresh = fit(&subset(&rows, &keep).design(), &options, &Watch::default()).unwrap().0;
                let Refit::Done(got) = deletion else { panic!("{name} {s}: {deletion:?}") };
                let what = format!("{name} {criterion:?} without {s}");
                assert!(
                    (got.criterion - fresh.criterion).abs() < 1e-8,
                    "{what}: {} {}",
                    got.criterion,
                    fresh.criterion
                );
                close(&what, &got.beta, &fresh.beta);
                close(&what, &got.vcov, &fresh.vcov);
                close(&what, &[got.sigma], &[fresh.sigma]);
                // Variances beside the residual variance: one that is nearly zero has no digits of its own.
                for (a, b) in got.terms.iter().zip(&fresh.terms) {
                    let beside = |v: &[f64]| v.iter().copied().chain([fresh.sigma.powi(2)]).collect::<Vec<f64>>();
                    close(&what, &beside(&a.varcov), &beside(&b.varcov));
                }
            }
        }
    }
}

#[test]
fn rows_that_alone_carry_a_column_cannot_be_deleted() {
    let mut rows = designs().remove(0).1;
    rows.x.push((0..rows.y.len()).map(|i| f64::from(u8::from(i == 7))).collect());
    let options = FitOptions::default();
    let (f, _) = fit(&rows.design(), &options, &Watch::default()).unwrap();
    let sets: Vec<i32> = (0..rows.y.len()).map(|i| i32::from(i == 7) + 2 * i32::from(i == 8)).collect();
    let all = deletions(&rows.design(), estimates(&f), &options, (&sets, 2), &Watch::default()).unwrap();
    assert!(matches!(all[0], Refit::Rank), "{:?}", all[0]);
    assert!(matches!(all[1], Refit::Done(_)));
    assert!(deletions(&rows.design(), estimates(&f), &options, (&sets[1..], 2), &Watch::default()).is_err());
}

#[test]
fn a_refit_equals_a_fit_of_that_response() {
    let mut s = Stream(11);
    for (name, mut rows) in designs() {
        let options = FitOptions { threads: 2, ..Default::default() };
        let (f, _) = fit(&rows.design(), &options, &Watch::default()).unwrap();
        let n = rows.y.len();
        let shift: Vec<f64> = (0..11).map(|_| 2.0 * s.normal()).collect();
        let other: Vec<f64> =
            (0..n).map(|i| 1e6 + 100.0 * (s.normal() + shift[rows.codes[0][i] as usize % 11] + rows.x[1][i])).collect();
        let mut responses = rows.y.clone();
        responses.extend(&other);
        responses.extend(vec![3.0; n]);
        let got = refit(&rows.design(), estimates(&f), &options, &responses, &Watch::default()).unwrap();
        assert!(matches!(got[2], Refit::Failed), "{name}: a constant response has no estimates");
        rows.y = other;
        let fresh = fit(&rows.design(), &options, &Watch::default()).unwrap().0;
        for (got, f) in got.iter().zip([&f, &fresh]) {
            let got = got.done().unwrap();
            assert!(got.certified, "{name}");
            assert!((got.criterion - f.criterion).abs() < 1e-8, "{name}: {} {}", got.criterion, f.criterion);
            close(name, &got.beta, &f.beta);
            close(name, &[got.sigma], &[f.sigma]);
        }
    }
}

#[test]
fn a_replicate_whose_scale_cannot_be_held_is_one_that_failed() {
    // sigma^2 is just above the smallest normal number, so that of about half of the replicates is below it; the others
    // have the estimates of the same draws in a unit in which nothing is lost.
    let (mut s, codes) = (Stream(5), (0..48).map(|i| i / 6 + 1).collect::<Vec<i32>>());
    let noise: Vec<f64> = (0..48).map(|i| s.normal() + 5.0 * f64::from(i / 6 % 3)).collect();
    let run = |unit: f64| {
        let y: Vec<f64> = noise.iter().map(|e| unit * e).collect();
        let factors = vec![Factor { codes: &codes, levels: 8 }];
        let design = Design::new(&y, vec![Column::Constant], factors, vec![Term::new(0, vec![Column::Constant])]);
        let options = FitOptions { threads: 2, ..Default::default() };
        let (f, _) = fit(&design, &options, &Watch::default()).unwrap();
        (f.sigma, bootstrap(&design, estimates(&f), &options, (60, 4), &Watch::default()).unwrap())
    };
    let (sigma, all) = run(1.0);
    assert!(all.iter().all(|r| r.done().is_some()));
    let unit = 0.5f64.powi(511 + sigma.log2().floor() as i32);
    let (small, extreme) = run(unit);
    assert!((small / (sigma * unit) - 1.0).abs() < 1e-8, "{small} {}", sigma * unit);
    let lost = extreme.iter().filter(|r| matches!(r, Refit::Failed)).count();
    assert!(lost > 0 && lost < 60, "{lost}");
    for (here, there) in all.iter().zip(&extreme) {
        if let (Some(a), Some(b)) = (here.done(), there.done()) {
            // Searches end where rounding lets them.
            close("theta", &a.theta, &b.theta);
            assert!((a.sigma * unit / b.sigma - 1.0).abs() < 1e-8);
        } else {
            assert!(matches!(there, Refit::Failed), "{there:?}");
        }
    }
}

/// X = indicators of a factor: 1 is their sum, so that a fit centres y, and so must refits and deletions.
#[test]
fn a_distant_response_keeps_its_digits_without_an_intercept() {
    let (n, mut s) = (132, Stream(23));
    let kind = |k: usize| (0..n).map(|i| f64::from(u8::from(i % 3 == k))).collect::<Vec<f64>>();
    let codes = s.codes(n, 11);
    let mut far = |centre: f64| {
        let b: Vec<f64> = (0..11).map(|_| s.normal()).collect();
        (0..n).map(|i| centre + b[codes[i] as usize - 1] + s.normal()).collect::<Vec<f64>>()
    };
    let (near, response) = (far(0.0), far(1e9));
    let mut rows = Rows {
        y: near,
        x: (0..3).map(kind).collect(),
        codes: vec![codes],
        levels: vec![11],
        terms: vec![(0, vec![vec![]])],
        weights: None,
    };
    let options = FitOptions::default();
    let (f, _) = fit(&rows.design(), &options, &Watch::default()).unwrap();
    let refits = refit(&rows.design(), estimates(&f), &options, &response, &Watch::default()).unwrap();
    rows.y = response;
    let (fresh, _) = fit(&rows.design(), &options, &Watch::default()).unwrap();
    let got = refits[0].done().unwrap();
    let same = |x: f64, y: f64, what: &str| assert!((x / y - 1.0).abs() < 1e-8, "{what}: {x} against {y}");
    same(got.sigma, fresh.sigma, "sigma");
    same(got.theta[0], fresh.theta[0], "theta");
    same(got.criterion, fresh.criterion, "criterion");
    got.beta.iter().zip(&fresh.beta).for_each(|(b, f)| assert!((b - f).abs() < 1e-6, "{b} against {f}"));
    // Without the first ten rows: against a fit of the others.
    let sets: Vec<i32> = (0..n).map(|i| i32::from(i < 10)).collect();
    let out = deletions(&rows.design(), estimates(&fresh), &options, (&sets, 1), &Watch::default()).unwrap();
    rows.y.drain(..10);
    rows.codes[0].drain(..10);
    rows.x.iter_mut().for_each(|x| drop(x.drain(..10)));
    let (rest, _) = fit(&rows.design(), &options, &Watch::default()).unwrap();
    let got = out[0].done().unwrap();
    same(got.sigma, rest.sigma, "sigma without rows");
    same(got.theta[0], rest.theta[0], "theta without rows");
    got.beta.iter().zip(&rest.beta).for_each(|(b, f)| assert!((b - f).abs() < 1e-6, "{b} against {f}"));
}
