//! Rows in the order of their series and times.

use crate::design::{Correlation, Serial};
use crate::error::{Error, Result};

/// Marks a row without a neighbour, and a class that is none.
pub const NONE: u32 = u32::MAX;

/// Neighbours of every row, and the rows of every series.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// Rows sorted by series and time; series k is `rows[starts[k]..starts[k + 1]]`.
    pub rows: Vec<u32>,
    /// First row of each series; one more entry than there are series.
    pub starts: Vec<usize>,
    /// Row before each row in its series, or [`NONE`].
    pub previous: Vec<u32>,
    /// Time since the row before; 0 for the first of a series.
    pub gap: Vec<f64>,
}

impl Series {
    /// Sorts the rows of a correlation.
    ///
    /// # Errors
    /// [`Error::TiedTimes`] where two rows of a series have the same time; [`Error::NonFinite`] for a time.
    pub fn new(c: &Correlation<'_>) -> Result<Series> {
        let n = c.series.codes.len();
        let mut starts = vec![0usize; c.series.levels + 1];
        c.series.codes.iter().for_each(|&k| starts[k as usize] += 1);
        for k in 0..c.series.levels {
            starts[k + 1] += starts[k];
        }
        let mut next = starts.clone();
        let mut rows = vec![0u32; n];
        for (i, &k) in c.series.codes.iter().enumerate() {
            let place = &mut next[k as usize - 1];
            rows[*place] = i as u32;
            *place += 1;
        }
        let (mut previous, mut gap) = (Vec::new(), Vec::new());
        if c.form != Serial::Cs {
            if let Some(row) = c.time.iter().position(|t| !t.is_finite()) {
                return Err(Error::NonFinite { kind: "time", term: 0, column: 1, row: row + 1 });
            }
            (previous, gap) = (vec![NONE; n], vec![0.0; n]);
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
            }
        }
        Ok(Series { rows, starts, previous, gap })
    }

    /// Rows of the longest series.
    pub fn longest(&self) -> usize {
        self.starts.windows(2).map(|w| w[1] - w[0]).max().unwrap_or(0)
    }
}
