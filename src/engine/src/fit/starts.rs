//! Where the search over theta, psi and phi begins.

use crate::covariance::pattern::PatternedFactor;
use crate::covariance::theta;
use crate::error::Result;
use crate::fit::identifiability;
use crate::fit::minimum;
use crate::fit::moment_starts;
use crate::fit::problem::{Parameters, Problem};
use crate::fit::together::{Work, CHEAP};
use crate::options::{FitOptions, Look, Watch};

/// Work up to which a start for each column of a pattern is affordable.
const FEW: f64 = 2e5;

impl Problem<'_> {
    /// Parameters to begin at: several where that is cheap.
    pub(crate) fn starts(
        &mut self,
        options: &FitOptions,
        phi: Option<&[f64]>,
        watch: &Watch,
        work: &mut Work,
    ) -> Result<Vec<Parameters>> {
        let residual = &self.residual();
        let opened = |phi: &[f64]| phi.iter().enumerate().map(|(i, x)| residual.opened(i, *x)).collect();
        let mut starts = phi.map_or_else(|| residual.starts(), |phi| vec![opened(phi)]);
        if !self.is_tiny() {
            starts.truncate(1);
        }
        if phi.is_none() && !self.is_tiny() {
            let theta = moment_starts::moments(&self.model.a, &self.model.layout);
            let ratio = theta.iter().map(|t| t * t).sum();
            if let Some(rows) = &self.rows {
                starts.iter_mut().for_each(|own| rows.guess(ratio, own));
            }
        }
        // The user's start is one more; work after a fit begins at it alone.
        let around = options.look == Look::Around;
        let first = starts.first().cloned();
        let own = options.start.as_ref().filter(|_| around).and(first);
        let mut places: Vec<_> = starts.into_iter().map(|phi| (phi, !around)).collect();
        places.extend(own.map(|phi| (phi, true)));
        let mut out = Vec::new();
        for (phi, given) in places {
            self.set(&phi);
            let mut theta = match options.start.as_ref().filter(|_| given) {
                Some(user) => self.working(user)?,
                None => moment_starts::moments(&self.model.a, &self.model.layout),
            };
            // A zero is stationary: open it a little.
            for (x, &(_, row, col)) in theta.iter_mut().zip(&self.model.layout.places) {
                if row == col && x.abs() < 1e-3 {
                    *x = 1e-3;
                }
            }
            let (layout, c) = (&self.model.layout, &self.model.a.coordinates);
            let mut blocks = layout.zeros();
            layout.fill(&theta, &mut blocks);
            let mut psi = Vec::new();
            for (k, shape, _) in self.patterned() {
                let l = theta::to_user(&c.terms[k], &layout.term_block(&blocks, k), c.weight_mean).0;
                psi.extend(shape.start(&l));
            }
            out.push(Parameters { theta, psi, phi });
        }
        if (around || options.start.is_none()) && self.model.s.work(self.model.a.p) < CHEAP {
            let (first, initial) = (out[0].clone(), out.clone());
            out.extend(self.near_unstructured(&first, options)?);
            let few = self.model.s.work(self.model.a.p) < FEW;
            for (_, shape, range) in self.patterned() {
                for (k, from) in initial.iter().enumerate().filter(|(k, _)| *k == 0 || few) {
                    for own in shape.variants(&from.psi[range.clone()], few && k == 0) {
                        let mut next = from.clone();
                        next.psi[range.clone()].copy_from_slice(&own);
                        out.push(next);
                    }
                }
            }
            out.extend(self.near_equal(&first, options, watch, work)?);
        }
        Ok(out)
    }

    /// The fit in which the columns of every pattern have the same variance, where they need not.
    fn near_equal(
        &mut self,
        first: &Parameters,
        options: &FitOptions,
        watch: &Watch,
        work: &mut Work,
    ) -> Result<Option<Parameters>> {
        let own = self.patterns.clone();
        if !own.iter().flatten().any(PatternedFactor::is_searched_in_roots) {
            return Ok(None);
        }
        let before = self.patterned();
        self.patterns.iter_mut().flatten().for_each(PatternedFactor::equalise);
        let mut at = first.clone();
        at.psi.clear();
        for ((_, shape, range), (_, equal, _)) in before.iter().zip(self.patterned()) {
            at.psi.extend(equal.start(&shape.factor(&first.psi[range.clone()]).0));
        }
        let end = self.descend_from(&at, None, options, watch, work);
        let equal = self.patterned();
        self.patterns = own;
        let Some((_, mut at)) = end? else { return Ok(None) };
        let psi = before.iter().zip(&equal).flat_map(|((_, shape, _), (_, equal, range))| {
            shape.opened(&shape.psi_of(&equal.factor(&at.psi[range.clone()]).0))
        });
        at.psi = psi.collect();
        Ok(Some(at))
    }

    /// The parameters nearest to the fit without patterns, where there is one.
    fn near_unstructured(&mut self, first: &Parameters, options: &FitOptions) -> Result<Option<Parameters>> {
        let held = std::mem::replace(&mut self.model.held, vec![false; self.patterns.len()]);
        self.set(&first.phi);
        let free = if self.patterns.iter().any(Option::is_some) && identifiability::check(&mut self.model).is_ok() {
            // A point to begin at need not be exact.
            let rough = FitOptions { look: Look::Alone, tolerance: options.tolerance.max(1e-4), ..options.clone() };
            minimum::minimise(&mut self.model, &rough, &Watch::default()).ok()
        } else {
            None
        };
        self.model.held = held;
        let Some(minimum) = free else { return Ok(None) };
        let mut out = first.clone();
        let (layout, c) = (&self.model.layout, &self.model.a.coordinates);
        let mut blocks = layout.zeros();
        layout.fill(&minimum.theta, &mut blocks);
        for (k, shape, range) in self.patterned() {
            let l = theta::to_user(&c.terms[k], &layout.term_block(&blocks, k), c.weight_mean).0;
            out.psi[range].copy_from_slice(&shape.start(&l));
        }
        Ok(Some(out))
    }
}
