//! Students learn what their teacher says.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::atomic::{AtomicBool, Ordering};

use cgym_teachers::{
    Error,
    data::{DataSource, DatasetName, LoadOptions, SplitSizes, Splits, load},
    engine::{Engine, Images},
    graph::Graph,
    remove::remove,
    shipped,
    train::{
        Device, DistillLoss, DistillOptions, Distillation, Optimiser, Trained, TrainingEvent, distill,
        fresh_weights, teacher_logits,
    },
    weights::Weights,
    zoo::{ModelOptions, build},
};

struct School {
    source: DataSource,
    indices: Vec<usize>,
    logits: Vec<f32>,
    reward: Images,
    teacher: Graph,
}

/// The shipped ResNet-20 and its first `images` training digits.
fn school(images: usize) -> School {
    let source = load(DatasetName::Digits, &LoadOptions::default(), &mut |_, _| ()).unwrap();
    let sizes = SplitSizes::for_dataset(DatasetName::Digits, &source, 0);
    let splits = Splits::new(&source, &sizes).unwrap();
    let teacher = build("resnet20", &ModelOptions::new([1, 8, 8], 10)).unwrap();
    let weights = shipped::weights("resnet20", "digits", &teacher).unwrap().unwrap();
    let indices: Vec<usize> = splits.training.iter().copied().take(images).collect();
    let logits = teacher_logits(&teacher, &weights, &source.train, &indices).unwrap();
    let reward = Images::new(&source.train, &splits.reward).unwrap();
    School { source, indices, logits, reward, teacher }
}

impl School {
    fn distillation<'a>(&'a self, stop: Option<&'a AtomicBool>) -> Distillation<'a> {
        Distillation {
            dataset: &self.source.train,
            indices: &self.indices,
            teacher_logits: &self.logits,
            validation: &self.reward,
            stop,
            checkpoints: None,
        }
    }

    fn train(&self, student: &Graph, options: &DistillOptions) -> Result<Trained, Error> {
        let initial = fresh_weights(student, options.seed);
        distill(student, initial, &self.distillation(None), options, &Device::flex(), &mut |_| ())
    }
}

/// The teacher without a block and with some halves of blocks.
fn student(teacher: &Graph) -> Graph {
    let names = ["layer1.1.conv1", "layer1.1.conv2", "layer2.1.conv2", "layer3.1.conv1", "layer3.2.conv2"];
    let drop: Vec<usize> = names.iter().map(|name| teacher.find(name).unwrap()).collect();
    remove(teacher, &drop).unwrap()
}

fn small() -> Graph {
    build("resnet8", &ModelOptions::new([1, 8, 8], 10)).unwrap()
}

#[test]
fn a_student_learns_the_digits_in_five_epochs() {
    let school = school(usize::MAX);
    let trained = school.train(&student(&school.teacher), &DistillOptions::default()).unwrap();
    assert!(trained.finished && trained.epochs.len() == 5);
    assert!(trained.epochs[4].top1 > 0.9, "{:?}", trained.epochs);
    assert!(trained.epochs[4].loss < 0.5 * trained.epochs[0].loss, "{:?}", trained.epochs);
}

#[test]
fn every_loss_and_every_optimiser_teaches() {
    let school = school(300);
    let small = small();
    for (_, name) in DistillLoss::NAMES {
        let options = DistillOptions { loss: name.parse().unwrap(), epochs: 3, ..DistillOptions::default() };
        let epochs = school.train(&small, &options).unwrap().epochs;
        assert!(epochs[2].loss < epochs[0].loss, "{name}: {epochs:?}");
        assert!(epochs[2].top1 > 0.3, "{name}: {epochs:?}");
    }
    let sgd = DistillOptions { optimiser: Optimiser::Sgd, learning_rate: 0.02, ..DistillOptions::default() };
    let epochs = school.train(&small, &sgd).unwrap().epochs;
    assert!(epochs[4].loss < epochs[0].loss && epochs[4].top1 > 0.3, "{epochs:?}");
}

#[test]
fn batch_norms_learn_in_every_epoch() {
    let school = school(128);
    let small = small();
    let stop = AtomicBool::new(false);
    let statistics = |after: usize| {
        stop.store(false, Ordering::Relaxed);
        let mut report = |event: TrainingEvent<'_>| {
            if let TrainingEvent::Epoch(epoch) = event {
                stop.store(epoch.epoch >= after, Ordering::Relaxed);
            }
        };
        let options = DistillOptions { epochs: 3, ..DistillOptions::default() };
        let distillation = school.distillation(Some(&stop));
        let initial = fresh_weights(&small, 0);
        let trained =
            distill(&small, initial, &distillation, &options, &Device::flex(), &mut report).unwrap();
        assert_eq!((trained.finished, trained.epochs.len()), (after == 3, after));
        trained.weights.get("layer2.0.bn1.running_mean").unwrap().data.clone()
    };
    let seen = [1, 2, 3].map(statistics);
    assert!(seen[0] != seen[1] && seen[1] != seen[2]);
}

#[test]
fn a_student_stopped_and_continued_is_the_same_student() {
    let school = school(96);
    let small = small();
    for (optimiser, best_epoch) in [(Optimiser::Adam, true), (Optimiser::Sgd, false)] {
        let options = DistillOptions {
            epochs: 4,
            optimiser,
            best_epoch,
            weight_decay: 1e-4,
            learning_rate: 0.02,
            ..DistillOptions::default()
        };
        let unbroken = school.train(&small, &options).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let stop = AtomicBool::new(false);
        let train = |task: &str, after: usize| {
            stop.store(false, Ordering::Relaxed);
            let checkpoints = Some((task, folder.path()));
            let distillation = Distillation { checkpoints, ..school.distillation(Some(&stop)) };
            let mut watch = |event: TrainingEvent<'_>| {
                if let TrainingEvent::Epoch(epoch) = event {
                    stop.store(epoch.epoch == after, Ordering::Relaxed);
                }
            };
            let initial = fresh_weights(&small, options.seed);
            distill(&small, initial, &distillation, &options, &Device::flex(), &mut watch)
        };
        assert_eq!(train("one", 1).unwrap().epochs.len(), 1);
        assert_eq!(train("one", 3).unwrap().epochs.len(), 3);
        let refusal = train("another", 9).expect_err("another task").to_string();
        assert!(refusal.contains("another network or with other settings"), "{refusal}");
        // The newest is damaged: the one before it is taken.
        let damaged = folder.path().join("epoch-000003/optimiser.safetensors");
        let mut bytes = std::fs::read(&damaged).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(&damaged, bytes).unwrap();
        let continued = train("one", 9).unwrap();
        assert!(continued.finished);
        assert_eq!(continued.epochs, unbroken.epochs);
        assert!(continued.weights == unbroken.weights, "{optimiser:?}");
    }
}

#[test]
fn the_same_student_comes_out_at_any_number_of_threads_and_beside_others() {
    let school = school(96);
    let graphs = [small(), student(&school.teacher)];
    let options = DistillOptions { epochs: 2, ..DistillOptions::default() };
    let alone: Vec<Weights> =
        graphs.iter().map(|graph| school.train(graph, &options).unwrap().weights).collect();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    assert_eq!(pool.install(|| school.train(&graphs[0], &options).unwrap().weights), alone[0]);
    let beside: Vec<Weights> = std::thread::scope(|scope| {
        let threads: Vec<_> = [0, 1, 0]
            .into_iter()
            .map(|place| {
                let (school, graph, options) = (&school, &graphs[place], &options);
                scope.spawn(move || school.train(graph, options).unwrap().weights)
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(beside, [alone[0].clone(), alone[1].clone(), alone[0].clone()]);
}

#[test]
fn the_best_epoch_is_kept_where_it_is_asked_for() {
    let school = school(200);
    let small = small();
    // A rate under which the accuracy goes up and down.
    let options =
        DistillOptions { learning_rate: 0.1, batch: 16, best_epoch: true, ..DistillOptions::default() };
    let trained = school.train(&small, &options).unwrap();
    let best = trained.epochs.iter().map(|epoch| epoch.top1).fold(0.0, f64::max);
    assert_eq!(Engine::new(&small, &trained.weights).unwrap().top1(&school.reward).unwrap(), best);
}

#[test]
fn fresh_weights_depend_on_architecture_and_seed_alone() {
    let graph = small();
    let mut renamed = graph.clone();
    renamed.name = "other".to_owned();
    assert_eq!(fresh_weights(&graph, 1), fresh_weights(&renamed, 1));
    assert_ne!(fresh_weights(&graph, 1), fresh_weights(&graph, 2));
    let other = build("resnet14", &ModelOptions::new([1, 8, 8], 10)).unwrap();
    let first = |graph: &Graph| fresh_weights(graph, 1).get("conv1.weight").unwrap().data.clone();
    assert_ne!(first(&graph), first(&other));
}

#[test]
fn rejects_settings_and_data_that_do_not_fit() {
    let school = school(64);
    let small = small();
    let good = DistillOptions::default();
    for (key, bad) in [
        ("batch", DistillOptions { batch: 1, ..good.clone() }),
        ("epochs", DistillOptions { epochs: 0, ..good.clone() }),
        ("learning_rate", DistillOptions { learning_rate: f64::INFINITY, ..good.clone() }),
        ("weight_decay", DistillOptions { weight_decay: -1.0, ..good.clone() }),
        ("temperature", DistillOptions { temperature: 0.0, ..good.clone() }),
        ("alpha", DistillOptions { alpha: 1.1, ..good.clone() }),
        ("lambda", DistillOptions { lambda: f64::NAN, ..good.clone() }),
    ] {
        let error = school.train(&small, &bad).unwrap_err().to_string();
        assert!(error.contains(key), "{error}");
    }
    let refusal = |distillation: Distillation<'_>| {
        let initial = fresh_weights(&small, 0);
        let result = distill(&small, initial, &distillation, &good, &Device::flex(), &mut |_| ());
        result.unwrap_err().to_string()
    };
    let whole = school.distillation(None);
    let short = Distillation { teacher_logits: &school.logits[1..], ..whole };
    assert!(refusal(short).contains("teacher_logits"));
    assert!(refusal(Distillation { indices: &school.indices[..1], ..whole }).contains("images"));
    assert!(refusal(Distillation { indices: &[0, 999_999], ..whole }).contains("999999"));
    assert!("l2-logit".parse::<DistillLoss>().unwrap_err().to_string().contains("l2-logits"));
    assert!("adm".parse::<Optimiser>().unwrap_err().to_string().contains("did you mean `adam`?"));
}

#[test]
fn zeros_stay_zero_only_where_that_is_asked_for() {
    let school = school(64);
    let student = build("lenet5", &ModelOptions::new([1, 8, 8], 10)).unwrap();
    let name = student.parameters()[0].name.clone();
    let mut initial = fresh_weights(&student, 1);
    initial.get_mut(&name).unwrap().data[1] = 0.0;
    for optimiser in [Optimiser::Adam, Optimiser::Sgd] {
        let trained = |keep_zeros| {
            let options = DistillOptions { epochs: 1, keep_zeros, optimiser, ..DistillOptions::default() };
            let start = initial.clone();
            let trained =
                distill(&student, start, &school.distillation(None), &options, &Device::flex(), &mut |_| ());
            trained.unwrap().weights.get(&name).unwrap().data[..2].to_vec()
        };
        let (free, kept) = (trained(false), trained(true));
        assert!(free[1] != 0.0 && kept[1] == 0.0, "{optimiser}: {free:?} {kept:?}");
        assert!(kept[0] != initial.get(&name).unwrap().data[0], "{optimiser}: nothing was trained");
    }
}
