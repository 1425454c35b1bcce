//! Kenward and Roger's adjusted covariance where residuals or random terms have a structure, against its definition in
//! n x n matrices: V by its elements in natural parameters (entries of Var(b), variances and correlations of a pattern,
//! log scales, rho, sigma^2), derivatives of V by differences, V^-1 by elimination.
//!
//! The engine's parameters are others; that both agree shows also that the result does not depend on the choice.
//! Tolerance: 1e-3 of the adjustment, from Hessians by differences and scores that are zero to the search's tolerance.
#![allow(clippy::needless_range_loop)]

mod oracle;

use ferrite_engine::{
    fixed_inference, Column, Correlation, Criterion, Derivatives, Design, Factor, FitOptions, KenwardRoger, Pattern,
    Problem, Serial, Status, Structured, Wanted, Watch,
};
use oracle::{Rows, Stream};

/// The method of this file, also where there is no structure.
const WANTED: Wanted = Wanted { kenward_roger: true, derivatives: Derivatives::Differences, memory: 1e9 };

type Matrix = Vec<Vec<f64>>;

/// A model with a structure.
struct Case {
    rows: Rows,
    /// Pattern of each term.
    patterns: Vec<Option<Structured>>,
    scales: Vec<Vec<f64>>,
    form: Option<Serial>,
    series: Vec<i32>,
    levels: usize,
    time: Vec<f64>,
}

impl Case {
    fn design(&self) -> Design<'_> {
        let mut design = self.rows.design();
        design.terms.iter_mut().zip(&self.patterns).for_each(|(t, p)| t.structured = *p);
        design.residual.scale = self.scales.iter().map(|s| Column::Values(s)).collect();
        design.residual.correlation = self.form.map(|form| Correlation {
            form,
            series: Factor { codes: &self.series, levels: self.levels },
            time: &self.time,
        });
        design
    }

    /// V in natural parameters.
    fn v(&self, x: &[f64]) -> Matrix {
        let n = self.rows.y.len();
        let mut v = vec![vec![0.0; n]; n];
        let mut next = 0;
        for ((f, basis), pattern) in self.rows.terms.iter().zip(&self.patterns) {
            let q = basis.len();
            let mut g = vec![vec![0.0; q]; q];
            match pattern {
                None => {
                    for c in 0..q {
                        for r in c..q {
                            (g[r][c], g[c][r]) = (x[next], x[next]);
                            next += 1;
                        }
                    }
                }
                Some(s) => {
                    let sds = if s.equal { 1 } else { q };
                    let rho = if s.pattern == Pattern::Diagonal { 0.0 } else { x[next + sds] };
                    for r in 0..q {
                        for c in 0..q {
                            let sd = |i: usize| x[next + if s.equal { 0 } else { i }].sqrt();
                            let power = if s.pattern == Pattern::Autoregressive { r.abs_diff(c) as i32 } else { 1 };
                            g[r][c] = sd(r) * sd(c) * if r == c { 1.0 } else { rho.powi(power) };
                        }
                    }
                    next += sds + usize::from(s.pattern != Pattern::Diagonal);
                }
            }
            let at = |k: usize, i: usize| if basis[k].is_empty() { 1.0 } else { basis[k][i] };
            for i in 0..n {
                for j in (0..n).filter(|&j| self.rows.codes[*f][i] == self.rows.codes[*f][j]) {
                    v[i][j] += (0..q * q).map(|k| at(k / q, i) * g[k / q][k % q] * at(k % q, j)).sum::<f64>();
                }
            }
        }
        let d = &x[next..next + self.scales.len()];
        let sigma2 = x[x.len() - 1];
        let sd = |i: usize| {
            let log: f64 = d.iter().zip(&self.scales).map(|(d, s)| d * s[i]).sum();
            log.exp() / self.rows.weights.as_ref().map_or(1.0, |w| w[i]).sqrt()
        };
        for i in 0..n {
            for j in 0..n {
                let r = match self.form {
                    _ if i == j => 1.0,
                    Some(_) if self.series[i] != self.series[j] => 0.0,
                    Some(Serial::Cs) => x[x.len() - 2],
                    Some(_) => x[x.len() - 2].powf((self.time[i] - self.time[j]).abs()),
                    None => 0.0,
                };
                v[i][j] += sigma2 * sd(i) * sd(j) * r;
            }
        }
        v
    }

    /// Natural parameters of a fit.
    fn natural(&self, theta: &[f64], sigma: f64, phi: &[f64], rho: Option<f64>) -> Vec<f64> {
        let mut x = Vec::new();
        let mut next = 0;
        for ((_, basis), pattern) in self.rows.terms.iter().zip(&self.patterns) {
            let q = basis.len();
            let mut l = vec![vec![0.0; q]; q];
            for c in 0..q {
                for r in c..q {
                    l[r][c] = theta[next];
                    next += 1;
                }
            }
            let g = |r: usize, c: usize| sigma * sigma * (0..q).map(|k| l[r][k] * l[c][k]).sum::<f64>();
            match pattern {
                None => (0..q).for_each(|c| x.extend((c..q).map(|r| g(r, c)))),
                Some(s) => {
                    x.extend((0..if s.equal { 1 } else { q }).map(|i| g(i, i)));
                    if s.pattern != Pattern::Diagonal {
                        x.push(g(0, 1) / (g(0, 0) * g(1, 1)).sqrt());
                    }
                }
            }
        }
        x.extend_from_slice(&phi[..self.scales.len()]);
        x.extend(rho);
        x.push(sigma * sigma);
        x
    }
}

fn product(a: &Matrix, b: &Matrix) -> Matrix {
    let (n, k, m) = (a.len(), b.len(), b[0].len());
    let mut out = vec![vec![0.0; m]; n];
    for i in 0..n {
        for l in 0..k {
            let f = a[i][l];
            out[i].iter_mut().zip(&b[l]).for_each(|(o, x)| *o += f * x);
        }
    }
    out
}

fn transposed(a: &Matrix) -> Matrix {
    (0..a[0].len()).map(|j| a.iter().map(|r| r[j]).collect()).collect()
}

fn combined(terms: &[(f64, &Matrix)]) -> Matrix {
    let mut out = vec![vec![0.0; terms[0].1[0].len()]; terms[0].1.len()];
    for (f, m) in terms {
        out.iter_mut().zip(*m).for_each(|(o, r)| o.iter_mut().zip(r).for_each(|(o, x)| *o += f * x));
    }
    out
}

/// a^-1 by elimination with row exchange.
fn inverse(a: &Matrix) -> Matrix {
    let n = a.len();
    let mut w: Matrix = a.iter().enumerate().map(|(i, r)| [&r[..], &unit(n, i)[..]].concat()).collect();
    for k in 0..n {
        let pivot = (k..n).max_by(|&i, &j| w[i][k].abs().total_cmp(&w[j][k].abs())).unwrap();
        w.swap(k, pivot);
        let d = w[k][k];
        w[k].iter_mut().for_each(|x| *x /= d);
        for i in (0..n).filter(|&i| i != k) {
            let (f, row) = (w[i][k], w[k].clone());
            w[i].iter_mut().zip(&row).for_each(|(x, y)| *x -= f * y);
        }
    }
    w.into_iter().map(|r| r[n..].to_vec()).collect()
}

fn unit(n: usize, i: usize) -> Vec<f64> {
    (0..n).map(|j| f64::from(u8::from(i == j))).collect()
}

fn trace(a: &Matrix, b: &Matrix) -> f64 {
    (0..a.len()).map(|i| (0..a.len()).map(|j| a[i][j] * b[j][i]).sum::<f64>()).sum()
}

struct Dense {
    phi: Matrix,
    adjusted: Matrix,
    p: Vec<Matrix>,
    w: Matrix,
}

/// Everything by its definition, with the parameters `kept` unknown and the others known.
fn dense(case: &Case, x: &[f64], kept: &[usize]) -> Dense {
    let m = kept.len();
    let moved = |moves: &[(usize, f64)]| {
        let mut at = x.to_vec();
        moves.iter().for_each(|(i, h)| at[kept[*i]] += h);
        case.v(&at)
    };
    let h: Vec<f64> = kept.iter().map(|i| 1e-3 * (x[*i].abs() + 0.05)).collect();
    let first: Vec<Matrix> = (0..m)
        .map(|i| {
            let f = 1.0 / (12.0 * h[i]);
            let v: Vec<Matrix> = [1.0, -1.0, 2.0, -2.0].iter().map(|k| moved(&[(i, k * h[i])])).collect();
            combined(&[(8.0 * f, &v[0]), (-8.0 * f, &v[1]), (-f, &v[2]), (f, &v[3])])
        })
        .collect();
    let second = |i: usize, j: usize| {
        let f = 1.0 / (4.0 * h[i] * h[j]);
        let v = |a: f64, b: f64| moved(&[(i, a * h[i]), (j, b * h[j])]);
        combined(&[(f, &v(1.0, 1.0)), (f, &v(-1.0, -1.0)), (-f, &v(1.0, -1.0)), (-f, &v(-1.0, 1.0))])
    };
    let n = case.rows.y.len();
    let column = |c: &Vec<f64>| if c.is_empty() { vec![1.0; n] } else { c.clone() };
    let xt: Matrix = case.rows.x.iter().map(column).collect();
    let vi = inverse(&case.v(x));
    let a = product(&vi, &transposed(&xt));
    let phi = inverse(&product(&xt, &a));
    let p = combined(&[(1.0, &vi), (-1.0, &product(&product(&a, &phi), &transposed(&a)))]);
    let y: Matrix = case.rows.y.iter().map(|y| vec![*y]).collect();
    let py = product(&p, &y);
    let form = |l: &Matrix, v: &Matrix, r: &Matrix| product(&transposed(l), &product(v, r));
    let turned: Vec<Matrix> = first.iter().map(|v| product(&p, v)).collect();
    let va: Vec<Matrix> = first.iter().map(|v| product(v, &a)).collect();
    let vy: Vec<Matrix> = first.iter().map(|v| product(v, &py)).collect();
    let big: Vec<Matrix> = first.iter().map(|v| combined(&[(-1.0, &form(&a, v, &a))])).collect();
    let mut hessian = vec![vec![0.0; m]; m];
    for i in 0..m {
        for j in 0..m {
            let b = second(i, j);
            hessian[i][j] = 2.0 * form(&vy[i], &p, &vy[j])[0][0] - trace(&turned[i], &turned[j]) + trace(&p, &b)
                - form(&py, &b, &py)[0][0];
        }
    }
    let w = combined(&[(2.0, &inverse(&hessian))]);
    let mut inner = vec![vec![0.0; xt.len()]; xt.len()];
    for i in 0..m {
        for j in 0..m {
            let q = form(&va[i], &vi, &va[j]);
            let bridge = form(&big[i], &phi, &big[j]);
            inner = combined(&[(1.0, &inner), (w[i][j], &q), (-w[i][j], &bridge)]);
        }
    }
    let adjusted = combined(&[(1.0, &phi), (2.0, &form(&phi, &inner, &phi))]);
    Dense { adjusted, p: big, w, phi }
}

const N: usize = 96;
const SEED: u64 = 20;

/// Twelve levels in order, crossed with four; eight occasions each with gaps, in no order.
fn base(seed: u64) -> Case {
    let mut s = Stream(seed);
    let g: Vec<i32> = (0..N).map(|i| (i / 8) as i32 + 1).collect();
    let b = across();
    let time: Vec<f64> = (0..N).map(|i| [0.0, 1.0, 2.0, 4.0, 5.0, 6.0, 8.0, 9.0][(i * 5) % 8]).collect();
    let x: Vec<f64> = (0..N).map(|i| time[i] / 3.0 - 1.5 + 0.3 * s.normal()).collect();
    let z: Vec<f64> = (0..N).map(|i| f64::from(u8::from((i / 8) % 2 == 0))).collect();
    let (u, v, e): (Vec<f64>, Vec<f64>, Vec<f64>) = (
        (0..12).map(|_| 1.5 * s.normal()).collect(),
        (0..12).map(|_| 1.4 * s.normal()).collect(),
        (0..4).map(|_| s.normal()).collect(),
    );
    // Errors with autocorrelation 0.6 a unit of time, in order of time; larger in the second half of levels.
    let mut y = vec![0.0; N];
    for k in 0..12 {
        let mut order: Vec<usize> = (k * 8..(k + 1) * 8).collect();
        order.sort_by(|a, b| time[*a].total_cmp(&time[*b]));
        let mut last: Option<(f64, f64)> = None;
        for i in order {
            let fresh = s.normal();
            let error = last.map_or(fresh, |(t, l)| {
                let r = 0.6f64.powf(time[i] - t);
                r * l + (1.0 - r * r).sqrt() * fresh
            });
            last = Some((time[i], error));
            y[i] = 5.0 + x[i] + u[k] + v[k] * x[i] + e[b[i] as usize - 1] + error * if z[i] > 0.0 { 1.0 } else { 2.0 };
        }
    }
    let one = Vec::new();
    let rows = Rows {
        y,
        x: vec![one.clone(), x.clone(), z.clone()],
        codes: vec![g.clone()],
        levels: vec![12],
        terms: vec![(0, vec![one])],
        weights: None,
    };
    Case { rows, patterns: vec![None], scales: vec![], form: None, series: g, levels: 12, time }
}

/// Levels of the factor that crosses the other.
fn across() -> Vec<i32> {
    (0..N).map(|i| 1 + ((i * 7 + i / 8) % 4) as i32).collect()
}

fn crossed(mut case: Case) -> Case {
    case.rows.codes.push(across());
    case.rows.levels.push(4);
    case.rows.terms.push((1, vec![vec![]]));
    case.patterns.push(None);
    case
}

fn slope(mut case: Case) -> Case {
    case.rows.terms[0].1 = vec![vec![], case.rows.x[1].clone()];
    case
}

fn serial(mut case: Case, form: Serial) -> Case {
    case.form = Some(form);
    case
}

fn strata(mut case: Case) -> Case {
    case.scales = vec![case.rows.x[2].clone()];
    case
}

/// Residuals of rows that alternate between four kinds, with columns for them.
fn kinds(mut case: Case, pattern: Pattern, equal: bool, seed: u64) -> Case {
    let mut s = Stream(seed);
    let effects: Vec<f64> = (0..12 * 4).map(|_| 1.2 * s.normal()).collect();
    let common: Vec<f64> = (0..12).map(|_| s.normal()).collect();
    for i in 0..N {
        case.rows.y[i] += common[i / 8] + effects[i / 8 * 4 + i % 4] * (1.0 + (i % 4) as f64 * 0.3);
    }
    let columns = (0..4).map(|k| (0..N).map(|i| f64::from(u8::from(i % 4 == k))).collect()).collect();
    case.rows.terms[0].1 = columns;
    case.patterns[0] = Some(Structured { pattern, equal });
    case
}

fn fitted(case: &Case, name: &str, status: Status) -> (KenwardRoger, Vec<f64>, Vec<f64>) {
    let design = case.design();
    let mut problem = Problem::new(&design, &FitOptions::default()).unwrap();
    let f = problem.fit(&FitOptions::default(), None, &Watch::default()).unwrap();
    assert_eq!(f.convergence.status, status, "{name}: {f:?}");
    let x = case.natural(&f.theta, f.sigma, &f.phi, f.rho);
    let pieces = fixed_inference(&mut problem, &f.theta, &f.phi, Criterion::Reml, WANTED).unwrap();
    let phi = pieces.vcov_beta.clone();
    (pieces.kenward_roger.unwrap(), phi, x)
}

fn cases() -> Vec<(&'static str, Case)> {
    let mut weighted = strata(serial(slope(base(SEED)), Serial::Ar1));
    let mut s = Stream(9);
    weighted.rows.weights = Some((0..N).map(|_| 0.5 + s.uniform()).collect());
    let mut covariate = base(SEED);
    covariate.scales = vec![covariate.rows.x[1].clone()];
    let mut three = strata(base(SEED));
    three.scales.push((0..N).map(|i| f64::from(u8::from(i % 3 == 1))).collect());
    let mut cs_residual = strata(base(SEED));
    cs_residual.form = Some(Serial::Cs);
    (cs_residual.rows.codes, cs_residual.rows.levels) = (vec![across()], vec![4]);
    let mut pair = slope(base(SEED));
    pair.patterns[0] = Some(Structured { pattern: Pattern::CompoundSymmetric, equal: false });
    let mut equal = slope(base(SEED));
    equal.patterns[0] = Some(Structured { pattern: Pattern::Diagonal, equal: true });
    let both = crossed(kinds(serial(base(SEED), Serial::Ar1), Pattern::CompoundSymmetric, true, 5));
    vec![
        ("strata", strata(base(SEED))),
        ("two scales", three),
        ("covariate of the scale", covariate),
        ("ar1 and slope", serial(slope(base(SEED)), Serial::Ar1)),
        ("car1", serial(base(SEED), Serial::Car1)),
        ("cs residual with strata", cs_residual),
        ("strata, ar1, slope, weights", weighted),
        ("strata, ar1, crossed", crossed(strata(serial(base(SEED), Serial::Ar1)))),
        ("cs of two columns", pair),
        ("equal diagonal", equal),
        ("diagonal of four", kinds(base(SEED), Pattern::Diagonal, false, 5)),
        ("cs of four", kinds(base(SEED), Pattern::CompoundSymmetric, true, 5)),
        ("ar1 of four", kinds(base(SEED), Pattern::Autoregressive, true, 5)),
        ("cs of four, ar1 residual, crossed", both),
    ]
}

#[test]
fn adjusted_covariances_and_their_pieces_are_those_of_dense_algebra() {
    for (name, case) in cases() {
        let (kr, phi, x) = fitted(&case, name, Status::Converged);
        let d = dense(&case, &x, &(0..x.len()).collect::<Vec<usize>>());
        let p = d.phi.len();
        let size = |m: &Matrix| (0..p).map(|i| (m[i][i] / d.phi[i][i] - 1.0).abs()).fold(0.0, f64::max);
        let unit = size(&d.adjusted);
        for r in 0..p {
            for c in 0..p {
                let scale = (d.phi[r][r] * d.phi[c][c]).sqrt();
                assert!((phi[r * p + c] - d.phi[r][c]).abs() < 1e-8 * scale, "{name}: phi");
                let gap = (kr.adjusted[r * p + c] - d.adjusted[r][c]).abs() / scale;
                assert!(
                    gap < 1e-3 * unit + 1e-6,
                    "{name} [{r}, {c}]: {} against {}, phi {}",
                    kr.adjusted[r * p + c],
                    d.adjusted[r][c],
                    d.phi[r][c]
                );
            }
            // What degrees of freedom rest on: the variance of a variance, and a trace.
            let m = kr.p.len();
            let ours: f64 = (0..m * m).map(|k| kr.w[k] * kr.p[k / m][r * p + r] * kr.p[k % m][r * p + r]).sum();
            let theirs: f64 = (0..d.p.len().pow(2))
                .map(|k| {
                    let (i, j) = (k / d.p.len(), k % d.p.len());
                    d.w[i][j] * d.p[i][r][r] * d.p[j][r][r]
                })
                .sum();
            assert!((ours / theirs - 1.0).abs() < 1e-3, "{name} [{r}]: {ours} against {theirs}");
        }
        // No standard error is smaller than without the adjustment.
        assert!((0..p).all(|k| kr.adjusted[k * p + k] > (1.0 - 1e-9) * phi[k * p + k]), "{name}");
    }
}

#[test]
fn a_pattern_that_is_no_restriction_changes_nothing() {
    // Two columns: (x | g), cs and ar1 with own variances are one model. 1e-4 of Phi: Hessians by differences.
    let free = fitted(&slope(base(SEED)), "free", Status::Converged);
    for pattern in [Pattern::CompoundSymmetric, Pattern::Autoregressive] {
        let mut case = slope(base(SEED));
        case.patterns[0] = Some(Structured { pattern, equal: false });
        let own = fitted(&case, "pattern", Status::Converged);
        for (a, b) in free.0.adjusted.iter().zip(&own.0.adjusted) {
            assert!((a - b).abs() < 1e-4 * free.1[0], "{pattern:?}: {a} {b}");
        }
    }
}

#[test]
fn a_model_without_structure_has_the_plain_method_but_for_the_information() {
    // A fit with plain residuals: the two methods differ in the information alone, and not by much.
    let case = slope(base(SEED));
    let (kr, phi, _) = fitted(&case, "plain", Status::Converged);
    let design = case.design();
    let mut problem = Problem::new(&design, &FitOptions::default()).unwrap();
    let f = problem.fit(&FitOptions::default(), None, &Watch::default()).unwrap();
    let exact = Wanted { derivatives: Derivatives::Either, ..WANTED };
    let plain = fixed_inference(&mut problem, &f.theta, &[], Criterion::Reml, exact).unwrap().kenward_roger.unwrap();
    for k in [0, 4, 8] {
        let (a, b) = (kr.adjusted[k] / phi[k], plain.adjusted[k] / phi[k]);
        assert!((a - b).abs() < 0.02, "[{k}]: {a} against {b}");
    }
}

#[test]
fn a_zero_variance_counts_as_known() {
    let case = serial(base(17), Serial::Car1);
    let (kr, phi, x) = fitted(&case, "zero", Status::OnBoundary);
    assert_eq!(x[0], 0.0);
    let d = dense(&case, &x, &[1, 2]);
    for k in 0..3 {
        let (ours, theirs) = (kr.adjusted[k * 4] / phi[k * 4], d.adjusted[k][k] / d.phi[k][k]);
        assert!((ours - theirs).abs() < 1e-3 * (theirs - 1.0) + 1e-6, "[{k}]: {ours} against {theirs}");
    }
}
