//! A configuration brought to life: teacher, data, evaluator and environment.

use std::sync::Arc;

use cgym_env::{Env, Family, Outcome, TeacherFigures};
use cgym_teachers::{
    cost::Cost,
    data::{DataSource, Dataset, SplitSizes, Splits},
    engine::{Engine, Images},
    graph::Graph,
    weights::Weights,
};
use sha2::{Digest, Sha256};

use crate::{
    Error,
    config::Config,
    files::hexadecimal,
    game::{AmcGame, Game, Materials, N2nGame, Parent, preview, students_learn_from},
    teacher,
};

/// Everything that a search plays with.
pub struct World {
    /// The configuration, sizes of the splits filled in.
    pub config: Config,
    /// The environment; its forks share the evaluator and its memory.
    pub env: Box<dyn Env>,
    /// Who scores candidates, and what they are as networks.
    pub game: Game,
    /// Share of the reward split that the teacher classifies right.
    pub teacher_top1: f64,
    /// The teacher's cost.
    pub teacher_cost: Cost,
    /// SHA-256 of the teacher's tensors and of the images of the reward and calibration splits.
    pub fingerprint: String,
    /// The teacher.
    pub teacher: Arc<(Graph, Weights)>,
    /// The training images of the dataset.
    pub train: Arc<Dataset>,
    /// Which images are for what.
    pub splits: Splits,
    test: Dataset,
}

impl World {
    /// Loads and prepares what `config` asks for; `known` outcomes need no evaluation any more.
    ///
    /// # Errors
    /// Files that are missing or do not fit, and settings that this network does not allow.
    pub fn load(mut config: Config, known: &[Outcome]) -> Result<Self, Error> {
        let (model, dataset) = (config.environment.model().to_owned(), config.environment.dataset());
        let parent = config.parent.as_deref().map(teacher::parent).transpose()?;
        let check = |graph: &Graph| {
            preview(&config.environment, graph, parent.as_ref().map(|parent| &parent.graph)).map(|_| ())
        };
        // A network that cannot be played is refused before any file is read.
        if let Some(shape) = teacher::known_shape(dataset) {
            check(&teacher::build(&model, config.variant, shape)?)?;
        }
        let source = teacher::load_data(dataset, &config.load_options())?;
        let images = (source.train.shape(), source.train.classes());
        let graph = teacher::build(&model, config.variant, images)?;
        check(&graph)?;
        let weights = teacher::weights(config.weights.as_deref(), &model, config.variant, dataset, &graph)?;
        let sizes = split_sizes(&mut config, &source)?;
        let splits = Splits::new(&source, &sizes)?;
        let learned = match &config.environment {
            Family::N2n(rules) => students_learn_from(rules, &splits),
            Family::Amc(_) => &splits.calibration,
        };
        let inherits = matches!(&config.environment, Family::N2n(rules) if rules.inherit);
        let fingerprint =
            fingerprint(&weights, &source, [&splits.reward, learned], parent.as_ref(), inherits);
        let reward = Arc::new(Images::new(&source.train, &splits.reward)?);
        let teacher_top1 = Engine::new(&graph, &weights)?.top1(&reward)?;
        let teacher_cost = graph.cost()?;
        let (teacher, train) = (Arc::new((graph, weights)), Arc::new(source.train));
        let materials = Materials { teacher: teacher.clone(), train: train.clone(), splits: &splits, reward };
        let game = match &config.environment {
            Family::Amc(rules) => Game::Amc(AmcGame::new(rules, config.points, materials, known)?),
            Family::N2n(rules) => {
                let Cost { parameters, macs, .. } = teacher_cost;
                let figures = TeacherFigures { top1: teacher_top1, parameters, macs };
                let parent = parent
                    .unwrap_or_else(|| Parent { graph: teacher.0.clone(), weights: Some(teacher.1.clone()) });
                Game::N2n(N2nGame::new(rules, parent, figures, materials, known)?)
            }
        };
        let (env, test) = (game.env(), source.test);
        Ok(Self { config, env, game, teacher_top1, teacher_cost, fingerprint, teacher, train, splits, test })
    }

    /// The network that an outcome of this environment is about.
    ///
    /// # Errors
    /// When the outcome is another environment's.
    pub fn network(&self, outcome: &Outcome) -> Result<(Graph, Weights), Error> {
        self.game.network(outcome)
    }

    /// Share of the test split that the teacher and each network classify right.
    ///
    /// # Errors
    /// When a network gives no number.
    pub fn test(&self, outcomes: &[&Outcome]) -> Result<(f64, Vec<f64>), Error> {
        let images = Images::new(&self.test, &self.splits.test)?;
        let score = |graph: &Graph, weights: &Weights| Engine::new(graph, weights)?.top1(&images);
        let teacher = score(&self.teacher.0, &self.teacher.1)?;
        let mut scores = Vec::with_capacity(outcomes.len());
        for outcome in outcomes {
            let (graph, weights) = self.network(outcome)?;
            scores.push(score(&graph, &weights)?);
        }
        Ok((teacher, scores))
    }

    /// Shares of the reward split and of the test split that a network classifies right.
    ///
    /// # Errors
    /// When weights and graph do not fit, or the network gives no number.
    pub fn score(&self, graph: &Graph, weights: &Weights) -> Result<[f64; 2], Error> {
        let engine = Engine::new(graph, weights)?;
        let reward = Images::new(&self.train, &self.splits.reward)?;
        Ok([engine.top1(&reward)?, engine.top1(&Images::new(&self.test, &self.splits.test)?)?])
    }
}

/// Sizes of the splits, written into `config`.
fn split_sizes(config: &mut Config, source: &DataSource) -> Result<SplitSizes, Error> {
    let environment = &mut config.environment;
    let dataset = environment.dataset();
    let reward = environment.reward_size();
    let calibration = match environment {
        Family::Amc(rules) => rules.calibration_size,
        // What students learn from where not all training images are wanted; nothing is refitted.
        Family::N2n(rules) => Some(rules.training_size.unwrap_or(0)),
    };
    let sizes = teacher::split_sizes(dataset, source, calibration, reward);
    let refits = matches!(environment, Family::Amc(rules) if rules.reconstruction);
    if refits && sizes.calibration == 0 {
        return Err(Error::Input(
            "calibration-images: nothing to refit layers on; give at least 1, or --no-reconstruction".into(),
        ));
    }
    let unseen = SplitSizes::for_dataset(dataset, source, teacher::SPLIT_SEED).reward;
    if config.weights.is_none() && sizes.reward > unseen {
        eprintln!("warning: the shipped teacher was trained on all but {unseen} of these reward images");
    }
    environment.set_sizes(sizes.calibration, sizes.reward);
    Ok(sizes)
}

/// Of everything that scores come from: the teacher, the images rewarded and learned from, the
/// parent's layers and, where students inherit them, its tensors.
fn fingerprint(
    weights: &Weights,
    source: &DataSource,
    images: [&[usize]; 2],
    parent: Option<&Parent>,
    inherits: bool,
) -> String {
    let mut hash = Sha256::new();
    if let Some(parent) = parent {
        hash.update(cgym_teachers::architecture::hash(&parent.graph));
    }
    let inherited = parent.filter(|_| inherits).and_then(|parent| parent.weights.as_ref());
    for (name, tensor) in weights.iter().chain(inherited.into_iter().flat_map(Weights::iter)) {
        hash.update(name.as_bytes());
        for value in &tensor.data {
            hash.update(value.to_le_bytes());
        }
    }
    for &image in images.into_iter().flatten() {
        hash.update(source.train.image(image));
        hash.update(source.train.labels()[image].to_le_bytes());
    }
    hexadecimal(&hash.finalize())
}
