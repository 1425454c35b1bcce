//! The fit: the best of the starts, exact zeros on the boundary, and the certificate.

use crate::error::{Error, Result};
use crate::fit::certificate::{edges, Convergence, Looked, Status};
use crate::fit::faces::has_one_minimum;
use crate::fit::identifiability;
use crate::fit::search::{Search, NOISE};
use crate::likelihood::model::Model;
use crate::numerics::minimise::{Ended, Point};
use crate::numerics::newton::Polished;
use crate::options::{FitOptions, Look, Watch};

/// Work (operations an evaluation) up to which every digit is affordable: a tight polish, central differences.
const CHEAP: f64 = 2e6;
/// The same up to which a second start is.
const TINY: f64 = 1e5;
/// A scaled score below this is a direction in which the criterion falls.
pub(crate) const SCORE: f64 = -1e-6;

/// The minimum in the working basis.
pub(crate) struct Minimum {
    pub theta: Vec<f64>,
    pub convergence: Convergence,
}

/// Minimises the criterion.
///
/// # Errors
/// [`Error::PerfectFit`] by the random part, [`Error::Interrupted`].
pub(crate) fn minimise(model: &mut Model, options: &FitOptions, watch: &Watch) -> Result<Minimum> {
    let work = model.s.work(model.a.p);
    let cheap = work < CHEAP;
    let mut search = Search {
        model,
        options,
        watch,
        evaluations: 0,
        iterations: 0,
        cheap,
        budget_spent: false,
        known: Vec::new(),
        looked: Looked::default(),
    };
    let starts = search.starts()?;
    let mut best: Option<(Point, Ended)> = None;
    let mut tried = 0;
    for (k, theta) in starts.iter().enumerate() {
        let settled = best.as_ref().is_some_and(|(_, ended)| *ended == Ended::Small);
        // The second is there for where the first fails; small models near a start try both. A third is the user's own.
        if k == 1 && settled && (work >= TINY || options.look != Look::Near) {
            continue;
        }
        tried += 1;
        if let Some((point, ended)) = search.descend(theta)? {
            if best.as_ref().is_none_or(|(b, _)| point.f < b.f - 1e-9) {
                best = Some((point, ended));
            }
        }
    }
    let mut best = best.ok_or(Error::NotPositiveDefinite)?;
    if options.look == Look::Around {
        if has_one_minimum(search.model)? {
            search.looked.single = true;
        } else if work < TINY {
            search.looked = search.look_around(&mut best, &mut tried)?;
        }
    }
    let (point, _) = best;
    search.check_sigma(&point.x, identifiability::PERFECT)?;
    let minimum = search.settle(point, tried)?;
    if matches!(minimum.convergence.status, Status::Stalled | Status::MaxEvaluations) {
        search.check_sigma(&minimum.theta, identifiability::VANISHING)?;
    }
    Ok(minimum)
}

impl Search<'_> {
    /// Finds the rank of every term, polishes, certifies; leaves the boundary again where the score says so.
    fn settle(&mut self, start: Point, starts: usize) -> Result<Minimum> {
        let mut point = start;
        let mut last = None;
        let mut floor = vec![0; self.model.layout.terms.len()];
        for _ in 0..6 {
            let (theta, ranks, polished) = self.reduce(&point, &floor)?;
            let edges = edges(self.model, &theta, &ranks, self.options.criterion)?;
            self.evaluations += usize::from(!edges.is_empty());
            let kkt = edges.iter().map(|e| e.score).fold(f64::INFINITY, f64::min);
            let downhill = edges.iter().find(|e| e.score < SCORE && e.score == kkt);
            let opened = downhill.map(|edge| {
                floor[edge.term] = ranks[edge.term] + 1;
                self.opened(&theta, &ranks, edge)
            });
            last = Some((theta, ranks, polished, kkt));
            match opened {
                Some(theta) if self.remaining() > 0 => match self.descend(&theta)? {
                    Some((next, _)) => point = next,
                    None => break,
                },
                _ => break,
            }
        }
        let (theta, ranks, polished, kkt) = last.ok_or_else(|| Error::Internal("no point was polished".into()))?;
        Ok(self.certify(theta, ranks, polished, kkt, starts))
    }

    fn certify(&self, theta: Vec<f64>, ranks: Vec<usize>, p: Polished, kkt: f64, starts: usize) -> Minimum {
        let m = p.point.x.len();
        let gradient = (0..m)
            .map(|i| p.point.g[i].abs() / p.hessian[i * m + i].abs().max(f64::MIN_POSITIVE).sqrt())
            .fold(0.0, f64::max);
        let singular = kkt.is_finite();
        let largest = p.eigenvalues.last().copied().unwrap_or(0.0);
        let curved = p.eigenvalues.first().is_none_or(|v| *v > -1e-7 * largest.max(1.0));
        let noise = 100.0 * NOISE * (1.0 + p.point.f.abs());
        let certified = curved && p.decrement <= self.options.tolerance + noise && (!singular || kkt >= SCORE);
        let status = match (certified, singular) {
            (true, false) => Status::Converged,
            (true, true) => Status::OnBoundary,
            _ if self.budget_spent || self.remaining() == 0 => Status::MaxEvaluations,
            _ => Status::Stalled,
        };
        let convergence = Convergence {
            status,
            evaluations: self.evaluations,
            iterations: self.iterations,
            starts,
            looked: self.looked,
            decrement: p.decrement,
            gradient,
            kkt: singular.then_some(kkt),
            hessian: p.hessian,
            eigenvalues: p.eigenvalues,
            ranks,
        };
        Minimum { theta, convergence }
    }
}
