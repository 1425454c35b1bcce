//! w'M^-1w for a w that is zero but in a few levels: what a row of data touches.

use crate::error::Result;
use crate::likelihood::evaluation::Here;
use crate::likelihood::structure::Position;
use crate::numerics::small;

/// The part of w in one level of a grouping factor.
pub(crate) struct LevelPart {
    pub factor: usize,
    pub level: usize,
    /// As many elements as the factor has columns.
    pub w: Vec<f64>,
}

/// w'M^-1w for one part a factor; `work` has an element for each trailing column.
///
/// Levels that met in the data have their entries in the selected inverse; else what the parts touch is eliminated again.
///
/// # Errors
/// Those of the trailing matrix.
pub(crate) fn quadratic_form(here: Here<'_>, parts: &[LevelPart], work: &mut [f64]) -> Result<f64> {
    looked_up(here, parts).map_or_else(|| solved(here, parts, work), Ok)
}

/// The form from the selected inverse; `None` where an entry is not on its pattern.
fn looked_up(here: Here<'_>, parts: &[LevelPart]) -> Option<f64> {
    let mut sum = 0.0;
    for (i, a) in parts.iter().enumerate() {
        for (j, b) in parts.iter().enumerate().take(i + 1) {
            for (r, x) in a.w.iter().enumerate() {
                for (c, y) in b.w.iter().enumerate() {
                    let f = if i == j { x * y } else { 2.0 * x * y };
                    if f != 0.0 {
                        sum += f * here.inverse_between((a.factor, a.level, r), (b.factor, b.level, c))?;
                    }
                }
            }
        }
    }
    Some(sum)
}

/// |L^-1 w|^2, eliminating only what the parts touch.
fn solved(here: Here<'_>, parts: &[LevelPart], work: &mut [f64]) -> Result<f64> {
    let Here { a, s, w: workspace, .. } = here;
    work.fill(0.0);
    let mut own: Vec<Vec<(usize, Vec<f64>)>> = vec![Vec::new(); s.chain.len()];
    for part in parts {
        match s.positions[part.factor] {
            Position::Chain(c) => add(&mut own[c], part.level, &part.w),
            Position::Trail(i) => {
                let at = s.trail[i].col + part.level * s.trail[i].q;
                work[at..at + s.trail[i].q].iter_mut().zip(&part.w).for_each(|(x, y)| *x += y);
            }
        }
    }
    let mut sum = 0.0;
    for (c, link) in s.chain.iter().enumerate() {
        let (q, blocks) = (link.q, &workspace.links[c]);
        for (j, mut y) in std::mem::take(&mut own[c]) {
            small::solve_lower(small::block(&blocks.diag, j, q * q), q, &mut y, 1);
            sum += y.iter().map(|v| v * v).sum::<f64>();
            for (k, &pair) in link.up.iter().enumerate() {
                let qa = s.chain[c + 1 + k].q;
                let mut part = vec![0.0; qa];
                small::mul_transposed(&mut part, small::block(&blocks.up[k], j, q * qa), &y, qa, q, 1, -1.0);
                add(&mut own[c + 1 + k], a.pairs[pair].cols[j] as usize, &part);
            }
            let cols = &link.cols[link.range(j)];
            let across = &blocks.across[link.across_range(j)];
            for (r, v) in y.iter().enumerate() {
                let row = &across[r * cols.len()..(r + 1) * cols.len()];
                row.iter().zip(cols).for_each(|(x, &col)| work[col as usize] -= x * v);
            }
        }
    }
    workspace.trailing.forward(work, 1)?;
    Ok(sum + work.iter().map(|v| v * v).sum::<f64>())
}

fn add(all: &mut Vec<(usize, Vec<f64>)>, level: usize, w: &[f64]) {
    match all.iter_mut().find(|(l, _)| *l == level) {
        Some((_, sum)) => sum.iter_mut().zip(w).for_each(|(s, x)| *s += x),
        None => all.push((level, w.to_vec())),
    }
}
