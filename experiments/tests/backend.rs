//! Backends of Burn beside the default one: each is a feature of the crate and a `--device`.

use std::{path::Path, process::Command};

use serde_json::Value;

/// Trains a small network for one epoch and gives the exit code, the object and the error output.
fn train(folder: &Path, out: &str, more: &[&str]) -> (Option<i32>, Value, String) {
    let arguments = ["teacher", "train", "--model", "lenet5", "--epochs", "1", "--json", "--out", out];
    let ended = Command::new(env!("CARGO_BIN_EXE_cgym"))
        .args(arguments)
        .args(more)
        .current_dir(folder)
        .output()
        .expect("the binary");
    let value = serde_json::from_slice(&ended.stdout).unwrap_or_default();
    (ended.status.code(), value, String::from_utf8_lossy(&ended.stderr).into_owned())
}

#[cfg(not(feature = "ndarray"))]
#[test]
fn a_backend_that_is_not_in_this_build_is_refused_with_the_build_that_has_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (code, _, told) = train(folder.path(), "net", &["--device", "ndarray"]);
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("cargo build --release --features ndarray"), "{told}");
    assert!(!folder.path().join("net").exists());
}

/// Both compute with Burn's own kernels, so that only the backends differ.
#[cfg(feature = "ndarray")]
#[test]
fn ndarray_trains_as_flex_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let of = |out: &str, device: &str| {
        let (code, value, told) = train(folder.path(), out, &["--device", device, "--stock-kernels"]);
        assert_eq!(code, Some(0), "{told}");
        let figure = |figure: &Value| figure.as_f64().expect("a number");
        [figure(&value["epochs"][0]["loss"]), figure(&value["reward_top1"])]
    };
    let (flex, ndarray) = (of("flex", "flex"), of("ndarray", "ndarray"));
    assert!((flex[0] - ndarray[0]).abs() < 1e-2, "{flex:?}, {ndarray:?}");
    assert!((flex[1] - ndarray[1]).abs() < 0.05, "{flex:?}, {ndarray:?}");
}
