//! The budget holds, whatever is played; costs are those of the network after surgery.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use cgym_env::{
    Action, Budget, BudgetUnit, Env, EnvError, LayerwiseEnv, ResetOptions,
    method::{
        Method, Site,
        channels::{ChannelMethod, ChannelSettings, CostModel, Scope, uniform_groups},
    },
};
use cgym_teachers::{
    coupling::Coupling,
    graph::Graph,
    pruner::Pruner,
    surgery::{Keep, slice},
    weights::Weights,
    zoo,
};
use common::{
    NO_OPTIONS, Setup, digits_env, digits_network, empty_weights, network, outcome, outcome_of, play,
    random_action, strange_graph, surrogate_env,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// MobileNet-V1 for ImageNet, channels in multiples of 8.
fn mobilenet(share: Option<f64>) -> LayerwiseEnv {
    let channels = ChannelSettings { channel_multiple: 8, ..ChannelSettings::default() };
    let setup = Setup { channels, ..Setup::with_share(share) };
    surrogate_env(&network("mobilenet-v1", [3, 224, 224], 1000), &setup).unwrap()
}

fn all_setups() -> Vec<Setup> {
    let mut all = Vec::new();
    for unit in BudgetUnit::all() {
        for scope in [Scope::Inner, Scope::All] {
            for channel_multiple in [1, 8] {
                let channels = ChannelSettings { scope, channel_multiple, ..ChannelSettings::default() };
                let budget = Budget { unit, share: Some(1.0), exhaust: false };
                all.push(Setup { channels, budget, ..Setup::default() });
            }
        }
    }
    all
}

fn small_zoo() -> Vec<Graph> {
    zoo::MODELS.iter().map(|model| digits_network(model)).chain([strange_graph()]).collect()
}

#[test]
fn uniform_070_of_mobilenet_v1_is_the_published_network_when_no_budget_clips() {
    let mut env = mobilenet(Some(1.0));
    let outcome = outcome_of(&mut env, 0.7);
    assert_eq!(outcome.kept, [24, 48, 96, 96, 184, 184, 360, 360, 360, 360, 360, 360, 720, 720]);
    let millions = outcome.macs as f64 / 1e6;
    assert!((millions - 297.86).abs() < 0.01, "{millions} M MACs");
    assert!((outcome.preserve_ratio - 0.5237).abs() < 1e-4);
}

#[test]
fn half_of_mobilenet_v1_is_never_exceeded_where_the_released_code_overshoots() {
    let mut env = mobilenet(Some(0.5));
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for fixed in [Some(1.0), Some(0.7), Some(0.5), None, None, None] {
        let space = env.action_space().clone();
        let steps =
            play(&mut env, &NO_OPTIONS, || fixed.map_or_else(|| space.sample(&mut rng), Action::scalar));
        let outcome = outcome(&steps);
        assert!(outcome.macs <= 284_370_176, "{fixed:?}: {} MACs", outcome.macs);
        assert!(outcome.preserve_ratio <= 0.5);
    }
}

#[test]
fn always_all_leaves_the_early_layers_whole_and_spends_the_budget_to_a_channel() {
    let graph = network("mobilenet-v1", [3, 224, 224], 1000);
    let mut env = surrogate_env(&graph, &Setup::default()).unwrap();
    let outcome = outcome_of(&mut env, 1.0);
    assert_eq!(outcome.kept[..7], [32, 64, 128, 128, 256, 256, 512]);
    assert!(outcome.preserve_ratio > 0.498, "{}", outcome.preserve_ratio);
}

#[test]
fn a_budget_out_of_reach_is_refused_with_the_least_that_can_be_met() {
    let graph = network("mobilenet-v1", [3, 224, 224], 1000);
    let channels = ChannelSettings { channel_multiple: 8, ..ChannelSettings::default() };
    let setup = Setup { channels, ..Setup::with_share(Some(0.04)) };
    let refusal = surrogate_env(&graph, &setup).map(|_| ()).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "a budget of 0.0400 of the macs cannot be met: the least that can is 0.0566"
    );

    let mut env = mobilenet(Some(0.5));
    let least = env.game().least_share();
    let below = ResetOptions::with_budget(least * 0.999);
    assert!(matches!(env.reset(0, &below), Err(EnvError::Infeasible { .. })));
    assert!(matches!(env.preview(&below, &[]), Err(EnvError::Setting { .. })));
    assert!(matches!(env.preview(&below, &vec![Action::scalar(1.0); 14]), Err(EnvError::Infeasible { .. })));
    let steps = play(&mut env, &ResetOptions::with_budget(least), || Action::scalar(1.0));
    assert_eq!(outcome(&steps).preserve_ratio, least);
}

#[test]
fn every_model_of_the_zoo_meets_every_feasible_budget_with_legal_channel_counts() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for graph in small_zoo() {
        for setup in all_setups() {
            let mut env = surrogate_env(&graph, &setup).unwrap();
            let method = env.method().clone();
            for _ in 0..4 {
                let least = env.game().least_share();
                let share = least + (1.0 - least) * rng.random::<f64>().powi(2);
                let twin = env.clone();
                let options = ResetOptions::with_budget(share);
                let outcome = outcome(&play(&mut env, &options, || random_action(&twin, &mut rng)));
                let (context, least) = (format!("{} {setup:?}", graph.name), setup.channels.lower_bound);
                assert!(outcome.preserve_ratio <= share, "{context}: {outcome:?} over {share}");
                for (site, &kept) in method.sites().iter().zip(&outcome.kept) {
                    let whole = site.whole() as usize;
                    assert!(kept > 0 && kept <= whole, "{context}: {kept} of {whole}");
                    assert!(kept as f64 >= least * whole as f64 - 1e-6, "{context}: {kept} of {whole}");
                    let legal = kept == whole || kept.is_multiple_of(setup.channels.channel_multiple);
                    assert!(legal && kept.is_multiple_of(site.per_amount as usize), "{context}: {kept}");
                    assert!(site.ladder.contains(kept as u64 / site.per_amount), "{context}: {kept}");
                }
            }
        }
    }
}

#[test]
fn the_default_budgets_can_be_met_by_every_model_on_every_image_size() {
    for input in [[1, 8, 8], [1, 28, 28], [3, 32, 32]] {
        for model in zoo::MODELS {
            let graph = network(model, input, 10);
            for (unit, share) in
                [(BudgetUnit::MACS, 0.5), (BudgetUnit::PARAMS, 0.6), (BudgetUnit::BYTES, 0.6)]
            {
                let budget = Budget { unit, share: Some(share), exhaust: false };
                let env = surrogate_env(&graph, &Setup { budget, ..Setup::default() });
                assert!(env.is_ok(), "{model} {input:?} {unit}: {}", env.err().unwrap());
            }
        }
    }
}

#[test]
fn the_cost_model_counts_what_surgery_leaves() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for graph in small_zoo() {
        let coupling = Coupling::of(&graph).unwrap();
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
    let channels = ChannelSettings { scope: Scope::All, ..ChannelSettings::default() };
    let env = surrogate_env(&graph, &Setup { channels, ..Setup::with_share(Some(1.0)) }).unwrap();
    // `narrow`, `a` and `b` meet in a sum with a concatenation: a's atoms are only some of it.
    assert_eq!(env.spec().decisions, ["mixed (left)", "mixed (right)", "narrow", "hidden", "classes"]);
    let blocks: Vec<u64> = env.method().sites().iter().map(|site| site.per_amount).collect();
    assert_eq!(blocks, [1, 1, 4, 1, 1]);
}

#[test]
fn an_exhausted_budget_is_used_up_and_still_holds() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    for model in ["resnet20", "mobilenet-v1", "vgg11"] {
        let budget = Budget { share: Some(0.5), exhaust: true, ..Budget::default() };
        let mut env = digits_env(model, &Setup { budget, ..Setup::default() });
        let mut shares = Vec::new();
        for round in 0..20 {
            let twin = env.clone();
            let steps = play(&mut env, &NO_OPTIONS, || match round {
                0 => Action::scalar(0.2),
                _ => random_action(&twin, &mut rng),
            });
            shares.push(outcome(&steps).preserve_ratio);
        }
        let widest = 0.02;
        assert!(shares.iter().all(|&share| share <= 0.5 && share > 0.5 - widest), "{model}: {shares:?}");
    }
}

#[test]
fn bytes_are_those_of_the_weights_after_surgery() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    for graph in small_zoo() {
        let channels = ChannelSettings { scope: Scope::All, ..ChannelSettings::default() };
        let budget = Budget { unit: BudgetUnit::BYTES, share: Some(0.6), exhaust: false };
        let method = ChannelMethod::new(&graph, &channels).unwrap();
        let pruner = Pruner::new(graph.clone(), Weights::initialise(&graph, 3)).unwrap();
        let mut env = surrogate_env(&graph, &Setup { channels, budget, ..Setup::default() }).unwrap();
        assert_eq!(env.spec().unit, "bytes");
        let twin = env.clone();
        let outcome = outcome(&play(&mut env, &NO_OPTIONS, || random_action(&twin, &mut rng)));
        let atoms = |(site, &kept): (&Site, &usize)| kept / site.per_amount as usize;
        let kept = method.sites().iter().zip(&outcome.kept).map(atoms);
        let kept: Vec<(usize, usize)> = method.cost_model().groups().iter().copied().zip(kept).collect();
        let (pruned, weights) = pruner.prune(&kept).unwrap();
        assert_eq!(outcome.bytes, pruned.cost().unwrap().weight_bytes, "{}", graph.name);
        let stored: usize = weights.iter().map(|(_, tensor)| 4 * tensor.data.len()).sum();
        assert_eq!(outcome.bytes, stored as u64, "{}", graph.name);
        let whole = graph.cost().unwrap().weight_bytes;
        assert_eq!(outcome.preserve_ratio, outcome.bytes as f64 / whole as f64);
        assert!(outcome.preserve_ratio <= 0.6, "{}", graph.name);
    }
}
