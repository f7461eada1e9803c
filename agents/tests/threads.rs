//! The same seed gives the same bytes at any number of threads.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use std::process::Command;

use common::{Toy, agent, batch, play, table::TableToy};
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
    same_with_threads("ddpg_learns_the_same_bits_with_one_thread_and_with_several", ["64", "128"]);
}

/// As above: 20 episodes of 16 decisions through 200 × 200 are shared out among threads too.
#[test]
fn policy_gradients_learn_the_same_bits_with_one_thread_and_with_several() {
    if let Some(directory) = std::env::var_os(RESULT) {
        for policy in ["mlp", "bilstm"] {
            let settings = json!({ "policy": policy, "rollouts": 20, "hidden": 200 });
            let toy = TableToy::new(16);
            let mut agent = agent(&toy, "reinforce", &settings, 40, 1);
            for update in 0..2 {
                let seeds: Vec<u64> = (20 * update..20 * update + 20).collect();
                batch(&toy, &mut *agent, &seeds);
            }
            agent.save(&std::path::Path::new(&directory).join(policy)).unwrap();
        }
        return;
    }
    same_with_threads(
        "policy_gradients_learn_the_same_bits_with_one_thread_and_with_several",
        ["mlp", "bilstm"],
    );
}

/// Runs `test` with one, two and three threads; it leaves a checkpoint in each of `folders`.
fn same_with_threads(test: &str, folders: [&str; 2]) {
    let results = ["1", "2", "3"].map(|threads| {
        let directory = tempfile::tempdir().unwrap();
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test])
            .env("RAYON_NUM_THREADS", threads)
            .env(RESULT, directory.path())
            .status()
            .unwrap();
        assert!(status.success(), "{threads} threads");
        folders.map(|folder| std::fs::read(directory.path().join(folder).join("agent.bin")).unwrap())
    });
    for (place, folder) in folders.into_iter().enumerate() {
        assert!(results[0][place] == results[1][place], "{folder}: 1 and 2 threads differ");
        assert!(results[0][place] == results[2][place], "{folder}: 1 and 3 threads differ");
    }
}
