//! The layer-wise game step by step, on channel pruning.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use cgym_env::{
    Action, Budget, BudgetUnit, Env, EnvError, FEATURE_NAMES, FEATURES, Game, LayerwiseEnv, Memoised,
    ResetOptions, Reward, Score, Scorer, Surrogate, check_env,
    method::{
        Kept,
        channels::{ChannelMethod, ChannelSettings, Scope},
    },
    settings::{EnvSettings, Layer},
};
use cgym_teachers::zoo;
use common::{
    NO_OPTIONS, Setup, digits_env, digits_network, game, network, outcome, outcome_of, play, random_action,
    surrogate_env,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

#[test]
fn keeps_the_contract_on_every_kind_of_network() {
    for model in ["resnet8", "resnet20", "plain20", "vgg11", "mobilenet-v1", "mobilenet-v2", "lenet5"] {
        for scope in [Scope::Inner, Scope::All] {
            for (unit, exhaust) in
                [(BudgetUnit::MACS, false), (BudgetUnit::PARAMS, true), (BudgetUnit::BYTES, false)]
            {
                let channels = ChannelSettings { scope, ..ChannelSettings::default() };
                let budget = Budget { unit, share: Some(0.5), exhaust };
                let setup = Setup { channels, budget, ..Setup::default() };
                check_env(|| Box::new(digits_env(model, &setup))).unwrap();
            }
        }
    }
}

#[test]
fn decides_about_the_first_layer_that_reads_each_group() {
    let decisions = |model: &str, scope| {
        let channels = ChannelSettings { scope, ..ChannelSettings::default() };
        digits_env(model, &Setup::with_channels(channels)).spec().decisions.clone()
    };
    assert_eq!(decisions("resnet8", Scope::Inner), ["layer1.0.conv2", "layer2.0.conv2", "layer3.0.conv2"]);
    assert_eq!(
        decisions("resnet8", Scope::All),
        ["layer1.0.conv1", "layer1.0.conv2", "layer2.0.conv2", "layer3.0.conv1", "layer3.0.conv2", "linear"]
    );
    assert_eq!(decisions("resnet56", Scope::Inner).len(), 27);
    assert_eq!(decisions("mobilenet-v1", Scope::Inner).len(), 14);
    assert_eq!(decisions("lenet5", Scope::Inner), ["conv2", "fc1", "fc2", "fc3"]);
}

#[test]
fn observations_are_the_papers_eleven_features_of_the_next_layer() {
    assert_eq!(FEATURE_NAMES.len(), 11);
    let graph = network("mobilenet-v1", [3, 224, 224], 1000);
    let mut env = surrogate_env(&graph, &Setup::default()).unwrap();
    let first = env.reset(0, &NO_OPTIONS).unwrap();
    // 64 filters of 32x1x1 on 112x112, stride 1: of 64 to 1024 filters, 32 to 1024 channels.
    assert_eq!(first[..7], [0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0]);
    // The classifier has the fewest MACs; those of 512x512 the most, 51,380,224.
    let macs = (112.0 * 112.0 * 32.0 * 64.0 - 1_024_000.0) / (51_380_224.0 - 1_024_000.0);
    assert!((first[7] - macs as f32).abs() < 1e-6);
    assert_eq!(first[8], 0.0);
    assert_eq!(first[10], 1.0);
    let step = env.step(&Action::scalar(0.5)).unwrap();
    let second = step.observation();
    assert_eq!(second[0], 1.0 / 13.0);
    assert_eq!(second[1], (128.0 - 64.0) / (1024.0 - 64.0));
    assert_eq!(second[2], (64.0 - 32.0) / (1024.0 - 32.0));
    // Half of 32 channels: half of the stem, of the depth-wise layer behind and of this layer.
    let pixels = 112.0 * 112.0;
    let removed = 0.5 * pixels * (27.0 * 32.0 + 9.0 * 32.0 + 32.0 * 64.0);
    assert!((f64::from(second[8]) - removed / 568_740_352.0).abs() < 1e-7);
    assert_eq!(second[10], 0.5);
}

#[test]
fn reduced_and_rest_are_shares_of_the_whole_networks_cost() {
    let mut env = digits_env("resnet20", &Setup::with_share(Some(1.0)));
    let first = env.reset(0, &NO_OPTIONS).unwrap();
    let steps = play(&mut env, &NO_OPTIONS, || Action::scalar(0.6));
    let seen: Vec<&[f32]> =
        std::iter::once(&first[..]).chain(steps.iter().map(|step| step.observation())).collect();
    assert!(seen.windows(2).all(|pair| pair[0][8] < pair[1][8]), "reduced rises");
    assert!(seen[..9].windows(2).all(|pair| pair[0][9] > pair[1][9]), "rest falls");
    assert!(first[9] > 0.8 && first[9] < 1.0);
    assert_eq!(seen[8][9], 0.0, "nothing is left after the last layer");
    let outcome = outcome(&steps);
    let last = seen[9];
    assert!((f64::from(last[8]) - (1.0 - outcome.preserve_ratio)).abs() < 1e-6);
    assert_eq!(last[..8], seen[8][..8], "the final observation is of the last layer");
}

#[test]
fn features_lie_in_the_unit_interval_over_the_whole_zoo() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    for model in zoo::MODELS {
        for unit in BudgetUnit::all() {
            let channels = ChannelSettings { scope: Scope::All, ..ChannelSettings::default() };
            let budget = Budget { unit, share: Some(0.7), exhaust: false };
            let mut env = digits_env(model, &Setup { channels, budget, ..Setup::default() });
            let twin = env.clone();
            for step in play(&mut env, &NO_OPTIONS, || random_action(&twin, &mut rng)) {
                let observation = step.observation();
                assert_eq!(observation.len(), FEATURES);
                assert!(observation.iter().all(|v| (0.0..=1.0).contains(v)), "{model}: {observation:?}");
            }
        }
    }
}

#[test]
fn rounds_half_to_even_then_up_to_a_multiple_but_never_above_all() {
    let kept = |channel_multiple, action| {
        let channels = ChannelSettings { channel_multiple, ..ChannelSettings::default() };
        let setup = Setup { channels, ..Setup::with_share(Some(1.0)) };
        outcome_of(&mut digits_env("lenet5", &setup), action).kept
    };
    // 6, 16, 120 and 84 channels.
    assert_eq!(kept(1, 0.75), [4, 12, 90, 63]);
    assert_eq!(kept(1, 0.2), [2, 4, 24, 17]);
    assert_eq!(kept(8, 0.75), [6, 16, 96, 64]);
    assert_eq!(kept(8, 0.99), [6, 16, 120, 84]);
    assert_eq!(kept(50, 0.2), [6, 16, 50, 50]);
}

#[test]
fn an_illegal_action_names_its_decision_and_changes_nothing() {
    let mut env = digits_env("resnet8", &Setup::default());
    env.reset(0, &NO_OPTIONS).unwrap();
    let expected = env.clone().step(&Action::scalar(0.5)).unwrap();
    for action in [f32::NAN, f32::INFINITY, 0.19, 1.01, -1.0, 0.0] {
        let refusal = env.step(&Action::scalar(action)).unwrap_err();
        assert!(matches!(&refusal, EnvError::IllegalAction { decision, .. } if decision == "layer1.0.conv2"));
    }
    let refusal = env.step(&Action::Continuous(vec![0.5, 0.5])).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "illegal action Continuous([0.5, 0.5]) at decision `layer1.0.conv2`: \
         expected one preserve ratio in [0.2, 1], as `Continuous`"
    );
    assert_eq!(env.step(&Action::scalar(0.5)).unwrap(), expected);
}

#[test]
fn executed_actions_play_the_same_episode_again() {
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    for channel_multiple in [1, 8] {
        let channels = ChannelSettings { channel_multiple, scope: Scope::All, ..ChannelSettings::default() };
        let mut env = digits_env("mobilenet-v2", &Setup::with_channels(channels));
        let twin = env.clone();
        let steps = play(&mut env, &NO_OPTIONS, || random_action(&twin, &mut rng));
        let executed: Vec<Action> = steps.iter().map(|step| step.info().executed.clone().unwrap()).collect();
        let preview = env.preview(&NO_OPTIONS, &executed).unwrap();
        assert!(!preview.clipped);
        assert_eq!(preview.executed, executed);
    }
}

#[test]
fn preview_says_whether_the_budget_lowered_anything() {
    let env = digits_env("resnet20", &Setup::default());
    let all = |action| vec![Action::scalar(action); 9];
    assert!(env.preview(&NO_OPTIONS, &all(1.0)).unwrap().clipped);
    assert!(!env.preview(&NO_OPTIONS, &all(0.3)).unwrap().clipped);
    let loose = ResetOptions::with_budget(1.0);
    let whole = env.preview(&loose, &all(1.0)).unwrap();
    assert!(!whole.clipped);
    assert_eq!(whole.preserve_ratio, 1.0);
}

/// Refuses while told to.
struct Moody(Surrogate, AtomicBool);

impl Scorer<Kept> for Moody {
    fn score(&self, kept: &Kept) -> Result<Score, cgym_teachers::Error> {
        if self.1.load(Ordering::Relaxed) {
            return Err(cgym_teachers::Error::NotFinite("a logit".to_owned()));
        }
        self.0.score(kept)
    }

    fn identity(&self, kept: &Kept) -> String {
        self.0.identity(kept)
    }
}

#[test]
fn a_failed_score_leaves_the_episode_at_its_last_decision() {
    let game = game(&digits_network("resnet8"), &Setup::default()).unwrap();
    let surrogate = Surrogate::new(game.method().sites());
    let moody = Arc::new(Moody(surrogate, AtomicBool::new(true)));
    let mut env = LayerwiseEnv::new(Arc::new(game), moody.clone());
    env.reset(0, &NO_OPTIONS).unwrap();
    env.step(&Action::scalar(0.5)).unwrap();
    env.step(&Action::scalar(0.5)).unwrap();
    let refusal = env.step(&Action::scalar(0.5)).unwrap_err();
    assert_eq!(refusal.to_string(), "a logit is not finite");
    moody.1.store(false, Ordering::Relaxed);
    let step = env.step(&Action::scalar(0.5)).unwrap();
    assert!(step.info().outcome.is_some());
}

#[test]
fn rewards_follow_the_papers_equations() {
    for (reward, expected) in [
        (Reward::Error, (|_, _| 1.0) as fn(f64, f64) -> f64),
        (Reward::ErrorLogMacs, |macs, _| macs.ln()),
        (Reward::ErrorLogParams, |_, parameters| parameters.ln()),
    ] {
        let mut env = digits_env("resnet8", &Setup { reward, ..Setup::default() });
        assert_eq!(env.spec().reward, reward.as_str());
        let steps = play(&mut env, &NO_OPTIONS, || Action::scalar(0.5));
        assert!(steps[..2].iter().all(|step| step.reward() == 0.0));
        let outcome = outcome(&steps);
        let weight = expected(outcome.macs as f64, outcome.parameters as f64);
        assert_eq!(steps[2].reward(), -(1.0 - outcome.top1) * weight);
    }
}

#[test]
fn a_recorded_outcome_can_be_recalled_into_a_memory() {
    let mut env = digits_env("resnet8", &Setup::default());
    let game = env.game().clone();
    let steps = play(&mut env, &NO_OPTIONS, || Action::scalar(0.5));
    let recorded = outcome(&steps);
    let memory = Arc::new(Memoised::new(Surrogate::new(game.method().sites())));
    memory.remember(&game.recall(&recorded).unwrap(), Score { top1: recorded.top1, loss: None });
    let mut resumed = LayerwiseEnv::new(game.clone(), memory.clone());
    assert_eq!(play(&mut resumed, &NO_OPTIONS, || Action::scalar(0.5)), steps);
    assert_eq!((memory.hits(), memory.evaluations()), (1, 0));

    let mut foreign = recorded.clone();
    foreign.macs += 1;
    assert!(matches!(game.recall(&foreign), Err(EnvError::Setting { .. })));
    foreign.kept[0] = 17;
    let refusal = game.recall(&foreign).unwrap_err().to_string();
    assert!(refusal.contains("keeps 17 at `layer1.0.conv2`, which has 16"), "{refusal}");
    let mut other_size = recorded.clone();
    other_size.bytes += 4;
    assert!(matches!(game.recall(&other_size), Err(EnvError::Setting { .. })));
    let mut short = recorded;
    short.kept.pop();
    assert!(matches!(game.recall(&short), Err(EnvError::Setting { .. })));
}

#[test]
fn settings_outside_their_range_are_refused_by_name() {
    for (table, key, value) in [
        ("budget", "share", 0.0),
        ("budget", "share", 1.5),
        ("budget", "share", -0.5),
        ("game", "lower_bound", 0.0),
        ("game", "lower_bound", 1.5),
        ("game", "lower_bound", 1e-60),
    ] {
        match EnvSettings::resolve(&Layer::default().with(table, key, value)) {
            Err(EnvError::Setting { key: found, .. }) => assert_eq!(found, format!("{table}.{key}")),
            other => panic!("{table}.{key} = {value}: {other:?}"),
        }
    }
    let error = EnvSettings::resolve(&Layer::default().with("game", "channel_multiple", 0)).unwrap_err();
    assert!(error.to_string().starts_with("setting `game.channel_multiple`: "), "{error}");
}

#[test]
fn a_game_made_without_tables_refuses_them_too() {
    let graph = digits_network("resnet8");
    for share in [f64::NAN, 0.0, 1.5] {
        let refusal = surrogate_env(&graph, &Setup::with_share(Some(share))).map(|_| ()).unwrap_err();
        assert!(matches!(refusal, EnvError::Setting { .. }), "{refusal}");
    }
    let default = ChannelSettings::default;
    for (key, channels) in [
        ("lower_bound", ChannelSettings { lower_bound: 0.0, ..default() }),
        ("lower_bound", ChannelSettings { lower_bound: 1.5, ..default() }),
        ("lower_bound", ChannelSettings { lower_bound: f64::NAN, ..default() }),
        ("channel_multiple", ChannelSettings { channel_multiple: 0, ..default() }),
    ] {
        match ChannelMethod::new(&graph, &channels).map(|_| ()) {
            Err(EnvError::Setting { key: found, .. }) => assert_eq!(found, key),
            other => panic!("{key}: {other:?}"),
        }
    }
}
