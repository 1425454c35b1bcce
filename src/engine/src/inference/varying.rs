//! psi and phi in a problem where one quantity is held: which of them are free, and what they do to the criterion.

use super::constrained::Target;
use crate::covariance::pattern::PatternedFactor;
use crate::covariance::theta::{Blocks, Layout};
use crate::crossprod::crossprod::Crossprod;
use crate::crossprod::weighted_sums::WeightedSums;
use crate::design::coordinates::{self, Coordinates};
use crate::error::Result;
use crate::likelihood::evaluation::Gamma;
use crate::likelihood::model::Model;
use crate::numerics::small;

/// Parameters beyond theta.
#[derive(Default)]
pub(super) struct Varying<'m> {
    /// Terms with a pattern and the places of their psi.
    shapes: Vec<(usize, PatternedFactor, std::ops::Range<usize>)>,
    /// psi of all such terms.
    psi: Vec<f64>,
    /// phi of the residuals.
    phi: Vec<f64>,
    /// Rows that follow phi, and room for the derivative of their sums.
    rows: Option<(&'m WeightedSums<'m>, Crossprod)>,
    /// What is held among psi (its place), or among phi.
    held: Option<Held>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Held {
    Sd(usize),
    Psi(usize),
    Phi(usize),
}

/// The gradient in the free parameters, and what sigma does through a standard deviation that is held.
pub(super) struct VaryingSlope {
    pub free: Vec<f64>,
    pub of_sigma: f64,
}

impl<'m> Varying<'m> {
    /// Parameters at a fit, with nothing held.
    pub fn new(
        shapes: Vec<(usize, PatternedFactor, std::ops::Range<usize>)>,
        psi: &[f64],
        phi: &[f64],
        rows: Option<(&'m WeightedSums<'m>, Crossprod)>,
    ) -> Self {
        Varying { shapes, psi: psi.to_vec(), phi: phi.to_vec(), rows, held: None }
    }

    /// True if a term has a pattern.
    pub fn is_shaped(&self, term: usize) -> bool {
        self.shapes.iter().any(|(k, _, _)| *k == term)
    }

    /// Holds the target if it is one of these parameters; its value in the user's unit.
    pub fn hold(&mut self, target: Target, sigma: f64) -> Option<f64> {
        let shape = |term: usize| self.shapes.iter().find(|(k, _, _)| *k == term).cloned();
        match target {
            Target::Sd { term, column } => {
                let (_, shape, range) = shape(term)?;
                let own = shape.place_of_sd(column);
                self.held = Some(Held::Sd(range.start + own));
                Some(shape.sd(&self.psi[range], column) * sigma)
            }
            Target::Correlation { term, .. } => {
                let (_, shape, range) = shape(term)?;
                let place = shape.place_of_rho()?;
                self.held = Some(Held::Psi(range.start + place));
                shape.rho(&self.psi[range])
            }
            Target::ResidualScale(k) => {
                self.held = Some(Held::Phi(k));
                self.phi.get(k).copied()
            }
            Target::ResidualCorrelation => {
                let rows = self.rows.as_ref()?.0;
                self.held = Some(Held::Phi(rows.residual.k));
                rows.residual.rho(&self.phi)
            }
            Target::Sigma | Target::Coefficient(_) => None,
        }
    }

    fn is_free(&self, held: fn(usize) -> Held, i: usize) -> bool {
        self.held != Some(held(i)) && !(self.held == Some(Held::Sd(i)) && held(i) == Held::Psi(i))
    }

    fn places(&self) -> (Vec<usize>, Vec<usize>) {
        let psi = (0..self.psi.len()).filter(|&i| self.is_free(Held::Psi, i)).collect();
        let phi = (0..self.phi.len()).filter(|&i| self.is_free(Held::Phi, i)).collect();
        (psi, phi)
    }

    /// Number of free parameters.
    pub fn n_free(&self) -> usize {
        let (psi, phi) = self.places();
        psi.len() + phi.len()
    }

    /// Their values.
    pub fn free(&self) -> Vec<f64> {
        let (psi, phi) = self.places();
        psi.iter().map(|&i| self.psi[i]).chain(phi.iter().map(|&i| self.phi[i])).collect()
    }

    /// Lowest correlation of a term.
    pub fn lowest(&self, term: usize) -> f64 {
        self.shapes.iter().find(|(k, _, _)| *k == term).map_or(-1.0, |(_, shape, _)| shape.lowest())
    }

    /// Edges of the residual correlation, each with the last value before it where R can be inverted.
    pub fn residual_edges(&self) -> [(f64, f64); 2] {
        self.rows.as_ref().map_or([(-1.0, -1.0), (1.0, 1.0)], |(rows, _)| rows.residual.edges())
    }

    /// Moves free values away from where they are stationary: zero, and a correlation at its limit.
    pub fn open(&self, free: &mut [f64]) {
        let (psi, phi) = self.places();
        for (x, i) in free.iter_mut().zip(&psi) {
            if let Some((_, shape, range)) = self.shapes.iter().find(|(_, _, r)| r.contains(i)) {
                *x = shape.opened_element(i - range.start, *x);
            }
        }
        for (x, &i) in free[psi.len()..].iter_mut().zip(&phi) {
            if let Some((rows, _)) = &self.rows {
                *x = rows.residual.opened(i, *x);
            }
        }
    }

    /// Takes the free values, sets what is held and weights the rows; false out of range.
    pub fn take(&mut self, free: &[f64], held: f64, sigma: f64, model: &mut Model) -> bool {
        let (psi, phi) = self.places();
        psi.iter().zip(free).for_each(|(&i, v)| self.psi[i] = *v);
        phi.iter().zip(&free[psi.len()..]).for_each(|(&i, v)| self.phi[i] = *v);
        match self.held {
            Some(Held::Sd(i)) => {
                let Some((_, shape, range)) = self.shapes.iter().find(|(_, _, r)| r.contains(&i)) else { return false };
                self.psi[i] = shape.psi_of_sd(i - range.start, held / sigma);
            }
            Some(Held::Psi(i)) => {
                let Some((_, shape, _)) = self.shapes.iter().find(|(_, _, r)| r.contains(&i)) else { return false };
                self.psi[i] = shape.psi_of_rho(held);
            }
            Some(Held::Phi(i)) => {
                let Some((rows, _)) = &self.rows else { return false };
                self.phi[i] = if i < rows.residual.k { held } else { rows.residual.phi_of(held) };
            }
            None => {}
        }
        if self.psi.iter().chain(&self.phi).any(|v| !v.is_finite()) {
            return false;
        }
        let inside = self.shapes.iter().all(|(_, s, range)| s.is_inside(&self.psi[range.clone()]));
        match &self.rows {
            Some((rows, _)) if !self.phi.is_empty() => {
                if !rows.residual.is_inside(&self.phi) {
                    return false;
                }
                model.change_sums(|a| rows.at(&self.phi, a));
                inside
            }
            _ => inside,
        }
    }

    /// Writes the factors of the terms with a pattern.
    pub fn fill(&self, c: &Coordinates, layout: &Layout, t: &mut Blocks) {
        for (k, shape, range) in &self.shapes {
            let q = shape.q;
            let (l, _) = shape.factor(&self.psi[range.clone()]);
            let mut product = vec![0.0; q * q];
            small::mul(&mut product, &coordinates::working_from_user(&c.terms[*k]), &l, q, q, q, c.weight_mean.sqrt());
            layout.set_term_block(t, *k, &product);
        }
    }

    /// The gradient at the point whose Gamma was found last.
    pub fn slope(&mut self, model: &Model, gamma: &Gamma) -> Result<VaryingSlope> {
        let (free_psi, free_phi) = self.places();
        let c = &model.a.coordinates;
        let mut of_psi = vec![0.0; self.psi.len()];
        for (k, shape, range) in &self.shapes {
            let q = shape.q;
            let (_, slopes) = shape.factor(&self.psi[range.clone()]);
            let mut of_l = vec![0.0; q * q];
            let block = model.layout.term_block(&gamma.total, *k);
            let f = 2.0 * c.weight_mean.sqrt();
            small::mul_transposed(&mut of_l, &coordinates::working_from_user(&c.terms[*k]), &block, q, q, q, f);
            for (i, s) in range.clone().zip(&slopes) {
                of_psi[i] = s.iter().zip(&of_l).map(|(a, b)| a * b).sum();
            }
        }
        let mut free: Vec<f64> = free_psi.iter().map(|&i| of_psi[i]).collect();
        if let Some((rows, change)) = &mut self.rows {
            for i in free_phi {
                let log_det = rows.derivative(&self.phi, i, change);
                free.push(log_det + model.derivative_along(change)?);
            }
        }
        // tau = sd / sigma falls by half of itself for a unit of ln sigma^2.
        let of_sigma = match self.held {
            Some(Held::Sd(i)) => {
                let shape = self.shapes.iter().find(|(_, _, r)| r.contains(&i)).map(|x| &x.1);
                shape.map_or(0.0, |s| -0.5 * of_psi[i] * s.psi_per_log_sd(self.psi[i]))
            }
            _ => 0.0,
        };
        Ok(VaryingSlope { free, of_sigma })
    }
}
