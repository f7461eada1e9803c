//! The dependencies between crates, and what each crate must not contain: read from manifests and
//! sources.

mod source;

use std::{
    fs,
    path::{Path, PathBuf},
};

use source::{Struct, code_only, has_macro, has_word, signatures, structs};
use toml::{Table, Value};

const LONGEST_FILE: usize = 400;

/// Each crate, by its folder, and the crates that it may depend on.
const ARROWS: [(&str, &[&str]); 7] = [
    ("teachers/kernels", &[]),
    ("teachers", &["cgym-kernels"]),
    ("env", &["cgym-teachers"]),
    ("env/worlds", &["cgym-env", "cgym-teachers"]),
    ("agents", &["cgym-env", "cgym-kernels"]),
    ("experiments", &["cgym-agents", "cgym-env", "cgym-teachers", "cgym-worlds"]),
    ("tests", &["cgym", "cgym-agents", "cgym-env", "cgym-kernels", "cgym-teachers", "cgym-worlds"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is one folder up").to_owned()
}

fn manifest(folder: &str) -> Table {
    let path = root().join(folder).join("Cargo.toml");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The packages in all dependency tables of `folder`, including those for tests and single targets.
fn dependencies(folder: &str) -> Vec<String> {
    let manifest = manifest(folder);
    let targets = manifest.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values);
    let tables = targets.filter_map(Value::as_table).chain([&manifest]);
    let kinds = ["dependencies", "dev-dependencies", "build-dependencies"];
    let found = tables.flat_map(|table| kinds.iter().filter_map(|kind| table.get(*kind)?.as_table()));
    // The package name of a renamed dependency is under `package`.
    let names = found
        .flatten()
        .map(|(key, value)| value.get("package").and_then(Value::as_str).unwrap_or(key).to_owned());
    names.collect()
}

/// The Rust files below `folder`, as paths relative to the workspace root and contents.
fn rust_files(folder: &str) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root()).unwrap_or(&path).display().to_string();
                let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
                files.push((name.replace('\\', "/"), text));
            }
        }
    }
    files.sort();
    files
}

fn rust_files_of_all_crates() -> Vec<(String, String)> {
    let folders = ["teachers", "env", "agents", "experiments", "tests"];
    folders.iter().flat_map(|folder| rust_files(folder)).collect()
}

/// Fails if there are offences, with one line per offence.
fn none(offences: impl IntoIterator<Item = String>) {
    let offences: Vec<String> = offences.into_iter().collect();
    assert!(offences.is_empty(), "\n{}\n", offences.join("\n"));
}

#[test]
fn every_crate_of_the_workspace_is_known_here() {
    let manifest = manifest(".");
    let members = manifest["workspace"]["members"].as_array().expect("a list of members");
    let mut members: Vec<&str> = members.iter().filter_map(Value::as_str).collect();
    let mut known: Vec<&str> = ARROWS.iter().map(|(folder, _)| *folder).collect();
    members.sort_unstable();
    known.sort_unstable();
    assert_eq!(members, known, "Cargo.toml has other members than the crates in this test");
}

#[test]
fn a_crate_depends_only_on_the_crates_before_it() {
    let offences = ARROWS.iter().flat_map(|(folder, allowed)| {
        let own = dependencies(folder).into_iter().filter(|name| name.starts_with("cgym"));
        let others = own.filter(|name| !allowed.contains(&name.as_str()));
        others.map(move |name| {
            let allowed = if allowed.is_empty() { "no other crate".to_owned() } else { allowed.join(", ") };
            format!("{folder}/Cargo.toml depends on {name}: {folder}/ may depend on {allowed}")
        })
    });
    none(offences);
}

#[test]
fn agents_do_not_know_the_teachers_behind_an_environment() {
    let files = rust_files("agents/src").into_iter().filter(|(_, text)| {
        // Adam and products of matrices are the only parts of the kernels that agents may use.
        let code =
            code_only(text).replace("cgym_kernels::adam::Adam", "").replace("cgym_kernels::product::", "");
        ["cgym_teachers", "cgym_kernels", "teachers"].iter().any(|word| has_word(&code, word))
    });
    none(files.map(|(name, _)| {
        format!("{name} uses the teachers, or kernels other than Adam and products: an agent only sees observations")
    }));
}

#[test]
fn agents_compute_without_tensors() {
    let files = rust_files("agents/src").into_iter().filter(|(name, text)| {
        // Burn is the reference of their derivatives.
        !name.contains("/tests") && has_word(&code_only(text), "burn")
    });
    none(files.map(|(name, _)| format!("{name} uses Burn: only tests of agents may")));
}

#[test]
fn only_experiments_have_a_command_line_and_tensorboard() {
    let others = ARROWS.iter().filter(|(folder, _)| *folder != "experiments");
    let offences = others.flat_map(|(folder, _)| {
        let fronts = ["clap", "tensorboard", "protobuf", "indicatif"];
        let found = dependencies(folder).into_iter();
        found.filter(move |name| fronts.iter().any(|front| name.starts_with(front))).map(move |name| {
            format!(
                "{folder}/Cargo.toml depends on {name}: only experiments/ may use a terminal or TensorBoard"
            )
        })
    });
    none(offences);
}

#[test]
fn environments_touch_no_files() {
    let offences = rust_files("env/src").into_iter().filter_map(|(name, text)| {
        let code = code_only(&text);
        let word = ["fs", "File", "OpenOptions"].into_iter().find(|word| has_word(&code, word))?;
        Some(format!("{name} uses `{word}`: env/src must not use files"))
    });
    none(offences);
}

#[test]
fn environments_worlds_and_agents_print_nothing() {
    let files = ["env/src", "env/worlds/src", "agents/src"].into_iter().flat_map(rust_files);
    let offences = files.filter_map(|(name, text)| {
        let code = code_only(&text);
        let macros = ["print", "println", "eprint", "eprintln", "dbg"];
        let found = macros.into_iter().find(|macro_name| has_macro(&code, macro_name))?;
        Some(format!("{name} has a `{found}!`: only experiments may print"))
    });
    none(offences);
}

/// The structs of the crates that declare or read settings, with the files they are in.
fn structs_around_settings() -> Vec<(String, Struct)> {
    let files = ["env/src", "env/worlds/src", "experiments/src"].into_iter().flat_map(rust_files);
    let found = files.flat_map(|(name, text)| {
        let all = structs(&code_only(&text)).into_iter();
        all.map(move |found| (name.clone(), found)).collect::<Vec<_>>()
    });
    found.collect()
}

#[test]
fn a_settings_table_is_written_once() {
    let all = structs_around_settings();
    let (tables, others): (Vec<_>, Vec<_>) = all.iter().partition(|(_, found)| found.is_table);
    for known in ["Network", "Data", "Budget", "ChannelSettings", "StudentSettings", "RunSettings"] {
        assert!(tables.iter().any(|(_, table)| table.name == known), "`{known}` is no table! any more");
    }
    let offences = tables.iter().filter(|(_, table)| table.fields.len() > 1).flat_map(|(_, table)| {
        let repeats = |other: &Struct| table.fields.iter().all(|field| other.fields.contains(field));
        let offending = others.iter().filter(move |(_, other)| repeats(other));
        offending.map(|(name, other)| {
            format!(
                "{name}: `{}` repeats the keys of the table `{}`: hold the table itself",
                other.name, table.name
            )
        })
    });
    none(offences);
}

#[test]
fn whatever_is_read_as_a_settings_table_is_declared_as_one() {
    let all = structs_around_settings();
    let is_table = |name: &str| all.iter().any(|(_, found)| found.is_table && found.name == name);
    let files = ["env/src", "env/worlds/src", "experiments/src"].into_iter().flat_map(rust_files);
    let offences = files.flat_map(|(file, text)| {
        let code = code_only(&text);
        let implementations = code.split("impl Table for ").skip(1);
        let names = implementations.filter_map(|rest| rest.split([' ', '{']).next());
        // The table of a game without settings has no keys that could be declared.
        let undeclared = names.filter(|name| *name != "NoSettings" && !is_table(name));
        undeclared
            .map(|name| format!("{file}: `{name}` is a settings table, but not declared with table!"))
            .collect::<Vec<_>>()
    });
    none(offences);
}

/// The files of all crates except tests, each as often as `count` says for its code.
fn files_with(count: impl Fn(&str) -> usize) -> Vec<String> {
    let files = rust_files_of_all_crates().into_iter().filter(|(name, _)| name.contains("/src/"));
    files.flat_map(|(name, text)| vec![name; count(&code_only(&text))]).collect()
}

#[test]
fn edit_distance_and_adam_exist_once() {
    let distances = files_with(|code| {
        let is_distance = |signature: &&str| {
            signature.matches("&str").count() == 2 && signature.trim_end().ends_with("-> usize")
        };
        signatures(code).filter(is_distance).count()
    });
    assert_eq!(distances, ["teachers/src/names.rs"]);
    let adams = files_with(|code| structs(code).iter().filter(|found| found.name == "Adam").count());
    assert_eq!(adams, ["teachers/kernels/src/adam.rs"]);
}

#[test]
fn unsafe_code_is_in_the_kernels_only() {
    let files = rust_files_of_all_crates().into_iter();
    let offences = files
        .filter(|(name, text)| !name.starts_with("teachers/kernels/") && has_word(&code_only(text), "unsafe"))
        .map(|(name, _)| format!("{name} has `unsafe` code: only teachers/kernels may have it"));
    none(offences);
}

#[test]
fn nothing_is_left_to_be_written_later() {
    let offences = rust_files_of_all_crates().into_iter().filter_map(|(name, text)| {
        let code = code_only(&text);
        let left = ["todo", "unimplemented"].into_iter().find(|macro_name| has_macro(&code, macro_name))?;
        Some(format!("{name} has a `{left}!`: write the code or remove the feature"))
    });
    none(offences);
}

#[test]
fn a_source_file_can_be_read_in_one_sitting() {
    let offences = rust_files_of_all_crates().into_iter().filter_map(|(name, text)| {
        let lines = text.lines().count();
        (lines > LONGEST_FILE).then(|| format!("{name} has {lines} lines, over {LONGEST_FILE}: split it"))
    });
    none(offences);
}
