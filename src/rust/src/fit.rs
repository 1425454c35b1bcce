//! A fit, run where R can still be asked whether to go on.
//!
//! Reads   a design and options. Writes nothing.
//! Threads A small fit, which is over before a person could press a key, runs on R's thread. Otherwise the engine has a thread
//!         of its own while R's polls for Ctrl-C. The rows are R's memory, so R waits while they are summed; from the
//!         cross-products on nothing is borrowed, and an interrupted fit is left to end by itself after its evaluation.

use std::any::Any;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{channel, Receiver, RecvTimeoutError};
use std::sync::Arc;
use std::time::{Duration, Instant};

use extendr_api::prelude::*;
use ferrite_engine::{Criterion, Crossprod, Design, Error, Fit, FitOptions, Model};

use crate::failure::Failure;
use crate::input;
use crate::watch::Watch;

pub type Read<T> = std::result::Result<T, Failure>;
pub type Caught<T> = std::result::Result<ferrite_engine::Result<T>, Box<dyn Any + Send>>;

/// Values up to which a fit takes less time than starting a thread is worth.
const SMALL: usize = 50_000;
/// How long R's thread sleeps between two looks.
const PAUSE: Duration = Duration::from_millis(25);

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
        ..FitOptions::default()
    })
}

/// Fits, watching for Ctrl-C.
pub fn run(design: &Design<'_>, options: &FitOptions, mut watch: Watch) -> Read<(Fit, Model)> {
    let columns = design.x.len() + design.terms.iter().map(|t| t.basis.len()).sum::<usize>();
    if design.n() * columns <= SMALL {
        return Ok(ferrite_engine::fit(design, options, &Default::default())?);
    }
    let shared = Arc::new(ferrite_engine::Watch::default());
    let begin = Instant::now();
    let sums = std::thread::scope(|scope| {
        let (done, result) = channel();
        scope.spawn(move || {
            let sums = catch_unwind(AssertUnwindSafe(|| Crossprod::from_design(design, options.threads)));
            done.send(sums).is_ok()
        });
        receive(&result, &mut watch, &shared, options.max_evaluations)
    })?;
    let summed = begin.elapsed().as_secs_f64();
    let (done, result) = channel();
    let (line, options) = (Arc::clone(&shared), options.clone());
    let limit = options.max_evaluations;
    std::thread::spawn(move || {
        let fitted = catch_unwind(AssertUnwindSafe(|| {
            let mut model = Model::new(sums, &options)?;
            let mut fit = model.fit(&options, &line)?;
            fit.timing.crossprod = summed;
            Ok((fit, model))
        }));
        // Nobody listens any more after an interrupt.
        done.send(fitted).is_ok()
    });
    receive(&result, &mut watch, &shared, limit)
}

/// The model of a design, for work after the fit.
pub fn model(design: &Design<'_>, options: &FitOptions) -> Read<Model> {
    Ok(Model::new(Crossprod::from_design(design, options.threads)?, options)?)
}

/// Waits for a result and asks R from time to time; `interrupted` if the user wants to stop.
pub fn receive<T>(
    result: &Receiver<Caught<T>>,
    watch: &mut Watch,
    shared: &ferrite_engine::Watch,
    limit: usize,
) -> Read<T> {
    loop {
        match result.recv_timeout(PAUSE) {
            Ok(Ok(value)) => return Ok(value?),
            Ok(Err(payload)) => return Err(Failure::from_panic(payload)),
            Err(RecvTimeoutError::Disconnected) => return Err(Failure::internal("The engine's thread was lost.")),
            Err(RecvTimeoutError::Timeout) => {}
        }
        if !watch.poll(shared.evaluations.load(Ordering::Relaxed), limit) {
            shared.stop.store(true, Ordering::Relaxed);
            return Err(Error::Interrupted.into());
        }
    }
}
