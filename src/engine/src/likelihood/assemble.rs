//! M = Lambda'Z'WZ Lambda + I and the border Lambda'Z'W[X, y], written into the workspace at one theta.

use crate::covariance::theta::Blocks;
use crate::crossprod::crossprod::Crossprod;
use crate::likelihood::factor::Workspace;
use crate::likelihood::structure::{Link, Structure};
use crate::numerics::small;

impl Workspace {
    /// Fills all blocks, before elimination.
    pub(crate) fn assemble(&mut self, s: &Structure, a: &Crossprod, t: &Blocks) {
        let m = a.p + 1;
        for (c, link) in s.chain.iter().enumerate() {
            let (q, tf, sums, out) = (link.q, &t[link.factor], &a.factors[link.factor], &mut self.links[c]);
            for (j, block) in out.diag.chunks_exact_mut(q * q).enumerate() {
                small::congruence(block, &sums.diag[j * q * q..(j + 1) * q * q], tf, q, &mut self.scratch);
                (0..q).for_each(|i| block[i * q + i] += 1.0);
            }
            for (k, &pair) in link.up.iter().enumerate() {
                let upper = &s.chain[c + 1 + k];
                sandwich_all(
                    &mut out.up[k],
                    &a.pairs[pair].blocks,
                    tf,
                    &t[upper.factor],
                    q,
                    upper.q,
                    &mut self.scratch,
                );
            }
            if !link.cols.is_empty() {
                assemble_across(s, a, link, t, &mut out.across, &mut self.scratch);
            }
            let border = &mut self.border[link.row * m..(link.row + link.levels * q) * m];
            transform_rows(border, &sums.rhs, tf, q, m);
        }
        self.trailing.clear();
        for tr in &s.trail {
            let (q, tf, sums) = (tr.q, &t[tr.factor], &a.factors[tr.factor]);
            let mut block = vec![0.0; q * q];
            for j in 0..tr.levels {
                small::congruence(&mut block, &sums.diag[j * q * q..(j + 1) * q * q], tf, q, &mut self.scratch);
                (0..q).for_each(|i| block[i * q + i] += 1.0);
                self.trailing.add_block(tr.col + j * q, tr.col + j * q, &block, q, q);
            }
            let row = s.trail_row + tr.col;
            transform_rows(&mut self.border[row * m..(row + tr.levels * q) * m], &sums.rhs, tf, q, m);
        }
        for &(pair, i, j) in &s.trail_pairs {
            let (f, g, p) = (&s.trail[i], &s.trail[j], &a.pairs[pair]);
            let mut block = vec![0.0; f.q * g.q];
            let mut turned = vec![0.0; f.q * g.q];
            for l in 0..f.levels {
                for cell in p.starts[l]..p.starts[l + 1] {
                    let from = &p.blocks[cell * f.q * g.q..(cell + 1) * f.q * g.q];
                    sandwich(&mut block, from, &t[f.factor], &t[g.factor], f.q, g.q, &mut self.scratch);
                    for r in 0..f.q {
                        for c in 0..g.q {
                            turned[c * f.q + r] = block[r * g.q + c];
                        }
                    }
                    let (row, col) = (g.col + p.cols[cell] as usize * g.q, f.col + l * f.q);
                    self.trailing.add_block(row, col, &turned, g.q, f.q);
                }
            }
        }
    }
}

/// `out = tf' block tg` with block (qf x qg) by rows.
fn sandwich(out: &mut [f64], block: &[f64], tf: &[f64], tg: &[f64], qf: usize, qg: usize, scratch: &mut [f64]) {
    if qf == 1 && qg == 1 {
        out[0] = tf[0] * block[0] * tg[0];
        return;
    }
    let half = &mut scratch[..qf * qg];
    half.fill(0.0);
    small::mul(half, block, tg, qf, qg, qg, 1.0);
    out.fill(0.0);
    small::mul_transposed(out, tf, half, qf, qf, qg, 1.0);
}

fn sandwich_all(out: &mut [f64], blocks: &[f64], tf: &[f64], tg: &[f64], qf: usize, qg: usize, scratch: &mut [f64]) {
    for (o, b) in out.chunks_exact_mut(qf * qg).zip(blocks.chunks_exact(qf * qg)) {
        sandwich(o, b, tf, tg, qf, qg, scratch);
    }
}

/// `out = tf' rows` for every block of q rows of length m.
fn transform_rows(out: &mut [f64], rows: &[f64], tf: &[f64], q: usize, m: usize) {
    if q == 1 {
        out.iter_mut().zip(rows).for_each(|(o, x)| *o = tf[0] * x);
        return;
    }
    out.fill(0.0);
    for (o, x) in out.chunks_exact_mut(q * m).zip(rows.chunks_exact(q * m)) {
        small::mul_transposed(o, tf, x, q, q, m, 1.0);
    }
}

fn assemble_across(s: &Structure, a: &Crossprod, link: &Link, t: &Blocks, out: &mut [f64], scratch: &mut [f64]) {
    let (q, tf) = (link.q, &t[link.factor]);
    let simple = s.trail.iter().all(|tr| tr.q == 1);
    for j in 0..link.levels {
        let (from, to) = (q * link.starts[j], q * link.starts[j + 1]);
        let width = link.starts[j + 1] - link.starts[j];
        let (values, target) = (&link.values[from..to], &mut out[from..to]);
        let half = &mut scratch[..q * width];
        let (mut at, mut plain) = (0, true);
        for (tr, &pair) in s.trail.iter().zip(&link.across) {
            let cells = a.pairs[pair].starts[j + 1] - a.pairs[pair].starts[j];
            let tg = &t[tr.factor];
            if q == 1 && tr.q == 1 && simple {
                let f = tf[0] * tg[0];
                target[at..at + cells].iter_mut().zip(&values[at..at + cells]).for_each(|(o, v)| *o = f * v);
                at += cells;
                continue;
            }
            for _ in 0..cells {
                for r in 0..q {
                    let here = r * width + at..r * width + at + tr.q;
                    half[here.clone()].fill(0.0);
                    small::mul(&mut half[here.clone()], &values[here], tg, 1, tr.q, tr.q, 1.0);
                }
                at += tr.q;
            }
            plain = false;
        }
        if !plain {
            target.fill(0.0);
            small::mul_transposed(target, tf, half, q, q, width, 1.0);
        }
    }
}
