//! Students that are trained before they are scored.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use cgym_env::{
    Action, Distilled, DistilledSetup, Env, EpisodeRecord, Header, Maker, Memoised, N2nEnv, N2nGame,
    ResetOptions, Scorer, Step, check_env,
    n2n::{N2nRewardSettings, Stage, TeacherFigures},
    settings::EnvSettings,
};
use cgym_teachers::{
    architecture,
    data::{DatasetName, LoadOptions, SplitSizes, Splits, load},
    engine::{Engine, Images},
    graph::Graph,
    shipped,
    train::{Device, DistillOptions, Optimiser},
    weights::Weights,
    zoo::{ModelOptions, build},
};

struct School {
    graph: Graph,
    weights: Weights,
    figures: TeacherFigures,
    setup: Box<dyn Fn(DistillOptions, bool) -> Distilled>,
}

/// The shipped ResNet-20 with 64 training and 100 reward images.
fn school() -> School {
    let source = load(DatasetName::Digits, &LoadOptions::default(), &mut |_, _| ()).unwrap();
    let splits = Splits::new(&source, &SplitSizes { calibration: 0, reward: 100, seed: 0 }).unwrap();
    let graph = build("resnet20", &ModelOptions::new([1, 8, 8], 10)).unwrap();
    let weights = shipped::weights("resnet20", "digits", &graph).unwrap().unwrap();
    let reward = Arc::new(Images::new(&source.train, &splits.reward).unwrap());
    let top1 = Engine::new(&graph, &weights).unwrap().top1(&reward).unwrap();
    let cost = graph.cost().unwrap();
    let figures = TeacherFigures { top1, parameters: cost.parameters, macs: cost.macs };
    let dataset = Arc::new(source.train);
    let indices: Vec<usize> = splits.training.into_iter().take(64).collect();
    let teacher = (graph.clone(), weights.clone());
    let setup = move |options, inherit: bool| {
        Distilled::new(DistilledSetup {
            teacher: (&teacher.0, &teacher.1),
            dataset: dataset.clone(),
            indices: indices.clone(),
            reward: reward.clone(),
            options,
            inherit_from: inherit.then(|| teacher.clone()),
            device: Device::flex(),
        })
        .unwrap()
    };
    School { graph, weights, figures, setup: Box::new(setup) }
}

fn quick() -> DistillOptions {
    DistillOptions { epochs: 1, ..DistillOptions::default() }
}

fn env_with(school: &School, scorer: Arc<dyn Scorer<Graph>>) -> N2nEnv {
    let settings = EnvSettings::from_id("N2N-Removal-ResNet20-Digits-v0").unwrap();
    let header = Header { id: settings.id(), settings: settings.hash(), budget: settings.budget.clone() };
    let reward = N2nRewardSettings::default();
    let game = N2nGame::new(&header, &school.graph, school.figures, Stage::Removal, &reward, None).unwrap();
    N2nEnv::new(Arc::new(game), scorer)
}

/// Removes every layer that `goes` says, and gives the last step.
fn play(env: &mut dyn Env, goes: impl Fn(&str) -> bool) -> Step {
    let names = env.spec().decisions.clone();
    env.reset(0, &ResetOptions::default()).unwrap();
    let mut last = None;
    for name in &names {
        last = Some(env.step(&Action::Discrete(usize::from(!goes(name)))).unwrap());
    }
    last.unwrap()
}

fn is_block(name: &str, block: &str) -> bool {
    name.starts_with(block) && !name.ends_with(&format!("{block}.relu"))
}

#[test]
fn a_distilled_environment_keeps_the_contract() {
    let school = school();
    let memory = Arc::new(Memoised::new((school.setup)(quick(), false)));
    let env = env_with(&school, memory.clone());
    check_env(|| Box::new(env.clone())).unwrap();
    assert!(memory.hits() > 0);
}

#[test]
fn the_same_student_scores_the_same_wherever_and_whenever_it_is_trained() {
    let school = school();
    let scores = |threads: usize| {
        let shared: Arc<dyn Scorer<Graph>> = Arc::new((school.setup)(quick(), false));
        let env = env_with(&school, shared);
        std::thread::scope(|scope| {
            let running: Vec<_> = (0..threads)
                .map(|_| {
                    let mut env = env.clone();
                    scope.spawn(move || play(&mut env, |name| is_block(name, "layer1.1")))
                })
                .collect();
            running.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        })
    };
    let alone = scores(1);
    assert!(alone[0].info().outcome.is_some(), "{:?}", alone[0]);
    assert!(scores(2).iter().all(|step| *step == alone[0]));
}

#[test]
fn students_that_inherit_start_from_the_parents_weights() {
    let school = school();
    let gentle = DistillOptions { learning_rate: 1e-6, ..quick() };
    let env = env_with(&school, Arc::new((school.setup)(gentle.clone(), false)));
    let actions: Vec<usize> =
        env.spec().decisions.iter().map(|name| usize::from(!is_block(name, "layer3.2"))).collect();
    let child = env.game().child(&actions).unwrap();
    let [fresh, inherited] =
        [false, true].map(|inherit| (school.setup)(gentle.clone(), inherit).score(&child).unwrap().top1);
    assert!(inherited > fresh + 0.2, "{inherited} inherited, {fresh} fresh");
    let weights = (school.setup)(gentle, true).make(&child).unwrap().weights;
    let of = |weights: &Weights| weights.get("layer1.0.conv1.weight").unwrap().data[0];
    assert!((of(&weights) - of(&school.weights)).abs() < 1e-3);
}

#[test]
fn who_inherits_is_known_by_its_layers_too() {
    let school = school();
    let env = env_with(&school, Arc::new((school.setup)(quick(), false)));
    // Two equal blocks: without either the architecture is the same, but not what it starts from.
    let without = |block: &str| {
        let actions: Vec<usize> =
            env.spec().decisions.iter().map(|name| usize::from(!name.starts_with(block))).collect();
        env.game().child(&actions).unwrap()
    };
    let [first, second] = ["layer1.0", "layer1.1"].map(without);
    assert_eq!(architecture::hash(&first), architecture::hash(&second));
    let [fresh, inherits] = [false, true].map(|inherit| (school.setup)(quick(), inherit));
    assert_eq!(fresh.identity(&first), fresh.identity(&second));
    assert_ne!(inherits.identity(&first), inherits.identity(&second));
    assert_eq!(fresh.score(&first).unwrap(), fresh.score(&second).unwrap());
}

/// Weights that are infinite after the last step, in the middle of an epoch, and losses that are.
#[test]
fn a_student_whose_training_diverges_is_degenerate_and_replays() {
    let school = school();
    for (learning_rate, optimiser, epochs) in [
        (1e6, Optimiser::Adam, 2),
        (1e20, Optimiser::Sgd, 1),
        (1e38, Optimiser::Adam, 1),
        (1e300, Optimiser::Adam, 1),
        (1e300, Optimiser::Sgd, 2),
    ] {
        // One step per epoch: nothing but the check of the weights can find the last one's.
        let options = DistillOptions { learning_rate, optimiser, epochs, batch: 64, ..quick() };
        let mut env = env_with(&school, Arc::new(Memoised::new((school.setup)(options, false))));
        let step = play(&mut env, |name| is_block(name, "layer1.1"));
        assert_eq!((step.reward(), step.info().outcome.is_none()), (-1.0, true), "{learning_rate}");
        let reason = step.info().reason.clone().unwrap();
        assert!(reason.starts_with("the student's training diverged"), "{reason}");
        let actions: Vec<Action> = env
            .spec()
            .decisions
            .iter()
            .map(|name| Action::Discrete(usize::from(!is_block(name, "layer1.1"))))
            .collect();
        let mut record = EpisodeRecord::new(env.spec(), 0, ResetOptions::default());
        env.reset(0, &ResetOptions::default()).unwrap();
        for action in actions {
            let step = env.step(&action).unwrap();
            let executed = step.info().executed.clone().unwrap();
            record.push(action, executed, &step);
        }
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<EpisodeRecord>(&text).unwrap(), record);
        assert_eq!(record.validate(&mut env).unwrap(), [""; 0]);
    }
}
