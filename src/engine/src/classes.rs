//! Rows whose weights are the same function of phi, counted and numbered.

use std::collections::HashMap;

use crate::correlation::Form;
use crate::design::Design;
use crate::series::{Series, NONE};

/// What a row's own weight depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RowKey {
    /// Class of scale.
    pub scale: u32,
    /// Bits of the time since the row before; 0 for none.
    pub before: u64,
    /// Bits of the time to the row after.
    pub after: u64,
}

/// Classes of rows, of neighbours and of series.
#[derive(Debug)]
pub struct Classes {
    /// Values of the scale by class, k each.
    pub scales: Vec<f64>,
    /// Class of scale of each row.
    pub scale_class: Vec<u32>,
    /// Series and neighbours.
    pub series: Series,
    /// Class of each row.
    pub row_class: Vec<u32>,
    /// Keys of the classes of rows.
    pub rows: Vec<RowKey>,
    /// Rows in each.
    pub row_counts: Vec<f64>,
    /// Class of the pair of each row with the one before, or [`NONE`]; empty without such pairs.
    pub pair_class: Vec<u32>,
    /// Classes of scale of both rows, and bits of the time between them.
    pub pairs: Vec<(u32, u32, u64)>,
    /// Pairs in each.
    pub pair_counts: Vec<f64>,
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
    pub fn new(design: &Design<'_>, form: Option<Form>, series: Series) -> Classes {
        let n = design.n();
        let (scale_class, scales) = scale_classes(design);
        let in_time = form.is_some_and(|f| f.is_in_time());
        let mut after = vec![0.0; if in_time { n } else { 0 }];
        for i in 0..after.len() {
            if series.previous[i] != NONE {
                after[series.previous[i] as usize] = series.gap[i];
            }
        }
        let gap = |v: &[f64], i: usize| if in_time { v[i].to_bits() } else { 0 };
        let keys = (0..n).map(|i| RowKey { scale: scale_class[i], before: gap(&series.gap, i), after: gap(&after, i) });
        let (row_class, rows, row_counts) = number(keys);
        let (mut pair_class, mut pairs, mut pair_counts) = (Vec::new(), Vec::new(), Vec::new());
        if in_time {
            let with_pair: Vec<usize> = (0..n).filter(|&i| series.previous[i] != NONE).collect();
            let keys = with_pair.iter().map(|&i| {
                let j = series.previous[i] as usize;
                (scale_class[i], scale_class[j], series.gap[i].to_bits())
            });
            let own;
            (own, pairs, pair_counts) = number(keys);
            pair_class = vec![NONE; n];
            with_pair.iter().zip(own).for_each(|(&i, c)| pair_class[i] = c);
        }
        let (mut block_class, mut blocks, mut block_counts) = (Vec::new(), Vec::new(), Vec::new());
        let mut mixed_blocks = false;
        if form.is_some() && !in_time {
            let members = |w: &[usize]| &series.rows[w[0]..w[1]];
            let scale = |i: u32| scale_class[i as usize];
            let keys = series.starts.windows(2).map(|w| (members(w).first().map_or(0, |&i| scale(i)), w[1] - w[0]));
            (block_class, blocks, block_counts) = number(keys);
            let mixed = |w: &[usize]| members(w).iter().any(|&i| scale(i) != scale(members(w)[0]));
            mixed_blocks = series.starts.windows(2).any(mixed);
        }
        Classes {
            scales,
            scale_class,
            series,
            row_class,
            rows,
            row_counts,
            pair_class,
            pairs,
            pair_counts,
            block_class,
            blocks,
            block_counts,
            mixed_blocks,
        }
    }

    /// Numbers of classes of rows, neighbours and series: R^-1 is a sum of as many fixed matrices.
    pub fn sizes(&self) -> [usize; 3] {
        [self.rows.len(), self.pairs.len(), self.blocks.len()]
    }
}

/// Rows with equal values of the scale: class of each row, values of each class.
fn scale_classes(design: &Design<'_>) -> (Vec<u32>, Vec<f64>) {
    let (n, columns) = (design.n(), &design.residual.scale);
    if columns.is_empty() {
        return (vec![0; n], Vec::new());
    }
    let mut scales = Vec::new();
    let mut seen: HashMap<Vec<u64>, u32> = HashMap::new();
    let mut key = vec![0u64; columns.len()];
    let own = (0..n).map(|i| {
        key.iter_mut().zip(columns).for_each(|(b, c)| *b = c.at(i).to_bits());
        if let Some(class) = seen.get(&key) {
            return *class;
        }
        let next = seen.len() as u32;
        scales.extend(key.iter().map(|b| f64::from_bits(*b)));
        seen.insert(key.clone(), next);
        next
    });
    (own.collect(), scales)
}

/// Numbers distinct keys in the order of their appearance: class of each, keys, counts.
fn number<K: Copy + Eq + std::hash::Hash>(keys: impl Iterator<Item = K>) -> (Vec<u32>, Vec<K>, Vec<f64>) {
    let mut seen: HashMap<K, u32> = HashMap::new();
    let (mut own, mut all, mut counts) = (Vec::new(), Vec::new(), Vec::new());
    let mut last: Option<(K, u32)> = None;
    for key in keys {
        // Neighbouring rows are mostly alike: no need to look them up again.
        let class = match last {
            Some((k, c)) if k == key => c,
            _ => *seen.entry(key).or_insert_with(|| {
                all.push(key);
                counts.push(0.0);
                all.len() as u32 - 1
            }),
        };
        last = Some((key, class));
        counts[class as usize] += 1.0;
        own.push(class);
    }
    (own, all, counts)
}
