//! Watching over a long computation: Ctrl-C from the user, progress to the user.
//!
//! Reads   R's pending interrupt (through C, see `entrypoint.c`) and the engine's (done, total).
//! Writes  nothing but calls of the user's progress function.
//! Used by [`crate::fit`], which polls while a thread of the engine works.
//! Invariant: a `Watch` cannot leave R's thread: it holds an R object and is therefore not `Send`.

use std::os::raw::c_int;
use std::time::{Duration, Instant};

use extendr_api::prelude::*;

/// R is asked at most this often. A probe costs microseconds; a person waits 0.2 s without noticing.
const PAUSE: Duration = Duration::from_millis(100);

extern "C" {
    /// 1 if the user has asked to stop. Consumes the request; R raises it again as a condition.
    fn ferrite_interrupted() -> c_int;
}

/// Asks R whether to go on, and shows how far the work is.
pub struct Watch {
    last: Instant,
    progress: Option<Function>,
    stopped: bool,
}

impl Watch {
    /// `progress` is R's `function(done, total)`, or `None` for silence.
    pub fn new(progress: Option<Function>) -> Self {
        Self { last: Instant::now(), progress, stopped: false }
    }

    /// True once the user has asked to stop.
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// `true` to go on. Once `false`, always `false`.
    ///
    /// Cheap enough for an inner loop: R is reached only when [`PAUSE`] has passed, or to show that the work is done.
    pub fn poll(&mut self, done: usize, total: usize) -> bool {
        let finished = total > 0 && done >= total;
        if self.stopped || (!finished && self.last.elapsed() < PAUSE) {
            return !self.stopped;
        }
        self.last = Instant::now();
        self.stopped = interrupted() || !self.show(done, total);
        !self.stopped
    }

    /// `false` if the progress function did not return. Ctrl-C inside of it is the likely reason, and a progress
    /// function that fails must not be called again in any case.
    fn show(&self, done: usize, total: usize) -> bool {
        match &self.progress {
            Some(function) => function.call(pairlist!(done as f64, total as f64)).is_ok(),
            None => true,
        }
    }
}

fn interrupted() -> bool {
    // SAFETY: called on R's thread (`Watch` is not `Send`). The jump that an interrupt makes stays inside the C
    // function: it starts and ends under its `R_ToplevelExec`, and crosses no Rust frame.
    unsafe { ferrite_interrupted() != 0 }
}
