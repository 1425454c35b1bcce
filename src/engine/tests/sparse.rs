//! Two partially crossed factors with a sparse trailing matrix, against the dense definition and against differences.
//!
//! 420 clusters in a chain: every row belongs to one of 700 units, and a unit touches two neighbouring clusters, so the
//! trailing matrix is banded. Tolerances as in criterion_at_theta.

mod oracle;

use ferrite_engine::{fit, Criterion, Crossprod, FitOptions, Model, Status, Watch};
use oracle::{Rows, Stream};

fn rows() -> Rows {
    let (units, clusters) = (700, 420);
    let mut s = Stream(23);
    let (mut unit, mut cluster) = (Vec::new(), Vec::new());
    for u in 0..units {
        for k in 0..2 {
            unit.push(u + 1);
            cluster.push((u * clusters / units + k) % clusters + 1);
        }
    }
    let n = unit.len();
    let x: Vec<f64> = (0..n).map(|_| s.normal()).collect();
    let y: Vec<f64> = (0..n).map(|i| x[i] + 0.7 * f64::from((unit[i] * 29) % 7) + s.normal()).collect();
    Rows {
        y,
        x: vec![vec![], x],
        codes: vec![unit, cluster],
        levels: vec![units as usize, clusters as usize],
        terms: vec![(0, vec![vec![]]), (1, vec![vec![]])],
        weights: None,
    }
}

#[test]
fn sparse_trailing_matrix_gives_the_definition() {
    let rows = rows();
    let mut model = Model::new(Crossprod::from_design(&rows.design(), 1).unwrap(), &FitOptions::default()).unwrap();
    assert!(model.structure().to_string().contains("sparse"), "{}", model.structure());
    let theta = [0.8, 0.5];
    let (ours, dense) = (model.criterion(&theta, Criterion::Reml).unwrap(), rows.criterion(&theta, Criterion::Reml));
    assert!((ours - dense).abs() < 1e-9, "{ours} against {dense}");
    let mut g = [0.0; 2];
    model.gradient(&theta, Criterion::Reml, &mut g).unwrap();
    for i in 0..2 {
        let mut at = |step: f64| {
            let mut moved = theta;
            moved[i] += step;
            model.criterion(&moved, Criterion::Reml).unwrap()
        };
        let h = 1e-4;
        let slope = (8.0 * (at(h) - at(-h)) - at(2.0 * h) + at(-2.0 * h)) / (12.0 * h);
        assert!((g[i] - slope).abs() < 1e-6 * slope.abs().max(1.0), "{} against {slope}", g[i]);
    }
}

#[test]
fn sparse_fit_is_certified() {
    let rows = rows();
    let f = fit(&rows.design(), &FitOptions::default(), &Watch::default()).unwrap().0;
    assert!(matches!(f.convergence.status, Status::Converged | Status::OnBoundary));
    assert!(f.convergence.decrement < 1e-10);
}
