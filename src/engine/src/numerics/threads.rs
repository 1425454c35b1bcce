//! A pool of threads of one call. Never the global pool: a process that forks after using it would hang.
//!
//! Work is cut into pieces by its size alone and pieces are combined in order, so that results do not depend on
//! the number of threads.

use crate::error::{Error, Result};
use rayon::prelude::*;
use std::sync::{Mutex, PoisonError};

/// Threads for one call; with one thread everything runs on the caller's.
pub struct Workers {
    pool: Option<rayon::ThreadPool>,
}

impl Workers {
    /// A pool of `threads` threads (0 and 1: none).
    pub fn new(threads: usize) -> Result<Self> {
        if threads <= 1 {
            return Ok(Workers { pool: None });
        }
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .map_err(|e| Error::Internal(format!("threads could not be started: {e}")))?;
        Ok(Workers { pool: Some(pool) })
    }

    /// Number of threads.
    pub fn count(&self) -> usize {
        self.pool.as_ref().map_or(1, rayon::ThreadPool::current_num_threads)
    }

    /// `f(0), f(1), ..., f(pieces - 1)`, in order.
    pub fn map<T: Send>(&self, pieces: usize, f: impl Fn(usize) -> T + Sync) -> Vec<T> {
        match &self.pool {
            Some(pool) if pieces > 1 => {
                let done: Vec<Mutex<Option<T>>> = (0..pieces).map(|_| Mutex::new(None)).collect();
                let one = |i: usize| {
                    let value = f(i);
                    *done[i].lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
                };
                install(pool, &mut || (0..pieces).into_par_iter().for_each(&one as &(dyn Fn(usize) + Sync)));
                let found = done.into_iter().map(|piece| piece.into_inner().unwrap_or_else(PoisonError::into_inner));
                found
                    .map(|value| value.unwrap_or_else(|| unreachable!("a piece ends with a value or a panic")))
                    .collect()
            }
            _ => (0..pieces).map(f).collect(),
        }
    }

    /// `f` of every part, in order.
    pub fn map_each<P: Send, T: Send>(&self, parts: Vec<P>, f: impl Fn(P) -> T + Sync) -> Vec<T> {
        match &self.pool {
            Some(pool) if parts.len() > 1 => pool.install(|| parts.into_par_iter().map(&f).collect()),
            _ => parts.into_iter().map(f).collect(),
        }
    }

    /// `f(0) + f(1) + ...`, added in order; there are never more pieces at a time than threads, beside the sum.
    pub fn sum<T: Send>(
        &self,
        pieces: usize,
        f: impl Fn(usize) -> T + Sync,
        mut add: impl FnMut(&mut T, T),
    ) -> Option<T> {
        let mut total = None;
        for first in (0..pieces).step_by(self.count()) {
            for part in self.map(self.count().min(pieces - first), |k| f(first + k)) {
                match &mut total {
                    None => total = Some(part),
                    Some(total) => add(total, part),
                }
            }
        }
        total
    }

    /// Runs `f` where nested parallel calls find this pool.
    pub fn run<T: Send>(&self, f: impl FnOnce() -> T + Send) -> T {
        match &self.pool {
            Some(pool) => {
                let (mut f, mut value) = (Some(f), None);
                install(pool, &mut || value = f.take().map(|f| f()));
                value.unwrap_or_else(|| unreachable!("the pool runs what it is given"))
            }
            None => f(),
        }
    }
}

/// One copy of rayon's machinery for all work: it is large, and compiled anew for each type that passes through it.
fn install(pool: &rayon::ThreadPool, work: &mut (dyn FnMut() + Send)) {
    pool.install(work);
}
