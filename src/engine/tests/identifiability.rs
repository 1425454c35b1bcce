//! Whether variances can be told apart is decided from the design, before the search.
//!
//! Source: the definition. Parameters are identified if and only if the matrices M B_i M are linearly independent, with
//! B_i the derivatives of Var(y) and M the projection off X: here dense, row by row, and by Gram-Schmidt. The restricted
//! likelihood of dense matrices does not change along the directions that are refused.
// Written as in the definition, index by index.
#![allow(clippy::needless_range_loop)]

mod oracle;

use ferrite_engine::{check_identified, fit, Criterion, Element, Error, FitOptions, Watch};
use oracle::{designs, Rows, Stream};

/// A random term: its factor and its columns.
type Columns = (usize, Vec<Vec<f64>>);

type Square = Vec<f64>;

/// The parameters, and the derivatives of Var(y).
fn derivatives(rows: &Rows) -> Vec<(Element, Square)> {
    let n = rows.y.len();
    let weight = |i: usize| rows.weights.as_ref().map_or(1.0, |w| w[i]);
    let at = |v: &Vec<f64>, i: usize| if v.is_empty() { 1.0 } else { v[i] };
    let mut residual = vec![0.0; n * n];
    (0..n).for_each(|i| residual[i * n + i] = 1.0 / weight(i));
    let mut out = vec![(Element::SIGMA, residual)];
    for (k, (f, basis)) in rows.terms.iter().enumerate() {
        for b in 0..basis.len() {
            for a in b..basis.len() {
                let mut v = vec![0.0; n * n];
                for i in 0..n {
                    for j in 0..n {
                        if rows.codes[*f][i] == rows.codes[*f][j] {
                            let both = at(&basis[a], i) * at(&basis[b], j) + at(&basis[b], i) * at(&basis[a], j);
                            v[i * n + j] = if a == b { 0.5 * both } else { both };
                        }
                    }
                }
                out.push((Element::new(k, a, b), v));
            }
        }
    }
    out
}

/// An orthonormal basis of what X leaves, n - p vectors.
fn contrasts(rows: &Rows) -> Vec<Vec<f64>> {
    let n = rows.y.len();
    let mut all: Vec<Vec<f64>> = rows.x.iter().map(|c| if c.is_empty() { vec![1.0; n] } else { c.clone() }).collect();
    all.extend((0..n).map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect()));
    let mut done: Vec<Vec<f64>> = Vec::new();
    let mut kept = Vec::new();
    for (k, mut v) in all.into_iter().enumerate() {
        let before = dot(&v, &v).sqrt();
        for _ in 0..2 {
            for u in &done {
                let share = dot(u, &v);
                v.iter_mut().zip(u).for_each(|(v, u)| *v -= share * u);
            }
        }
        let size = dot(&v, &v).sqrt();
        if size > 1e-9 * before {
            v.iter_mut().for_each(|x| *x /= size);
            if k >= rows.x.len() {
                kept.push(v.clone());
            }
            done.push(v);
        }
    }
    kept
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// K' V K.
fn seen(v: &Square, k: &[Vec<f64>]) -> Square {
    let n = k.first().map_or(0, Vec::len);
    let vk: Vec<Vec<f64>> = k.iter().map(|c| (0..n).map(|i| dot(&v[i * n..(i + 1) * n], c)).collect()).collect();
    k.iter().flat_map(|a| vk.iter().map(move |b| dot(a, b))).collect()
}

/// Null vectors of a list of matrices, by Gram-Schmidt with the largest remainder first. `gap` gets the smallest
/// remainder that was kept, beside the length of its matrix.
fn null_vectors(all: &[Square], gap: &mut f64) -> Vec<Vec<f64>> {
    let m = all.len();
    let sizes: Vec<f64> = all.iter().map(|v| dot(v, v).sqrt().max(1e-300)).collect();
    let mut left: Vec<Square> = (0..m).map(|i| all[i].iter().map(|x| x / sizes[i]).collect()).collect();
    // How each remainder is made of the matrices.
    let mut made: Vec<Vec<f64>> =
        (0..m).map(|i| (0..m).map(|j| if i == j { 1.0 / sizes[i] } else { 0.0 }).collect()).collect();
    let mut open: Vec<usize> = (0..m).collect();
    *gap = 1.0;
    while let Some(at) = (0..open.len())
        .max_by(|&i, &j| dot(&left[open[i]], &left[open[i]]).total_cmp(&dot(&left[open[j]], &left[open[j]])))
    {
        let size = dot(&left[open[at]], &left[open[at]]).sqrt();
        if size < 1e-9 {
            return open.iter().map(|&i| made[i].clone()).collect();
        }
        *gap = gap.min(size);
        let k = open.swap_remove(at);
        let (unit, own): (Square, Vec<f64>) =
            (left[k].iter().map(|x| x / size).collect(), made[k].iter().map(|x| x / size).collect());
        for _ in 0..2 {
            for &i in &open {
                let share = dot(&unit, &left[i]);
                left[i].iter_mut().zip(&unit).for_each(|(x, u)| *x -= share * u);
                made[i].iter_mut().zip(&own).for_each(|(x, u)| *x -= share * u);
            }
        }
    }
    Vec::new()
}

/// Minus twice the restricted log-likelihood of contrasts with the covariance matrix `v`.
fn restricted(v: &Square, z: &[f64]) -> f64 {
    let n = z.len();
    let (mut l, mut x) = (v.clone(), z.to_vec());
    let mut out = 0.0;
    for j in 0..n {
        let d = (l[j * n + j] - (0..j).map(|k| l[j * n + k].powi(2)).sum::<f64>()).sqrt();
        assert!(d > 0.0);
        l[j * n + j] = d;
        for i in j + 1..n {
            l[i * n + j] = (l[i * n + j] - (0..j).map(|k| l[i * n + k] * l[j * n + k]).sum::<f64>()) / d;
        }
        x[j] = (x[j] - (0..j).map(|k| l[j * n + k] * x[k]).sum::<f64>()) / d;
        out += 2.0 * d.ln() + x[j] * x[j];
    }
    out
}

/// Change of the restricted criterion on both sides of a point inside, along a direction.
fn change(matrices: &[Square], parts: &[Element], direction: &[f64], z: &[f64]) -> f64 {
    let n = z.len();
    let sum = |weights: &[f64]| -> Square {
        let mut v = vec![0.0; n * n];
        for (b, w) in matrices.iter().zip(weights) {
            v.iter_mut().zip(b).for_each(|(v, b)| *v += w * b);
        }
        v
    };
    let here: Vec<f64> = parts.iter().map(|p| f64::from(u8::from(p.row == p.column))).collect();
    let largest = direction.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
    let f = |step: f64| {
        let moved: Vec<f64> = here.iter().zip(direction).map(|(h, d)| h + step * d / largest).collect();
        restricted(&sum(&moved), z)
    };
    let base = f(0.0);
    (f(0.2) - base).abs().max((f(-0.2) - base).abs())
}

fn spread(s: &mut Stream, n: usize) -> Vec<f64> {
    (0..n).map(|_| s.normal()).collect()
}

/// A small design: what is constant within levels, nested, seen once, or an alias, and what is ordinary.
fn random_design(s: &mut Stream, kind: usize) -> Rows {
    let n = 8 + (s.uniform() * 18.0) as usize;
    let levels = 3 + (s.uniform() * 4.0) as usize;
    let g = s.codes(n, levels);
    let by_level =
        |values: &[f64], codes: &[i32]| -> Vec<f64> { codes.iter().map(|&c| values[c as usize - 1]).collect() };
    let (x, z) = (spread(s, n), spread(s, n));
    let binary: Vec<f64> = (0..levels).map(|j| f64::from(u8::from(j % 2 == 0))).collect();
    let values = spread(s, levels);
    let two = by_level(&binary, &g);
    let many = by_level(&values, &g);
    let number = 3 + (s.uniform() * 3.0) as usize;
    let crossed = s.codes(n, number);
    let nested: Vec<i32> = {
        let mut seen: Vec<(i32, i32)> = Vec::new();
        (0..n)
            .map(|i| {
                let key = (g[i], (s.uniform() * 2.0) as i32);
                let at = seen.iter().position(|k| *k == key);
                at.unwrap_or_else(|| {
                    seen.push(key);
                    seen.len() - 1
                }) as i32
                    + 1
            })
            .collect()
    };
    let own: Vec<i32> = (0..n as i32).map(|i| i + 1).collect();
    let nearly: Vec<i32> = (0..n as i32).map(|i| i.max(1)).collect();
    let renamed: Vec<i32> = g.iter().map(|c| levels as i32 + 1 - c).collect();
    let other: Vec<f64> = two.iter().map(|v| 1.0 - v).collect();
    let flag: Vec<f64> = (0..n).map(|i| f64::from(u8::from(i % 2 == 0))).collect();
    let one: Vec<f64> = Vec::new();
    let (codes, terms): (Vec<Vec<i32>>, Vec<Columns>) = match kind {
        0 => (vec![g], vec![(0, vec![one.clone(), two])]),
        1 => (vec![g], vec![(0, vec![one.clone(), many])]),
        2 => (vec![nested, g], vec![(0, vec![one.clone()]), (1, vec![one.clone()])]),
        3 => (vec![own], vec![(0, vec![one.clone(), x.clone()])]),
        4 => (vec![nearly], vec![(0, vec![one.clone(), x.clone()])]),
        5 => (vec![g, renamed], vec![(0, vec![one.clone()]), (1, vec![one.clone(), x.clone()])]),
        6 => (vec![g], vec![(0, vec![two, other]), (0, vec![one.clone()])]),
        7 => (vec![g], vec![(0, vec![one.clone()]), (0, vec![two]), (0, vec![other])]),
        8 => (vec![g], vec![(0, vec![one.clone(), x.clone()])]),
        9 => (vec![g, crossed], vec![(0, vec![one.clone(), x.clone()]), (1, vec![one.clone()])]),
        10 => (vec![nested, g], vec![(0, vec![one.clone(), two]), (1, vec![one.clone()])]),
        11 => (vec![g], vec![(0, vec![one.clone(), x.clone(), z.clone()])]),
        12 => (vec![g, crossed], vec![(0, vec![one.clone(), flag.clone()]), (1, vec![flag])]),
        _ => (vec![g, crossed, nested], (0..3).map(|f| (f, vec![one.clone()])).collect()),
    };
    let levels = codes.iter().map(|c| *c.iter().max().unwrap() as usize).collect();
    let mut fixed = vec![one];
    if s.uniform() < 0.6 {
        fixed.push(if s.uniform() < 0.5 { x } else { z });
    }
    let weights = (s.uniform() < 0.3).then(|| (0..n).map(|_| 0.3 + s.uniform()).collect());
    Rows { y: spread(s, n), x: fixed, codes, levels, terms, weights }
}

#[test]
fn the_verdict_on_a_thousand_designs_is_that_of_the_dense_rank() {
    let mut s = Stream(11);
    let (mut refused, mut accepted) = (0, 0);
    while refused + accepted < 1000 {
        let rows = random_design(&mut s, (refused + accepted) % 14);
        let verdict = check_identified(&rows.design(), &FitOptions::default());
        if matches!(verdict, Err(Error::RankRandom { .. } | Error::NoResidualDf { .. })) {
            continue;
        }
        let k = contrasts(&rows);
        let (parts, all): (Vec<Element>, Vec<Square>) = derivatives(&rows).into_iter().unzip();
        let all: Vec<Square> = all.iter().map(|v| seen(v, &k)).collect();
        let z: Vec<f64> = k.iter().map(|c| dot(c, &rows.y)).collect();
        let mut gap = 0.0;
        let null = null_vectors(&all, &mut gap);
        // Between rounding and a difference that anything could see there is nothing to decide.
        if gap < 1e-4 {
            continue;
        }
        let name = format!("{:?} {:?}", rows.terms, rows.codes);
        match verdict {
            Ok(()) => {
                assert!(null.is_empty(), "accepted, with a null direction {null:?} in {parts:?}: {name}");
                accepted += 1;
            }
            Err(Error::Unidentified { parts: named, .. }) => {
                assert!(!null.is_empty(), "refused, gap {gap}: {name}");
                // Those that are named have a flat direction of their own, and the criterion is constant along it.
                let own: Vec<usize> = (0..parts.len()).filter(|&i| named.contains(&parts[i])).collect();
                assert_eq!(own.len(), named.len(), "{named:?}");
                let matrices: Vec<Square> = own.iter().map(|&i| all[i].clone()).collect();
                let null = null_vectors(&matrices, &mut gap);
                assert!(!null.is_empty(), "{named:?}: {name}");
                let mut direction = vec![0.0; parts.len()];
                own.iter().zip(&null[0]).for_each(|(&i, x)| direction[i] = *x);
                let moved = change(&all, &parts, &direction, &z);
                assert!(moved < 1e-9, "{moved} along {direction:?} in {parts:?}: {name}");
                refused += 1;
            }
            Err(e) => panic!("{e:?}: {name}"),
        }
    }
    assert!(refused > 300 && accepted > 300, "{refused} refused, {accepted} accepted");
}

#[test]
fn every_ordinary_structure_is_identified() {
    for (name, rows) in designs() {
        assert_eq!(check_identified(&rows.design(), &FitOptions::default()), Ok(()), "{name}");
    }
}

/// 12 levels of 4 rows, a column that is constant within levels with two values.
fn constant_within() -> Rows {
    let n = 48;
    let mut s = Stream(5);
    let g: Vec<i32> = (0..n).map(|i| i / 4 + 1).collect();
    let two: Vec<f64> = g.iter().map(|c| f64::from(c % 2)).collect();
    let y = (0..n as usize).map(|i| two[i] + s.normal() + 0.7 * f64::from(g[i] % 5)).collect();
    let terms = vec![(0, vec![Vec::new(), two])];
    Rows { y, x: vec![Vec::new()], codes: vec![g], levels: vec![12], terms, weights: None }
}

#[test]
fn no_start_and_no_criterion_fits_what_is_not_identified() {
    let rows = constant_within();
    let three = |term| [(0, 0), (1, 0), (1, 1)].map(|(a, b)| Element::new(term, a, b)).to_vec();
    for criterion in [Criterion::Reml, Criterion::Ml] {
        for start in [None, Some(vec![1.0, 0.0, 1.0]), Some(vec![0.2, -0.5, 0.0])] {
            let options = FitOptions { criterion, start, ..Default::default() };
            match fit(&rows.design(), &options, &Watch::default()).err() {
                Some(Error::Unidentified { reason: "flat", term: 1, other: 0, parts, .. }) => {
                    // v11 can stay: where the column is one, v11 + 2 v12 + v22 is all that there is.
                    assert!(parts.iter().all(|p| three(0).contains(p)) && parts.contains(&Element::new(0, 1, 0)));
                    assert!(!parts.contains(&Element::new(0, 0, 0)), "{parts:?}");
                }
                other => panic!("{other:?}"),
            }
        }
    }
    // With a column for each of the two kinds of levels and no covariance it is the same model, identified.
    let mut split = rows.clone();
    let two = rows.terms[0].1[1].clone();
    let other: Vec<f64> = two.iter().map(|v| 1.0 - v).collect();
    split.terms = vec![(0, vec![two]), (0, vec![other])];
    assert!(fit(&split.design(), &FitOptions::default(), &Watch::default()).is_ok());
}

#[test]
fn units_and_weights_of_many_sizes_do_not_change_the_verdict() {
    let mut s = Stream(23);
    let n = 60;
    let g: Vec<i32> = (0..n).map(|i| i / 6 + 1).collect();
    let x: Vec<f64> = (0..n).map(|i| f64::from(i % 6)).collect();
    let y: Vec<f64> = (0..n as usize).map(|i| x[i] + s.normal() + f64::from(g[i] % 3)).collect();
    let weights: Vec<f64> = (0..n).map(|_| 10f64.powf(24.0 * (s.uniform() - 0.5))).collect();
    for (unit, shift) in [(1.0, 0.0), (1e-9, 0.0), (1e9, 0.0), (1.0, 1e4), (1e-3, 1e6)] {
        let column: Vec<f64> = x.iter().map(|v| unit * (v + shift)).collect();
        for weights in [None, Some(weights.clone())] {
            let terms = vec![(0, vec![Vec::new(), column.clone()])];
            let rows = Rows {
                y: y.clone(),
                x: vec![Vec::new(), column.clone()],
                codes: vec![g.clone()],
                levels: vec![10],
                terms,
                weights: weights.clone(),
            };
            let weighted = weights.is_some();
            assert_eq!(check_identified(&rows.design(), &FitOptions::default()), Ok(()), "{unit} {shift} {weighted}");
            let mut flat = rows.clone();
            let two: Vec<f64> = g.iter().map(|c| unit * (f64::from(c % 2) + shift)).collect();
            flat.terms[0].1[1] = two;
            let verdict = check_identified(&flat.design(), &FitOptions::default());
            assert!(matches!(verdict, Err(Error::Unidentified { .. })), "{unit} {shift} {weighted}: {verdict:?}");
        }
    }
}

#[test]
fn more_parameters_than_products_of_rows_are_refused_without_a_fit() {
    // 34 columns over 10 levels of 8 rows: 595 parameters, 360 products.
    let mut s = Stream(3);
    let n = 80;
    let g: Vec<i32> = (0..n).map(|i| i / 8 + 1).collect();
    let basis: Vec<Vec<f64>> = (0..34).map(|_| spread(&mut s, n as usize)).collect();
    let y = spread(&mut s, n as usize);
    let rows =
        Rows { y, x: vec![Vec::new()], codes: vec![g], levels: vec![10], terms: vec![(0, basis)], weights: None };
    let begin = std::time::Instant::now();
    let e = check_identified(&rows.design(), &FitOptions::default()).err().unwrap();
    assert!(matches!(e, Error::Unidentified { term: 1, reason: "few", .. }), "{e:?}");
    assert!(begin.elapsed().as_secs_f64() < 1.0);
}
