//! The two games: who scores a candidate, and which network an outcome stands for.

use std::sync::Arc;

use cgym_env::{
    AmcEnv, Candidate, Distilled, DistilledSetup, Env, EnvConfig, Evaluation, EvaluationTimes, Evaluator,
    Exact, Family, Memoised, MemoisedStudents, N2nConfig, N2nEnv, Outcome, Surrogate, SurrogateStudent,
    TeacherFigures,
};
use cgym_teachers::{
    coupling::Coupling,
    data::{Dataset, Splits},
    engine::Images,
    graph::Graph,
    pruner::Pruner,
    reconstruct::Sampling,
    train::Device,
    weights::Weights,
};

use crate::{Error, teacher};

/// A trained network and the images that candidates are made and scored with.
pub struct Materials<'a> {
    /// The teacher.
    pub teacher: Arc<(Graph, Weights)>,
    /// The training images of the dataset.
    pub train: Arc<Dataset>,
    /// Which of them are for what.
    pub splits: &'a Splits,
    /// The reward split.
    pub reward: Arc<Images>,
}

/// What is behind an environment.
pub enum Game {
    /// Channel pruning.
    Amc(AmcGame),
    /// Layers removed or shrunk.
    N2n(N2nGame),
}

impl Game {
    /// An environment of the game; its forks share the evaluator and its memory.
    pub fn env(&self) -> Box<dyn Env> {
        match self {
            Self::Amc(game) => game.env.fork(),
            Self::N2n(game) => game.env.fork(),
        }
    }

    /// AMC's game, where this is it.
    ///
    /// # Errors
    /// [`Error::Input`] for any other.
    pub fn amc(&self) -> Result<&AmcGame, Error> {
        match self {
            Self::Amc(game) => Ok(game),
            Self::N2n(_) => Err(Error::Input("env: only AMC's environments can be measured here".to_owned())),
        }
    }

    /// Candidates that had to be scored since the game was made.
    pub fn evaluations(&self) -> u64 {
        match self {
            Self::Amc(game) => game.evaluator.evaluations(),
            Self::N2n(game) => game.evaluator.evaluations(),
        }
    }

    /// Where the time of those went; all of it is the environment's where students are trained
    /// side by side.
    pub fn times(&self) -> EvaluationTimes {
        match self {
            Self::Amc(game) => game.exact.times(),
            Self::N2n(_) => EvaluationTimes::default(),
        }
    }

    /// The network that an outcome of this game stands for.
    ///
    /// # Errors
    /// When the outcome is another game's.
    pub fn network(&self, outcome: &Outcome) -> Result<(Graph, Weights), Error> {
        match self {
            Self::Amc(game) => game.network(outcome),
            Self::N2n(game) => game.network(outcome),
        }
    }
}

/// AMC's game: candidates are pruned, refitted and run on the reward split.
pub struct AmcGame {
    /// The environment.
    pub env: AmcEnv,
    /// What was scored so far.
    pub evaluator: Arc<Memoised<Arc<Exact>>>,
    /// What scores for it.
    pub exact: Arc<Exact>,
    config: EnvConfig,
    pruner: Arc<Pruner>,
}

impl AmcGame {
    /// Prepares `materials` for the game; outcomes in `known` need no evaluation any more.
    ///
    /// # Errors
    /// Settings that the network does not allow, outcomes that are not this game's.
    pub fn new(
        config: &EnvConfig,
        points: usize,
        materials: Materials<'_>,
        known: &[Outcome],
    ) -> Result<Self, Error> {
        let (graph, weights) = &*materials.teacher;
        let env = preview_amc(config, graph)?;
        let remembered = known.iter().map(|outcome| env.recall(outcome)).collect::<Result<Vec<_>, _>>()?;
        let mut pruner = Pruner::new(graph.clone(), weights.clone())?;
        if config.reconstruction {
            let calibration = Images::new(&materials.train, &materials.splits.calibration)?;
            let sampling = Sampling { points, seed: teacher::SPLIT_SEED };
            pruner = pruner.with_reconstruction(&calibration, sampling)?;
        }
        let pruner = Arc::new(pruner);
        let exact = Arc::new(Exact::new(pruner.clone(), materials.reward));
        let evaluator = Arc::new(Memoised::with_known(exact.clone(), remembered));
        let env = config.make(pruner.graph(), pruner.coupling(), evaluator.clone())?;
        Ok(Self { env, evaluator, exact, config: config.clone(), pruner })
    }

    /// The environment with another evaluator, one that remembers nothing for example.
    ///
    /// # Errors
    /// None that [`AmcGame::new`] has not given before.
    pub fn env_with(&self, evaluator: Arc<dyn Evaluator>) -> Result<AmcEnv, Error> {
        Ok(self.config.make(self.pruner.graph(), self.pruner.coupling(), evaluator)?)
    }

    fn network(&self, outcome: &Outcome) -> Result<(Graph, Weights), Error> {
        let (candidate, _): (Candidate, Evaluation) = self.env.recall(outcome)?;
        Ok(self.pruner.prune(&candidate)?)
    }
}

/// N2N's game: students are built, trained on the teacher's logits and run on the reward split.
pub struct N2nGame {
    /// The environment.
    pub env: N2nEnv,
    /// What was scored so far.
    pub evaluator: Arc<MemoisedStudents<Arc<Distilled>>>,
    distilled: Arc<Distilled>,
}

impl N2nGame {
    /// Prepares `materials` for the game, `parent` being the network to make smaller; outcomes in
    /// `known` need no training any more.
    ///
    /// # Errors
    /// Settings that the network does not allow, outcomes that are not this game's.
    pub fn new(
        config: &N2nConfig,
        parent: Parent,
        figures: TeacherFigures,
        materials: Materials<'_>,
        known: &[Outcome],
    ) -> Result<Self, Error> {
        let (teacher, weights) = &*materials.teacher;
        let Parent { graph, weights: inherited } = parent;
        let inherit_from = match (config.inherit, inherited) {
            (false, _) => None,
            (true, Some(weights)) => Some((graph.clone(), weights)),
            (true, None) => {
                return Err(Error::Input(
                    "inherit: the parent's folder has no weights.safetensors".to_owned(),
                ));
            }
        };
        let learned = students_learn_from(config, materials.splits);
        let distilled = Arc::new(Distilled::new(DistilledSetup {
            teacher: (teacher, weights),
            dataset: materials.train.clone(),
            indices: learned.to_vec(),
            reward: materials.reward,
            options: config.student.clone(),
            inherit_from,
            device: Device::flex(),
        })?);
        let env = config.make(figures, &graph, distilled.clone())?;
        let remembered = known.iter().map(|outcome| env.recall(outcome)).collect::<Result<Vec<_>, _>>()?;
        let evaluator = Arc::new(MemoisedStudents::with_known(distilled.clone(), remembered));
        let env = config.make(figures, &graph, evaluator.clone())?;
        Ok(Self { env, evaluator, distilled })
    }

    /// The student with the weights that it was scored with: trained again, to the same bytes.
    fn network(&self, outcome: &Outcome) -> Result<(Graph, Weights), Error> {
        let child = self.env.child(&outcome.kept)?;
        let (weights, _) = self.distilled.train(&child)?;
        Ok((child, weights))
    }
}

/// The training images that N2N's students see.
pub fn students_learn_from<'a>(config: &N2nConfig, splits: &'a Splits) -> &'a [usize] {
    if config.training_size.is_some() { &splits.calibration } else { &splits.training }
}

/// The network that N2N makes smaller.
pub struct Parent {
    /// Its layers.
    pub graph: Graph,
    /// Its tensors, where they are there.
    pub weights: Option<Weights>,
}

/// The environment without data: everything but true accuracies. `parent` is the network that N2N
/// makes smaller, the teacher `graph` itself where absent.
///
/// # Errors
/// Settings that the network does not allow, a budget that cannot be met among them.
pub fn preview(config: &Family, graph: &Graph, parent: Option<&Graph>) -> Result<Box<dyn Env>, Error> {
    match config {
        Family::Amc(config) => Ok(Box::new(preview_amc(config, graph)?)),
        Family::N2n(config) => {
            let parent = parent.unwrap_or(graph);
            let takes =
                |graph: &Graph| Ok::<_, Error>((graph.input_shape(), graph.shapes()?[graph.output()]));
            let (theirs, ours) = (takes(parent)?, takes(graph)?);
            if theirs != ours {
                return Err(Error::Input(format!(
                    "parent: `{}` turns images of {:?} into {:?}, the teacher images of {:?} into {:?}; give a \
                     network made from this teacher",
                    parent.name, theirs.0, theirs.1, ours.0, ours.1
                )));
            }
            let cost = graph.cost()?;
            let figures = TeacherFigures { top1: 1.0, parameters: cost.parameters, macs: cost.macs };
            Ok(Box::new(config.make(figures, parent, Arc::new(SurrogateStudent::new(parent)?))?))
        }
    }
}

/// AMC's environment without data: everything but true accuracies.
///
/// # Errors
/// Settings that the network does not allow, a budget that cannot be met among them.
pub fn preview_amc(config: &EnvConfig, graph: &Graph) -> Result<AmcEnv, Error> {
    let coupling = Coupling::of(graph)?;
    let surrogate = Arc::new(Surrogate::new(graph, &coupling)?);
    Ok(config.make(graph, &coupling, surrogate)?)
}
