//! The criterion with one quantity held at a value: a standard deviation, a correlation, sigma or a coefficient.
//!
//! Variance quantities: criterion with sigma^2 as a parameter of its own, T of the other terms in the working basis, and
//! Var(b) of the target's term as (D L)(D L)' in the user's basis with the target's columns first, so that what is held
//! is an element of L. A coefficient: the profiled criterion in which beta obeys one linear equation, which has a closed form.

use super::varying::Varying;
use crate::covariance::theta::Blocks;
use crate::design::coordinates;
use crate::error::{Error, Result};
use crate::likelihood::model::Model;
use crate::numerics::minimise::Objective;
use crate::numerics::small;
use crate::options::Criterion;

/// What is held. Terms and columns count from 0, in the user's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Standard deviation of a column of a term.
    Sd {
        /// Term.
        term: usize,
        /// Column.
        column: usize,
    },
    /// Correlation of two columns of a term.
    Correlation {
        /// Term.
        term: usize,
        /// The two columns.
        columns: (usize, usize),
    },
    /// Residual standard deviation.
    Sigma,
    /// Coefficient, by its place among the kept columns of X.
    Coefficient(usize),
    /// Coefficient of the log residual standard deviation.
    ResidualScale(usize),
    /// Correlation of the residuals within series.
    ResidualCorrelation,
}

impl Target {
    /// The term whose factor is rebuilt, if it has no pattern.
    fn term(self) -> Option<usize> {
        match self {
            Target::Sd { term, .. } | Target::Correlation { term, .. } => Some(term),
            _ => None,
        }
    }

    /// The columns that stand first.
    fn leading(self) -> Vec<usize> {
        match self {
            Target::Sd { column, .. } => vec![column],
            Target::Correlation { columns, .. } => vec![columns.0, columns.1],
            _ => Vec::new(),
        }
    }
}

/// The criterion in what is left free.
pub(super) struct Constrained<'m> {
    pub model: &'m mut Model,
    kind: Criterion,
    target: Target,
    /// The value that is held, in the user's unit.
    pub held: f64,
    /// Elements of theta of the other terms.
    others: Vec<usize>,
    /// F P' D / y_scale of the target's term, q x q by rows: T = frame L / sqrt(s).
    frame: Vec<f64>,
    /// Unit of the first column of the target's term.
    unit: f64,
    q: usize,
    /// Parameters beyond theta, and how the rows follow them.
    varying: Varying<'m>,
}

impl<'m> Constrained<'m> {
    /// The problem at a fit (theta in the user's basis), and the free parameters there.
    pub fn new(
        model: &'m mut Model,
        mut varying: Varying<'m>,
        theta: &[f64],
        kind: Criterion,
        target: Target,
    ) -> Result<(Self, Vec<f64>, f64)> {
        let blocks = model.blocks_from_user(theta)?;
        let value = model.value(&blocks, kind)?;
        let s = value.pls.pwrss / model.nu(kind);
        let (scale, weight) = (model.a.coordinates.y_scale, model.a.coordinates.weight_mean);
        let mut lower = model.layout.zeros();
        for (k, &(_, _, q)) in model.layout.terms.clone().iter().enumerate() {
            let l = small::lower_from_product(&model.layout.term_block(&blocks, k), q).0;
            model.layout.set_term_block(&mut lower, k, &l);
        }
        let working = model.layout.theta(&lower);
        let places = &model.layout.places;
        let shaped = target.term().is_some_and(|k| varying.is_shaped(k));
        let rebuilt = target.term().filter(|_| !shaped);
        let others: Vec<usize> =
            (0..places.len()).filter(|&i| Some(places[i].0) != rebuilt && !varying.is_shaped(places[i].0)).collect();
        let mut x: Vec<f64> = others.iter().map(|&i| working[i]).collect();
        let (mut frame, mut unit, mut q, mut held) = (Vec::new(), 1.0, 0, (s * weight).sqrt() * scale);
        if let Some(term) = rebuilt {
            let map = &model.a.coordinates.terms[term];
            q = map.q();
            let forth = coordinates::working_from_user(map);
            let back = coordinates::user_from_working(map);
            let mut user = vec![0.0; q * q];
            small::mul(&mut user, &back, &model.layout.term_block(&blocks, term), q, q, q, s.sqrt() * scale);
            let mut order = target.leading();
            order.extend((0..q).filter(|c| !target.leading().contains(c)));
            // A column that has no variance yet is measured by what would be one sigma in the working basis.
            let size = |row: usize| (0..q).map(|c| user[row * q + c].powi(2)).sum::<f64>().sqrt();
            let spare = |row: usize| (0..q).map(|c| back[row * q + c].powi(2)).sum::<f64>().sqrt() * s.sqrt() * scale;
            let units: Vec<f64> =
                order.iter().map(|&r| if size(r) > 1e-8 * spare(r) { size(r) } else { spare(r) }).collect();
            let ordered: Vec<f64> = (0..q * q).map(|k| user[order[k / q] * q + k % q] / units[k / q]).collect();
            let (mut l, mut turn) = small::lower_from_product(&ordered, q);
            small::sweep_zero_pivots(&mut l, &mut turn, q);
            frame = vec![0.0; q * q];
            for i in 0..q {
                for (c, &column) in order.iter().enumerate() {
                    frame[i * q + c] = forth[i * q + column] * units[c] / scale;
                }
            }
            unit = units[0];
            match target {
                Target::Correlation { .. } => {
                    let m = l[q].hypot(l[q + 1]);
                    held = if m > 0.0 { l[q] / m } else { f64::NAN };
                    x.extend([l[0], m]);
                    x.extend((2..q).flat_map(|r| l[r * q..r * q + r + 1].to_vec()));
                }
                _ => {
                    held = l[0] * unit;
                    x.extend((1..q).flat_map(|r| l[r * q..r * q + r + 1].to_vec()));
                }
            }
        }
        let sigma = (s * weight).sqrt() * scale;
        if let Some(value) = varying.hold(target, sigma) {
            (held, unit) = (value, value.abs().max(0.05 * sigma));
        }
        match target {
            Target::Coefficient(k) => held = coordinates::fixed_to_user(&model.a.coordinates, &value.pls.beta)[k],
            Target::Sigma => {}
            _ => x.push(s.ln()),
        }
        x.extend(varying.free());
        let at = held;
        Ok((Constrained { model, kind, target, held, others, frame, unit, q, varying }, x, at))
    }

    /// Unit of the target.
    pub fn scale(&self) -> f64 {
        self.unit
    }

    /// Lower and upper edge of the parameter space, each with the last value before it that can be held.
    pub fn edges(&self) -> [(f64, f64); 2] {
        let there = |low: f64, high: f64| [(low, low), (high, high)];
        match self.target {
            Target::Sd { .. } | Target::Sigma => there(0.0, f64::INFINITY),
            Target::Correlation { term, .. } => there(self.varying.lowest(term), 1.0),
            Target::Coefficient(_) | Target::ResidualScale(_) => there(f64::NEG_INFINITY, f64::INFINITY),
            Target::ResidualCorrelation => self.varying.residual_edges(),
        }
    }

    /// A zero on the diagonal of a T is a stationary point: opens it, so that a search can leave it.
    pub fn opened(&self, x: &[f64]) -> Vec<f64> {
        let places = &self.model.layout.places;
        let mut out = x.to_vec();
        let beyond = out.len() - self.varying.n_free();
        self.varying.open(&mut out[beyond..]);
        for (v, &i) in out.iter_mut().zip(&self.others) {
            if places[i].1 == places[i].2 && v.abs() < 1e-2 {
                *v = 1e-2;
            }
        }
        out
    }

    fn lower(&self, x: &[f64]) -> Vec<f64> {
        let q = self.q;
        let mut l = vec![0.0; q * q];
        let mut rest = &x[self.others.len()..];
        let mut from = 1;
        if let Target::Correlation { .. } = self.target {
            l[0] = rest[0];
            l[q] = rest[1] * self.held;
            l[q + 1] = rest[1] * (1.0 - self.held * self.held).max(0.0).sqrt();
            (rest, from) = (&rest[2..], 2);
        } else {
            l[0] = self.held / self.unit;
        }
        for r in from..q {
            l[r * q..r * q + r + 1].copy_from_slice(&rest[..r + 1]);
            rest = &rest[r + 1..];
        }
        l
    }

    /// Where ln sigma^2 stands in x, if it is free.
    fn place_of_sigma(&self, x: &[f64]) -> Option<usize> {
        let free = !matches!(self.target, Target::Sigma | Target::Coefficient(_));
        free.then(|| x.len() - self.varying.n_free() - 1)
    }

    fn blocks(&self, x: &[f64], s: f64) -> Result<Blocks> {
        let layout = &self.model.layout;
        let mut theta = vec![0.0; layout.len()];
        self.others.iter().zip(x).for_each(|(&i, v)| theta[i] = *v);
        let mut t = layout.zeros();
        layout.fill(&theta, &mut t);
        if let Some(term) = self.rebuilt() {
            let mut block = vec![0.0; self.q * self.q];
            small::mul(&mut block, &self.frame, &self.lower(x), self.q, self.q, self.q, 1.0 / s.sqrt());
            layout.set_term_block(&mut t, term, &block);
        }
        self.varying.fill(&self.model.a.coordinates, layout, &mut t);
        Ok(t)
    }

    fn rebuilt(&self) -> Option<usize> {
        self.target.term().filter(|k| !self.varying.is_shaped(*k))
    }

    /// Takes psi and phi from x, with what is held at sigma^2 = s.
    fn vary(&mut self, x: &[f64], s: f64) -> bool {
        let c = &self.model.a.coordinates;
        let sigma = (s * c.weight_mean).sqrt() * c.y_scale;
        self.varying.take(&x[x.len() - self.varying.n_free()..], self.held, sigma, self.model)
    }

    /// sigma^2 in working units.
    fn residual(&self, x: &[f64]) -> f64 {
        let c = &self.model.a.coordinates;
        match self.target {
            Target::Sigma => (self.held / c.y_scale).powi(2) / c.weight_mean,
            _ => self.place_of_sigma(x).map_or(1.0, |i| x[i].exp()),
        }
    }

    fn variance(&mut self, x: &[f64], g: &mut [f64]) -> Result<f64> {
        let (s, nu) = (self.residual(x), self.model.nu(self.kind));
        if !self.vary(x, s) {
            return Err(Error::NotPositiveDefinite);
        }
        let t = self.blocks(x, s)?;
        let (value, gamma) = self.model.value_and_gamma_at(&t, self.kind, Some(s))?;
        let r2 = value.pls.pwrss;
        let f = value.f - nu * (1.0 + (r2 / nu).ln()) + nu * s.ln() + r2 / s;
        let mut full = vec![0.0; self.model.layout.len()];
        self.model.layout.pick(&gamma.total, &mut full);
        g.iter_mut().zip(&self.others).for_each(|(g, &i)| *g = 2.0 * full[i]);
        let place = self.place_of_sigma(x);
        if let Some(i) = place {
            g[i] = nu - r2 / s;
        }
        if let Some(term) = self.rebuilt() {
            let (q, from) = (self.q, self.others.len());
            let block = self.model.layout.term_block(&gamma.total, term);
            let mut d = vec![0.0; q * q];
            small::mul_transposed(&mut d, &self.frame, &block, q, q, q, 2.0 / s.sqrt());
            let mut out: Vec<f64> = Vec::with_capacity(g.len());
            let mut start = 1;
            if let Target::Correlation { .. } = self.target {
                out.extend([d[0], self.held * d[q] + (1.0 - self.held * self.held).max(0.0).sqrt() * d[q + 1]]);
                start = 2;
            }
            out.extend((start..q).flat_map(|r| d[r * q..r * q + r + 1].to_vec()));
            let own = self.model.layout.term_block(&t, term);
            let scaled: f64 = block.iter().zip(&own).map(|(a, b)| a * b).sum();
            g[from..from + out.len()].copy_from_slice(&out);
            if let Some(i) = place {
                g[i] -= scaled;
            }
        }
        let slope = self.varying.slope(self.model, &gamma)?;
        let tail = x.len() - slope.free.len();
        g[tail..].copy_from_slice(&slope.free);
        if let Some(i) = place {
            g[i] += slope.of_sigma;
        }
        Ok(f)
    }

    fn coefficient(&mut self, x: &[f64], k: usize, g: &mut [f64]) -> Result<f64> {
        if !self.vary(x, 1.0) {
            return Err(Error::NotPositiveDefinite);
        }
        let t = self.blocks(x, 1.0)?;
        let held = self.held;
        let (value, gamma) = self.model.constrained_ml(&t, k, held)?;
        let mut full = vec![0.0; self.model.layout.len()];
        self.model.layout.pick(&gamma.total, &mut full);
        g.iter_mut().zip(&self.others).for_each(|(g, &i)| *g = 2.0 * full[i]);
        let slope = self.varying.slope(self.model, &gamma)?;
        g[self.others.len()..].copy_from_slice(&slope.free);
        Ok(value.f)
    }
}

impl Objective for Constrained<'_> {
    fn evaluate(&mut self, x: &[f64], g: &mut [f64]) -> Result<Option<f64>> {
        if x.iter().any(|v| v.abs() > 1e8) {
            return Ok(None);
        }
        let value = match self.target {
            Target::Coefficient(k) => self.coefficient(x, k, g),
            _ => self.variance(x, g),
        };
        match value {
            Ok(f) => Ok((f.is_finite() && g.iter().all(|v| v.is_finite())).then_some(f)),
            Err(Error::NotPositiveDefinite) => Ok(None),
            Err(e) => Err(e),
        }
    }
}
