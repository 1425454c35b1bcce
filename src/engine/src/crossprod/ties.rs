//! Cells that correlated rows tie together.

use crate::covariance::residual::ResidualCovariance;
use crate::covariance::series::NONE;
use crate::crossprod::crossprod::{Crossprod, Pair};
use crate::design::design::Design;
use crate::design::elimination_order::holds;

/// Adds the cells that correlated rows tie together: levels of two factors that meet in no row, and levels of one factor.
pub fn tie(design: &Design<'_>, residual: &ResidualCovariance, a: &mut Crossprod) {
    let Some(c) = &design.residual.correlation else { return };
    let loose: Vec<bool> = design.factors.iter().map(|f| !holds(&c.series, f)).collect();
    let all: Vec<usize> = a.order.all().collect();
    for (at, &f) in all.iter().enumerate() {
        for &g in all[at..].iter().filter(|&&g| if g == f { loose[f] } else { loose[f] || loose[g] }) {
            let (qf, qg) = (a.factors[f].q, a.factors[g].q);
            let (inner, outer) = (design.factors[f].codes, design.factors[g].codes);
            let mut keys: Vec<(u32, u32)> = Vec::new();
            let mut add = |i: usize, j: usize| {
                let key = (inner[i] as u32 - 1, outer[j] as u32 - 1);
                if f != g || key.0 < key.1 {
                    keys.push(key);
                }
            };
            let series = &residual.classes.series;
            for (i, &j) in series.previous.iter().enumerate() {
                add(i, i);
                if j != NONE {
                    add(j as usize, i);
                    add(i, j as usize);
                }
            }
            if series.previous.is_empty() {
                for w in series.starts.windows(2) {
                    let own = &series.rows[w[0]..w[1]];
                    own.iter().for_each(|&i| own.iter().for_each(|&j| add(i as usize, j as usize)));
                }
            }
            keys.sort_unstable();
            keys.dedup();
            let mut pair =
                Pair { f, g, starts: vec![0; a.factors[f].levels + 1], cols: Vec::new(), blocks: Vec::new() };
            keys.iter().for_each(|k| pair.starts[k.0 as usize + 1] += 1);
            (0..a.factors[f].levels).for_each(|j| pair.starts[j + 1] += pair.starts[j]);
            pair.cols = keys.iter().map(|k| k.1).collect();
            pair.blocks = vec![0.0; keys.len() * qf * qg];
            match a.pairs.iter_mut().find(|p| p.f == f && p.g == g) {
                Some(old) => {
                    carry(old, &mut pair, qf * qg);
                    *old = pair;
                }
                None => a.pairs.push(pair),
            }
        }
    }
}

/// Copies the sums of the cells that were there.
fn carry(from: &Pair, to: &mut Pair, size: usize) {
    for j in 0..from.starts.len() - 1 {
        let (first, last) = (to.starts[j], to.starts[j + 1]);
        for cell in from.starts[j]..from.starts[j + 1] {
            if let Ok(at) = to.cols[first..last].binary_search(&from.cols[cell]) {
                let at = (first + at) * size;
                to.blocks[at..at + size].copy_from_slice(&from.blocks[cell * size..(cell + 1) * size]);
            }
        }
    }
}
