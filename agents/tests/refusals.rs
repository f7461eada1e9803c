//! Wrong names, settings, spaces and observations are refused with typed errors.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use cgym_agents::{Agent, AgentContext, AgentError, Mode, Transition, make, run_episode};
use cgym_env::{Action, Space};
use common::{Toy, agent};
use serde_json::{Value, json};

fn refusal(toy: &Toy, name: &str, settings: &Value) -> AgentError {
    match make(name, settings, &AgentContext { env: toy, episodes: 100, seed: 0 }) {
        Ok(agent) => panic!("`{}` was made with {settings}", agent.name()),
        Err(error) => error,
    }
}

#[test]
fn rejects_an_unknown_agent_with_the_nearest_name() {
    let error = refusal(&Toy::new(4), "ddgp", &Value::Null);
    assert_eq!(error.to_string(), "unknown agent `ddgp`; did you mean `ddpg`?");
    let error = refusal(&Toy::new(4), "alphazero", &Value::Null);
    assert!(
        matches!(&error, AgentError::Unknown { suggestion, .. } if suggestion.contains("cem")),
        "{error}"
    );
}

#[test]
fn rejects_settings_that_are_unknown_wrong_or_out_of_range_and_names_the_key() {
    for (name, key, value) in [
        ("ddpg", "tua", json!(0.1)),
        ("ddpg", "tau", json!("small")),
        ("ddpg", "tau", json!(0.0)),
        ("ddpg", "batch", json!(0)),
        ("ddpg", "batch", json!(-4)),
        ("ddpg", "discount", json!(1.5)),
        ("ddpg", "hidden", json!([300])),
        ("ddpg", "hidden", json!([300, 0])),
        ("ddpg", "target", json!("sarsa")),
        ("ddpg", "sigma_decay", json!(2.0)),
        ("ddpg", "baseline_decay", json!(1.0)),
        ("ddpg", "replay", json!(0)),
        ("reinforce", "policy", json!("transformer")),
        ("reinforce", "hidden", json!(0)),
        ("reinforce", "rollouts", json!(0)),
        ("reinforce", "learning_rate", json!(-1.0)),
        ("reinforce", "discount", json!(1.5)),
        ("reinforce", "gradient_clip", json!(0.0)),
        ("reinforce", "distribution", json!("cauchy")),
        ("actor-critic", "value_weight", json!(-1)),
        ("cem", "population", json!(1)),
        ("cem", "elite_fraction", json!(0.0)),
        ("cem", "initial_mean", json!(7)),
        ("greedy", "rounds", json!(0)),
        ("shallow", "slope", json!(-0.5)),
        ("uniform", "slope", json!(0.5)),
        ("random", "seed", json!(1)),
    ] {
        let error = refusal(&Toy::new(4), name, &json!({ key: value }));
        assert!(matches!(&error, AgentError::Setting { key: named, .. } if named == key), "{name}: {error}");
    }
    let error = refusal(&Toy::new(4), "ddpg", &json!({ "actor_learning_rat": 1 })).to_string();
    assert!(error.contains("did you mean `actor_learning_rate`?"), "{error}");
    let error = refusal(&Toy::new(4), "uniform", &json!({ "slope": 0.5 })).to_string();
    assert_eq!(error, "setting `slope`: no such setting; this agent has none");
    let error = refusal(&Toy::new(4), "greedy", &json!({ "temperature": 0.5 })).to_string();
    assert_eq!(error, "setting `temperature`: no such setting; known: rounds");
    assert!(matches!(refusal(&Toy::new(4), "cem", &json!([1])), AgentError::Setting { .. }));
}

#[test]
fn rejects_action_spaces_it_cannot_play() {
    let discrete = Toy::new(4).with_actions(Space::Discrete { count: 3 });
    for name in ["ddpg", "uniform", "shallow", "deep", "greedy"] {
        let error = refusal(&discrete, name, &Value::Null);
        assert!(matches!(&error, AgentError::Spaces { agent, .. } if agent == name), "{error}");
        assert!(error.to_string().contains("discrete"), "{error}");
    }
    let endless = Toy::new(4).with_actions(Space::vector(1, 0.0, f32::INFINITY));
    assert!(refusal(&endless, "ddpg", &Value::Null).to_string().contains("finite bounds"));
}

#[test]
fn searches_and_policy_gradients_play_discrete_actions() {
    let toy = Toy::new(4).with_actions(Space::Discrete { count: 3 });
    for name in ["random", "cem", "reinforce", "actor-critic"] {
        let mut agent = agent(&toy, name, &Value::Null, 10, 0);
        for mode in [Mode::Exploit, Mode::Explore, Mode::Exploit] {
            let record = run_episode(&mut toy.clone(), &mut *agent, 0, mode).unwrap();
            assert_eq!(record.actions.len(), 4, "{name}");
        }
    }
    let error = refusal(&toy, "random", &json!({ "fill_budget": true })).to_string();
    assert!(error.contains("needs a continuous action space"), "{error}");
}

#[test]
fn rejects_observations_of_another_length_or_not_finite() {
    let mut agent = agent(&Toy::new(4), "ddpg", &json!({ "hidden": [8, 8] }), 10, 0);
    for observation in [vec![0.0; 5], vec![0.0, 1.0, f32::NAN, 0.0, 0.0, 0.0]] {
        let error = agent.act(&observation, Mode::Explore).unwrap_err();
        assert!(matches!(error, AgentError::Spaces { .. }), "{error}");
    }
}

#[test]
fn rejects_a_step_beyond_the_last_decision() {
    for name in ["uniform", "greedy", "cem"] {
        let mut agent = agent(&Toy::new(2), name, &Value::Null, 10, 0);
        agent.begin(Mode::Explore).unwrap();
        assert!((0..2).all(|_| agent.act(&[], Mode::Explore).is_ok()));
        assert!(matches!(agent.act(&[], Mode::Explore), Err(AgentError::Env(_))));
    }
}

/// One transition with `executed` and `reward`, at the end of an episode.
fn learn(agent: &mut dyn Agent, executed: Action, reward: f64) -> Result<(), AgentError> {
    agent.learn(&Transition {
        observation: &[0.0; 6],
        action: &Action::scalar(0.5),
        executed: &executed,
        reward,
        next_observation: &[0.0; 6],
        ending: Some(cgym_env::Ending::Terminated),
        outcome: None,
    })
}

#[test]
fn rejects_transitions_that_are_not_numbers() {
    let mut agent = agent(&Toy::new(4), "ddpg", &json!({ "hidden": [8, 8] }), 10, 0);
    let error = learn(&mut *agent, Action::scalar(0.5), f64::NAN).unwrap_err();
    assert!(matches!(error, AgentError::Diverged { .. }), "{error}");
    for executed in [Action::scalar(f32::NAN), Action::Discrete(1), Action::Continuous(vec![0.5; 2])] {
        let error = learn(&mut *agent, executed, 0.0).unwrap_err();
        assert!(matches!(error, AgentError::Spaces { .. }), "{error}");
    }
}

#[test]
fn diverging_says_which_figure_did() {
    let settings = json!({ "hidden": [8, 8], "warmup": 0 });
    let mut agent = agent(&Toy::new(4), "ddpg", &settings, 10, 0);
    let error =
        [0.0, 1e200].into_iter().find_map(|reward| learn(&mut *agent, Action::scalar(0.5), reward).err());
    let error = error.map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("learning diverged: the critic's loss"), "{error}");
}
