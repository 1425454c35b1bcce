//! Rows whose weights are the same function of phi, counted and numbered.

use std::collections::HashMap;
use std::hash::Hash;

use crate::covariance::correlation::Form;
use crate::covariance::series::{Series, NONE};
use crate::design::{Column, Design, Strata};
use crate::numerics::sums;
use crate::numerics::threads::Workers;

/// Classes of scale that are told apart; with more of them every row is a class of its own.
const MANY: usize = 64;
/// Classes that are found by looking through all of them, and the rows in which they must first occur.
const NEAR: usize = 8;
const AHEAD: usize = 4096;

/// Neighbours with the same scales and the same time between them.
#[derive(Clone, Copy, Debug)]
pub struct PairKey {
    /// Class of scale of the later row.
    pub scale: u32,
    /// That of the earlier one.
    pub before: u32,
    /// Time between them.
    pub gap: f64,
    /// Classes of sides of both: what a neighbour adds to a row's own weight.
    pub sides: [usize; 2],
}

/// Classes of rows, of neighbours and of series.
#[derive(Debug)]
pub struct Classes {
    /// Values of the scale by class, k each.
    pub scales: Vec<f64>,
    /// Class of scale of each row, which is the class of its own weight; empty if all rows are alike or all differ.
    scale_class: Vec<u8>,
    /// True if every row is a class of scale of its own.
    pub each: bool,
    /// Rows in each class; empty where each row is one.
    pub row_counts: Vec<f64>,
    /// Series and neighbours.
    pub series: Series,
    /// Class of the pair of each row with the one before; empty if there is one class only.
    pair_class: Vec<u32>,
    /// Classes of pairs; where each row has its own scale they are told apart by the time between them alone.
    pub pairs: Vec<PairKey>,
    /// Pairs in each.
    pub pair_counts: Vec<f64>,
    /// Class of scale and time to a neighbour: sides of rows.
    pub sides: Vec<(u32, f64)>,
    /// Class of each series under compound symmetry; empty otherwise.
    pub block_class: Vec<u32>,
    /// Class of scale and number of rows.
    pub blocks: Vec<(u32, usize)>,
    /// Series in each.
    pub block_counts: Vec<f64>,
    /// True if a series of compound symmetry has rows of different scale: its sum is weighted row by row.
    pub mixed_blocks: bool,
}

impl Classes {
    /// Sorts the rows of a design.
    pub fn new(design: &Design<'_>, form: Option<Form>, series: Series, workers: &Workers) -> Classes {
        let mut out = Classes { series, ..Classes::alike(design.n()) };
        out.sort_scales(design, workers);
        match form {
            Some(f) if f.is_in_time() => out.sort_pairs(),
            Some(_) => out.sort_blocks(),
            None => {}
        }
        out
    }

    /// `n` rows that are alike.
    pub fn alike(n: usize) -> Classes {
        Classes {
            scales: Vec::new(),
            scale_class: Vec::new(),
            each: false,
            row_counts: vec![n as f64],
            series: Series::default(),
            pair_class: Vec::new(),
            pairs: Vec::new(),
            pair_counts: Vec::new(),
            sides: Vec::new(),
            block_class: Vec::new(),
            blocks: Vec::new(),
            block_counts: Vec::new(),
            mixed_blocks: false,
        }
    }

    /// Class of scale of row `i`.
    pub fn scale(&self, i: usize) -> usize {
        match self.scale_class.get(i) {
            Some(class) => *class as usize,
            None if self.each => i,
            None => 0,
        }
    }

    /// Class of the pair of row `i` with the one before it, which it must have.
    pub fn pair(&self, i: usize) -> usize {
        self.pair_class.get(i).map_or(0, |c| *c as usize)
    }

    /// Number of fixed matrices that R^-1 is a sum of: by rows, sides, neighbours and series.
    pub fn sizes(&self) -> [usize; 4] {
        let rows = if self.each { self.scales.len() } else { self.row_counts.len() };
        [rows, self.sides.len(), self.pairs.len(), self.blocks.len()]
    }

    fn sort_scales(&mut self, design: &Design<'_>, workers: &Workers) {
        if let Some(strata) = &design.residual.strata {
            return self.take_strata(strata, workers);
        }
        let (n, columns) = (design.n(), &design.residual.scale);
        if columns.is_empty() {
            return;
        }
        let found = match columns[..] {
            [Column::Values(a)] => numbered(n, workers, |i| a[i].to_bits()),
            [Column::Values(a), Column::Values(b)] => numbered(n, workers, |i| [a[i].to_bits(), b[i].to_bits()]),
            [Column::Values(a), Column::Values(b), Column::Values(c)] => {
                numbered(n, workers, |i| [a[i].to_bits(), b[i].to_bits(), c[i].to_bits()])
            }
            _ => by_hash(n, |i| columns.iter().map(|c| c.at(i).to_bits()).collect::<Vec<_>>()),
        };
        match found {
            Some((own, first, counts)) => {
                (self.scale_class, self.row_counts) = (own, counts);
                self.scales = first.iter().flat_map(|&i| columns.iter().map(move |c| c.at(i))).collect();
            }
            None => {
                (self.each, self.row_counts) = (true, Vec::new());
                self.scales = (0..n).flat_map(|i| columns.iter().map(move |c| c.at(i))).collect();
            }
        }
    }

    fn take_strata(&mut self, s: &Strata<'_>, workers: &Workers) {
        let (n, k) = (s.codes.len(), s.values.len() / s.levels);
        let values = |level: usize| (0..k).map(move |c| s.values[c * s.levels + level]);
        if s.levels > MANY {
            (self.each, self.row_counts) = (true, Vec::new());
            self.scales = s.codes.iter().flat_map(|c| values(*c as usize - 1)).collect();
            return;
        }
        let parts = workers.map(sums::chunks(n), |c| {
            let mut counts = vec![0u32; s.levels];
            let own = s.codes[sums::chunk(c, n)].iter().map(|c| {
                counts[*c as usize - 1] += 1;
                *c as u8 - 1
            });
            (own.collect::<Vec<u8>>(), counts)
        });
        self.row_counts = vec![0.0; s.levels];
        self.scale_class.reserve_exact(n);
        for (part, numbers) in &parts {
            self.scale_class.extend_from_slice(part);
            self.row_counts.iter_mut().zip(numbers).for_each(|(c, n)| *c += f64::from(*n));
        }
        self.scales = (0..s.levels).flat_map(values).collect();
    }

    fn sort_pairs(&mut self) {
        let common = self.series.common_gap();
        let alike = self.each || self.row_counts.len() == 1;
        let n = self.series.previous.len();
        let mut found: HashMap<(u32, u32, u64), u32> = HashMap::new();
        let mut side: HashMap<(u32, u64), usize> = HashMap::new();
        if let (true, Some(gap)) = (alike, common) {
            let pairs = self.series.previous.iter().filter(|j| **j != NONE).count();
            if pairs > 0 {
                self.pairs.push(PairKey { scale: 0, before: 0, gap, sides: [0, 0] });
                self.pair_counts.push(pairs as f64);
                self.sides.push((0, gap));
            }
            return;
        }
        let mut own = vec![NONE; n];
        let mut last = None;
        // With one gap the two scales are the key.
        let mut table = vec![NONE; if common.is_some() { MANY * MANY } else { 0 }];
        for (i, own) in own.iter_mut().enumerate() {
            let j = self.series.previous[i];
            if j == NONE {
                continue;
            }
            let gap = self.series.gap(i);
            let scale = |i: usize| if alike { 0 } else { u32::from(self.scale_class[i]) };
            let key = (scale(i), scale(j as usize), gap.to_bits());
            let place = key.0 as usize * MANY + key.1 as usize;
            // Neighbours are mostly alike: no need to look them up again.
            let class = match last {
                Some((k, c)) if k == key => c,
                _ if table.get(place).is_some_and(|c| *c != NONE) => table[place],
                _ => *found.entry(key).or_insert_with(|| {
                    let mut place = |scale: u32| {
                        let next = self.sides.len();
                        *side.entry((scale, key.2)).or_insert_with(|| {
                            self.sides.push((scale, gap));
                            next
                        })
                    };
                    let sides = [place(key.0), place(key.1)];
                    self.pairs.push(PairKey { scale: key.0, before: key.1, gap, sides });
                    self.pair_counts.push(0.0);
                    self.pairs.len() as u32 - 1
                }),
            };
            if let Some(known) = table.get_mut(place) {
                *known = class;
            }
            last = Some((key, class));
            self.pair_counts[class as usize] += 1.0;
            *own = class;
        }
        self.pair_class = own;
    }

    fn sort_blocks(&mut self) {
        let mut found: HashMap<(u32, usize), u32> = HashMap::new();
        for w in self.series.starts.windows(2) {
            let members = &self.series.rows[w[0]..w[1]];
            let first = members.first().map_or(0, |&i| self.scale(i as usize));
            self.mixed_blocks |= members.iter().any(|&i| self.scale(i as usize) != first);
            let key = (if self.each { 0 } else { first as u32 }, members.len());
            let class = *found.entry(key).or_insert_with(|| {
                self.blocks.push(key);
                self.block_counts.push(0.0);
                self.blocks.len() as u32 - 1
            });
            self.block_counts[class as usize] += 1.0;
            self.block_class.push(class);
        }
        self.mixed_blocks |= self.each;
    }
}

/// Class of each row, first row of each class, and rows in each.
type Numbered = (Vec<u8>, Vec<usize>, Vec<f64>);

/// Numbers the distinct keys of `n` rows in the order of their appearance; `None` where there are [`MANY`].
fn numbered<K: Clone + Eq + Hash + Send + Sync>(
    n: usize,
    workers: &Workers,
    key: impl Fn(usize) -> K + Sync,
) -> Option<Numbered> {
    // A few keys are looked through, all of them, which is quicker than hashing or stopping at the right one.
    let mut near: Vec<K> = Vec::new();
    let mut first = Vec::new();
    for i in 0..n.min(AHEAD) {
        let own = key(i);
        if !near.contains(&own) {
            near.push(own);
            first.push(i);
        }
        if near.len() > NEAR {
            return by_hash(n, key);
        }
    }
    let parts = workers.map(sums::chunks(n), |c| {
        let mut counts = [0u32; NEAR + 1];
        let own = sums::chunk(c, n).map(|i| {
            let (mut class, own) = (NEAR, key(i));
            near.iter().enumerate().for_each(|(c, k)| class = if *k == own { c } else { class });
            counts[class] += 1;
            class as u8
        });
        (own.collect::<Vec<u8>>(), counts)
    });
    if parts.iter().any(|(_, counts)| counts[NEAR] > 0) {
        return by_hash(n, key);
    }
    let mut own = Vec::with_capacity(n);
    let mut counts = vec![0.0; near.len()];
    for (part, numbers) in &parts {
        own.extend_from_slice(part);
        counts.iter_mut().zip(numbers).for_each(|(c, n)| *c += f64::from(*n));
    }
    Some((own, first, counts))
}

/// The same for any number of keys.
fn by_hash<K: Clone + Eq + Hash>(n: usize, key: impl Fn(usize) -> K) -> Option<Numbered> {
    let mut seen: HashMap<K, u8> = HashMap::new();
    let (mut own, mut first, mut counts) = (Vec::with_capacity(n), Vec::new(), Vec::new());
    for i in 0..n {
        let class = *seen.entry(key(i)).or_insert_with(|| {
            first.push(i);
            counts.push(0.0);
            first.len() as u8 - 1
        });
        if first.len() > MANY {
            return None;
        }
        counts[class as usize] += 1.0;
        own.push(class);
    }
    Some((own, first, counts))
}
