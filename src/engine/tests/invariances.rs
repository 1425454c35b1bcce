//! What must not change a fit, or must change it in a known way: order of rows, names of levels, units, weights, threads.
//!
//! Source: the model's definition. Tolerances: 1e-8 relative for estimates (the optimum is certified far below that),
//! 1e-8 absolute for criteria; bit equality where the arithmetic is the same.

mod oracle;

use ferrite_engine::{fit, Criterion, Fit, FitOptions, Status, Watch};
use oracle::{designs, Rows, Stream};

fn run(rows: &Rows) -> Fit {
    fit(&rows.design(), &FitOptions::default(), &Watch::default()).unwrap().0
}

fn certified(f: &Fit) -> bool {
    matches!(f.convergence.status, Status::Converged | Status::OnBoundary)
}

fn close(name: &str, a: &[f64], b: &[f64], factor: f64) {
    let size = b.iter().fold(1e-6_f64, |s, x| s.max((x * factor).abs()));
    for (x, y) in a.iter().zip(b) {
        assert!((x - y * factor).abs() < 1e-8 * size, "{name}: {a:?} against {factor} x {b:?}");
    }
}

fn permuted<T: Clone>(v: &[T], order: &[usize]) -> Vec<T> {
    if v.is_empty() {
        v.to_vec()
    } else {
        order.iter().map(|&i| v[i].clone()).collect()
    }
}

#[test]
fn every_structure_is_certified_and_its_gradient_vanishes() {
    for (name, rows) in designs() {
        let f = run(&rows);
        assert!(certified(&f), "{name}: {:?}", f.convergence);
        assert!(f.convergence.decrement < 1e-10, "{name}: {}", f.convergence.decrement);
        assert!((f.criterion - rows.criterion(&f.theta, Criterion::Reml)).abs() < 1e-9, "{name}");
    }
}

#[test]
fn no_random_point_lies_below_the_minimum() {
    let mut s = Stream(3);
    for (name, rows) in designs() {
        let f = run(&rows);
        for _ in 0..40 {
            let theta: Vec<f64> = f.theta.iter().map(|x| x + 0.2 * (s.uniform() - 0.5)).collect();
            let other = rows.criterion(&theta, Criterion::Reml);
            assert!(other >= f.criterion - 1e-9, "{name}: {other} at {theta:?} below {}", f.criterion);
        }
    }
}

#[test]
fn order_of_rows_does_not_matter() {
    for (name, rows) in designs() {
        let n = rows.y.len();
        let order: Vec<usize> = (0..n).map(|i| (i * 37 + 11) % n).collect();
        let moved = Rows {
            y: permuted(&rows.y, &order),
            x: rows.x.iter().map(|v| permuted(v, &order)).collect(),
            codes: rows.codes.iter().map(|v| permuted(v, &order)).collect(),
            levels: rows.levels.clone(),
            terms: rows.terms.iter().map(|(f, b)| (*f, b.iter().map(|v| permuted(v, &order)).collect())).collect(),
            weights: rows.weights.as_ref().map(|w| permuted(w, &order)),
        };
        let (a, b) = (run(&rows), run(&moved));
        close(name, &a.theta, &b.theta, 1.0);
        close(name, &a.beta, &b.beta, 1.0);
        assert!((a.criterion - b.criterion).abs() < 1e-8);
    }
}

#[test]
fn names_of_levels_do_not_matter() {
    for (name, mut rows) in designs() {
        let a = run(&rows);
        for (codes, &levels) in rows.codes.iter_mut().zip(&rows.levels) {
            codes.iter_mut().for_each(|c| *c = levels as i32 + 1 - *c);
        }
        let b = run(&rows);
        close(name, &a.theta, &b.theta, 1.0);
        close(name, &a.vcov, &b.vcov, 1.0);
    }
}

#[test]
fn response_can_be_shifted_and_scaled() {
    for (name, rows) in designs() {
        let a = run(&rows);
        for power in [-12, -6, 3, 12] {
            let scale = 10f64.powi(power);
            let mut other = Rows {
                y: rows.y.iter().map(|y| y * scale).collect(),
                ..designs().into_iter().find(|d| d.0 == name).unwrap().1
            };
            let b = run(&other);
            close(name, &b.theta, &a.theta, 1.0);
            close(name, &b.beta, &a.beta, scale);
            close(name, &[b.sigma], &[a.sigma], scale);
            // Steps of 2^-20 survive a shift by 2^20 without rounding.
            let grid = |y: f64| (y * 1_048_576.0).round() / 1_048_576.0;
            other.y = rows.y.iter().map(|y| grid(*y)).collect();
            let still = run(&other);
            other.y.iter_mut().for_each(|y| *y += 1_048_576.0);
            let moved = run(&other);
            close(name, &moved.theta, &still.theta, 1.0);
            close(name, &[moved.sigma], &[still.sigma], 1.0);
        }
    }
}

#[test]
fn covariates_can_be_shifted_and_scaled() {
    let find = || designs().into_iter().find(|d| d.0 == "slope").unwrap().1;
    let a = run(&find());
    for (shift, scale) in [(2000.0, 1.0), (-1e6, 1.0), (0.0, 1e9), (0.0, 1e-9), (1e5, 1e3)] {
        let mut rows = find();
        let moved: Vec<f64> = rows.x[1].iter().map(|x| x * scale + shift).collect();
        rows.x[1] = moved.clone();
        rows.terms[0].1[1] = moved;
        let b = run(&rows);
        // The Jacobian of the fixed part: |X'X| changes by scale^2.
        assert!(
            (b.criterion - a.criterion - 2.0 * f64::ln(scale)).abs() < 1e-6,
            "{shift} {scale}: {} {}",
            a.criterion,
            b.criterion
        );
        assert!((b.sigma / a.sigma - 1.0).abs() < 1e-7);
        let slope = |f: &Fit| f.terms[0].varcov[3].sqrt();
        assert!((slope(&b) * scale / slope(&a) - 1.0).abs() < 1e-6, "{shift} {scale}");
    }
}

#[test]
fn weights_of_one_and_constant_weights() {
    for (name, mut rows) in designs() {
        if rows.weights.is_some() {
            continue;
        }
        let a = run(&rows);
        rows.weights = Some(vec![1.0; rows.y.len()]);
        let one = run(&rows);
        close(name, &one.theta, &a.theta, 1.0);
        assert!((one.criterion - a.criterion).abs() < 1e-9);
        // w = 4: sigma doubles, Var(b) stays, so theta halves; the likelihood stays.
        rows.weights = Some(vec![4.0; rows.y.len()]);
        let four = run(&rows);
        close(name, &four.theta, &a.theta, 0.5);
        close(name, &[four.sigma], &[a.sigma], 2.0);
        close(name, &four.beta, &a.beta, 1.0);
        let p = a.kept.len() as f64;
        assert!((four.criterion - a.criterion).abs() < 1e-8, "{name} {} {} {p}", four.criterion, a.criterion);
    }
}

#[test]
fn weighting_is_multiplying_by_the_root() {
    let (_, rows) = designs().into_iter().find(|d| d.0 == "weighted").unwrap();
    let a = run(&rows);
    let w = rows.weights.clone().unwrap();
    let root = |v: &Vec<f64>| -> Vec<f64> {
        (0..w.len()).map(|i| w[i].sqrt() * if v.is_empty() { 1.0 } else { v[i] }).collect()
    };
    let plain = Rows {
        y: root(&rows.y),
        x: rows.x.iter().map(root).collect(),
        codes: rows.codes.clone(),
        levels: rows.levels.clone(),
        terms: rows.terms.iter().map(|(f, b)| (*f, b.iter().map(root).collect())).collect(),
        weights: None,
    };
    let b = run(&plain);
    close("root", &b.theta, &a.theta, 1.0);
    close("root", &b.beta, &a.beta, 1.0);
    close("root", &b.vcov, &a.vcov, 1.0);
    let logs: f64 = w.iter().map(|x| x.ln()).sum();
    assert!((b.criterion - logs - a.criterion).abs() < 1e-8);
}

#[test]
fn threads_do_not_change_a_bit() {
    let (n, mut s) = (150_000, Stream(5));
    let (g, h) = (s.codes(n, 700), s.codes(n, 300));
    let x: Vec<f64> = (0..n).map(|_| s.normal()).collect();
    let y: Vec<f64> =
        (0..n).map(|i| x[i] + 0.01 * f64::from(g[i] % 17) + 0.02 * f64::from(h[i] % 13) + s.normal()).collect();
    let rows = Rows {
        y,
        x: vec![vec![], x.clone()],
        codes: vec![g, h],
        levels: vec![700, 300],
        terms: vec![(0, vec![vec![], x]), (1, vec![vec![]])],
        weights: None,
    };
    let with =
        |threads| fit(&rows.design(), &FitOptions { threads, ..Default::default() }, &Watch::default()).unwrap().0;
    let (one, two) = (with(1), with(2));
    assert_eq!(one.criterion.to_bits(), two.criterion.to_bits());
    assert_eq!(one.theta, two.theta);
    assert_eq!(one.beta, two.beta);
}

#[test]
fn threads_do_not_change_a_bit_of_one_factor() {
    // Enough levels for threads, and a number of them that the pieces of work do not divide.
    let (n, mut s) = (120_000, Stream(8));
    let g = s.codes(n, 41_003);
    let x: Vec<f64> = (0..n).map(|_| s.normal()).collect();
    let y: Vec<f64> = (0..n).map(|i| x[i] + 0.1 * f64::from(g[i] % 17) + s.normal()).collect();
    let rows = Rows {
        y,
        x: vec![vec![], x.clone()],
        codes: vec![g],
        levels: vec![41_003],
        terms: vec![(0, vec![vec![], x])],
        weights: None,
    };
    let with =
        |threads| fit(&rows.design(), &FitOptions { threads, ..Default::default() }, &Watch::default()).unwrap().0;
    let (one, two) = (with(1), with(2));
    assert!(certified(&one));
    assert_eq!(one.criterion.to_bits(), two.criterion.to_bits());
    assert_eq!(one.theta, two.theta);
    assert_eq!(one.hessian, two.hessian);
}

/// Compares the Hessian with central differences of the gradient, relative to the largest element. False, and nothing
/// compared, on the boundary, where the fit states no Hessian.
fn hessian_is_derivative_of_gradient(name: &str, rows: &Rows, criterion: Criterion, tolerance: f64) -> bool {
    let options = FitOptions { criterion, ..Default::default() };
    let (f, mut model) = fit(&rows.design(), &options, &Watch::default()).unwrap();
    assert!(certified(&f), "{name}: {:?}", f.convergence);
    if f.convergence.status == Status::OnBoundary {
        return false;
    }
    let m = f.theta.len();
    let largest = (0..m).map(|i| f.hessian[i * m + i].abs()).fold(0.0, f64::max);
    let (mut up, mut down) = (vec![0.0; m], vec![0.0; m]);
    for j in 0..m {
        let step = 1e-4 * (0.1 + f.theta[j].abs());
        let moved = |by: f64| (0..m).map(|i| f.theta[i] + if i == j { by } else { 0.0 }).collect::<Vec<f64>>();
        model.gradient(&moved(step), criterion, &mut up).unwrap();
        model.gradient(&moved(-step), criterion, &mut down).unwrap();
        for i in 0..m {
            let difference = (up[i] - down[i]) / (2.0 * step);
            let found = f.hessian[i * m + j];
            assert!((difference - found).abs() < tolerance * largest, "{name} {i} {j}: {difference} {found}");
        }
    }
    true
}

#[test]
fn the_hessian_is_the_derivative_of_the_gradient() {
    // Effects well above the noise: on pure noise every optimum is on the boundary and there is nothing to compare. The
    // last Newton step, at most 1e-4 of theta, does not renew the Hessian: a few times that is what the two may differ by.
    // An element with the sign of another column of Lambda differs by 1e-2 and more.
    for criterion in [Criterion::Reml, Criterion::Ml] {
        let mut s = Stream(11);
        let with_effects = designs().into_iter().map(|(name, rows)| (name, rows.with_effects(8.0, &mut s)));
        let compared = with_effects
            .filter(|(name, rows)| hessian_is_derivative_of_gradient(name, rows, criterion, 1e-3))
            .map(|(name, _)| name)
            .collect::<Vec<_>>();
        assert!(compared.len() >= 9 && compared.contains(&"crossed in three"), "{compared:?}");
    }
}

#[test]
fn the_hessian_of_nested_factors_is_the_derivative_of_the_gradient() {
    // 40 levels with 2 to 5 levels within, slopes in both; columns of Z beyond what dense algebra is used for.
    let mut s = Stream(11);
    let (mut outer, mut inner, mut x, mut y) = (vec![], vec![], vec![], vec![]);
    let mut levels = 0;
    for j in 0..40 {
        let (a, b) = (s.normal(), s.normal());
        for _ in 0..2 + j % 4 {
            levels += 1;
            let (c, d) = (s.normal(), s.normal());
            for _ in 0..6 {
                let z = s.normal();
                outer.push(j + 1);
                inner.push(levels);
                x.push(z);
                y.push(1.0 + a + c + (b + d) * z + s.normal());
            }
        }
    }
    let slope = vec![vec![], x.clone()];
    let rows = Rows {
        y,
        x: vec![vec![], x],
        codes: vec![inner, outer],
        levels: vec![levels as usize, 40],
        terms: vec![(0, slope.clone()), (1, slope)],
        weights: None,
    };
    for criterion in [Criterion::Reml, Criterion::Ml] {
        // h^2 truncation against cancellation leaves about 1e-6.
        assert!(hessian_is_derivative_of_gradient("nested", &rows, criterion, 1e-5));
    }
}

#[test]
fn a_model_without_fixed_effects_fits_in_every_structure() {
    for (name, mut rows) in designs() {
        rows.x.clear();
        let mean = rows.y.iter().sum::<f64>() / rows.y.len() as f64;
        rows.y.iter_mut().for_each(|y| *y -= mean);
        let f = run(&rows);
        assert!(certified(&f), "{name}: {:?}", f.convergence);
        assert!((f.criterion - rows.criterion(&f.theta, Criterion::Reml)).abs() < 1e-9, "{name}");
    }
}
