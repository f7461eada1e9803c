//! An agent of one's own by one call of the library: its run, its resume, its refusals.

use std::{
    fs,
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
};

use cgym::{Run, Summary};
use cgym_agents::{Agent, AgentError, Mode, Transition};
use cgym_env::{
    Action,
    settings::{EnvSettings, Layer},
};
use cgym_worlds::World;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const EPISODES: u64 = 10;

/// Changes one action of the best sequence so far.
#[derive(Serialize, Deserialize)]
struct HillClimber {
    change: f32,
    best: (Option<f64>, Vec<f32>),
    trial: Vec<f32>,
    step: usize,
    episodes: u64,
    random: u64,
    /// The flag that is set after so many episodes of this process.
    #[serde(skip)]
    stop: Option<(u64, &'static AtomicBool)>,
}

impl HillClimber {
    fn new(world: &World, change: f32) -> Self {
        let trial = vec![0.5; world.env().spec().steps()];
        Self { change, best: (None, trial.clone()), trial, step: 0, episodes: 0, random: 7, stop: None }
    }

    /// Sets `flag` after `episodes` episodes.
    fn stopping(self, episodes: u64, flag: &'static AtomicBool) -> Self {
        Self { stop: Some((episodes, flag)), ..self }
    }

    fn draw(&mut self, below: usize) -> usize {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.random >> 33) as usize % below
    }
}

impl Agent for HillClimber {
    fn name(&self) -> &str {
        "hill-climber"
    }

    fn settings(&self) -> Value {
        json!({ "change": self.change })
    }

    fn act(&mut self, _observation: &[f32], mode: Mode) -> Result<Action, AgentError> {
        let actions = if mode == Mode::Explore { &self.trial } else { &self.best.1 };
        self.step = self.step % actions.len() + 1;
        Ok(Action::scalar(actions[self.step - 1]))
    }

    fn learn(&mut self, transition: &Transition<'_>) -> Result<(), AgentError> {
        if transition.ending.is_none() {
            return Ok(());
        }
        if self.best.0.is_none_or(|best| transition.reward >= best) {
            self.best = (Some(transition.reward), self.trial.clone());
        }
        self.trial.clone_from(&self.best.1);
        let (site, up) = (self.draw(self.trial.len()), self.draw(2) == 1);
        let change = if up { self.change } else { -self.change };
        self.trial[site] = (self.trial[site] + change).clamp(0.2, 1.0);
        self.episodes += 1;
        if let Some((_, flag)) = self.stop.filter(|(episodes, _)| self.episodes == *episodes) {
            flag.store(true, Ordering::SeqCst);
        }
        Ok(())
    }

    fn save(&self, folder: &Path) -> Result<(), AgentError> {
        let path = folder.join("agent.json");
        fs::write(&path, serde_json::to_vec(self).expect("JSON"))
            .map_err(|error| AgentError::Checkpoint { path, reason: error.to_string() })
    }

    fn load(&mut self, folder: &Path) -> Result<(), AgentError> {
        let path = folder.join("agent.json");
        let refuse = |reason: String| AgentError::Checkpoint { path: path.clone(), reason };
        let bytes = fs::read(&path).map_err(|error| refuse(error.to_string()))?;
        let saved: Self = serde_json::from_slice(&bytes).map_err(|error| refuse(error.to_string()))?;
        *self = Self { stop: self.stop, ..saved };
        Ok(())
    }
}

/// The embedded world with few images; more settings as paths and values.
fn world(more: &[(&str, Value)]) -> World {
    let mut layer = Layer::of_id("AMC-ResNet20-Digits-MACs30-v0")
        .with("data", "reward_images", 40)
        .with("score", "calibration_images", 40)
        .with("score", "points", 2);
    for (path, value) in more {
        layer.set_path(path, value.clone()).expect("a path");
    }
    World::load(EnvSettings::resolve(&layer).expect("sound settings"), &mut |_| ())
        .expect("the embedded world")
}

fn run(out: &Path) -> Run {
    let mut run = Run::new(out).episodes(EPISODES);
    run.settings.checkpoint_every = 3;
    run
}

fn policies(summary: &Summary) -> Vec<&str> {
    summary.rows.iter().map(|row| row.policy.as_str()).collect()
}

fn episodes(run: &Path) -> Vec<u8> {
    fs::read(run.join("episodes.jsonl")).expect("episodes")
}

#[test]
fn an_agent_of_ones_own_is_run_like_a_built_in_one_and_resumed_to_the_same_bytes() {
    static STOP: AtomicBool = AtomicBool::new(false);
    let (folder, world) = (tempfile::tempdir().expect("a folder"), world(&[]));
    let whole = folder.path().join("whole");
    let summary =
        cgym::search(&world, Box::new(HillClimber::new(&world, 0.25)), &run(&whole)).expect("a search");
    assert!(summary.finished);
    assert_eq!(summary.agent.as_deref(), Some("hill-climber"));
    assert_eq!(policies(&summary), ["teacher", "uniform", "shallow", "deep", "random", "hill-climber"]);
    assert_eq!((summary.episodes, summary.played), (EPISODES, EPISODES + 1));
    for name in ["config.toml", "teacher.json", "baselines.jsonl", "summary.json", "best/weights.safetensors"]
    {
        assert!(whole.join(name).is_file(), "{name}");
    }
    let names = fs::read_dir(&whole)
        .expect("a folder")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    assert!(names.into_iter().any(|name| name.starts_with("events.out.tfevents")));
    assert!(whole.join("checkpoints/episode-000011/agent/agent.json").is_file());

    let stopped = folder.path().join("stopped");
    let agent = HillClimber::new(&world, 0.25).stopping(5, &STOP);
    let half =
        cgym::search(&world, Box::new(agent), &Run { stop: Some(&STOP), ..run(&stopped) }).expect("a search");
    assert!(!half.finished && !stopped.join("summary.json").exists());
    assert_eq!(half.played, 5);
    assert_eq!(episodes(&stopped), episodes(&whole)[..episodes(&stopped).len()]);

    // `cgym resume` cannot make this agent, and leaves the run as it is.
    let resumed =
        Command::new(env!("CARGO_BIN_EXE_cgym")).arg("resume").arg(&stopped).output().expect("the binary");
    let words = String::from_utf8_lossy(&resumed.stderr);
    assert_eq!(resumed.status.code(), Some(2), "{words}");
    assert!(words.contains("`hill-climber`") && words.contains("is not built in"), "{words}");

    // From the checkpoint of the stop, and from an earlier one with its episodes played again.
    let earlier = folder.path().join("earlier");
    copy(&stopped, &earlier);
    fs::remove_dir_all(earlier.join("checkpoints/episode-000005")).expect("the checkpoint of the stop");
    for out in [&stopped, &earlier] {
        let agent = Box::new(HillClimber::new(&world, 0.25));
        let again = cgym::search(&world, agent, &run(out)).expect("a search");
        assert!(again.finished);
        assert_eq!(again.rows, summary.rows);
        assert_eq!(episodes(out), episodes(&whole), "{}", out.display());
        let best = |run: &Path| fs::read(run.join("best/weights.safetensors")).expect("weights");
        assert_eq!(best(out), best(&whole));
    }
    // A finished run is only shown.
    let shown =
        cgym::search(&world, Box::new(HillClimber::new(&world, 0.25)), &run(&whole)).expect("a summary");
    assert_eq!(shown, summary);
}

#[test]
fn a_run_is_not_resumed_with_another_setting_and_the_setting_is_named() {
    static STOP: AtomicBool = AtomicBool::new(false);
    let (folder, world) = (tempfile::tempdir().expect("a folder"), world(&[]));
    let out = folder.path().join("run");
    let agent = HillClimber::new(&world, 0.25).stopping(2, &STOP);
    let stopping = Run { stop: Some(&STOP), ..run(&out).without_baselines() };
    cgym::search(&world, Box::new(agent), &stopping).expect("a search");
    let before = episodes(&out);
    let refused = |world: &World, agent: HillClimber, run: &Run, key: &str| {
        let refusal = cgym::search(world, Box::new(agent), run).expect_err(key).to_string();
        assert!(refusal.contains("holds a run with other settings"), "{refusal}");
        assert!(refusal.contains(&format!("({key})")), "{key}: {refusal}");
    };
    refused(&world, HillClimber::new(&world, 0.5), &run(&out), "agent.change");
    refused(&world, HillClimber::new(&world, 0.25), &run(&out).seed(2), "run.seed");
    refused(&world, HillClimber::new(&world, 0.25), &run(&out).episodes(11), "run.episodes");
    let other = self::world(&[("score.points", json!(3)), ("game.lower_bound", json!(0.1))]);
    refused(&other, HillClimber::new(&other, 0.25), &run(&out), "game.lower_bound, score.points");
    assert_eq!(episodes(&out), before);
    let threads = Run { stop: None, ..run(&out) };
    assert!(
        cgym::search(&world, Box::new(HillClimber::new(&world, 0.25)), &threads).expect("a search").finished
    );
}

#[test]
fn settings_of_a_run_that_mean_nothing_are_refused() {
    let (folder, world) = (tempfile::tempdir().expect("a folder"), world(&[]));
    let out = folder.path().join("run");
    let refused = |run: Run, key: &str| {
        let agent = Box::new(HillClimber::new(&world, 0.25));
        let refusal = cgym::search(&world, agent, &run).expect_err(key).to_string();
        assert!(refusal.starts_with(key), "{refusal}");
        assert!(!out.exists(), "{key} left a run");
    };
    refused(run(&out).episodes(0), "run.episodes: 0");
    let mut never = run(&out);
    never.settings.checkpoint_every = 0;
    refused(never, "run.checkpoint_every: 0");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").map(|entry| entry.expect("an entry")) {
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).expect("a copy")),
        }
    }
}
