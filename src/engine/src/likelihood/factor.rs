//! L(theta): the blocked Cholesky factor of M = Lambda'Z'WZ Lambda + I, with the border [X, y] carried along.
//!
//! Reads   [`Structure`] (order, cells) and [`Crossprod`] (Z'WZ, Z'W[X, y]); both free of theta.
//! Writes  the blocks of L, in place. Used by pls, and through it by the criterion and the gradient.
//!
//! Layout: for each chain factor its diagonal blocks, its blocks with later chain factors (one a level) and with the
//! trailing columns; then the trailing matrix. `border` holds L^-1 Lambda'Z'W[X, y], q x (p + 1) by rows.
//! Invariant: after [`Workspace::update`] every pivot is positive, or it returned
//! [`Error::NotPositiveDefinite`] and the content must not be read.

use crate::covariance::theta::Blocks;
use crate::crossprod::crossprod::Crossprod;
use crate::error::{Error, Result};
use crate::likelihood::nested_intercepts;
use crate::likelihood::one_factor;
use crate::likelihood::structure::Structure;
use crate::numerics::small;
use crate::numerics::trailing::Trailing;

/// The blocks of one chain factor.
pub(crate) struct LinkBlocks {
    /// L_jj.
    pub diag: Vec<f64>,
    /// For each later chain factor, L_jj^-1 M_ja: q x q_a a level.
    pub up: Vec<Vec<f64>>,
    /// L_jj^-1 M_jR: q x cols a level.
    pub across: Vec<f64>,
}

/// Everything that changes with theta; allocated once.
pub struct Workspace {
    pub(crate) links: Vec<LinkBlocks>,
    pub(crate) trailing: Trailing,
    /// L^-1 Lambda'Z'W[X, y], by rows.
    pub(crate) border: Vec<f64>,
    /// log|L|^2 after an update.
    pub log_det: f64,
    pub(crate) scratch: Vec<f64>,
    /// Threads of the surrounding pool.
    pub(crate) threads: usize,
}

impl Workspace {
    /// Allocates for a structure; `threads` as in [`Structure::trailing`].
    pub fn new(s: &Structure, a: &Crossprod, threads: usize) -> Result<Workspace> {
        let links: Vec<LinkBlocks> = s
            .chain
            .iter()
            .enumerate()
            .map(|(c, l)| LinkBlocks {
                diag: vec![0.0; l.levels * l.q * l.q],
                up: s.chain[c + 1..].iter().map(|u| vec![0.0; l.levels * l.q * u.q]).collect(),
                across: vec![0.0; l.values.len()],
            })
            .collect();
        let widest = a.factors.iter().map(|f| f.q).max().unwrap_or(1);
        let degree = s
            .chain
            .iter()
            .map(|l| (0..l.levels).map(|j| l.starts[j + 1] - l.starts[j]).max().unwrap_or(0))
            .max()
            .unwrap_or(0);
        Ok(Workspace {
            links,
            trailing: s.trailing(threads)?,
            border: vec![0.0; s.q * (a.p + 1)],
            log_det: 0.0,
            threads,
            scratch: vec![0.0; 2 * widest * widest + widest * degree.max(a.p + 1)],
        })
    }

    /// Factors M at `t`.
    ///
    /// # Errors
    /// [`Error::NotPositiveDefinite`] if a pivot is not positive.
    pub fn update(&mut self, s: &Structure, a: &Crossprod, t: &Blocks) -> Result<()> {
        if one_factor::applies(s) {
            self.log_det = one_factor::factor(self, s, a, t)?;
            return Ok(());
        }
        if nested_intercepts::applies(s) {
            self.log_det = nested_intercepts::factor(self, s, a, t)?;
            return Ok(());
        }
        self.assemble(s, a, t);
        let m = a.p + 1;
        let mut log_det = 0.0;
        for c in 0..s.chain.len() {
            log_det += self.eliminate(s, a, c, m)?;
        }
        log_det += self.trailing.factorise()?;
        self.trailing.forward(&mut self.border[s.trail_row * m..], m)?;
        self.log_det = log_det;
        Ok(())
    }

    /// Eliminates chain factor `c`; returns its part of log|L|^2.
    fn eliminate(&mut self, s: &Structure, a: &Crossprod, c: usize, m: usize) -> Result<f64> {
        let link = &s.chain[c];
        let q = link.q;
        let (this, above) = self.links[c..].split_at_mut(1);
        let this = &mut this[0];
        let mut log_det = 0.0;
        let mut product = 1.0_f64;
        for j in 0..link.levels {
            let l = &mut this.diag[j * q * q..(j + 1) * q * q];
            if !small::cholesky(l, q) {
                return Err(Error::NotPositiveDefinite);
            }
            // One logarithm for many pivots: the product is kept away from overflow.
            for i in 0..q {
                product *= l[i * q + i];
            }
            if !(1e-100..=1e100).contains(&product) {
                log_det += 2.0 * product.ln();
                product = 1.0;
            }
            let l = &*l;
            let cols = &link.cols[link.starts[j]..link.starts[j + 1]];
            let width = cols.len();
            let across = &mut this.across[q * link.starts[j]..q * link.starts[j + 1]];
            small::solve_lower(l, q, across, width);
            let row = (link.row + j * q) * m;
            let (done, later) = self.border.split_at_mut(row + q * m);
            let border = &mut done[row..];
            small::solve_lower(l, q, border, m);
            for (k, &pair) in link.up.iter().enumerate() {
                let upper = &s.chain[c + 1 + k];
                let qa = upper.q;
                small::solve_lower(l, q, &mut this.up[k][j * q * qa..(j + 1) * q * qa], qa);
                let w = &this.up[k][j * q * qa..(j + 1) * q * qa];
                let parent = a.pairs[pair].cols[j] as usize;
                let target = &mut above[k];
                small::mul_transposed(
                    &mut target.diag[parent * qa * qa..(parent + 1) * qa * qa],
                    w,
                    w,
                    qa,
                    q,
                    qa,
                    -1.0,
                );
                let at = (upper.row + parent * qa) * m - (row + q * m);
                small::mul_transposed(&mut later[at..at + qa * m], w, border, qa, q, m, -1.0);
                if width > 0 {
                    let places = &link.lift[k][link.starts[j]..link.starts[j + 1]];
                    let theirs = upper.starts[parent + 1] - upper.starts[parent];
                    let base = qa * upper.starts[parent];
                    for r in 0..q {
                        for i in 0..qa {
                            let f = w[r * qa + i];
                            for (x, &place) in across[r * width..(r + 1) * width].iter().zip(places) {
                                target.across[base + i * theirs + place as usize] -= f * x;
                            }
                        }
                    }
                }
            }
            for (k, target) in above.iter_mut().enumerate() {
                for k2 in k + 1..link.up.len() {
                    let (qa, qb) = (s.chain[c + 1 + k].q, s.chain[c + 1 + k2].q);
                    let parent = a.pairs[link.up[k]].cols[j] as usize;
                    let (wa, wb) =
                        (&this.up[k][j * q * qa..(j + 1) * q * qa], &this.up[k2][j * q * qb..(j + 1) * q * qb]);
                    let block = &mut target.up[k2 - k - 1][parent * qa * qb..(parent + 1) * qa * qb];
                    small::mul_transposed(block, wa, wb, qa, q, qb, -1.0);
                }
            }
            if width > 0 {
                for r in 0..q {
                    let from = &border[r * m..(r + 1) * m];
                    for (x, &col) in across[r * width..(r + 1) * width].iter().zip(cols) {
                        let at = (s.trail_row + col as usize) * m - (row + q * m);
                        later[at..at + m].iter_mut().zip(from).for_each(|(y, v)| *y -= x * v);
                    }
                }
            }
        }
        if !link.cols.is_empty() {
            self.trailing.rank_update(link.strips(), &this.across);
        }
        Ok(log_det + 2.0 * product.ln())
    }

    /// `rhs <- L^-1 rhs` for all rows (q x m by rows): the first half of a solve with M.
    pub(crate) fn forward(&self, s: &Structure, a: &Crossprod, rhs: &mut [f64], m: usize) -> Result<()> {
        if nested_intercepts::applies(s) {
            nested_intercepts::forward(self, s, a, rhs, m);
            return Ok(());
        }
        for (c, link) in s.chain.iter().enumerate() {
            let (q, blocks) = (link.q, &self.links[c]);
            for j in 0..link.levels {
                let row = (link.row + j * q) * m;
                let (done, later) = rhs.split_at_mut(row + q * m);
                let own = &mut done[row..];
                let offset = row + q * m;
                small::solve_lower(&blocks.diag[j * q * q..(j + 1) * q * q], q, own, m);
                for (k, &pair) in link.up.iter().enumerate() {
                    let upper = &s.chain[c + 1 + k];
                    let at = (upper.row + a.pairs[pair].cols[j] as usize * upper.q) * m - offset;
                    let w = &blocks.up[k][j * q * upper.q..(j + 1) * q * upper.q];
                    small::mul_transposed(&mut later[at..at + upper.q * m], w, own, upper.q, q, m, -1.0);
                }
                let cols = &link.cols[link.starts[j]..link.starts[j + 1]];
                let across = &blocks.across[q * link.starts[j]..q * link.starts[j + 1]];
                for r in 0..q {
                    let own = &own[r * m..(r + 1) * m];
                    for (x, &col) in across[r * cols.len()..(r + 1) * cols.len()].iter().zip(cols) {
                        let at = (s.trail_row + col as usize) * m - offset;
                        later[at..at + m].iter_mut().zip(own).for_each(|(y, v)| *y -= x * v);
                    }
                }
            }
        }
        self.trailing.forward(&mut rhs[s.trail_row * m..], m)
    }

    /// `rhs <- L^-T rhs` for all rows (q x m by rows): the second half of a solve with M.
    pub(crate) fn backward(&self, s: &Structure, a: &Crossprod, rhs: &mut [f64], m: usize) -> Result<()> {
        if nested_intercepts::applies(s) {
            nested_intercepts::backward(self, s, a, rhs, m);
            return Ok(());
        }
        self.trailing.backward(&mut rhs[s.trail_row * m..], m)?;
        for (c, link) in s.chain.iter().enumerate().rev() {
            let (q, blocks) = (link.q, &self.links[c]);
            for j in 0..link.levels {
                let row = (link.row + j * q) * m;
                let (done, later) = rhs.split_at_mut(row + q * m);
                let own = &mut done[row..];
                let offset = row + q * m;
                for (k, &pair) in link.up.iter().enumerate() {
                    let upper = &s.chain[c + 1 + k];
                    let at = (upper.row + a.pairs[pair].cols[j] as usize * upper.q) * m - offset;
                    let w = &blocks.up[k][j * q * upper.q..(j + 1) * q * upper.q];
                    small::mul(own, w, &later[at..at + upper.q * m], q, upper.q, m, -1.0);
                }
                let cols = &link.cols[link.starts[j]..link.starts[j + 1]];
                let across = &blocks.across[q * link.starts[j]..q * link.starts[j + 1]];
                for r in 0..q {
                    let own = &mut own[r * m..(r + 1) * m];
                    for (x, &col) in across[r * cols.len()..(r + 1) * cols.len()].iter().zip(cols) {
                        let at = (s.trail_row + col as usize) * m - offset;
                        own.iter_mut().zip(&later[at..at + m]).for_each(|(y, v)| *y -= x * v);
                    }
                }
                small::solve_lower_transposed(&blocks.diag[j * q * q..(j + 1) * q * q], q, own, m);
            }
        }
        Ok(())
    }
}
