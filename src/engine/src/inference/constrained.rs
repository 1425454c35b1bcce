//! The criterion with one quantity held at a value: a standard deviation, a correlation, sigma, a coefficient or a
//! parameter of the residuals; free is everything else.
//!
//! Variance quantities: criterion with sigma^2 as a parameter of its own, T of the other terms in the working basis. What is
//! held is an element of the factor L of a term without a pattern (see `target`), of psi or of phi. A coefficient: the
//! profiled criterion in which beta obeys one linear equation, which has a closed form.
//!
//! Free parameters x: elements of theta, those of the factor L, ln sigma^2, elements of psi, elements of phi.

use super::target::{Target, TargetFactor};
use crate::covariance::Blocks;
use crate::design::fixed_to_user;
use crate::error::{Error, Result};
use crate::fit::{Free, Parameters, Patterned, Problem};
use crate::likelihood::Gamma;
use crate::numerics::minimise::Objective;
use crate::numerics::small;
use crate::options::Criterion;

/// Where the quantity that is held stands among the parameters.
enum Place {
    /// sigma itself.
    Sigma,
    /// An element of beta.
    Beta(usize),
    /// The first element, or the first correlation, of the factor of a term without a pattern.
    Factor(TargetFactor),
    /// An element of psi that is a standard deviation over sigma.
    PatternSd(usize),
    /// An element of psi that is a correlation.
    PatternCorrelation(usize),
    /// An element of phi.
    Phi(usize),
}

/// The criterion in what is left free.
pub(super) struct Constrained<'m, 'd> {
    pub problem: &'m mut Problem<'d>,
    kind: Criterion,
    /// The value at which the target is held, in the user's unit.
    pub value: f64,
    place: Place,
    /// Scale of the target, in the user's unit.
    unit: f64,
    at: Parameters,
    free: Free,
}

/// What the target is at a fit.
struct Start {
    place: Place,
    value: f64,
    unit: f64,
    /// Free elements of the target's factor.
    factor: Vec<f64>,
}

impl<'m, 'd> Constrained<'m, 'd> {
    /// The problem at a fit (theta in the user's basis; the rows are weighted by phi), with the free parameters there.
    ///
    /// # Errors
    /// [`Error::Dimension`] for a theta of the wrong length; [`Error::Internal`] for a target that the model does not have.
    pub fn new(
        problem: &'m mut Problem<'d>,
        theta: &[f64],
        phi: &[f64],
        kind: Criterion,
        target: Target,
    ) -> Result<(Self, Vec<f64>)> {
        let at = problem.parameters(theta, phi)?;
        let blocks = problem.model.blocks_from_user(theta)?;
        let solved = problem.model.value(&blocks, kind)?;
        let s = solved.pls.pwrss / problem.model.nu(kind);
        let beta = fixed_to_user(&problem.model.a.coordinates, &solved.pls.beta);
        let none = || Error::Internal("the model does not have what is to be profiled".into());
        let Start { place, value, unit, factor } = start(problem, &at, (&blocks, s, &beta), target).ok_or_else(none)?;
        let places = &problem.model.layout.places;
        let rebuilt = if let Place::Factor(f) = &place { Some(f.term) } else { None };
        let mut free = problem.free(None);
        free.theta.retain(|&i| Some(places[i].0) != rebuilt);
        match place {
            Place::PatternSd(held) | Place::PatternCorrelation(held) => free.psi.retain(|&i| i != held),
            Place::Phi(held) => free.phi.retain(|&i| i != held),
            _ => {}
        }
        let mut x = free.pick(&at);
        let variance = (!matches!(place, Place::Sigma | Place::Beta(_))).then_some(s.ln());
        x.splice(free.theta.len()..free.theta.len(), factor.into_iter().chain(variance));
        Ok((Constrained { problem, kind, value, place, unit, at, free }, x))
    }

    /// Unit of the target.
    pub fn scale(&self) -> f64 {
        self.unit
    }

    /// Lower and upper edge of the parameter space, each with the last value before it that can be held.
    pub fn edges(&self) -> [(f64, f64); 2] {
        let there = |low: f64, high: f64| [(low, low), (high, high)];
        match &self.place {
            Place::Factor(f) if f.correlation => there(-1.0, 1.0),
            Place::PatternCorrelation(i) => {
                there(self.pattern(*i).map_or(-1.0, |(_, pattern, _)| pattern.lowest()), 1.0)
            }
            Place::Sigma | Place::Factor(_) | Place::PatternSd(_) => there(0.0, f64::INFINITY),
            Place::Phi(i) if *i >= self.problem.residual().k => self.problem.residual().edges(),
            Place::Beta(_) | Place::Phi(_) => there(f64::NEG_INFINITY, f64::INFINITY),
        }
    }

    /// Moves free values away from where they are stationary, so that a search can leave them: a zero on the diagonal of
    /// a T, a standard deviation of zero, a correlation at its limit.
    pub fn opened(&self, x: &[f64]) -> Vec<f64> {
        let places = &self.problem.model.layout.places;
        let mut out = x.to_vec();
        for (v, &i) in out.iter_mut().zip(&self.free.theta) {
            if places[i].1 == places[i].2 && v.abs() < 1e-2 {
                *v = 1e-2;
            }
        }
        let (psi, phi) = (self.first_psi(x), self.first_psi(x) + self.free.psi.len());
        for (v, &i) in out[psi..phi].iter_mut().zip(&self.free.psi) {
            if let Some((_, pattern, range)) = self.pattern(i) {
                *v = pattern.opened_element(i - range.start, *v);
            }
        }
        for (v, &i) in out[phi..].iter_mut().zip(&self.free.phi) {
            *v = self.problem.residual().opened(i, *v);
        }
        out
    }

    /// The term with a pattern that an element of psi belongs to.
    fn pattern(&self, i: usize) -> Option<Patterned> {
        self.problem.patterned().into_iter().find(|(_, _, range)| range.contains(&i))
    }

    /// Where psi begins in x.
    fn first_psi(&self, x: &[f64]) -> usize {
        x.len() - self.free.psi.len() - self.free.phi.len()
    }

    /// Where ln sigma^2 stands in x, if it is free.
    fn place_of_sigma(&self, x: &[f64]) -> Option<usize> {
        (!matches!(self.place, Place::Sigma | Place::Beta(_))).then(|| self.first_psi(x) - 1)
    }

    /// sigma^2 in working units; one where it is profiled.
    fn sigma2(&self, x: &[f64]) -> f64 {
        let c = &self.problem.model.a.coordinates;
        match self.place {
            Place::Sigma => (self.value / c.y_scale).powi(2) / c.weight_mean,
            _ => self.place_of_sigma(x).map_or(1.0, |i| x[i].exp()),
        }
    }

    /// Takes psi, phi and theta from x, with what is held, at sigma^2 = s; T there.
    fn take(&mut self, x: &[f64], s: f64) -> Result<Blocks> {
        let own = self.free.theta.len();
        self.free.put(&[&x[..own], &x[self.first_psi(x)..]].concat(), &mut self.at);
        let c = &self.problem.model.a.coordinates;
        let sigma = (s * c.weight_mean).sqrt() * c.y_scale;
        let lost = || Error::Internal("a psi has no term".into());
        match self.place {
            Place::PatternSd(i) => {
                let (_, pattern, range) = self.pattern(i).ok_or_else(lost)?;
                self.at.psi[i] = pattern.psi_of_sd(i - range.start, self.value / sigma);
            }
            Place::PatternCorrelation(i) => {
                self.at.psi[i] = self.pattern(i).ok_or_else(lost)?.1.psi_of_rho(self.value);
            }
            Place::Phi(i) => {
                let residual = self.problem.residual();
                self.at.phi[i] = if i < residual.k { self.value } else { residual.phi_of(self.value) };
            }
            Place::Sigma | Place::Beta(_) | Place::Factor(_) => {}
        }
        let Parameters { psi, phi, .. } = &self.at;
        let finite = psi.iter().chain(phi).all(|v| v.is_finite());
        if !finite || (!phi.is_empty() && !self.problem.residual().is_inside(phi)) {
            return Err(Error::NotPositiveDefinite);
        }
        self.problem.set(phi);
        let mut t = self.problem.blocks(&self.at).ok_or(Error::NotPositiveDefinite)?;
        if let Place::Factor(f) = &self.place {
            let mut block = vec![0.0; f.q * f.q];
            let l = f.lower(&x[own..], self.value);
            small::mul(&mut block, &f.frame, &l, f.q, f.q, f.q, 1.0 / s.sqrt());
            self.problem.model.layout.set_term_block(&mut t, f.term, &block);
        }
        Ok(t)
    }

    /// Writes the gradient in theta, psi and phi at the point whose Gamma was found last; returns that in all of psi.
    fn slope(&mut self, gamma: &Gamma, g: &mut [f64]) -> Result<Vec<f64>> {
        let n_psi = self.at.psi.len();
        let asked = Free { psi: (0..n_psi).collect(), ..self.free.clone() };
        let all = self.problem.gradient(&self.at, &asked, gamma)?;
        let (theta, rest) = all.split_at(asked.theta.len());
        let (psi, phi) = rest.split_at(n_psi);
        let tail = self.first_psi(g);
        g[..theta.len()].copy_from_slice(theta);
        let beyond = self.free.psi.iter().map(|&i| psi[i]).chain(phi.iter().copied());
        g[tail..].iter_mut().zip(beyond).for_each(|(g, v)| *g = v);
        Ok(psi.to_vec())
    }

    fn variance(&mut self, x: &[f64], g: &mut [f64]) -> Result<f64> {
        let (s, nu) = (self.sigma2(x), self.problem.model.nu(self.kind));
        let t = self.take(x, s)?;
        let (value, gamma) = self.problem.model.value_and_gamma_at(&t, self.kind, Some(s))?;
        let r2 = value.pls.pwrss;
        let f = value.f - nu * (1.0 + (r2 / nu).ln()) + nu * s.ln() + r2 / s;
        let of_psi = self.slope(&gamma, g)?;
        let mut of_sigma = nu - r2 / s;
        match &self.place {
            Place::Factor(factor) => {
                let layout = &self.problem.model.layout;
                let (of_t, own) = (layout.term_block(&gamma.total, factor.term), layout.term_block(&t, factor.term));
                let from = self.free.theta.len();
                g[from..from + factor.len()].copy_from_slice(&factor.slope(&of_t, self.value, s));
                of_sigma -= of_t.iter().zip(&own).map(|(a, b)| a * b).sum::<f64>();
            }
            // tau = sd / sigma falls by half of itself for a unit of ln sigma^2.
            Place::PatternSd(i) => {
                let per_log = self.pattern(*i).map_or(0.0, |(_, pattern, _)| pattern.psi_per_log_sd(self.at.psi[*i]));
                of_sigma += -0.5 * of_psi[*i] * per_log;
            }
            _ => {}
        }
        if let Some(i) = self.place_of_sigma(x) {
            g[i] = of_sigma;
        }
        Ok(f)
    }

    fn coefficient(&mut self, x: &[f64], k: usize, g: &mut [f64]) -> Result<f64> {
        let t = self.take(x, 1.0)?;
        let (value, gamma) = self.problem.model.constrained_ml(&t, k, self.value)?;
        self.slope(&gamma, g)?;
        Ok(value.f)
    }
}

/// What `target` is at a fit with these T (working basis), sigma^2 and coefficients (the user's); `None` if there is none.
fn start(problem: &Problem<'_>, at: &Parameters, fit: (&Blocks, f64, &[f64]), target: Target) -> Option<Start> {
    let (blocks, s, beta) = fit;
    let c = &problem.model.a.coordinates;
    let sigma = (s * c.weight_mean).sqrt() * c.y_scale;
    let pattern = |term: usize| problem.patterned().into_iter().find(|(k, _, _)| *k == term);
    let of = |place: Place, value: f64, unit: f64| Start { place, value, unit, factor: Vec::new() };
    let among = |place: Place, value: f64| of(place, value, value.abs().max(0.05 * sigma));
    Some(match target {
        Target::Sigma => of(Place::Sigma, sigma, 1.0),
        Target::Coefficient(k) => of(Place::Beta(k), *beta.get(k)?, 1.0),
        Target::ResidualScale(k) => among(Place::Phi(k), *at.phi.get(k).filter(|_| k < problem.residual().k)?),
        Target::ResidualCorrelation => among(Place::Phi(problem.residual().k), problem.residual().rho(&at.phi)?),
        Target::Sd { term, column } if pattern(term).is_some() => {
            let (_, shape, range) = pattern(term)?;
            let sd = shape.sd(&at.psi[range.clone()], column) * sigma;
            among(Place::PatternSd(range.start + shape.place_of_sd(column)), sd)
        }
        Target::Correlation { term, .. } if pattern(term).is_some() => {
            let (_, shape, range) = pattern(term)?;
            let place = range.start + shape.place_of_rho()?;
            among(Place::PatternCorrelation(place), shape.rho(&at.psi[range])?)
        }
        Target::Sd { term, .. } | Target::Correlation { term, .. } => {
            let block = problem.model.layout.term_block(blocks, term);
            let (frame, l) = TargetFactor::new(&problem.model, target, &block, s)?;
            let (value, factor) = frame.split(&l);
            Start { unit: frame.unit, place: Place::Factor(frame), value, factor }
        }
    })
}

impl Objective for Constrained<'_, '_> {
    fn evaluate(&mut self, x: &[f64], g: &mut [f64]) -> Result<Option<f64>> {
        if x.iter().any(|v| v.abs() > 1e8) {
            return Ok(None);
        }
        let value = match self.place {
            Place::Beta(k) => self.coefficient(x, k, g),
            _ => self.variance(x, g),
        };
        match value {
            Ok(f) => Ok((f.is_finite() && g.iter().all(|v| v.is_finite())).then_some(f)),
            Err(Error::NotPositiveDefinite) => Ok(None),
            Err(e) => Err(e),
        }
    }
}
