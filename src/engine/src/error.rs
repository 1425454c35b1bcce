//! What can go wrong, as data: a class, a sentence and the figures that a caller needs to name the cause.
//!
//! Errors are misuse or an impossible request. A point where a factorisation fails is
//! [`Error::NotPositiveDefinite`] and is handled by the optimiser; how a fit ended is
//! [`crate::Status`], not an error. Nothing here knows the user's names: columns, terms and rows are indices
//! (counted from 1, as users count).

use thiserror::Error as ThisError;

/// A figure or a word that belongs to an error.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number (counts are exact up to 2^53).
    Number(f64),
    /// A word of a fixed vocabulary, such as the kind of a column.
    Text(String),
    /// Numbers.
    Numbers(Vec<f64>),
}

/// A parameter of Var(y): an element of the covariance matrix of a random term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element {
    /// Term, from 1; 0 for sigma^2.
    pub term: usize,
    /// Row, from 1.
    pub row: usize,
    /// Column, from 1.
    pub column: usize,
}

impl Element {
    /// sigma^2.
    pub const SIGMA: Element = Element { term: 0, row: 0, column: 0 };

    /// From indices that count from 0.
    pub fn new(term: usize, row: usize, column: usize) -> Element {
        Element { term: term + 1, row: row + 1, column: column + 1 }
    }
}

/// Everything that the engine refuses.
#[derive(Clone, Debug, PartialEq, ThisError)]
pub enum Error {
    /// A value is NaN or infinite.
    #[error("a value of the {kind} (column {column}) is not finite in row {row}")]
    NonFinite {
        /// `response`, `fixed`, `random`, `weights` or `offset`.
        kind: &'static str,
        /// Random term, from 1; 0 for what is no random term.
        term: usize,
        /// Column within that kind or term, from 1.
        column: usize,
        /// Row, from 1.
        row: usize,
    },
    /// A weight is zero or negative.
    #[error("weight {row} is not positive")]
    NotPositiveWeight {
        /// Row, from 1.
        row: usize,
    },
    /// The response does not vary.
    #[error("the response is constant")]
    ConstantResponse,
    /// The model reproduces the response, so that sigma is zero or tends to it and the likelihood has no maximum.
    #[error("the {reason} part reproduces the response: sigma is {ratio:.1e} of its spread")]
    PerfectFit {
        /// `fixed` or `random`; `vanishes`: the criterion does not rise as sigma tends to zero.
        reason: &'static str,
        /// sigma beside the root mean square of the response about the fixed part, where the search ended.
        ratio: f64,
    },
    /// No observation is left to estimate sigma.
    #[error("{rank} coefficients for {n} observations")]
    NoResidualDf {
        /// Rows.
        n: usize,
        /// Rank of X.
        rank: usize,
    },
    /// A variance parameter does not change the criterion.
    #[error("random term {term}, column {column}, is not identifiable ({reason})")]
    Unidentified {
        /// Term, from 1.
        term: usize,
        /// Column of the term, from 1.
        column: usize,
        /// `fixed`: in the span of X; `flat`: the criterion does not change along it; `few`: the rows of the levels have
        /// fewer products than the term has parameters.
        reason: &'static str,
        /// The other term on the flat direction, from 1; 0 if there is none.
        other: usize,
        /// What moves along the direction.
        parts: Vec<Element>,
    },
    /// The columns of a random term are linearly dependent.
    #[error("column {column} of random term {term} is a combination of the others")]
    RankRandom {
        /// Term, from 1.
        term: usize,
        /// Column, from 1.
        column: usize,
    },
    /// Two rows of a series have the same time.
    #[error("rows {first} and {second} have the same time in their series")]
    TiedTimes {
        /// A row, from 1.
        first: usize,
        /// The other, from 1.
        second: usize,
    },
    /// A residual standard deviation tends to zero or infinity beside sigma, so that the likelihood has no maximum.
    #[error("the residual scale of column {column} has no finite estimate")]
    ResidualScale {
        /// Column of the scale, from 1; 0 for the correlation.
        column: usize,
        /// `zero` or `infinite`: where its factor exp(d) tends to.
        to: &'static str,
    },
    /// A variance is too large or too small for a floating-point number in the user's units.
    #[error("the variance of column {column} of random term {term} is out of range")]
    Scale {
        /// Term, from 1; 0 for the residual variance.
        term: usize,
        /// Column, from 1.
        column: usize,
    },
    /// The factorisation would not fit in the allowed memory.
    #[error("the model needs {bytes:.3e} bytes, {limit:.3e} are allowed")]
    TooLarge {
        /// Predicted need.
        bytes: f64,
        /// Allowed.
        limit: f64,
    },
    /// A vector has the wrong length or a code is out of range.
    #[error("{what}: expected {expected}, found {found}")]
    Dimension {
        /// What was measured.
        what: &'static str,
        /// Expected value.
        expected: usize,
        /// Found value.
        found: usize,
    },
    /// A pivot was not positive: the point cannot be evaluated.
    #[error("a pivot is not positive")]
    NotPositiveDefinite,
    /// The caller asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// A worker could not be started or the engine broke its own rule.
    #[error("{0}")]
    Internal(String),
}

impl Error {
    /// The class of the error: the word that the R side turns into `ferrite_error_<class>`.
    pub fn class(&self) -> &'static str {
        match self {
            Error::NonFinite { .. } => "nonfinite",
            Error::NotPositiveWeight { .. } => "weights",
            Error::ConstantResponse => "constant_response",
            Error::PerfectFit { .. } => "perfect_fit",
            Error::NoResidualDf { .. } => "no_residual_df",
            Error::Unidentified { .. } => "unidentified",
            Error::RankRandom { .. } => "rank_random",
            Error::TiedTimes { .. } => "tied_times",
            Error::ResidualScale { .. } => "residual_scale",
            Error::Scale { .. } => "scale",
            Error::TooLarge { .. } => "too_large",
            Error::Dimension { .. } => "dimension",
            Error::NotPositiveDefinite => "not_positive_definite",
            Error::Interrupted => "interrupted",
            Error::Internal(_) => "internal",
        }
    }

    /// True for what data can do to a fit, as against a mistake of the caller, a limit of the machine or a wish to stop: one
    /// of many fits that ends so has no estimates, and the others go on.
    pub(crate) fn is_of_the_data(&self) -> bool {
        !matches!(self, Error::Dimension { .. } | Error::Internal(_) | Error::TooLarge { .. } | Error::Interrupted)
    }

    /// The figures of the error by name.
    pub fn data(&self) -> Vec<(&'static str, Value)> {
        let number = |x: usize| Value::Number(x as f64);
        let text = |x: &str| Value::Text(x.to_string());
        match self {
            Error::NonFinite { kind, term, column, row } => {
                vec![("kind", text(kind)), ("term", number(*term)), ("column", number(*column)), ("row", number(*row))]
            }
            Error::NotPositiveWeight { row } => vec![("row", number(*row))],
            Error::PerfectFit { reason, ratio } => vec![("reason", text(reason)), ("ratio", Value::Number(*ratio))],
            Error::NoResidualDf { n, rank } => vec![("n", number(*n)), ("rank", number(*rank))],
            Error::Unidentified { term, column, reason, other, parts } => {
                let mut data = vec![("term", number(*term)), ("column", number(*column)), ("reason", text(reason))];
                let parts = parts.iter().flat_map(|p| [p.term as f64, p.row as f64, p.column as f64]);
                data.push(("parts", Value::Numbers(parts.collect())));
                if *other > 0 {
                    data.push(("other", number(*other)));
                }
                data
            }
            Error::TiedTimes { first, second } => vec![("first", number(*first)), ("second", number(*second))],
            Error::ResidualScale { column, to } => vec![("column", number(*column)), ("to", text(to))],
            Error::Scale { term, column } | Error::RankRandom { term, column } => {
                vec![("term", number(*term)), ("column", number(*column))]
            }
            Error::TooLarge { bytes, limit } => {
                vec![("bytes", Value::Number(*bytes)), ("limit", Value::Number(*limit))]
            }
            Error::Dimension { what, expected, found } => {
                vec![("what", text(what)), ("expected", number(*expected)), ("found", number(*found))]
            }
            _ => Vec::new(),
        }
    }
}

/// The engine's result.
pub type Result<T> = std::result::Result<T, Error>;
