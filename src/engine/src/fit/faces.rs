//! Other optima: where evaluations are cheap the search looks from every face of the boundary.
//!
//! The criterion can have several minima, typically one with a variance at zero or a correlation at its limit beside one
//! inside. On every face (a rank for every term) the criterion is minimised in what is left; the lowest end is settled, which
//! leaves its face where the score says that the criterion falls. A few steps from every face show which are the most
//! promising, and only these are followed. A descent stops that leads to a point that is known, or not below one.

use crate::covariance::theta::Layout;
use crate::error::Result;
use crate::fit::certificate::Looked;
use crate::fit::identifiability;
use crate::fit::moment_starts;
use crate::fit::search::Search;
use crate::likelihood::model::Model;
use crate::numerics::eigen;
use crate::numerics::minimise::{Ended, Point};
use crate::numerics::small;

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
/// How much lower the criterion may still be where a look ends, unless that would make it the lowest.
pub(crate) const LOOSE: f64 = 1e-3;
/// Elements of the means of a level up to which one minimum is recognised.
const WIDEST: usize = 16;
/// Part of the criterion by which an end must be lower than the first: where two are as low, the first stays.
const TIE: f64 = 1e-8;
/// A ratio of standard deviations that is neither zero nor saturated.
const MIDDLE: f64 = 0.5;
/// One that is nearly saturated.
const FAR: f64 = 10.0;

/// A point of the search that has been looked at: the G_k, and the criterion.
pub(crate) struct Known {
    g: Vec<Vec<f64>>,
    pub f: f64,
}

/// Where to look from: a theta whose null columns are zero, and the ranks.
struct Face {
    theta: Vec<f64>,
    ranks: Vec<usize>,
}

/// The G_k of `theta`, term by term.
fn covariances(layout: &Layout, theta: &[f64]) -> Vec<Vec<f64>> {
    let mut blocks = layout.zeros();
    layout.fill(theta, &mut blocks);
    let product = |k: usize| {
        let (q, t) = (layout.terms[k].2, layout.term_block(&blocks, k));
        let mut g = vec![0.0; q * q];
        small::mul_by_transposed(&mut g, &t, &t, q, q, q, 1.0);
        g
    };
    (0..layout.terms.len()).map(product).collect()
}

impl Known {
    pub(crate) fn new(model: &Model, point: &Point) -> Known {
        Known { g: covariances(&model.layout, &point.x), f: point.f }
    }
}

/// True if `theta`, where the criterion is about `f` (but for `slack`), is one of the points that are known.
pub(crate) fn is_known(known: &[Known], model: &Model, theta: &[f64], f: f64, slack: f64) -> bool {
    if !known.iter().any(|k| (k.f - f).abs() < slack) {
        return false;
    }
    let g = covariances(&model.layout, theta);
    known.iter().filter(|k| (k.f - f).abs() < slack).any(|k| {
        g.iter().zip(&k.g).zip(&model.layout.terms).all(|((a, b), &(factor, _, q))| {
            let least = 0.05 * model.a.factors[factor].levels as f64 / model.a.n as f64;
            let size = |i: usize| least + a[i * q + i].max(b[i * q + i]);
            (0..q * q).all(|x| (a[x] - b[x]).abs() <= 0.1 * (size(x / q) * size(x % q)).sqrt())
        })
    })
}

impl Search<'_> {
    /// Replaces `best` by the lowest point that is found from the faces of the boundary.
    pub(crate) fn look_around(&mut self, best: &mut (Point, Ended), tried: &mut usize) -> Result<Looked> {
        let (faces, of) = self.faces(&best.0.x);
        self.known = vec![Known::new(self.model, &best.0)];
        let mut looked = 0;
        let mut open: Vec<(Point, Vec<usize>)> = Vec::new();
        for face in faces {
            if self.remaining() == 0 {
                break;
            }
            looked += 1;
            *tried += 1;
            let free = self.free(&face.ranks);
            match self.descend_for(&face.theta, &free, LOOSE, GLANCE)? {
                None | Some((_, Ended::Known)) => {}
                Some((point, Ended::Higher)) => self.known.push(Known::new(self.model, &point)),
                Some((point, _)) => open.push((point, free)),
            }
        }
        open.sort_by(|a, b| a.0.f.total_cmp(&b.0.f));
        for (point, free) in open.into_iter().take(FURTHER) {
            if self.remaining() > 0 {
                self.look_further(&point, &free, best)?;
            }
        }
        self.known.clear();
        Ok(Looked { faces: looked, of, single: false })
    }

    fn look_further(&mut self, from: &Point, free: &[usize], best: &mut (Point, Ended)) -> Result<()> {
        let Some((point, ended)) = self.descend_in(&from.x, free, LOOSE)? else { return Ok(()) };
        if ended == Ended::Known || is_known(&self.known, self.model, &point.x, point.f, 2.0 * LOOSE) {
            return Ok(());
        }
        self.known.push(Known::new(self.model, &point));
        if ended == Ended::Higher || point.f > best.0.f + 2.0 * LOOSE || self.vanishes(&point.x)? {
            return Ok(());
        }
        let known = std::mem::take(&mut self.known);
        let further = self.descend_in(&point.x, free, self.decrease())?;
        self.known = known;
        if let Some((point, ended)) = further {
            if point.f < best.0.f - TIE * (1.0 + best.0.f.abs()) && !self.vanishes(&point.x)? {
                *best = (point, ended);
            }
        }
        Ok(())
    }

    /// True where sigma is zero beside the response: no fit ends there.
    fn vanishes(&mut self, theta: &[f64]) -> Result<bool> {
        Ok(self.share_of_sigma(theta)? < identifiability::VANISHING)
    }

    /// Where to look from, and how many faces there are. Terms that are held stay as in `from`.
    fn faces(&self, from: &[f64]) -> (Vec<Face>, usize) {
        let layout = &self.model.layout;
        let moments = moment_starts::moments(&self.model.a, layout);
        let mut blocks = layout.zeros();
        layout.fill(&moments, &mut blocks);
        let mut choices: Vec<Vec<(usize, Vec<f64>)>> = Vec::new();
        for (k, &(_, _, q)) in layout.terms.iter().enumerate() {
            if self.model.held[k] {
                choices.push(vec![(q, Vec::new())]);
                continue;
            }
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
        let most = MOST.min((SPENT / self.model.s.work(self.model.a.p).max(1.0)) as usize);
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
            layout.fill(from, &mut t);
            for (k, &c) in pick.iter().enumerate().filter(|(k, _)| !self.model.held[*k]) {
                let block: Vec<f64> = choices[k][c].1.iter().map(|x| x * by).collect();
                layout.set_term_block(&mut t, k, &block);
            }
            let ranks = pick.iter().enumerate().map(|(k, &c)| choices[k][c].0).collect();
            Face { theta: layout.theta(&t), ranks }
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
    if model.layout.terms.len() != 1 || model.held[0] || !a.pairs.is_empty() || q > p {
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
