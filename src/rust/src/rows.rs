//! The design out of R's lists: columns and codes stay R's memory, borrowed for the call.
//!
//! Reads   the lists of the seam. Writes nothing.
//! Failure `internal`: what does not fit is a mistake in `R/engine.R`, never the user's.

use extendr_api::prelude::*;
use ferrite_engine::{Column, Design, Factor, Term};

use crate::failure::Failure;
use crate::input;

type Read<T> = std::result::Result<T, Failure>;

/// R objects that hold the columns and codes of a design.
pub struct Blocks {
    x: Vec<Robj>,
    codes: Vec<(Robj, usize)>,
    terms: Vec<(usize, Vec<Robj>)>,
}

impl Blocks {
    /// Takes the lists apart.
    pub fn read(x: &Robj, factors: &Robj, terms: &Robj) -> Read<Self> {
        let mut codes = Vec::new();
        for factor in input::elements(factors, "factors")? {
            codes.push((
                input::field(&factor, "codes")?,
                input::count(&input::field(&factor, "n_levels")?, "n_levels")?,
            ));
        }
        let mut read = Vec::new();
        for term in input::elements(terms, "terms")? {
            let factor = input::count(&input::field(&term, "factor")?, "factor")?;
            let factor = factor.checked_sub(1).ok_or_else(|| Failure::internal("`factor` counts from 1."))?;
            read.push((factor, input::elements(&input::field(&term, "basis")?, "basis")?));
        }
        Ok(Self { x: input::elements(x, "x")?, codes, terms: read })
    }

    /// The design that borrows from them.
    pub fn design<'a>(&'a self, y: &'a Robj, offset: &'a Robj, weights: &'a Robj) -> Read<Design<'a>> {
        let y = input::doubles(y, "y")?;
        let n = y.len();
        let mut factors = Vec::new();
        for (codes, levels) in &self.codes {
            factors.push(Factor { codes: input::integers(codes, "codes")?, levels: *levels });
        }
        let mut terms = Vec::new();
        for (factor, basis) in &self.terms {
            terms.push(Term { factor: *factor, basis: columns(basis, n)? });
        }
        let mut design = Design::new(y, columns(&self.x, n)?, factors, terms);
        design.offset = input::optional_doubles(offset, "offset")?;
        design.weights = input::optional_doubles(weights, "weights")?;
        Ok(design)
    }
}

/// Columns of blocks: a scalar is the constant, a vector one column, a matrix its columns.
fn columns<'a>(blocks: &'a [Robj], n: usize) -> Read<Vec<Column<'a>>> {
    let mut out = Vec::new();
    for block in blocks {
        let values = input::doubles(block, "a block of columns")?;
        match values.len() {
            1 if n != 1 => out.push(Column::Constant),
            length if n > 0 && length % n == 0 => out.extend(values.chunks_exact(n).map(Column::Values)),
            length => return Err(Failure::internal(format!("A block of {length} values for {n} rows."))),
        }
    }
    Ok(out)
}
