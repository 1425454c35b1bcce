//! The blocks of L(theta), the factor of M, with the border [X, y] carried along: allocated once, rewritten at every theta.
//!
//! Layout: for each chain factor its diagonal blocks, its blocks with later chain factors (one a level) and with the
//! trailing columns; then the trailing matrix.

use crate::crossprod::Crossprod;
use crate::error::Result;
use crate::likelihood::structure::Structure;
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

/// The factor of M at one theta.
pub(crate) struct Workspace {
    pub links: Vec<LinkBlocks>,
    pub trailing: Trailing,
    /// L^-1 Lambda'Z'W[X, y], q x (p + 1) by rows.
    pub border: Vec<f64>,
    /// For work on the blocks of one level: two of q x q and one of q by the trailing columns or by p + 1.
    pub scratch: Vec<f64>,
    /// Threads of the surrounding pool.
    pub threads: usize,
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
                across: vec![0.0; l.q * l.cols.len()],
            })
            .collect();
        let widest = a.factors.iter().map(|f| f.q).max().unwrap_or(1);
        let degree = s.chain.iter().flat_map(|l| (0..l.levels).map(|j| l.range(j).len())).max().unwrap_or(0);
        Ok(Workspace {
            links,
            trailing: s.trailing(threads)?,
            border: vec![0.0; s.q * (a.p + 1)],
            threads,
            scratch: vec![0.0; 4 * widest * widest + widest * degree.max(a.p + 1)],
        })
    }
}
