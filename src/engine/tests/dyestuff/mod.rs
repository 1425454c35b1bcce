//! `Dyestuff` and `Dyestuff2`, 6 batches x 5 yields (Davies and Goldsmith 1972; Box and Tiao 1973), and their model.
#![allow(dead_code)]

use ferrite_engine::{Column, Crossprod, Design, Factor, Fit, FitOptions, Model, Problem, Term, Watch};

pub const DYESTUFF: [f64; 30] = [
    1545., 1440., 1440., 1520., 1580., 1540., 1555., 1490., 1560., 1495., 1595., 1550., 1605., 1510., 1560., 1445.,
    1440., 1595., 1465., 1545., 1595., 1630., 1515., 1635., 1625., 1520., 1455., 1450., 1480., 1445.,
];
pub const DYESTUFF2: [f64; 30] = [
    7.298, 3.846, 2.434, 9.566, 7.99, 5.22, 6.556, 0.608, 11.788, -0.892, 0.11, 10.386, 13.434, 5.51, 8.166, 2.212,
    4.852, 7.092, 9.288, 4.98, 0.282, 9.014, 4.458, 9.446, 7.198, 1.722, 4.782, 8.106, 0.758, 3.758,
];

const BATCHES: [i32; 30] = [1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 4, 4, 4, 4, 4, 5, 5, 5, 5, 5, 6, 6, 6, 6, 6];

pub fn batches() -> Vec<i32> {
    BATCHES.to_vec()
}

pub fn design(y: &[f64]) -> Design<'_> {
    let factors = vec![Factor { codes: &BATCHES, levels: 6 }];
    Design::new(y, vec![Column::Constant], factors, vec![Term::new(0, vec![Column::Constant])])
}

pub fn model(y: &[f64]) -> Model {
    Model::new(Crossprod::from_design(&design(y), 1).unwrap(), &FitOptions::default()).unwrap()
}

pub fn problem(y: &[f64]) -> Problem<'static> {
    let a = Crossprod::from_design(&design(y), 1).unwrap();
    Problem::from_sums(a, &FitOptions::default()).unwrap()
}

pub fn fitted(m: &Model, options: &FitOptions) -> Fit {
    Problem::from_sums(m.crossprod().clone(), options).unwrap().fit(options, None, &Watch::default()).unwrap()
}
