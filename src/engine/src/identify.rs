//! Models whose variances the data cannot tell apart are refused, not fitted.

use crate::block::small;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::optim::bfgs::Objective;
use crate::optim::eigen;
use crate::optim::newton::Polished;
use crate::search::Search;

/// sigma^2 beside the variance of the response that is zero to working precision.
pub(crate) const PERFECT: f64 = 1e-13;
/// The same where the search did not end: sigma^2 is on its way to zero.
pub(crate) const VANISHING: f64 = 1e-6;
/// Curvature beside the largest from which a direction is worth a closer look.
const SUSPECT: f64 = 1e-3;

impl Search<'_> {
    pub(crate) fn check_sigma(&mut self, theta: &[f64], limit: f64) -> Result<()> {
        let share = self.share_of_sigma(theta)?;
        if share < limit {
            return Err(Error::PerfectFit { reason: "random", ratio: share.max(0.0).sqrt() });
        }
        Ok(())
    }

    /// sigma^2 beside the variance of the response.
    pub(crate) fn share_of_sigma(&mut self, theta: &[f64]) -> Result<f64> {
        let mut blocks = self.model.layout.zeros();
        self.model.layout.fill(theta, &mut blocks);
        let value = self.model.value(&blocks, self.options.criterion)?;
        let response = self.model.a.gram[self.model.a.gram.len() - 1] / self.model.a.n as f64;
        Ok(value.pls.pwrss / self.model.nu(self.options.criterion) / response)
    }

    /// Refuses a model whose criterion does not change along some direction.
    pub(crate) fn check_flat(&mut self, theta: &[f64], polished: &Polished, ranks: &[usize]) -> Result<()> {
        let free = self.free(ranks);
        let m = free.len();
        let scale: Vec<f64> = polished.point.x.iter().map(|x| x.abs() + 0.05).collect();
        let scaled: Vec<f64> = (0..m * m).map(|k| polished.hessian[k] * scale[k / m] * scale[k % m]).collect();
        let (values, vectors) = eigen::symmetric(&scaled, m)?;
        let largest = values.last().copied().unwrap_or(0.0).max(1.0);
        for (value, vector) in values.iter().zip(&vectors) {
            if value.abs() > SUSPECT * largest {
                continue;
            }
            let mut objective = self.objective(theta, free.clone());
            let mut g = vec![0.0; m];
            let mut flat = true;
            for side in [-0.4, 0.4] {
                let step: Vec<f64> = (0..m).map(|i| side * scale[i] * vector[i]).collect();
                let x = objective.moved_in_g(&polished.point.x, &step, ranks);
                let change = objective.evaluate(&x, &mut g)?.map(|f| (f - polished.point.f).abs());
                flat &= change.is_some_and(|c| c < 1e-7 + 1e-12 * polished.point.f.abs());
            }
            self.evaluations += 2;
            if flat {
                return Err(self.unidentified(&free, vector));
            }
        }
        Ok(())
    }

    pub(crate) fn unidentified(&self, free: &[usize], vector: &[f64]) -> Error {
        let places = &self.model.layout.places;
        let size = |i: usize| vector[i].abs();
        let first = (0..free.len()).max_by(|&i, &j| size(i).total_cmp(&size(j))).unwrap_or(0);
        let (term, row, _) = places[free[first]];
        let other = (0..free.len())
            .filter(|&i| places[free[i]].0 != term && size(i) > 1e-3)
            .max_by(|&i, &j| size(i).total_cmp(&size(j)));
        Error::Unidentified {
            term: term + 1,
            column: row + 1,
            reason: "flat",
            other: other.map_or(0, |i| places[free[i]].0 + 1),
        }
    }
}

/// Refuses a random column that lies in the span of X: its variance is not identifiable.
pub(crate) fn check_against_fixed(model: &Model) -> Result<()> {
    let (a, p, m) = (&model.a, model.a.p, model.a.p + 1);
    let mut root: Vec<f64> = (0..p * p).map(|k| a.gram[k / p * m + k % p]).collect();
    if !small::cholesky(&mut root, p) {
        return Err(Error::NotPositiveDefinite);
    }
    let mut row = vec![0.0; p];
    for (k, &(f, first, q)) in model.layout.terms.iter().enumerate() {
        let s = &a.factors[f];
        for c in first..first + q {
            let total: f64 = (0..s.levels).map(|j| s.diag[(j * s.q + c) * s.q + c]).sum();
            let mut inside = 0.0;
            for j in 0..s.levels {
                row.copy_from_slice(&s.rhs[(j * s.q + c) * m..][..p]);
                small::solve_lower(&root, p, &mut row, 1);
                inside += row.iter().map(|x| x * x).sum::<f64>();
            }
            if total - inside <= 1e-10 * total {
                return Err(Error::Unidentified { term: k + 1, column: c - first + 1, reason: "fixed", other: 0 });
            }
        }
    }
    Ok(())
}
