//! [Z, X, y]'R^-1[Z, X, y] for residuals that are not alike: sums by class of weight, combined at every phi.
//!
//! With few classes the rows are summed once, a set of sums for each class, and a new phi costs a combination of sets; with
//! many classes the rows are summed again at every phi, with all derivatives at once. Rows are read in the working
//! coordinates of plain cross-products, so that everything downstream finds what it knows.

use std::sync::Mutex;

use crate::covariance::ResidualCovariance;
use crate::covariance::NONE;
use crate::crossprod::by_cell::tie;
use crate::crossprod::by_class::sums_by_class;
use crate::crossprod::by_phi::sums_at;
use crate::crossprod::crossprod::Crossprod;
use crate::crossprod::row_pass::{RowPass, PIECE};
use crate::crossprod::row_reader::RowReader;
use crate::crossprod::sum_layout::SumLayout;
use crate::design::{holds, Design};
use crate::error::Result;
use crate::numerics::threads::Workers;

/// Classes up to which sums are kept for each.
const FEW: usize = 48;

/// Rows of a design that can be summed with any weights.
pub struct WeightedSums<'d> {
    design: &'d Design<'d>,
    /// Coordinates and cells; its sums are those of equal weights.
    pub base: Crossprod,
    /// Classes of weights.
    pub residual: ResidualCovariance,
    pub(crate) reader: RowReader<'d>,
    layout: SumLayout,
    /// Sums of every class, if there are few.
    by_class: Option<Vec<f64>>,
    /// What was summed last, where there are many.
    last: Mutex<AtPhi>,
    /// Row after each row in its series; only where rows are summed again.
    next: Vec<u32>,
    one_level: bool,
    workers: Workers,
}

/// The sums and their derivatives at one phi; none where the sums are empty.
#[derive(Default)]
struct AtPhi {
    phi: Vec<f64>,
    sums: Vec<f64>,
}

/// Rows whose weights are the same function of phi, and the sums over them.
#[derive(Clone, Copy, Debug)]
pub struct WeightClasses {
    /// Classes of rows, sides, neighbours and series together.
    pub classes: usize,
    /// True if the sums of every class are kept; otherwise the rows are read again at every phi.
    pub kept: bool,
    /// Elements of one set of sums.
    pub elements: usize,
}

impl<'d> WeightedSums<'d> {
    /// Prepares the rows; sums them by class if there are few classes.
    ///
    /// # Errors
    /// Those of [`Crossprod::from_design`] and of [`ResidualCovariance::new`].
    pub fn new(design: &'d Design<'d>, threads: usize) -> Result<WeightedSums<'d>> {
        let mut base = Crossprod::from_design(design, threads)?;
        let workers = Workers::new(if design.n() >= PIECE { threads } else { 1 })?;
        let residual = ResidualCovariance::new(design, &workers)?;
        tie(design, &residual, &mut base);
        let in_one = |series| design.factors.iter().all(|f| holds(series, f));
        let mut out = WeightedSums {
            design,
            residual,
            layout: SumLayout::new(&base),
            reader: RowReader::new(design, &base),
            by_class: None,
            last: Mutex::default(),
            next: Vec::new(),
            one_level: design.residual.correlation.as_ref().is_some_and(|c| in_one(&c.series)),
            workers,
            base,
        };
        if design.residual.is_empty() {
            return Ok(out);
        }
        let classes = &out.residual.classes;
        let count = classes.sizes().iter().sum::<usize>();
        if count <= FEW && !classes.mixed_blocks && count * out.layout.len <= 16 * design.n() + 100_000 {
            out.by_class = Some(sums_by_class(design, &out.pass())?);
        } else if !classes.pairs.is_empty() {
            let mut next = vec![NONE; design.n()];
            for (i, &j) in classes.series.previous.iter().enumerate().filter(|(_, j)| **j != NONE) {
                next[j as usize] = i as u32;
            }
            out.next = next;
        }
        Ok(out)
    }

    fn pass(&self) -> RowPass<'_, 'd> {
        RowPass {
            a: &self.base,
            layout: &self.layout,
            reader: &self.reader,
            residual: &self.residual,
            one_level: self.one_level,
            workers: &self.workers,
        }
    }

    /// What the residuals cost.
    pub fn weight_classes(&self) -> WeightClasses {
        WeightClasses {
            classes: self.residual.classes.sizes().iter().sum(),
            kept: self.by_class.is_some(),
            elements: self.layout.len,
        }
    }

    /// Writes the cross-products at phi into `a`, which has the cells of `base`.
    pub fn at(&self, phi: &[f64], a: &mut Crossprod) {
        self.load(phi, None, a);
        a.coordinates.weight_log_sum = self.base.coordinates.weight_log_sum - self.residual.log_det(phi).0;
    }

    /// Writes the derivative in phi[i] into `a` and returns that of log|R|.
    pub fn derivative(&self, phi: &[f64], i: usize, a: &mut Crossprod) -> f64 {
        self.load(phi, Some(i), a);
        self.residual.log_det(phi).1[i]
    }

    fn load(&self, phi: &[f64], derivative: Option<usize>, a: &mut Crossprod) {
        let len = self.layout.len;
        if let Some(classes) = &self.by_class {
            let r = &self.residual;
            let weights = derivative.map_or_else(|| r.weights(phi), |i| r.derivative(phi, i));
            let sets: Vec<(f64, &[f64])> =
                weights.all().zip(classes.chunks_exact(len)).filter(|(w, _)| *w != 0.0).collect();
            return self.layout.load(&sets, a);
        }
        // After a panic elsewhere nothing is known of what was summed last: sum again.
        let mut last = self.last.lock().unwrap_or_else(|poisoned| {
            let mut last = poisoned.into_inner();
            *last = AtPhi::default();
            self.last.clear_poison();
            last
        });
        if last.phi != phi || last.sums.is_empty() {
            *last = AtPhi { phi: phi.to_vec(), sums: sums_at(&self.pass(), &self.next, phi) };
        }
        let place = derivative.map_or(0, |i| i + 1) * len;
        self.layout.load(&[(1.0, &last.sums[place..place + len])], a);
    }

    /// Moves phi to where the squares of the least-squares residuals put it; `ratio`: variance of the random part beside
    /// that of the residuals.
    pub fn guess(&self, ratio: f64, phi: &mut [f64]) {
        let (Some(sums), c) = (&self.by_class, &self.residual.classes) else { return };
        let [rows, sides, ..] = c.sizes();
        let last = (self.base.p + 1) * (self.base.p + 1) - 1;
        let squares: Vec<f64> = sums.chunks_exact(self.layout.len).map(|b| b[last]).collect();
        let n = self.design.n() as f64;
        let random = squares[..rows].iter().sum::<f64>() / n * ratio / (1.0 + ratio);
        let logs: Vec<f64> = squares
            .iter()
            .zip(&c.row_counts)
            .map(|(s, n)| 0.5 * (s / n - random).max(0.1 * s / n).max(f64::MIN_POSITIVE).ln())
            .collect();
        self.residual.fit_scales(&logs, phi);
        if let (1, 1, Some(gap)) = (rows, sides, c.pairs.first().map(|p| p.gap)) {
            let products = squares[2] / (2.0 * c.pair_counts[0]);
            let own = squares[0] / n;
            let rho = (products - random) / (own - random).max(0.1 * own);
            self.residual.take_correlation(rho.signum() * rho.abs().powf(1.0 / gap), phi);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design::{Column, Factor, Term};

    #[test]
    fn sums_are_made_again_after_a_panic_beside_them() {
        let n = 80;
        let y: Vec<f64> = (0..n).map(|i| ((i * 37) % 17) as f64).collect();
        let s: Vec<f64> = (0..n).map(|i| ((i * 29) % 71) as f64 / 71.0).collect();
        let g: Vec<i32> = (0..n).map(|i| 1 + i % 8).collect();
        let factors = vec![Factor { codes: &g, levels: 8 }];
        let mut design = Design::new(&y, vec![Column::Constant], factors, vec![Term::new(0, vec![Column::Constant])]);
        design.residual.scale = vec![Column::Values(&s)];
        let sums = WeightedSums::new(&design, 1).unwrap();
        assert!(!sums.weight_classes().kept);
        let (mut expected, mut found) = (sums.base.clone(), sums.base.clone());
        sums.at(&[0.3], &mut expected);
        sums.at(&[-0.2], &mut found);
        std::thread::scope(|scope| {
            let spoil = scope.spawn(|| {
                let mut last = sums.last.lock().unwrap();
                last.phi = vec![0.3];
                panic!("half way");
            });
            assert!(spoil.join().is_err());
        });
        sums.at(&[0.3], &mut found);
        assert_eq!(found.gram, expected.gram);
        assert_eq!(found.factors[0].rhs, expected.factors[0].rhs);
    }
}
