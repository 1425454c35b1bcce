//! Time of each stage of a fit, for each structure: read, structure, value, gradient, curvature, fit, kenward-roger.

use criterion::{criterion_group, criterion_main, Criterion as Bench};
use ferrite_engine::{
    fit, fixed_inference, init, Criterion, Crossprod, Derivatives, FitOptions, Problem, Structure, Wanted, Watch,
};
use ferrite_engine_bench::all;
use std::hint::black_box;
use std::time::Duration;

const KIND: Criterion = Criterion::Reml;

fn stages(bench: &mut Bench) {
    init();
    let threads = std::env::var("FERRITE_BENCH_THREADS").ok().and_then(|t| t.parse().ok()).unwrap_or(1);
    let options = FitOptions { criterion: KIND, threads, ..FitOptions::default() };
    for rows in all() {
        let design = rows.design();
        let sums = || Crossprod::from_design(&design, threads).unwrap();
        let (found, mut model) = fit(&design, &options, &Watch::default()).unwrap();
        let theta = found.theta;
        // The model remembers the point that it was evaluated at last.
        let near: Vec<f64> = theta.iter().map(|t| t * 1.01).collect();
        let mut slope = vec![0.0; theta.len()];

        let mut group = bench.benchmark_group(rows.name);
        group.bench_function("read", |b| b.iter(sums));
        let a = sums();
        let (_, dense) = Structure::new(&a, options.memory).unwrap().trailing_fill();
        assert!(!dense || !rows.name.contains("sparse"), "{}: the trailing matrix is dense", rows.name);
        group.bench_function("structure", |b| b.iter(|| Structure::new(black_box(&a), options.memory).unwrap()));
        group.bench_function("value", |b| b.iter(|| model.criterion(black_box(&near), KIND).unwrap()));
        group.bench_function("gradient", |b| {
            let mut turn = 0;
            b.iter(|| {
                turn += 1;
                model.gradient(if turn % 2 == 0 { &theta } else { &near }, KIND, &mut slope).unwrap()
            })
        });
        model.gradient(&theta, KIND, &mut slope).unwrap();
        group.bench_function("curvature", |b| b.iter(|| model.curvature_at(&theta, KIND).unwrap()));
        group.bench_function("fit", |b| b.iter(|| fit(&design, &options, &Watch::default()).unwrap()));
        let mut tested = Problem::from_sums(sums(), &options).unwrap();
        let wanted = Wanted { kenward_roger: true, derivatives: Derivatives::Exact, memory: options.memory };
        if fixed_inference(&mut tested, &theta, &[], KIND, wanted).unwrap().refused.is_none() {
            group.bench_function("kenward-roger", |b| {
                b.iter(|| fixed_inference(&mut tested, &theta, &[], KIND, wanted).unwrap())
            });
        }
        group.finish();
    }
}

fn settings() -> Bench {
    Bench::default().sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2))
}

criterion_group! { name = benches; config = settings(); targets = stages }
criterion_main!(benches);
