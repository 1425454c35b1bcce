//! Other optima: where evaluations are cheap the search looks from every face of the boundary.
//!
//! The criterion can have several minima, typically one with a variance at zero or a correlation at its limit beside one
//! inside. On every face (a rank for every term) the criterion is minimised in what is left; the lowest end is refined, which
//! leaves its face where the score says that the criterion falls. A few steps from every face show which are the most
//! promising, and only these are followed. A descent stops that leads to a point that is known, or not below one.

use super::certificate::Looked;
use super::identifiability;
use super::moments;
use super::objective::{Known, LOOSE};
use super::problem::{Free, Parameters};
use super::search::{Descent, Search};
use crate::error::Result;
use crate::likelihood::Model;
use crate::numerics::minimise::Ended;
use crate::numerics::{eigen, small};
use crate::options::Look;

/// Operations that may be spent on starts: their number times those of an evaluation.
const SPENT: f64 = 2e5;
/// Most starts.
const MOST: usize = 64;
/// Evaluations of a first look from a face.
const GLANCE: usize = 3;
/// Of the faces that lead to nothing known in these, how many are followed to their ends, the lowest first.
const FURTHER: usize = 5;
/// Columns of a term up to which every pattern of signs of a rank one matrix is looked at.
const SIGNED: usize = 4;
/// Elements of the means of a level up to which one minimum is recognised.
const WIDEST: usize = 16;
/// Part of the criterion by which an end must be lower than the first: where two are as low, the first stays.
const TIE: f64 = 1e-8;
/// A ratio of standard deviations that is neither zero nor saturated.
const MIDDLE: f64 = 0.5;
/// One that is nearly saturated.
const FAR: f64 = 10.0;

/// Where to look from: a theta whose null columns are zero, and the ranks.
struct Face {
    at: Parameters,
    ranks: Vec<usize>,
}

impl Search<'_, '_> {
    /// The lowest point that is found from the faces of the boundary; `best` where there is no lower one. Models with psi or
    /// phi, and those whose evaluations are dear, are looked at from their starts alone.
    pub fn look_around(&mut self, best: Descent) -> Result<Descent> {
        if self.options.look != Look::Around || !self.problem.is_plain() {
            return Ok(best);
        }
        if has_one_minimum(&self.problem.model)? {
            self.looked.single = true;
            return Ok(best);
        }
        if !self.is_tiny() {
            return Ok(best);
        }
        let mut best = best;
        let (faces, of) = self.faces(&best.at);
        self.remember(&best);
        let mut looked = 0;
        let mut open: Vec<(Descent, Free)> = Vec::new();
        for face in faces {
            if self.remaining() == 0 {
                break;
            }
            looked += 1;
            self.tally.starts += 1;
            let free = self.theta_alone(Some(&face.ranks));
            let begun = self.begin(face.at, &free)?;
            let end = self.go_on(begun, &free, LOOSE, GLANCE)?;
            match end.ended {
                None | Some(Ended::Known) => {}
                Some(Ended::Higher) => self.remember(&end),
                Some(_) => open.push((end, free)),
            }
        }
        open.sort_by(|a, b| a.0.f.total_cmp(&b.0.f));
        for (from, free) in open.into_iter().take(FURTHER) {
            if self.remaining() > 0 {
                if let Some(lower) = self.look_further(from, &free, best.f)? {
                    best = lower;
                }
            }
        }
        self.known.clear();
        self.looked = Looked { faces: looked, of, single: false };
        Ok(best)
    }

    fn remember(&mut self, end: &Descent) {
        self.known.extend(Known::new(self.problem, &end.at, end.f));
    }

    /// The end of a descent that is lower than `lowest`, if it is.
    fn look_further(&mut self, from: Descent, free: &Free, lowest: f64) -> Result<Option<Descent>> {
        let Some(end) = self.descend(from.at, free, LOOSE)? else { return Ok(None) };
        let is_known = |k: &Known| (k.f - end.f).abs() < 2.0 * LOOSE && k.is_near(self.problem, &end.at, 0.1);
        if end.ended == Some(Ended::Known) || self.known.iter().any(is_known) {
            return Ok(None);
        }
        self.remember(&end);
        if end.ended == Some(Ended::Higher) || end.f > lowest + 2.0 * LOOSE || self.vanishes(&end.at)? {
            return Ok(None);
        }
        let known = std::mem::take(&mut self.known);
        let further = self.descend(end.at, free, self.decrease(free))?;
        self.known = known;
        match further {
            Some(end) if end.f < lowest - TIE * (1.0 + lowest.abs()) && !self.vanishes(&end.at)? => Ok(Some(end)),
            _ => Ok(None),
        }
    }

    /// True where sigma is zero beside the response: no fit ends there.
    fn vanishes(&mut self, at: &Parameters) -> Result<bool> {
        Ok(self.share_of_sigma(at)? < identifiability::VANISHING)
    }

    /// Where to look from, and how many faces there are.
    fn faces(&self, from: &Parameters) -> (Vec<Face>, usize) {
        let (a, layout) = (&self.problem.model.a, &self.problem.model.layout);
        let moments = moments::standard_deviations(a, layout);
        let mut blocks = layout.zeros();
        layout.fill(&moments, &mut blocks);
        let mut choices: Vec<Vec<(usize, Vec<f64>)>> = Vec::new();
        for (k, &(_, _, q)) in layout.terms.iter().enumerate() {
            let diagonal = layout.term_block(&blocks, k);
            let size = |i: usize| diagonal[i * q + i].max(MIDDLE);
            let full = (0..q * q).map(|x| if x / q == x % q { size(x / q) } else { 0.0 }).collect();
            let mut own = vec![(q, full)];
            let patterns = if q == 1 { 0 } else { 1 << (q - 1).min(SIGNED - 1) };
            for signs in 0..patterns {
                let mut t = vec![0.0; q * q];
                (0..q).for_each(|i| t[i * q] = if i > 0 && (signs >> (i - 1)) & 1 == 1 { -size(i) } else { size(i) });
                own.push((1, t));
            }
            own.push((0, vec![0.0; q * q]));
            choices.push(own);
        }
        let of = choices.iter().fold(1_usize, |n, own| n.saturating_mul(own.len())).saturating_add(1);
        let most = MOST.min((SPENT / self.work.max(1.0)) as usize);
        let mut picks: Vec<Vec<usize>> = Vec::new();
        if of <= most {
            let mut pick = vec![0; choices.len()];
            'all: loop {
                picks.push(pick.clone());
                for (k, own) in choices.iter().enumerate() {
                    pick[k] += 1;
                    if pick[k] < own.len() {
                        continue 'all;
                    }
                    pick[k] = 0;
                }
                break;
            }
        } else {
            // The most promising: one term at a time, without it first; then each by itself.
            let widest = choices.iter().map(Vec::len).max().unwrap_or(0);
            for back in 1..widest {
                for (k, own) in choices.iter().enumerate().filter(|(_, own)| own.len() > back) {
                    let c = own.len() - back;
                    picks.push((0..choices.len()).map(|j| if j == k { c } else { 0 }).collect());
                }
            }
            for (k, own) in choices.iter().enumerate().filter(|_| choices.len() > 2) {
                let pick =
                    |c: usize| (0..choices.len()).map(|j| if j == k { c } else { choices[j].len() - 1 }).collect();
                picks.extend((0..own.len() - 1).map(pick));
            }
            picks.truncate(most.saturating_sub(1));
        }
        let place = |pick: &[usize], by: f64| {
            let mut t = layout.zeros();
            for (k, &c) in pick.iter().enumerate() {
                let block: Vec<f64> = choices[k][c].1.iter().map(|x| x * by).collect();
                layout.set_term_block(&mut t, k, &block);
            }
            let ranks = pick.iter().enumerate().map(|(k, &c)| choices[k][c].0).collect();
            Face { at: Parameters { theta: layout.theta(&t), ..from.clone() }, ranks }
        };
        let mut faces: Vec<Face> = picks.iter().map(|pick| place(pick, 1.0)).collect();
        faces.push(place(&vec![0; choices.len()], FAR));
        (faces, of)
    }
}

/// True if the criterion has one minimum: one term, all levels with the same Z'WZ, and fixed effects that describe the
/// means of its columns freely.
///
/// By level the least squares estimates are then independent with covariance S = sigma^2 C + G, and the criterion is
/// convex in S^-1 and sigma^-2, on the convex set where S - sigma^2 C is not negative.
pub(crate) fn has_one_minimum(model: &Model) -> Result<bool> {
    let (a, p, m) = (&model.a, model.a.p, model.a.p + 1);
    let [s] = a.factors.as_slice() else { return Ok(false) };
    let q = s.q;
    if model.layout.terms.len() != 1 || !a.pairs.is_empty() || q > p {
        return Ok(false);
    }
    let first = &s.diag[..q * q];
    let size = first.iter().fold(0.0_f64, |x, y| x.max(y.abs()));
    if q * p > WIDEST
        || s.diag.chunks_exact(q * q).any(|d| d.iter().zip(first).any(|(x, y)| (x - y).abs() > 1e-9 * size))
    {
        return Ok(false);
    }
    let mut root = first.to_vec();
    if !small::cholesky(&mut root, q) {
        return Ok(false);
    }
    // Means of the columns by level, M_j (q x p): together they span R^q times a space of the levels, and are free of what
    // X is within levels, if the ranks add up.
    let (wide, mut row) = (q * p, vec![0.0; q * p]);
    let (mut means, mut outer) = (vec![0.0; wide * wide], vec![0.0; p * p]);
    for r in s.rhs.chunks_exact(q * m) {
        (0..wide).for_each(|k| row[k] = r[k / p * m + k % p]);
        small::solve_lower(&root, q, &mut row, p);
        (0..wide * wide).for_each(|k| means[k] += row[k / wide] * row[k % wide]);
        (0..p * p).for_each(|k| outer[k] += (0..q).map(|i| row[i * p + k / p] * row[i * p + k % p]).sum::<f64>());
    }
    let inner: Vec<f64> = a.fixed_gram().iter().zip(&outer).map(|(a, b)| a - b).collect();
    let total = (0..p).map(|i| a.gram[i * m + i]).fold(0.0, f64::max);
    let rank = |x: &[f64], n: usize| -> Result<usize> {
        Ok(eigen::symmetric(x, n)?.0.iter().filter(|v| **v > 1e-9 * total).count())
    };
    let between = rank(&outer, p)?;
    Ok(between == q * rank(&means, wide)? && rank(&inner, p)? == p - between)
}
