//! The search over theta, psi and phi together.
//!
//! A quasi-Newton descent in all of them; then, in turns, the fit of theta at the psi and phi that were found (which knows
//! about the boundary) and Newton steps in all, until the joint decrement says that nothing is left to gain.

use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::block::small;
use crate::convergence::Status;
use crate::error::{Error, Result};
use crate::estimate::Fit;
use crate::fit::{self, Minimum};
use crate::joint::{Joint, Parameters};
use crate::optim::bfgs::{self, Limits, Objective, Point};
use crate::optim::eigen;
use crate::optim::newton::{self, Polished};
use crate::options::{Criterion, FitOptions, Watch};
use crate::search::NOISE;

/// Work (operations an evaluation) up to which a second start and central differences are affordable.
pub(crate) const CHEAP: f64 = 2e6;

/// What was found beside theta.
#[derive(Clone, Debug)]
pub struct Found {
    /// Coefficients of the log residual standard deviation, then the transformed correlation.
    pub phi: Vec<f64>,
    /// Residual correlation, if there is one.
    pub rho: Option<f64>,
    /// psi of the terms with a pattern.
    pub psi: Vec<f64>,
    /// Joint Hessian of the criterion in the free elements of theta (working basis), psi and phi, by rows.
    pub hessian: Vec<f64>,
}

/// The criterion in the free elements of theta, in psi and in phi.
struct All<'m, 'd> {
    joint: &'m mut Joint<'d>,
    kind: Criterion,
    at: Parameters,
    free: Vec<usize>,
    watch: &'m Watch,
    evaluations: usize,
}

impl All<'_, '_> {
    fn x(&self) -> Vec<f64> {
        let theta = self.free.iter().map(|&i| self.at.theta[i]);
        theta.chain(self.at.psi.iter().copied()).chain(self.at.phi.iter().copied()).collect()
    }

    fn take(&mut self, x: &[f64]) {
        let (own, rest) = x.split_at(self.free.len());
        self.free.iter().zip(own).for_each(|(&i, v)| self.at.theta[i] = *v);
        let (psi, phi) = rest.split_at(self.at.psi.len());
        self.at.psi.copy_from_slice(psi);
        self.at.phi.copy_from_slice(phi);
    }
}

impl Objective for All<'_, '_> {
    fn evaluate(&mut self, x: &[f64], g: &mut [f64]) -> Result<Option<f64>> {
        if self.watch.stop.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        self.evaluations += 1;
        self.watch.evaluations.fetch_add(1, Ordering::Relaxed);
        self.take(x);
        let shaped = self.joint.patterned().iter().all(|(_, s, range)| s.is_inside(&self.at.psi[range.clone()]));
        if x[..self.free.len()].iter().any(|v| v.abs() > 1e8)
            || !shaped
            || !self.joint.rows.residual.is_inside(&self.at.phi)
        {
            return Ok(None);
        }
        match self.joint.evaluate(&self.at, self.kind) {
            Ok((f, slope)) => {
                let all = self.free.iter().map(|&i| slope.theta[i]).chain(slope.psi).chain(slope.phi);
                g.iter_mut().zip(all).for_each(|(g, v)| *g = v);
                Ok((f.is_finite() && g.iter().all(|x| x.is_finite())).then_some(f))
            }
            Err(Error::NotPositiveDefinite) => Ok(None),
            Err(e) => Err(e),
        }
    }
}

/// The end of the search: parameters, the fit of theta there, and the joint certificate.
struct Ended {
    at: Parameters,
    free: Vec<usize>,
    minimum: Minimum,
    polished: Polished,
}

impl<'d> Joint<'d> {
    fn all<'m>(&'m mut self, at: &Parameters, free: Vec<usize>, kind: Criterion, watch: &'m Watch) -> All<'m, 'd> {
        All { joint: self, kind, at: at.clone(), free, watch, evaluations: 0 }
    }

    /// Elements of theta that belong to no pattern and, at given ranks, are not zero.
    fn free(&self, ranks: Option<&[usize]>) -> Vec<usize> {
        let places = &self.model.layout.places;
        let within = |i: usize| ranks.is_none_or(|r| places[i].2 < r[places[i].0]);
        (0..places.len()).filter(|&i| self.shapes[places[i].0].is_none() && within(i)).collect()
    }

    /// Fits all parameters. `phi` is where to begin.
    ///
    /// # Errors
    /// Those of [`crate::Model::fit`]; [`Error::ResidualScale`] where a standard deviation tends to zero.
    pub fn fit(&mut self, options: &FitOptions, phi: Option<&[f64]>, watch: &Watch) -> Result<(Fit, Found)> {
        let begin = Instant::now();
        let kind = options.criterion;
        let (mut at, mut evaluations) = self.descend(options, phi, watch)?;
        let mut last: Option<Ended> = None;
        for _ in 0..6 {
            self.rows.residual.check(&at.phi)?;
            for (_, shape, range) in self.patterned() {
                let settled = shape.settled(&at.psi[range.clone()]);
                at.psi[range].copy_from_slice(&settled);
            }
            self.set(&at.phi);
            let inner = FitOptions { start: Some(self.user(&at)?), starts: 1, ..options.clone() };
            let minimum = fit::minimise(&mut self.model, &inner, watch)?;
            evaluations += minimum.convergence.evaluations;
            at.theta.clone_from(&minimum.theta);
            let free = self.free(Some(&minimum.convergence.ranks));
            let (next, polished, used) = self.polish(&at, &free, options, watch)?;
            evaluations += used;
            let far = |a: &[f64], b: &[f64]| {
                a.iter().zip(b).fold(0.0_f64, |m, (x, y)| m.max((x - y).abs() / (0.1 + y.abs())))
            };
            let moved = far(&next.theta, &at.theta).max(far(&next.psi, &at.psi)).max(far(&next.phi, &at.phi));
            at = next;
            last = Some(Ended { at: at.clone(), free, minimum, polished });
            if moved < 1e-6 {
                break;
            }
        }
        let ended = last.ok_or_else(|| Error::Internal("no point was polished".into()))?;
        self.check_flat(&ended, kind, watch)?;
        self.set(&ended.at.phi);
        let searched = begin.elapsed().as_secs_f64();
        let Ended { at, polished, .. } = &ended;
        let found = Found {
            rho: self.rows.residual.rho(&at.phi),
            phi: at.phi.clone(),
            psi: at.psi.clone(),
            hessian: polished.hessian.clone(),
        };
        let minimum = self.certify(ended, options, evaluations)?;
        let mut fit = self.model.estimates(minimum, kind)?;
        fit.timing.optimise = searched;
        fit.timing.estimates = begin.elapsed().as_secs_f64() - searched;
        Ok((fit, found))
    }

    /// The certificate of all parameters, on theta with the terms that have a pattern filled in.
    fn certify(&self, ended: Ended, options: &FitOptions, evaluations: usize) -> Result<Minimum> {
        let Ended { at, free, mut minimum, polished } = ended;
        let (m, k) = (minimum.theta.len(), polished.point.x.len());
        let largest = polished.eigenvalues.last().copied().unwrap_or(0.0);
        let curved = polished.eigenvalues.first().is_none_or(|v| *v > -1e-7 * largest.max(1.0));
        let enough = polished.decrement <= options.tolerance + 100.0 * NOISE * (1.0 + polished.point.f.abs());
        let c = &mut minimum.convergence;
        if c.status.is_certified() && !(curved && enough) {
            c.status = Status::Stalled;
        }
        c.evaluations = evaluations;
        c.decrement = polished.decrement;
        c.gradient = (0..k)
            .map(|i| polished.point.g[i].abs() / polished.hessian[i * k + i].abs().max(f64::MIN_POSITIVE).sqrt())
            .fold(0.0, f64::max);
        c.eigenvalues.clone_from(&polished.eigenvalues);
        c.hessian = if free.len() == m {
            (0..m * m).map(|x| polished.hessian[x / m * k + x % m]).collect()
        } else {
            vec![f64::NAN; m * m]
        };
        let layout = &self.model.layout;
        let mut blocks = self.blocks(&at).ok_or(Error::NotPositiveDefinite)?;
        for (term, shape, range) in self.patterned() {
            c.ranks[term] = shape.rank(&at.psi[range]);
            if c.ranks[term] < shape.q && c.status == Status::Converged {
                c.status = Status::OnBoundary;
            }
            let l = small::lower_from_product(&layout.term_block(&blocks, term), shape.q).0;
            layout.set_term_block(&mut blocks, term, &l);
        }
        minimum.theta = layout.theta(&blocks);
        Ok(minimum)
    }

    /// Quasi-Newton descent from every start; the lowest end.
    fn descend(&mut self, options: &FitOptions, phi: Option<&[f64]>, watch: &Watch) -> Result<(Parameters, usize)> {
        let kind = options.criterion;
        let free = self.free(None);
        let mut best: Option<(f64, Parameters)> = None;
        let mut evaluations = 0;
        for at in self.starts(options, phi)? {
            self.set(&at.phi);
            let blocks = self.blocks(&at).ok_or(Error::NotPositiveDefinite)?;
            self.model.value_and_gamma(&blocks, kind)?;
            let full = self.model.curvature(&blocks, kind)?;
            let (m, k) = (free.len(), free.len() + at.psi.len() + at.phi.len());
            let mut h = vec![0.0; k * k];
            let n_theta = at.theta.len();
            let own: Vec<f64> = (0..m * m).map(|x| full[free[x / m] * n_theta + free[x % m]]).collect();
            bfgs::invert_into(&own, &mut h, m, k);
            for (term, _, range) in self.patterned() {
                let levels = self.model.a.factors[self.model.layout.terms[term].0].levels as f64;
                range.for_each(|i| h[(m + i) * k + m + i] = 0.5 / levels);
            }
            let first = m + at.psi.len();
            for (i, c) in self.rows.residual.curvature().iter().enumerate() {
                h[(first + i) * k + first + i] = 1.0 / c;
            }
            let limits = Limits { decrease: 1e-7, noise: NOISE, evaluations: options.max_evaluations };
            let mut all = self.all(&at, free.clone(), kind, watch);
            let x = all.x();
            if let Some((point, _, _)) = bfgs::minimise(&mut all, &x, &mut h, limits)? {
                all.take(&point.x);
                if best.as_ref().is_none_or(|(f, _)| point.f < f - 1e-9) {
                    best = Some((point.f, all.at.clone()));
                }
            }
            evaluations += all.evaluations + 1;
        }
        let (_, at) =
            best.ok_or_else(|| Error::Internal("the criterion is not defined at any starting point".into()))?;
        Ok((at, evaluations))
    }

    /// Newton steps in all parameters.
    fn polish(
        &mut self,
        at: &Parameters,
        free: &[usize],
        options: &FitOptions,
        watch: &Watch,
    ) -> Result<(Parameters, Polished, usize)> {
        let central = self.model.s.work(self.model.a.p) < CHEAP;
        let mut all = self.all(at, free.to_vec(), options.criterion, watch);
        let x = all.x();
        let mut g = vec![0.0; x.len()];
        let f = all.evaluate(&x, &mut g)?.ok_or(Error::NotPositiveDefinite)?;
        let target = if central { 1e-22 } else { 1e-13 };
        let polished = if x.is_empty() {
            Polished { point: Point { x, f, g }, hessian: vec![], eigenvalues: vec![], decrement: 0.0, steps: 0 }
        } else {
            newton::polish(&mut all, Point { x, f, g }, target, central, NOISE, 7)?
        };
        all.take(&polished.point.x);
        let evaluations = all.evaluations;
        Ok((all.at, polished, evaluations))
    }

    /// Refuses a model whose criterion does not change along some direction.
    fn check_flat(&mut self, ended: &Ended, kind: Criterion, watch: &Watch) -> Result<()> {
        let p = &ended.polished;
        let n = p.point.x.len();
        let scale: Vec<f64> = p.point.x.iter().map(|x| x.abs() + 0.05).collect();
        let scaled: Vec<f64> = (0..n * n).map(|k| p.hessian[k] * scale[k / n] * scale[k % n]).collect();
        let (values, vectors) = eigen::symmetric(&scaled, n)?;
        let largest = values.last().copied().unwrap_or(0.0).max(1.0);
        for (_, vector) in values.iter().zip(&vectors).filter(|(v, _)| v.abs() <= 1e-5 * largest) {
            let mut flat = true;
            for side in [-0.3, 0.3] {
                let x: Vec<f64> = (0..n).map(|i| p.point.x[i] + side * scale[i] * vector[i]).collect();
                let mut g = vec![0.0; n];
                let change = self.all(&ended.at, ended.free.clone(), kind, watch).evaluate(&x, &mut g)?;
                flat &= change.is_some_and(|f| (f - p.point.f).abs() < 1e-6 + 1e-12 * p.point.f.abs());
            }
            let strongest = (0..n).max_by(|&i, &j| vector[i].abs().total_cmp(&vector[j].abs())).unwrap_or(0);
            if flat {
                self.refuse(ended, strongest)?;
            }
        }
        Ok(())
    }

    /// The error for the parameter that is strongest on a flat direction, unless it multiplies nothing.
    fn refuse(&self, ended: &Ended, i: usize) -> Result<()> {
        let places = &self.model.layout.places;
        let flat = |term: usize, column: usize| Err(Error::Unidentified { term, column, reason: "flat", other: 0 });
        if let Some(&element) = ended.free.get(i) {
            return flat(places[element].0 + 1, places[element].1 + 1);
        }
        let i = i - ended.free.len();
        for (term, shape, range) in self.patterned() {
            if range.contains(&i) {
                let own = &ended.at.psi[range.clone()];
                return if shape.is_idle(own, i - range.start) { Ok(()) } else { flat(term + 1, 1) };
            }
        }
        let (residual, i) = (&self.rows.residual, i - ended.at.psi.len());
        if residual.is_idle(&ended.at.phi, i) {
            return Ok(());
        }
        Err(residual.flat(i))
    }
}
