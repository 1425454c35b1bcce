//! Parametric bootstrap from the cross-products: new responses are drawn as X'Wy, Z'Wy and y'Wy, never as rows.
//!
//! With e ~ N(0, sigma^2 W^-1), (Z'We, X'We) is normal with covariance sigma^2 [Z, X]'W[Z, X] and what is left of e'We is
//! chi-square. One replicate costs as much as one product with the root of Z'WZ (block diagonal for one factor) and one
//! fit, whatever the number of rows. Replicate i uses stream i of the seed, so threads do not change results.

use super::component::{components, cross, Component, Locator};
use crate::covariance::theta::Blocks;
use crate::crossprod::crossprod::Crossprod;
use crate::design::coordinates;
use crate::error::{Error, Result};
use crate::fit::estimates::Fit;
use crate::likelihood::model::Model;
use crate::numerics::random::Stream;
use crate::numerics::small;
use crate::numerics::threads::Workers;
use crate::options::{FitOptions, Look, Watch};

/// Below this share of a diagonal element a pivot of Z'WZ is zero.
const ZERO: f64 = 1e-10;

/// What became of one of many fits.
#[derive(Clone, Debug)]
pub enum Refit {
    /// Its estimates.
    Done(Replicate),
    /// The response allows no estimates.
    Failed,
    /// Not done: somebody asked to stop.
    Stopped,
}

impl Refit {
    /// The estimates, if there are any.
    pub fn done(&self) -> Option<&Replicate> {
        match self {
            Refit::Done(replicate) => Some(replicate),
            _ => None,
        }
    }
}

/// Estimates of one replicate.
#[derive(Clone, Debug)]
pub struct Replicate {
    /// Theta in the user's basis.
    pub theta: Vec<f64>,
    /// Kept coefficients.
    pub beta: Vec<f64>,
    /// Residual standard deviation.
    pub sigma: f64,
    /// Criterion.
    pub criterion: f64,
    /// True if the fit is certified.
    pub certified: bool,
    /// Parameters of the residuals, if they are not alike.
    pub phi: Vec<f64>,
}

/// One component with the root of its Z'WZ.
struct Root {
    component: Component,
    /// Lower triangular R with R R' = Z'WZ; a zero pivot has a zero column.
    root: Vec<f64>,
    /// R^+ Z'WX.
    fixed: Vec<f64>,
}

/// What a draw needs, at the fitted parameters.
struct Generator {
    roots: Vec<Root>,
    /// Root of the covariance of X'We given Z'We, p x p lower.
    rest: Vec<f64>,
    /// Degrees of freedom of what is left of e'We.
    left: f64,
    t: Blocks,
    sigma: f64,
}

/// Refits `draws` responses simulated from `fit`.
///
/// # Errors
/// [`Error::TooLarge`] if the largest connected set of levels does not fit in memory.
pub fn bootstrap(
    a: &Crossprod,
    fit: &Fit,
    options: &FitOptions,
    draws: usize,
    seed: u64,
    watch: &Watch,
) -> Result<Vec<Refit>> {
    let single = FitOptions { threads: 1, look: Look::Alone, start: Some(fit.theta.clone()), ..options.clone() };
    let mut model = Model::new(a.clone(), &single)?;
    model.attend(watch);
    let t = model.blocks_from_user(&fit.theta)?;
    let generator = Generator::new(&mut model, &t, options)?;
    let centre = model.value(&t, options.criterion)?.pls.beta.clone();
    let workers = Workers::new(if draws > 1 { options.threads } else { 1 })?;
    let batches = (draws / 16).clamp(1, 64).max(workers.count().min(draws));
    let parts = workers.map(batches, |k| -> Result<Vec<Refit>> {
        let range = k * draws / batches..(k + 1) * draws / batches;
        if watch.is_stopped() {
            return Ok(vec![Refit::Stopped; range.len()]);
        }
        let mut own = Model::new(a.clone(), &single)?;
        let mut out = Vec::with_capacity(range.len());
        for i in range {
            if watch.is_stopped() {
                out.push(Refit::Stopped);
                continue;
            }
            own.change_sums(|a| generator.draw(a, &mut Stream::new(seed, i as u64)));
            out.push(match own.fit(&single, &watch.part()) {
                Ok(f) => Refit::Done(replicate(&own, &f, &centre)),
                Err(Error::PerfectFit { .. } | Error::Unidentified { .. } | Error::NotPositiveDefinite) => {
                    Refit::Failed
                }
                Err(Error::Interrupted) => Refit::Stopped,
                Err(e) => return Err(e),
            });
            watch.advance(1);
        }
        Ok(out)
    });
    let mut out = Vec::with_capacity(draws);
    for part in parts {
        out.extend(part?);
    }
    Ok(out)
}

fn replicate(model: &Model, f: &Fit, centre: &[f64]) -> Replicate {
    let c = &model.a.coordinates;
    let p = centre.len();
    let mut shift = vec![0.0; p];
    small::mul(&mut shift, &coordinates::jacobian(&c.x), centre, p, p, 1, c.y_scale);
    let mut out = Replicate::new(f);
    out.beta.iter_mut().zip(&shift).for_each(|(b, s)| *b += s);
    out
}

impl Replicate {
    /// The estimates of a fit.
    pub(crate) fn new(f: &Fit) -> Replicate {
        Replicate {
            theta: f.theta.clone(),
            beta: f.kept.iter().map(|&k| f.beta[k]).collect(),
            sigma: f.sigma,
            criterion: f.criterion,
            certified: f.convergence.status.is_certified(),
            phi: f.phi.clone(),
        }
    }
}

impl Generator {
    fn new(model: &mut Model, t: &Blocks, options: &FitOptions) -> Result<Generator> {
        let parts = components(model);
        let bytes = super::component::bytes(&parts);
        if bytes > options.memory {
            return Err(Error::TooLarge { bytes, limit: options.memory });
        }
        let value = model.value(t, options.criterion)?;
        let sigma = (value.pls.pwrss / model.nu(options.criterion)).sqrt();
        let at = Locator::new(model, &parts);
        let (p, m) = (model.a.p, model.a.p + 1);
        let mut rest = vec![0.0; p * p];
        for i in 0..p {
            rest[i * p..(i + 1) * p].copy_from_slice(&model.a.gram[i * m..i * m + p]);
        }
        let mut rank = 0;
        let mut roots = Vec::with_capacity(parts.len());
        for component in parts {
            let n = component.size;
            let mut root = cross(model, &component, &at);
            rank += semidefinite_root(&mut root, n, &model.watch)?;
            let mut fixed = vec![0.0; n * p];
            for &(f, level, here) in &component.members {
                let sums = &model.a.factors[f];
                for r in 0..sums.q {
                    let from = (level * sums.q + r) * m;
                    fixed[(here + r) * p..(here + r + 1) * p].copy_from_slice(&sums.rhs[from..from + p]);
                }
            }
            solve_with_zeros(&root, n, &mut fixed, p);
            small::mul_transposed(&mut rest, &fixed.clone(), &fixed, p, n, p, -1.0);
            roots.push(Root { component, root, fixed });
        }
        rank += semidefinite_root(&mut rest, p, &model.watch)?;
        Ok(Generator { roots, rest, left: (model.a.n - rank.min(model.a.n)) as f64, t: t.clone(), sigma })
    }

    /// Replaces the response in `a` by a new draw of Zb + e.
    fn draw(&self, a: &mut Crossprod, s: &mut Stream) {
        let (p, m) = (a.p, a.p + 1);
        let mut xy = vec![0.0; p];
        let mut yy = 0.0;
        for part in &self.roots {
            let n = part.component.size;
            let noise: Vec<f64> =
                (0..n).map(|i| if part.root[i * n + i] == 0.0 { 0.0 } else { s.normal() * self.sigma }).collect();
            let mut b = vec![0.0; n];
            for &(f, _, here) in &part.component.members {
                let q = a.factors[f].q;
                let u: Vec<f64> = (0..q).map(|_| s.normal() * self.sigma).collect();
                small::mul(&mut b[here..here + q], &self.t[f], &u, q, q, 1, 1.0);
            }
            // Z'Wy = R (R'b + noise): one product gives both parts, and its square both of theirs in y'Wy.
            let mut inner = noise;
            small::mul_transposed(&mut inner, &part.root, &b, n, n, 1, 1.0);
            let mut zy = vec![0.0; n];
            small::mul(&mut zy, &part.root, &inner, n, n, 1, 1.0);
            small::mul_transposed(&mut xy, &part.fixed, &inner, p, n, 1, 1.0);
            yy += inner.iter().map(|x| x * x).sum::<f64>();
            for &(f, level, here) in &part.component.members {
                let sums = &mut a.factors[f];
                for r in 0..sums.q {
                    sums.rhs[(level * sums.q + r) * m + p] = zy[here + r];
                }
            }
        }
        let noise: Vec<f64> =
            (0..p).map(|i| if self.rest[i * p + i] == 0.0 { 0.0 } else { s.normal() * self.sigma }).collect();
        small::mul(&mut xy, &self.rest, &noise, p, p, 1, 1.0);
        yy += noise.iter().map(|x| x * x).sum::<f64>();
        if self.left > 0.0 {
            yy += self.sigma * self.sigma * s.chi_square(self.left);
        }
        for (i, x) in xy.iter().enumerate() {
            a.gram[i * m + p] = *x;
            a.gram[p * m + i] = *x;
        }
        a.gram[p * m + p] = yy;
    }
}

/// Lower root of a positive semidefinite matrix, in place; a zero pivot gets a zero column. Returns the rank.
fn semidefinite_root(a: &mut [f64], n: usize, watch: &Watch) -> Result<usize> {
    let diagonal: Vec<f64> = (0..n).map(|i| a[i * n + i]).collect();
    let mut rank = 0;
    for j in 0..n {
        watch.check()?;
        let rest = &mut a[j * n..];
        let own: Vec<f64> = rest[..j].to_vec();
        let d = rest[j] - own.iter().map(|x| x * x).sum::<f64>();
        let pivot = if d > ZERO * diagonal[j] { d.sqrt() } else { 0.0 };
        rank += usize::from(pivot > 0.0);
        rest[j] = pivot;
        for i in 1..n - j {
            let row = &mut rest[i * n..i * n + j + 1];
            row[j] = if pivot > 0.0 {
                (row[j] - row[..j].iter().zip(&own).map(|(x, y)| x * y).sum::<f64>()) / pivot
            } else {
                0.0
            };
        }
        rest[j + 1..n].fill(0.0);
    }
    Ok(rank)
}

/// `b <- R^+ b` for a root with zero columns.
fn solve_with_zeros(root: &[f64], n: usize, b: &mut [f64], m: usize) {
    for i in 0..n {
        let (done, rest) = b.split_at_mut(i * m);
        let row = &mut rest[..m];
        let pivot = root[i * n + i];
        if pivot == 0.0 {
            row.fill(0.0);
            continue;
        }
        for k in 0..i {
            let f = root[i * n + k];
            if f != 0.0 {
                row.iter_mut().zip(&done[k * m..(k + 1) * m]).for_each(|(r, d)| *r -= f * d);
            }
        }
        row.iter_mut().for_each(|r| *r /= pivot);
    }
}
