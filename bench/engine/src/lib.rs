//! Models to measure: rows from a fixed seed, as [`ferrite_engine::Design`]s.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

use ferrite_engine::{Column, Design, Factor, Term};

/// Rows and codes of a model, which a design borrows.
pub struct Rows {
    /// Its name among the results.
    pub name: &'static str,
    y: Vec<f64>,
    x: Vec<f64>,
    codes: Vec<Vec<i32>>,
    slope: bool,
}

impl Rows {
    /// y ~ x + (1 | f) or (x | f) of the first factor, and (1 | f) of the others.
    pub fn design(&self) -> Design<'_> {
        let factors = self.codes.iter().map(|codes| Factor { codes, levels: most(codes) }).collect();
        let terms = (0..self.codes.len()).map(|f| {
            let mut basis = vec![Column::Constant];
            if f == 0 && self.slope {
                basis.push(Column::Values(&self.x));
            }
            Term::new(f, basis)
        });
        Design::new(&self.y, vec![Column::Constant, Column::Values(&self.x)], factors, terms.collect())
    }

    /// The same rows under another name, with a random slope for the first factor.
    fn with_slope(mut self, name: &'static str) -> Self {
        (self.name, self.slope) = (name, true);
        let mut draw = Draw(4);
        let slopes: Vec<f64> = (0..most(&self.codes[0])).map(|_| 0.5 * draw.normal()).collect();
        for (i, &code) in self.codes[0].iter().enumerate() {
            self.y[i] += slopes[code as usize - 1] * self.x[i];
        }
        self
    }
}

/// The structures that the engine tells apart, from the one that costs least.
pub fn all() -> Vec<Rows> {
    vec![
        one("one factor (1|g)"),
        one("").with_slope("one factor (x|g)"),
        nested("nested (1|b) + (1|a)"),
        crossed("crossed dense (1|a) + (1|b)"),
        neighbours("crossed sparse (1|a) + (1|b)"),
    ]
}

/// 1e5 rows, 1e4 groups.
fn one(name: &'static str) -> Rows {
    let mut draw = Draw(1);
    let codes = (0..100_000).map(|_| draw.below(10_000)).collect();
    grown(name, vec![(codes, 1.0)], draw)
}

/// 1e5 rows, 1e4 groups in 100.
fn nested(name: &'static str) -> Rows {
    let mut draw = Draw(2);
    let inner: Vec<usize> = (0..100_000).map(|_| draw.below(10_000)).collect();
    let outer = inner.iter().map(|b| b % 100).collect();
    grown(name, vec![(inner, 0.7), (outer, 1.0)], draw)
}

/// 2e4 rows, 2,000 x 400 levels; whoever meets whom is left to chance.
fn crossed(name: &'static str) -> Rows {
    let mut draw = Draw(3);
    let a = (0..20_000).map(|_| draw.below(2_000)).collect();
    let b = (0..20_000).map(|_| draw.below(400)).collect();
    grown(name, vec![(a, 1.0), (b, 0.7)], draw)
}

/// 2e4 rows, 2,000 x 2,000 levels, each of which meets at most seven neighbours.
fn neighbours(name: &'static str) -> Rows {
    let mut draw = Draw(5);
    let a: Vec<usize> = (0..20_000).map(|_| draw.below(2_000)).collect();
    let b = a.iter().map(|&a| (a + draw.below(7)).saturating_sub(3).min(1_999)).collect();
    grown(name, vec![(a, 1.0), (b, 0.7)], draw)
}

/// y = 1 + x / 2 + effects + noise. Codes count the levels that occur, from 1.
fn grown(name: &'static str, factors: Vec<(Vec<usize>, f64)>, mut draw: Draw) -> Rows {
    let n = factors[0].0.len();
    let x: Vec<f64> = (0..n).map(|_| draw.normal()).collect();
    let mut y: Vec<f64> = x.iter().map(|x| 1.0 + 0.5 * x + draw.normal()).collect();
    let mut codes = Vec::new();
    for (levels, sd) in factors {
        let mut code = vec![0; levels.iter().max().map_or(0, |m| m + 1)];
        levels.iter().for_each(|&l| code[l] = 1);
        let mut used = 0;
        for c in code.iter_mut().filter(|c| **c > 0) {
            used += 1;
            *c = used;
        }
        let effects: Vec<f64> = (0..used).map(|_| sd * draw.normal()).collect();
        let own: Vec<i32> = levels.iter().map(|&l| code[l]).collect();
        y.iter_mut().zip(&own).for_each(|(y, &c)| *y += effects[c as usize - 1]);
        codes.push(own);
    }
    Rows { name, y, x, codes, slope: false }
}

fn most(codes: &[i32]) -> usize {
    codes.iter().max().map_or(0, |&c| c as usize)
}

/// Splitmix64 (Steele, Lea and Flood 2014).
struct Draw(u64);

impl Draw {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn uniform(&mut self) -> f64 {
        ((self.bits() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    fn below(&mut self, n: usize) -> usize {
        (self.uniform() * n as f64) as usize
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }
}
