//! Items sorted by small whole keys: one pass counts, one places.

/// Items in the order of their keys; items of one key in their own order.
#[derive(Clone, Debug, Default)]
pub struct Sorted {
    /// First item of each key; one more entry than there are keys.
    pub starts: Vec<usize>,
    /// Items, from 0.
    pub items: Vec<u32>,
}

impl Sorted {
    /// Sorts the items 0, 1, ... by their keys, all of which are below `count`.
    pub fn by_key(count: usize, keys: impl ExactSizeIterator<Item = usize> + Clone) -> Sorted {
        let mut starts = vec![0usize; count + 1];
        let mut items = vec![0u32; keys.len()];
        keys.clone().for_each(|k| starts[k + 1] += 1);
        for k in 0..count {
            starts[k + 1] += starts[k];
        }
        // The first place of a key moves on with every item, until it is that of the next key.
        for (i, k) in keys.enumerate() {
            items[starts[k]] = i as u32;
            starts[k] += 1;
        }
        for k in (0..count).rev() {
            starts[k + 1] = starts[k];
        }
        starts[0] = 0;
        Sorted { starts, items }
    }

    /// Sorts rows by codes that count from 1 to `levels`.
    pub fn by_code(levels: usize, codes: &[i32]) -> Sorted {
        Sorted::by_key(levels, codes.iter().map(|c| *c as usize - 1))
    }

    /// Items of one key.
    pub fn of(&self, key: usize) -> &[u32] {
        &self.items[self.starts[key]..self.starts[key + 1]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_of_a_key_stay_in_their_order() {
        let sorted = Sorted::by_code(4, &[2, 1, 4, 2, 1, 2]);
        assert_eq!(sorted.starts, [0, 2, 5, 5, 6]);
        assert_eq!(
            (sorted.of(0), sorted.of(1), sorted.of(2), sorted.of(3)),
            (&[1, 4][..], &[0, 3, 5][..], &[][..], &[2][..])
        );
        assert_eq!(Sorted::by_key(0, std::iter::empty()).starts, [0]);
    }
}
