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
use std::time::{Duration, Instant};

use extendr_api::prelude::*;
use ferrite_engine::{Criterion, Crossprod, Design, Error, Estimates, Fit, FitOptions, Model, Problem};

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

/// A fit with the structure of its model in words.
pub struct Outcome {
    pub fit: Fit,
    pub structure: String,
}

impl Outcome {
    fn plain((fit, model): (Fit, Model)) -> Self {
        Self { fit, structure: model.structure().to_string() }
    }
}

/// Fits residuals that are not alike, or covariance matrices with a pattern: the rows may be summed again and again, so R waits while the engine works.
fn run_joint(design: &Design<'_>, options: &FitOptions, phi: Option<&[f64]>, watch: &mut Watch) -> Read<Outcome> {
    let line = ferrite_engine::Watch::default();
    std::thread::scope(|scope| {
        let (done, result) = channel();
        let line = &line;
        scope.spawn(move || {
            let fitted = catch_unwind(AssertUnwindSafe(|| {
                let begin = Instant::now();
                let mut problem = Problem::new(design, options)?;
                problem.attend(line);
                let summed = begin.elapsed().as_secs_f64();
                let mut fit = problem.fit(options, phi, line)?;
                fit.timing.crossprod = summed;
                Ok(Outcome { fit, structure: problem.model().structure().to_string() })
            }));
            done.send(fitted).is_ok()
        });
        receive(&result, watch, line, options.max_evaluations)
    })
}

/// Fits, watching for Ctrl-C. `phi` is a start for residuals that are not alike.
pub fn run(design: &Design<'_>, options: &FitOptions, phi: Option<&[f64]>, mut watch: Watch) -> Read<Outcome> {
    if !design.is_plain() {
        return run_joint(design, options, phi, &mut watch);
    }
    let columns = design.x.len() + design.terms.iter().map(|t| t.basis.len()).sum::<usize>();
    if design.n() * columns <= SMALL {
        return Ok(Outcome::plain(ferrite_engine::fit(design, options, &Default::default())?));
    }
    let shared = ferrite_engine::Watch::default();
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
    let (line, options) = (shared.clone(), options.clone());
    let limit = options.max_evaluations;
    std::thread::spawn(move || {
        let fitted = catch_unwind(AssertUnwindSafe(|| {
            let mut problem = Problem::from_sums(sums, &options)?;
            let mut fit = problem.fit(&options, None, &line)?;
            fit.timing.crossprod = summed;
            Ok((fit, problem.into_model(&[])))
        }));
        // Nobody listens any more after an interrupt.
        done.send(fitted).is_ok()
    });
    receive(&result, &mut watch, &shared, limit).map(Outcome::plain)
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

    /// All estimates that work from the rows begins from.
    pub fn estimates(&self) -> Read<Estimates<'_>> {
        let beta = input::doubles(&self.beta, "beta")?;
        Ok(Estimates { theta: self.theta()?, beta, sigma: self.sigma, phi: self.phi()? })
    }

    /// The model of a design at the phi of the fit.
    pub fn model(&self, design: &Design<'_>) -> Read<Model> {
        if design.residual.is_empty() {
            return Ok(Model::new(Crossprod::from_design(design, self.options.threads)?, &self.options)?);
        }
        Ok(Problem::new(design, &self.options)?.into_model(self.phi()?))
    }

    /// phi, if there is one.
    pub fn phi(&self) -> Read<&[f64]> {
        Ok(input::optional_doubles(&self.phi, "phi")?.unwrap_or(&[]))
    }
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
