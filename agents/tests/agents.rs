//! What the agents find in environments whose best return is known.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use cgym_agents::{Agent, AgentContext, Mode, describe, make, names, resolve_settings, run_episode};
use cgym_env::{Action, Env, ResetOptions, Space};
use common::{LOW, Run, Toy, agent, play, table::TableToy};
use serde_json::{Value, json};

/// The actions of one exploiting episode.
fn policy(toy: &Toy, name: &str, settings: &Value) -> Vec<f32> {
    let mut agent = agent(toy, name, settings, 10, 0);
    let record = run_episode(&mut toy.clone(), &mut *agent, 0, Mode::Exploit).unwrap();
    record.actions.iter().map(|action| action.to_floats()[0]).collect()
}

fn best(toy: &Toy, name: &str, settings: Value, episodes: u64, seed: u64) -> f64 {
    play(toy, name, &settings, episodes, seed).best()
}

/// Networks small enough for many updates in a test.
fn small_ddpg() -> Value {
    json!({ "hidden": [64, 64], "actor_learning_rate": 5e-4, "updates_per_step": 2 })
}

#[test]
fn every_agent_plays_legal_episodes_within_the_budget() {
    let toy = Toy::new(7);
    for name in names() {
        let run = play(&toy, name, &Value::Null, 12, 3);
        assert!(!run.returns.is_empty(), "{name}");
        assert!(run.preserve_ratio <= 0.5 + 1e-6, "{name} keeps {}", run.preserve_ratio);
        assert_eq!(run.agent.name(), name);
    }
}

#[test]
fn uniform_uses_the_whole_budget_with_one_action() {
    let actions = policy(&Toy::new(9), "uniform", &Value::Null);
    assert!(actions.iter().all(|&action| action == actions[0]));
    assert!((actions[0] - 0.5).abs() < 1e-6);
}

#[test]
fn shallow_rises_with_depth_and_deep_falls() {
    let toy = Toy::new(9);
    let rise = policy(&toy, "shallow", &Value::Null);
    let fall = policy(&toy, "deep", &Value::Null);
    assert!(rise.is_sorted() && rise[8] > rise[0] + 0.3, "{rise:?}");
    assert!(fall.is_sorted_by(|a, b| a >= b) && fall[0] > fall[8] + 0.3, "{fall:?}");
    let flat = policy(&toy, "deep", &json!({ "slope": 0.0 }));
    assert_eq!(flat, policy(&toy, "uniform", &Value::Null));
}

#[test]
fn profiles_are_the_highest_that_the_budget_does_not_clip_on_a_grid_of_channels() {
    let toy = Toy::new(9).with_grid(8);
    for name in ["uniform", "shallow", "deep"] {
        let actions: Vec<Action> = policy(&toy, name, &Value::Null).into_iter().map(Action::scalar).collect();
        let preview = toy.preview(&ResetOptions::default(), &actions).unwrap();
        assert!(!preview.clipped && preview.preserve_ratio <= 0.5 + 1e-9, "{name}");
        let higher: Vec<Action> = actions
            .iter()
            .map(|action| Action::scalar((action.to_floats()[0] + 1e-4).clamp(LOW as f32, 1.0)))
            .collect();
        assert!(toy.preview(&ResetOptions::default(), &higher).unwrap().clipped, "{name}");
    }
}

#[test]
fn a_profile_is_finished_after_one_episode_and_exploiting_does_not_count() {
    let toy = Toy::new(5);
    let mut agent = agent(&toy, "deep", &Value::Null, 10, 0);
    run_episode(&mut toy.clone(), &mut *agent, 0, Mode::Exploit).unwrap();
    assert!(!agent.finished());
    run_episode(&mut toy.clone(), &mut *agent, 0, Mode::Explore).unwrap();
    assert!(agent.finished());
}

#[test]
fn greedy_comes_close_to_the_best_and_stops_within_its_episodes() {
    let toy = Toy::new(12);
    let Run { exploit, returns, agent, .. } = play(&toy, "greedy", &Value::Null, 400, 0);
    assert!(agent.finished() && (200..=412).contains(&returns.len()), "{} episodes", returns.len());
    let (best, uniform) = (toy.best_return(), best(&toy, "uniform", Value::Null, 1, 0));
    assert!(exploit > best + 0.05 * (uniform - best), "{exploit}, best {best}, uniform {uniform}");
}

#[test]
fn greedy_meets_the_budget_on_a_grid_in_a_single_round_too() {
    let toy = Toy::new(9).with_grid(8);
    for rounds in [1, 2, 5, 40] {
        let run = play(&toy, "greedy", &json!({ "rounds": rounds }), 1000, 0);
        assert!(run.agent.finished(), "{rounds} rounds");
        assert!(run.preserve_ratio <= 0.5 && run.preserve_ratio > 0.4, "{}", run.preserve_ratio);
    }
}

#[test]
fn cem_beats_random_search_with_and_without_filling_the_budget() {
    let toy = Toy::new(12);
    for seed in 0..3 {
        let random = best(&toy, "random", Value::Null, 200, seed);
        let plain = best(&toy, "cem", json!({ "fill_budget": false }), 200, seed);
        let filled = best(&toy, "cem", Value::Null, 200, seed);
        assert!(plain > random, "seed {seed}: cem without filling {plain}, random {random}");
        assert!(filled > plain, "seed {seed}: cem {filled}, without filling {plain}");
    }
}

#[test]
fn cem_candidates_use_the_whole_budget_even_on_a_grid() {
    let toy = Toy::new(9).with_grid(16);
    let mut agent = agent(&toy, "cem", &Value::Null, 50, 1);
    for episode in 0..20 {
        let record = run_episode(&mut toy.clone(), &mut *agent, episode, Mode::Explore).unwrap();
        let kept = record.outcome.unwrap().preserve_ratio;
        assert!(kept > 0.44 && kept <= 0.5 + 1e-9, "{kept}");
    }
}

#[test]
fn ddpg_learns_a_policy_that_meets_the_budget_by_itself() {
    // Returns do not depend on what the shift of all actions takes back. Without a term that pulls the
    // mean action towards what is played the actor saturates, and the shifted policy is uniform.
    let mut toy = Toy::new(9);
    let settings = json!({ "hidden": [64, 64], "actor_learning_rate": 1e-3, "warmup": 20 });
    let mut ddpg = agent(&toy, "ddpg", &settings, 120, 1);
    for episode in 0..120 {
        run_episode(&mut toy, &mut *ddpg, episode, Mode::Explore).unwrap();
    }
    run_episode(&mut toy, &mut *ddpg, 0, Mode::Exploit).unwrap();
    let (_, shift) = ddpg.diagnostics().into_iter().find(|(name, _)| name == "charts/budget_shift").unwrap();
    assert!(shift.abs() < 0.1, "{shift}");
}

#[test]
fn ddpg_learns_under_a_scarce_budget() {
    // The budget is far below the untrained policy's cost, so that the first shifts are large. An actor
    // that follows them at once saturates within one episode's updates and stops learning.
    let toy = Toy::new(18).with_budget(0.3);
    let (uniform, most) = (best(&toy, "uniform", Value::Null, 1, 0), toy.best_return());
    for seed in 0..4 {
        let run = play(&toy, "ddpg", &json!({ "hidden": [64, 64] }), 108, seed);
        let share = (run.exploit - uniform) / (most - uniform);
        println!("seed {seed}: policy {} of {uniform} to {most}, share {share}", run.exploit);
        assert!(share > 0.9, "seed {seed}: policy {} of {uniform} to {most}", run.exploit);
    }
}

#[test]
fn ddpg_does_not_depend_on_the_scale_of_rewards() {
    // A power of two, so that not even roundings differ.
    let returns = |scale: f64| play(&Toy::new(6).with_scale(scale), "ddpg", &small_ddpg(), 60, 3).returns;
    let larger: Vec<f64> = returns(1.0).iter().map(|value| 1024.0 * value).collect();
    assert_eq!(returns(1024.0), larger);
}

#[test]
fn random_search_that_fills_the_budget_is_never_clipped() {
    let mut toy = Toy::new(12);
    let mut random = agent(&toy, "random", &json!({ "fill_budget": true }), 20, 1);
    for episode in 0..20 {
        let record = run_episode(&mut toy, &mut *random, episode, Mode::Explore).unwrap();
        assert_eq!(record.actions, record.executed);
        assert!(record.outcome.unwrap().preserve_ratio > 0.98 * toy.spec().budget.unwrap());
    }
}

#[test]
fn ddpg_beats_uniform_and_random_at_equal_episodes() {
    let toy = Toy::new(12);
    let uniform = best(&toy, "uniform", Value::Null, 1, 0);
    for seed in 0..4 {
        let random = best(&toy, "random", Value::Null, 200, seed);
        let run = play(&toy, "ddpg", &small_ddpg(), 200, seed);
        println!("seed {seed}: policy {}, best {}, random {random}", run.exploit, run.best());
        assert!(run.best() > random, "seed {seed}: best {}, best random {random}", run.best());
        assert!(run.exploit > uniform, "seed {seed}: policy {}, uniform {uniform}", run.exploit);
    }
}

#[test]
fn ddpg_learns_with_bootstrapping_too() {
    let toy = Toy::new(6);
    let mut settings = small_ddpg();
    settings["target"] = json!("bootstrap");
    settings["credit"] = json!("shared");
    let run = play(&toy, "ddpg", &settings, 150, 0);
    let warmup = &run.returns[..37];
    let average = warmup.iter().sum::<f64>() / warmup.len() as f64;
    assert!(run.exploit > average, "policy {}, warm-up on average {average}", run.exploit);
}

#[test]
fn cem_finds_the_best_candidate_of_discrete_decisions() {
    let toy = TableToy::new(8);
    for seed in 0..4 {
        let mut cem = agent(&toy, "cem", &Value::Null, 300, seed);
        for episode in 0..300 {
            run_episode(&mut toy.clone(), &mut *cem, episode, Mode::Explore).unwrap();
        }
        let found = run_episode(&mut toy.clone(), &mut *cem, 0, Mode::Exploit).unwrap().episodic_return;
        assert!(found >= 0.95 * toy.best_return(), "seed {seed}: {found}");
    }
}

/// Exploiting with the policy in `directory`, or with a fresh one that is then saved there.
fn ddpg_on(toy: &TableToy, directory: &std::path::Path, train: bool) -> Vec<Action> {
    let mut settings = small_ddpg();
    settings["fill_budget"] = json!(false);
    let mut ddpg = agent(toy, "ddpg", &settings, 40, 2);
    if train {
        for episode in 0..40 {
            run_episode(&mut toy.clone(), &mut *ddpg, episode, Mode::Explore).unwrap();
        }
        ddpg.save(directory).unwrap();
    } else {
        ddpg.load_policy(directory).unwrap();
    }
    run_episode(&mut toy.clone(), &mut *ddpg, 0, Mode::Exploit).unwrap().actions
}

#[test]
fn ddpg_reads_the_current_row_of_a_table_and_its_policy_plays_longer_ones() {
    let directory = tempfile::tempdir().unwrap();
    let actions = Space::vector(1, 0.0, 1.0);
    let (short, long) =
        (TableToy::new(8).with_actions(actions.clone()), TableToy::new(16).with_actions(actions));
    let trained = ddpg_on(&short, directory.path(), true);
    assert!(trained.windows(2).any(|pair| pair[0] != pair[1]), "{trained:?}");
    assert_eq!(ddpg_on(&long, directory.path(), false), [trained.clone(), trained].concat());
    // A vector of six numbers is not a row of three.
    let mut other = agent(&Toy::new(6), "ddpg", &small_ddpg(), 40, 2);
    let error = other.load_policy(directory.path()).unwrap_err().to_string();
    assert!(error.contains("[3, 64, 64, 1] numbers, this agent's of [6, 64, 64, 1]"), "{error}");
}

#[test]
fn a_frozen_ddpg_explores_around_a_policy_that_never_changes() {
    let toy = Toy::new(6);
    let mut settings = small_ddpg();
    settings["frozen"] = json!(true);
    let mut ddpg = agent(&toy, "ddpg", &settings, 40, 2);
    let play = |ddpg: &mut dyn Agent, mode| run_episode(&mut toy.clone(), ddpg, 0, mode).unwrap().actions;
    let before = play(&mut *ddpg, Mode::Exploit);
    let explored: Vec<_> = (0..20).map(|_| play(&mut *ddpg, Mode::Explore)).collect();
    assert!(explored.windows(2).all(|pair| pair[0] != pair[1]));
    assert_eq!(play(&mut *ddpg, Mode::Exploit), before);
}

#[test]
fn the_same_seed_plays_the_same_and_another_does_not() {
    let toy = Toy::new(5);
    for name in ["ddpg", "random", "cem"] {
        let settings = if name == "ddpg" { small_ddpg() } else { Value::Null };
        let returns = |seed| play(&toy, name, &settings, 24, seed).returns;
        assert_eq!(returns(1), returns(1), "{name}");
        assert_ne!(returns(1), returns(2), "{name}");
    }
}

#[test]
fn diagnostics_are_named_for_a_log() {
    let toy = Toy::new(5);
    let run = play(&toy, "ddpg", &small_ddpg(), 12, 0);
    let names: Vec<String> = run.agent.diagnostics().into_iter().map(|(name, _)| name).collect();
    for name in ["losses/critic", "losses/actor", "charts/exploration_sigma", "charts/baseline"] {
        assert!(names.iter().any(|other| other == name), "{name} is not among {names:?}");
    }
}

#[test]
fn resolved_settings_make_the_same_agent_again() {
    let toy = Toy::new(5);
    let context = AgentContext { env: &toy, episodes: 40, seed: 1 };
    for name in names() {
        let resolved = resolve_settings(name, &json!({}), &context).unwrap();
        assert_eq!(resolve_settings(name, &resolved, &context).unwrap(), resolved, "{name}");
        assert_eq!(make(name, &resolved, &context).unwrap().settings(), resolved, "{name}");
    }
    let ddpg = resolve_settings("ddpg", &json!({ "tau": 0.1 }), &context).unwrap();
    assert_eq!((&ddpg["tau"], &ddpg["warmup"], &ddpg["replay"]), (&json!(0.1), &json!(10), &json!(100)));
    assert_eq!(resolve_settings("uniform", &Value::Null, &context).unwrap(), json!({}));
    assert_eq!(resolve_settings("greedy", &Value::Null, &context).unwrap(), json!({ "rounds": 8 }));
}

#[test]
fn every_agent_has_a_description_of_one_line() {
    assert!(describe().map(|facts| facts.name).eq(names()));
    for facts in describe() {
        for line in [facts.description, facts.paper] {
            assert!((20..=120).contains(&line.len()) && !line.contains('\n'), "{}: {line}", facts.name);
        }
    }
}

#[test]
fn what_is_said_of_an_agent_is_what_it_does() {
    let (boxes, indices) = (Toy::new(4), Toy::new(4).with_actions(Space::Discrete { count: 3 }));
    let empty = tempfile::tempdir().unwrap();
    for facts in describe() {
        let make = |env| make(facts.name, &Value::Null, &AgentContext { env, episodes: 40, seed: 0 });
        let mut agent = make(&boxes).unwrap();
        assert_eq!(make(&indices).is_ok(), facts.plays_indices, "{}", facts.name);
        let refusal = agent.load_policy(empty.path()).unwrap_err().to_string();
        assert_eq!(!refusal.contains("no policy that could be taken over"), facts.transfers, "{refusal}");
        let defaults = facts.defaults();
        let keys: Vec<&str> = defaults.as_object().unwrap().keys().map(String::as_str).collect();
        assert!(facts.fields.iter().all(|field| keys.contains(&field.key)), "{}: {keys:?}", facts.name);
        assert_eq!(keys.len(), facts.fields.len());
    }
}
