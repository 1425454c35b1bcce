//! The order in which grouping factors are eliminated: a chain of nested factors first, then the rest.
//!
//! Factor f is nested in g if every level of f lies in one level of g. A chain f0 in f1 in f2 ... can be eliminated
//! from the innermost outwards without fill among its own levels; what remains is one trailing matrix over the
//! other factors. The chain with the most columns is chosen, so that the trailing matrix is as small as it can be.

use crate::design::design::Factor;

/// Elimination order of the grouping factors.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// Nested chain, innermost first.
    pub chain: Vec<usize>,
    /// The other factors, most columns first.
    pub rest: Vec<usize>,
}

impl Order {
    /// All factors in the order of elimination.
    pub fn all(&self) -> impl Iterator<Item = usize> + '_ {
        self.chain.iter().chain(&self.rest).copied()
    }
}

/// True if every level of `inner` lies in one level of `outer`.
pub fn is_nested(inner: &Factor<'_>, outer: &Factor<'_>) -> bool {
    inner.levels >= outer.levels && holds(inner, outer)
}

/// The same for factors that are not compared by size: a series may be nested in a factor with as many levels.
pub fn holds(inner: &Factor<'_>, outer: &Factor<'_>) -> bool {
    if std::ptr::eq(inner.codes, outer.codes) {
        return true;
    }
    let mut parent = vec![0; inner.levels];
    inner.codes.iter().zip(outer.codes).all(|(&i, &o)| {
        let place = &mut parent[i as usize - 1];
        if *place == 0 {
            *place = o;
        }
        *place == o
    })
}

impl Order {
    /// Chooses the chain; `columns[f]` is the number of columns a level of factor f has. Where rows of a `series` are
    /// correlated, a factor has independent levels only if every series lies in one of them: others are left for the rest.
    pub fn choose(factors: &[Factor<'_>], columns: &[usize], series: Option<&Factor<'_>>) -> Order {
        let k = factors.len();
        let size = |f: usize| factors[f].levels * columns[f];
        let mut by_levels: Vec<usize> = (0..k).collect();
        by_levels.retain(|&f| series.is_none_or(|s| holds(s, &factors[f])));
        by_levels.sort_by_key(|&f| (std::cmp::Reverse(factors[f].levels), f));
        // Longest chain by weight: best[i] ends (outermost) in by_levels[i].
        let mut best: Vec<(usize, Option<usize>)> = Vec::with_capacity(k);
        for i in 0..by_levels.len() {
            let mut here = (size(by_levels[i]), None);
            for (j, inner) in best.iter().enumerate() {
                let weight = inner.0 + size(by_levels[i]);
                if weight > here.0 && is_nested(&factors[by_levels[j]], &factors[by_levels[i]]) {
                    here = (weight, Some(j));
                }
            }
            best.push(here);
        }
        let mut at = (0..best.len()).max_by_key(|&i| (best[i].0, std::cmp::Reverse(i)));
        let mut chain = Vec::new();
        while let Some(i) = at {
            chain.push(by_levels[i]);
            at = best[i].1;
        }
        chain.reverse();
        let mut rest: Vec<usize> = (0..k).filter(|f| !chain.contains(f)).collect();
        rest.sort_by_key(|&f| (std::cmp::Reverse(size(f)), f));
        Order { chain, rest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_factors_form_the_chain_and_crossed_ones_the_rest() {
        // b in a; c crossed with both.
        let a = [1, 1, 1, 1, 2, 2, 2, 2];
        let b = [1, 1, 2, 2, 3, 3, 4, 4];
        let c = [1, 2, 1, 2, 1, 2, 1, 2];
        let f = |codes: &'static [i32], levels| Factor { codes, levels };
        let (a, b, c): (&'static [i32], &'static [i32], &'static [i32]) =
            (Box::leak(Box::new(a)), Box::leak(Box::new(b)), Box::leak(Box::new(c)));
        let order = Order::choose(&[f(a, 2), f(c, 2), f(b, 4)], &[1, 1, 1], None);
        assert_eq!(order, Order { chain: vec![2, 0], rest: vec![1] });
        // Series are the levels of c: only c keeps its levels apart.
        let order = Order::choose(&[f(a, 2), f(c, 2), f(b, 4)], &[1, 1, 1], Some(&f(c, 2)));
        assert_eq!(order, Order { chain: vec![1], rest: vec![2, 0] });
    }
}
