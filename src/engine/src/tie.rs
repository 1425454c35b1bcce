//! Cells that correlated rows tie together.

use crate::crossprod::{Crossprod, Pair};
use crate::design::Design;
use crate::order::holds;
use crate::residual::Residual;

/// Adds the cells that correlated rows tie together: levels of two factors that meet in no row, and levels of one factor.
pub fn tie(design: &Design<'_>, residual: &Residual, a: &mut Crossprod) {
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
            for k in 0..residual.classes.series.starts.len() - 1 {
                let own = &residual.classes.series.rows
                    [residual.classes.series.starts[k]..residual.classes.series.starts[k + 1]];
                if residual.classes.block_class.is_empty() {
                    own.iter().for_each(|&i| add(i as usize, i as usize));
                    for w in own.windows(2) {
                        add(w[0] as usize, w[1] as usize);
                        add(w[1] as usize, w[0] as usize);
                    }
                } else {
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
                Some(old) => *old = pair,
                None => a.pairs.push(pair),
            }
        }
    }
}
