//! The rules of the house against the sources: who may import whom, where a type is finished, and what the engine never
//! does. Each rule is a function from sources to what breaks it; the last tests show on made-up sources that it sees.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Rooms from the bottom to the top; a room may use those before it. `lib` is the public page.
const ROOMS: [&str; 8] = ["numerics", "design", "covariance", "crossprod", "likelihood", "fit", "inference", "lib"];
/// Files that every room may use, and that use none.
const COMMON: [&str; 2] = ["error", "options"];
/// Crates with the files that may name them, as the beginning of their path.
const CRATES: [(&str, &[&str]); 6] = [
    ("faer", &["numerics/"]),
    ("pulp", &["numerics/registers.rs"]),
    ("rand", &["numerics/random.rs"]),
    ("rand_distr", &["numerics/random.rs"]),
    ("statrs", &["numerics/distributions.rs"]),
    ("extendr_api", &[]),
];

/// A file of the engine: its path below src, and its code without comments and unit tests.
struct Source {
    path: String,
    code: String,
    head: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Source {
        let shipped = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        let code = |line: &str| line.split("//").next().unwrap().to_string();
        Source {
            path: path.to_string(),
            code: shipped.lines().map(code).collect::<Vec<_>>().join("\n"),
            head: text.lines().next().unwrap_or("").to_string(),
        }
    }

    /// Path of the module: `likelihood::hessian::dense`; that of a folder for its mod.rs.
    fn module(&self) -> Vec<String> {
        let mut parts: Vec<String> = self.path.trim_end_matches(".rs").split('/').map(String::from).collect();
        if parts.last().is_some_and(|p| p == "mod") {
            parts.pop();
        }
        parts
    }

    fn room(&self) -> String {
        self.module()[0].clone()
    }

    /// The door of a room: what it declares and offers, not part of its own story.
    fn is_door(&self) -> bool {
        self.module().len() == 1
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut out, mut folders) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let name = path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
                out.push(Source::new(&name, &fs::read_to_string(&path).unwrap()));
            }
        }
    }
    out.sort_by(|a, b| a.path.cmp(&b.path));
    out
}

/// Names and punctuation of Rust code: enough for paths.
fn tokens(code: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    for c in code.chars() {
        if c == '"' {
            quoted = !quoted;
        }
        if (c.is_alphanumeric() || c == '_') && !quoted {
            word.push(c);
            continue;
        }
        if !word.is_empty() {
            out.push(std::mem::take(&mut word));
        }
        if c == ':' && out.last().is_some_and(|t| t == ":") {
            *out.last_mut().unwrap() = "::".into();
        } else if !c.is_whitespace() && !quoted {
            out.push(c.to_string());
        }
    }
    out.push(word);
    out
}

/// All paths that begin with `crate`, `super` or a name in `own`, braces taken apart, as absolute paths of the crate.
fn paths(source: &Source, own: &BTreeSet<String>) -> Vec<Vec<String>> {
    let tokens = tokens(&source.code);
    let module = source.module();
    let mut out = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        if i > 0 && tokens[i - 1] == "::" || tokens.get(i + 1).is_none_or(|t| t != "::") {
            continue;
        }
        let parent = || module[..module.len() - 1].to_vec();
        match token.as_str() {
            "crate" => follow(&tokens, i + 2, Vec::new(), &mut out),
            "super" => follow(&tokens, i + 2, parent(), &mut out),
            name if own.contains(name) => follow(&tokens, i, module.clone(), &mut out),
            _ => continue,
        };
    }
    out
}

/// Reads one path (or a group in braces) from token `i`; returns the token after it.
fn follow(tokens: &[String], mut i: usize, mut prefix: Vec<String>, out: &mut Vec<Vec<String>>) -> usize {
    loop {
        match tokens.get(i).map(String::as_str) {
            Some("{") => {
                i += 1;
                while tokens.get(i).is_some_and(|t| t != "}") {
                    i = follow(tokens, i, prefix.clone(), out);
                    i += usize::from(tokens.get(i).is_some_and(|t| t == ","));
                }
                return i + 1;
            }
            Some("super") => {
                prefix.pop();
            }
            Some("self") | Some("*") => {}
            Some(name) if name.starts_with(|c: char| c.is_alphabetic() || c == '_') => prefix.push(name.into()),
            _ => break,
        }
        i += 1;
        if tokens.get(i).is_none_or(|t| t != "::") {
            break;
        }
        i += 1;
    }
    // A renamed import.
    if tokens.get(i).is_some_and(|t| t == "as") {
        i += 2;
    }
    out.push(prefix);
    i.max(1)
}

fn rank(room: &str) -> Option<usize> {
    ROOMS.iter().position(|r| *r == room)
}

/// Imports from a room above, or from no room.
fn upward_imports(sources: &[Source]) -> Vec<String> {
    let mut out = Vec::new();
    for s in sources.iter().filter(|s| s.path != "lib.rs") {
        for path in paths(s, &BTreeSet::new()) {
            let Some(used) = path.first() else { continue };
            let common = COMMON.contains(&used.as_str());
            let lower = match (rank(&s.room()), rank(used)) {
                (Some(own), Some(used)) => used <= own,
                (None, Some(_)) => false,
                (_, None) => common,
            };
            if !lower {
                out.push(format!("{} imports {}", s.path, path.join("::")));
            }
        }
    }
    out
}

/// Files that reach themselves through what they import, inside of a room.
fn circles(sources: &[Source]) -> Vec<String> {
    let modules: BTreeSet<Vec<String>> = sources.iter().filter(|s| !s.is_door()).map(Source::module).collect();
    let mut uses: BTreeMap<Vec<String>, BTreeSet<Vec<String>>> = BTreeMap::new();
    for s in sources.iter().filter(|s| !s.is_door()) {
        let own = s.module();
        let children =
            modules.iter().filter(|m| m.len() == own.len() + 1 && m.starts_with(&own)).map(|m| m[own.len()].clone());
        for mut path in paths(s, &children.collect()) {
            while !path.is_empty() && !modules.contains(&path) {
                path.pop();
            }
            if !path.is_empty() && path != own {
                uses.entry(own.clone()).or_default().insert(path);
            }
        }
    }
    let reaches = |from: &Vec<String>| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from.clone()]);
        while let Some(m) = open.pop() {
            for next in uses.get(&m).into_iter().flatten() {
                if seen.insert(next.clone()) {
                    open.push(next.clone());
                }
            }
        }
        seen.contains(from)
    };
    modules.iter().filter(|m| reaches(m)).map(|m| format!("{} reaches itself", m.join("::"))).collect()
}

/// Names that `keyword` defines, with the rooms that define them.
fn defined(sources: &[Source], keywords: &[&str]) -> BTreeMap<String, Vec<String>> {
    let mut out: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for s in sources {
        let tokens = tokens(&s.code);
        for pair in tokens.windows(2).filter(|p| keywords.contains(&p[0].as_str())) {
            if pair[1].starts_with(char::is_uppercase) {
                out.entry(pair[1].clone()).or_default().push(s.path.clone());
            }
        }
    }
    out
}

/// Implementations of a type in another room than its own, unless of a trait of that room.
fn foreign_impls(sources: &[Source]) -> Vec<String> {
    let types = defined(sources, &["struct", "enum"]);
    let traits = defined(sources, &["trait"]);
    let room = |path: &String| path.split('/').next().unwrap().trim_end_matches(".rs").to_string();
    let mut out = Vec::new();
    for s in sources {
        for line in s.code.lines().filter(|l| l.starts_with("impl")) {
            let line = line.trim_start_matches("impl");
            // Past the parameters of the implementation itself.
            let line = match line.strip_prefix('<') {
                Some(rest) => {
                    let mut depth = 1;
                    let end = rest.find(|c| {
                        depth += i32::from(c == '<') - i32::from(c == '>');
                        depth == 0
                    });
                    &rest[end.unwrap_or(0) + 1..]
                }
                None => line,
            };
            let (of, ty) = line.split_once(" for ").map_or((None, line), |(of, ty)| (Some(of), ty));
            let name = |text: &str| {
                let path = text.trim().trim_start_matches('&').split(['<', ' ', '{']).next().unwrap();
                path.rsplit("::").next().unwrap().to_string()
            };
            let here = |defined: &BTreeMap<String, Vec<String>>, name: &String| {
                defined.get(name).map(|at| at.iter().any(|p| room(p) == s.room()))
            };
            let at_home = here(&types, &name(ty)).unwrap_or(true);
            let own_trait = of.is_some_and(|t| here(&traits, &name(t)).unwrap_or(false));
            if !at_home && !own_trait {
                out.push(format!("{} implements {}", s.path, name(ty)));
            }
        }
    }
    out
}

/// Types that are defined more than once.
fn doubled_types(sources: &[Source]) -> Vec<String> {
    let all = defined(sources, &["struct", "enum", "trait"]);
    all.iter().filter(|(_, at)| at.len() > 1).map(|(name, at)| format!("{name}: {}", at.join(", "))).collect()
}

/// Crates named where they have no business.
fn foreign_crates(sources: &[Source]) -> Vec<String> {
    let mut out = Vec::new();
    for s in sources {
        let tokens = tokens(&s.code);
        for (name, allowed) in CRATES {
            let named = tokens.windows(2).any(|p| p[0] == name && (p[1] == "::" || p[1] == ";"));
            if named && !allowed.iter().any(|a| s.path.starts_with(a)) {
                out.push(format!("{} names {name}", s.path));
            }
        }
    }
    out
}

/// Doors that say nothing, and modules that can be seen from outside of their room (but for those of numerics).
fn open_doors(sources: &[Source]) -> Vec<String> {
    let mut out = Vec::new();
    for s in sources.iter().filter(|s| s.path.ends_with("/mod.rs") || s.path == "lib.rs") {
        if !s.head.starts_with("//! ") {
            out.push(format!("{} does not say what it is", s.path));
        }
        let seen = |l: &str| l.starts_with("pub") && l.contains(" mod ");
        if s.path != "numerics/mod.rs" && s.path.matches('/').count() <= 1 {
            out.extend(s.code.lines().filter(|l| seen(l)).map(|l| format!("{}: {l}", s.path)));
        }
    }
    out
}

fn none(rule: &str, broken: Vec<String>) {
    assert!(broken.is_empty(), "{rule}:\n{}", broken.join("\n"));
}

#[test]
fn rooms_import_downward_only() {
    none("imports from above", upward_imports(&sources()));
}

#[test]
fn no_circles_inside_of_a_room() {
    none("circles", circles(&sources()));
}

#[test]
fn a_type_is_finished_in_its_own_room() {
    none("implementations away from home", foreign_impls(&sources()));
}

#[test]
fn a_type_name_means_one_thing() {
    none("types defined twice", doubled_types(&sources()));
}

#[test]
fn crates_are_named_where_they_belong() {
    none("crates", foreign_crates(&sources()));
}

#[test]
fn rooms_are_private_inside() {
    none("doors", open_doors(&sources()));
}

#[test]
fn the_engine_neither_prints_nor_reads_its_surroundings_nor_unwraps() {
    for s in sources() {
        for word in ["println!", "eprintln!", "std::env", "extendr", ".unwrap()", ".expect(", "panic!(", "unsafe {"] {
            assert!(!s.code.contains(word), "{} has {word}", s.path);
        }
    }
}

#[test]
fn the_checker_sees_an_upward_import_also_in_braces() {
    let below = Source::new("numerics/small.rs", "use crate::{error::Error, fit::search::Search};\n");
    assert_eq!(upward_imports(&[below]), ["numerics/small.rs imports fit::search::Search"]);
    let by_path = Source::new("design/column.rs", "fn f() { crate::likelihood::pls::solve() }\n");
    assert_eq!(upward_imports(&[by_path]).len(), 1);
    let by_name = Source::new("design/column.rs", "fn f() -> crate::Model { todo() }\n");
    assert_eq!(upward_imports(&[by_name]), ["design/column.rs imports Model"]);
    let common = Source::new("options.rs", "use crate::numerics::small;\n");
    assert_eq!(upward_imports(&[common]).len(), 1);
    let fine =
        Source::new("fit/search.rs", "// crate::inference::x\nuse crate::error::Error;\nuse crate::numerics::small;\n");
    assert!(upward_imports(&[fine]).is_empty());
}

#[test]
fn the_checker_sees_a_circle_also_through_a_folder() {
    let two = [
        Source::new("fit/a.rs", "use crate::fit::b::{self, B};\n"),
        Source::new("fit/b.rs", "use super::a::A;\n"),
        Source::new("fit/mod.rs", "mod a;\nmod b;\npub(crate) use a::A;\n"),
    ];
    assert_eq!(circles(&two), ["fit::a reaches itself", "fit::b reaches itself"]);
    let folder = [
        Source::new("fit/a/mod.rs", "mod b;\npub fn f() { b::g() }\npub struct S;\n"),
        Source::new("fit/a/b.rs", "use super::S;\n"),
    ];
    assert_eq!(circles(&folder).len(), 2);
    let line =
        [Source::new("fit/a.rs", "use crate::fit::b::B;\n"), Source::new("fit/b.rs", "use crate::numerics::a;\n")];
    assert!(circles(&line).is_empty());
}

#[test]
fn the_checker_sees_a_type_finished_elsewhere() {
    let made = [
        Source::new("likelihood/model.rs", "pub struct Model;\nimpl Model {}\n"),
        Source::new(
            "fit/search.rs",
            "trait Search {}\nimpl Search for Model {}\nimpl<'a> Model {}\nimpl Drop for Model {}\n",
        ),
    ];
    assert_eq!(foreign_impls(&made), ["fit/search.rs implements Model"; 2]);
    let twice = [Source::new("fit/a.rs", "struct Sums;\n"), Source::new("fit/b.rs", "enum Sums {}\n")];
    assert_eq!(doubled_types(&twice), ["Sums: fit/a.rs, fit/b.rs"]);
}

#[test]
fn the_checker_sees_foreign_crates_and_open_doors() {
    let names = Source::new("fit/search.rs", "use faer::Mat;\nuse rand::Rng;\n");
    assert_eq!(foreign_crates(&[names]), ["fit/search.rs names faer", "fit/search.rs names rand"]);
    let door = Source::new("fit/mod.rs", "mod a;\npub(crate) mod b;\n");
    assert_eq!(open_doors(&[door]).len(), 2);
}
