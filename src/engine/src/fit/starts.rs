//! Where the search begins: theta from moments, phi from the squares of the least-squares residuals, psi near a factor that
//! need not have the pattern.

use super::identifiability;
use super::moments;
use super::problem::{Parameters, Problem};
use super::search::{Search, CHEAP};
use crate::covariance::to_user;
use crate::covariance::PatternedFactor;
use crate::error::{Error, Result};
use crate::options::{FitOptions, Look};

/// Work up to which a start for each column of a pattern is affordable.
const FEW: f64 = 2e5;
/// Diagonal element of a factor below which a start is opened: zero is stationary.
const OPEN: f64 = 1e-3;

/// Points to begin at.
pub(crate) struct Starts {
    /// All of these are tried.
    pub first: Vec<Parameters>,
    /// For where the first one fails.
    pub spare: Option<Parameters>,
    /// True to try the spare one in any case.
    pub both: bool,
}

impl Search<'_, '_> {
    /// Points to begin at; several where that is cheap. `phi`: where residuals that are not alike begin.
    pub fn starts(&mut self, phi: Option<&[f64]>) -> Result<Starts> {
        if self.problem.free(None).is_theta_alone() {
            return self.plain_starts();
        }
        let (options, around) = (self.options, self.options.look == Look::Around);
        // The user's start is one more; work after a fit begins at it alone.
        let mut first: Vec<Parameters> = Vec::new();
        let phis = self.phi_starts(phi);
        let own = phis.first().filter(|_| around && options.start.is_some()).cloned();
        let places = phis.into_iter().map(|phi| (phi, !around)).chain(own.map(|phi| (phi, true)));
        for (phi, given) in places.collect::<Vec<_>>() {
            self.problem.set(&phi);
            let mut theta = match options.start.as_ref().filter(|_| given) {
                Some(user) => self.problem.working(user)?,
                None => moments::standard_deviations(&self.problem.model.a, &self.problem.model.layout),
            };
            self.open(&mut theta);
            let psi = self.psi_near(&theta);
            first.push(Parameters { theta, psi, phi });
        }
        if (around || options.start.is_none()) && self.work < CHEAP {
            let (one, initial) = (first[0].clone(), first.clone());
            first.extend(self.near_unstructured(&one)?);
            let few = self.work < FEW;
            for (_, pattern, range) in self.problem.patterned() {
                for (k, from) in initial.iter().enumerate().filter(|(k, _)| *k == 0 || few) {
                    for own in pattern.variants(&from.psi[range.clone()], few && k == 0) {
                        let mut next = from.clone();
                        next.psi[range.clone()].copy_from_slice(&own);
                        first.push(next);
                    }
                }
            }
            first.extend(self.near_equal(&one)?);
        }
        Ok(Starts { first, spare: None, both: false })
    }

    /// Theta alone: from moments, with equal standard deviations for where that fails, and where the user says.
    fn plain_starts(&mut self) -> Result<Starts> {
        let (look, model) = (self.options.look, &self.problem.model);
        let moments = moments::standard_deviations(&model.a, &model.layout);
        let equal = moments::constant(&model.layout, 1.0);
        let given = match &self.options.start {
            Some(user) => Some(self.users_theta(user)?),
            None => None,
        };
        let (first, spare) = match (given, look) {
            (None, _) => (vec![moments], equal),
            (Some(user), Look::Around) => (vec![moments, user], equal),
            (Some(user), _) => (vec![user], moments),
        };
        let at = |theta| Parameters { theta, ..Parameters::default() };
        let both = self.is_tiny() && look == Look::Near;
        Ok(Starts { first: first.into_iter().map(at).collect(), spare: Some(at(spare)), both })
    }

    fn users_theta(&self, user: &[f64]) -> Result<Vec<f64>> {
        let layout = &self.problem.model.layout;
        if user.len() != layout.len() {
            return Err(Error::Dimension { what: "length of start", expected: layout.len(), found: user.len() });
        }
        let mut theta = self.problem.working(user)?;
        self.open(&mut theta);
        Ok(theta)
    }

    /// Moves what is zero on the diagonals of T away from there.
    pub fn open(&self, theta: &mut [f64]) {
        for (x, &(_, row, col)) in theta.iter_mut().zip(&self.problem.model.layout.places) {
            if row == col && x.abs() < OPEN {
                *x = OPEN;
            }
        }
    }

    /// phi to begin at: `phi`, or equal scales with a little correlation and with a strong one; in larger models what the
    /// squares of the least-squares residuals say.
    fn phi_starts(&mut self, phi: Option<&[f64]>) -> Vec<Vec<f64>> {
        let residual = self.problem.residual();
        let opened = |phi: &[f64]| phi.iter().enumerate().map(|(i, x)| residual.opened(i, *x)).collect();
        let mut starts = phi.map_or_else(|| residual.starts(), |phi| vec![opened(phi)]);
        if !self.is_tiny() {
            starts.truncate(1);
        }
        if phi.is_none() && !self.is_tiny() {
            let theta = moments::standard_deviations(&self.problem.model.a, &self.problem.model.layout);
            let ratio = theta.iter().map(|t| t * t).sum();
            if let Some(rows) = &self.problem.rows {
                starts.iter_mut().for_each(|own| rows.guess(ratio, own));
            }
        }
        starts
    }

    /// psi of all patterns near a theta that need not have them.
    fn psi_near(&self, theta: &[f64]) -> Vec<f64> {
        let (layout, c) = (&self.problem.model.layout, &self.problem.model.a.coordinates);
        let mut blocks = layout.zeros();
        layout.fill(theta, &mut blocks);
        let own = |(k, pattern, _): (usize, PatternedFactor, _)| {
            pattern.start(&to_user(&c.terms[k], &layout.term_block(&blocks, k), c.weight_mean).0)
        };
        self.problem.patterned().into_iter().flat_map(own).collect()
    }

    /// The fit in which the columns of every pattern have the same variance, where they need not.
    fn near_equal(&mut self, first: &Parameters) -> Result<Option<Parameters>> {
        let own = self.problem.patterns.clone();
        if !own.iter().flatten().any(PatternedFactor::is_searched_in_roots) {
            return Ok(None);
        }
        let before = self.problem.patterned();
        self.problem.patterns.iter_mut().flatten().for_each(PatternedFactor::equalise);
        let equal = self.problem.patterned();
        let mut at = first.clone();
        at.psi.clear();
        for ((_, pattern, range), (_, equal, _)) in before.iter().zip(&equal) {
            at.psi.extend(equal.start(&pattern.factor(&first.psi[range.clone()]).0));
        }
        let free = self.problem.free(None);
        let end = self.descend(at, &free, self.decrease(&free));
        self.problem.patterns = own;
        let Some(mut at) = end?.map(|end| end.at) else { return Ok(None) };
        let psi = before.iter().zip(&equal).flat_map(|((_, pattern, _), (_, equal, range))| {
            pattern.opened(&pattern.psi_of(&equal.factor(&at.psi[range.clone()]).0))
        });
        at.psi = psi.collect();
        Ok(Some(at))
    }

    /// The parameters nearest to the fit without patterns, where there is one.
    fn near_unstructured(&mut self, first: &Parameters) -> Result<Option<Parameters>> {
        let free = vec![None; self.problem.patterns.len()];
        let patterns = std::mem::replace(&mut self.problem.patterns, free);
        self.problem.set(&first.phi);
        // A point to begin at need not be exact.
        let tolerance = self.options.tolerance.max(1e-4);
        let rough = FitOptions { look: Look::Alone, tolerance, ..self.options.clone() };
        let theta =
            if patterns.iter().any(Option::is_some) { unstructured(self.problem, &rough, &first.phi) } else { None };
        self.problem.patterns = patterns;
        Ok(theta.map(|theta| Parameters { psi: self.psi_near(&theta), ..first.clone() }))
    }
}

/// The minimum over an unstructured theta at phi, if the data identify it.
fn unstructured(problem: &mut Problem<'_>, options: &FitOptions, phi: &[f64]) -> Option<Vec<f64>> {
    identifiability::check_variances(&mut problem.model).ok()?;
    let watch = problem.model.watch.part();
    let mut search = Search::new(problem, options, &watch, false);
    let mut at = search.plain_starts().ok()?.first.into_iter().next()?;
    at.phi = phi.to_vec();
    search.theta_minimum(&at).ok().map(|end| end.at.theta)
}
