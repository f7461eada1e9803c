//! The budget holds, whatever is played; costs are those of the network after surgery.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use cgym_env::{
    Action, AmcEnv, AmcSettings, BudgetUnit, CostModel, Env, EnvError, ResetOptions, Scope, uniform_groups,
};
use cgym_teachers::{
    coupling::Coupling,
    graph::Graph,
    surgery::{Keep, slice},
    zoo,
};
use common::{empty_weights, play, random_action, strange_graph, surrogate_env, teacher};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn mobilenet(settings: &AmcSettings) -> AmcEnv {
    let (graph, coupling) = teacher("mobilenet-v1", [3, 224, 224], 1000);
    surrogate_env(&graph, &coupling, settings).unwrap()
}

fn all_settings() -> Vec<AmcSettings> {
    let mut all = Vec::new();
    for budget in [BudgetUnit::Macs, BudgetUnit::Params] {
        for scope in [Scope::Inner, Scope::All] {
            for channel_multiple in [1, 8] {
                all.push(AmcSettings { budget, scope, channel_multiple, ..AmcSettings::default() });
            }
        }
    }
    all
}

fn small_zoo() -> Vec<(Graph, Coupling)> {
    let mut all: Vec<_> = zoo::MODELS.iter().map(|model| teacher(model, [1, 8, 8], 10)).collect();
    let strange = strange_graph();
    let coupling = Coupling::of(&strange).unwrap();
    all.push((strange, coupling));
    all
}

#[test]
fn uniform_070_of_mobilenet_v1_is_the_published_network_when_no_budget_clips() {
    let mut env = mobilenet(&AmcSettings { channel_multiple: 8, target: 1.0, ..AmcSettings::default() });
    let steps = play(&mut env, &ResetOptions::default(), || Action::scalar(0.7));
    let outcome = steps.last().unwrap().info().outcome.clone().unwrap();
    assert_eq!(outcome.kept, [24, 48, 96, 96, 184, 184, 360, 360, 360, 360, 360, 360, 720, 720]);
    let millions = outcome.macs as f64 / 1e6;
    assert!((millions - 297.86).abs() < 0.01, "{millions} M MACs");
    assert!((outcome.preserve_ratio - 0.5237).abs() < 1e-4);
}

#[test]
fn half_of_mobilenet_v1_is_never_exceeded_where_the_released_code_overshoots() {
    let mut env = mobilenet(&AmcSettings { channel_multiple: 8, ..AmcSettings::default() });
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for fixed in [Some(1.0), Some(0.7), Some(0.5), None, None, None] {
        let space = env.action_space().clone();
        let steps = play(&mut env, &ResetOptions::default(), || {
            fixed.map_or_else(|| space.sample(&mut rng), Action::scalar)
        });
        let outcome = steps.last().unwrap().info().outcome.clone().unwrap();
        assert!(outcome.macs <= 284_370_176, "{fixed:?}: {} MACs", outcome.macs);
        assert!(outcome.preserve_ratio <= 0.5);
    }
}

#[test]
fn always_all_leaves_the_early_layers_whole_and_spends_the_budget_to_a_channel() {
    let mut env = mobilenet(&AmcSettings::default());
    let steps = play(&mut env, &ResetOptions::default(), || Action::scalar(1.0));
    let outcome = steps.last().unwrap().info().outcome.clone().unwrap();
    assert_eq!(outcome.kept[..7], [32, 64, 128, 128, 256, 256, 512]);
    assert!(outcome.preserve_ratio > 0.498, "{}", outcome.preserve_ratio);
}

#[test]
fn a_target_out_of_reach_is_refused_with_the_least_that_can_be_met() {
    let (graph, coupling) = teacher("mobilenet-v1", [3, 224, 224], 1000);
    let settings = AmcSettings { channel_multiple: 8, target: 0.04, ..AmcSettings::default() };
    let refusal = surrogate_env(&graph, &coupling, &settings).map(|_| ()).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "a budget of 0.0400 of the macs cannot be met: the least that can is 0.0566"
    );

    let mut env = mobilenet(&AmcSettings { channel_multiple: 8, ..AmcSettings::default() });
    let least = env.least_target();
    let below = ResetOptions::with_target(least * 0.999);
    assert!(matches!(env.reset(0, &below), Err(EnvError::Infeasible { .. })));
    assert!(matches!(env.preview(&below, &[]), Err(EnvError::Setting { .. })));
    assert!(matches!(env.preview(&below, &vec![Action::scalar(1.0); 14]), Err(EnvError::Infeasible { .. })));
    let steps = play(&mut env, &ResetOptions::with_target(least), || Action::scalar(1.0));
    let outcome = steps.last().unwrap().info().outcome.clone().unwrap();
    assert_eq!(outcome.preserve_ratio, least);
}

#[test]
fn every_model_of_the_zoo_meets_every_feasible_budget_with_legal_channel_counts() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for (graph, coupling) in small_zoo() {
        for settings in all_settings() {
            let easy = AmcSettings { target: 1.0, ..settings.clone() };
            let mut env = surrogate_env(&graph, &coupling, &easy).unwrap();
            let decisions = env.decisions().to_vec();
            for _ in 0..4 {
                let least = env.least_target();
                let target = least + (1.0 - least) * rng.random::<f64>().powi(2);
                let twin = env.fork();
                let options = ResetOptions::with_target(target);
                let steps = play(&mut env, &options, || random_action(&*twin, &mut rng));
                let outcome = steps.last().unwrap().info().outcome.clone().unwrap();
                let (context, least) = (format!("{} {settings:?}", graph.name), settings.lower_bound);
                assert!(outcome.preserve_ratio <= target, "{context}: {outcome:?} over {target}");
                for (decision, &kept) in decisions.iter().zip(&outcome.kept) {
                    let all = decision.channels();
                    assert!(kept > 0 && kept <= all, "{context}: {kept} of {all}");
                    assert!(kept as f64 >= least * all as f64 - 1e-6, "{context}: {kept} of {all}");
                    let legal = kept == all || kept.is_multiple_of(settings.channel_multiple);
                    assert!(legal && kept.is_multiple_of(decision.channels_per_atom), "{context}: {kept}");
                }
            }
        }
    }
}

#[test]
fn the_default_budgets_can_be_met_by_every_model_on_every_image_size() {
    for input in [[1, 8, 8], [1, 28, 28], [3, 32, 32]] {
        for model in zoo::MODELS {
            let (graph, coupling) = teacher(model, input, 10);
            for (budget, target) in [(BudgetUnit::Macs, 0.5), (BudgetUnit::Params, 0.6)] {
                let settings = AmcSettings { budget, target, ..AmcSettings::default() };
                let env = surrogate_env(&graph, &coupling, &settings);
                assert!(env.is_ok(), "{model} {input:?} {budget}: {}", env.err().unwrap());
            }
        }
    }
}

#[test]
fn the_cost_model_counts_what_surgery_leaves() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for (graph, coupling) in small_zoo() {
        let weights = empty_weights(&graph);
        let uniform = uniform_groups(&coupling);
        let removable: Vec<usize> =
            (0..coupling.groups.len()).filter(|&g| coupling.groups[g].removable && uniform[g]).collect();
        let inner = removable.iter().copied().filter(|&g| coupling.groups[g].is_inner()).collect();
        for groups in [removable, inner] {
            let model = CostModel::new(&graph, &coupling, &groups).unwrap();
            assert_eq!(model.cost(model.atoms()), graph.cost().unwrap(), "{} whole", graph.name);
            for _ in 0..2 {
                let mut keep = Keep::all(&coupling);
                let mut counts = Vec::new();
                for &group in &groups {
                    let atoms = &coupling.groups[group].atoms;
                    let count = rng.random_range(1..=atoms.len());
                    // Which atoms stay is no matter: take them from anywhere.
                    let offset = rng.random_range(0..=atoms.len() - count);
                    keep.set(&graph, &coupling, group, &atoms[offset..offset + count]).unwrap();
                    counts.push(count as u64);
                }
                let (sliced, _) = slice(&graph, &weights, &coupling, &keep).unwrap();
                assert_eq!(model.cost(&counts), sliced.cost().unwrap(), "{} {counts:?}", graph.name);
            }
        }
    }
}

#[test]
fn groups_whose_channels_are_not_alike_stay_whole_and_grouped_convolutions_move_in_blocks() {
    let graph = strange_graph();
    let coupling = Coupling::of(&graph).unwrap();
    let settings = AmcSettings { scope: Scope::All, ..AmcSettings::default() };
    let env = surrogate_env(&graph, &coupling, &AmcSettings { target: 1.0, ..settings }).unwrap();
    let names: Vec<&str> = env.decisions().iter().map(|decision| decision.name.as_str()).collect();
    // `narrow`, `a` and `b` meet in a sum with a concatenation: a's atoms are only some of it.
    assert_eq!(names, ["mixed (left)", "mixed (right)", "narrow", "hidden", "classes"]);
    let blocks: Vec<usize> = env.decisions().iter().map(|decision| decision.channels_per_atom).collect();
    assert_eq!(blocks, [1, 1, 4, 1, 1]);
}

#[test]
fn a_filled_budget_is_used_up_and_still_holds() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    for model in ["resnet20", "mobilenet-v1", "vgg11"] {
        let (graph, coupling) = teacher(model, [1, 8, 8], 10);
        let settings = AmcSettings { fill_budget: true, ..AmcSettings::default() };
        let mut env = surrogate_env(&graph, &coupling, &settings).unwrap();
        let mut filled = Vec::new();
        for round in 0..20 {
            let twin = env.fork();
            let steps = play(&mut env, &ResetOptions::default(), || match round {
                0 => Action::scalar(0.2),
                _ => random_action(&*twin, &mut rng),
            });
            filled.push(steps.last().unwrap().info().outcome.clone().unwrap().preserve_ratio);
        }
        let widest = 0.02;
        assert!(filled.iter().all(|&ratio| ratio <= 0.5 && ratio > 0.5 - widest), "{model}: {filled:?}");
    }
}
