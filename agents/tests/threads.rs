//! The same seed gives the same bytes at any number of threads.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use std::{
    process::Command,
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use cgym_agents::{AgentContext, Mode, make, rollout};
use cgym_env::{Action, Env, EnvError, EnvSpec, ResetOptions, Space, Step};
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

/// The last steps of a batch are taken by as many threads as the pool has, and by no more.
#[test]
fn candidates_are_scored_by_the_threads_of_the_pool() {
    const TEST: &str = "candidates_are_scored_by_the_threads_of_the_pool";
    if let Some(directory) = std::env::var_os(RESULT) {
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let meeting = (rayon::current_num_threads() > 1).then(|| Arc::new(Barrier::new(2)));
        let mut env = Slow { toy: Toy::new(2), taken: 0, running, most: most.clone(), meeting };
        let context = AgentContext { env: &env, episodes: 8, seed: 1 };
        let mut agent = make("random", &json!({}), &context).unwrap();
        rollout(&mut env, &mut *agent, &[0, 1, 2, 3, 4, 5, 6, 7], Mode::Explore, &mut ()).unwrap();
        std::fs::write(std::path::Path::new(&directory).join("most"), most.load(SeqCst).to_string()).unwrap();
        return;
    }
    for (threads, expected) in [("1", 1..=1), ("5", 2..=5)] {
        let directory = tempfile::tempdir().unwrap();
        run_again(TEST, threads, directory.path());
        let most = std::fs::read_to_string(directory.path().join("most")).unwrap();
        assert!(expected.contains(&most.parse().unwrap()), "{most} with {threads} threads");
    }
}

/// An environment that counts how many last steps are taken at the same time. With several threads each
/// waits for another one; with one thread it gives a second one the time to come.
struct Slow {
    toy: Toy,
    taken: usize,
    running: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    meeting: Option<Arc<Barrier>>,
}

impl Env for Slow {
    fn spec(&self) -> &EnvSpec {
        self.toy.spec()
    }

    fn observation_space(&self) -> &Space {
        self.toy.observation_space()
    }

    fn action_space(&self) -> &Space {
        self.toy.action_space()
    }

    fn reset(&mut self, seed: u64, options: &ResetOptions) -> Result<Vec<f32>, EnvError> {
        self.taken = 0;
        self.toy.reset(seed, options)
    }

    fn step(&mut self, action: &Action) -> Result<Step, EnvError> {
        self.taken += 1;
        if self.taken == self.spec().steps() {
            let running = self.running.fetch_add(1, SeqCst) + 1;
            self.most.fetch_max(running, SeqCst);
            match &self.meeting {
                Some(meeting) => drop(meeting.wait()),
                None => std::thread::sleep(Duration::from_millis(20)),
            }
            self.running.fetch_sub(1, SeqCst);
        }
        self.toy.step(action)
    }

    fn fork(&self) -> Option<Box<dyn Env>> {
        let (running, most, meeting) = (self.running.clone(), self.most.clone(), self.meeting.clone());
        Some(Box::new(Self { toy: self.toy.clone(), taken: self.taken, running, most, meeting }))
    }
}

/// Runs `test` with one, two and three threads; it leaves a checkpoint in each of `folders`.
fn same_with_threads(test: &str, folders: [&str; 2]) {
    let results = ["1", "2", "3"].map(|threads| {
        let directory = tempfile::tempdir().unwrap();
        run_again(test, threads, directory.path());
        folders.map(|folder| std::fs::read(directory.path().join(folder).join("agent.bin")).unwrap())
    });
    for (place, folder) in folders.into_iter().enumerate() {
        assert!(results[0][place] == results[1][place], "{folder}: 1 and 2 threads differ");
        assert!(results[0][place] == results[2][place], "{folder}: 1 and 3 threads differ");
    }
}

/// Runs `test` in a process of its own with that many threads; it leaves its result in `directory`.
fn run_again(test: &str, threads: &str, directory: &std::path::Path) {
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .env("RAYON_NUM_THREADS", threads)
        .env(RESULT, directory)
        .status()
        .unwrap();
    assert!(status.success(), "{threads} threads");
}
