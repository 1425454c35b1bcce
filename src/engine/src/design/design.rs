//! The rows of a model, borrowed and validated: y, X, random-effect terms, weights, offset.
//!
//! Rows stay as the caller stores them: the cross-products are summed from here, and what is read again for other weights or
//! fewer rows is read from here. Columns are slices of length n or the constant 1. Codes are those of a factor, counted
//! from 1 (as R and Julia store them, so that they can be borrowed), and every level must occur.

use crate::error::{Error, Result};

/// A column of a design matrix.
#[derive(Clone, Copy, Debug)]
pub enum Column<'a> {
    /// One in every row.
    Constant,
    /// A value in every row.
    Values(&'a [f64]),
}

impl Column<'_> {
    /// Value in row `i`.
    #[inline]
    pub fn at(&self, i: usize) -> f64 {
        match self {
            Column::Constant => 1.0,
            Column::Values(v) => v[i],
        }
    }
}

/// A grouping factor.
#[derive(Clone, Copy, Debug)]
pub struct Factor<'a> {
    /// Level of each row, from 1.
    pub codes: &'a [i32],
    /// Number of levels J.
    pub levels: usize,
}

/// A pattern of the covariance matrix of a random term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Independent columns.
    Diagonal,
    /// One correlation for all pairs of columns.
    CompoundSymmetric,
    /// Correlation rho^|i - j| between columns i and j.
    Autoregressive,
}

/// A covariance matrix with a pattern; all standard deviations alike or each its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Structured {
    /// Pattern of the correlations.
    pub pattern: Pattern,
    /// True if all columns have the same variance.
    pub equal: bool,
}

/// A random-effects term: columns that vary with the levels of a factor.
#[derive(Clone, Debug)]
pub struct Term<'a> {
    /// Index of its factor, from 0.
    pub factor: usize,
    /// The columns of its basis, q of them.
    pub basis: Vec<Column<'a>>,
    /// Pattern of the covariance matrix; `None`: unstructured.
    pub structured: Option<Structured>,
}

impl<'a> Term<'a> {
    /// A term with an unstructured covariance matrix.
    pub fn new(factor: usize, basis: Vec<Column<'a>>) -> Self {
        Term { factor, basis, structured: None }
    }
}

/// Form of a residual correlation within a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serial {
    /// rho^|s - t| with whole times and -1 < rho < 1.
    Ar1,
    /// rho^|s - t| with any times and 0 <= rho < 1.
    Car1,
    /// rho for any two rows of a series of m rows; rho > -1 / (m - 1).
    Cs,
}

/// Correlation of the residuals within series; rows of different series are independent.
#[derive(Clone, Copy, Debug)]
pub struct Correlation<'a> {
    /// Its form.
    pub form: Serial,
    /// Series of each row, from 1.
    pub series: Factor<'a>,
    /// Time of each row; empty for [`Serial::Cs`], and where the rows stand one unit of time apart in their order.
    pub time: &'a [f64],
}

impl Correlation<'_> {
    /// Time of each row: where none is given, its place among the rows of its series.
    pub fn times(&self) -> std::borrow::Cow<'_, [f64]> {
        if !self.time.is_empty() {
            return self.time.into();
        }
        let mut count = vec![0.0; self.series.levels];
        let place = |&k: &i32| {
            let own = &mut count[k as usize - 1];
            *own += 1.0;
            *own
        };
        self.series.codes.iter().map(place).collect::<Vec<f64>>().into()
    }
}

/// Columns of the scale that are functions of a factor.
#[derive(Clone, Copy, Debug)]
pub struct Strata<'a> {
    /// Stratum of each row, from 1.
    pub codes: &'a [i32],
    /// Columns s by stratum, one after the other.
    pub values: &'a [f64],
    /// Number of strata.
    pub levels: usize,
}

/// Residuals that are not alike: Var(e_i) = sigma^2 exp(2 s_i'd) / w_i, with correlation within series.
#[derive(Clone, Debug, Default)]
pub struct Residual<'a> {
    /// Columns s of the logarithm of the standard deviation, without a constant.
    pub scale: Vec<Column<'a>>,
    /// The same by stratum, in place of columns.
    pub strata: Option<Strata<'a>>,
    /// Serial correlation.
    pub correlation: Option<Correlation<'a>>,
}

impl Residual<'_> {
    /// Number of parameters.
    pub fn len(&self) -> usize {
        self.width() + usize::from(self.correlation.is_some())
    }

    /// Number of columns of the scale.
    pub fn width(&self) -> usize {
        self.strata.map_or(self.scale.len(), |s| s.values.len() / s.levels.max(1))
    }

    /// True if there is no parameter.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A linear mixed model's rows.
#[derive(Clone, Debug)]
pub struct Design<'a> {
    /// Response, length n.
    pub y: &'a [f64],
    /// Known part of the mean, length n.
    pub offset: Option<&'a [f64]>,
    /// Precision weights, all positive: Var(e_i) = sigma^2 / w_i.
    pub weights: Option<&'a [f64]>,
    /// Columns of X.
    pub x: Vec<Column<'a>>,
    /// Distinct grouping factors.
    pub factors: Vec<Factor<'a>>,
    /// Terms in the order of theta.
    pub terms: Vec<Term<'a>>,
    /// Structure of the residuals.
    pub residual: Residual<'a>,
}

impl<'a> Design<'a> {
    /// A design without weights and offset.
    pub fn new(y: &'a [f64], x: Vec<Column<'a>>, factors: Vec<Factor<'a>>, terms: Vec<Term<'a>>) -> Self {
        Design { y, offset: None, weights: None, x, factors, terms, residual: Residual::default() }
    }

    /// Number of rows.
    pub fn n(&self) -> usize {
        self.y.len()
    }

    /// True if residuals are alike and independent, and all random terms unstructured.
    pub fn is_plain(&self) -> bool {
        self.residual.is_empty() && self.terms.iter().all(|t| t.structured.is_none())
    }

    /// Response minus offset in row `i`.
    #[inline]
    pub fn response(&self, i: usize) -> f64 {
        self.y[i] - self.offset.map_or(0.0, |o| o[i])
    }

    /// Checks lengths and codes. Values are checked when they are first summed.
    ///
    /// # Errors
    /// [`Error::Dimension`] naming what has the wrong length or range.
    pub fn validate(&self) -> Result<()> {
        let n = self.n();
        let expect = |what, expected: usize, found: usize| {
            if expected == found {
                Ok(())
            } else {
                Err(Error::Dimension { what, expected, found })
            }
        };
        for o in self.offset.iter() {
            expect("length of the offset", n, o.len())?;
        }
        for w in self.weights.iter() {
            expect("length of the weights", n, w.len())?;
        }
        if let Some(c) = &self.residual.correlation {
            expect("length of the series", n, c.series.codes.len())?;
            if !c.time.is_empty() {
                expect("length of the times", n, c.time.len())?;
            }
        }
        if let Some(s) = &self.residual.strata {
            expect("length of the strata", n, s.codes.len())?;
            expect("columns of the strata", 0, s.values.len() % s.levels.max(1))?;
            if let Some(c) = s.codes.iter().find(|c| **c < 1 || **c as usize > s.levels) {
                return Err(Error::Dimension { what: "a stratum", expected: s.levels, found: (*c).max(0) as usize });
            }
        }
        let random = self.terms.iter().flat_map(|t| t.basis.iter());
        let columns = self.x.iter().chain(random).chain(&self.residual.scale);
        for column in columns {
            if let Column::Values(v) = column {
                expect("length of a column", n, v.len())?;
            }
        }
        if self.terms.is_empty() {
            return Err(Error::Dimension { what: "number of random terms", expected: 1, found: 0 });
        }
        for t in &self.terms {
            if t.factor >= self.factors.len() {
                return Err(Error::Dimension {
                    what: "factor of a term",
                    expected: self.factors.len(),
                    found: t.factor,
                });
            }
            if t.basis.is_empty() {
                return Err(Error::Dimension { what: "columns of a random term", expected: 1, found: 0 });
            }
        }
        let series = self.residual.correlation.iter().map(|c| &c.series);
        let series =
            series.filter(|s| !self.factors.iter().any(|f| f.levels == s.levels && std::ptr::eq(f.codes, s.codes)));
        for f in self.factors.iter().chain(series) {
            expect("length of the codes", n, f.codes.len())?;
            let mut seen = vec![false; f.levels];
            for &c in f.codes {
                match usize::try_from(c).ok().filter(|c| (1..=f.levels).contains(c)) {
                    Some(c) => seen[c - 1] = true,
                    None => {
                        return Err(Error::Dimension { what: "a code", expected: f.levels, found: c.max(0) as usize })
                    }
                }
            }
            expect("levels that occur", f.levels, seen.iter().filter(|s| **s).count())?;
        }
        Ok(())
    }
}
