//! The derivative of the criterion in R^-1: what a change of the cross-products does at a solved point.
//!
//! For R^-1 that changes by A: tr(M^-1 Lambda'Z'AZ Lambda) + [REML] tr(C^-1 (X - Z Lambda U)'A(X - Z Lambda U)) + e'Ae / sigma^2
//! with e = y - X beta - Zb, all from the cross-products of A and the selected inverse.

use crate::covariance::theta::Blocks;
use crate::crossprod::crossprod::Crossprod;
use crate::likelihood::factor::Workspace;
use crate::likelihood::gradient::Solved;
use crate::likelihood::selected_inverse::Inverse;
use crate::likelihood::structure::Structure;
use crate::numerics::small;

impl Inverse {
    /// The derivative along `change`, which has the cells of the model. Call after [`Inverse::gamma`]: the last column of
    /// the solution is u then.
    pub fn trace(&self, s: &Structure, change: &Crossprod, w: &Workspace, t: &Blocks, at: &Solved<'_>) -> f64 {
        let Solved { pls, sigma2, reml } = *at;
        let (p, m) = (change.p, change.p + 1);
        let spread: f64 = self
            .spread(s, change, w, t)
            .iter()
            .zip(t)
            .map(|(x, t)| x.iter().zip(t).map(|(a, b)| a * b).sum::<f64>())
            .sum();
        let inner = self.quadratic(s, change, t, &pls.beta);
        let contrast = |i: usize| if i == p { 1.0 } else { -pls.beta[i] };
        let square: f64 = (0..m * m).map(|k| contrast(k / m) * inner[k] * contrast(k % m)).sum();
        let mut sum = spread + square / sigma2;
        if reml {
            let mut xx: Vec<f64> = (0..p * p).map(|k| inner[k / p * m + k % p]).collect();
            small::solve_lower(&pls.rx, p, &mut xx, p);
            (1..p).for_each(|r| (0..r).for_each(|c| xx.swap(r * p + c, c * p + r)));
            small::solve_lower(&pls.rx, p, &mut xx, p);
            sum += (0..p).map(|i| xx[i * p + i]).sum::<f64>();
        }
        sum
    }

    /// [X - Z Lambda U, y - Z Lambda u0]' A [the same], m x m by rows.
    fn quadratic(&self, s: &Structure, change: &Crossprod, t: &Blocks, beta: &[f64]) -> Vec<f64> {
        let (p, m) = (change.p, change.p + 1);
        let mut inner = change.gram.clone();
        let mut v: Vec<Vec<f64>> = Vec::with_capacity(change.factors.len());
        for (f, sums) in change.factors.iter().enumerate() {
            let size = sums.levels * sums.q * m;
            let from = s.first_row(f) * m;
            let mut own = vec![0.0; size];
            for (o, u) in
                own.chunks_exact_mut(sums.q * m).zip(self.solution[from..from + size].chunks_exact(sums.q * m))
            {
                small::mul(o, &t[f], u, sums.q, sums.q, m, 1.0);
            }
            // u0 = u + U beta.
            for row in own.chunks_exact_mut(m) {
                row[p] += row[..p].iter().zip(beta).map(|(x, b)| x * b).sum::<f64>();
            }
            v.push(own);
        }
        // gram - V'rhs - rhs'V + V'SV: with half = rhs - S V / 2, minus V'half and its transpose.
        let mut half = Vec::new();
        for (sums, v) in change.factors.iter().zip(&v) {
            let q = sums.q;
            half.resize(q * m, 0.0);
            for j in 0..sums.levels {
                let own = &v[j * q * m..(j + 1) * q * m];
                half.copy_from_slice(&sums.rhs[j * q * m..(j + 1) * q * m]);
                small::mul(&mut half, &sums.diag[j * q * q..(j + 1) * q * q], own, q, q, m, -0.5);
                subtract_both(&mut inner, own, &half, q, m);
            }
        }
        for pair in &change.pairs {
            let (qf, qg) = (change.factors[pair.f].q, change.factors[pair.g].q);
            half.resize(qf * m, 0.0);
            for j in 0..pair.starts.len() - 1 {
                for cell in pair.starts[j]..pair.starts[j + 1] {
                    let l = pair.cols[cell] as usize;
                    let block = &pair.blocks[cell * qf * qg..(cell + 1) * qf * qg];
                    half.fill(0.0);
                    small::mul(&mut half, block, &v[pair.g][l * qg * m..(l + 1) * qg * m], qf, qg, m, -1.0);
                    subtract_both(&mut inner, &v[pair.f][j * qf * m..(j + 1) * qf * m], &half, qf, m);
                }
            }
        }
        inner
    }
}

/// `out -= a'b + b'a` for a, b (q x m by rows).
fn subtract_both(out: &mut [f64], a: &[f64], b: &[f64], q: usize, m: usize) {
    if q == 1 {
        for (out, (x, y)) in out.chunks_exact_mut(m).zip(a.iter().zip(b)) {
            out.iter_mut().zip(a.iter().zip(b)).for_each(|(o, (a, b))| *o -= x * b + y * a);
        }
        return;
    }
    small::mul_transposed(out, a, b, m, q, m, -1.0);
    small::mul_transposed(out, b, a, m, q, m, -1.0);
}
