//! Many fits after a fit (bootstrap, refits, deletions), run where R can still be asked whether to go on.
//!
//! What is done when the user stops is kept: the engine's threads end after the fits they are in.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::mpsc::channel;

use ferrite_engine::{Crossprod, Deletion, Design, Fit, Model, Replicate};

use crate::fit::{receive, At, Read};
use crate::watch::Watch;

/// The fit that the work begins from.
pub struct Task<'a> {
    pub at: &'a At,
}

impl Task<'_> {
    /// Parametric bootstrap: `draws` replicates from a seed.
    pub fn bootstrap(
        &self,
        design: &Design<'_>,
        (draws, seed): (usize, u64),
        watch: Watch,
    ) -> Read<Vec<Option<Replicate>>> {
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
    pub fn refit(&self, design: &Design<'_>, responses: &[f64], watch: Watch) -> Read<Vec<Option<Replicate>>> {
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
        let fit = Model::new(sums.clone(), options)?.at(self.at.theta()?, options.criterion)?;
        watched(total, watch, |line| work(&sums, &fit, line))
    }
}

/// Runs `work` on a thread of its own, which may borrow R's memory: R's thread waits here until it has ended.
fn watched<T: Send>(
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
