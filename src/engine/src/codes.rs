//! Interaction of grouping factors by their codes.

use crate::error::{Error, Result};

/// Codes (from 1) of the combinations that occur, first factor slowest, and the codes of their parents
/// (combinations x factors, by columns).
///
/// # Errors
/// [`Error::Dimension`] if the vectors differ in length or a code is out of range.
pub fn cross(codes: &[&[i32]], levels: &[usize]) -> Result<(Vec<i32>, Vec<i32>)> {
    let n = codes.first().map_or(0, |c| c.len());
    let mut current: Vec<usize> = vec![0; n];
    let mut count = 1;
    let mut parents: Vec<Vec<i32>> = vec![Vec::new()];
    for (code, &j) in codes.iter().zip(levels) {
        if code.len() != n {
            return Err(Error::Dimension { what: "length of the codes", expected: n, found: code.len() });
        }
        let mut key = Vec::with_capacity(n);
        for (c, &k) in current.iter().zip(code.iter()) {
            match usize::try_from(k).ok().filter(|k| (1..=j).contains(k)) {
                Some(k) => key.push(c * j + k - 1),
                None => return Err(Error::Dimension { what: "a code", expected: j, found: k.max(0) as usize }),
            }
        }
        let used = distinct(&key, count * j);
        let position = Positions::new(&used, count * j);
        parents = used
            .iter()
            .map(|k| {
                let mut p = parents[k / j].clone();
                p.push((k % j + 1) as i32);
                p
            })
            .collect();
        current = key.iter().map(|k| position.of(*k)).collect();
        count = used.len();
    }
    let mut flat = vec![0; count * codes.len()];
    for (i, p) in parents.iter().enumerate() {
        for (c, x) in p.iter().enumerate() {
            flat[c * count + i] = *x;
        }
    }
    Ok((current.into_iter().map(|c| c as i32 + 1).collect(), flat))
}

/// Distinct keys, ascending; a table when the range is small, sorting otherwise.
fn distinct(key: &[usize], range: usize) -> Vec<usize> {
    if range <= 8 * key.len() + 1024 {
        let mut seen = vec![false; range];
        key.iter().for_each(|k| seen[*k] = true);
        return (0..range).filter(|k| seen[*k]).collect();
    }
    let mut used = key.to_vec();
    used.sort_unstable();
    used.dedup();
    used
}

enum Positions<'a> {
    Table(Vec<usize>),
    Sorted(&'a [usize]),
}

impl<'a> Positions<'a> {
    fn new(used: &'a [usize], range: usize) -> Self {
        if range <= 16 * used.len() + 1024 {
            let mut table = vec![0; range];
            used.iter().enumerate().for_each(|(i, k)| table[*k] = i);
            Positions::Table(table)
        } else {
            Positions::Sorted(used)
        }
    }

    fn of(&self, key: usize) -> usize {
        match self {
            Positions::Table(t) => t[key],
            Positions::Sorted(s) => s.partition_point(|k| *k < key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn combinations_that_occur_are_numbered_first_factor_slowest() {
        let (a, b) = ([2, 1, 2, 1], [1, 3, 1, 2]);
        let (codes, parents) = cross(&[&a, &b], &[2, 3]).unwrap();
        assert_eq!(codes, vec![3, 2, 3, 1]);
        assert_eq!(parents, vec![1, 1, 2, 2, 3, 1]);
        assert!(cross(&[&a, &[0, 1, 1, 1]], &[2, 3]).is_err());
    }
}
