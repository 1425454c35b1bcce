//! Some rows of a design, with the levels that still occur.

use crate::design::design::{Column, Correlation, Design, Factor, Residual, Serial, Strata, Term};

/// The rows that are kept, as copies.
pub(crate) struct Subset {
    y: Vec<f64>,
    offset: Option<Vec<f64>>,
    weights: Option<Vec<f64>>,
    x: Vec<Vec<f64>>,
    bases: Vec<Vec<Vec<f64>>>,
    scale: Vec<Vec<f64>>,
    strata: Option<(Vec<i32>, Vec<f64>, usize)>,
    codes: Vec<(Vec<i32>, usize)>,
    series: (Vec<i32>, usize),
    time: Vec<f64>,
}

impl Subset {
    /// Of the rows `keep`, in that order.
    pub fn new(design: &Design<'_>, keep: &[usize]) -> Subset {
        let pick = |v: &[f64]| keep.iter().map(|&i| v[i]).collect::<Vec<f64>>();
        // An empty column is the constant.
        let column = |c: &Column<'_>| match c {
            Column::Constant => Vec::new(),
            Column::Values(v) => pick(v),
        };
        let columns = |all: &[Column<'_>]| all.iter().map(column).collect::<Vec<_>>();
        let levels = |f: &Factor<'_>| {
            let mut place = vec![0; f.levels];
            let mut count = 0;
            keep.iter().for_each(|&i| place[f.codes[i] as usize - 1] = 1);
            for p in place.iter_mut().filter(|p| **p == 1) {
                count += 1;
                *p = count;
            }
            (keep.iter().map(|&i| place[f.codes[i] as usize - 1]).collect::<Vec<i32>>(), count as usize)
        };
        let correlation = design.residual.correlation.as_ref();
        Subset {
            y: pick(design.y),
            offset: design.offset.map(pick),
            weights: design.weights.map(pick),
            x: columns(&design.x),
            bases: design.terms.iter().map(|t| columns(&t.basis)).collect(),
            scale: columns(&design.residual.scale),
            strata: design.residual.strata.map(|s| {
                let (codes, kept): (Vec<i32>, usize) = levels(&Factor { codes: s.codes, levels: s.levels });
                let mut first = vec![0; kept];
                codes.iter().zip(keep).for_each(|(c, &i)| first[*c as usize - 1] = s.codes[i] as usize - 1);
                let columns = s.values.chunks_exact(s.levels);
                (codes, columns.flat_map(|v| first.iter().map(|l| v[*l]).collect::<Vec<_>>()).collect(), kept)
            }),
            codes: design.factors.iter().map(levels).collect(),
            series: correlation.map(|c| levels(&c.series)).unwrap_or_default(),
            time: correlation.filter(|c| c.form != Serial::Cs).map(|c| pick(&c.times())).unwrap_or_default(),
        }
    }

    /// The design of these rows; `of` is the design that they are from.
    pub fn design<'a>(&'a self, of: &Design<'_>) -> Design<'a> {
        let column = |v: &'a Vec<f64>| if v.is_empty() { Column::Constant } else { Column::Values(v) };
        let columns = |all: &'a [Vec<f64>]| all.iter().map(column).collect::<Vec<_>>();
        let factor = |(codes, levels): &'a (Vec<i32>, usize)| Factor { codes, levels: *levels };
        let correlation = of.residual.correlation.as_ref();
        Design {
            y: &self.y,
            offset: self.offset.as_deref(),
            weights: self.weights.as_deref(),
            x: columns(&self.x),
            factors: self.codes.iter().map(factor).collect(),
            terms: of
                .terms
                .iter()
                .zip(&self.bases)
                .map(|(t, b)| Term { factor: t.factor, basis: columns(b), structured: t.structured })
                .collect(),
            residual: Residual {
                scale: columns(&self.scale),
                strata: self.strata.as_ref().map(|(codes, values, levels)| Strata { codes, values, levels: *levels }),
                correlation: correlation.map(|c| Correlation {
                    form: c.form,
                    series: factor(&self.series),
                    time: &self.time,
                }),
            },
        }
    }
}
