//! Variance of prediction errors, x'beta + z'b estimated against true, from the factor and its selected inverse.
//!
//! With C the matrix of the mixed model equations, the variance is sigma^2 (x z) C^-1 (x z)' (Henderson 1975): beta and b
//! are estimated jointly, theta and sigma are taken as known. In the terms of the factor, with w = Lambda'z,
//! w'M^-1w + (x - X'WZ Lambda M^-1w)' C_x^-1 (...), so a row costs a few products with blocks that are there already. A row
//! whose levels never met in the data has no entry in the selected inverse and is solved for by itself.

use crate::design::{jacobian, user_from_working, Column};
use crate::error::{Error, Result};
use crate::fit::Problem;
use crate::likelihood::Model;
use crate::likelihood::{quadratic_form, Here, LevelPart};
use crate::numerics::small;
use crate::numerics::sums;
use crate::numerics::threads::Workers;
use crate::options::Criterion;

/// How the effects of a random term enter a prediction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Predicted by their conditional modes.
    Known,
    /// Not part of what is predicted.
    None,
    /// Part of it, but of a level about which the data say nothing: Var(b) counts in full.
    New,
}

/// Rows to predict. Codes count from 1; any other code is a level that is not in the data.
#[derive(Clone, Debug)]
pub struct Rows<'a> {
    /// Number of rows.
    pub n: usize,
    /// Columns of X, as many as the model was given.
    pub x: Vec<Column<'a>>,
    /// Level of each row by factor; empty where no term needs it.
    pub codes: Vec<&'a [i32]>,
    /// For each random term how it enters, and its columns (none where it does not).
    pub terms: Vec<(Part, Vec<Column<'a>>)>,
}

/// What all rows share.
struct Plan<'m> {
    here: Here<'m>,
    /// Working from user's coefficients of X, transposed: p x p by rows.
    jacobian: Vec<f64>,
    /// For each term: user's z to w = Lambda'z, q x q by rows.
    turns: Vec<Vec<f64>>,
    first_rows: Vec<usize>,
    unit: f64,
}

/// Var(x'beta^ + z'b^ - x'beta - z'b) for each row at a fit (theta in the user's basis), in the unit of y squared.
///
/// # Errors
/// [`Error::Dimension`] where lengths do not fit the model; [`Error::Interrupted`].
pub fn prediction_variance(
    problem: &mut Problem<'_>,
    theta: &[f64],
    phi: &[f64],
    kind: Criterion,
    rows: &Rows<'_>,
    threads: usize,
) -> Result<Vec<f64>> {
    problem.set(phi);
    let model = &mut problem.model;
    check_rows(model, rows)?;
    let t = model.blocks_from_user(theta)?;
    let (value, _) = model.value_and_gamma(&t, kind)?;
    let (model, sigma2) = (&*model, value.pls.pwrss / model.nu(kind));
    let c = &model.a.coordinates;
    let turns = (0..c.terms.len())
        .map(|k| {
            let q = c.terms[k].q();
            let mut bt = vec![0.0; q * q];
            let back = user_from_working(&c.terms[k]);
            small::mul(&mut bt, &back, &model.layout.term_block(&t, k), q, q, q, 1.0);
            bt
        })
        .collect();
    let plan = Plan {
        here: model.here()?,
        jacobian: jacobian(&c.x),
        turns,
        first_rows: (0..model.a.factors.len()).map(|f| model.s.first_row(f)).collect(),
        unit: sigma2 * c.y_scale * c.y_scale,
    };
    let workers = Workers::new(if rows.n >= 4096 { threads } else { 1 })?;
    model.watch.announce(sums::chunks(rows.n));
    let pieces = workers.map(sums::chunks(rows.n), |k| -> Result<Vec<f64>> {
        model.watch.check()?;
        model.watch.advance(1);
        let mut work = vec![0.0; plan.here.s.trailing_order()];
        sums::chunk(k, rows.n).map(|i| plan.row(rows, i, &mut work)).collect()
    });
    let mut out = Vec::with_capacity(rows.n);
    for piece in pieces {
        out.extend(piece?);
    }
    Ok(out)
}

fn check_rows(model: &Model, rows: &Rows<'_>) -> Result<()> {
    let c = &model.a.coordinates;
    let expect = |what, expected: usize, found: usize| {
        if expected == found {
            Ok(())
        } else {
            Err(Error::Dimension { what, expected, found })
        }
    };
    expect("columns of X", c.columns, rows.x.len())?;
    expect("random terms", c.terms.len(), rows.terms.len())?;
    expect("factors", model.a.factors.len(), rows.codes.len())?;
    let mut columns: Vec<&Column<'_>> = rows.x.iter().collect();
    for (term, (part, basis)) in c.terms.iter().zip(&rows.terms) {
        if *part == Part::None {
            continue;
        }
        expect("columns of a random term", term.q(), basis.len())?;
        expect("length of the codes", rows.n, rows.codes[term.factor].len())?;
        columns.extend(basis);
    }
    for column in columns {
        if let Column::Values(v) = column {
            expect("length of a column", rows.n, v.len())?;
        }
    }
    Ok(())
}

impl Plan<'_> {
    fn row(&self, rows: &Rows<'_>, i: usize, work: &mut [f64]) -> Result<f64> {
        let a = self.here.a;
        let (p, m) = (a.p, a.p + 1);
        let x: Vec<f64> = a.coordinates.x.kept.iter().map(|&c| rows.x[c].at(i)).collect();
        let mut h = vec![0.0; p];
        small::mul_transposed(&mut h, &self.jacobian, &x, p, p, 1, 1.0);
        let mut fresh = 0.0;
        let mut touched: Vec<LevelPart> = Vec::with_capacity(a.factors.len());
        for ((term, (part, basis)), turn) in a.coordinates.terms.iter().zip(&rows.terms).zip(&self.turns) {
            if *part == Part::None {
                continue;
            }
            let q = term.q();
            let z: Vec<f64> = basis.iter().map(|c| c.at(i)).collect();
            let mut w = vec![0.0; q];
            small::mul_transposed(&mut w, turn, &z, q, q, 1, 1.0);
            let code = rows.codes[term.factor][i];
            let known = *part == Part::Known && code >= 1 && code as usize <= a.factors[term.factor].levels;
            if !known {
                fresh += w.iter().map(|v| v * v).sum::<f64>();
                continue;
            }
            let at = match touched.iter().position(|t| t.factor == term.factor) {
                Some(at) => at,
                None => {
                    let width = a.factors[term.factor].q;
                    touched.push(LevelPart { factor: term.factor, level: code as usize - 1, w: vec![0.0; width] });
                    touched.len() - 1
                }
            };
            touched[at].w[term.first..term.first + q].copy_from_slice(&w);
        }
        for t in &touched {
            for (r, w) in t.w.iter().enumerate() {
                let row = (self.first_rows[t.factor] + t.level * t.w.len() + r) * m;
                h.iter_mut().zip(&self.here.inverse.solution[row..row + p]).for_each(|(h, u)| *h -= w * u);
            }
        }
        small::solve_lower(&self.here.at.pls.rx, p, &mut h, 1);
        let fixed: f64 = h.iter().map(|v| v * v).sum();
        let random = quadratic_form(self.here, &touched, work)?;
        Ok(self.unit * (fixed + random.max(0.0) + fresh))
    }
}
