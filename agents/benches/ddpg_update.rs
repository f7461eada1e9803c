//! How long DDPG takes for one update: `cargo bench -p cgym-agents`.
//!
//! Networks of 300 and 300, a minibatch of 64; run it with `RAYON_NUM_THREADS=1` for one core.

#[path = "../tests/common/mod.rs"]
mod common;

use std::time::Instant;

use cgym_agents::{Mode, run_episode};
use common::{Toy, agent};
use serde_json::json;

fn main() {
    for (target, credit) in [("monte-carlo", "residual"), ("bootstrap", "shared")] {
        let mut toy = Toy::new(27);
        let settings = json!({ "warmup": 2, "target": target, "credit": credit, "updates_per_step": 1 });
        let mut agent = agent(&toy, "ddpg", &settings, 100, 0);
        let mut times = Vec::new();
        for episode in 0..40 {
            let start = Instant::now();
            let played = run_episode(&mut toy, &mut *agent, episode, Mode::Explore);
            assert!(played.is_ok(), "an episode failed");
            // An episode of 27 decisions ends in 27 updates.
            times.push(start.elapsed().as_secs_f64() * 1e3 / 27.0);
        }
        let mut times = times.split_off(5);
        times.sort_by(f64::total_cmp);
        println!("{target}: {:.3} ms an update (median), {:.3} at best", times[times.len() / 2], times[0]);
    }
}
