//! The loop that plays episodes: batches, schedules, and where the time goes.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use std::{path::Path, time::Duration};

use cgym_agents::{Agent, AgentError, Mode, Observer, Phase, Schedule, Transition, rollout, run_episode};
use cgym_env::{Action, Env, EpisodeRecord};
use common::{Toy, agent, batch, copy, table::TableToy};
use serde_json::{Value, json};

/// Notes which of its methods are called.
#[derive(Default)]
struct Notes {
    calls: String,
    batch: usize,
    finished: bool,
}

impl Agent for Notes {
    fn name(&self) -> &str {
        "notes"
    }

    fn begin(&mut self, _mode: Mode) -> Result<cgym_env::ResetOptions, AgentError> {
        self.calls.push('b');
        Ok(cgym_env::ResetOptions::default())
    }

    fn act(&mut self, _observation: &[f32], _mode: Mode) -> Result<Action, AgentError> {
        self.calls.push('a');
        Ok(Action::scalar(0.5))
    }

    fn executed(&mut self, _executed: &Action) -> Result<(), AgentError> {
        self.calls.push('e');
        Ok(())
    }

    fn learn(&mut self, transition: &Transition<'_>) -> Result<(), AgentError> {
        self.calls.push(if transition.ending.is_some() { 'L' } else { 'l' });
        Ok(())
    }

    fn batch(&self) -> usize {
        self.batch
    }

    fn finished(&self) -> bool {
        self.finished
    }

    fn save(&self, _directory: &Path) -> Result<(), AgentError> {
        Ok(())
    }

    fn load(&mut self, _directory: &Path) -> Result<(), AgentError> {
        Ok(())
    }
}

fn calls(env: Toy, seeds: &[u64], mode: Mode) -> String {
    let mut agent = Notes::default();
    rollout(&mut env.clone(), &mut agent, seeds, mode, &mut ()).unwrap();
    agent.calls
}

#[test]
fn a_single_episode_is_learned_from_step_by_step_and_a_batch_at_its_end() {
    for env in [Toy::new(3), Toy::new(3).without_look_ahead()] {
        assert_eq!(calls(env.clone(), &[0], Mode::Explore), "balealeaL");
        assert_eq!(calls(env.clone(), &[0], Mode::Exploit), "baeaea");
        assert_eq!(calls(env.clone(), &[0, 1], Mode::Explore), "baeaeabaeaeallLllL");
        assert_eq!(calls(env, &[], Mode::Explore), "");
    }
}

#[test]
fn a_batch_gives_the_same_records_with_and_without_forks() {
    for name in ["reinforce", "actor-critic", "random"] {
        let records = |toy: Toy| -> Vec<EpisodeRecord> {
            let mut agent = agent(&toy, name, &Value::Null, 10, 5);
            let mut env = toy.clone();
            let mut play =
                |seeds: &[u64]| rollout(&mut env, &mut *agent, seeds, Mode::Explore, &mut ()).unwrap();
            [play(&[0, 1, 2, 3, 4]), play(&[5, 6, 7, 8, 9])].concat()
        };
        assert_eq!(records(Toy::new(6)), records(Toy::new(6).without_look_ahead()), "{name}");
    }
}

/// Episodes of a batch, and the same seeds one at a time.
fn both_ways(env: &dyn Env, name: &str, settings: &Value) -> [Vec<EpisodeRecord>; 2] {
    let seeds: Vec<u64> = (0..10).collect();
    let mut batched = agent(env, name, settings, 10, 5);
    let mut single = agent(env, name, settings, 10, 5);
    let mut own = copy(env);
    let mut play = |&seed: &u64| run_episode(&mut *own, &mut *single, seed, Mode::Explore).unwrap();
    [
        seeds.chunks(5).flat_map(|seeds| batch(env, &mut *batched, seeds)).collect(),
        seeds.iter().map(&mut play).collect(),
    ]
}

#[test]
fn a_batch_gives_the_records_of_its_episodes_played_one_at_a_time() {
    let table = TableToy::new(8).with_fixed(3);
    for (env, name, settings) in [
        (&Toy::new(6) as &dyn Env, "random", Value::Null),
        (&table, "random", Value::Null),
        // An update comes after each five episodes either way.
        (&table, "reinforce", json!({ "policy": "autoregressive" })),
        (&table, "actor-critic", json!({ "policy": "encoder-decoder" })),
        (&Toy::new(6), "reinforce", json!({ "policy": "autoregressive" })),
    ] {
        let [batched, single] = both_ways(env, name, &settings);
        assert_eq!(batched, single, "{name} with {settings}");
    }
}

#[test]
fn the_first_error_of_a_batch_is_the_one_returned() {
    struct Wrong(Notes);
    impl Agent for Wrong {
        fn name(&self) -> &str {
            "wrong"
        }
        fn act(&mut self, observation: &[f32], mode: Mode) -> Result<Action, AgentError> {
            self.0.act(observation, mode)?;
            // Illegal only as the last action of the second and of the third episode.
            let acted = self.0.calls.len();
            Ok(Action::scalar(if acted == 6 || acted == 9 { 2.0 + acted as f32 } else { 0.5 }))
        }
        fn learn(&mut self, transition: &Transition<'_>) -> Result<(), AgentError> {
            self.0.learn(transition)
        }
        fn save(&self, directory: &Path) -> Result<(), AgentError> {
            self.0.save(directory)
        }
        fn load(&mut self, directory: &Path) -> Result<(), AgentError> {
            self.0.load(directory)
        }
    }
    let mut agent = Wrong(Notes::default());
    let error = rollout(&mut Toy::new(3), &mut agent, &[0, 1, 2, 3], Mode::Explore, &mut ()).unwrap_err();
    assert!(error.to_string().contains("8.0"), "{error}");
    assert!(!agent.0.calls.contains('l'), "it learned from a failed batch");
}

#[test]
fn a_schedule_explores_in_batches_and_exploits_once() {
    let agent = Notes { batch: 4, ..Notes::default() };
    let (with, without) =
        (Schedule { episodes: 10, exploit: true }, Schedule { episodes: 10, exploit: false });
    for (played, explored) in [(0, Some(4)), (4, Some(4)), (8, Some(2)), (9, Some(1))] {
        let expected = explored.map(|count| (Mode::Explore, count));
        assert_eq!((with.next(&agent, played), without.next(&agent, played)), (expected, expected));
    }
    assert_eq!((with.next(&agent, 10), without.next(&agent, 10)), (Some((Mode::Exploit, 1)), None));
    assert_eq!((with.next(&agent, 11), without.next(&agent, 11)), (None, None));
    let finished = Notes { finished: true, ..Notes::default() };
    assert!([0, 5, 10].into_iter().all(|played| with.next(&finished, played).is_none()));
    // An agent that asks for no episodes gets one at a time.
    assert_eq!(with.next(&Notes::default(), 3), Some((Mode::Explore, 1)));
}

#[test]
fn a_schedule_plays_a_whole_run_with_the_seeds_it_is_given() {
    let toy = Toy::new(4);
    let mut agent = agent(&toy, "reinforce", &Value::Null, 12, 5);
    let (schedule, mut records) = (Schedule { episodes: 12, exploit: true }, Vec::new());
    let mut sizes = Vec::new();
    while let Some(batch) = schedule
        .play(&mut toy.clone(), &mut *agent, records.len() as u64, |number| 100 + number, &mut ())
        .unwrap()
    {
        sizes.push(batch.len());
        records.extend(batch);
    }
    assert_eq!(sizes, [5, 5, 2, 1]);
    assert!(records.iter().map(|record| record.seed).eq(100..113));
}

/// How often each phase was reported.
#[derive(Default)]
struct Counts([usize; 3]);

impl Observer for Counts {
    fn spent(&mut self, phase: Phase, _time: Duration) {
        self.0[phase as usize] += 1;
    }
}

#[test]
fn an_observer_is_told_of_every_phase() {
    let count = |seeds: &[u64], mode| {
        let mut counts = Counts::default();
        rollout(&mut Toy::new(3), &mut Notes::default(), seeds, mode, &mut counts).unwrap();
        counts.0
    };
    // begin, three times act, twice executed; learn at each step; reset and three steps.
    assert_eq!(count(&[0], Mode::Explore), [6, 3, 4]);
    assert_eq!(count(&[0], Mode::Exploit), [6, 0, 4]);
    // The last steps of a batch are one report, as are its forks.
    assert_eq!(count(&[0, 1], Mode::Explore), [12, 6, 2 * 3 + 2]);
}
