//! The only owner of the order of theta: term by term, each lower triangle by columns (as lme4 orders it).

use crate::block::small;
use crate::crossprod::{BasisMap, Coordinates, Crossprod, TermMap};

/// T_k of every grouping factor: q_k x q_k by rows, in the caller's order of factors.
pub type Blocks = Vec<Vec<f64>>;

/// Where the elements of theta stand in the blocks T_k.
#[derive(Clone, Debug)]
pub struct Layout {
    /// For each element: term, row and column within the term.
    pub places: Vec<(usize, usize, usize)>,
    /// For each term: factor, first column within the factor, columns.
    pub terms: Vec<(usize, usize, usize)>,
    widths: Vec<usize>,
}

impl Layout {
    /// The layout of a model's terms.
    pub fn new(a: &Crossprod) -> Layout {
        let terms: Vec<_> = a.coordinates.terms.iter().map(|t| (t.factor, t.first, t.q())).collect();
        let mut places = Vec::new();
        for (t, &(_, _, q)) in terms.iter().enumerate() {
            for col in 0..q {
                places.extend((col..q).map(|row| (t, row, col)));
            }
        }
        Layout { places, terms, widths: a.factors.iter().map(|f| f.q).collect() }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// True if there is no element (never, in a valid model).
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Zero blocks of the right sizes.
    pub fn zeros(&self) -> Blocks {
        self.widths.iter().map(|q| vec![0.0; q * q]).collect()
    }

    /// Writes theta into the blocks.
    pub fn fill(&self, theta: &[f64], t: &mut Blocks) {
        for (x, &(term, row, col)) in theta.iter().zip(&self.places) {
            let (f, first, _) = self.terms[term];
            t[f][(first + row) * self.widths[f] + first + col] = *x;
        }
    }

    /// The gradient in theta from the gradient in the blocks.
    pub fn pick(&self, blocks: &Blocks, out: &mut [f64]) {
        for (x, &(term, row, col)) in out.iter_mut().zip(&self.places) {
            let (f, first, _) = self.terms[term];
            *x = blocks[f][(first + row) * self.widths[f] + first + col];
        }
    }

    /// The block of one term (q x q by rows) out of the blocks of the factors.
    pub fn term_block(&self, blocks: &Blocks, term: usize) -> Vec<f64> {
        let (f, first, q) = self.terms[term];
        let w = self.widths[f];
        (0..q * q).map(|k| blocks[f][(first + k / q) * w + first + k % q]).collect()
    }

    /// Writes the block of one term.
    pub fn set_term_block(&self, blocks: &mut Blocks, term: usize, block: &[f64]) {
        let (f, first, q) = self.terms[term];
        let w = self.widths[f];
        for (k, x) in block.iter().enumerate() {
            blocks[f][(first + k / q) * w + first + k % q] = *x;
        }
    }

    /// Theta of lower triangular blocks.
    pub fn theta(&self, blocks: &Blocks) -> Vec<f64> {
        let mut out = vec![0.0; self.len()];
        self.pick(blocks, &mut out);
        out
    }
}

/// Relative factor of a term in the user's basis: T with Var(b) = sigma^2 T T', and the rotation of u that goes with it.
pub fn to_user(term: &TermMap, t: &[f64], weight_mean: f64) -> (Vec<f64>, Vec<f64>) {
    let q = term.q();
    let back = user_from_working(term);
    let mut product = vec![0.0; q * q];
    small::mul(&mut product, &back, t, q, q, q, 1.0 / weight_mean.sqrt());
    let (mut l, mut o) = small::lower_from_product(&product, q);
    small::sweep_zero_pivots(&mut l, &mut o, q);
    (l, o)
}

/// Factor in the working basis from one in the user's basis.
pub fn to_working(term: &TermMap, t: &[f64], weight_mean: f64) -> Vec<f64> {
    let q = term.q();
    let forth = working_from_user(term);
    let mut product = vec![0.0; q * q];
    small::mul(&mut product, &forth, t, q, q, q, weight_mean.sqrt());
    small::lower_from_product(&product, q).0
}

/// B with b_user = B b_working: the columns of Z are Z_working B^-1.
pub fn user_from_working(term: &TermMap) -> Vec<f64> {
    jacobian(&term.basis)
}

/// B^-1: the user's column c is shift_c * constant + scale_c * (Q R)_c.
pub fn working_from_user(term: &TermMap) -> Vec<f64> {
    let (q, basis) = (term.q(), &term.basis);
    let mut map = vec![0.0; q * q];
    for c in 0..q {
        for i in 0..=c {
            map[i * q + c] += basis.scale[c] * basis.r[i * q + c];
        }
        if let Some(k) = basis.constant.filter(|k| *k != c) {
            for i in 0..=k {
                map[i * q + c] += basis.shift[c] * basis.r[i * q + k];
            }
        }
    }
    map
}

/// Coefficients of the user's kept columns of X from the working ones.
pub fn fixed_to_user(c: &Coordinates, beta: &[f64]) -> Vec<f64> {
    let p = c.x.kept.len();
    let r_inverse = small::invert_upper(&c.x.r, p);
    let mut scaled = vec![0.0; p];
    small::mul(&mut scaled, &r_inverse, beta, p, p, 1, c.y_scale);
    scaled.iter_mut().zip(&c.gamma).for_each(|(s, g)| *s += g);
    unshift(&c.x, &scaled)
}

/// Coefficients of the user's columns from those of the shifted and scaled ones.
fn unshift(basis: &BasisMap, scaled: &[f64]) -> Vec<f64> {
    let mut out: Vec<f64> = scaled.iter().zip(&basis.scale).map(|(b, s)| b / s).collect();
    if let Some(k) = basis.constant {
        let moved: f64 = (0..out.len()).filter(|i| *i != k).map(|i| basis.shift[i] * out[i]).sum();
        out[k] = (scaled[k] - moved) / basis.scale[k];
    }
    out
}

/// Matrix (by rows) that takes coefficients of the working columns to those of the user's.
pub fn jacobian(basis: &BasisMap) -> Vec<f64> {
    let p = basis.kept.len();
    let r_inverse = small::invert_upper(&basis.r, p);
    let mut out = vec![0.0; p * p];
    for j in 0..p {
        let scaled: Vec<f64> = (0..p).map(|i| r_inverse[i * p + j]).collect();
        for (i, x) in unshift(basis, &scaled).into_iter().enumerate() {
            out[i * p + j] = x;
        }
    }
    out
}
