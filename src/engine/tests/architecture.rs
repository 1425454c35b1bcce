//! The rules of the house against the sources: who may import whom, and what the engine never does.

use std::fs;
use std::path::Path;

/// Layers from the bottom to the top; a module may use what stands before it (or beside it, in the same layer).
#[rustfmt::skip]
const LAYERS: [&[&str]; 8] = [
    &["error", "options", "block", "optim", "rng", "workers", "codes"],
    &["design", "order"],
    &["rows", "column", "basis", "grouping", "cells", "levels", "accumulate", "crossprod", "working", "sheet", "series",
      "correlation", "angle", "shape", "classes", "residual", "limits", "weigh", "flat", "outer", "tie", "within", "reweight", "banks"],
    &["structure", "describe", "theta"],
    &["factor", "assemble", "pls", "inverse", "gradient", "trace", "average", "second", "sweep", "nested", "start", "mivque"],
    &["model", "convergence"],
    &["search", "boundary", "faces", "identify", "fit", "estimate", "joint", "distinct", "begin",
      "descents", "opening", "settle", "together"],
    &["inference", "lib"],
];

fn sources() -> Vec<(String, String)> {
    let mut out = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
                let name = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
                out.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    out
}

fn module(name: &str) -> String {
    name.trim_end_matches(".rs").split('/').next().unwrap().to_string()
}

fn layer(module: &str) -> usize {
    LAYERS.iter().position(|l| l.contains(&module)).unwrap_or_else(|| panic!("`{module}` has no layer"))
}

/// The text before the unit tests.
fn shipped(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap()
}

#[test]
fn modules_import_downward_only() {
    for (name, text) in sources() {
        let own = layer(&module(&name));
        for line in shipped(&text).lines().filter(|l| !l.trim_start().starts_with("//")) {
            for used in line.split("crate::").skip(1) {
                let used: String = used.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
                if !used.is_empty() {
                    assert!(layer(&used) <= own, "{name} imports {used}: {line}");
                }
            }
        }
    }
}

#[test]
fn only_block_optim_and_rows_name_faer() {
    let allowed = ["block", "optim", "rows", "pls", "inference"];
    for (name, text) in sources() {
        let named = shipped(&text).lines().any(|l| l.trim_start().starts_with("use faer"));
        assert!(!named || allowed.contains(&module(&name).as_str()), "{name} names faer");
    }
}

#[test]
fn the_engine_neither_prints_nor_reads_its_surroundings_nor_unwraps() {
    for (name, text) in sources() {
        let code: String =
            shipped(&text).lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        for word in ["println!", "eprintln!", "std::env", "extendr", ".unwrap()", ".expect(", "panic!(", "unsafe {"] {
            assert!(!code.contains(word), "{name} has {word}");
        }
    }
}

#[test]
fn files_stay_readable() {
    for (name, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= 340, "{name} has {lines} lines");
    }
}
