//! A world: a network, its data, and an environment that compresses it.

use std::sync::{Arc, atomic::AtomicBool};

use cgym_env::{
    Compressed, Env, EnvError, Header, Material, Outcome, Outline, Play, SPLIT_SEED, ScoreTimes, Scoring,
    TrainedNetwork, settings::EnvSettings,
};
use cgym_teachers::{
    architecture,
    cost::Cost,
    data::{DataSource, Dataset, Preprocessing, SplitSizes, Splits},
    engine::{Engine, EngineOptions, Images},
    files::hexadecimal,
    graph::Graph,
    weights::Weights,
};
use sha2::{Digest, Sha256};

use crate::{
    WorldError, network,
    preprocessing::{self, Brought},
};

/// What happens while a world is loaded.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Bytes of a download so far, and of all of it; 0 where that is not known.
    Download(u64, u64),
    /// Something the user should know.
    Warning(String),
}

/// Who is told of events.
pub type Observer<'a> = &'a mut dyn FnMut(Event);

/// An environment whose settings fit its network, before weights and images are loaded.
pub struct Blueprint {
    settings: EnvSettings,
    /// The model of the zoo; the network itself if it comes from a folder and is its own teacher.
    model: Graph,
    network: Option<TrainedNetwork>,
    /// The data, where its files had to be read to know the size of its images.
    source: Option<DataSource>,
    outline: Outline,
}

impl Blueprint {
    /// Checks `settings` against their network. Files are read only where they decide: those of
    /// `network.from`, and those of an image folder.
    ///
    /// # Errors
    /// Settings that the network does not allow, a budget that cannot be met among them; files that
    /// are missing or do not fit.
    pub fn new(mut settings: EnvSettings, observer: Observer<'_>) -> Result<Self, WorldError> {
        let extra = settings.network.allow_extra_tensors;
        let from = settings.network.from.as_deref();
        let network = from.map(|folder| network::from_folder(folder, extra)).transpose()?;
        let brought = brought(&settings, network.as_ref(), observer);
        preprocessing::settle(&mut settings.data, brought.as_ref(), observer)?;
        let (source, images, classes) = match settings.data.dataset.known_shape() {
            Some(images) => (None, images, settings.data.dataset.preprocessing().classes),
            None => {
                let source = preprocessing::read(&settings.data, observer)?;
                let images = (source.train.shape(), source.train.classes());
                let classes = source.train.class_names().to_vec();
                (Some(source), images, classes)
            }
        };
        let model = match &network {
            Some(own) if !settings.rules.measures_against_model() => {
                network::check_images(&own.graph, &settings.data, images)?;
                settings.network.model.clone_from(&own.graph.name);
                own.graph.clone()
            }
            _ => network::build(&settings.network, images)?,
        };
        if let Some(brought) = brought {
            brought.check_classes(&settings.data, &classes, observer)?;
        }
        let outline = {
            let compressed = network.as_ref().map_or(&model, |network| &network.graph);
            settings.rules.outline(&header(&settings, ""), &model, compressed)?
        };
        Ok(Self { settings, model, network, source, outline })
    }

    /// The resolved settings.
    pub fn settings(&self) -> &EnvSettings {
        &self.settings
    }

    /// The environment without data.
    pub fn outline(&self) -> &Outline {
        &self.outline
    }

    /// The network that is compressed.
    pub fn graph(&self) -> &Graph {
        self.network.as_ref().map_or(&self.model, |network| &network.graph)
    }

    /// The model of the zoo that students are measured against; elsewhere the network itself.
    pub fn model(&self) -> &Graph {
        &self.model
    }

    /// Loads weights and images and prepares the scorer.
    ///
    /// # Errors
    /// Files that are missing or do not fit.
    pub fn load(self, observer: Observer<'_>) -> Result<World, WorldError> {
        World::new(self, observer)
    }
}

/// `contents` is a digest of weights and images, where these are loaded.
fn header(settings: &EnvSettings, contents: &str) -> Header {
    Header { id: settings.id(), settings: settings.hash_with(contents), budget: settings.budget.clone() }
}

/// What the files of the network that scores are measured against say about its images.
fn brought(
    settings: &EnvSettings,
    network: Option<&TrainedNetwork>,
    observer: Observer<'_>,
) -> Option<Brought> {
    match (network, &settings.network.from) {
        (Some(own), Some(from)) if !settings.rules.measures_against_model() => {
            Some(Brought::new("network.from", from, own.preprocessing.clone()?))
        }
        _ => preprocessing::beside_weights(&settings.network, observer),
    }
}

/// Everything that agents play with.
pub struct World {
    settings: EnvSettings,
    play: Arc<dyn Play>,
    material: Material,
    teacher_cost: Cost,
    fingerprint: String,
    test: Dataset,
}

impl World {
    /// The world of these settings: [`Blueprint::new`] and [`Blueprint::load`] in one.
    ///
    /// # Errors
    /// As these two.
    pub fn load(settings: EnvSettings, observer: Observer<'_>) -> Result<Self, WorldError> {
        Blueprint::new(settings, observer)?.load(observer)
    }

    fn new(blueprint: Blueprint, observer: Observer<'_>) -> Result<Self, WorldError> {
        let Blueprint { mut settings, model, network, source, outline } = blueprint;
        let source = match source {
            Some(source) => source,
            None => preprocessing::read(&settings.data, observer)?,
        };
        let preprocessing = Some(source.train.preprocessing());
        let (teacher, network) = match network {
            Some(own) if !settings.rules.measures_against_model() => {
                let own = Arc::new(TrainedNetwork { preprocessing, ..own });
                (own.clone(), own)
            }
            other => {
                let weights = network::weights(&settings.network, &settings.data, &model)?;
                let teacher = Arc::new(TrainedNetwork { graph: model, weights, preprocessing });
                let network = other.map_or_else(|| teacher.clone(), Arc::new);
                (teacher, network)
            }
        };
        let sizes = split_sizes(&mut settings, &source, observer)?;
        let splits = Arc::new(Splits::new(&source, &sizes)?);
        let fingerprint = fingerprint(&settings, &teacher, &network, &source, &splits);
        let reward = Arc::new(Images::new(&source.train, &splits.reward)?);
        let convolution = settings.rules.convolution();
        let options = EngineOptions { convolution, ..EngineOptions::default() };
        let teacher_top1 = Engine::with_options(&teacher.graph, &teacher.weights, options)?.top1(&reward)?;
        let teacher_cost = outline.whole;
        let material = Material {
            network,
            teacher,
            teacher_top1,
            train: Arc::new(source.train),
            splits,
            reward,
            convolution,
        };
        let play = settings.rules.play(&header(&settings, &fingerprint), &material)?;
        Ok(Self { settings, play, material, teacher_cost, fingerprint, test: source.test })
    }

    /// The resolved settings, sizes of the splits filled in.
    pub fn settings(&self) -> &EnvSettings {
        &self.settings
    }

    /// The hash of the resolved settings, the weights and the images: results of one id compare when
    /// their hashes are equal.
    pub fn hash(&self) -> String {
        self.settings.hash_with(&self.fingerprint)
    }

    /// A new environment. All environments of a world share the scorer and its memory.
    pub fn env(&self) -> Box<dyn Env> {
        self.play.env(Scoring::Memoised)
    }

    /// A new environment whose candidates are scored in another way.
    pub fn env_with(&self, scoring: Scoring) -> Box<dyn Env> {
        self.play.env(scoring)
    }

    /// Fills the memory with recorded outcomes, so that they need not be scored again.
    ///
    /// # Errors
    /// An outcome of another world.
    pub fn remember(&self, outcomes: &[Outcome]) -> Result<(), WorldError> {
        Ok(self.play.remember(outcomes)?)
    }

    /// Number of candidates that were scored, without those answered from memory.
    pub fn evaluations(&self) -> u64 {
        self.play.evaluations()
    }

    /// Where the time of scoring went.
    pub fn times(&self) -> ScoreTimes {
        self.play.times()
    }

    /// Ends scores that take long, those of students that are trained, once `flag` is set: the step
    /// that asked for the score is refused with [`cgym_teachers::Error::Stopped`].
    pub fn stop_when(&self, flag: &'static AtomicBool) {
        self.play.stop_when(flag);
    }

    /// The original network: what candidates are measured against.
    pub fn teacher(&self) -> &TrainedNetwork {
        &self.material.teacher
    }

    /// Share of the reward split that the teacher classifies correctly.
    pub fn teacher_top1(&self) -> f64 {
        self.material.teacher_top1
    }

    /// The teacher's cost.
    pub fn teacher_cost(&self) -> Cost {
        self.teacher_cost
    }

    /// The training images of the dataset.
    pub fn train(&self) -> &Arc<Dataset> {
        &self.material.train
    }

    /// How images become numbers for the networks of this world, and the names of their classes.
    pub fn preprocessing(&self) -> Preprocessing {
        self.material.train.preprocessing()
    }

    /// Which images are for what.
    pub fn splits(&self) -> &Splits {
        &self.material.splits
    }

    /// SHA-256 of the contents that decide scores: tensors, and the images rewarded and learned from.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The network that an outcome of this world stands for.
    ///
    /// # Errors
    /// When the outcome is another world's.
    pub fn network(&self, outcome: &Outcome) -> Result<Compressed, EnvError> {
        self.play.network(outcome)
    }

    /// A candidate that was trained further, with its coded file where the method has one.
    ///
    /// # Errors
    /// Weights that do not fit the graph.
    pub fn trained(&self, graph: Graph, weights: Weights) -> Result<Compressed, EnvError> {
        self.play.trained(graph, weights)
    }

    /// Share of the test split that the teacher and each network classify correctly.
    ///
    /// # Errors
    /// When a network gives no number.
    pub fn test(&self, outcomes: &[&Outcome]) -> Result<(f64, Vec<f64>), WorldError> {
        let images = Images::new(&self.test, &self.material.splits.test)?;
        let score = |graph: &Graph, weights: &Weights| self.engine(graph, weights)?.top1(&images);
        let teacher = score(&self.teacher().graph, &self.teacher().weights)?;
        let mut scores = Vec::with_capacity(outcomes.len());
        for outcome in outcomes {
            let Compressed { graph, weights, .. } = self.network(outcome)?;
            scores.push(score(&graph, &weights)?);
        }
        Ok((teacher, scores))
    }

    /// A network as candidates are evaluated.
    fn engine(&self, graph: &Graph, weights: &Weights) -> Result<Engine, cgym_teachers::Error> {
        let convolution = self.material.convolution;
        Engine::with_options(graph, weights, EngineOptions { convolution, ..EngineOptions::default() })
    }

    /// Shares of the reward split and of the test split that a network classifies correctly.
    ///
    /// # Errors
    /// When weights and graph do not fit, or the network gives no number.
    pub fn score(&self, graph: &Graph, weights: &Weights) -> Result<[f64; 2], WorldError> {
        let engine = self.engine(graph, weights)?;
        let test = Images::new(&self.test, &self.material.splits.test)?;
        Ok([engine.top1(&self.material.reward)?, engine.top1(&test)?])
    }
}

/// Sizes of the splits, written into `settings`.
fn split_sizes(
    settings: &mut EnvSettings,
    source: &DataSource,
    observer: Observer<'_>,
) -> Result<SplitSizes, WorldError> {
    let own = SplitSizes::for_dataset(settings.data.dataset, source, SPLIT_SEED);
    let sizes = SplitSizes {
        calibration: settings.rules.training_images().unwrap_or(own.calibration),
        reward: settings.data.reward_images.unwrap_or(own.reward),
        seed: SPLIT_SEED,
    };
    if settings.network.weights.is_none() && settings.network.from.is_none() && sizes.reward > own.reward {
        observer(Event::Warning(format!(
            "the shipped teacher was trained on all but {} of these reward images",
            own.reward
        )));
    }
    settings.data.reward_images = Some(sizes.reward);
    settings.rules = settings.rules.with_training_images(sizes.calibration).into();
    Ok(sizes)
}

/// Of everything that scores come from: the teacher, the images rewarded and learned from, the
/// layers of a network from a folder and, where they decide, its tensors.
fn fingerprint(
    settings: &EnvSettings,
    teacher: &TrainedNetwork,
    network: &TrainedNetwork,
    source: &DataSource,
    splits: &Splits,
) -> String {
    let mut hash = Sha256::new();
    let rules = &settings.rules;
    let own = settings.network.from.is_some() && rules.measures_against_model();
    if own {
        hash.update(architecture::hash(&network.graph));
    }
    let inherited = (own && rules.uses_network_weights()).then_some(&network.weights);
    for (name, tensor) in teacher.weights.iter().chain(inherited.into_iter().flat_map(Weights::iter)) {
        hash.update(name.as_bytes());
        for value in &tensor.data {
            hash.update(value.to_le_bytes());
        }
    }
    let learned = if rules.uses_all_training_images() { &splits.training } else { &splits.calibration };
    for &image in splits.reward.iter().chain(learned) {
        hash.update(source.train.image(image));
        hash.update(source.train.labels()[image].to_le_bytes());
    }
    hexadecimal(&hash.finalize())
}
