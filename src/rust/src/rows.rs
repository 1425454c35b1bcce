//! The design out of R's lists: columns and codes stay R's memory, borrowed for the call.
//!
//! Reads   the lists of the seam. Writes nothing.
//! Failure `internal`: what does not fit is a mistake in R's `engine*.R` files, never the user's.

use extendr_api::prelude::*;
use ferrite_engine::{Column, Correlation, Design, Factor, Part, Pattern, Rows, Serial, Strata, Structured, Term};

use crate::failure::Failure;
use crate::input;

type Read<T> = std::result::Result<T, Failure>;

/// R objects that hold the rows of a design: list(y, x, offset, weights, factors, terms, residual); `residual` is NULL
/// or list(scale = blocks, strata = NULL or list(codes, values), correlation = NULL or list(form, codes, n_levels, time));
/// `values` is a matrix with a row for each stratum, and `time` is NULL where the order of the rows is the time.
pub struct Blocks {
    y: Robj,
    offset: Robj,
    weights: Robj,
    x: Vec<Robj>,
    codes: Vec<(Robj, usize)>,
    terms: Vec<(usize, Vec<Robj>, Option<Structured>)>,
    scale: Vec<Robj>,
    strata: Option<(Robj, Robj)>,
    correlation: Option<(Serial, Robj, usize, Robj)>,
}

impl Blocks {
    /// Takes the list apart.
    pub fn read(design: &Robj) -> Read<Self> {
        let get = |name: &str| input::field(design, name);
        let mut codes = Vec::new();
        for factor in input::elements(&get("factors")?, "factors")? {
            codes.push((
                input::field(&factor, "codes")?,
                input::count(&input::field(&factor, "n_levels")?, "n_levels")?,
            ));
        }
        let mut read = Vec::new();
        for term in input::elements(&get("terms")?, "terms")? {
            let factor = input::count(&input::field(&term, "factor")?, "factor")?;
            let factor = factor.checked_sub(1).ok_or_else(|| Failure::internal("`factor` counts from 1."))?;
            let structured = structured(&input::field(&term, "structure")?)?;
            read.push((factor, input::elements(&input::field(&term, "basis")?, "basis")?, structured));
        }
        let residual = get("residual")?;
        let (mut scale, mut strata, mut correlation) = (Vec::new(), None, None);
        if !residual.is_null() {
            scale = input::elements(&input::field(&residual, "scale")?, "scale")?;
            let given = input::field(&residual, "strata")?;
            if !given.is_null() {
                strata = Some((input::field(&given, "codes")?, input::field(&given, "values")?));
            }
            let given = input::field(&residual, "correlation")?;
            if !given.is_null() {
                let form = match input::words(&input::field(&given, "form")?, "form")?[..] {
                    ["ar1"] => Serial::Ar1,
                    ["car1"] => Serial::Car1,
                    ["cs"] => Serial::Cs,
                    _ => return Err(Failure::internal("`form` is unknown.")),
                };
                let levels = input::count(&input::field(&given, "n_levels")?, "n_levels")?;
                correlation = Some((form, input::field(&given, "codes")?, levels, input::field(&given, "time")?));
            }
        }
        Ok(Self {
            scale,
            strata,
            correlation,
            y: get("y")?,
            offset: get("offset")?,
            weights: get("weights")?,
            x: input::elements(&get("x")?, "x")?,
            codes,
            terms: read,
        })
    }

    /// The design that borrows from them.
    pub fn design(&self) -> Read<Design<'_>> {
        let y = input::doubles(&self.y, "y")?;
        let n = y.len();
        let mut factors = Vec::new();
        for (codes, levels) in &self.codes {
            factors.push(Factor { codes: input::integers(codes, "codes")?, levels: *levels });
        }
        let mut terms = Vec::new();
        for (factor, basis, structured) in &self.terms {
            terms.push(Term { structured: *structured, ..Term::new(*factor, columns(basis, n)?) });
        }
        let mut design = Design::new(y, columns(&self.x, n)?, factors, terms);
        design.offset = input::optional_doubles(&self.offset, "offset")?;
        design.weights = input::optional_doubles(&self.weights, "weights")?;
        design.residual.scale = columns(&self.scale, n)?;
        if let Some((codes, values)) = &self.strata {
            let (codes, levels) = (input::integers(codes, "strata")?, values.nrows());
            design.residual.strata = Some(Strata { codes, values: input::doubles(values, "values")?, levels });
        }
        if let Some((form, codes, levels, time)) = &self.correlation {
            let series = Factor { codes: input::integers(codes, "series")?, levels: *levels };
            let time = input::optional_doubles(time, "time")?.unwrap_or(&[]);
            design.residual.correlation = Some(Correlation { form: *form, series, time });
        }
        Ok(design)
    }
}

/// R objects that hold rows to predict: list(n, x, codes, bases, use); `use` is "known", "none" or "new" for each term.
pub struct NewBlocks {
    n: usize,
    x: Vec<Robj>,
    codes: Vec<Robj>,
    terms: Vec<(Part, Vec<Robj>)>,
}

impl NewBlocks {
    /// Takes the list apart.
    pub fn read(rows: &Robj) -> Read<Self> {
        let get = |name: &str| input::field(rows, name);
        let mut terms = Vec::new();
        let bases = input::elements(&get("bases")?, "bases")?;
        for (part, basis) in input::words(&get("use")?, "use")?.iter().zip(bases) {
            let part = match *part {
                "known" => Part::Known,
                "none" => Part::None,
                "new" => Part::New,
                other => return Err(Failure::internal(format!("`use` has \"{other}\"."))),
            };
            let basis = if part == Part::None { Vec::new() } else { input::elements(&basis, "a basis")? };
            terms.push((part, basis));
        }
        Ok(Self {
            n: input::count(&get("n")?, "n")?,
            x: input::elements(&get("x")?, "x")?,
            codes: input::elements(&get("codes")?, "codes")?,
            terms,
        })
    }

    /// The rows that borrow from them.
    pub fn rows(&self) -> Read<Rows<'_>> {
        let mut codes = Vec::new();
        for own in &self.codes {
            codes.push(if own.is_null() { &[][..] } else { input::integers(own, "codes")? });
        }
        let mut terms = Vec::new();
        for (part, basis) in &self.terms {
            terms.push((*part, columns(basis, self.n)?));
        }
        Ok(Rows { n: self.n, x: columns(&self.x, self.n)?, codes, terms })
    }
}

/// The pattern of a covariance matrix: NULL, or list(kind, hom).
fn structured(given: &Robj) -> Read<Option<Structured>> {
    if given.is_null() {
        return Ok(None);
    }
    let pattern = match input::words(&input::field(given, "kind")?, "kind")?[..] {
        ["diag"] => Pattern::Diagonal,
        ["cs"] => Pattern::CompoundSymmetric,
        ["ar1"] => Pattern::Autoregressive,
        _ => return Err(Failure::internal("`kind` is unknown.")),
    };
    Ok(Some(Structured { pattern, equal: input::flag(&input::field(given, "hom")?, "hom")? }))
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
