//! Sums that were made elsewhere: checked, and as good as rows.
//!
//! Source: the sums of rows themselves, so that fits are equal to the last bit.

mod oracle;

use ferrite_engine::{Criterion, Crossprod, Error, FitOptions, Model, Problem, Watch};
use oracle::designs;

fn again(a: &Crossprod) -> Result<Crossprod, Error> {
    let (factors, pairs) = (a.factors.clone(), a.pairs.clone());
    Crossprod::from_sums(a.n, a.gram.clone(), factors, pairs, a.order.clone(), a.coordinates.clone())
}

#[test]
fn sums_of_rows_taken_apart_give_the_same_fit() {
    for (name, rows) in designs() {
        let a = Crossprod::from_design(&rows.design(), 1).unwrap();
        let b = again(&a).unwrap_or_else(|e| panic!("{name}: {e}"));
        let [f, g] = [a, b].map(|a| {
            let options = FitOptions::default();
            Problem::from_sums(a, &options).unwrap().fit(&options, None, &Watch::default()).unwrap()
        });
        assert_eq!((f.criterion, &f.theta, &f.beta, f.sigma), (g.criterion, &g.theta, &g.beta, g.sigma), "{name}");
    }
}

#[test]
fn chunks_in_the_same_coordinates_add_up() {
    let (name, rows) = designs().remove(0);
    let whole = Crossprod::from_design(&rows.design(), 1).unwrap();
    let mut twice = again(&whole).unwrap();
    twice.merge(&whole).unwrap();
    // Every row twice: the criterion of a design that holds each of them two times.
    let mut double = rows.clone();
    fn both(v: &[f64]) -> Vec<f64> {
        [v, v].concat()
    }
    double.y = both(&rows.y);
    double.x = rows.x.iter().map(|v| both(v)).collect();
    double.codes = rows.codes.iter().map(|c| [&c[..], &c[..]].concat()).collect();
    double.terms = rows.terms.iter().map(|(f, b)| (*f, b.iter().map(|v| both(v)).collect())).collect();
    double.weights = rows.weights.as_ref().map(|v| both(v));
    let theta = vec![0.7; double.n_theta()];
    let found = Model::new(twice, &FitOptions::default()).unwrap().criterion(&theta, Criterion::Ml).unwrap();
    let expected = double.criterion(&theta, Criterion::Ml);
    assert!((found - expected).abs() < 1e-8, "{name}: {found} against {expected}");
}

#[test]
fn sums_that_cannot_be_are_refused() {
    let rows = designs().into_iter().find(|(_, r)| r.codes.len() > 1).unwrap().1;
    let a = Crossprod::from_design(&rows.design(), 1).unwrap();
    let spoilt = |change: fn(&mut Crossprod)| {
        let mut b = a.clone();
        change(&mut b);
        again(&b).err()
    };
    let dimension = |change, what: &str| {
        let found = spoilt(change);
        assert!(matches!(found, Some(Error::Dimension { what: w, .. }) if w == what), "{what}: {found:?}");
    };
    dimension(|a| a.gram.truncate(3), "cross-products");
    dimension(|a| a.factors[0].rhs.truncate(3), "products by level");
    dimension(|a| a.factors[0].counts[0] += 1, "rows of all levels");
    dimension(|a| a.pairs.clear(), "sums of two factors");
    dimension(|a| a.pairs[0].blocks.truncate(3), "sums of cells");
    dimension(|a| a.pairs[0].cols[0] = u32::MAX, "cells of a level");
    dimension(|a| a.coordinates.x.kept[0] = 99, "kept columns");
    assert!(matches!(spoilt(|a| a.gram[1] += 1.0), Some(Error::NotPositiveDefinite)));
    assert!(matches!(spoilt(|a| a.factors[0].diag[0] *= -1.0), Some(Error::NotPositiveDefinite)));
    assert!(matches!(spoilt(|a| a.coordinates.y_scale = 0.0), Some(Error::NotPositiveDefinite)));
    assert!(matches!(spoilt(|a| a.factors[0].rhs[0] = f64::NAN), Some(Error::NonFinite { kind: "sums", .. })));
    assert!(matches!(spoilt(|a| a.n = 1), Some(Error::NoResidualDf { .. })));
}
