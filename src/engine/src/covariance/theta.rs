//! The order of theta, term by term, each lower triangle by columns (as lme4 orders it), and its way to the blocks T_k.

use crate::design::{user_from_working, working_from_user, Coordinates, TermMap};
use crate::numerics::small;

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
    pub fn new(c: &Coordinates, widths: &[usize]) -> Layout {
        let terms: Vec<_> = c.terms.iter().map(|t| (t.factor, t.first, t.q())).collect();
        let mut places = Vec::new();
        for (t, &(_, _, q)) in terms.iter().enumerate() {
            for col in 0..q {
                places.extend((col..q).map(|row| (t, row, col)));
            }
        }
        Layout { places, terms, widths: widths.to_vec() }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// True if there is no element, as without random terms.
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
    small::clear_zero_pivots(&mut l, &mut o, q);
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
