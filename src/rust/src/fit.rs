//! A fit: the design out of R's lists, and the engine run where R can still be asked whether to go on.
//!
//! Reads   the lists of the seam; columns and codes stay R's memory, borrowed for the call.
//! Writes  nothing. The engine runs on a thread of its own while R's thread polls for Ctrl-C; a small fit, which is over
//!         before a person could press a key, runs on R's thread.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{channel, RecvTimeoutError};
use std::time::Duration;

use extendr_api::prelude::*;
use ferrite_engine::{Column, Criterion, Design, Factor, Fit, FitOptions, Model, Term};

use crate::failure::Failure;
use crate::input;
use crate::watch::Watch;

type Read<T> = std::result::Result<T, Failure>;

/// Values up to which a fit takes less time than starting a thread is worth.
const SMALL: usize = 50_000;

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

/// The options of a fit.
pub fn options(list: &Robj) -> Read<FitOptions> {
    let get = |name: &str| input::field(list, name);
    let start = get("start")?;
    Ok(FitOptions {
        criterion: if input::flag(&get("reml")?, "reml")? { Criterion::Reml } else { Criterion::Ml },
        start: input::optional_doubles(&start, "start")?.map(<[f64]>::to_vec),
        max_evaluations: input::count(&get("max_evaluations")?, "max_evaluations")?,
        tolerance: input::number(&get("tolerance")?, "tolerance")?,
        threads: input::count(&get("threads")?, "threads")?,
        memory: input::number(&get("memory")?, "memory")?,
    })
}

/// Fits, watching for Ctrl-C.
pub fn run(design: &Design<'_>, options: &FitOptions, mut watch: Watch) -> Read<(Fit, Model)> {
    let shared = ferrite_engine::Watch::default();
    let columns = design.x.len() + design.terms.iter().map(|t| t.basis.len()).sum::<usize>();
    if design.n() * columns <= SMALL {
        return Ok(ferrite_engine::fit(design, options, &shared)?);
    }
    std::thread::scope(|scope| {
        let (send, receive) = channel();
        let line = &shared;
        let worker = scope.spawn(move || {
            let result = ferrite_engine::fit(design, options, line);
            // The receiver waits for as long as this thread lives.
            let _ = send.send(());
            result
        });
        while receive.recv_timeout(Duration::from_millis(25)) == Err(RecvTimeoutError::Timeout) {
            if worker.is_finished() {
                break;
            }
            if !watch.poll(shared.evaluations.load(Ordering::Relaxed), options.max_evaluations) {
                shared.stop.store(true, Ordering::Relaxed);
            }
        }
        match worker.join() {
            Ok(result) => Ok(result?),
            Err(payload) => Err(Failure::from_panic(payload)),
        }
    })
}
