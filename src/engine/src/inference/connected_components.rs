//! Connected components of the levels, and Z'WZ within each.
//!
//! Two levels are connected if a row has both; between components Z'WZ and Z'V^-1Z are zero. One grouping factor: every
//! level is a component. Nested factors: one component a level of the outermost. Crossed factors: usually one in all.

use crate::error::{Error, Result};
use crate::likelihood::Model;

/// Levels that are connected by rows.
#[derive(Clone, Debug, Default)]
pub struct Component {
    /// Factor, level, first local column.
    pub members: Vec<(usize, usize, usize)>,
    /// Columns.
    pub size: usize,
}

/// The components of a model, if dense matrices of the largest fit in `memory`.
///
/// # Errors
/// [`Error::TooLarge`] with the bytes that the largest component would need.
pub fn components(model: &Model, memory: f64) -> Result<Vec<Component>> {
    let all = connected(model);
    let largest = all.iter().map(|c| c.size).max().unwrap_or(0) as f64;
    let bytes = 4.0 * 8.0 * largest * largest;
    if bytes > memory {
        return Err(Error::TooLarge { bytes, limit: memory });
    }
    Ok(all)
}

fn connected(model: &Model) -> Vec<Component> {
    let a = &model.a;
    let first: Vec<usize> = a
        .factors
        .iter()
        .scan(0, |next, f| {
            let at = *next;
            *next += f.levels;
            Some(at)
        })
        .collect();
    let total = a.factors.iter().map(|f| f.levels).sum();
    let mut parent: Vec<usize> = (0..total).collect();
    for p in &a.pairs {
        for j in 0..p.starts.len() - 1 {
            for &l in &p.cols[p.starts[j]..p.starts[j + 1]] {
                let (x, y) = (root(&mut parent, first[p.f] + j), root(&mut parent, first[p.g] + l as usize));
                parent[x.max(y)] = x.min(y);
            }
        }
    }
    let mut place = vec![usize::MAX; total];
    let mut out: Vec<Component> = Vec::new();
    for (f, sums) in a.factors.iter().enumerate() {
        for level in 0..sums.levels {
            let r = root(&mut parent, first[f] + level);
            if place[r] == usize::MAX {
                place[r] = out.len();
                out.push(Component::default());
            }
            let c = &mut out[place[r]];
            c.members.push((f, level, c.size));
            c.size += sums.q;
        }
    }
    out
}

fn root(parent: &mut [usize], mut i: usize) -> usize {
    while parent[i] != i {
        parent[i] = parent[parent[i]];
        i = parent[i];
    }
    i
}

/// Finds cells of a component quickly: local column of every level of the model.
pub struct Locator {
    local: Vec<Vec<usize>>,
}

impl Locator {
    /// Local columns of all levels.
    pub fn new(model: &Model, components: &[Component]) -> Locator {
        let mut local: Vec<Vec<usize>> = model.a.factors.iter().map(|f| vec![0; f.levels]).collect();
        for c in components {
            for &(f, level, at) in &c.members {
                local[f][level] = at;
            }
        }
        Locator { local }
    }
}

/// Z'WZ of one component, by rows, size x size.
pub fn cross(model: &Model, c: &Component, at: &Locator) -> Vec<f64> {
    let (a, n) = (&model.a, c.size);
    let mut z = vec![0.0; n * n];
    for &(f, level, here) in &c.members {
        let q = a.factors[f].q;
        for r in 0..q {
            let from = level * q * q + r * q;
            z[(here + r) * n + here..(here + r) * n + here + q].copy_from_slice(&a.factors[f].diag[from..from + q]);
        }
        for p in a.pairs.iter().filter(|p| p.f == f) {
            let qg = a.factors[p.g].q;
            for cell in p.starts[level]..p.starts[level + 1] {
                let there = at.local[p.g][p.cols[cell] as usize];
                for r in 0..q {
                    for s in 0..qg {
                        let x = p.blocks[cell * q * qg + r * qg + s];
                        z[(here + r) * n + there + s] = x;
                        z[(there + s) * n + here + r] = x;
                    }
                }
            }
        }
    }
    z
}
