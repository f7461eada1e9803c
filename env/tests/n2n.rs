//! N2N's two games.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use cgym_env::{
    Action, Constraints, DEGENERATE_REWARD, Env, EnvError, EpisodeRecord, Evaluation, LAYER_FEATURES, Layout,
    MemoisedStudents, N2nEnv, N2nReward, N2nRules, Outcome, ResetOptions, Stage, Step, StudentEvaluator,
    SurrogateStudent, TeacherFigures, check_env, optimum,
};
use cgym_teachers::{
    Error, architecture,
    graph::{Conv, Graph, Op},
    remove::remove,
};
use common::{play, random_action, teacher};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

const TOP1: f64 = 0.9;

fn figures(graph: &Graph) -> TeacherFigures {
    let cost = graph.cost().unwrap();
    TeacherFigures { top1: TOP1, parameters: cost.parameters, macs: cost.macs }
}

fn network(model: &str) -> Graph {
    teacher(model, [1, 8, 8], 10).0
}

fn env_of(graph: &Graph, rules: &N2nRules) -> N2nEnv {
    let surrogate = Arc::new(MemoisedStudents::new(SurrogateStudent::new(graph).unwrap()));
    N2nEnv::new("N2N-Test-v0", graph, figures(graph), rules, surrogate).unwrap()
}

fn removal() -> N2nRules {
    N2nRules::default()
}

fn shrinkage() -> N2nRules {
    N2nRules { stage: Stage::Shrinkage, ..N2nRules::default() }
}

/// Plays these indices and gives the last step.
fn last(env: &mut N2nEnv, options: &ResetOptions, actions: &[usize]) -> Step {
    let mut actions = actions.iter();
    play(env, options, || Action::Discrete(*actions.next().unwrap())).pop().unwrap()
}

/// All layers kept but those of these names.
fn without(env: &N2nEnv, names: &[&str]) -> Vec<usize> {
    env.decisions().iter().map(|decision| usize::from(!names.contains(&decision.name.as_str()))).collect()
}

#[test]
fn both_stages_keep_the_contract() {
    for model in ["lenet5", "resnet20", "vgg11", "mobilenet-v2"] {
        let graph = network(model);
        for rules in [removal(), shrinkage()] {
            let env = env_of(&graph, &rules);
            check_env(|| env.fork()).unwrap_or_else(|error| panic!("{model} {}: {error}", rules.stage));
        }
    }
}

#[test]
fn episodes_are_records_that_replay_degenerate_ones_too() {
    let mut env = env_of(&network("resnet8"), &removal());
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let (mut students, mut reasons) = (0, 0);
    for seed in 0..40 {
        let options = ResetOptions { progress: Some(seed), ..ResetOptions::default() };
        let mut record = EpisodeRecord::new("N2N-Test-v0", seed, options);
        let keep_all = seed % 4 == 0;
        let mut actions = Vec::new();
        let steps = {
            let fork = env.fork();
            play(&mut env, &options, || {
                let drawn = random_action(&*fork, &mut rng);
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
    let options = cgym_teachers::zoo::ModelOptions {
        shortcut: cgym_teachers::zoo::Shortcut::B,
        ..cgym_teachers::zoo::ModelOptions::new([1, 8, 8], 10)
    };
    let graph = cgym_teachers::zoo::build("resnet14", &options).unwrap();
    let mut env = env_of(&graph, &removal());
    for name in ["layer1.0.conv2", "layer2.0.conv2", "layer2.1.conv1", "layer3.0.conv2", "layer3.1.conv1"] {
        let actions = without(&env, &[name]);
        let child = env.child(&actions).unwrap();
        let lost: Vec<&str> = graph.nodes().iter().map(|node| node.name.as_str()).collect();
        let lost: Vec<&str> = lost.into_iter().filter(|name| child.find(name).is_none()).collect();
        assert_eq!(lost, [name]);
        let outcome = last(&mut env, &ResetOptions::default(), &actions).info().outcome.clone().unwrap();
        assert_eq!(outcome.parameters, child.cost().unwrap().parameters);
        assert_eq!(outcome.kept, actions);
        assert_eq!(outcome.architecture, Some(architecture::hash(&child)));
    }
}

#[test]
fn what_is_no_smaller_is_degenerate() {
    let mut env = env_of(&network("resnet8"), &removal());
    let all = vec![1; env.decisions().len()];
    let step = last(&mut env, &ResetOptions::default(), &all);
    assert_eq!((step.reward(), step.info().outcome.is_none()), (DEGENERATE_REWARD, true));
    let reason = step.info().reason.clone().unwrap();
    assert!(reason.contains("not fewer than"), "{reason}");
    // An activation has no parameters: without it alone the network is no smaller either.
    let actions = without(&env, &["bn1.relu"]);
    assert_eq!(last(&mut env, &ResetOptions::default(), &actions).reward(), DEGENERATE_REWARD);
}

#[test]
fn what_does_not_fit_is_degenerate() {
    let mut graph = Graph::new("grouped", [1, 8, 8]);
    let stem = graph.push("stem", Op::Conv(Conv::square(1, 3, 3, 1)), &[0]);
    let wide = graph.push("wide", Op::Conv(Conv::square(3, 4, 3, 1)), &[stem]);
    let grouped = Op::Conv(Conv { groups: 2, ..Conv::square(4, 4, 3, 2) });
    let grouped = graph.push("grouped", grouped, &[wide]);
    graph.push("classes", Op::AdaptivePool { output: [1, 1] }, &[grouped]);
    let mut env = env_of(&graph, &removal());
    let step = last(&mut env, &ResetOptions::default(), &[0]);
    assert_eq!(step.reward(), DEGENERATE_REWARD);
    assert_eq!(step.info().reason.as_deref(), Some("`grouped` 2 groups do not divide 3 and 4 channels"));
}

#[test]
fn too_few_features_are_degenerate() {
    let mut env = env_of(&network("lenet5"), &shrinkage());
    let factor = |name: &str| if name == "fc2 (units)" { 0 } else { 9 };
    let actions: Vec<usize> = env.decisions().iter().map(|decision| factor(&decision.name)).collect();
    let step = last(&mut env, &ResetOptions::default(), &actions);
    assert_eq!(step.reward(), DEGENERATE_REWARD);
    assert_eq!(step.info().reason.as_deref(), Some("`fc3` reads 8 features, under 10"));
}

#[test]
fn too_many_features_are_degenerate() {
    let mut graph = Graph::new("wide", [1, 56, 56]);
    let wide = graph.push("wide", Op::Conv(Conv::square(1, 64, 3, 1)), &[0]);
    let narrow = graph.push("narrow", Op::Conv(Conv::square(64, 8, 3, 1)), &[wide]);
    let flat = graph.push("flat", Op::Flatten, &[narrow]);
    graph.push("classes", Op::Linear { inputs: 8 * 56 * 56, outputs: 1, bias: true }, &[flat]);
    let graph = Graph::from_nodes("wide", graph.nodes().to_vec()).unwrap();
    let mut env = env_of(&graph, &removal());
    let step = last(&mut env, &ResetOptions::default(), &[0]);
    assert_eq!(step.info().reason.as_deref(), Some("`classes` reads 200704 features, over 50000"));
}

/// An evaluator that cannot train anything.
struct Diverges;

impl StudentEvaluator for Diverges {
    fn evaluate(&self, _: &Graph) -> Result<Evaluation, Error> {
        Err(Error::NotFinite("the student's loss".to_owned()))
    }
}

#[test]
fn a_student_that_cannot_be_trained_is_degenerate() {
    let graph = network("resnet8");
    let mut env =
        N2nEnv::new("N2N-Test-v0", &graph, figures(&graph), &removal(), Arc::new(Diverges)).unwrap();
    let actions = without(&env, &["layer1.0.conv2"]);
    let step = last(&mut env, &ResetOptions::default(), &actions);
    assert_eq!(step.reward(), DEGENERATE_REWARD);
    assert_eq!(step.info().reason.as_deref(), Some("the student's loss is not finite"));
}

#[test]
fn progress_is_an_option_of_the_episode() {
    let constraints = Constraints { max_parameters: Some(10), ..Constraints::default() };
    let rules = N2nRules { reward: N2nReward::Constrained, constraints, ..removal() };
    let mut env = env_of(&network("resnet8"), &rules);
    let actions = without(&env, &["layer1.0.conv2"]);
    let reward = |env: &mut N2nEnv, progress| {
        last(env, &ResetOptions { progress, ..ResetOptions::default() }, &actions).reward()
    };
    assert!(reward(&mut env, Some(0)) > 0.0);
    assert_eq!(reward(&mut env, Some(20)), -1.0);
    assert_eq!(reward(&mut env, None), -1.0);
    // Whatever it is worth, it is not what is looked for.
    let step = last(&mut env, &ResetOptions { progress: Some(0), ..ResetOptions::default() }, &actions);
    let outcome = step.info().outcome.clone().unwrap();
    assert!(!env.admits(&outcome));
    assert!(env_of(&network("resnet8"), &removal()).admits(&outcome));
}

#[test]
fn a_parent_larger_than_the_teacher_is_refused() {
    let (small, large) = (network("resnet8"), network("resnet20"));
    let surrogate = Arc::new(SurrogateStudent::new(&large).unwrap());
    let error = N2nEnv::new("N2N-Test-v0", &large, figures(&small), &shrinkage(), surrogate).err();
    assert!(error.is_some_and(|error| error.to_string().contains("more than the")));
}

#[test]
fn the_second_stage_is_measured_against_the_teacher() {
    let graph = network("resnet20");
    let first = env_of(&graph, &removal());
    let parent =
        first.child(&without(&first, &["layer1.1.conv1", "layer2.1.conv2", "layer3.1.conv1"])).unwrap();
    let surrogate = Arc::new(SurrogateStudent::new(&graph).unwrap());
    let mut env =
        N2nEnv::new("N2N-Test-v0", &parent, figures(&graph), &shrinkage(), surrogate.clone()).unwrap();
    let actions = vec![7; env.decisions().len()];
    let step = last(&mut env, &ResetOptions::default(), &actions);
    let child = env.child(&actions).unwrap();
    let (parameters, whole) = (child.cost().unwrap().parameters, graph.cost().unwrap().parameters);
    let compression = 1.0 - parameters as f64 / whole as f64;
    let top1 = surrogate.evaluate(&child).unwrap().top1;
    let expected = compression * (2.0 - compression) * top1 / TOP1;
    assert!((step.reward() - expected).abs() < 1e-12);
    let share = step.info().outcome.as_ref().unwrap().preserve_ratio;
    assert_eq!(share, parameters as f64 / whole as f64);
}

#[test]
fn an_observation_is_the_whole_network_with_a_cursor() {
    let graph = network("resnet20");
    for rules in [removal(), shrinkage()] {
        let mut env = env_of(&graph, &rules);
        let Layout::Table { rows, columns, mask } = env.spec().layout else { panic!() };
        assert_eq!((rows % 32, mask), (0, LAYER_FEATURES.len()));
        let mut observation = env.reset(0, &ResetOptions::default()).unwrap();
        let first = observation.clone();
        let decisions: Vec<_> = env.decisions().to_vec();
        for decision in decisions {
            let cursor: Vec<usize> = (0..rows * columns)
                .filter(|place| place % columns > mask && observation[*place] != 0.0)
                .collect();
            assert_eq!(cursor.len(), 1);
            assert_eq!(cursor[0] / columns, decision.node - 1, "{}", decision.name);
            let same = |place: &usize| place % columns > mask || observation[*place] == first[*place];
            assert!((0..rows * columns).all(|place| same(&place)));
            observation = env.step(&Action::Discrete(1)).unwrap().into_observation();
        }
        let masked = (0..rows).filter(|row| first[row * columns + mask] == 1.0).count();
        assert_eq!(masked, graph.nodes().len() - 1);
        let padding = &first[masked * columns..];
        assert!(padding.iter().all(|value| *value == 0.0));
    }
}

#[test]
fn the_table_of_a_layer_reads_as_documented() {
    let graph = network("resnet20");
    let mut env = env_of(&graph, &N2nRules { rows: Some(100), ..removal() });
    let observation = env.reset(0, &ResetOptions::default()).unwrap();
    let columns = LAYER_FEATURES.len() + 2;
    assert_eq!(observation.len(), 100 * columns);
    let value = |layer: &str, feature: &str| {
        let column = LAYER_FEATURES.iter().position(|name| *name == feature).unwrap();
        observation[(graph.find(layer).unwrap() - 1) * columns + column]
    };
    assert_eq!(value("layer2.0.conv1", "conv"), 1.0);
    assert_eq!(value("layer2.0.conv1", "kernel"), 3.0 / 11.0);
    assert_eq!(value("layer2.0.conv1", "stride"), 0.5);
    assert_eq!(value("layer2.0.conv1", "padding"), 0.2);
    assert_eq!(value("layer2.0.conv1", "outputs"), 5.0 / 12.0);
    assert_eq!(value("layer1.1.conv1", "skip_start"), 1.0 / 16.0);
    assert_eq!(value("layer1.1.conv1", "skip_end"), 5.0 / 16.0);
    assert_eq!((value("linear", "linear"), value("linear", "skip_start")), (1.0, 0.0));
    assert!(
        N2nEnv::new(
            "N2N-Test-v0",
            &graph,
            figures(&graph),
            &N2nRules { rows: Some(5), ..removal() },
            Arc::new(Diverges)
        )
        .is_err()
    );
}

/// Counts how often it is asked.
struct Counting(SurrogateStudent, AtomicU64);

impl StudentEvaluator for Counting {
    fn evaluate(&self, child: &Graph) -> Result<Evaluation, Error> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.evaluate(child)
    }
}

#[test]
fn a_student_is_trained_once_by_any_number_of_threads() {
    let graph = network("resnet8");
    let memory =
        Arc::new(MemoisedStudents::new(Counting(SurrogateStudent::new(&graph).unwrap(), AtomicU64::new(0))));
    let env = N2nEnv::new("N2N-Test-v0", &graph, figures(&graph), &removal(), memory.clone()).unwrap();
    let names = ["layer1.0.conv1", "layer1.0.conv2", "layer2.0.conv2"];
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let mut env = env.clone();
            scope.spawn(move || {
                for name in names {
                    let actions = without(&env, &[name]);
                    last(&mut env, &ResetOptions::default(), &actions);
                }
            });
        }
    });
    // Two equal convolutions of one block: without either, it is the same architecture.
    let trained = memory.inner().1.load(Ordering::Relaxed);
    assert_eq!((memory.evaluations(), memory.hits()), (trained, 12 - trained));
    assert!(trained == 3 || trained == 2, "{trained}");
    let resumed = MemoisedStudents::with_known(Diverges, memory.known());
    assert_eq!(resumed.known(), memory.known());
    let child = env.child(&without(&env, &names[..1])).unwrap();
    assert_eq!(resumed.evaluate(&child).unwrap(), memory.evaluate(&child).unwrap());
}

#[test]
fn a_recorded_outcome_is_recalled_and_a_forged_one_refused() {
    let graph = network("resnet8");
    let mut env = env_of(&graph, &removal());
    let actions = without(&env, &["layer1.0.conv2"]);
    let outcome = *last(&mut env, &ResetOptions::default(), &actions).info().outcome.clone().unwrap();
    let (identity, evaluation) = env.recall(&outcome).unwrap();
    assert_eq!(Some(identity), outcome.architecture);
    assert_eq!((evaluation.top1, evaluation.cost.parameters), (outcome.top1, outcome.parameters));
    for forged in [
        Outcome { parameters: outcome.parameters + 1, ..outcome.clone() },
        Outcome { architecture: None, ..outcome.clone() },
        Outcome { kept: vec![1; 3], ..outcome.clone() },
        Outcome { kept: vec![7; outcome.kept.len()], ..outcome },
    ] {
        assert!(env.recall(&forged).is_err());
    }
}

#[test]
fn the_optimum_of_a_small_game_is_what_no_other_episode_beats() {
    let graph = network("lenet5");
    let mut env = env_of(&graph, &removal());
    assert!(env.decisions().len() <= 12);
    let (actions, best) = optimum(&env).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let fork = env.fork();
    for _ in 0..50 {
        let steps = play(&mut env, &ResetOptions::default(), || random_action(&*fork, &mut rng));
        assert!(steps.last().unwrap().reward() <= best);
    }
    let mut replayed = actions.iter().cloned();
    let steps = play(&mut env, &ResetOptions::default(), || replayed.next().unwrap());
    assert_eq!(steps.last().unwrap().reward(), best);
    assert!(best > DEGENERATE_REWARD);
    assert!(matches!(optimum(&env_of(&graph, &shrinkage())), Err(EnvError::Setting { .. })));
}

#[test]
fn rejects_rules_that_make_no_sense() {
    let graph = network("resnet8");
    let make = |teacher: TeacherFigures, rules: &N2nRules| {
        let made = N2nEnv::new("N2N-Test-v0", &graph, teacher, rules, Arc::new(Diverges));
        made.map(|_| ()).unwrap_err().to_string()
    };
    let good = figures(&graph);
    let constrained = N2nRules { reward: N2nReward::Constrained, ..removal() };
    assert!(make(good, &constrained).contains("constraints"));
    let constraints = Constraints { min_top1: Some(1.5), ..Constraints::default() };
    assert!(make(good, &N2nRules { constraints, ..removal() }).contains("n2n-constrained"));
    assert!(make(good, &N2nRules { constraints, ..constrained }).contains("min_top1"));
    assert!(make(TeacherFigures { top1: 0.0, ..good }, &removal()).contains("teacher"));
    assert!(make(TeacherFigures { top1: f64::NAN, ..good }, &removal()).contains("teacher"));
    let mut env = env_of(&graph, &removal());
    let budget = ResetOptions::with_target(0.5);
    assert!(env.reset(0, &budget).unwrap_err().to_string().contains("N2N has none"));
    let bare = remove(&graph, &cgym_teachers::remove::removable(&graph).unwrap()).unwrap();
    let surrogate = Arc::new(SurrogateStudent::new(&bare).unwrap());
    let error = N2nEnv::new("N2N-Test-v0", &bare, good, &removal(), surrogate).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("nothing to decide"), "{error}");
}
