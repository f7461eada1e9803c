//! REINFORCE and actor-critic in environments whose best return is known, and transfer of policies.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use cgym_agents::{Agent, AgentContext, Mode, make, resolve_settings, run_episode};
use cgym_env::{Action, Env, ResetOptions, Space};
use common::{Toy, agent, batch, copy, play, table::TableToy};
use serde_json::{Value, json};

const POLICIES: [&str; 4] = ["bilstm", "autoregressive", "encoder-decoder", "mlp"];

/// Plays `updates` batches, then one exploiting episode; gives its return.
fn search(toy: &TableToy, agent: &mut dyn Agent, updates: u64) -> f64 {
    for update in 0..updates {
        let count = agent.batch() as u64;
        let seeds: Vec<u64> = (update * count..(update + 1) * count).collect();
        batch(toy, agent, &seeds);
    }
    run_episode(&mut toy.clone(), agent, 0, Mode::Exploit).unwrap().episodic_return
}

/// How many of ten seeds come within 5 % of the best candidate.
fn successes(name: &str, policy: &str, updates: u64) -> usize {
    let toy = TableToy::new(8);
    let best = toy.best_return();
    let returns: Vec<f64> = (0..10)
        .map(|seed| {
            let mut agent = agent(&toy, name, &json!({ "policy": policy }), 400, seed);
            search(&toy, &mut *agent, updates)
        })
        .collect();
    println!("{name} with {policy}: best {best:.4}, found {returns:.4?}");
    returns.into_iter().filter(|&found| found >= 0.95 * best).count()
}

#[test]
fn reinforce_finds_the_best_candidate_with_a_bidirectional_lstm() {
    assert!(successes("reinforce", "bilstm", 100) >= 9);
}

#[test]
fn reinforce_finds_the_best_candidate_with_an_autoregressive_policy() {
    assert!(successes("reinforce", "autoregressive", 200) >= 9);
}

#[test]
fn reinforce_finds_the_best_candidate_with_an_encoder_and_a_decoder() {
    assert!(successes("reinforce", "encoder-decoder", 200) >= 9);
}

#[test]
fn reinforce_finds_the_best_candidate_with_a_perceptron() {
    assert!(successes("reinforce", "mlp", 150) >= 9);
}

#[test]
fn an_actor_critic_finds_the_best_candidate_with_a_bidirectional_lstm() {
    assert!(successes("actor-critic", "bilstm", 100) >= 9);
}

#[test]
fn an_actor_critic_finds_the_best_candidate_with_an_autoregressive_policy() {
    assert!(successes("actor-critic", "autoregressive", 200) >= 9);
}

#[test]
fn continuous_policies_of_either_density_improve_over_random() {
    let toy = Toy::new(6);
    for distribution in ["beta", "gaussian"] {
        for name in ["reinforce", "actor-critic"] {
            let random = play(&toy, "random", &Value::Null, 300, 1).returns;
            let average = random.iter().sum::<f64>() / random.len() as f64;
            let run = play(&toy, name, &json!({ "distribution": distribution }), 500, 1);
            let late = run.returns[450..].iter().sum::<f64>() / 50.0;
            println!("{name} {distribution}: late {late}, exploit {}, random {average}", run.exploit);
            assert!(late > average && run.exploit > average, "{name} with {distribution}: {late}");
        }
    }
}

#[test]
fn default_policies_depend_on_layout_and_actions() {
    let policy = |env: &dyn Env, name: &str| {
        let context = AgentContext { env, episodes: 10, seed: 0 };
        let settings = resolve_settings(name, &Value::Null, &context).unwrap();
        (settings["policy"].as_str().unwrap().to_owned(), settings["critic"].as_bool().unwrap())
    };
    assert_eq!(policy(&TableToy::new(4), "reinforce"), ("bilstm".to_owned(), false));
    let eleven = TableToy::new(4).with_actions(Space::Discrete { count: 11 });
    assert_eq!(policy(&eleven, "actor-critic"), ("autoregressive".to_owned(), true));
    assert_eq!(policy(&Toy::new(4), "reinforce"), ("mlp".to_owned(), false));
}

#[test]
fn policies_that_read_rows_refuse_vectors_and_say_which_do_not() {
    for policy in ["bilstm", "encoder-decoder"] {
        let context = AgentContext { env: &Toy::new(4), episodes: 10, seed: 0 };
        let Err(error) = make("reinforce", &json!({ "policy": policy }), &context) else {
            panic!("`{policy}` was made");
        };
        assert!(error.to_string().contains("`mlp` and `autoregressive` can play them"), "{error}");
    }
}

/// The actions of an agent with the policy in `directory`.
fn transferred(toy: &dyn Env, name: &str, settings: &Value, directory: &std::path::Path) -> Vec<Action> {
    let mut agent = agent(toy, name, settings, 10, 77);
    agent.load_policy(directory).unwrap();
    run_episode(&mut *copy(toy), &mut *agent, 0, Mode::Exploit).unwrap().actions
}

#[test]
fn a_policy_plays_a_network_twice_as_long() {
    let (short, long) = (TableToy::new(8), TableToy::new(16));
    for policy in POLICIES {
        let settings = json!({ "policy": policy });
        let directory = tempfile::tempdir().unwrap();
        let mut trained = agent(&short, "reinforce", &settings, 10, 3);
        search(&short, &mut *trained, 30);
        trained.save(directory.path()).unwrap();
        let here = transferred(&short, "reinforce", &settings, directory.path());
        let there = transferred(&long, "reinforce", &settings, directory.path());
        assert_eq!(there.len(), 16);
        if policy == "mlp" {
            // The longer network's rows are the shorter one's twice, with the same mean. The other
            // policies carry a state from row to row.
            assert_eq!(there, [here.clone(), here].concat());
        }
    }
}

#[test]
fn a_taken_over_policy_brings_neither_memories_nor_random_state() {
    let toy = TableToy::new(8);
    let directory = tempfile::tempdir().unwrap();
    let mut trained = agent(&toy, "reinforce", &Value::Null, 10, 3);
    search(&toy, &mut *trained, 10);
    trained.save(directory.path()).unwrap();
    let mut agents = [1, 1, 2].map(|seed| {
        let mut agent = agent(&toy, "reinforce", &json!({ "frozen": true }), 10, seed);
        agent.load_policy(directory.path()).unwrap();
        agent
    });
    let played = agents.each_mut().map(|agent| batch(&toy, &mut **agent, &[0, 1, 2]));
    assert_eq!(played[0], played[1]);
    assert_ne!(played[0], played[2]);
    let updates =
        |agent: &dyn Agent| agent.diagnostics().iter().find(|(name, _)| name == "charts/updates").unwrap().1;
    assert_eq!((updates(&*trained), updates(&*agents[0])), (10.0, 0.0));
}

#[test]
fn a_policy_of_other_settings_is_not_taken_over_and_says_which() {
    let toy = TableToy::new(4);
    let directory = tempfile::tempdir().unwrap();
    agent(&toy, "reinforce", &json!({ "policy": "mlp" }), 10, 3).save(directory.path()).unwrap();
    let refusal = |env: &dyn Env, name: &str, settings: Value| {
        agent(env, name, &settings, 10, 3).load_policy(directory.path()).unwrap_err().to_string()
    };
    assert!(refusal(&toy, "reinforce", json!({ "policy": "bilstm" })).contains("policy = mlp"));
    let error = refusal(&toy, "reinforce", json!({ "policy": "mlp", "hidden": 31 }));
    assert!(error.contains("hidden = 30, this agent's 31"), "{error}");
    let wider = toy.clone().with_actions(Space::Discrete { count: 11 });
    let error = refusal(&wider, "reinforce", json!({ "policy": "mlp" }));
    assert!(error.contains("softmax over 2, this agent's from softmax over 11"), "{error}");
    assert!(refusal(&toy, "actor-critic", json!({ "policy": "mlp" })).contains("is of agent `reinforce`"));
    assert!(refusal(&Toy::new(4), "cem", Value::Null).contains("`cem` has no policy"));
}

#[test]
fn a_frozen_policy_acts_but_never_changes() {
    let toy = TableToy::new(8);
    let mut frozen = agent(&toy, "reinforce", &json!({ "frozen": true }), 10, 3);
    let before = run_episode(&mut toy.clone(), &mut *frozen, 0, Mode::Exploit).unwrap();
    search(&toy, &mut *frozen, 20);
    assert_eq!(run_episode(&mut toy.clone(), &mut *frozen, 0, Mode::Exploit).unwrap(), before);
}

#[test]
fn the_log_shows_losses_baseline_and_the_probability_of_keeping() {
    let toy = TableToy::new(8);
    let mut agent = agent(&toy, "actor-critic", &Value::Null, 10, 3);
    assert!(agent.distributions().is_empty());
    search(&toy, &mut *agent, 2);
    let names: Vec<String> = agent.diagnostics().into_iter().map(|(name, _)| name).collect();
    for name in ["losses/policy", "losses/value", "policy/entropy", "policy/baseline", "policy/advantage_std"]
    {
        assert!(names.iter().any(|other| other == name), "{name} is not among {names:?}");
    }
    let distributions = agent.distributions();
    assert_eq!(distributions[0].0, "policy/keep_probability");
    assert_eq!(distributions[0].1.len(), 5 * 8);
    assert!(distributions[0].1.iter().all(|probability| (0.0..=1.0).contains(probability)));
}

#[test]
fn random_remembers_the_best_episode_of_a_batch() {
    let toy = TableToy::new(8);
    let mut random = agent(&toy, "random", &Value::Null, 10, 5);
    let records = batch(&toy, &mut *random, &[0, 1, 2, 3]);
    let best = records.iter().map(|record| record.episodic_return).fold(f64::NEG_INFINITY, f64::max);
    assert_eq!(run_episode(&mut *copy(&toy), &mut *random, 9, Mode::Exploit).unwrap().episodic_return, best);
}

#[test]
fn the_executed_action_is_the_previous_action_of_the_next_decision() {
    let toy = TableToy::new(8).with_actions(Space::vector(1, 0.0, 1.0));
    for policy in ["autoregressive", "encoder-decoder"] {
        let mut agent = agent(&toy, "reinforce", &json!({ "policy": policy }), 10, 5);
        let mut second = |executed: f32| {
            agent.begin(Mode::Exploit).unwrap();
            let mut env = toy.clone();
            let observation = env.reset(0, &ResetOptions::default()).unwrap();
            let own = agent.act(&observation, Mode::Exploit).unwrap();
            agent.executed(&Action::scalar(executed)).unwrap();
            agent.act(env.step(&own).unwrap().observation(), Mode::Exploit).unwrap()
        };
        assert_eq!(second(0.1), second(0.1));
        assert_ne!(second(0.1), second(0.9), "{policy}");
    }
}
