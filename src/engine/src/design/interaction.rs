//! Interaction of grouping factors by their codes.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::error::{Error, Result};

/// No code, no place.
const NONE: u32 = u32::MAX;

/// Codes (from 1) of the combinations that occur, first factor slowest, and the codes of their parents
/// (combinations x factors, by columns).
///
/// # Errors
/// [`Error::Dimension`] if the vectors differ in length or a code is out of range.
pub fn cross(codes: &[&[i32]], levels: &[usize]) -> Result<(Vec<i32>, Vec<i32>)> {
    let n = codes.first().map_or(0, |c| c.len());
    for (code, &j) in codes.iter().zip(levels) {
        if code.len() != n {
            return Err(Error::Dimension { what: "length of the codes", expected: n, found: code.len() });
        }
        if let Some(&bad) = code.iter().find(|&&k| usize::try_from(k).ok().is_none_or(|k| k < 1 || k > j)) {
            return Err(Error::Dimension { what: "a code", expected: j, found: bad.max(0) as usize });
        }
    }
    let mut current: Vec<u32> = vec![0; n];
    let mut parents: Vec<Vec<i32>> = vec![Vec::new()];
    for (code, &j) in codes.iter().zip(levels) {
        let (next, pairs) = join(&current, parents.len(), code, j);
        parents = pairs.iter().map(|&(c, k)| [&parents[c as usize][..], &[k as i32 + 1]].concat()).collect();
        current = next;
    }
    let count = parents.len();
    let mut flat = vec![0; count * codes.len()];
    for (i, p) in parents.iter().enumerate() {
        for (c, x) in p.iter().enumerate() {
            flat[c * count + i] = *x;
        }
    }
    Ok((current.into_iter().map(|c| c as i32 + 1).collect(), flat))
}

/// Combinations of `current` (from 0, of `count`) and `code` (from 1, of `j`): the number of each row's among those
/// that occur, and these, ascending.
fn join(current: &[u32], count: usize, code: &[i32], j: usize) -> (Vec<u32>, Vec<(u32, u32)>) {
    if let Some(parent) = parents_of(current, code, j) {
        let mut pairs: Vec<(u32, u32)> =
            parent.iter().zip(0..).filter(|(c, _)| **c != NONE).map(|(&c, k)| (c, k)).collect();
        pairs.sort_unstable();
        let mut place = parent;
        pairs.iter().zip(0..).for_each(|(pair, i)| place[pair.1 as usize] = i);
        return (code.iter().map(|&k| place[k as usize - 1]).collect(), pairs);
    }
    let range = count * j;
    let keys = current.iter().zip(code).map(|(&c, &k)| c as usize * j + k as usize - 1);
    if range <= 8 * code.len() + 1024 {
        let mut place = vec![NONE; range];
        keys.clone().for_each(|k| place[k] = 0);
        let mut pairs = Vec::new();
        for (k, p) in place.iter_mut().enumerate().filter(|(_, p)| **p != NONE) {
            *p = pairs.len() as u32;
            pairs.push(((k / j) as u32, (k % j) as u32));
        }
        return (keys.map(|k| place[k]).collect(), pairs);
    }
    let (mut own, all) = numbered(keys, code.len());
    let mut order: Vec<u32> = (0..all.len() as u32).collect();
    order.sort_unstable_by_key(|&i| all[i as usize]);
    let mut place = vec![0; all.len()];
    order.iter().zip(0..).for_each(|(&i, rank)| place[i as usize] = rank);
    own.iter_mut().for_each(|c| *c = place[*c as usize]);
    let pair = |&i: &u32| ((all[i as usize] / j) as u32, (all[i as usize] % j) as u32);
    (own, order.iter().map(pair).collect())
}

/// The one `current` that each code goes with, if it is one: nested factors, the usual case.
fn parents_of(current: &[u32], code: &[i32], j: usize) -> Option<Vec<u32>> {
    let mut parent = vec![NONE; j];
    for (&c, &k) in current.iter().zip(code) {
        let p = &mut parent[k as usize - 1];
        if *p != c {
            if *p != NONE {
                return None;
            }
            *p = c;
        }
    }
    Some(parent)
}

/// Numbers keys in the order of their appearance: number of each of the `n`, and the distinct keys.
fn numbered(keys: impl Iterator<Item = usize>, n: usize) -> (Vec<u32>, Vec<usize>) {
    let mut places: HashMap<usize, u32, BuildHasherDefault<Multiplied>> = HashMap::default();
    let mut all: Vec<usize> = Vec::new();
    let mut own = Vec::with_capacity(n);
    own.extend(keys.map(|key| {
        *places.entry(key).or_insert_with(|| {
            all.push(key);
            all.len() as u32 - 1
        })
    }));
    (own, all)
}

/// Hash of a whole number: its product with 2^64 over the golden ratio, the high bits of which are as good as random. No
/// caller chooses keys to collide, which the standard hash guards against at several times the cost.
#[derive(Default)]
struct Multiplied(u64);

impl Hasher for Multiplied {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|b| self.write_usize(self.0 as usize ^ usize::from(*b)));
    }

    fn write_usize(&mut self, key: usize) {
        let product = (key as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = product ^ (product >> 32);
    }

    fn finish(&self) -> u64 {
        self.0
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

    #[test]
    fn nested_tabled_and_hashed_codes_agree_with_sorting() {
        let mut rng = crate::numerics::random::Stream::new(7, 0);
        for (n, sizes) in [(400, [5usize, 7]), (400, [4000, 9000]), (60, [60, 60])] {
            let draw = |rng: &mut crate::numerics::random::Stream, j: usize| 1 + (rng.uniform() * j as f64) as i32;
            let a: Vec<i32> = (0..n).map(|_| draw(&mut rng, sizes[0])).collect();
            let b: Vec<i32> = (0..n).map(|_| draw(&mut rng, sizes[1])).collect();
            let inner: Vec<i32> = a.iter().zip(&b).map(|(a, b)| a + sizes[0] as i32 * (b % 2)).collect();
            for (b, j) in [(&b, sizes[1]), (&inner, 2 * sizes[0])] {
                let (codes, parents) = cross(&[&a, b], &[sizes[0], j]).unwrap();
                let mut pairs: Vec<(i32, i32)> = a.iter().zip(b).map(|(a, b)| (*a, *b)).collect();
                pairs.sort_unstable();
                pairs.dedup();
                let found: Vec<(i32, i32)> = (0..pairs.len()).map(|i| (parents[i], parents[pairs.len() + i])).collect();
                assert_eq!(found, pairs);
                for i in 0..n {
                    assert_eq!(pairs[codes[i] as usize - 1], (a[i], b[i]));
                }
            }
        }
    }
}
