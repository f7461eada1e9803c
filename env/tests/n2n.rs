//! N2N's two games.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::sync::Arc;

use cgym_env::{
    Action, Env, EpisodeRecord, N2nEnv, ResetOptions, Scorer, SurrogateStudent, check_env,
    n2n::{N2nReward, N2nRewardSettings, TeacherFigures},
    settings::{EnvSettings, Layer},
};
use cgym_teachers::{
    architecture,
    remove::{removable, remove},
    zoo::{ModelOptions, Shortcut, build},
};
use common::{
    NO_OPTIONS, digits_network,
    n2n::{Rules, TOP1, env_of, figures, game, last, removal, shrinkage, without},
    outcome, play, random_action,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

#[test]
fn both_stages_keep_the_contract() {
    for model in ["lenet5", "resnet20", "vgg11", "mobilenet-v2"] {
        let graph = digits_network(model);
        for rules in [removal(), shrinkage()] {
            let env = env_of(&graph, &rules);
            check_env(|| Box::new(env.clone()))
                .unwrap_or_else(|error| panic!("{model} {}: {error}", rules.stage));
        }
    }
}

#[test]
fn episodes_are_records_that_replay_degenerate_ones_too() {
    let mut env = env_of(&digits_network("resnet8"), &removal());
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let (mut students, mut reasons) = (0, 0);
    for seed in 0..40 {
        let options = ResetOptions { progress: Some(seed), ..ResetOptions::default() };
        let mut record = EpisodeRecord::new(env.spec(), seed, options);
        let keep_all = seed % 4 == 0;
        let mut actions = Vec::new();
        let steps = {
            let fork = env.clone();
            play(&mut env, &options, || {
                let drawn = random_action(&fork, &mut rng);
                let action = if keep_all { Action::Discrete(1) } else { drawn };
                actions.push(action.clone());
                action
            })
        };
        for (action, step) in actions.into_iter().zip(&steps) {
            record.push(action.clone(), action, step);
        }
        assert_eq!(record.outcome.is_some(), record.reason.is_none());
        students += u32::from(record.outcome.is_some());
        reasons += u32::from(record.reason.is_some());
        let text = serde_json::to_string(&record).unwrap();
        let read: EpisodeRecord = serde_json::from_str(&text).unwrap();
        assert_eq!(read.validate(&mut env).unwrap(), Vec::<String>::new());
        let forged = EpisodeRecord { reason: Some("made up".to_owned()), ..record };
        assert_eq!(forged.validate(&mut env).unwrap().len(), 1);
    }
    assert!(students >= 25 && reasons >= 10, "{students} students, {reasons} reasons");
}

#[test]
fn a_decision_removes_the_layer_that_it_names_beside_shortcuts_with_layers() {
    let options = ModelOptions { shortcut: Shortcut::B, ..ModelOptions::new([1, 8, 8], 10) };
    let graph = build("resnet14", &options).unwrap();
    let mut env = env_of(&graph, &removal());
    for name in ["layer1.0.conv2", "layer2.0.conv2", "layer2.1.conv1", "layer3.0.conv2", "layer3.1.conv1"] {
        let actions = without(&env, &[name]);
        let child = env.game().child(&actions).unwrap();
        let lost: Vec<&str> = graph.nodes().iter().map(|node| node.name.as_str()).collect();
        let lost: Vec<&str> = lost.into_iter().filter(|name| child.find(name).is_none()).collect();
        assert_eq!(lost, [name]);
        let outcome = outcome(&[last(&mut env, &NO_OPTIONS, &actions)]);
        assert_eq!(outcome.parameters, child.cost().unwrap().parameters);
        assert_eq!(outcome.kept, actions);
        assert_eq!(outcome.architecture, Some(architecture::hash(&child)));
    }
}

#[test]
fn progress_is_an_option_of_the_episode() {
    let reward = N2nRewardSettings {
        name: N2nReward::Constrained,
        max_parameters: Some(10),
        ..N2nRewardSettings::default()
    };
    let rules = Rules { reward, ..removal() };
    let mut env = env_of(&digits_network("resnet8"), &rules);
    let actions = without(&env, &["layer1.0.conv2"]);
    let reward = |env: &mut N2nEnv, progress| {
        last(env, &ResetOptions { progress, ..ResetOptions::default() }, &actions).reward()
    };
    assert!(reward(&mut env, Some(0)) > 0.0);
    assert_eq!(reward(&mut env, Some(20)), -1.0);
    assert_eq!(reward(&mut env, None), -1.0);
    // Whatever it is worth, it is not what is looked for.
    let step = last(&mut env, &ResetOptions { progress: Some(0), ..ResetOptions::default() }, &actions);
    let outcome = outcome(&[step]);
    assert!(!env.admits(&outcome));
    assert!(env_of(&digits_network("resnet8"), &removal()).admits(&outcome));
}

#[test]
fn a_parent_larger_than_the_teacher_is_refused() {
    let (small, large) = (digits_network("resnet8"), digits_network("resnet20"));
    let error = game(&large, figures(&small), &shrinkage()).err();
    assert!(error.is_some_and(|error| error.to_string().contains("more than the")));
}

#[test]
fn the_second_stage_is_measured_against_the_teacher() {
    let graph = digits_network("resnet20");
    let first = env_of(&graph, &removal());
    let parent = first
        .game()
        .child(&without(&first, &["layer1.1.conv1", "layer2.1.conv2", "layer3.1.conv1"]))
        .unwrap();
    let surrogate = Arc::new(SurrogateStudent::new(&graph).unwrap());
    let second = game(&parent, figures(&graph), &shrinkage()).unwrap();
    let mut env = N2nEnv::new(Arc::new(second), surrogate.clone());
    let actions = vec![7; env.game().decisions().len()];
    let step = last(&mut env, &NO_OPTIONS, &actions);
    let child = env.game().child(&actions).unwrap();
    let (parameters, whole) = (child.cost().unwrap().parameters, graph.cost().unwrap().parameters);
    let compression = 1.0 - parameters as f64 / whole as f64;
    let top1 = surrogate.score(&child).unwrap().top1;
    let expected = compression * (2.0 - compression) * top1 / TOP1;
    assert!((step.reward() - expected).abs() < 1e-12);
    let share = step.info().outcome.as_ref().unwrap().preserve_ratio;
    assert_eq!(share, parameters as f64 / whole as f64);
}

#[test]
fn rejects_rules_that_make_no_sense() {
    let graph = digits_network("resnet8");
    let reward = |key: &str, values: &[(&str, f64)]| {
        let mut layer = Layer::of_id("N2N-Removal-ResNet8-Digits-v0").with("reward", "name", key);
        values.iter().for_each(|(key, value)| layer.set("reward", key, *value));
        EnvSettings::resolve(&layer).unwrap_err().to_string()
    };
    assert!(reward("n2n-constrained", &[]).contains("needs max_parameters, max_macs or min_top1"));
    assert!(reward("n2n", &[("min_top1", 1.5)]).contains("n2n-constrained"));
    assert!(reward("n2n-constrained", &[("min_top1", 1.5)]).starts_with("setting `reward.min_top1`: 1.5"));
    let refused = |teacher: TeacherFigures| game(&graph, teacher, &removal()).err().unwrap().to_string();
    let good = figures(&graph);
    assert!(refused(TeacherFigures { top1: 0.0, ..good }).contains("teacher"));
    assert!(refused(TeacherFigures { top1: f64::NAN, ..good }).contains("teacher"));
    let mut env = env_of(&graph, &removal());
    let budget = ResetOptions::with_budget(0.5);
    assert!(env.reset(0, &budget).unwrap_err().to_string().contains("N2N has no budget"));
    let bare = remove(&graph, &removable(&graph).unwrap()).unwrap();
    let error = game(&bare, good, &removal()).err().unwrap();
    assert!(error.to_string().contains("nothing to decide"), "{error}");
}
