//! A restored agent continues as the saved one; a damaged checkpoint is refused.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use cgym_agents::{Agent, AgentError, Mode, names, run_episode};
use cgym_env::{Env, EpisodeRecord};
use common::{Toy, agent, copy, table::TableToy};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

fn settings(name: &str) -> Value {
    match name {
        "ddpg" => json!({ "hidden": [40, 24], "batch": 16, "replay": 60 }),
        "cem" => json!({ "population": 5 }),
        "greedy" => json!({ "rounds": 4 }),
        _ => Value::Null,
    }
}

fn episodes(agent: &mut dyn Agent, toy: &dyn Env, range: std::ops::Range<u64>) -> Vec<EpisodeRecord> {
    let mut env = copy(toy);
    let mut play = |agent: &mut dyn Agent, seed, mode| run_episode(&mut *env, agent, seed, mode).unwrap();
    range.flat_map(|seed| [play(agent, seed, Mode::Explore), play(agent, seed, Mode::Exploit)]).collect()
}

fn continues_as_if_never_stopped(name: &str, settings: &Value) {
    continues_as_the_saved_one(&Toy::new(6), name, settings, [0, 1, 6, 11, 17]);
}

fn continues_as_the_saved_one<const N: usize>(toy: &dyn Env, name: &str, settings: &Value, stops: [u64; N]) {
    for stop in stops {
        let directory = tempfile::tempdir().unwrap();
        let mut original = agent(toy, name, settings, 20, 5);
        episodes(&mut *original, toy, 0..stop);
        original.save(directory.path()).unwrap();
        // Made from another seed: its state comes from the checkpoint alone.
        let mut restored = agent(toy, name, settings, 20, 6);
        restored.load(directory.path()).unwrap();
        assert_eq!(restored.finished(), original.finished());
        let (then, now) = (stop..stop + 8, stop..stop + 8);
        assert_eq!(
            episodes(&mut *original, toy, then),
            episodes(&mut *restored, toy, now),
            "{name} stopped after {stop} episodes"
        );
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        original.save(first.path()).unwrap();
        restored.save(second.path()).unwrap();
        let read = |directory: &tempfile::TempDir| std::fs::read(directory.path().join("agent.bin")).unwrap();
        assert!(read(&first) == read(&second), "{name}: checkpoints differ later on");
    }
}

#[test]
fn every_agent_continues_as_if_never_stopped() {
    for name in names() {
        continues_as_if_never_stopped(name, &settings(name));
    }
}

#[test]
fn policy_gradients_continue_between_the_episodes_of_an_update() {
    let toy = TableToy::new(6).with_fixed(2);
    for name in ["reinforce", "actor-critic"] {
        for policy in ["bilstm", "autoregressive", "encoder-decoder", "mlp"] {
            let settings = json!({ "policy": policy, "rollouts": 3 });
            continues_as_the_saved_one(&toy, name, &settings, [0, 2, 3, 7]);
        }
    }
}

#[test]
fn ddpg_with_target_networks_continues_as_if_never_stopped() {
    let mut settings = settings("ddpg");
    settings["target"] = json!("bootstrap");
    settings["credit"] = json!("shared");
    continues_as_if_never_stopped("ddpg", &settings);
}

#[test]
fn ddpg_can_be_stopped_in_the_middle_of_an_episode() {
    use cgym_agents::Transition;
    let toy = Toy::new(6);
    let directory = tempfile::tempdir().unwrap();
    let mut original = agent(&toy, "ddpg", &settings("ddpg"), 20, 5);
    episodes(&mut *original, &toy, 0..8);
    let mut env = toy.clone();
    let options = original.begin(Mode::Explore).unwrap();
    let mut observation = env.reset(0, &options).unwrap();
    let step_of = |agent: &mut dyn Agent, env: &mut Toy, observation: &[f32]| {
        let action = agent.act(observation, Mode::Explore).unwrap();
        let step = env.step(&action).unwrap();
        let transition = Transition {
            observation,
            action: &action,
            executed: step.info().executed.as_ref().unwrap(),
            reward: step.reward(),
            next_observation: step.observation(),
            ending: step.ending(),
            outcome: step.info().outcome.as_deref(),
        };
        agent.learn(&transition).unwrap();
        (action, step.into_observation())
    };
    for _ in 0..3 {
        observation = step_of(&mut *original, &mut env, &observation).1;
    }
    original.save(directory.path()).unwrap();
    let mut restored = agent(&toy, "ddpg", &settings("ddpg"), 20, 6);
    restored.load(directory.path()).unwrap();
    let (mut other_env, mut other_observation) = (env.clone(), observation.clone());
    for _ in 3..6 {
        let (action, next) = step_of(&mut *original, &mut env, &observation);
        let (other_action, other_next) = step_of(&mut *restored, &mut other_env, &other_observation);
        assert_eq!(action, other_action);
        (observation, other_observation) = (next, other_next);
    }
    assert_eq!(episodes(&mut *original, &toy, 9..12), episodes(&mut *restored, &toy, 9..12));
}

/// The refusal of `name` to load `directory`, which must name the file.
fn refusal(name: &str, directory: &std::path::Path) -> String {
    let error = agent(&Toy::new(6), name, &settings(name), 20, 5).load(directory).unwrap_err();
    assert!(matches!(&error, AgentError::Checkpoint { path, .. } if path.ends_with("agent.bin")), "{error}");
    error.to_string()
}

fn saved(name: &str) -> tempfile::TempDir {
    let toy = Toy::new(6);
    let directory = tempfile::tempdir().unwrap();
    let mut agent = agent(&toy, name, &settings(name), 20, 5);
    episodes(&mut *agent, &toy, 0..7);
    agent.save(directory.path()).unwrap();
    directory
}

#[test]
fn rejects_a_missing_checkpoint() {
    let directory = tempfile::tempdir().unwrap();
    for name in names() {
        assert!(refusal(name, directory.path()).contains("cannot be read"));
    }
}

#[test]
fn rejects_a_cut_or_changed_checkpoint_wherever_it_is_damaged() {
    for name in ["ddpg", "cem"] {
        let directory = saved(name);
        let path = directory.path().join("agent.bin");
        let whole = std::fs::read(&path).unwrap();
        for place in [0, 20, whole.len() / 2, whole.len() - 1] {
            let mut changed = whole.clone();
            changed[place] ^= 4;
            std::fs::write(&path, &changed).unwrap();
            assert!(refusal(name, directory.path()).contains("damaged"));
            std::fs::write(&path, &whole[..place]).unwrap();
            assert!(refusal(name, directory.path()).contains("damaged"));
        }
    }
}

/// Files that any agent must refuse, made from the checkpoint `whole`: cut, changed, and, with a
/// matching digest, with a state of other fields or with one array too short.
fn damaged(whole: &[u8]) -> Vec<Vec<u8>> {
    let body = &whole[..whole.len() - 32];
    let line = body.iter().position(|&byte| byte == b'\n').unwrap();
    let header: Value = serde_json::from_slice(&body[..line]).unwrap();
    let sealed = |header: &Value, arrays: &[u8]| {
        let bytes = [serde_json::to_string(header).unwrap().as_bytes(), b"\n", arrays].concat();
        [&bytes, &Sha256::digest(&bytes)[..]].concat()
    };
    let mut changed = whole.to_vec();
    changed[whole.len() / 3] ^= 1;
    let mut other = header.clone();
    other["state"] = json!({ "another": 1 });
    let mut files = vec![whole[..whole.len() / 2].to_vec(), changed, sealed(&other, &body[line + 1..])];
    let mut end = line + 1;
    for (index, array) in header["arrays"].as_array().unwrap().iter().enumerate() {
        let length = array[1].as_u64().unwrap();
        end += 4 * length as usize;
        let mut shorter = header.clone();
        shorter["arrays"][index][1] = json!(length - 1);
        files.push(sealed(&shorter, &[&body[line + 1..end - 4], &body[end..]].concat()));
    }
    files
}

#[test]
fn a_good_checkpoint_restores_everything_after_damaged_ones() {
    let toy = Toy::new(6);
    let mut with_targets = settings("ddpg");
    with_targets["target"] = json!("bootstrap");
    with_targets["credit"] = json!("shared");
    let all = names().map(|name| (name, settings(name))).chain([("ddpg", with_targets)]);
    for (name, settings) in all {
        let directory = tempfile::tempdir().unwrap();
        let mut original = agent(&toy, name, &settings, 20, 5);
        episodes(&mut *original, &toy, 0..7);
        original.save(directory.path()).unwrap();
        let path = directory.path().join("agent.bin");
        let whole = std::fs::read(&path).unwrap();
        // An agent that played other episodes, and refuses every damaged checkpoint.
        let mut restored = agent(&toy, name, &settings, 20, 6);
        episodes(&mut *restored, &toy, 0..9);
        for (index, file) in damaged(&whole).iter().enumerate() {
            std::fs::write(&path, file).unwrap();
            assert!(restored.load(directory.path()).is_err(), "{name} loads damage {index}");
        }
        std::fs::write(&path, &whole).unwrap();
        restored.load(directory.path()).unwrap();
        let play = |agent: &mut dyn Agent| episodes(agent, &toy, 7..12);
        assert_eq!(play(&mut *original), play(&mut *restored), "{name}");
        assert_eq!(original.diagnostics(), restored.diagnostics(), "{name}");
    }
}

#[test]
fn rejects_a_checkpoint_of_another_agent() {
    assert!(refusal("cem", saved("greedy").path()).contains("is of agent `greedy`, not of `cem`"));
}

#[test]
fn rejects_a_checkpoint_of_another_size_and_keeps_playing_as_before() {
    let directory = saved("ddpg");
    let toy = Toy::new(6);
    let mut other_settings = settings("ddpg");
    other_settings["hidden"] = json!([40, 25]);
    let mut other = agent(&toy, "ddpg", &other_settings, 20, 5);
    let error = other.load(directory.path()).unwrap_err().to_string();
    assert!(
        error.contains("its actor has layers of [6, 40, 24, 1] numbers, this agent's of [6, 40, 25, 1]"),
        "{error}"
    );
    let mut untouched = agent(&toy, "ddpg", &other_settings, 20, 5);
    assert_eq!(episodes(&mut *other, &toy, 0..3), episodes(&mut *untouched, &toy, 0..3));
    for name in ["greedy", "cem"] {
        let mut longer = agent(&Toy::new(7), name, &settings(name), 20, 5);
        let error = longer.load(saved(name).path()).unwrap_err().to_string();
        assert!(error.contains("numbers, this agent's have 7"), "{error}");
    }
}

#[test]
fn a_later_checkpoint_replaces_an_earlier_one_and_leaves_nothing_else() {
    let directory = saved("ddpg");
    agent(&Toy::new(6), "ddpg", &settings("ddpg"), 20, 5).save(directory.path()).unwrap();
    let files: Vec<_> =
        std::fs::read_dir(directory.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(files, ["agent.bin"]);
}
