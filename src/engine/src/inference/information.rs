//! First and second derivatives of the likelihood in the variance parameters: the traces and quadratic forms that
//! Satterthwaite and Kenward-Roger are made of.
//!
//! Parameters: for every term the lower triangle of Var(b) by columns (in working coordinates), then sigma^2. With
//! K = Z'V^-1Z, H = Z'V^-1X, h = Z'Py and E_i the direction of parameter i on every level:
//! P_i = -H'E_iH, Q_ij = H'E_iKE_jH, tr_ij = tr(KE_iKE_j), and sums of squares h'E_iKE_jh. The residual parameter
//! follows from sigma^2 W^-1 + sum g_i V_i = V.

use super::connected_components::{components, Component, Locator};
use super::forms::{product, vcov_beta};
use super::marginal_products::marginal_products;
use crate::covariance::Blocks;
use crate::error::Result;
use crate::likelihood::Model;
use crate::numerics::small;
use crate::options::Criterion;

/// Traces and forms over all parameters (m of them, sigma^2 last); p x p matrices by rows.
pub struct Information {
    /// Number of parameters.
    pub m: usize,
    /// Values of the parameters.
    pub values: Vec<f64>,
    /// Var(beta) = (X'V^-1X)^-1.
    pub vcov_beta: Vec<f64>,
    /// P_i = d(X'V^-1X) / d parameter i.
    pub p: Vec<Vec<f64>>,
    /// Q_ij, by rows of (i, j).
    pub q: Vec<Vec<f64>>,
    /// tr(PV_iPV_j), m x m: twice the expected information of REML.
    pub trace_reml: Vec<f64>,
    /// Gradient of the criterion in the parameters.
    pub score: Vec<f64>,
    /// Observed Hessian of the criterion in the parameters, m x m.
    pub hessian: Vec<f64>,
}

/// One parameter of a Var(b): factor and the entry (both halves of it) within the factor's columns.
#[derive(Clone, Copy, Debug)]
struct Entry {
    factor: usize,
    row: usize,
    col: usize,
}

impl Entry {
    /// Elements of the direction: one on the diagonal, two off it.
    fn elements(self) -> impl Iterator<Item = (usize, usize)> {
        let twice = self.row != self.col;
        std::iter::once((self.row, self.col)).chain(twice.then_some((self.col, self.row)))
    }
}

/// Sums over levels, in units where sigma^2 is one.
struct ComponentSums {
    p: Vec<Vec<f64>>,
    d: Vec<Vec<f64>>,
    a: Vec<f64>,
    trace_k: Vec<f64>,
    q: Vec<Vec<f64>>,
    c: Vec<f64>,
    trace: Vec<f64>,
}

impl Information {
    /// Evaluates all derivatives at `t` (working blocks).
    ///
    /// # Errors
    /// [`crate::Error::TooLarge`] with the bytes that the largest connected component would need.
    pub fn new(model: &mut Model, t: &Blocks, kind: Criterion, memory: f64) -> Result<Information> {
        let parts = components(model, memory)?;
        let (value, _) = model.value_and_gamma(t, kind)?;
        let sigma2 = value.pls.pwrss / model.nu(kind);
        let entries: Vec<Entry> = model
            .layout
            .places
            .iter()
            .map(|&(term, row, col)| {
                let (factor, first, _) = model.layout.terms[term];
                Entry { factor, row: first + row, col: first + col }
            })
            .collect();
        let sums = ComponentSums::new(model, t, &parts, &entries)?;
        let mut values = Vec::with_capacity(entries.len() + 1);
        for e in &entries {
            let q = model.a.factors[e.factor].q;
            let block = &t[e.factor];
            values.push(sigma2 * (0..q).map(|k| block[e.row * q + k] * block[e.col * q + k]).sum::<f64>());
        }
        values.push(sigma2);
        let vcov = vcov_beta(&value.pls, model.a.p, sigma2)?;
        Ok(assemble(model, kind, values, sums, vcov, value.pls.pwrss / sigma2))
    }
}

impl ComponentSums {
    fn new(model: &Model, t: &Blocks, parts: &[Component], entries: &[Entry]) -> Result<ComponentSums> {
        let (p, k) = (model.a.p, entries.len());
        let at = Locator::new(model, parts);
        let mut s = ComponentSums {
            p: vec![vec![0.0; p * p]; k],
            d: vec![vec![0.0; p]; k],
            a: vec![0.0; k],
            trace_k: vec![0.0; k],
            q: vec![vec![0.0; p * p]; k * k],
            c: vec![0.0; k * k],
            trace: vec![0.0; k * k],
        };
        model.watch.announce(parts.iter().map(|part| part.members.len()).sum());
        for part in parts {
            let cov = marginal_products(model, part, &at, t)?;
            s.add(model, part, &cov, entries)?;
        }
        Ok(s)
    }

    fn add(&mut self, model: &Model, part: &Component, cov: &[f64], entries: &[Entry]) -> Result<()> {
        let (p, n, k) = (model.a.p, part.size, entries.len());
        let m = p + 1;
        let mut own = vec![0.0; n * m];
        let inverse = model.here()?.inverse;
        for &(f, level, here) in &part.members {
            let q = model.a.factors[f].q;
            let row = (model.s.first_row(f) + level * q) * m;
            own[here * m..(here + q) * m].copy_from_slice(&inverse.residual[row..row + q * m]);
        }
        // E_i [H, h] and K E_i [H, h].
        let mut turned = Vec::with_capacity(k);
        let mut product = Vec::with_capacity(k);
        for (i, e) in entries.iter().enumerate() {
            model.watch.check()?;
            let mut x = vec![0.0; n * m];
            let mut kx = vec![0.0; n * m];
            for &(_, _, here) in part.members.iter().filter(|member| member.0 == e.factor) {
                for (r, c) in e.elements() {
                    for col in 0..m {
                        x[(here + r) * m + col] += own[(here + c) * m + col];
                    }
                    self.trace_k[i] += cov[(here + r) * n + here + c];
                    for row in 0..n {
                        let f = cov[row * n + here + r];
                        for col in 0..m {
                            kx[row * m + col] += f * own[(here + c) * m + col];
                        }
                    }
                }
            }
            turned.push(x);
            product.push(kx);
        }
        for i in 0..k {
            for (o, x) in own.chunks_exact(m).zip(turned[i].chunks_exact(m)) {
                small::mul_transposed(&mut self.p[i], &o[..p], &x[..p], p, 1, p, -1.0);
                (0..p).for_each(|c| self.d[i][c] += o[c] * x[p]);
                self.a[i] += o[p] * x[p];
            }
            for j in 0..k {
                for (x, y) in turned[i].chunks_exact(m).zip(product[j].chunks_exact(m)) {
                    small::mul_transposed(&mut self.q[i * k + j], &x[..p], &y[..p], p, 1, p, 1.0);
                    self.c[i * k + j] += x[p] * y[p];
                }
                if j <= i {
                    model.watch.check()?;
                    let trace = trace(part, cov, entries[i], entries[j]);
                    self.trace[i * k + j] += trace;
                    if i != j {
                        self.trace[j * k + i] += trace;
                    }
                }
            }
        }
        Ok(())
    }
}

/// tr(E_i K E_j K) over one component.
fn trace(part: &Component, cov: &[f64], i: Entry, j: Entry) -> f64 {
    let n = part.size;
    let mut sum = 0.0;
    for &(_, _, x) in part.members.iter().filter(|m| m.0 == i.factor) {
        for &(_, _, y) in part.members.iter().filter(|m| m.0 == j.factor) {
            for (b, a) in i.elements() {
                for (c, d) in j.elements() {
                    sum += cov[(x + a) * n + y + c] * cov[(x + b) * n + y + d];
                }
            }
        }
    }
    sum
}

/// Adds the residual parameter and forms what both methods use.
fn assemble(
    model: &Model,
    kind: Criterion,
    values: Vec<f64>,
    s: ComponentSums,
    vcov_beta: Vec<f64>,
    ypy: f64,
) -> Information {
    let (p, k) = (model.a.p, values.len() - 1);
    let (m, sigma2) = (k + 1, values[k]);
    let g = &values[..k];
    // Units: K and H of V / sigma^2 become those of V.
    let by = |v: Vec<f64>, power: i32| -> Vec<f64> { v.into_iter().map(|x| x * sigma2.powi(power)).collect() };
    let mut big_p: Vec<Vec<f64>> = s.p.into_iter().map(|v| by(v, -2)).collect();
    let q0: Vec<Vec<f64>> = s.q.into_iter().map(|v| by(v, -3)).collect();
    let (t0, c0) = (by(s.trace, -2), by(s.c, -3));
    let (a, tk) = (by(s.a, -2), by(s.trace_k, -1));
    let d: Vec<Vec<f64>> = s.d.into_iter().map(|v| by(v, -2)).collect();
    let inverse = small::invert_spd(&vcov_beta, p).unwrap_or_else(|| vec![f64::NAN; p * p]);
    let sum_of = |f: &dyn Fn(usize) -> f64| (0..k).map(|j| g[j] * f(j)).sum::<f64>();
    big_p.push((0..p * p).map(|x| -(inverse[x] + sum_of(&|j| big_p[j][x])) / sigma2).collect());
    let mut q = vec![vec![0.0; p * p]; m * m];
    let mut trace = vec![0.0; m * m];
    for i in 0..k {
        for j in 0..k {
            q[i * m + j] = q0[i * k + j].clone();
            trace[i * m + j] = t0[i * k + j];
        }
        q[i * m + k] = (0..p * p).map(|x| (-big_p[i][x] - sum_of(&|j| q0[i * k + j][x])) / sigma2).collect();
        for r in 0..p {
            for c in 0..p {
                q[k * m + i][c * p + r] = q[i * m + k][r * p + c];
            }
        }
        trace[i * m + k] = (tk[i] - sum_of(&|j| t0[i * k + j])) / sigma2;
        trace[k * m + i] = trace[i * m + k];
    }
    q[k * m + k] = (0..p * p).map(|x| (-big_p[k][x] - sum_of(&|j| q[k * m + j][x])) / sigma2).collect();
    let trace_residual = (model.a.n as f64 - sum_of(&|j| tk[j])) / sigma2;
    trace[k * m + k] = (trace_residual - sum_of(&|j| trace[k * m + j])) / sigma2;
    // With P in place of V^-1.
    let trace_of = |x: &[f64], y: &[f64]| (0..p * p).map(|e| x[e] * y[e % p * p + e / p]).sum::<f64>();
    let mut trace_reml = vec![0.0; m * m];
    let turned: Vec<Vec<f64>> = big_p.iter().map(|x| product(&vcov_beta, x, p)).collect();
    for i in 0..m {
        for j in 0..m {
            trace_reml[i * m + j] =
                trace[i * m + j] - 2.0 * trace_of(&vcov_beta, &q[i * m + j]) + trace_of(&turned[i], &turned[j]);
        }
    }
    let mut quadratic = vec![0.0; m * m];
    for i in 0..k {
        for j in 0..k {
            let mut half = vec![0.0; p];
            small::mul(&mut half, &vcov_beta, &d[j], p, p, 1, 1.0);
            quadratic[i * m + j] = c0[i * k + j] - d[i].iter().zip(&half).map(|(x, y)| x * y).sum::<f64>();
        }
    }
    for i in 0..k {
        let x = (a[i] - sum_of(&|j| quadratic[i * m + j])) / sigma2;
        quadratic[i * m + k] = x;
        quadratic[k * m + i] = x;
    }
    let residual = (ypy - sum_of(&|j| a[j])) / sigma2;
    quadratic[k * m + k] = (residual - sum_of(&|j| quadratic[k * m + j])) / sigma2;
    let reml = kind == Criterion::Reml;
    let mut score = Vec::with_capacity(m);
    for i in 0..m {
        let (form, plain) = if i < k { (a[i], tk[i]) } else { (residual, trace_residual) };
        score.push(plain + if reml { trace_of(&vcov_beta, &big_p[i]) } else { 0.0 } - form);
    }
    let base = if reml { &trace_reml } else { &trace };
    let hessian = (0..m * m).map(|x| 2.0 * quadratic[x] - base[x]).collect();
    Information { m, values, vcov_beta, p: big_p, q, trace_reml, score, hessian }
}
