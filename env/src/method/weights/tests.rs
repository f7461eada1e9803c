//! Fine-grained pruning conforms, and its figures are those of the paper.

use cgym_teachers::zoo::{self, ModelOptions};

use super::*;
use crate::{
    Action, Env, Header, Layerwise, LayerwiseEnv, ResetOptions, Reward, check_env, env_settings::EnvSettings,
    method::check_method,
};

fn method(model: &str, shape: [usize; 3]) -> WeightMethod {
    let graph = zoo::build(model, &ModelOptions::new(shape, 10)).expect("a model");
    WeightMethod::new(&graph, &WeightSettings::default()).expect("layers with weights")
}

fn env(share: f64, unit: BudgetUnit) -> LayerwiseEnv {
    let method = Arc::new(method("lenet5", [1, 28, 28]));
    let budget = Budget { unit, share: Some(share), ..Budget::default() };
    let header = Header { id: "test".to_owned(), settings: String::new(), budget };
    LayerwiseEnv::surrogate(Layerwise::new(&header, method, Reward::Error, 0.02).expect("feasible"))
}

#[test]
fn it_is_a_method_of_every_model() {
    for model in zoo::MODELS {
        check_method(&method(model, [3, 32, 32]), FineGrained::UNITS).expect(model);
    }
}

#[test]
fn its_environments_keep_the_contract() {
    check_env(|| Box::new(env(0.1, BudgetUnit::PARAMS))).expect("the contract");
    check_env(|| Box::new(env(0.3, BudgetUnit::BYTES))).expect("the contract");
}

#[test]
fn the_bounds_are_amc_s_largest_sparsities() {
    let method = method("lenet5", [1, 28, 28]);
    let least: Vec<(u64, u64)> =
        method.sites().iter().map(|site| (site.ladder.least(), site.ladder.whole())).collect();
    assert_eq!(least, [(30, 150), (480, 2_400), (960, 48_000), (202, 10_080), (17, 840)]);
}

#[test]
fn a_budget_that_amc_s_bounds_cannot_meet_lowers_the_one_of_convolutions() {
    let graph = zoo::build("resnet20", &ModelOptions::new([1, 8, 8], 10)).expect("a model");
    let least = |share| {
        let budget = Budget { unit: BudgetUnit::PARAMS, share: Some(share), ..Budget::default() };
        let method = FineGrained::method(&graph, &WeightSettings::default(), &budget).expect("feasible");
        (method.sites()[0].ladder.least(), method.sites()[0].ladder.whole())
    };
    assert_eq!([least(0.5), least(0.2)], [(29, 144), (15, 144)]);
}

#[test]
fn eight_percent_of_the_parameters_are_not_exceeded_by_one() {
    let mut env = env(0.08, BudgetUnit::PARAMS);
    env.reset(0, &ResetOptions::default()).expect("an episode");
    let mut last = None;
    for _ in 0..5 {
        last = Some(env.step(&Action::scalar(1.0)).expect("a step"));
    }
    let outcome = last.and_then(|step| step.info().outcome.clone()).expect("an outcome");
    // 8 % of 61,706 parameters, 236 of them biases. The first layers keep what they ask for.
    assert_eq!(outcome.parameters, 4_936);
    assert_eq!(outcome.kept, [150, 2_400, 1_931, 202, 17]);
}

#[test]
fn every_listed_id_names_it() {
    for (id, _) in FineGrained::LISTED {
        let settings = EnvSettings::from_id(id).expect(id);
        assert_eq!((settings.family.name(), settings.id().as_str()), ("weights", *id));
    }
}
