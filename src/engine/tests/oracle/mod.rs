//! The criterion from its definition: dense V = W^-1 + Z Lambda Lambda' Z', no structure, no shortcut; and small designs.
// Written as in the definition, index by index.
#![allow(dead_code, clippy::needless_range_loop)]

use ferrite_engine::{Column, Criterion, Design, Factor, Term};

/// Owned rows from which designs are borrowed.
#[derive(Clone)]
pub struct Rows {
    pub y: Vec<f64>,
    pub x: Vec<Vec<f64>>,
    pub codes: Vec<Vec<i32>>,
    pub levels: Vec<usize>,
    /// Factor and columns of each term; an empty column is the constant.
    pub terms: Vec<(usize, Vec<Vec<f64>>)>,
    pub weights: Option<Vec<f64>>,
}

fn column(v: &[f64]) -> Column<'_> {
    if v.is_empty() {
        Column::Constant
    } else {
        Column::Values(v)
    }
}

impl Rows {
    pub fn design(&self) -> Design<'_> {
        let factors = self.codes.iter().zip(&self.levels).map(|(c, &levels)| Factor { codes: c, levels }).collect();
        let terms = self.terms.iter().map(|(f, b)| Term::new(*f, b.iter().map(|v| column(v)).collect()));
        let mut d = Design::new(&self.y, self.x.iter().map(|v| column(v)).collect(), factors, terms.collect());
        d.weights = self.weights.as_deref();
        d
    }

    /// The same rows with random effects of the given standard deviation added to the response.
    pub fn with_effects(mut self, sd: f64, s: &mut Stream) -> Rows {
        for (f, basis) in &self.terms {
            for v in basis {
                let b: Vec<f64> = (0..self.levels[*f]).map(|_| sd * s.normal()).collect();
                for (i, y) in self.y.iter_mut().enumerate() {
                    *y += b[self.codes[*f][i] as usize - 1] * if v.is_empty() { 1.0 } else { v[i] };
                }
            }
        }
        self
    }

    pub fn n_theta(&self) -> usize {
        self.terms.iter().map(|(_, b)| b.len() * (b.len() + 1) / 2).sum()
    }

    /// The criterion at theta in the user's basis.
    pub fn criterion(&self, theta: &[f64], kind: Criterion) -> f64 {
        let n = self.y.len();
        let weight = |i: usize| self.weights.as_ref().map_or(1.0, |w| w[i]);
        let r =
            (0..n).map(|i| (0..n).map(|j| if i == j { 1.0 / weight(i) } else { 0.0 }).collect()).collect::<Vec<_>>();
        self.criterion_with(theta, &r, kind)
    }

    /// The criterion with residuals of covariance sigma^2 r.
    pub fn criterion_with(&self, theta: &[f64], r: &[Vec<f64>], kind: Criterion) -> f64 {
        let n = self.y.len();
        let at = |v: &Vec<f64>, i: usize| if v.is_empty() { 1.0 } else { v[i] };
        let mut v = vec![vec![0.0; n]; n];
        let mut next = 0;
        for (f, basis) in &self.terms {
            let q = basis.len();
            let mut t = vec![vec![0.0; q]; q];
            for c in 0..q {
                for row in t.iter_mut().skip(c) {
                    row[c] = theta[next];
                    next += 1;
                }
            }
            for i in 0..n {
                for j in 0..n {
                    if self.codes[*f][i] == self.codes[*f][j] {
                        for k in 0..q {
                            let zi: f64 = (0..q).map(|a| at(&basis[a], i) * t[a][k]).sum();
                            let zj: f64 = (0..q).map(|a| at(&basis[a], j) * t[a][k]).sum();
                            v[i][j] += zi * zj;
                        }
                    }
                }
            }
        }
        for (row, r) in v.iter_mut().zip(r) {
            row.iter_mut().zip(r).for_each(|(v, r)| *v += r);
        }
        let log_v = cholesky(&mut v);
        let p = self.x.len();
        let mut columns: Vec<Vec<f64>> = self.x.iter().map(|c| (0..n).map(|i| at(c, i)).collect()).collect();
        columns.push(self.y.clone());
        for c in columns.iter_mut() {
            forward(&v, c);
        }
        let mut g: Vec<Vec<f64>> = (0..=p)
            .map(|i| (0..=p).map(|j| columns[i].iter().zip(&columns[j]).map(|(a, b)| a * b).sum()).collect())
            .collect();
        let log_all = cholesky(&mut g);
        let r2 = g[p][p] * g[p][p];
        let log_c = log_all - 2.0 * g[p][p].ln();
        let (nu, reml) = match kind {
            Criterion::Reml => ((n - p) as f64, 1.0),
            Criterion::Ml => (n as f64, 0.0),
        };
        log_v + reml * log_c + nu * (1.0 + (2.0 * std::f64::consts::PI * r2 / nu).ln())
    }
}

/// Cholesky in place (lower); returns the log-determinant.
fn cholesky(a: &mut [Vec<f64>]) -> f64 {
    let n = a.len();
    let mut log_det = 0.0;
    for j in 0..n {
        for k in 0..j {
            let f = a[j][k];
            for i in j..n {
                let x = a[i][k];
                a[i][j] -= x * f;
            }
        }
        let d = a[j][j].sqrt();
        log_det += 2.0 * d.ln();
        for row in a.iter_mut().skip(j) {
            row[j] /= d;
        }
    }
    log_det
}

fn forward(l: &[Vec<f64>], b: &mut [f64]) {
    for i in 0..b.len() {
        let s: f64 = (0..i).map(|k| l[i][k] * b[k]).sum();
        b[i] = (b[i] - s) / l[i][i];
    }
}

/// Repeatable numbers in (0, 1).
pub struct Stream(pub u64);

impl Stream {
    pub fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    pub fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (2.0 * std::f64::consts::PI * self.uniform()).cos()
    }

    pub fn codes(&mut self, n: usize, levels: usize) -> Vec<i32> {
        (0..n).map(|i| if i < levels { i as i32 + 1 } else { 1 + (self.uniform() * levels as f64) as i32 }).collect()
    }
}

/// One design for every kind of structure: name and rows.
pub fn designs() -> Vec<(&'static str, Rows)> {
    let mut s = Stream(7);
    let n = 90;
    let x: Vec<f64> = (0..n).map(|_| 3.0 + 2.0 * s.normal()).collect();
    let z: Vec<f64> = (0..n).map(|_| s.uniform() - 0.2).collect();
    let y: Vec<f64> = (0..n).map(|i| 40.0 + x[i] + 2.0 * s.normal()).collect();
    let weights: Vec<f64> = (0..n).map(|_| 0.5 + 2.0 * s.uniform()).collect();
    let a = s.codes(n, 11);
    let b = s.codes(n, 6);
    let c = s.codes(n, 4);
    // d: 17 levels nested in b; e: 3 levels in which b is nested.
    let half: Vec<i32> = (0..n).map(|_| 1 + (s.uniform() * 3.0) as i32).collect();
    let mut seen = Vec::new();
    let d: Vec<i32> = (0..n)
        .map(|i| {
            let key = (b[i], half[i]);
            let at = seen.iter().position(|k| *k == key).unwrap_or_else(|| {
                seen.push(key);
                seen.len() - 1
            });
            at as i32 + 1
        })
        .collect();
    let levels_d = seen.len();
    let e: Vec<i32> = b.iter().map(|b| (b + 1) / 2).collect();
    let one = Vec::new();
    let fixed = vec![one.clone(), x.clone()];
    let rows = |codes: Vec<Vec<i32>>, levels: Vec<usize>, terms: Vec<(usize, Vec<Vec<f64>>)>| Rows {
        y: y.clone(),
        x: fixed.clone(),
        codes,
        levels,
        terms,
        weights: None,
    };
    let intercept = vec![one.clone()];
    let slope = vec![one.clone(), x.clone()];
    let mut out = vec![
        ("intercept", rows(vec![a.clone()], vec![11], vec![(0, intercept.clone())])),
        ("slope", rows(vec![a.clone()], vec![11], vec![(0, slope.clone())])),
        ("slope without intercept", rows(vec![a.clone()], vec![11], vec![(0, vec![x.clone(), z.clone()])])),
        ("two terms on a factor", rows(vec![a.clone()], vec![11], vec![(0, slope.clone()), (0, vec![z.clone()])])),
        ("nested", rows(vec![d.clone(), b.clone()], vec![levels_d, 6], vec![(0, slope.clone()), (1, slope.clone())])),
        (
            "nested in three",
            rows(
                vec![d.clone(), b.clone(), e.clone()],
                vec![levels_d, 6, 3],
                vec![(0, intercept.clone()), (1, slope.clone()), (2, intercept.clone())],
            ),
        ),
        ("crossed", rows(vec![a.clone(), b.clone()], vec![11, 6], vec![(0, slope.clone()), (1, slope.clone())])),
        (
            "crossed in three",
            rows(
                vec![a.clone(), b.clone(), c.clone()],
                vec![11, 6, 4],
                vec![(0, intercept.clone()), (1, slope.clone()), (2, vec![one.clone(), z.clone()])],
            ),
        ),
        (
            "nested and crossed",
            rows(
                vec![d.clone(), b.clone(), e.clone(), a.clone(), c.clone()],
                vec![levels_d, 6, 3, 11, 4],
                vec![
                    (0, slope.clone()),
                    (1, intercept.clone()),
                    (2, slope.clone()),
                    (3, intercept.clone()),
                    (4, vec![one.clone(), z.clone()]),
                ],
            ),
        ),
    ];
    let mut nested = rows(
        vec![d.clone(), b.clone(), e.clone()],
        vec![levels_d, 6, 3],
        vec![(0, intercept.clone()), (1, intercept.clone()), (2, intercept.clone())],
    );
    out.push(("nested intercepts", nested.clone()));
    nested.weights = Some(weights.clone());
    out.push(("weighted nested intercepts", nested));
    let mut weighted = rows(vec![a.clone(), b.clone()], vec![11, 6], vec![(0, slope), (1, intercept)]);
    weighted.weights = Some(weights);
    out.push(("weighted", weighted));
    // Many columns in X take the path through large kernels.
    let mut wide = rows(vec![a, b], vec![11, 6], vec![(0, vec![one.clone()]), (1, vec![one])]);
    for k in 0..9 {
        wide.x.push((0..n).map(|i| (x[i] * (k + 2) as f64).sin()).collect());
    }
    out.push(("many columns", wide));
    out
}
