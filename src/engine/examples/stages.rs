//! Where the time goes, stage by stage: `cargo run --release --example stages -- <threads> <case> ...`.
//!
//! Each line: rows to cross-products, structure, one criterion, one criterion with gradient, and a whole fit with its
//! evaluations; the smallest of several runs, in milliseconds. Data are made up from a fixed seed, except
//! `insteval` and `insteval28`, which read columns of doubles and codes from the folder in `STAGES_DATA`.

use std::time::Instant;

use ferrite_engine::{Column, Criterion, Crossprod, Design, Factor, FitOptions, Model, Problem, Term, Watch};

/// A small generator (xorshift), enough for made-up data.
struct Rng(u64);

impl Rng {
    fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
    fn normals(&mut self, n: usize) -> Vec<f64> {
        (0..n).map(|_| self.normal()).collect()
    }
}

#[derive(Default)]
struct Data {
    y: Vec<f64>,
    x: Vec<Vec<f64>>,
    factors: Vec<(Vec<i32>, usize)>,
    /// Factor, and the columns of X (`None`: the constant).
    terms: Vec<(usize, Vec<Option<usize>>)>,
}

impl Data {
    fn design(&self) -> Design<'_> {
        let mut x = vec![Column::Constant];
        x.extend(self.x.iter().map(|c| Column::Values(c)));
        let factors = self.factors.iter().map(|(codes, levels)| Factor { codes, levels: *levels }).collect();
        let column = |c: &Option<usize>| c.map_or(Column::Constant, |c| Column::Values(&self.x[c]));
        let terms = self.terms.iter().map(|(f, basis)| Term::new(*f, basis.iter().map(column).collect())).collect();
        Design::new(&self.y, x, factors, terms)
    }

    /// `n` rows with a predictor; every level of a factor occurs (the first rows run through them).
    fn rows(n: usize, p: usize, levels: &[usize], rng: &mut Rng) -> Data {
        let x: Vec<Vec<f64>> = (0..p).map(|_| rng.normals(n)).collect();
        let factors: Vec<(Vec<i32>, usize)> = levels
            .iter()
            .map(|&j| {
                let code = |i: usize, rng: &mut Rng| if i < j { i } else { (rng.uniform() * j as f64) as usize };
                ((0..n).map(|i| 1 + code(i, rng) as i32).collect(), j)
            })
            .collect();
        Data { y: vec![0.0; n], x, factors, terms: Vec::new() }
    }

    /// y = 1 + sum x/2 + effects of standard deviation 0.7 + noise.
    fn respond(mut self, rng: &mut Rng) -> Data {
        let n = self.y.len();
        for i in 0..n {
            self.y[i] = 1.0 + 0.5 * self.x.iter().map(|c| c[i]).sum::<f64>() + rng.normal();
        }
        for (f, basis) in &self.terms {
            let (codes, levels) = &self.factors[*f];
            for c in basis {
                let b = rng.normals(*levels);
                for i in 0..n {
                    self.y[i] += 0.7 * b[codes[i] as usize - 1] * c.map_or(1.0, |c| self.x[c][i]);
                }
            }
        }
        self
    }
}

fn doubles(name: &str) -> Vec<f64> {
    bytes(name).chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect()
}

fn codes(name: &str) -> (Vec<i32>, usize) {
    let codes: Vec<i32> = bytes(name).chunks_exact(4).map(|b| i32::from_le_bytes(b.try_into().unwrap())).collect();
    let levels = *codes.iter().max().unwrap() as usize;
    (codes, levels)
}

fn bytes(name: &str) -> Vec<u8> {
    let folder = std::env::var("STAGES_DATA").expect("STAGES_DATA names the folder of the data");
    std::fs::read(std::path::Path::new(&folder).join(name)).unwrap()
}

/// Subjects and items that see the same two-level factors and their products: 8 columns each.
fn maximal(rng: &mut Rng) -> Data {
    let (subjects, items) = (56, 32);
    let n = subjects * items;
    let mut d = Data { y: vec![0.0; n], x: vec![vec![0.0; n]; 7], ..Data::default() };
    let (mut s, mut t) = (Vec::new(), Vec::new());
    for i in 0..n {
        let (subject, item) = (i / items, i % items);
        s.push(1 + subject as i32);
        t.push(1 + item as i32);
        let cell = (subject + item) % 8;
        for k in 1..8usize {
            let sign = if (k & cell).count_ones() % 2 == 0 { 1.0 } else { -1.0 };
            d.x[k - 1][i] = sign;
        }
    }
    d.factors = vec![(s, subjects), (t, items)];
    let all: Vec<Option<usize>> = std::iter::once(None).chain((0..7).map(Some)).collect();
    d.terms = vec![(0, all.clone()), (1, all)];
    for i in 0..n {
        d.y[i] = 5.0 + 0.3 * d.x.iter().map(|c| c[i]).sum::<f64>() + rng.normal();
    }
    for (f, basis) in &d.terms {
        for c in basis {
            // The intercepts vary most, as they do in such experiments.
            let size = if c.is_none() { 0.6 } else { 0.12 };
            let b = rng.normals(d.factors[*f].1);
            for i in 0..n {
                d.y[i] += size * b[d.factors[*f].0[i] as usize - 1] * c.map_or(1.0, |c| d.x[c][i]);
            }
        }
    }
    d
}

fn case(name: &str) -> Data {
    let rng = &mut Rng(0x9E37_79B9_7F4A_7C15);
    let mut d;
    match name {
        "sleep" => {
            d = Data::rows(180, 1, &[18], rng);
            d.terms = vec![(0, vec![None, Some(0)])];
            for i in 0..180 {
                (d.x[0][i], d.factors[0].0[i]) = ((i % 10) as f64, 1 + (i / 10) as i32);
            }
        }
        "one" => {
            d = Data::rows(1_000_000, 1, &[10_000], rng);
            d.terms = vec![(0, vec![None])];
        }
        "slope" => {
            d = Data::rows(1_000_000, 1, &[10_000], rng);
            d.terms = vec![(0, vec![None, Some(0)])];
        }
        "groups" => {
            d = Data::rows(5_000_000, 1, &[500_000], rng);
            d.terms = vec![(0, vec![None])];
        }
        "small" => {
            d = Data::rows(500_000, 1, &[125_000], rng);
            d.terms = vec![(0, vec![None, Some(0)])];
        }
        "nested" => {
            d = Data::rows(1_000_000, 1, &[100_000, 1_000], rng);
            for i in 0..1_000_000 {
                d.factors[1].0[i] = 1 + (d.factors[0].0[i] - 1) / 100;
            }
            d.terms = vec![(0, vec![None]), (1, vec![None])];
        }
        "crossed" => {
            d = Data::rows(500_000, 1, &[10_000, 2_000], rng);
            d.terms = vec![(0, vec![None]), (1, vec![None])];
        }
        "crossed3" => {
            d = Data::rows(200_000, 1, &[10_000, 3_000], rng);
            d.terms = vec![(0, vec![None]), (1, vec![None])];
        }
        "weak" => {
            d = Data::rows(150_000, 1, &[700, 300], rng);
            d.terms = vec![(0, vec![None, Some(0)]), (1, vec![None])];
            for i in 0..150_000 {
                let (g, h) = (d.factors[0].0[i] % 17, d.factors[1].0[i] % 13);
                d.y[i] = d.x[0][i] + 0.01 * f64::from(g) + 0.02 * f64::from(h) + rng.normal();
            }
            return d;
        }
        "huge" => {
            d = Data::rows(5_000_000, 1, &[100_000, 10_000], rng);
            d.terms = vec![(0, vec![None]), (1, vec![None])];
        }
        "wide" => {
            d = Data::rows(1_000_000, 49, &[10_000], rng);
            d.terms = vec![(0, vec![None])];
        }
        "maximal" => return maximal(rng),
        "insteval" | "insteval28" => {
            d = Data { y: doubles("inst_y.bin"), ..Data::default() };
            d.factors = vec![codes("inst_s.bin"), codes("inst_d.bin"), codes("inst_dept.bin")];
            d.terms = vec![(0, vec![None]), (1, vec![None]), (2, vec![None])];
            d.x = vec![doubles("inst_service.bin")];
            if name == "insteval28" {
                d.factors.pop();
                d.terms.pop();
                d.x = doubles("inst_x.bin").chunks_exact(d.y.len()).skip(1).map(<[f64]>::to_vec).collect();
            }
            return d;
        }
        _ => panic!("no case {name}"),
    }
    d.respond(rng)
}

/// Seconds: of this thread on a processor where the system says so and nothing runs beside it, else by the clock.
fn seconds(threads: usize, begin: Instant) -> f64 {
    let spent = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let spent = spent.and_then(|s| s.split(' ').next().and_then(|x| x.parse::<f64>().ok()));
    match spent {
        Some(ns) if threads == 1 => 1e-9 * ns,
        _ => begin.elapsed().as_secs_f64(),
    }
}

/// Smallest time of runs that take about `budget` seconds together, in milliseconds.
fn least<T>(threads: usize, budget: f64, mut f: impl FnMut() -> T) -> (f64, T) {
    let (begin, mut best, mut runs) = (Instant::now(), f64::INFINITY, 0);
    loop {
        let at = seconds(threads, begin);
        let out = f();
        best = best.min(seconds(threads, begin) - at);
        runs += 1;
        if runs >= 3 && begin.elapsed().as_secs_f64() > budget || begin.elapsed().as_secs_f64() > 3.0 * budget {
            return (1e3 * best, out);
        }
    }
}

fn main() {
    ferrite_engine::init();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let threads: usize = args.first().and_then(|a| a.parse().ok()).expect("stages <threads> <case> ...");
    let budget = std::env::var("STAGES_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(1.0);
    let options = FitOptions { threads, ..FitOptions::default() };
    println!("case        sums     new   value    grad |  search   estim    fit evals steps status, criterion");
    for name in &args[1..] {
        let data = case(name);
        let design = data.design();
        let (sums, a) = least(threads, budget, || Crossprod::from_design(&design, threads).unwrap());
        let (new, mut model) = least(threads, budget, || Model::new(a.clone(), &options).unwrap());
        let theta: Vec<f64> = data
            .terms
            .iter()
            .flat_map(|(_, b)| {
                (0..b.len()).flat_map(move |c| (c..b.len()).map(move |r| if r == c { 0.5 } else { 0.0 }))
            })
            .collect();
        let mut g = vec![0.0; theta.len()];
        // Another point each time: the model keeps the last one.
        let mut step = 0.0;
        let mut moved = || {
            step += 1e-6;
            theta.iter().map(|x| x * (1.0 + step)).collect::<Vec<f64>>()
        };
        let (value, _) = least(threads, budget, || model.criterion(&moved(), Criterion::Reml).unwrap());
        let (grad, _) = least(threads, budget, || model.gradient(&moved(), Criterion::Reml, &mut g).unwrap());
        let mut problem = Problem::from_sums(a, &options).unwrap();
        let (fit, out) = least(threads, budget, || problem.fit(&options, None, &Watch::default()).unwrap());
        let c = &out.convergence;
        println!(
            "{name:10} {sums:6.2} {new:7.3} {value:7.3} {grad:7.3} | {:7.3} {:7.3} {fit:7.3} {:4} {:4} {} {:.9}",
            1e3 * out.timing.optimise,
            1e3 * out.timing.estimates,
            c.evaluations,
            c.iterations,
            c.status.name(),
            out.criterion
        );
    }
}
