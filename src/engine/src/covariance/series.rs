//! Rows in the order of their series and times.

use crate::design::{Correlation, Serial};
use crate::error::{Error, Result};
use crate::numerics::counting_sort::Sorted;

/// Marks a row without a neighbour, and a class that is none.
pub const NONE: u32 = u32::MAX;

/// Neighbours of every row, and the rows of every series.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// Rows sorted by series and time; series k is `rows[starts[k]..starts[k + 1]]`. Empty for neighbours in time where
    /// the rows of every series stand in the order of time already.
    pub rows: Vec<u32>,
    /// First row of each series; one more entry than there are series. Empty where `rows` is.
    pub starts: Vec<usize>,
    /// Row before each row in its series, or [`NONE`]; empty under compound symmetry.
    pub previous: Vec<u32>,
    /// Last row of each series; empty where `previous` is.
    pub last: Vec<u32>,
    /// Time since the row before, 0 for the first of a series; empty where it is `step` for all others.
    gap: Vec<f64>,
    step: f64,
}

impl Series {
    /// Finds the neighbours of a correlation's rows.
    ///
    /// # Errors
    /// [`Error::TiedTimes`] where two rows of a series have the same time; [`Error::NonFinite`] for a time, or for one of
    /// AR(1) that is not whole.
    pub fn new(c: &Correlation<'_>) -> Result<Series> {
        if c.form == Serial::Cs {
            let Sorted { starts, items: rows } = Sorted::by_code(c.series.levels, c.series.codes);
            return Ok(Series { rows, starts, ..Series::default() });
        }
        if let Some(series) = in_order(c) {
            return Ok(series);
        }
        if let Some(row) = c.time.iter().position(|t| !is_time(c.form, *t)) {
            return Err(Error::NonFinite { kind: "time", term: 0, column: 1, row: row + 1 });
        }
        sorted(c)
    }

    /// Rows of the longest series; 0 for neighbours in time, where it does not matter.
    pub fn longest(&self) -> usize {
        self.starts.windows(2).map(|w| w[1] - w[0]).max().unwrap_or(0)
    }

    /// Calls `f` with the rows of each series, in the order of time.
    pub fn each(&self, mut f: impl FnMut(&[u32])) {
        if !self.starts.is_empty() {
            return self.starts.windows(2).for_each(|w| f(&self.rows[w[0]..w[1]]));
        }
        let mut own = Vec::new();
        for &last in &self.last {
            own.clear();
            let mut at = last;
            while at != NONE {
                own.push(at);
                at = self.previous[at as usize];
            }
            own.reverse();
            f(&own);
        }
    }

    /// Time since the row before; 0 for the first of a series.
    pub fn gap(&self, i: usize) -> f64 {
        match self.gap.get(i) {
            Some(gap) => *gap,
            None if self.previous[i] == NONE => 0.0,
            None => self.step,
        }
    }

    /// The time between all neighbours, if it is the same.
    pub fn common_gap(&self) -> Option<f64> {
        self.gap.is_empty().then_some(self.step)
    }
}

/// True for a time that the form can do with.
fn is_time(form: Serial, time: f64) -> bool {
    time.is_finite() && (form != Serial::Ar1 || time as i64 as f64 == time)
}

/// Neighbours in one pass; `None` where a row stands before another that is earlier, or a time is none.
fn in_order(c: &Correlation<'_>) -> Option<Series> {
    let n = c.series.codes.len();
    let mut last = vec![(NONE, 0.0); c.series.levels];
    let mut previous = Vec::with_capacity(n);
    let (mut gap, mut step) = (Vec::new(), if c.time.is_empty() { 1.0 } else { 0.0 });
    for (i, &k) in c.series.codes.iter().enumerate() {
        let (before, then) = last[k as usize - 1];
        let time = c.time.get(i).copied().unwrap_or(0.0);
        if !is_time(c.form, time) {
            return None;
        }
        last[k as usize - 1] = (i as u32, time);
        let mut own = 0.0;
        if before != NONE && !c.time.is_empty() {
            own = time - then;
            if own <= 0.0 {
                return None;
            }
            if step == 0.0 {
                step = own;
            }
            if own != step && gap.is_empty() {
                gap.reserve_exact(n);
                gap.extend(previous.iter().map(|&j| if j == NONE { 0.0 } else { step }));
            }
        }
        if !gap.is_empty() {
            gap.push(own);
        }
        previous.push(before);
    }
    let last = last.iter().map(|l| l.0).collect();
    Some(Series { previous, last, gap, step, ..Series::default() })
}

/// Neighbours by sorting.
fn sorted(c: &Correlation<'_>) -> Result<Series> {
    let n = c.series.codes.len();
    let Sorted { starts, items: mut rows } = Sorted::by_code(c.series.levels, c.series.codes);
    let (mut previous, mut gap) = (vec![NONE; n], vec![0.0; n]);
    let mut last = Vec::with_capacity(c.series.levels);
    for k in 0..c.series.levels {
        let own = &mut rows[starts[k]..starts[k + 1]];
        own.sort_by(|&a, &b| c.time[a as usize].total_cmp(&c.time[b as usize]));
        for pair in own.windows(2) {
            let (a, b) = (pair[0] as usize, pair[1] as usize);
            gap[b] = c.time[b] - c.time[a];
            previous[b] = pair[0];
            if gap[b] <= 0.0 {
                return Err(Error::TiedTimes { first: a.min(b) + 1, second: a.max(b) + 1 });
            }
        }
        last.push(own[own.len() - 1]);
    }
    Ok(Series { rows, starts, previous, last, gap, step: 0.0 })
}
