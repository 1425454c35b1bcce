//! Can the parameters of Var(y) be told from each other? Decided before the fit, from the derivatives of Var(y).
//!
//! V = Z G Z' + sigma^2 R is a smooth function of its parameters. Where the derivatives of V are linearly dependent at a
//! point that is nothing special, they are so everywhere, and the criterion is constant along curves: no search can end.
//! Each derivative is multiplied with a few random vectors; the products of matrices that are dependent are dependent, and
//! those of others are not. Restricted likelihood sees M V M alone, with M the projection off X.

use std::cmp::Ordering;

use crate::crossprod::{blocks, RowReader};
use crate::design::{Column, Correlation, Design, Serial};
use crate::error::{Element, Error, Result};
use crate::fit::problem::Problem;
use crate::numerics::random::Stream;
use crate::numerics::small;
use crate::options::Criterion;

/// Rows that are looked at first: parameters that differ on some rows differ on all.
const FEW: usize = 2000;
/// Random vectors.
const PROBES: usize = 3;
/// Element of a derivative that the others leave, below which it is made of them.
const DEPENDENT: f64 = 1e-8;

/// A parameter of Var(y).
#[derive(Clone, Copy, Debug)]
enum Name {
    Sigma,
    Phi(usize),
    /// Term and column.
    Random(usize, usize),
}

/// Derivatives times random vectors, one column a parameter.
struct Products {
    rows: Vec<usize>,
    probes: Vec<Vec<f64>>,
    /// Working columns of X by row, and the root of their cross-products.
    x: Vec<f64>,
    root: Vec<f64>,
    p: usize,
    names: Vec<Name>,
    columns: Vec<Vec<f64>>,
}

/// Refuses a problem with parameters that cannot be told apart.
pub(crate) fn check(problem: &Problem<'_>, kind: Criterion) -> Result<()> {
    let Some(design) = problem.design else { return Ok(()) };
    let n = design.n();
    let few = FEW.max(4 * problem.model.a.p);
    if n > few && dependent(problem, design, few, kind).is_none() {
        return Ok(());
    }
    match dependent(problem, design, n, kind) {
        None => Ok(()),
        Some((Name::Sigma, _)) => Ok(()),
        Some((Name::Phi(i), _)) => Err(problem.residual().flat(i)),
        Some((Name::Random(term, column), most)) => {
            let mut parts = vec![Element::new(term, column, column)];
            match most {
                Some(Name::Random(k, c)) => parts.push(Element::new(k, c, c)),
                Some(_) => parts.push(Element::SIGMA),
                None => {}
            }
            let other = parts.iter().map(|p| p.term).find(|t| *t > 0 && *t != term + 1).unwrap_or(0);
            Err(Error::Unidentified { term: term + 1, column: column + 1, reason: "flat", other, parts })
        }
    }
}

/// The first parameter whose derivative the derivatives before it make up, with the one that does most of it.
fn dependent(problem: &Problem<'_>, design: &Design<'_>, n: usize, kind: Criterion) -> Option<(Name, Option<Name>)> {
    let mut all = Products::new(problem, design, n, kind)?;
    residual_products(design, &mut all);
    random_products(problem, design, &mut all);
    all.dependent()
}

/// Derivatives in sigma^2 and phi, at unequal scales and a correlation of a half at the usual distance.
fn residual_products(d: &Design<'_>, all: &mut Products) {
    let n = all.rows.len();
    let scales = &d.residual.scale;
    let largest = |c: &Column<'_>| all.rows.iter().map(|&i| c.at(i).abs()).fold(f64::MIN_POSITIVE, f64::max);
    let phi: Vec<f64> = scales.iter().enumerate().map(|(k, c)| (0.3 + 0.1 * k as f64) / largest(c)).collect();
    let sd = |i: usize| {
        let log: f64 = scales.iter().zip(&phi).map(|(c, d)| c.at(i) * d).sum();
        log.exp() / d.weights.map_or(1.0, |w| w[i]).sqrt()
    };
    let sds: Vec<f64> = all.rows.iter().map(|&i| sd(i)).collect();
    let series = d.residual.correlation.as_ref().map(|c| Chain::new(c, &all.rows));
    let times = |derivative: bool, z: &[f64]| -> Vec<f64> {
        let scaled: Vec<f64> = z.iter().zip(&sds).map(|(z, s)| z * s).collect();
        let out = series.as_ref().map_or_else(|| scaled.clone(), |s| s.times(&scaled, derivative));
        out.iter().zip(&sds).map(|(z, s)| z * s).collect()
    };
    all.push(Name::Sigma, |z| times(false, z));
    for (k, column) in scales.iter().enumerate() {
        let s: Vec<f64> = all.rows.iter().map(|&i| column.at(i)).collect();
        all.push(Name::Phi(k), |z| {
            let inner: Vec<f64> = (0..n).map(|i| z[i] * s[i]).collect();
            let (a, b) = (times(false, z), times(false, &inner));
            (0..n).map(|i| s[i] * a[i] + b[i]).collect()
        });
    }
    if series.is_some() {
        all.push(Name::Phi(scales.len()), |z| times(true, z));
    }
}

/// Derivatives in the covariances of free terms, and in psi of the others.
fn random_products(problem: &Problem<'_>, d: &Design<'_>, all: &mut Products) {
    let a = &problem.model.a;
    let reader = RowReader::new(d, a);
    let mut block = reader.block();
    let mut values = vec![Vec::new(); d.terms.len()];
    for own in blocks(0..all.rows.len()).map(|at| &all.rows[at]) {
        reader.read_unweighted(own.len(), &|k| own[k], &mut block);
        for (k, term) in d.terms.iter().enumerate() {
            if problem.patterns[k].is_some() {
                values[k].extend(own.iter().flat_map(|&i| term.basis.iter().map(move |c| c.at(i))));
            } else {
                let (f, first, q) = problem.model.layout.terms[k];
                let rows = block.z[f].chunks_exact(a.factors[f].q).take(own.len());
                rows.for_each(|z| values[k].extend_from_slice(&z[first..first + q]));
            }
        }
    }
    for (k, term) in d.terms.iter().enumerate() {
        let q = term.basis.len();
        let factor = &d.factors[term.factor];
        let codes: Vec<usize> = all.rows.iter().map(|&i| factor.codes[i] as usize - 1).collect();
        let times = |g: &[f64], z: &[f64]| -> Vec<f64> {
            let mut sums = vec![0.0; factor.levels * q];
            for (i, &j) in codes.iter().enumerate() {
                (0..q).for_each(|c| sums[j * q + c] += values[k][i * q + c] * z[i]);
            }
            let row = |i: usize, j: usize| -> f64 {
                let own = &values[k][i * q..(i + 1) * q];
                (0..q * q).map(|x| own[x / q] * g[x] * sums[j * q + x % q]).sum()
            };
            codes.iter().enumerate().map(|(i, &j)| row(i, j)).collect()
        };
        let Some(shape) = &problem.patterns[k] else {
            for r in 0..q {
                for c in 0..=r {
                    let mut g = vec![0.0; q * q];
                    (g[r * q + c], g[c * q + r]) = (1.0, 1.0);
                    all.push(Name::Random(k, r), |z| times(&g, z));
                }
            }
            continue;
        };
        let angle = shape.place_of_rho();
        let psi: Vec<f64> =
            (0..shape.len()).map(|i| if Some(i) == angle { 0.4 } else { 0.8 + 0.13 * i as f64 }).collect();
        let (l, slopes) = shape.factor(&psi);
        for (i, slope) in slopes.iter().enumerate() {
            let mut half = vec![0.0; q * q];
            small::mul_by_transposed(&mut half, slope, &l, q, q, q, 1.0);
            let g: Vec<f64> = (0..q * q).map(|x| half[x] + half[x % q * q + x / q]).collect();
            all.push(Name::Random(k, i.min(q - 1)), |z| times(&g, z));
        }
    }
}

impl Products {
    /// Random vectors on the first `n` rows; `None` where these rows cannot bear the fixed effects.
    fn new(problem: &Problem<'_>, design: &Design<'_>, n: usize, kind: Criterion) -> Option<Products> {
        let a = &problem.model.a;
        let p = if kind == Criterion::Reml { a.p } else { 0 };
        let rows: Vec<usize> = (0..n).collect();
        let mut x = Vec::with_capacity(n * p);
        let mut root = vec![0.0; p * p];
        if p > 0 {
            let reader = RowReader::new(design, a);
            let mut block = reader.block();
            for own in blocks(0..n) {
                reader.read_xy(own.len(), &|k| own.start + k, &mut block);
                for xy in block.xy.chunks_exact(p + 1).take(own.len()) {
                    x.extend_from_slice(&xy[..p]);
                    small::mul_by_transposed(&mut root, &xy[..p], &xy[..p], p, 1, p, 1.0);
                }
            }
            if !small::cholesky(&mut root, p) {
                return None;
            }
        }
        let mut stream = Stream::new(1, 0);
        let mut out = Products { rows, probes: vec![], x, root, p, names: vec![], columns: vec![] };
        for _ in 0..PROBES {
            let z: Vec<f64> = (0..n).map(|_| stream.normal()).collect();
            let z = out.projected(z);
            out.probes.push(z);
        }
        Some(out)
    }

    /// What X leaves of a vector.
    fn projected(&self, mut v: Vec<f64>) -> Vec<f64> {
        let p = self.p;
        if p == 0 {
            return v;
        }
        for _ in 0..2 {
            let mut b = vec![0.0; p];
            for (x, v) in self.x.chunks_exact(p).zip(&v) {
                b.iter_mut().zip(x).for_each(|(b, x)| *b += x * v);
            }
            small::solve_lower(&self.root, p, &mut b, 1);
            small::solve_lower_transposed(&self.root, p, &mut b, 1);
            for (x, v) in self.x.chunks_exact(p).zip(v.iter_mut()) {
                *v -= x.iter().zip(&b).map(|(x, b)| x * b).sum::<f64>();
            }
        }
        v
    }

    fn push(&mut self, name: Name, times: impl Fn(&[f64]) -> Vec<f64>) {
        let all = self.probes.iter().flat_map(|z| {
            let whole = times(z);
            let size = norm(&whole);
            let left = self.projected(whole);
            // What is left of a derivative in the span of X is rounding.
            if norm(&left) > 1e-9 * size {
                left
            } else {
                vec![0.0; left.len()]
            }
        });
        let column = all.collect();
        self.columns.push(column);
        self.names.push(name);
    }

    /// Modified Gram-Schmidt, twice a column.
    fn dependent(mut self) -> Option<(Name, Option<Name>)> {
        for k in 0..self.columns.len() {
            let (done, rest) = self.columns.split_at_mut(k);
            let own = &mut rest[0];
            let size = norm(own);
            let mut shares = vec![0.0; k];
            for _ in 0..2 {
                for (j, other) in done.iter().enumerate() {
                    let share: f64 = own.iter().zip(other).map(|(a, b)| a * b).sum();
                    shares[j] += share;
                    own.iter_mut().zip(other).for_each(|(a, b)| *a -= share * b);
                }
            }
            let left = norm(own);
            if left.is_nan() || left <= DEPENDENT * size {
                let most = (0..k).max_by(|&i, &j| shares[i].abs().total_cmp(&shares[j].abs()));
                return Some((self.names[k], most.filter(|_| size > 0.0).map(|j| self.names[j])));
            }
            own.iter_mut().for_each(|x| *x /= left);
        }
        None
    }
}

fn norm(v: &[f64]) -> f64 {
    v.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// The correlation of some rows, in the order of their series.
struct Chain {
    /// Places among the rows, series by series, in the order of time.
    series: Vec<Vec<usize>>,
    /// Correlation with the one before, and its derivative in rho; empty under compound symmetry.
    links: Vec<Vec<(f64, f64)>>,
}

impl Chain {
    fn new(c: &Correlation<'_>, rows: &[usize]) -> Chain {
        let mut series = vec![Vec::new(); c.series.levels];
        rows.iter().enumerate().for_each(|(at, &i)| series[c.series.codes[i] as usize - 1].push(at));
        let mut links = Vec::new();
        if c.form != Serial::Cs {
            // Without times the rows stand in the order of time, one step apart.
            let time = |at: usize| c.time.get(rows[at]).copied();
            series
                .iter_mut()
                .for_each(|s| s.sort_by(|&a, &b| time(a).partial_cmp(&time(b)).unwrap_or(Ordering::Equal)));
            let gap = |w: &[usize]| time(w[1]).zip(time(w[0])).map_or(1.0, |(b, a)| b - a);
            let gaps: Vec<Vec<f64>> = series.iter().map(|s| s.windows(2).map(gap).collect()).collect();
            let mut sorted: Vec<f64> = gaps.iter().flatten().copied().collect();
            sorted.sort_by(f64::total_cmp);
            let rho = sorted.get(sorted.len() / 2).map_or(0.5, |gap| 0.5_f64.powf(1.0 / gap));
            let link = |gap: &f64| (rho.powf(*gap), gap * rho.powf(*gap) / rho);
            links = gaps.iter().map(|s| s.iter().map(link).collect()).collect();
        }
        Chain { series, links }
    }

    /// C z, or dC z: sums from both ends, each a step of rho^gap.
    fn times(&self, z: &[f64], derivative: bool) -> Vec<f64> {
        let mut out = vec![0.0; z.len()];
        for (k, own) in self.series.iter().enumerate() {
            let Some(links) = self.links.get(k) else {
                let sum: f64 = own.iter().map(|&i| z[i]).sum();
                let rho = 0.3;
                own.iter().for_each(|&i| out[i] = if derivative { sum - z[i] } else { z[i] + rho * (sum - z[i]) });
                continue;
            };
            let mut pass = |order: &mut dyn Iterator<Item = (usize, Option<(f64, f64)>)>| {
                let (mut before, mut value, mut slope) = (0.0, 0.0, 0.0);
                for (i, link) in order {
                    if let Some((r, dr)) = link {
                        slope = r * slope + dr * (value + before);
                        value = r * (value + before);
                    }
                    out[i] += if derivative { slope } else { value };
                    before = z[i];
                }
            };
            let m = own.len();
            pass(&mut (0..m).map(|s| (own[s], if s > 0 { Some(links[s - 1]) } else { None })));
            pass(&mut (0..m).rev().map(|s| (own[s], links.get(s).copied())));
            if !derivative {
                own.iter().for_each(|&i| out[i] += z[i]);
            }
        }
        out
    }
}
