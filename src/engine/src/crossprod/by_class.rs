//! One set of sums for each class of weights, from the rows once.

use crate::covariance::NONE;
use crate::crossprod::add_rows::Addition;
use crate::crossprod::by_series::{self, Product};
use crate::crossprod::row_pass::{Buffers, RowPass};
use crate::crossprod::row_reader::ROWS;
use crate::design::{Column, Design, Term};
use crate::error::{Error, Result};
use crate::numerics::sums;

/// One set of sums for each class of rows, sides, neighbours and series.
///
/// # Errors
/// [`Error::Internal`] if there are not as many sets as classes.
pub(crate) fn sums_by_class(design: &Design<'_>, pass: &RowPass<'_, '_>) -> Result<Vec<f64>> {
    let (c, n, len) = (&pass.residual.classes, pass.a.n, pass.layout.len);
    let [rows, sides, pairs, series] = c.sizes();
    let mut out = if rows == 1 { pass.layout.store(pass.a) } else { rows_by_scale(pass, rows) };
    // With one kind of neighbours every row has two sides but the first and the last of a series.
    let ends = sides == 1 && rows == 1;
    if ends {
        let both = sums_of_ends(pass);
        let twice: Vec<f64> = out.iter().zip(&both).map(|(all, ends)| 2.0 * all - ends).collect();
        out.extend(twice);
    }
    if ends && is_level(design, pass) {
        let lagged = products_of_neighbours(pass);
        let mut both = out[len..2 * len].to_vec();
        both[..lagged.len()].copy_from_slice(&lagged);
        out.extend(both);
    } else if pairs > 0 {
        out.extend(neighbours(pass, if ends { 0 } else { sides }, pairs));
    }
    if series > 0 {
        let product = |s: usize| vec![Product { of: (0, 0), set: c.block_class[s] as usize, weight: 0.5 }];
        let count = c.block_class.len();
        out.extend(
            pass.run(series, count, |piece, out| by_series::add(pass, piece, 1, |_, w| w[0] = 1.0, product, out)),
        );
    }
    if out.len() != (rows + sides + pairs + series) * len {
        return Err(Error::Internal(format!("{n} rows were summed in {} sets", out.len() / len)));
    }
    Ok(out)
}

/// Rows by class of scale.
fn rows_by_scale(pass: &RowPass<'_, '_>, classes: usize) -> Vec<f64> {
    pass.run(classes, pass.a.n, |piece, out| {
        pass.blocks(piece, |block, room| {
            pass.reader.read(block.len(), &|k| block.start + k, &mut room.here);
            let scale = |i| pass.residual.classes.scale(i) as u32;
            room.sets.iter_mut().zip(block.clone()).for_each(|(s, i)| *s = scale(i));
            pass.layout.add_rows(pass.a, out, room.rows(block.len()), room.addition());
        });
    })
}

/// Neighbours by class, after both of them by class of `sides` where there are any.
fn neighbours(pass: &RowPass<'_, '_>, sides: usize, pairs: usize) -> Vec<f64> {
    let c = &pass.residual.classes;
    pass.run(sides + pairs, pass.a.n, |piece, out| {
        pass.blocks(piece, |block, room| {
            if !pass.read_pairs(&block, room) {
                return;
            }
            pass.reader.read(block.len(), &|k| block.start + k, &mut room.here);
            let pair = |k: &u32| c.pair(block.start + *k as usize);
            let mut sets = [0; ROWS];
            let (here, before) = room.pairs();
            if sides > 0 {
                for (side, rows) in [(0, here), (1, before)] {
                    sets.iter_mut().zip(&room.late).for_each(|(s, k)| *s = c.pairs[pair(k)].sides[side] as u32);
                    pass.layout.add_rows(pass.a, out, rows, Addition { weights: &room.weights, sets: &sets });
                }
            }
            sets.iter_mut().zip(&room.late).for_each(|(s, k)| *s = (sides + pair(k)) as u32);
            pass.layout.add_pairs(pass.a, out, here, before, Addition { weights: &room.weights, sets: &sets });
        });
    })
}

/// True if the columns of all factors are constant within series: of neighbours they see their sums alone, which are
/// those of the sides.
fn is_level(design: &Design<'_>, pass: &RowPass<'_, '_>) -> bool {
    let constant = |t: &Term<'_>| t.basis.iter().all(|c| matches!(c, Column::Constant));
    pass.one_level && design.weights.is_none() && design.terms.iter().all(constant)
}

/// Products of X and y of all neighbours, both ways.
fn products_of_neighbours(pass: &RowPass<'_, '_>) -> Vec<f64> {
    let (n, m) = (pass.a.n, pass.a.p + 1);
    let parts = pass.workers.map(sums::chunks(n), |c| {
        let mut out = vec![0.0; m * m];
        pass.blocks(sums::chunk(c, n), |block, room| {
            pass.find_pairs(&block, room);
            let Buffers { here, before, early, .. } = room;
            pass.reader.read_xy(block.len(), &|k| block.start + k, here);
            pass.reader.read_xy(early.len(), &|k| early[k] as usize, before);
            let (here, before) = room.pairs();
            pass.layout.add_pairs_xy(m, &mut out, here, before, room.addition());
        });
        out
    });
    let mut out = sums::sum_in_pairs(parts);
    for i in 0..m {
        (0..i).for_each(|j| out[i * m + j] = out[j * m + i]);
    }
    out
}

/// Sums of the first row and of the last row of every series.
fn sums_of_ends(pass: &RowPass<'_, '_>) -> Vec<f64> {
    let series = &pass.residual.classes.series;
    let first = series.previous.iter().enumerate().filter(|(_, j)| **j == NONE).map(|(i, _)| i as u32);
    let all: Vec<u32> = first.chain(series.last.iter().copied()).collect();
    let mut out = vec![0.0; pass.layout.len];
    let mut room = pass.buffers();
    for chunk in all.chunks(ROWS) {
        pass.reader.read(chunk.len(), &|k| chunk[k] as usize, &mut room.here);
        pass.layout.add_rows(pass.a, &mut out, room.rows(chunk.len()), room.addition());
    }
    pass.layout.mirror(pass.a, &mut out);
    out
}
