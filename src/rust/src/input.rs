//! R objects as borrowed slices: the seam's types are checked here, and nowhere else.
//!
//! Reads   the arguments of `.Call`, which R's `engine*.R` files have already coerced.
//! Writes  nothing: a slice points into R's memory for the length of one call.
//! Failure `internal`: what does not fit is a mistake in R's `engine*.R` files, never the user's.
//! Not here: sizes, ranges and missing values; the engine checks those.

use extendr_api::prelude::*;
use ferrite_engine::Target;

use crate::failure::Failure;

type Read<T> = std::result::Result<T, Failure>;

/// A double vector or matrix, column-major.
pub fn doubles<'a>(object: &'a Robj, what: &str) -> Read<&'a [f64]> {
    object.as_real_slice().ok_or_else(|| expected("a double vector", what, object))
}

/// A double vector, or `None` for NULL.
pub fn optional_doubles<'a>(object: &'a Robj, what: &str) -> Read<Option<&'a [f64]>> {
    if object.is_null() {
        Ok(None)
    } else {
        doubles(object, what).map(Some)
    }
}

/// An integer vector.
pub fn integers<'a>(object: &'a Robj, what: &str) -> Read<&'a [i32]> {
    object.as_integer_slice().ok_or_else(|| expected("an integer vector", what, object))
}

/// The elements of a list, in order. They keep their R objects alive, so that slices may borrow from them.
pub fn elements(object: &Robj, what: &str) -> Read<Vec<Robj>> {
    let list = object.as_list().ok_or_else(|| expected("a list", what, object))?;
    Ok(list.values().collect())
}

/// The element of a list with this name.
pub fn field(object: &Robj, name: &str) -> Read<Robj> {
    let list = object.as_list().ok_or_else(|| expected("a list", name, object))?;
    let found = list.iter().find(|(key, _)| *key == name).map(|(_, value)| value);
    found.ok_or_else(|| Failure::internal(format!("`{name}` is missing.")))
}

/// A character vector.
pub fn words<'a>(object: &'a Robj, what: &str) -> Read<Vec<&'a str>> {
    object.as_str_vector().ok_or_else(|| expected("a character vector", what, object))
}

/// One double.
pub fn number(object: &Robj, what: &str) -> Read<f64> {
    match doubles(object, what)? {
        [value] => Ok(*value),
        _ => Err(expected("one double", what, object)),
    }
}

/// One whole number that is not negative.
pub fn count(object: &Robj, what: &str) -> Read<usize> {
    match integers(object, what)? {
        [value] if *value >= 0 => Ok(*value as usize),
        _ => Err(expected("one count", what, object)),
    }
}

/// A seed of 64 bits from two integers that R drew.
pub fn seed(object: &Robj) -> Read<u64> {
    match integers(object, "seed")? {
        [high, low] => Ok((u64::from(*high as u32) << 32) | u64::from(*low as u32)),
        _ => Err(expected("two integers", "seed", object)),
    }
}

/// What a profile holds: integers kind (1 sd, 2 correlation, 3 sigma, 4 coefficient, 5 coefficient of the residual scale,
/// 6 residual correlation) and indices from 1.
pub fn target(object: &Robj) -> Read<Target> {
    let index = |i: &i32| (*i as usize).wrapping_sub(1);
    match integers(object, "target")? {
        [1, term, column] => Ok(Target::Sd { term: index(term), column: index(column) }),
        [2, term, a, b] => Ok(Target::Correlation { term: index(term), columns: (index(a), index(b)) }),
        [3] => Ok(Target::Sigma),
        [4, k] => Ok(Target::Coefficient(index(k))),
        [5, k] => Ok(Target::ResidualScale(index(k))),
        [6] => Ok(Target::ResidualCorrelation),
        _ => Err(expected("a target", "target", object)),
    }
}

/// TRUE or FALSE.
pub fn flag(object: &Robj, what: &str) -> Read<bool> {
    object.as_bool().ok_or_else(|| expected("TRUE or FALSE", what, object))
}

/// A function, or `None` for NULL.
pub fn optional_function(object: &Robj, what: &str) -> Read<Option<Function>> {
    if object.is_null() {
        return Ok(None);
    }
    object.as_function().map(Some).ok_or_else(|| expected("a function", what, object))
}

fn expected(kind: &str, what: &str, object: &Robj) -> Failure {
    Failure::internal(format!("`{what}` must be {kind}, not {:?} of length {}.", object.rtype(), object.len()))
}
