//! Work after a fit (bootstrap, refits, deletions, profiles, inference), run where R can still be asked whether to go on.
//!
//! What is done when the user stops is kept. R waits for a thread that borrows its memory, which ends within the evaluation
//! that it is in; a thread that owns its sums is left to end by itself.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};

use ferrite_engine::{Crossprod, Deletion, Design, Error, Fit, FixedInference, Model, Problem, Profile, Refit, Target};

use crate::fit::{receive, At, Read};
use crate::watch::Watch;

/// The fit that the work begins from.
pub struct Task<'a> {
    pub at: &'a At,
}

impl Task<'_> {
    /// Parametric bootstrap: `draws` replicates from a seed.
    pub fn bootstrap(&self, design: &Design<'_>, (draws, seed): (usize, u64), watch: Watch) -> Read<Vec<Refit>> {
        let options = &self.at.options;
        if !design.is_plain() {
            let from = self.at.estimates()?;
            return watched(draws, watch, |line| {
                ferrite_engine::bootstrap_rows(design, from, options, (draws, seed), line)
            });
        }
        self.run(design, draws, watch, |sums, fit, line| {
            ferrite_engine::bootstrap(sums, fit, options, draws, seed, line)
        })
    }

    /// Fits of other responses, one after the other.
    pub fn refit(&self, design: &Design<'_>, responses: &[f64], watch: Watch) -> Read<Vec<Refit>> {
        let options = &self.at.options;
        if !design.is_plain() {
            let from = self.at.estimates()?;
            return watched(responses.len() / design.n().max(1), watch, |line| {
                ferrite_engine::refit_rows(design, from, options, responses, line)
            });
        }
        self.run(design, responses.len() / design.n().max(1), watch, |sums, fit, line| {
            ferrite_engine::refit_many(design, sums, fit, options, responses, line)
        })
    }

    /// Fits without each of `count` sets of rows.
    pub fn delete(&self, design: &Design<'_>, (sets, count): (&[i32], usize), watch: Watch) -> Read<Vec<Deletion>> {
        let options = &self.at.options;
        if !design.is_plain() {
            let from = self.at.estimates()?;
            return watched(count, watch, |line| {
                ferrite_engine::delete_rows(design, from, options, (sets, count), line)
            });
        }
        self.run(design, count, watch, |sums, fit, line| {
            ferrite_engine::deletions(design, sums, fit, options, (sets, count), line)
        })
    }

    /// Profiles of quantities; `None` for those that were not finished before a stop.
    pub fn profile(
        &self,
        design: &Design<'_>,
        targets: &[Target],
        zetas: &[f64],
        watch: Watch,
    ) -> Read<Vec<Option<Profile>>> {
        let (theta, criterion) = (self.at.theta()?, self.at.options.criterion);
        let total = 2 * targets.len() * zetas.len();
        let found = Arc::new(Mutex::new(Vec::with_capacity(targets.len())));
        let keep =
            |store: &Mutex<Vec<Profile>>, profile| store.lock().unwrap_or_else(PoisonError::into_inner).push(profile);
        let ended = if design.is_plain() {
            let mut model = self.at.model(design)?;
            let (theta, targets, zetas) = (theta.to_vec(), targets.to_vec(), zetas.to_vec());
            let store = Arc::clone(&found);
            detached(total, watch, move |line| {
                model.attend(line);
                for target in targets {
                    keep(&store, model.profile(&theta, criterion, target, &zetas)?);
                }
                Ok(())
            })
        } else {
            let (phi, options) = (self.at.phi()?, &self.at.options);
            watched(total, watch, |line| {
                let mut joint = Problem::new(design, options)?;
                joint.attend(line);
                for target in targets {
                    keep(&found, joint.profile(theta, phi, criterion, *target, zetas)?);
                }
                Ok(())
            })
        };
        let done = std::mem::take(&mut *found.lock().unwrap_or_else(PoisonError::into_inner));
        match ended {
            Err(failure) if !failure.is_interrupt() || done.is_empty() => Err(failure),
            _ => Ok(done.into_iter().map(Some).chain(std::iter::repeat_with(|| None)).take(targets.len()).collect()),
        }
    }

    /// Pieces for tests of fixed effects, and the bytes that Kenward-Roger's would need if they were refused. `known`:
    /// the parameters of the residuals count as known.
    pub fn fixed(&self, design: &Design<'_>, kr: bool, known: bool, watch: Watch) -> Read<(FixedInference, f64)> {
        let (theta, options) = (self.at.theta()?, &self.at.options);
        if !design.is_plain() && !known {
            let phi = self.at.phi()?;
            return watched(0, watch, |line| {
                let mut joint = Problem::new(design, options)?;
                joint.attend(line);
                Ok((joint.fixed_inference(theta, phi, options.criterion, kr)?, 0.0))
            });
        }
        let mut model = self.at.model(design)?;
        let (theta, criterion, memory) = (theta.to_vec(), options.criterion, options.memory);
        detached(0, watch, move |line| {
            model.attend(line);
            match model.fixed_inference(&theta, criterion, memory) {
                Err(Error::TooLarge { bytes, .. }) => {
                    Ok((model.fixed_inference_by_differences(&theta, criterion)?, bytes))
                }
                pieces => Ok((pieces?, 0.0)),
            }
        })
    }

    /// Variance of the errors of predictions, one value a row.
    pub fn prediction_variance(
        &self,
        design: &Design<'_>,
        rows: &ferrite_engine::Rows<'_>,
        watch: Watch,
    ) -> Read<Vec<f64>> {
        let (theta, options) = (self.at.theta()?, &self.at.options);
        let model = Mutex::new(self.at.model(design)?);
        watched(0, watch, |line| {
            let mut model = model.lock().unwrap_or_else(PoisonError::into_inner);
            model.attend(line);
            model.prediction_variance(theta, options.criterion, rows, options.threads)
        })
    }

    /// `work` on the sums of a plain model.
    fn run<T: Send>(
        &self,
        design: &Design<'_>,
        total: usize,
        watch: Watch,
        work: impl Fn(&Crossprod, &Fit, &ferrite_engine::Watch) -> ferrite_engine::Result<T> + Send + Sync,
    ) -> Read<T> {
        let options = &self.at.options;
        let sums = Crossprod::from_design(design, options.threads)?;
        let fit = Problem::from_sums(sums.clone(), options)?.at(self.at.theta()?, &[], options.criterion)?;
        watched(total, watch, |line| work(&sums, &fit, line))
    }
}

/// Runs `work` on a thread of its own, which may borrow R's memory: R's thread waits here until it has ended.
pub fn watched<T: Send>(
    total: usize,
    mut watch: Watch,
    work: impl Fn(&ferrite_engine::Watch) -> ferrite_engine::Result<T> + Send + Sync,
) -> Read<T> {
    let line = ferrite_engine::Watch::default();
    std::thread::scope(|scope| {
        let (done, result) = channel();
        let (work, line) = (&work, &line);
        scope.spawn(move || {
            // Nobody listens any more after a second interrupt.
            done.send(catch_unwind(AssertUnwindSafe(|| work(line)))).is_ok()
        });
        match receive(&result, &mut watch, line, total) {
            Err(failure) if failure.is_interrupt() => receive(&result, &mut Watch::new(None), line, total),
            other => other,
        }
    })
}

/// Runs `work`, which owns all that it reads, on a thread of its own; R does not wait for it after a stop.
fn detached<T: Send + 'static>(
    total: usize,
    mut watch: Watch,
    work: impl FnOnce(&ferrite_engine::Watch) -> ferrite_engine::Result<T> + Send + 'static,
) -> Read<T> {
    let line = ferrite_engine::Watch::default();
    let own = line.clone();
    let (done, result) = channel();
    std::thread::spawn(move || {
        // Nobody listens any more after an interrupt.
        done.send(catch_unwind(AssertUnwindSafe(|| work(&own)))).is_ok()
    });
    receive(&result, &mut watch, &line, total)
}
