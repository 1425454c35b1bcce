//! Criterion and gradient at fixed theta for every structure, against the dense definition and against differences.
//!
//! Source: tests/oracle, which forms V and factors it. A pure function of theta, so the tolerance is rounding: 1e-10
//! absolute for the criterion, 1e-6 relative for central differences of it (h^2 truncation against cancellation).

mod oracle;

use ferrite_engine::{Criterion, Crossprod, FitOptions, Model};

fn thetas(m: usize) -> Vec<Vec<f64>> {
    let mut s = oracle::Stream(11);
    (0..4).map(|k| (0..m).map(|_| [0.3, 1.0, 3.0, 0.01][k] * (s.uniform() - 0.2)).collect()).collect()
}

#[test]
fn criterion_equals_its_definition() {
    for (name, rows) in oracle::designs() {
        let a = Crossprod::from_design(&rows.design(), 1).unwrap();
        let mut model = Model::new(a, &FitOptions::default()).unwrap();
        for kind in [Criterion::Reml, Criterion::Ml] {
            for theta in thetas(rows.n_theta()) {
                let (ours, dense) = (model.criterion(&theta, kind).unwrap(), rows.criterion(&theta, kind));
                assert!((ours - dense).abs() < 1e-10, "{name} {kind:?} {theta:?}: {ours} against {dense}");
            }
        }
    }
}

#[test]
fn gradient_equals_differences() {
    for (name, rows) in oracle::designs() {
        let a = Crossprod::from_design(&rows.design(), 1).unwrap();
        let mut model = Model::new(a, &FitOptions::default()).unwrap();
        let m = model.n_theta();
        for kind in [Criterion::Reml, Criterion::Ml] {
            for theta in thetas(m) {
                let mut g = vec![0.0; m];
                model.gradient(&theta, kind, &mut g).unwrap();
                let size = g.iter().fold(1.0_f64, |a, x| a.max(x.abs()));
                for i in 0..m {
                    let h = 1e-5 * (theta[i].abs() + 0.1);
                    let mut at = |step: f64| {
                        let mut moved = theta.clone();
                        moved[i] += step;
                        model.criterion(&moved, kind).unwrap()
                    };
                    let slope = (8.0 * (at(h) - at(-h)) - at(2.0 * h) + at(-2.0 * h)) / (12.0 * h);
                    assert!(
                        (g[i] - slope).abs() < 1e-6 * size,
                        "{name} {kind:?} {theta:?} [{i}]: {} against {slope}",
                        g[i]
                    );
                }
            }
        }
    }
}

#[test]
fn theta_of_the_wrong_length_is_reported() {
    let (_, rows) = oracle::designs().swap_remove(0);
    let a = Crossprod::from_design(&rows.design(), 1).unwrap();
    let mut model = Model::new(a, &FitOptions::default()).unwrap();
    assert_eq!(model.criterion(&[1.0, 2.0], Criterion::Ml).unwrap_err().class(), "dimension");
}
