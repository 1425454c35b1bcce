//! The block structure of M = Lambda'Z'WZ Lambda + I: what is eliminated level by level, and what is left over.
//!
//! Reads the cells of [`Crossprod`], neither their values nor a value of theta. The chain of nested factors is eliminated from the
//! innermost outwards; a level touches one level of each later chain factor and some columns of the trailing matrix.
//! Because of the nesting all updates fall on cells that exist. The trailing matrix over the remaining factors is
//! dense or sparse, whichever is predicted to be cheaper; its memory is known before it is allocated.

use crate::crossprod::{Crossprod, Pair};
use crate::error::{Error, Result};
use crate::numerics::dense::Dense;
use crate::numerics::sparse::{Sparse, SparsityPattern};
use crate::numerics::strips::{Index, Strips};
use crate::numerics::trailing::Trailing;

/// Order up to which the trailing matrix is dense without asking.
const SMALL: usize = 400;
/// Share of a full lower triangle above which dense arithmetic wins.
const DENSE_SHARE: f64 = 0.25;

/// How M is eliminated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Elimination {
    /// One grouping factor: every level on its own.
    OneFactor,
    /// Random intercepts of nested factors: one number a level.
    NestedIntercepts,
    /// A chain of nested factors, level by level, then the trailing matrix.
    General,
}

/// Where a grouping factor stands: its number among the chain or among the trailing factors.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Position {
    Chain(usize),
    Trail(usize),
}

/// A factor of the chain.
#[derive(Debug)]
pub struct Link {
    /// Grouping factor.
    pub factor: usize,
    /// Levels.
    pub levels: usize,
    /// Columns a level.
    pub q: usize,
    /// First row among all q-rows.
    pub row: usize,
    /// For each later chain factor: the pair that ties the two (cells: exactly one a level).
    pub up: Vec<usize>,
    /// For each trailing factor: the pair.
    pub across: Vec<usize>,
    /// First trailing column of each level; J + 1 entries.
    pub starts: Vec<usize>,
    /// Trailing columns, ascending within a level.
    pub cols: Vec<u32>,
    /// For each later chain factor: place of each trailing column among those of the ancestor.
    pub lift: Vec<Vec<u32>>,
    /// The trailing columns by column, where the trailing matrix is dense.
    index: Index,
}

impl Link {
    /// Where the rows beside the trailing matrix are.
    pub fn strips(&self) -> Strips<'_> {
        Strips { q: self.q, starts: &self.starts, cols: &self.cols, index: &self.index }
    }

    /// Places of level `j` in the lists of trailing columns.
    pub(crate) fn range(&self, j: usize) -> std::ops::Range<usize> {
        self.starts[j]..self.starts[j + 1]
    }

    /// Places of level `j` (q x cols by rows) in what is kept for all levels and their trailing columns.
    pub(crate) fn across_range(&self, j: usize) -> std::ops::Range<usize> {
        self.q * self.starts[j]..self.q * self.starts[j + 1]
    }
}

/// A factor of the trailing matrix.
#[derive(Debug)]
pub struct Trail {
    /// Grouping factor.
    pub factor: usize,
    /// First column of the trailing matrix.
    pub col: usize,
    /// Levels.
    pub levels: usize,
    /// Columns a level.
    pub q: usize,
}

/// Block structure of a model.
#[derive(Debug)]
pub struct Structure {
    /// How M is eliminated.
    pub elimination: Elimination,
    /// Chain of nested factors, innermost first.
    pub chain: Vec<Link>,
    /// Trailing factors.
    pub trail: Vec<Trail>,
    /// Pairs among trailing factors: (pair, position of f, position of g).
    pub trail_pairs: Vec<(usize, usize, usize)>,
    /// First row of the trailing factors.
    pub trail_row: usize,
    /// Columns of Z.
    pub q: usize,
    /// Where each grouping factor stands.
    pub(crate) positions: Vec<Position>,
    /// Pattern of a sparse trailing matrix.
    pattern: Option<SparsityPattern>,
    /// Predicted bytes of the workspace.
    pub bytes: f64,
    fill: f64,
}

impl Structure {
    /// Finds the structure and refuses what does not fit in `limit` bytes.
    ///
    /// # Errors
    /// [`Error::TooLarge`] with the predicted figure, before anything large is allocated.
    pub fn new(a: &Crossprod, limit: f64) -> Result<Structure> {
        let find = |f: usize, g: usize| a.pairs.iter().position(|p| p.f == f && p.g == g);
        let mut trail = Vec::new();
        let mut col = 0;
        for &g in &a.order.rest {
            let s = &a.factors[g];
            trail.push(Trail { factor: g, col, levels: s.levels, q: s.q });
            col += s.levels * s.q;
        }
        let mut chain = Vec::new();
        let mut row = 0;
        for (c, &f) in a.order.chain.iter().enumerate() {
            let s = &a.factors[f];
            let up = a.order.chain[c + 1..].iter().filter_map(|&g| find(f, g)).collect();
            let across: Vec<usize> = a.order.rest.iter().filter_map(|&g| find(f, g)).collect();
            let (starts, cols) = join(a, s.levels, &across, &trail);
            chain.push(Link {
                factor: f,
                levels: s.levels,
                q: s.q,
                row,
                up,
                across,
                starts,
                cols,
                lift: Vec::new(),
                index: Index::default(),
            });
            row += s.levels * s.q;
        }
        lift(a, &mut chain);
        let mut trail_pairs = Vec::new();
        for (i, t) in trail.iter().enumerate() {
            // A factor with itself: levels that correlated rows tie together.
            for (j, u) in trail.iter().enumerate().skip(i) {
                if let Some(pair) = find(t.factor, u.factor) {
                    trail_pairs.push((pair, i, j));
                }
            }
        }
        let position = |f: usize| {
            let link = chain.iter().position(|l: &Link| l.factor == f).map(Position::Chain);
            link.or_else(|| trail.iter().position(|t: &Trail| t.factor == f).map(Position::Trail))
        };
        let positions: Option<Vec<Position>> = (0..a.factors.len()).map(position).collect();
        let mut s = Structure {
            elimination: Elimination::General,
            positions: positions.ok_or_else(|| Error::Internal("a grouping factor that nobody eliminates".into()))?,
            chain,
            trail,
            trail_pairs,
            trail_row: row,
            q: row + col,
            pattern: None,
            bytes: 0.0,
            fill: 0.0,
        };
        s.elimination = match (s.chain.len(), s.trail.is_empty()) {
            (1, true) => Elimination::OneFactor,
            (2.., true) if s.chain.iter().all(|l| l.q == 1) => Elimination::NestedIntercepts,
            _ => Elimination::General,
        };
        s.choose_storage(col, a.p, limit)?;
        if s.pattern.is_none() {
            for link in s.chain.iter_mut().filter(|l| !l.cols.is_empty()) {
                link.index = Index::new(col, &link.starts, &link.cols);
            }
        }
        Ok(s)
    }

    /// First of the q-rows of a factor.
    pub fn first_row(&self, factor: usize) -> usize {
        match self.positions[factor] {
            Position::Chain(c) => self.chain[c].row,
            Position::Trail(i) => self.trail_row + self.trail[i].col,
        }
    }

    /// Factor, columns a level, first row and levels of all factors, in the order of elimination.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = (usize, usize, usize, usize)> + '_ {
        let chain = self.chain.iter().map(|l| (l.factor, l.q, l.row, l.levels));
        chain.chain(self.trail.iter().map(|x| (x.factor, x.q, self.trail_row + x.col, x.levels)))
    }

    /// Pairs of factors with columns a level and first row of both.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (usize, [usize; 2], [usize; 2])> + '_ {
        let chain = self.chain.iter().enumerate().flat_map(move |(c, link)| {
            let up = link.up.iter().zip(&self.chain[c + 1..]);
            let up = up.map(|(&pair, upper)| (pair, [link.q, upper.q], [link.row, upper.row]));
            let across = self.trail.iter().zip(&link.across);
            up.chain(across.map(|(tr, &pair)| (pair, [link.q, tr.q], [link.row, self.trail_row + tr.col])))
        });
        let trail = self.trail_pairs.iter().map(|&(pair, i, j)| {
            let (f, g) = (&self.trail[i], &self.trail[j]);
            (pair, [f.q, g.q], [self.trail_row + f.col, self.trail_row + g.col])
        });
        chain.chain(trail)
    }

    /// Floating-point elements of the trailing factor; true if it is dense.
    pub fn trailing_fill(&self) -> (f64, bool) {
        (self.fill, self.pattern.is_none())
    }

    /// Order of the trailing matrix.
    pub fn trailing_order(&self) -> usize {
        self.q - self.trail_row
    }

    fn choose_storage(&mut self, order: usize, p: usize, limit: f64) -> Result<()> {
        let links: f64 = self.chain.iter().map(|l| (l.levels * l.q * l.q + l.q * l.cols.len()) as f64).sum();
        let thetas: usize =
            self.chain.iter().map(|l| l.q).chain(self.trail.iter().map(|t| t.q)).map(|q| q * (q + 1) / 2).sum();
        let base = 8.0 * (4.0 * links + (self.q * (4 * (p + 1) + 3 * thetas)) as f64);
        let refuse = |bytes: f64| if bytes > limit { Err(Error::TooLarge { bytes, limit }) } else { Ok(()) };
        let full = 0.5 * (order as f64) * (order as f64 + 1.0);
        let pattern = if order > SMALL { self.pattern(order, DENSE_SHARE * full) } else { None };
        if let Some(pattern) = pattern {
            refuse(base + 24.0 * pattern.rows.len() as f64)?;
            let trial = Sparse::new(order, pattern.clone(), 1)?;
            self.fill = trial.fill() as f64;
            if self.fill < DENSE_SHARE * 2.0 * full {
                self.bytes = base + 16.0 * self.fill + 24.0 * pattern.rows.len() as f64;
                self.pattern = Some(pattern);
                return refuse(self.bytes);
            }
        }
        self.fill = full;
        self.bytes = base + Dense::bytes(order);
        refuse(self.bytes)
    }

    /// Pattern of the trailing matrix, or `None` when it has more than `most` elements. The levels of the
    /// outermost chain factor hold the columns of all levels below them, so their cliques are the whole pattern.
    fn pattern(&self, order: usize, most: f64) -> Option<SparsityPattern> {
        let outer = self.chain.last()?;
        let mut starts = vec![0usize; order + 1];
        for &c in &outer.cols {
            starts[c as usize + 1] += 1;
        }
        for c in 0..order {
            starts[c + 1] += starts[c];
        }
        let mut next = starts.clone();
        let mut members = vec![0u32; outer.cols.len()];
        for j in 0..outer.levels {
            for &c in &outer.cols[outer.range(j)] {
                members[next[c as usize]] = j as u32;
                next[c as usize] += 1;
            }
        }
        let mut pattern = SparsityPattern { starts: vec![0], rows: Vec::new() };
        let mut stamp = vec![u32::MAX; order];
        let mut looked = 0.0;
        for c in 0..order {
            let from = pattern.rows.len();
            pattern.rows.push(c);
            stamp[c] = c as u32;
            for &j in &members[starts[c]..starts[c + 1]] {
                let j = j as usize;
                let cols = &outer.cols[outer.range(j)];
                let after = cols.partition_point(|&d| d as usize <= c);
                looked += (cols.len() - after) as f64;
                for &d in &cols[after..] {
                    if stamp[d as usize] != c as u32 {
                        stamp[d as usize] = c as u32;
                        pattern.rows.push(d as usize);
                    }
                }
            }
            if pattern.rows.len() as f64 > most || looked > 40.0 * most + 1e7 {
                return None;
            }
            pattern.rows[from..].sort_unstable();
            pattern.starts.push(pattern.rows.len());
        }
        Some(pattern)
    }

    /// Storage for the trailing matrix.
    pub fn trailing(&self, threads: usize) -> Result<Trailing> {
        let order = self.trailing_order();
        Ok(match &self.pattern {
            _ if order == 0 => Trailing::Empty,
            Some(p) => Trailing::Sparse(Box::new(Sparse::new(order, p.clone(), threads)?)),
            None => Trailing::Dense(Dense::new(order, threads), order),
        })
    }

    /// Floating-point operations of one evaluation with gradient, to choose threads and starts.
    pub fn work(&self, p: usize) -> f64 {
        let m = (p + 1) as f64;
        let links: f64 = self
            .chain
            .iter()
            .map(|l| {
                let q = l.q as f64;
                let degree = l.cols.len() as f64 / l.levels as f64;
                l.levels as f64 * (4.0 * q * q * q + 4.0 * q * q * m + q * m * m + 3.0 * q * degree * degree)
            })
            .sum();
        let n = self.trailing_order() as f64;
        links + if self.pattern.is_some() { 3.0 * self.fill * self.fill / n.max(1.0) } else { n * n * n }
    }
}

/// Joins the cells of a chain factor with all trailing factors: columns, ascending within a level.
fn join(a: &Crossprod, levels: usize, across: &[usize], trail: &[Trail]) -> (Vec<usize>, Vec<u32>) {
    if across.is_empty() {
        return (vec![0; levels + 1], Vec::new());
    }
    let (mut starts, mut cols) = (Vec::with_capacity(levels + 1), Vec::new());
    starts.push(0);
    let pairs: Vec<(&Pair, &Trail)> = across.iter().map(|&i| &a.pairs[i]).zip(trail).collect();
    for j in 0..levels {
        for (pair, t) in &pairs {
            for &l in &pair.cols[pair.starts[j]..pair.starts[j + 1]] {
                cols.extend((0..t.q).map(|c| (t.col + l as usize * t.q + c) as u32));
            }
        }
        starts.push(cols.len());
    }
    (starts, cols)
}

/// Fills the places of trailing columns in the lists of the ancestors.
fn lift(a: &Crossprod, chain: &mut [Link]) {
    for c in 0..chain.len() {
        let mut all = Vec::new();
        for (k, &pair) in chain[c].up.iter().enumerate() {
            let ancestor = &chain[c + 1 + k];
            let mut places = Vec::with_capacity(chain[c].cols.len());
            for j in 0..chain[c].levels {
                let parent = a.pairs[pair].cols[j] as usize;
                let theirs = &ancestor.cols[ancestor.range(parent)];
                for col in &chain[c].cols[chain[c].range(j)] {
                    places.push(theirs.partition_point(|x| x < col) as u32);
                }
            }
            all.push(places);
        }
        chain[c].lift = all;
    }
}
