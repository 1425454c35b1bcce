//! The boundary: which eigenvalues of the G_k are exactly zero, and the way back inside.
//!
//! A singular T_k is kept with its null columns last and exactly zero, which leaves a smooth problem in the columns
//! before them.

use crate::error::{Error, Result};
use crate::fit::certificate::Edge;
use crate::fit::search::{Search, NOISE};
use crate::numerics::eigen;
use crate::numerics::minimise::Point;
use crate::numerics::newton::Polished;
use crate::numerics::small;

/// Size (a ratio of standard deviations) below which an eigenvalue is zero but for the search's tolerance.
const ZERO: f64 = 5e-3;

/// Value and theta of a minimum at given ranks, and Newton's steps where the model has a Hessian for them.
type Attempt = (f64, Vec<f64>, Option<Polished>);

impl Search<'_> {
    /// Removes eigenvalues of the G_k that the criterion does not miss, smallest first, and polishes what is left.
    /// No rank goes below its `floor`: there the score has shown that the criterion does miss it.
    pub(crate) fn reduce(&mut self, point: &Point, floor: &[usize]) -> Result<(Vec<f64>, Vec<usize>, Polished)> {
        let mut theta = point.x.clone();
        let mut ranks: Vec<usize> = self.model.layout.terms.iter().map(|t| t.2).collect();
        let mut held: Option<Polished> = None;
        let mut f = point.f;
        let mut refused: Vec<usize> = Vec::new();
        // What the search has left at zero goes in one step.
        if let Some((candidate, fewer)) = self.without_zeros(&theta, &ranks, floor)? {
            if let Some((lower, next, polished)) = self.attempt(&candidate, &fewer, f)? {
                (f, theta, ranks) = (lower, next, fewer);
                held = polished;
            }
        }
        // A budget that is spent leaves the point where it is; the certificate still says what it is worth.
        while self.remaining() > 0 {
            let Some((_, term, candidate)) = self.smallest(&theta, &ranks, floor, &refused)? else { break };
            ranks[term] -= 1;
            if let Some((lower, next, polished)) = self.attempt(&candidate, &ranks, f)? {
                (f, theta) = (lower, next);
                held = polished;
            } else {
                ranks[term] += 1;
                refused.push(term);
            }
        }
        if let Some(polished) = held {
            return Ok((theta, ranks, polished));
        }
        match self.polish(&theta, &ranks)? {
            Some((theta, polished)) => Ok((theta, ranks, polished)),
            None => Err(Error::Internal("the criterion is not defined where the search ended".into())),
        }
    }

    /// The minimum from `candidate` at given ranks, if it is not higher than `f`.
    fn attempt(&mut self, candidate: &[f64], ranks: &[usize], f: f64) -> Result<Option<Attempt>> {
        let most = f + self.decrease() + 10.0 * NOISE * (1.0 + f.abs());
        if self.model.has_hessian() {
            let end = self.polish(candidate, ranks)?.filter(|(_, polished)| polished.point.f <= most);
            return Ok(end.map(|(theta, polished)| (polished.point.f, theta, Some(polished))));
        }
        let free = self.free(ranks);
        let end = self.descend_in(candidate, &free, 0.1 * self.decrease())?;
        Ok(end.filter(|(point, _)| point.f <= most).map(|(point, _)| (point.f, point.x, None)))
    }

    /// Theta without all eigenvalues that are zero but for the search's tolerance, if there are two or more of them.
    fn without_zeros(&self, theta: &[f64], ranks: &[usize], floor: &[usize]) -> Result<Option<(Vec<f64>, Vec<usize>)>> {
        let (mut theta, mut fewer) = (theta.to_vec(), ranks.to_vec());
        let mut removed = 0;
        while self.remaining() > 0 {
            let Some((size, term, candidate)) = self.smallest(&theta, &fewer, floor, &[])? else { break };
            if size > ZERO {
                break;
            }
            theta = candidate;
            fewer[term] -= 1;
            removed += 1;
        }
        Ok((removed > 1).then_some((theta, fewer)))
    }

    /// Size of the smallest eigenvalue that is small at all, its term, and theta without it.
    pub(crate) fn smallest(
        &self,
        theta: &[f64],
        ranks: &[usize],
        floor: &[usize],
        refused: &[usize],
    ) -> Result<Option<(f64, usize, Vec<f64>)>> {
        let layout = &self.model.layout;
        let mut blocks = layout.zeros();
        layout.fill(theta, &mut blocks);
        let mut best: Option<(f64, usize, Vec<f64>)> = None;
        for (k, &(f, _, q)) in layout.terms.iter().enumerate() {
            if ranks[k] <= floor[k] || refused.contains(&k) || self.model.held[k] {
                continue;
            }
            let t = layout.term_block(&blocks, k);
            let mut g = vec![0.0; q * q];
            small::mul_by_transposed(&mut g, &t, &t, q, q, q, 1.0);
            let (values, vectors) = eigen::symmetric(&g, q)?;
            let at = q - ranks[k];
            let rows = self.model.a.n as f64 / self.model.a.factors[f].levels as f64;
            let size = (values[at].max(0.0) * rows).sqrt();
            let relative = (values[at].max(0.0) / values[q - 1].max(f64::MIN_POSITIVE)).sqrt();
            let size = if ranks[k] > 1 { size.min(relative) } else { size };
            if size < 0.05 && best.as_ref().is_none_or(|b| size < b.0) {
                let mut rest = vec![0.0; q * q];
                for (c, e) in (at + 1..q).rev().enumerate() {
                    (0..q).for_each(|i| rest[i * q + c] = values[e].max(0.0).sqrt() * vectors[e][i]);
                }
                best = Some((size, k, small::lower_from_product(&rest, q).0));
            }
        }
        Ok(best.map(|(size, k, t)| {
            layout.set_term_block(&mut blocks, k, &t);
            (size, k, layout.theta(&blocks))
        }))
    }

    /// `theta` with one more column in the direction in which the score says that the criterion falls.
    pub(crate) fn opened(&self, theta: &[f64], ranks: &[usize], edge: &Edge) -> Vec<f64> {
        let (term, rank, direction) = (edge.term, ranks[edge.term], &edge.direction);
        let rows = self.model.a.n as f64 / self.model.a.factors[self.model.layout.terms[term].0].levels as f64;
        let length = (edge.score.abs().min(1.0) / rows).sqrt();
        let layout = &self.model.layout;
        let mut blocks = layout.zeros();
        layout.fill(theta, &mut blocks);
        let q = layout.terms[term].2;
        let mut t = layout.term_block(&blocks, term);
        (0..q).for_each(|i| t[i * q + rank] = length * direction[i]);
        let lower = small::lower_from_product(&t, q).0;
        layout.set_term_block(&mut blocks, term, &lower);
        layout.theta(&blocks)
    }
}
