//! Environments without look-ahead, and without a budget.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use cgym_agents::{Agent, AgentContext, AgentError, Mode, make, names, resolve_settings, run_episode};
use cgym_env::{Action, Env, Space};
use common::{Toy, agent, play};
use serde_json::{Value, json};

const CONTEXT_EPISODES: u64 = 24;

fn try_make(env: &dyn Env, name: &str, settings: &Value) -> Result<Box<dyn Agent>, AgentError> {
    make(name, settings, &AgentContext { env, episodes: CONTEXT_EPISODES, seed: 3 })
}

#[test]
fn agents_that_plan_refuse_an_environment_without_look_ahead_and_say_what_turns_planning_off() {
    let blind = Toy::new(5).without_look_ahead();
    let remedy = "; with fill_budget = false it needs none";
    for (name, settings, end) in [
        ("ddpg", json!({}), remedy),
        ("cem", json!({}), remedy),
        ("random", json!({ "fill_budget": true }), remedy),
        ("uniform", json!({}), "be forked"),
        ("shallow", json!({}), "be forked"),
        ("deep", json!({}), "be forked"),
        ("greedy", json!({}), "be forked"),
    ] {
        let Err(error) = try_make(&blind, name, &settings) else { panic!("`{name}` was made") };
        assert!(matches!(&error, AgentError::LookAhead { agent, .. } if agent == name), "{error}");
        assert!(error.to_string().contains("needs look-ahead, but `Toy-v0` can neither preview"), "{error}");
        assert!(error.to_string().ends_with(end), "{error}");
    }
}

#[test]
fn agents_that_do_not_plan_play_an_environment_without_look_ahead_as_any_other() {
    for (name, settings) in [
        ("ddpg", json!({ "hidden": [16, 16], "fill_budget": false })),
        ("cem", json!({ "fill_budget": false, "initial_mean": 0.5 })),
        ("random", json!({})),
        ("reinforce", json!({})),
        ("actor-critic", json!({})),
    ] {
        let returns = |toy: Toy| play(&toy, name, &settings, CONTEXT_EPISODES, 3).returns;
        assert_eq!(returns(Toy::new(5)), returns(Toy::new(5).without_look_ahead()), "{name}");
    }
}

#[test]
fn cem_starts_in_the_middle_where_nothing_tells_what_the_budget_clips() {
    let blind = Toy::new(5).without_look_ahead();
    let returns = |settings: &Value| play(&blind, "cem", settings, CONTEXT_EPISODES, 3).returns;
    assert_eq!(
        returns(&json!({ "fill_budget": false })),
        returns(&json!({ "fill_budget": false, "initial_mean": 0.5 }))
    );
}

#[test]
fn without_a_budget_every_agent_but_greedy_plays_without_look_ahead() {
    let free = Toy::new(5).without_budget().without_look_ahead();
    for name in names().filter(|name| *name != "greedy") {
        let run = play(&free, name, &Value::Null, 12, 3);
        assert!(!run.returns.is_empty(), "{name}");
    }
    let Err(error) = try_make(&free, "greedy", &Value::Null) else { panic!("`greedy` was made") };
    assert_eq!(
        error.to_string(),
        "agent `greedy` cannot play here: it lowers actions until they meet a budget, and `Toy-v0` has none"
    );
}

#[test]
fn without_a_budget_profiles_keep_everything() {
    let free = Toy::new(5).without_budget();
    for name in ["uniform", "shallow", "deep"] {
        let mut agent = agent(&free, name, &Value::Null, 1, 0);
        let record = run_episode(&mut free.clone(), &mut *agent, 0, Mode::Explore).unwrap();
        assert_eq!(record.actions, vec![Action::scalar(1.0); 5], "{name}");
    }
}

#[test]
fn without_a_budget_there_is_none_to_fill() {
    let free = Toy::new(5).without_budget();
    let context = AgentContext { env: &free, episodes: CONTEXT_EPISODES, seed: 3 };
    for (name, other) in [("ddpg", json!({ "hidden": [16, 16] })), ("cem", json!({})), ("random", json!({}))]
    {
        let mut settings = other;
        settings["fill_budget"] = json!(true);
        assert_eq!(
            resolve_settings(name, &settings, &context).unwrap()["fill_budget"],
            json!(false),
            "{name}"
        );
        let mut agent = agent(&free, name, &settings, CONTEXT_EPISODES, 3);
        let episodes: Vec<Vec<Action>> = (0..6)
            .map(|seed| run_episode(&mut free.clone(), &mut *agent, seed, Mode::Explore).unwrap().actions)
            .collect();
        assert!(episodes.windows(2).all(|pair| pair[0] != pair[1]), "{name} repeats {:?}", episodes[0]);
    }
}

#[test]
fn discrete_actions_have_no_budget_to_fill_either() {
    let toy = Toy::new(4).with_actions(Space::Discrete { count: 3 }).without_look_ahead();
    let context = AgentContext { env: &toy, episodes: 10, seed: 0 };
    assert_eq!(resolve_settings("cem", &Value::Null, &context).unwrap()["fill_budget"], json!(false));
}
