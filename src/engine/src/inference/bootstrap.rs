//! Parametric bootstrap: fits of responses that are drawn from the fitted model.
//!
//! Where sums are enough, responses are drawn as X'Wy, Z'Wy and y'Wy, never as rows. With e ~ N(0, sigma^2 W^-1),
//! (Z'We, X'We) is normal with covariance sigma^2 [Z, X]'W[Z, X] and what is left of e'We is chi-square. One replicate costs
//! as much as one product with the root of Z'WZ (block diagonal for one factor) and one fit, whatever the number of rows.
//! Replicate i uses stream i of the seed, so threads do not change results.

use super::connected_components::{components, cross, Component, Locator};
use super::refits::{run, Estimates, Refit, Replicate};
use crate::covariance::Blocks;
use crate::covariance::ResidualCovariance;
use crate::crossprod::Crossprod;
use crate::design::{jacobian, Design};
use crate::error::Result;
use crate::fit::Problem;
use crate::likelihood::Model;
use crate::numerics::random::Stream;
use crate::numerics::small;
use crate::options::{FitOptions, Look, Watch};

/// Below this share of a diagonal element a pivot of Z'WZ is zero.
const ZERO: f64 = 1e-10;

/// One component with the root of its Z'WZ.
struct Root {
    component: Component,
    /// Lower triangular R with R R' = Z'WZ; a zero pivot has a zero column.
    root: Vec<f64>,
    /// R^+ Z'WX.
    fixed: Vec<f64>,
}

/// Draws of the sums X'Wy, Z'Wy and y'Wy at the fitted parameters.
struct ResponseSums {
    roots: Vec<Root>,
    /// Root of the covariance of X'We given Z'We, p x p lower.
    rest: Vec<f64>,
    /// Degrees of freedom of what is left of e'We.
    left: f64,
    t: Blocks,
    sigma: f64,
}

/// Parametric bootstrap: fits of `draws` responses from the fitted model; replicate i uses stream i of `seed`.
///
/// # Errors
/// [`crate::Error::Dimension`] for a theta of the wrong length; [`crate::Error::TooLarge`] if the largest connected set of levels does
/// not fit in memory.
pub fn bootstrap(
    design: &Design<'_>,
    from: Estimates<'_>,
    options: &FitOptions,
    (draws, seed): (usize, u64),
    watch: &Watch,
) -> Result<Vec<Refit>> {
    let mut problem = match Problem::new(design, options)?.detached() {
        Ok(problem) => problem,
        Err(problem) => {
            let residual = problem.residual();
            return run(
                draws,
                options,
                watch,
                || Ok(()),
                |(), i| {
                    let y = response(residual, design, from, &mut Stream::new(seed, i as u64));
                    let fit = from.fit(&Design { y: &y, ..design.clone() }, options, watch)?;
                    Ok(Refit::Done(Replicate::new(&fit)))
                },
            );
        }
    };
    problem.attend(watch);
    let model = &mut problem.model;
    let t = model.blocks_from_user(from.theta)?;
    let generator = ResponseSums::new(model, &t, options)?;
    let pls = model.value(&t, options.criterion)?.pls;
    // What is drawn is Zb + e; X beta is added to the estimates.
    let (c, p) = (&model.a.coordinates, model.a.p);
    let mut centre = vec![0.0; p];
    small::mul(&mut centre, &jacobian(&c.x), &pls.beta, p, p, 1, c.y_scale);
    let single = from.options(options, Look::Alone);
    let workspace = || Problem::from_sums(model.a.clone(), &single);
    run(draws, options, watch, workspace, |own, i| {
        own.model.change_sums(|a| generator.draw(a, &mut Stream::new(seed, i as u64)));
        let mut out = Replicate::new(&own.fit(&single, None, &watch.part())?);
        out.beta.iter_mut().zip(&centre).for_each(|(b, c)| *b += c);
        Ok(Refit::Done(out))
    })
}

/// One response from the fitted model, row by row.
fn response(residual: &ResidualCovariance, design: &Design<'_>, from: Estimates<'_>, s: &mut Stream) -> Vec<f64> {
    let n = design.n();
    let mut y: Vec<f64> = (0..n)
        .map(|i| {
            let fixed = design.x.iter().zip(from.beta).filter(|(_, b)| !b.is_nan());
            design.offset.map_or(0.0, |o| o[i]) + fixed.map(|(x, b)| x.at(i) * b).sum::<f64>()
        })
        .collect();
    let mut next = 0;
    for term in &design.terms {
        let (q, levels) = (term.basis.len(), design.factors[term.factor].levels);
        let mut t = vec![0.0; q * q];
        for col in 0..q {
            for row in col..q {
                t[row * q + col] = from.theta[next];
                next += 1;
            }
        }
        let mut b = vec![0.0; levels * q];
        for own in b.chunks_exact_mut(q) {
            let u: Vec<f64> = (0..q).map(|_| s.normal() * from.sigma).collect();
            own.iter_mut().enumerate().for_each(|(r, b)| *b = (0..=r).map(|c| t[r * q + c] * u[c]).sum());
        }
        for (i, y) in y.iter_mut().enumerate() {
            let level = design.factors[term.factor].codes[i] as usize - 1;
            *y += term.basis.iter().zip(&b[level * q..]).map(|(z, b)| z.at(i) * b).sum::<f64>();
        }
    }
    let white: Vec<f64> = (0..n).map(|_| s.normal()).collect();
    for (i, e) in residual.colour(from.phi, &white).into_iter().enumerate() {
        let weight = design.weights.map_or(1.0, |w| w[i]);
        y[i] += from.sigma * (residual.row_log_scale(i, from.phi)).exp() / weight.sqrt() * e;
    }
    y
}

impl ResponseSums {
    fn new(model: &mut Model, t: &Blocks, options: &FitOptions) -> Result<ResponseSums> {
        let parts = components(model, options.memory)?;
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
        Ok(ResponseSums { roots, rest, left: (model.a.n - rank.min(model.a.n)) as f64, t: t.clone(), sigma })
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
