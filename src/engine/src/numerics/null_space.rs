//! Null vectors of a positive semidefinite matrix, by Cholesky's factorisation with pivots.

/// A basis of the null space of `f` (symmetric, unit diagonal, by rows): the factorisation ends where no parameter keeps
/// more than its limit of its diagonal element, and each that is left is a combination of those before.
pub fn null_vectors(mut f: Vec<f64>, limits: &[f64]) -> Vec<Vec<f64>> {
    let n = limits.len();
    let mut order: Vec<usize> = (0..n).collect();
    let mut rank = 0;
    while rank < n {
        let left = |i: usize| f[order[i] * (n + 1)];
        let open = (rank..n).filter(|&i| left(i) > limits[order[i]]);
        let Some(at) = open.max_by(|&i, &j| left(i).total_cmp(&left(j))) else { break };
        order.swap(rank, at);
        let k = order[rank];
        let root = f[k * n + k].sqrt();
        let mut row = vec![0.0; n];
        order[rank..].iter().for_each(|&i| row[i] = f[k * n + i] / root);
        for &i in &order[rank + 1..] {
            f[i * n..(i + 1) * n].iter_mut().zip(&row).for_each(|(x, r)| *x -= row[i] * r);
        }
        // The row of L' takes the place of what it came from.
        f[k * n..(k + 1) * n].copy_from_slice(&row);
        rank += 1;
    }
    let vector = |&end: &usize| {
        let mut out = vec![0.0; n];
        out[end] = 1.0;
        for r in (0..rank).rev() {
            let k = order[r];
            let later: f64 = order[r + 1..rank].iter().map(|&i| f[k * n + i] * out[i]).sum();
            out[k] = -(f[k * n + end] + later) / f[k * n + k];
        }
        out
    };
    order[rank..].iter().map(vector).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_of_full_rank_has_none_and_a_sum_of_two_is_found() {
        assert!(null_vectors(vec![1.0, 0.5, 0.5, 1.0], &[1e-10; 2]).is_empty());
        // Three unit vectors in a plane, c = (a + b) / |a + b|, by hand.
        let s = 0.5_f64.sqrt();
        let found = null_vectors(vec![1.0, 0.0, s, 0.0, 1.0, s, s, s, 1.0], &[1e-10; 3]);
        assert_eq!(found.len(), 1);
        let v = &found[0];
        assert!((v[0] / v[2] + s).abs() < 1e-14 && (v[1] / v[2] + s).abs() < 1e-14, "{v:?}");
    }
}
