//! Failures cross to R as values: `list(failure = list(class, message, data))`.
//!
//! Reads   an engine error, a misread argument or a caught panic.
//! Writes  the list that R's `call_engine()` turns into a classed condition.
//! Why     extendr 0.9 gives an `Err` to `Rf_error` as its *format*: a percent sign in the text crashes R. So nothing
//!         here returns `Err` to extendr, and no panic leaves [`guard`].
//! Not here: the user's variable names; R knows them, Rust speaks in indices.

use std::any::Any;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Once;

use extendr_api::prelude::*;
use ferrite_engine::Value;

/// What went wrong: the condition's class without its `ferrite_error_` prefix, one sentence, and named scalars.
#[derive(Debug)]
pub struct Failure {
    class: &'static str,
    message: String,
    data: Vec<(&'static str, Value)>,
}

impl Failure {
    /// A mistake of ours, not of the user: R sent what the seam does not allow, or the engine broke its word.
    pub fn internal(message: impl Into<String>) -> Self {
        Self { class: "internal", message: message.into(), data: Vec::new() }
    }

    /// True if the user asked to stop.
    pub fn is_interrupt(&self) -> bool {
        self.class == "interrupted"
    }

    /// A caught panic: its text, as an internal failure.
    pub fn from_panic(payload: Box<dyn Any + Send>) -> Self {
        let text = match payload.downcast_ref::<&str>() {
            Some(text) => Some((*text).to_string()),
            None => payload.downcast_ref::<String>().cloned(),
        };
        Self::internal(text.unwrap_or_else(|| "The engine stopped without a message.".to_string()))
    }

    fn into_robj(self) -> Robj {
        let pairs: Vec<(&str, Robj)> = self.data.iter().map(|(name, value)| (*name, scalar(value))).collect();
        // Pairs have as many names as values, so nothing can fail here, where no panic would be caught.
        let data = if pairs.is_empty() { List::new(0) } else { List::from_pairs(pairs) };
        let class = self.class;
        let message = clean(&self.message);
        list!(failure = list!(class = class, message = message, data = data)).into_robj()
    }
}

impl From<ferrite_engine::Error> for Failure {
    fn from(error: ferrite_engine::Error) -> Self {
        Self { class: error.class(), message: error.to_string(), data: error.data() }
    }
}

/// Runs the body of an exported function; whatever happens in it, R gets a list back.
pub fn guard(body: impl FnOnce() -> std::result::Result<Robj, Failure>) -> Robj {
    static ENGINE: Once = Once::new();
    // Unwind safety: the body owns or borrows inert data, all of which is dropped or read-only after a panic.
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        ENGINE.call_once(ferrite_engine::init);
        body()
    }));
    match outcome {
        Ok(Ok(result)) => result,
        Ok(Err(failure)) => failure.into_robj(),
        Err(payload) => Failure::from_panic(payload).into_robj(),
    }
}

fn scalar(value: &Value) -> Robj {
    match value {
        Value::Number(number) => (*number).into_robj(),
        Value::Text(text) => clean(text).into_robj(),
        Value::Numbers(numbers) => numbers.clone().into_robj(),
    }
}

/// R's strings end at a NUL, and extendr panics on one.
fn clean(text: &str) -> String {
    text.replace('\0', " ")
}
