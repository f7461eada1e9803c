//! The same seed gives the same bytes at any number of threads.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use std::process::Command;

use common::{Toy, play};
use serde_json::json;

const RESULT: &str = "CGYM_THREADS_TEST_RESULT";

/// Runs itself with one and with several threads. A minibatch of 128 through 300 × 300 is over the
/// size above which Burn's CPU backend shares a product out among threads; one of 64 is not.
#[test]
fn ddpg_learns_the_same_bits_with_one_thread_and_with_several() {
    if let Some(directory) = std::env::var_os(RESULT) {
        for batch in [64, 128] {
            let settings = json!({ "batch": batch, "warmup": 2 });
            let run = play(&Toy::new(6), "ddpg", &settings, 8, 1);
            run.agent.save(&std::path::Path::new(&directory).join(batch.to_string())).unwrap();
        }
        return;
    }
    let results = ["1", "2", "3"].map(|threads| {
        let directory = tempfile::tempdir().unwrap();
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "ddpg_learns_the_same_bits_with_one_thread_and_with_several"])
            .env("RAYON_NUM_THREADS", threads)
            .env(RESULT, directory.path())
            .status()
            .unwrap();
        assert!(status.success(), "{threads} threads");
        ["64", "128"].map(|batch| std::fs::read(directory.path().join(batch).join("agent.bin")).unwrap())
    });
    for (batch, place) in [(64, 0), (128, 1)] {
        assert!(results[0][place] == results[1][place], "batch {batch}: 1 and 2 threads differ");
        assert!(results[0][place] == results[2][place], "batch {batch}: 1 and 3 threads differ");
    }
}
