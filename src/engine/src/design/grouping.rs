//! The grouping factors of a design with all columns that vary by them, as the passes over the rows use them.

use crate::design::basis::Basis;
use crate::design::column::{Prepared, Source};
use crate::design::design::{Column, Design};

/// A grouping factor with all its columns.
pub(crate) struct Grouping<'a, 'b> {
    /// Level of each row, from 1.
    pub codes: &'a [i32],
    /// Number of levels J.
    pub levels: usize,
    /// Columns of all its terms, q of them.
    pub columns: Vec<&'b Prepared<'a>>,
    /// Block diagonal R^-1, q x q upper triangular by rows.
    pub rotate: Vec<f64>,
}

impl Grouping<'_, '_> {
    /// Number of columns.
    pub fn q(&self) -> usize {
        self.columns.len()
    }

    /// True if the constant 1 is the only column.
    pub fn is_intercept(&self) -> bool {
        self.q() == 1
            && matches!(self.columns[0].source, Source::Borrowed(Column::Constant))
            && self.columns[0].factor == 1.0
            && self.columns[0].shift == 0.0
    }
}

/// Gathers the terms of every factor; their R^-1 stand on the diagonal of `rotate`.
pub(crate) fn groupings<'a, 'b>(design: &Design<'a>, bases: &'b [Basis<'a>]) -> Vec<Grouping<'a, 'b>> {
    let mut all: Vec<Grouping<'a, 'b>> = design
        .factors
        .iter()
        .map(|f| Grouping { codes: f.codes, levels: f.levels, columns: Vec::new(), rotate: Vec::new() })
        .collect();
    for (term, basis) in design.terms.iter().zip(bases) {
        all[term.factor].columns.extend(basis.columns.iter());
    }
    for (f, g) in all.iter_mut().enumerate() {
        let q = g.q();
        g.rotate = vec![0.0; q * q];
        let mut at = 0;
        for (_, basis) in design.terms.iter().zip(bases).filter(|(t, _)| t.factor == f) {
            let m = basis.map.kept.len();
            for i in 0..m {
                for j in i..m {
                    g.rotate[(at + i) * q + at + j] = basis.rotate[i * m + j];
                }
            }
            at += m;
        }
    }
    all
}
