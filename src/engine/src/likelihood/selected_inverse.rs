//! The selected inverse: entries of M^-1 on the pattern of its factor, and the solutions M^-1 Lambda'Z'W[X, y].
//!
//! Reads a factored [`Workspace`]; goes from the trailing matrix back through the chain. Used by the gradient, the certificate
//! and the conditional variances.

use crate::crossprod::crossprod::Crossprod;
use crate::error::Result;
use crate::likelihood::factor::Workspace;
use crate::likelihood::nested_intercepts;
use crate::likelihood::one_factor;
use crate::likelihood::structure::Structure;
use crate::numerics::small;

/// Entries of M^-1 on the pattern, and the solutions U = M^-1 Lambda'Z'W[X, y].
pub struct Inverse {
    /// Diagonal blocks of each chain factor.
    pub(crate) diag: Vec<Vec<f64>>,
    pub(crate) up: Vec<Vec<Vec<f64>>>,
    pub(crate) across: Vec<Vec<f64>>,
    /// U, q x (p + 1) by rows.
    pub solution: Vec<f64>,
    pub(crate) product: Vec<f64>,
    pub(crate) residual: Vec<f64>,
}

impl Inverse {
    /// Allocates for a structure.
    pub fn new(s: &Structure, a: &Crossprod) -> Inverse {
        let rows = s.q * (a.p + 1);
        Inverse {
            diag: s.chain.iter().map(|l| vec![0.0; l.levels * l.q * l.q]).collect(),
            up: s
                .chain
                .iter()
                .enumerate()
                .map(|(c, l)| s.chain[c + 1..].iter().map(|u| vec![0.0; l.levels * l.q * u.q]).collect())
                .collect(),
            across: s.chain.iter().map(|l| vec![0.0; l.values.len()]).collect(),
            solution: vec![0.0; rows],
            product: vec![0.0; rows],
            residual: vec![0.0; rows],
        }
    }

    /// Fills the selected inverse and the solutions from a factored workspace.
    pub fn update(&mut self, s: &Structure, a: &Crossprod, w: &mut Workspace) -> Result<()> {
        if one_factor::applies(s) {
            one_factor::invert(self, s, a, w);
            return Ok(());
        }
        let m = a.p + 1;
        self.solution.copy_from_slice(&w.border);
        w.backward(s, a, &mut self.solution, m)?;
        if nested_intercepts::applies(s) {
            nested_intercepts::invert(self, s, a, w);
            return Ok(());
        }
        w.trailing.invert()?;
        for c in (0..s.chain.len()).rev() {
            let link = &s.chain[c];
            if !link.cols.is_empty() {
                w.trailing.product(&mut self.across[c], link.strips(), &w.links[c].across);
            }
            self.link(s, a, w, c);
        }
        Ok(())
    }

    /// M^-1 between level j of chain factor c and its neighbours: P = -L^-T W (M^-1)_NN, then the diagonal block.
    fn link(&mut self, s: &Structure, a: &Crossprod, w: &Workspace, c: usize) {
        let link = &s.chain[c];
        let (q, blocks) = (link.q, &w.links[c]);
        let (own, later) = self.up.split_at_mut(c + 1);
        let (own_across, later_across) = self.across.split_at_mut(c + 1);
        let (own_diag, later_diag) = self.diag.split_at_mut(c + 1);
        for j in 0..link.levels {
            let l = &blocks.diag[j * q * q..(j + 1) * q * q];
            let range = q * link.starts[j]..q * link.starts[j + 1];
            let width = link.starts[j + 1] - link.starts[j];
            let wr = &blocks.across[range.clone()];
            let pr = &mut own_across[c][range];
            for (k, &pair) in link.up.iter().enumerate() {
                let upper = &s.chain[c + 1 + k];
                let (qa, parent) = (upper.q, a.pairs[pair].cols[j] as usize);
                let wa = &blocks.up[k][j * q * qa..(j + 1) * q * qa];
                let places = &link.lift[k][link.starts[j]..link.starts[j + 1]];
                let theirs = upper.starts[parent + 1] - upper.starts[parent];
                let base = qa * upper.starts[parent];
                let inverse_ar = &later_across[k];
                let mut pa = vec![0.0; q * qa];
                small::mul(&mut pa, wa, &later_diag[k][parent * qa * qa..(parent + 1) * qa * qa], q, qa, qa, -1.0);
                for (at, &place) in places.iter().enumerate() {
                    for i in 0..qa {
                        let x = inverse_ar[base + i * theirs + place as usize];
                        for r in 0..q {
                            pr[r * width + at] -= wa[r * qa + i] * x;
                            pa[r * qa + i] -= wr[r * width + at] * x;
                        }
                    }
                }
                for (k2, &pair2) in link.up.iter().enumerate() {
                    let qb = s.chain[c + 1 + k2].q;
                    let wb = &blocks.up[k2][j * q * qb..(j + 1) * q * qb];
                    if k2 > k {
                        let x = &later[k][k2 - k - 1][parent * qa * qb..(parent + 1) * qa * qb];
                        small::mul_by_transposed(&mut pa, wb, x, q, qb, qa, -1.0);
                    } else if k2 < k {
                        let lower = a.pairs[pair2].cols[j] as usize;
                        let x = &later[k2][k - k2 - 1][lower * qb * qa..(lower + 1) * qb * qa];
                        small::mul(&mut pa, wb, x, q, qb, qa, -1.0);
                    }
                }
                own[c][k][j * q * qa..(j + 1) * q * qa].copy_from_slice(&pa);
            }
            let diag = &mut own_diag[c][j * q * q..(j + 1) * q * q];
            diag.fill(0.0);
            (0..q).for_each(|i| diag[i * q + i] = 1.0);
            small::mul_by_transposed(diag, pr, wr, q, width, q, -1.0);
            for (k, upper) in s.chain[c + 1..].iter().enumerate() {
                let qa = upper.q;
                let wa = &blocks.up[k][j * q * qa..(j + 1) * q * qa];
                small::mul_by_transposed(diag, &own[c][k][j * q * qa..(j + 1) * q * qa], wa, q, qa, q, -1.0);
            }
            // I + W (M^-1)_NN W' is symmetric: L^-T from the left, transpose, L^-T again.
            small::solve_lower_transposed(l, q, diag, q);
            (1..q).for_each(|r| (0..r).for_each(|c| diag.swap(r * q + c, c * q + r)));
            small::solve_lower_transposed(l, q, diag, q);
            small::solve_lower_transposed(l, q, pr, width);
            for (k, upper) in s.chain[c + 1..].iter().enumerate() {
                small::solve_lower_transposed(l, q, &mut own[c][k][j * q * upper.q..(j + 1) * q * upper.q], upper.q);
            }
        }
    }

    /// Diagonal blocks of M^-1 by grouping factor (J blocks q x q by rows).
    pub fn diagonal(&self, s: &Structure, w: &Workspace, factor: usize) -> Vec<f64> {
        if let Some(c) = s.chain.iter().position(|l| l.factor == factor) {
            return self.diag[c].clone();
        }
        let mut out = Vec::new();
        for tr in s.trail.iter().filter(|t| t.factor == factor) {
            for j in 0..tr.levels {
                let at = tr.col + j * tr.q;
                out.extend((0..tr.q * tr.q).map(|k| w.trailing.inverse_at(at + k / tr.q, at + k % tr.q)));
            }
        }
        out
    }
}
