//! The problem of a fit: the criterion of a model in theta, psi (covariance matrices with a pattern) and phi (residuals that
//! are not alike).
//!
//! The criterion and its gradient in all of them come from one evaluation: those of theta and psi from Gamma (a term
//! with a pattern has L(psi) for its factor), those of phi from the cross-products of the derivative of R^-1. A plain model is
//! the problem with empty psi and phi; nothing that follows asks which of the two it has.

use crate::covariance::Blocks;
use crate::covariance::PatternedFactor;
use crate::covariance::ResidualCovariance;
use crate::crossprod::{Crossprod, WeightedSums};
use crate::design::{working_from_user, Design, Term};
use crate::error::{Error, Result};
use crate::likelihood::Gamma;
use crate::likelihood::Model;
use crate::numerics::small;
use crate::options::{Criterion, FitOptions, Watch};

/// The criterion of a model in all its parameters. A plain model has no psi and no phi, and needs no row again.
pub struct Problem<'d> {
    /// The model at the phi that was set last.
    pub(crate) model: Model,
    /// The rows, where they are needed again: for patterns, and for residuals that are not alike.
    pub(crate) design: Option<&'d Design<'d>>,
    /// Sums for any phi; none where R has no parameters.
    pub(crate) rows: Option<WeightedSums<'d>>,
    /// R of residuals that are alike, where there are no `rows`.
    alike: ResidualCovariance,
    /// For each random term the pattern of its covariance matrix.
    pub(crate) patterns: Vec<Option<PatternedFactor>>,
    /// Room for the derivative of the cross-products; as many sums as the model has where R has parameters.
    pub(crate) change: Option<Crossprod>,
    /// The phi that the sums of the model are those of.
    set: Option<Vec<f64>>,
}

/// All parameters of the criterion.
#[derive(Clone, Debug, Default)]
pub struct Parameters {
    /// Theta in the working basis; elements of terms with a pattern are not used.
    pub theta: Vec<f64>,
    /// psi of the terms with a pattern, one after the other.
    pub psi: Vec<f64>,
    /// Coefficients of the log residual standard deviation, then the transformed correlation.
    pub phi: Vec<f64>,
}

/// Which parameters are free; the others keep their values.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Free {
    /// Elements of theta.
    pub theta: Vec<usize>,
    /// Elements of psi.
    pub psi: Vec<usize>,
    /// Elements of phi.
    pub phi: Vec<usize>,
}

impl Free {
    /// True if psi and phi keep their values: the criterion has second derivatives then.
    pub fn is_theta_alone(&self) -> bool {
        self.psi.is_empty() && self.phi.is_empty()
    }

    /// Values of the free parameters: theta, psi, phi.
    pub fn pick(&self, at: &Parameters) -> Vec<f64> {
        let theta = self.theta.iter().map(|&i| at.theta[i]);
        theta.chain(self.psi.iter().map(|&i| at.psi[i])).chain(self.phi.iter().map(|&i| at.phi[i])).collect()
    }

    /// Writes the values of the free parameters.
    pub fn put(&self, x: &[f64], at: &mut Parameters) {
        let (theta, rest) = x.split_at(self.theta.len());
        let (psi, phi) = rest.split_at(self.psi.len());
        self.theta.iter().zip(theta).for_each(|(&i, v)| at.theta[i] = *v);
        self.psi.iter().zip(psi).for_each(|(&i, v)| at.psi[i] = *v);
        self.phi.iter().zip(phi).for_each(|(&i, v)| at.phi[i] = *v);
    }
}

/// A term with a pattern: its place, the pattern, and the places of its psi.
pub(crate) type Patterned = (usize, PatternedFactor, std::ops::Range<usize>);

impl Problem<'static> {
    /// A problem without psi and phi, from sums that were made before.
    ///
    /// # Errors
    /// Those of [`Model::new`].
    pub fn from_sums(a: Crossprod, options: &FitOptions) -> Result<Problem<'static>> {
        let (alike, patterns) = (ResidualCovariance::alike(a.n), vec![None; a.coordinates.terms.len()]);
        let model = Model::new(a, options)?;
        Ok(Problem { model, design: None, rows: None, alike, patterns, change: None, set: None })
    }
}

impl<'d> Problem<'d> {
    /// Sums the rows and analyses the model.
    ///
    /// # Errors
    /// Those of [`Crossprod::from_design`] and [`Model::new`]; [`Error::TiedTimes`].
    pub fn new(design: &'d Design<'d>, options: &FitOptions) -> Result<Problem<'d>> {
        if design.residual.is_empty() {
            let mut out: Problem<'d> = Problem::from_sums(Crossprod::from_design(design, options.threads)?, options)?;
            if !design.is_plain() {
                let pattern = |t: &Term<'_>| t.structured.map(|kind| PatternedFactor::new(kind, &t.basis, design.n()));
                out.patterns = design.terms.iter().map(pattern).collect();
                out.design = Some(design);
            }
            return Ok(out);
        }
        let rows = WeightedSums::new(design, options.threads)?;
        let model = Model::new(rows.base.clone(), options)?;
        let pattern = |t: &Term<'_>| t.structured.map(|kind| PatternedFactor::new(kind, &t.basis, design.n()));
        let patterns: Vec<_> = design.terms.iter().map(pattern).collect();
        let (change, alike) = (Some(rows.base.clone()), ResidualCovariance::alike(design.n()));
        Ok(Problem { model, design: Some(design), rows: Some(rows), alike, patterns, change, set: None })
    }

    /// The problem without its rows, which a plain one does not need; else it is given back.
    ///
    /// # Errors
    /// The problem itself, where its rows are needed again.
    pub fn detached(self) -> std::result::Result<Problem<'static>, Box<Problem<'d>>> {
        if self.design.is_some() {
            return Err(Box::new(self));
        }
        let Problem { model, alike, patterns, .. } = self;
        Ok(Problem { model, design: None, rows: None, alike, patterns, change: None, set: None })
    }

    /// True if the criterion has no parameters but theta.
    pub(crate) fn is_plain(&self) -> bool {
        self.design.is_none()
    }

    /// Lets `watch` stop whatever is evaluated from now on, with [`Error::Interrupted`].
    pub fn attend(&mut self, watch: &Watch) {
        self.model.attend(watch);
    }

    /// The model at the phi that was set last.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The residuals.
    pub fn residual(&self) -> &ResidualCovariance {
        self.rows.as_ref().map_or(&self.alike, |rows| &rows.residual)
    }

    /// The model with rows weighted by phi.
    pub fn into_model(mut self, phi: &[f64]) -> Model {
        self.set(phi);
        self.model
    }

    /// Weights the rows by phi.
    pub fn set(&mut self, phi: &[f64]) {
        if self.set.as_deref() == Some(phi) {
            return;
        }
        if let Some(rows) = &self.rows {
            self.model.change_sums(|a| rows.at(phi, a));
            self.set = Some(phi.to_vec());
        }
    }

    /// Elements of theta that belong to no pattern and, at given ranks, are not zero.
    pub(crate) fn free_theta(&self, ranks: Option<&[usize]>) -> Vec<usize> {
        let places = &self.model.layout.places;
        let within = |i: usize| ranks.is_none_or(|r| places[i].2 < r[places[i].0]);
        (0..places.len()).filter(|&i| self.patterns[places[i].0].is_none() && within(i)).collect()
    }

    /// All parameters; of theta those that are not zero at given ranks.
    pub(crate) fn free(&self, ranks: Option<&[usize]>) -> Free {
        let (n_psi, n_phi) = (self.n_psi(), self.residual().len());
        Free { theta: self.free_theta(ranks), psi: (0..n_psi).collect(), phi: (0..n_phi).collect() }
    }

    /// False where a pattern, a residual standard deviation or a residual correlation has left the range of numbers.
    pub(crate) fn is_inside(&self, at: &Parameters) -> bool {
        self.patterned().iter().all(|(_, pattern, range)| pattern.is_inside(&at.psi[range.clone()]))
            && self.residual().is_inside(&at.phi)
    }

    /// The G_k = T_k T_k' of all terms, beside sigma^2, in the working basis; `None` where a pattern is out of range.
    pub(crate) fn covariances(&self, at: &Parameters) -> Option<Vec<Vec<f64>>> {
        let (layout, t) = (&self.model.layout, self.blocks(at)?);
        let product = |k: usize| {
            let (q, t) = (layout.terms[k].2, layout.term_block(&t, k));
            let mut g = vec![0.0; q * q];
            small::mul_by_transposed(&mut g, &t, &t, q, q, q, 1.0);
            g
        };
        Some((0..layout.terms.len()).map(product).collect())
    }

    /// The parameters of a fit: theta in the user's basis (of all terms) and phi.
    ///
    /// # Errors
    /// [`Error::Dimension`] for a theta of the wrong length.
    pub(crate) fn parameters(&self, theta: &[f64], phi: &[f64]) -> Result<Parameters> {
        Ok(Parameters { theta: self.working(theta)?, psi: self.psi_of(theta), phi: phi.to_vec() })
    }

    /// Number of elements of psi.
    pub fn n_psi(&self) -> usize {
        self.patterns.iter().flatten().map(PatternedFactor::len).sum()
    }

    /// Terms with a pattern, with the place of their psi.
    pub(crate) fn patterned(&self) -> Vec<Patterned> {
        let mut next = 0;
        let mut out = Vec::new();
        for (k, shape) in self.patterns.iter().enumerate() {
            if let Some(shape) = shape {
                out.push((k, shape.clone(), next..next + shape.len()));
                next += shape.len();
            }
        }
        out
    }

    /// Factors in working coordinates; `None` where a pattern is out of range.
    pub(crate) fn blocks(&self, at: &Parameters) -> Option<Blocks> {
        let (layout, c) = (&self.model.layout, &self.model.a.coordinates);
        let mut t = layout.zeros();
        layout.fill(&at.theta, &mut t);
        for (k, shape, range) in self.patterned() {
            let q = shape.q;
            if !shape.is_inside(&at.psi[range.clone()]) {
                return None;
            }
            let (l, _) = shape.factor(&at.psi[range]);
            let mut product = vec![0.0; q * q];
            let map = working_from_user(&c.terms[k]);
            small::mul(&mut product, &map, &l, q, q, q, c.weight_mean.sqrt());
            layout.set_term_block(&mut t, k, &product);
        }
        Some(t)
    }

    /// Criterion, and its gradient in the free parameters.
    pub(crate) fn evaluate(&mut self, at: &Parameters, free: &Free, kind: Criterion) -> Result<(f64, Vec<f64>)> {
        self.set(&at.phi);
        let t = self.blocks(at).ok_or(Error::NotPositiveDefinite)?;
        let (value, gamma) = self.model.value_and_gamma(&t, kind)?;
        Ok((value.f, self.gradient(at, free, &gamma)?))
    }

    /// The gradient in the free parameters at the point whose Gamma was found last.
    pub(crate) fn gradient(&mut self, at: &Parameters, free: &Free, gamma: &Gamma) -> Result<Vec<f64>> {
        let layout = &self.model.layout;
        let mut of_theta = vec![0.0; layout.len()];
        layout.pick(&gamma.total, &mut of_theta);
        let mut out: Vec<f64> = free.theta.iter().map(|&i| 2.0 * of_theta[i]).collect();
        if !free.psi.is_empty() {
            let mut of_psi = Vec::with_capacity(at.psi.len());
            for (k, pattern, range) in self.patterned() {
                let (q, c) = (pattern.q, &self.model.a.coordinates);
                let (_, slopes) = pattern.factor(&at.psi[range]);
                let map = working_from_user(&c.terms[k]);
                let mut of_l = vec![0.0; q * q];
                let block = layout.term_block(&gamma.total, k);
                small::mul_transposed(&mut of_l, &map, &block, q, q, q, 2.0 * c.weight_mean.sqrt());
                of_psi.extend(slopes.iter().map(|s| s.iter().zip(&of_l).map(|(a, b)| a * b).sum::<f64>()));
            }
            out.extend(free.psi.iter().map(|&i| of_psi[i]));
        }
        for &i in &free.phi {
            let (Some(rows), Some(change)) = (&self.rows, &mut self.change) else {
                return Err(Error::Internal("residuals that are alike have no phi".into()));
            };
            let log_det = rows.derivative(&at.phi, i, change);
            out.push(log_det + self.model.derivative_along(change)?);
        }
        Ok(out)
    }

    /// Criterion and its gradient in (psi, phi); theta in the user's basis.
    ///
    /// # Errors
    /// As [`Model::criterion`].
    pub fn criterion(&mut self, theta: &[f64], psi: &[f64], phi: &[f64], kind: Criterion) -> Result<(f64, Vec<f64>)> {
        let at = Parameters { theta: self.working(theta)?, psi: psi.to_vec(), phi: phi.to_vec() };
        let free = Free { theta: Vec::new(), ..self.free(None) };
        self.evaluate(&at, &free, kind)
    }

    /// psi of the terms with a pattern from theta in the user's basis.
    pub(crate) fn psi_of(&self, theta: &[f64]) -> Vec<f64> {
        let layout = &self.model.layout;
        let mut blocks = layout.zeros();
        layout.fill(theta, &mut blocks);
        self.patterned().iter().flat_map(|(k, shape, _)| shape.psi_of(&layout.term_block(&blocks, *k))).collect()
    }

    /// Theta in the working basis.
    pub(crate) fn working(&self, user: &[f64]) -> Result<Vec<f64>> {
        let layout = &self.model.layout;
        let mut blocks = self.model.blocks_from_user(user)?;
        for (k, &(_, _, q)) in layout.terms.iter().enumerate() {
            let l = small::lower_from_product(&layout.term_block(&blocks, k), q).0;
            layout.set_term_block(&mut blocks, k, &l);
        }
        Ok(layout.theta(&blocks))
    }
}
