//! The selected inverse: entries of M^-1 on the pattern of its factor; and the solutions that go with it.

use crate::crossprod::Crossprod;
use crate::error::Result;
use crate::likelihood::structure::{Elimination, Position, Structure};
use crate::likelihood::workspace::Workspace;
use crate::numerics::small;

/// A coefficient of the random part: factor, level and column within the level.
pub(crate) type Place = (usize, usize, usize);

/// Entries of M^-1 on the pattern, the solutions and what they leave; rows in the order of elimination.
pub(crate) struct Inverse {
    /// Diagonal blocks of each chain factor.
    pub diag: Vec<Vec<f64>>,
    /// Blocks with each later chain factor, one a level.
    pub up: Vec<Vec<Vec<f64>>>,
    /// Rows of each level at its trailing columns.
    pub across: Vec<Vec<f64>>,
    /// [U, u], q x (p + 1) by rows: U = M^-1 Lambda'Z'WX, and u = M^-1 Lambda'Z'W(y - X beta).
    pub solution: Vec<f64>,
    /// [Z'V^-1X, Z'Py], q x (p + 1) by rows.
    pub residual: Vec<f64>,
    /// Lambda [U, u], where the general elimination wants it.
    pub product: Vec<f64>,
}

impl Inverse {
    /// Allocates for a structure.
    pub fn new(s: &Structure, a: &Crossprod) -> Inverse {
        let rows = s.q * (a.p + 1);
        let up = |c: usize, levels: usize, q: usize| {
            s.chain[c + 1..].iter().map(|u| vec![0.0; levels * q * u.q]).collect::<Vec<_>>()
        };
        Inverse {
            diag: s.chain.iter().map(|l| vec![0.0; l.levels * l.q * l.q]).collect(),
            up: s.chain.iter().enumerate().map(|(c, l)| up(c, l.levels, l.q)).collect(),
            across: s.chain.iter().map(|l| vec![0.0; l.q * l.cols.len()]).collect(),
            solution: vec![0.0; rows],
            residual: vec![0.0; rows],
            product: vec![0.0; if s.elimination == Elimination::General { rows } else { 0 }],
        }
    }

    /// Diagonal blocks of M^-1 by grouping factor (J blocks q x q by rows).
    pub fn diagonal(&self, s: &Structure, w: &Workspace, factor: usize) -> Result<Vec<f64>> {
        match s.positions[factor] {
            Position::Chain(c) => Ok(self.diag[c].clone()),
            Position::Trail(i) => {
                let tr = &s.trail[i];
                let mut out = vec![0.0; tr.levels * tr.q * tr.q];
                for (j, block) in out.chunks_exact_mut(tr.q * tr.q).enumerate() {
                    w.trailing.inverse_block(tr.col + j * tr.q, tr.col + j * tr.q, tr.q, block)?;
                }
                Ok(out)
            }
        }
    }

    /// Element of M^-1 between two coefficients; `None` off the pattern of the selected inverse.
    pub fn between(&self, s: &Structure, a: &Crossprod, w: &Workspace, x: Place, y: Place) -> Option<f64> {
        let column = |i: usize, at: Place| s.trail[i].col + at.1 * s.trail[i].q + at.2;
        match (s.positions[x.0], s.positions[y.0]) {
            (Position::Chain(c), Position::Chain(d)) if c == d => {
                let q = s.chain[c].q;
                (x.1 == y.1).then(|| small::block(&self.diag[c], x.1, q * q)[x.2 * q + y.2])
            }
            (Position::Chain(c), Position::Chain(d)) if c < d => {
                let (k, qa) = (d - c - 1, s.chain[d].q);
                let parent = a.pairs[s.chain[c].up[k]].cols[x.1] as usize;
                (parent == y.1).then(|| small::block(&self.up[c][k], x.1, s.chain[c].q * qa)[x.2 * qa + y.2])
            }
            (Position::Chain(c), Position::Trail(i)) => {
                let link = &s.chain[c];
                let cols = &link.cols[link.range(x.1)];
                let at = cols.binary_search(&(column(i, y) as u32)).ok()?;
                Some(self.across[c][link.across_range(x.1)][x.2 * cols.len() + at])
            }
            (Position::Trail(i), Position::Trail(k)) => w.trailing.selected_at(column(i, x), column(k, y)),
            _ => self.between(s, a, w, y, x),
        }
    }
}
