//! The matrix of the equations of MIVQUE(0), from the sums: F_ij = tr(Q B_i Q B_j).
//!
//! B_i is the derivative of Var(y) in parameter i, sigma^2 first and then the elements of the covariance matrices in the
//! order of theta; Q = W - W X (X'WX)^-1 X'W. B_i is block diagonal over the levels j of a factor, so that all is in the
//! cells N_jl = A_jl - U_j'U_l with A = Z'WZ, U = L^-1 X'WZ and X'WX = LL'. A cell without rows has N = -U'U: these are
//! summed at once, over all levels, and the cells with rows put right.
//!
//! Source: Rao (1971), J. Multivariate Anal. 1; Searle, Casella and McCulloch (1992), Variance Components, ch. 11.

use crate::covariance::Layout;
use crate::crossprod::{add_outer, Crossprod};
use crate::error::{Error, Result};
use crate::numerics::small;
use crate::numerics::sums;

/// Cells packed at once.
const PACK: usize = 32;

/// F, and for each parameter how large the sums are that its diagonal element is the difference of.
pub(crate) struct Mivque {
    /// F by rows, order 1 + elements of theta.
    pub f: Vec<f64>,
    /// Sums that cancel in the diagonal.
    pub size: Vec<f64>,
}

/// U of every factor: a row of p for each column of each level.
pub(crate) fn within_x(a: &Crossprod) -> Result<Vec<Vec<f64>>> {
    let (p, m) = (a.p, a.p + 1);
    let mut root = a.fixed_gram();
    if !small::cholesky(&mut root, p) {
        return Err(Error::NotPositiveDefinite);
    }
    let rows = |rhs: &[f64]| {
        let mut u = Vec::with_capacity(rhs.len() / m * p);
        for row in rhs.chunks_exact(m) {
            let from = u.len();
            u.extend_from_slice(&row[..p]);
            small::solve_lower(&root, p, &mut u[from..], 1);
        }
        u
    };
    Ok(a.factors.iter().map(|s| rows(&s.rhs)).collect())
}

/// Element of a covariance matrix: its place among the parameters and its columns within the factor.
struct CovarianceElement {
    at: usize,
    a: usize,
    b: usize,
}

impl CovarianceElement {
    /// The direction is half the sum of two units on the diagonal, and the sum elsewhere.
    fn share(&self) -> f64 {
        if self.a == self.b {
            0.5
        } else {
            1.0
        }
    }
}

impl Mivque {
    /// Sums F; `u` from [`within_x`].
    pub fn new(a: &Crossprod, layout: &Layout, u: &[Vec<f64>]) -> Mivque {
        let k = layout.len() + 1;
        let mut out = Mivque { f: vec![0.0; k * k], size: vec![0.0; k] };
        let mut elements: Vec<Vec<CovarianceElement>> = a.factors.iter().map(|_| Vec::new()).collect();
        for (i, &(term, row, col)) in layout.places.iter().enumerate() {
            let (f, first, _) = layout.terms[term];
            elements[f].push(CovarianceElement { at: i + 1, a: first + row, b: first + col });
        }
        (out.f[0], out.size[0]) = ((a.n - a.p) as f64, a.n as f64);
        for (f, s) in a.factors.iter().enumerate() {
            let mut cells = Squares::new(s.q, s.q, true);
            let p = a.p;
            for j in 0..s.levels {
                let own = &u[f][j * s.q * p..(j + 1) * s.q * p];
                cells.push(&s.diag[j * s.q * s.q..(j + 1) * s.q * s.q], own, own, p);
            }
            cells.flush();
            out.add(&cells, &elements[f], &elements[f], 1.0);
            for e in &elements[f] {
                let trace = 2.0 * e.share() * cells.total[e.a * s.q + e.b];
                (out.f[e.at], out.f[e.at * k]) = (trace, trace);
            }
        }
        for pair in &a.pairs {
            let (s, t, p) = (&a.factors[pair.f], &a.factors[pair.g], a.p);
            let mut cells = Squares::new(s.q, t.q, false);
            for j in 0..s.levels {
                let own = &u[pair.f][j * s.q * p..(j + 1) * s.q * p];
                for cell in pair.starts[j]..pair.starts[j + 1] {
                    let l = pair.cols[cell] as usize;
                    let other = &u[pair.g][l * t.q * p..(l + 1) * t.q * p];
                    cells.push(&pair.blocks[cell * s.q * t.q..(cell + 1) * s.q * t.q], own, other, p);
                }
            }
            cells.flush();
            // Cells between levels of one factor, which correlated rows make, stand for two.
            let times = if pair.f == pair.g { 2.0 } else { 1.0 };
            out.add(&cells, &elements[pair.f], &elements[pair.g], times);
        }
        out.add_outside(a.p, a, &elements, u);
        out
    }

    /// Adds what the cells with rows have, less what [`Mivque::add_outside`] adds for them.
    fn add(&mut self, cells: &Squares, rows: &[CovarianceElement], cols: &[CovarianceElement], times: f64) {
        let k = self.size.len();
        let value = |h: &[f64], i: &CovarianceElement, j: &CovarianceElement| {
            let share = 2.0 * i.share() * j.share();
            share * (cells.get(h, (i.a, j.a), (i.b, j.b)) + cells.get(h, (i.a, j.b), (i.b, j.a)))
        };
        for i in rows {
            for j in cols {
                if cells.same && j.at > i.at {
                    continue;
                }
                let (left, fixed) = (value(&cells.left, i, j), value(&cells.fixed, i, j));
                if i.at == j.at {
                    self.f[i.at * k + j.at] += times * (left - fixed);
                    self.size[i.at] += times * (left + fixed);
                } else {
                    self.f[i.at * k + j.at] += left - fixed;
                    self.f[j.at * k + i.at] += left - fixed;
                }
            }
        }
    }

    /// Adds tr(S_i S_j) with S_i = sum over levels of U_j E_i U_j': all cells, as if none had rows.
    fn add_outside(&mut self, p: usize, a: &Crossprod, elements: &[Vec<CovarianceElement>], u: &[Vec<f64>]) {
        let k = self.size.len();
        let mut sums: Vec<Vec<f64>> = vec![Vec::new(); k];
        for ((s, elements), u) in a.factors.iter().zip(elements).zip(u) {
            for e in elements {
                let mut one = vec![0.0; p * p];
                for own in u.chunks_exact((s.q * p).max(1)) {
                    add_outer(&mut one, &own[e.a * p..(e.a + 1) * p], &own[e.b * p..(e.b + 1) * p], e.share());
                }
                sums[e.at] = (0..p * p).map(|x| one[x] + one[x % p.max(1) * p + x / p.max(1)]).collect();
            }
        }
        for i in 1..k {
            for j in 1..=i {
                let both: f64 = sums[i].iter().zip(&sums[j]).map(|(a, b)| a * b).sum();
                self.f[i * k + j] += both;
                if i == j {
                    self.size[i] += both;
                } else {
                    self.f[j * k + i] += both;
                }
            }
        }
    }
}

/// Sums over cells of the products of all pairs of elements, of N and of U'U.
struct Squares {
    /// True for the diagonal blocks of one factor, of which the lower triangle is enough.
    same: bool,
    cols: usize,
    width: usize,
    /// Cells that wait, one column of [`PACK`] values for each element.
    waiting: usize,
    packed_left: Vec<f64>,
    packed_fixed: Vec<f64>,
    /// Products of N, column-major, lower triangle.
    left: Vec<f64>,
    /// Products of U'U.
    fixed: Vec<f64>,
    /// Sum of N.
    total: Vec<f64>,
    cell: Vec<f64>,
}

impl Squares {
    fn new(rows: usize, cols: usize, same: bool) -> Squares {
        let width = if same { rows * (rows + 1) / 2 } else { rows * cols };
        Squares {
            same,
            cols,
            width,
            waiting: 0,
            packed_left: vec![0.0; width * PACK],
            packed_fixed: vec![0.0; width * PACK],
            left: vec![0.0; width * width],
            fixed: vec![0.0; width * width],
            total: vec![0.0; rows * cols],
            cell: vec![0.0; rows * cols],
        }
    }

    fn place(&self, i: usize, j: usize) -> usize {
        if self.same {
            let (row, col) = (i.max(j), i.min(j));
            row * (row + 1) / 2 + col
        } else {
            i * self.cols + j
        }
    }

    fn get(&self, h: &[f64], one: (usize, usize), two: (usize, usize)) -> f64 {
        let (i, j) = (self.place(one.0, one.1), self.place(two.0, two.1));
        h[i.min(j) * self.width + i.max(j)]
    }

    fn push(&mut self, a: &[f64], own: &[f64], other: &[f64], p: usize) {
        let rows = self.cell.len() / self.cols;
        self.cell.fill(0.0);
        if p > 0 {
            small::mul_by_transposed(&mut self.cell, own, other, rows, p, self.cols, 1.0);
        }
        let mut at = self.waiting;
        for i in 0..rows {
            let last = if self.same { i + 1 } else { self.cols };
            let row = i * self.cols..i * self.cols + last;
            for ((a, fixed), total) in a[row.clone()].iter().zip(&self.cell[row.clone()]).zip(&mut self.total[row]) {
                let left = a - fixed;
                (self.packed_left[at], self.packed_fixed[at]) = (left, *fixed);
                *total += left;
                at += PACK;
            }
        }
        self.waiting += 1;
        if self.waiting == PACK {
            self.flush();
        }
    }

    /// Squares what waits.
    fn flush(&mut self) {
        if self.waiting == 0 {
            return;
        }
        let (m, waiting) = (self.width, self.waiting);
        for (packed, h) in [(&mut self.packed_left, &mut self.left), (&mut self.packed_fixed, &mut self.fixed)] {
            packed.chunks_exact_mut(PACK).for_each(|column| column[waiting..].fill(0.0));
            sums::add_gram(h, packed, PACK, m);
        }
        self.waiting = 0;
    }
}

#[cfg(test)]
mod tests {
    //! Against dense algebra: Q and B_i row by row, in the coordinates of the sums.

    use super::*;
    use crate::crossprod::RowReader;
    use crate::design::{Column, Design, Factor, Term};

    const N: usize = 40;

    fn noise(seed: usize) -> Vec<f64> {
        (0..N).map(|i| (((i * 7919 + seed * 104_729) % 1009) as f64 / 1009.0 - 0.4) * 3.0).collect()
    }

    fn dense(design: &Design<'_>, a: &Crossprod, layout: &Layout) -> Vec<f64> {
        let (p, reader) = (a.p, RowReader::new(design, a));
        let mut rows = reader.block();
        reader.read_unweighted(N, &|k| k, &mut rows);
        let x: Vec<&[f64]> = rows.xy.chunks_exact(p + 1).map(|xy| &xy[..p]).collect();
        let columns = |i: usize| rows.z.iter().zip(&a.factors).map(move |(z, f)| &z[i * f.q..(i + 1) * f.q]).collect();
        let z: Vec<Vec<&[f64]>> = (0..N).map(columns).collect();
        let w: Vec<f64> = (0..N).map(|i| reader.weight(i)).collect();
        let mut xx = vec![0.0; p * p];
        (0..if p > 0 { N } else { 0 }).for_each(|i| add_outer(&mut xx, x[i], x[i], w[i]));
        let inverse = small::invert_spd(&xx, p).unwrap();
        let mut q = vec![0.0; N * N];
        for i in 0..N {
            for j in 0..N {
                let h: f64 = (0..p * p).map(|k| x[i][k / p] * inverse[k] * x[j][k % p]).sum();
                q[i * N + j] = w[i] * (f64::from(u8::from(i == j)) - w[j] * h);
            }
        }
        let mut b = vec![vec![0.0; N * N]];
        (0..N).for_each(|i| b[0][i * N + i] = 1.0 / w[i]);
        for &(term, r, c) in &layout.places {
            let (f, first, _) = layout.terms[term];
            let (r, c) = (first + r, first + c);
            let codes = design.factors[f].codes;
            let half = if r == c { 0.5 } else { 1.0 };
            let at = |k: usize| {
                let (i, j) = (k / N, k % N);
                let both = z[i][f][r] * z[j][f][c] + z[i][f][c] * z[j][f][r];
                f64::from(u8::from(codes[i] == codes[j])) * half * both
            };
            b.push((0..N * N).map(at).collect());
        }
        let product = |x: &[f64], y: &[f64]| {
            let mut out = vec![0.0; N * N];
            small::mul(&mut out, x, y, N, N, N, 1.0);
            out
        };
        let qb: Vec<Vec<f64>> = b.iter().map(|b| product(&q, b)).collect();
        let trace = |x: &[f64], y: &[f64]| (0..N * N).map(|k| x[k] * y[k % N * N + k / N]).sum::<f64>();
        qb.iter().flat_map(|x| qb.iter().map(move |y| trace(x, y))).collect()
    }

    #[test]
    fn sums_give_the_dense_matrix_for_every_structure() {
        let (x, z, y) = (noise(1), noise(2), noise(3));
        let weights: Vec<f64> = noise(4).iter().map(|v| 0.5 + v.abs()).collect();
        let code = |f: &dyn Fn(usize) -> usize| (0..N).map(|i| f(i) as i32 + 1).collect::<Vec<i32>>();
        let (g, inner, other, own) =
            (code(&|i| i % 7), code(&|i| i % 14), code(&|i| i * i % 5 % 4), code(&|i| i.min(35)));
        let levels = |c: &[i32]| *c.iter().max().unwrap() as usize;
        let one = Column::Constant;
        let slope = vec![one, Column::Values(&x)];
        let cases: Vec<(Vec<&[i32]>, Vec<Term<'_>>)> = vec![
            (vec![&g], vec![Term::new(0, vec![one])]),
            (vec![&g], vec![Term::new(0, slope.clone())]),
            (vec![&g], vec![Term::new(0, slope.clone()), Term::new(0, vec![Column::Values(&z)])]),
            (vec![&inner, &g], vec![Term::new(0, slope.clone()), Term::new(1, slope.clone())]),
            (vec![&g, &other], vec![Term::new(0, slope.clone()), Term::new(1, vec![one, Column::Values(&z)])]),
            (vec![&g, &other, &own], (0..3).map(|f| Term::new(f, slope.clone())).collect()),
        ];
        for (k, (codes, terms)) in cases.into_iter().enumerate() {
            for fixed in [vec![], vec![one], vec![one, Column::Values(&z)]] {
                let factors = codes.iter().map(|c| Factor { codes: c, levels: levels(c) }).collect();
                let mut design = Design::new(&y, fixed, factors, terms.clone());
                design.weights = Some(&weights);
                let a = Crossprod::from_design(&design, 1).unwrap();
                let layout = Layout::new(&a.coordinates, &a.widths());
                let found = Mivque::new(&a, &layout, &within_x(&a).unwrap()).f;
                let expected = dense(&design, &a, &layout);
                let size = expected.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
                for (x, y) in found.iter().zip(&expected) {
                    assert!((x - y).abs() < 1e-11 * size, "case {k}: {x} against {y}");
                }
            }
        }
    }
}
