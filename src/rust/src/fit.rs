//! A fit, and other work on a problem, run where R can still be asked whether to go on.
//!
//! Reads   a design and options. Writes nothing.
//! Threads A small fit from sums, which is over before a person could press a key, runs on R's thread. Otherwise the engine has
//!         a thread of its own while R's polls for Ctrl-C. The rows are R's memory, so R waits while they are summed; a problem
//!         that needs no row again borrows nothing, and after an interrupt it is left to end by itself after its evaluation.

use std::any::Any;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{channel, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use extendr_api::prelude::*;
use ferrite_engine::{Criterion, Design, Error, Estimates, Fit, FitOptions, Problem};

use crate::failure::Failure;
use crate::input;
use crate::watch::Watch;

pub type Read<T> = std::result::Result<T, Failure>;
type Caught<T> = std::result::Result<ferrite_engine::Result<T>, Box<dyn Any + Send>>;

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

/// A fit with the structure of its model in words.
pub struct Outcome {
    pub fit: Fit,
    pub structure: String,
}

/// Fits, watching for Ctrl-C. `phi` is a start for residuals that are not alike.
pub fn run(design: &Design<'_>, options: &FitOptions, phi: Option<&[f64]>, mut watch: Watch) -> Read<Outcome> {
    let begin = Instant::now();
    let problem = summed(design, options, &mut watch)?;
    let crossprod = begin.elapsed().as_secs_f64();
    let (options, phi, total) = (options.clone(), phi.map(<[f64]>::to_vec), options.max_evaluations);
    let fit = move |problem: &mut Problem<'_>, line: &ferrite_engine::Watch| {
        let mut fit = problem.fit(&options, phi.as_deref(), line)?;
        fit.timing.crossprod = crossprod;
        Ok(Outcome { fit, structure: problem.model().structure().to_string() })
    };
    match problem.detached() {
        Ok(mut own) if is_small(design) => Ok(fit(&mut own, &ferrite_engine::Watch::default())?),
        problem => on_problem(problem, total, watch, fit),
    }
}

/// True if a fit from sums takes less time than starting a thread is worth.
fn is_small(design: &Design<'_>) -> bool {
    let columns = design.x.len() + design.terms.iter().map(|t| t.basis.len()).sum::<usize>();
    design.n() * columns <= SMALL
}

/// The problem of a design, with its rows summed.
pub fn summed<'d>(design: &'d Design<'d>, options: &FitOptions, watch: &mut Watch) -> Read<Problem<'d>> {
    if is_small(design) {
        return Ok(Problem::new(design, options)?);
    }
    let problem = waited(options.max_evaluations, watch, |_| Problem::new(design, options))?;
    if watch.is_stopped() {
        return Err(Error::Interrupted.into());
    }
    Ok(problem)
}

/// Runs `work` on a problem, watching for Ctrl-C: on a thread that owns the problem and for which R does not wait after a
/// stop, or, where the rows are needed again, on one for which it does.
pub fn on_problem<T: Send + 'static>(
    problem: std::result::Result<Problem<'static>, Box<Problem<'_>>>,
    total: usize,
    mut watch: Watch,
    work: impl FnOnce(&mut Problem<'_>, &ferrite_engine::Watch) -> ferrite_engine::Result<T> + Send + 'static,
) -> Read<T> {
    let mut own = match problem {
        Ok(own) => own,
        Err(mut problem) => {
            return waited(total, &mut watch, |line| {
                problem.attend(line);
                work(&mut problem, line)
            })
        }
    };
    let line = ferrite_engine::Watch::default();
    let shared = line.clone();
    let (done, result) = channel();
    std::thread::spawn(move || {
        own.attend(&line);
        // Nobody listens any more after an interrupt.
        done.send(catch_unwind(AssertUnwindSafe(|| work(&mut own, &line)))).is_ok()
    });
    receive(&result, &mut watch, &shared, total)
}

/// Runs `work` on a thread that may borrow R's memory: R's thread waits here until it has ended, also after a stop, and takes
/// what is done by then.
pub fn waited<T: Send>(
    total: usize,
    watch: &mut Watch,
    work: impl FnOnce(&ferrite_engine::Watch) -> ferrite_engine::Result<T> + Send,
) -> Read<T> {
    let line = ferrite_engine::Watch::default();
    std::thread::scope(|scope| {
        let (done, result) = channel();
        let line = &line;
        scope.spawn(move || {
            // Nobody listens any more after a second interrupt.
            done.send(catch_unwind(AssertUnwindSafe(|| work(line)))).is_ok()
        });
        match receive(&result, watch, line, total) {
            Err(failure) if failure.is_interrupt() => receive(&result, &mut Watch::new(None), line, total),
            other => other,
        }
    })
}

/// Where a fit ended: what work after the fit begins from.
pub struct At {
    pub options: FitOptions,
    theta: Robj,
    phi: Robj,
    beta: Robj,
    sigma: f64,
}

impl At {
    /// Reads the options of a fitted model.
    pub fn read(list: &Robj) -> Read<At> {
        Ok(At {
            options: options(list)?,
            theta: input::field(list, "theta")?,
            phi: input::field(list, "phi")?,
            beta: input::field(list, "beta")?,
            sigma: input::number(&input::field(list, "sigma")?, "sigma")?,
        })
    }

    /// Theta in the user's basis.
    pub fn theta(&self) -> Read<&[f64]> {
        input::doubles(&self.theta, "theta")
    }

    /// All estimates.
    pub fn estimates(&self) -> Read<Estimates<'_>> {
        let beta = input::doubles(&self.beta, "beta")?;
        Ok(Estimates { theta: self.theta()?, beta, sigma: self.sigma, phi: self.phi()? })
    }

    /// phi, if there is one.
    pub fn phi(&self) -> Read<&[f64]> {
        Ok(input::optional_doubles(&self.phi, "phi")?.unwrap_or(&[]))
    }
}

/// Waits for a result and asks R from time to time; `interrupted` if the user wants to stop.
fn receive<T>(
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
        let total = match shared.total.load(Ordering::Relaxed) {
            0 => limit,
            known => known,
        };
        if !watch.poll(shared.evaluations.load(Ordering::Relaxed), total) {
            shared.stop.store(true, Ordering::Relaxed);
            return Err(Error::Interrupted.into());
        }
    }
}
