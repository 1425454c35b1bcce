//! The boundary: which eigenvalues of the G_k are exactly zero, and the way back inside.
//!
//! A singular T_k is kept with its null columns last and exactly zero, which leaves a smooth problem in the columns before
//! them. Here psi and phi keep their values.

use super::certificate::{edges, Edge};
use super::moments;
use super::problem::{Free, Parameters};
use super::search::{Search, NOISE};
use crate::error::{Error, Result};
use crate::numerics::minimise::Ended;
use crate::numerics::newton::Polished;
use crate::numerics::{eigen, small};

/// Size (a ratio of standard deviations) below which an eigenvalue is zero but for the search's tolerance.
const ZERO: f64 = 5e-3;
/// The same below which it is tried without it.
const SMALL: f64 = 0.05;
/// A scaled score below this is a direction in which the criterion falls.
pub(crate) const SCORE: f64 = -1e-6;
/// Times that the search leaves the boundary again.
const ROUNDS: usize = 6;

/// The minimum over theta at given psi and phi.
pub(crate) struct ThetaMinimum {
    pub at: Parameters,
    /// Rank of every G_k.
    pub ranks: Vec<usize>,
    pub polished: Polished,
    /// Smallest scaled score on the null spaces; infinite inside the parameter space.
    pub kkt: f64,
}

/// Value and parameters of a minimum at given ranks, and Newton's steps where the model has a Hessian for them.
type Attempt = (f64, Parameters, Option<Polished>);

impl Search<'_, '_> {
    /// The minimum over theta from `at`, which need not be near; where that fails, from moments and from equal variances.
    pub fn theta_minimum(&mut self, at: &Parameters) -> Result<ThetaMinimum> {
        let free = self.theta_alone(None);
        let mut best = self.descend(at.clone(), &free, self.decrease(&free))?;
        for from_moments in [true, false] {
            if best.as_ref().is_some_and(|b| b.ended == Some(Ended::Small)) || (!from_moments && best.is_some()) {
                break;
            }
            let (a, layout) = (&self.problem.model.a, &self.problem.model.layout);
            let theta =
                if from_moments { moments::standard_deviations(a, layout) } else { moments::constant(layout, 1.0) };
            let other = self.descend(Parameters { theta, ..at.clone() }, &free, self.decrease(&free))?;
            if let Some(other) = other.filter(|o| best.as_ref().is_none_or(|b| o.f < b.f - 1e-9)) {
                best = Some(other);
            }
        }
        let best = best.ok_or(Error::NotPositiveDefinite)?;
        self.exact_ranks(best.f, best.at)
    }

    /// The rank of every term, Newton's steps, and back inside where the score says so, from the end of a descent.
    pub fn exact_ranks(&mut self, f: f64, at: Parameters) -> Result<ThetaMinimum> {
        self.check_sigma(&at, true)?;
        let (mut f, mut at) = (f, at);
        let mut last = None;
        let mut floor = vec![0; self.problem.model.layout.terms.len()];
        for _ in 0..ROUNDS {
            let mut end = self.reduce(f, &at, &floor)?;
            let edges = edges(self.problem, &end.at, &end.ranks, self.kind())?;
            self.tally.evaluations += usize::from(!edges.is_empty());
            end.kkt = edges.iter().map(|e| e.score).fold(f64::INFINITY, f64::min);
            let downhill = edges.iter().find(|e| e.score < SCORE && e.score == end.kkt);
            let opened = downhill.map(|edge| {
                floor[edge.term] = end.ranks[edge.term] + 1;
                self.opened(&end.at, &end.ranks, edge)
            });
            last = Some(end);
            let Some(open) = opened.filter(|_| self.remaining() > 0) else { break };
            let free = self.theta_alone(None);
            let Some(next) = self.descend(open, &free, self.decrease(&free))? else { break };
            (f, at) = (next.f, next.at);
        }
        let end = last.ok_or_else(|| Error::Internal("no point was polished".into()))?;
        if !self.is_minimum(&end.polished, end.kkt, false) {
            self.check_sigma(&end.at, false)?;
        }
        Ok(end)
    }

    /// Theta alone, of which those elements that are not zero at given ranks.
    pub fn theta_alone(&self, ranks: Option<&[usize]>) -> Free {
        Free { theta: self.problem.free_theta(ranks), ..Free::default() }
    }

    /// Removes eigenvalues of the G_k that the criterion does not miss, smallest first, and polishes what is left.
    /// No rank goes below its `floor`: there the score has shown that the criterion does miss it.
    fn reduce(&mut self, f: f64, at: &Parameters, floor: &[usize]) -> Result<ThetaMinimum> {
        let (mut f, mut at) = (f, at.clone());
        let mut ranks: Vec<usize> = self.problem.model.layout.terms.iter().map(|t| t.2).collect();
        let mut proof: Option<Polished> = None;
        let mut refused: Vec<usize> = Vec::new();
        // What the search has left at zero goes in one step.
        if let Some((candidate, fewer)) = self.without_zeros(&at, &ranks, floor)? {
            if let Some((lower, next, polished)) = self.attempt(&candidate, &fewer, f)? {
                (f, at, ranks) = (lower, next, fewer);
                proof = polished;
            }
        }
        // A budget that is spent leaves the point where it is; the certificate still says what it is worth.
        while self.remaining() > 0 {
            let Some((_, term, candidate)) = self.smallest(&at, &ranks, floor, &refused)? else { break };
            ranks[term] -= 1;
            if let Some((lower, next, polished)) = self.attempt(&candidate, &ranks, f)? {
                (f, at) = (lower, next);
                proof = polished;
            } else {
                ranks[term] += 1;
                refused.push(term);
            }
        }
        let kkt = f64::INFINITY;
        if let Some(polished) = proof {
            return Ok(ThetaMinimum { at, ranks, polished, kkt });
        }
        let free = self.theta_alone(Some(&ranks));
        match self.polish(&at, &free)? {
            Some((at, polished)) => Ok(ThetaMinimum { at, ranks, polished, kkt }),
            None => Err(Error::Internal("the criterion is not defined where the search ended".into())),
        }
    }

    /// The minimum from `candidate` at given ranks, if it is not higher than `f`.
    fn attempt(&mut self, candidate: &Parameters, ranks: &[usize], f: f64) -> Result<Option<Attempt>> {
        let free = self.theta_alone(Some(ranks));
        let most = f + self.decrease(&free) + 10.0 * NOISE * (1.0 + f.abs());
        if self.problem.model.has_hessian() {
            let end = self.polish(candidate, &free)?.filter(|(_, polished)| polished.point.f <= most);
            return Ok(end.map(|(at, polished)| (polished.point.f, at, Some(polished))));
        }
        let end = self.descend(candidate.clone(), &free, 0.1 * self.decrease(&free))?;
        Ok(end.filter(|end| end.f <= most).map(|end| (end.f, end.at, None)))
    }

    /// Theta without all eigenvalues that are zero but for the search's tolerance, if there are two or more of them.
    fn without_zeros(
        &self,
        at: &Parameters,
        ranks: &[usize],
        floor: &[usize],
    ) -> Result<Option<(Parameters, Vec<usize>)>> {
        let (mut at, mut fewer) = (at.clone(), ranks.to_vec());
        let mut removed = 0;
        while self.remaining() > 0 {
            let Some((size, term, candidate)) = self.smallest(&at, &fewer, floor, &[])? else { break };
            if size > ZERO {
                break;
            }
            at = candidate;
            fewer[term] -= 1;
            removed += 1;
        }
        Ok((removed > 1).then_some((at, fewer)))
    }

    /// Size of the smallest eigenvalue that is small at all, its term, and theta without it.
    fn smallest(
        &self,
        at: &Parameters,
        ranks: &[usize],
        floor: &[usize],
        refused: &[usize],
    ) -> Result<Option<(f64, usize, Parameters)>> {
        let (model, layout) = (&self.problem.model, &self.problem.model.layout);
        let mut blocks = layout.zeros();
        layout.fill(&at.theta, &mut blocks);
        let mut best: Option<(f64, usize, Vec<f64>)> = None;
        for (k, &(f, _, q)) in layout.terms.iter().enumerate() {
            if ranks[k] <= floor[k] || refused.contains(&k) || self.problem.patterns[k].is_some() {
                continue;
            }
            let t = layout.term_block(&blocks, k);
            let mut g = vec![0.0; q * q];
            small::mul_by_transposed(&mut g, &t, &t, q, q, q, 1.0);
            let (values, vectors) = eigen::symmetric(&g, q)?;
            let first = q - ranks[k];
            let rows = model.a.n as f64 / model.a.factors[f].levels as f64;
            let size = (values[first].max(0.0) * rows).sqrt();
            let relative = (values[first].max(0.0) / values[q - 1].max(f64::MIN_POSITIVE)).sqrt();
            let size = if ranks[k] > 1 { size.min(relative) } else { size };
            if size < SMALL && best.as_ref().is_none_or(|b| size < b.0) {
                let mut rest = vec![0.0; q * q];
                for (c, e) in (first + 1..q).rev().enumerate() {
                    (0..q).for_each(|i| rest[i * q + c] = values[e].max(0.0).sqrt() * vectors[e][i]);
                }
                best = Some((size, k, small::lower_from_product(&rest, q).0));
            }
        }
        Ok(best.map(|(size, k, t)| {
            layout.set_term_block(&mut blocks, k, &t);
            (size, k, Parameters { theta: layout.theta(&blocks), ..at.clone() })
        }))
    }

    /// `at` with one more column of T in the direction in which the score says that the criterion falls.
    fn opened(&self, at: &Parameters, ranks: &[usize], edge: &Edge) -> Parameters {
        let (model, layout) = (&self.problem.model, &self.problem.model.layout);
        let (term, rank, direction) = (edge.term, ranks[edge.term], &edge.direction);
        let (factor, _, q) = layout.terms[term];
        let rows = model.a.n as f64 / model.a.factors[factor].levels as f64;
        let length = (edge.score.abs().min(1.0) / rows).sqrt();
        let mut blocks = layout.zeros();
        layout.fill(&at.theta, &mut blocks);
        let mut t = layout.term_block(&blocks, term);
        (0..q).for_each(|i| t[i * q + rank] = length * direction[i]);
        layout.set_term_block(&mut blocks, term, &small::lower_from_product(&t, q).0);
        Parameters { theta: layout.theta(&blocks), ..at.clone() }
    }
}
