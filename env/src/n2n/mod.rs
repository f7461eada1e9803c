//! N2N: layers are removed, then shrunk, and the student is trained before it is scored (Ashok et
//! al., "N2N Learning", ICLR 2018).
//!
//! **Removal** walks the layers from input to output: action 0 removes a layer, 1 keeps it.
//! **Shrinkage** walks the values of the remaining layers: action i multiplies one by (i + 1)/10. A
//! decision belongs to a node, so that shortcuts cannot shift decisions to other layers. Only the
//! last step builds the student, has it trained and scored, and has a reward; see [`N2nReward`].
//!
//! **Observations** are the whole parent network as a table, one row per layer ([`LAYER_FEATURES`]),
//! and a cursor at the layer decided about; in shrinkage it says which value. Earlier decisions are
//! not shown: policies remember them. The observation after the last decision repeats the last one.
//!
//! **Degenerate candidates** are actions that leave layers which do not fit together, a linear
//! layer with more than 50,000 or fewer than 10 features, no fewer parameters than the parent has, or
//! a network that cannot be trained to finite numbers. The reward is then −1, and the step says why.

mod game;
mod observation;
mod reward;

use std::sync::Arc;

use cgym_teachers::{
    engine::Convolution,
    graph::Graph,
    named,
    train::{Device, DistillLoss, DistillOptions, Optimiser},
};
use serde::{Deserialize, Serialize};

pub use game::{LayerDecision, N2nEnv, N2nGame, Taken};
pub use observation::LAYER_FEATURES;
pub use reward::{DEGENERATE_REWARD, EASING_UPDATES, N2nReward, N2nRewardSettings, TeacherFigures};

use crate::{
    Budget, BudgetUnit, EnvError,
    family::{Family, Header, Outline, Rules, SiteDescription, Tables},
    fields::{Field, Fields, Table, read, refuse, write},
    game::Played,
    play::{Material, Play},
    score::{Distilled, DistilledSetup},
    table,
};

/// Which of N2N's two games is played: `removal` or `shrinkage`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Stage {
    /// Layers are kept or removed.
    #[default]
    Removal,
    /// Values of layers are made smaller.
    Shrinkage,
}

named!(Stage, "stage", [Removal => "removal", Shrinkage => "shrinkage"]);

/// Most rows of an observation. An episode keeps as many observations as it has decisions.
const MOST_ROWS: usize = 1 << 11;

table! {
    /// `[game]` of N2N.
    pub struct N2nSettings {
        /// Rows of an observation, at most 2048; the number of layers, rounded up to a multiple of 32, if
        /// absent.
        pub rows: Option<usize> = None,
    }
}

impl Table for N2nSettings {
    fn check(&self) -> Result<(), EnvError> {
        match self.rows {
            Some(rows) if rows > MOST_ROWS => {
                Err(refuse("rows", format!("{rows} are too many, give at most {MOST_ROWS}")))
            }
            _ => Ok(()),
        }
    }
}

table! {
    /// `[score]` of N2N: how a student is trained before it is scored.
    pub struct StudentSettings {
        /// Passes over the training images, 1 to 1,000,000.
        pub epochs: usize = DistillOptions::default().epochs,
        /// Images per training step, 2 to 4096.
        pub batch: usize = DistillOptions::default().batch,
        /// Learning rate at the start; it falls to 0 along half a cosine.
        pub learning_rate: f64 = DistillOptions::default().learning_rate,
        /// Weight decay.
        pub weight_decay: f64 = DistillOptions::default().weight_decay,
        /// adam or sgd.
        pub optimiser: Optimiser = DistillOptions::default().optimiser,
        /// l2-logits, kd, ce-l2 or ce.
        pub loss: DistillLoss = DistillOptions::default().loss,
        /// Temperature of the loss kd.
        pub temperature: f64 = DistillOptions::default().temperature,
        /// Weight of the teacher in the loss kd, in [0, 1]; the labels have the rest.
        pub alpha: f64 = DistillOptions::default().alpha,
        /// Weight of the squared difference of logits in the loss ce-l2.
        pub lambda: f64 = DistillOptions::default().lambda,
        /// Seed of a student's first weights and of the order of its images.
        pub seed: u64 = DistillOptions::default().seed,
        /// Start students from the weights of the network to compress instead of new ones.
        pub inherit: bool = false,
        /// fast (fewer multiplications, by Winograd's algorithm) or direct, in training and scoring.
        pub convolution: Convolution = Convolution::Fast,
        /// Images that students learn from; all but the reward images if absent.
        pub training_images: Option<usize> = None,
    }
}

impl StudentSettings {
    /// The options of the training.
    pub fn options(&self) -> DistillOptions {
        DistillOptions {
            epochs: self.epochs,
            batch: self.batch,
            learning_rate: self.learning_rate,
            weight_decay: self.weight_decay,
            optimiser: self.optimiser,
            loss: self.loss,
            temperature: self.temperature,
            alpha: self.alpha,
            lambda: self.lambda,
            seed: self.seed,
            convolution: self.convolution,
            ..DistillOptions::default()
        }
    }
}

impl Table for StudentSettings {
    fn check(&self) -> Result<(), EnvError> {
        if self.training_images.is_some_and(|images| images < 2) {
            return Err(refuse("training_images", "at least 2 images are needed to learn from"));
        }
        Ok(self.options().check()?)
    }
}

/// A stage of N2N.
pub struct N2nFamily {
    stage: Stage,
}

impl N2nFamily {
    /// The row of the first stage.
    pub const REMOVAL: Self = Self { stage: Stage::Removal };
    /// The row of the second stage.
    pub const SHRINKAGE: Self = Self { stage: Stage::Shrinkage };
}

impl Family for N2nFamily {
    fn name(&self) -> &'static str {
        match self.stage {
            Stage::Removal => "n2n-removal",
            Stage::Shrinkage => "n2n-shrinkage",
        }
    }

    fn id_word(&self) -> &'static str {
        match self.stage {
            Stage::Removal => "N2N-Removal",
            Stage::Shrinkage => "N2N-Shrinkage",
        }
    }

    fn description(&self) -> &'static str {
        match self.stage {
            Stage::Removal => "N2N's first stage: which layers a student keeps",
            Stage::Shrinkage => "N2N's second stage: how wide the remaining layers are",
        }
    }

    fn listed(&self) -> &'static [(&'static str, &'static str)] {
        match self.stage {
            Stage::Removal => &[
                ("N2N-Removal-ResNet20-Digits-v0", "which layers of ResNet-20 on 8x8 digits a student needs"),
                ("N2N-Removal-ResNet8-Digits-v0", "the smallest residual network"),
                ("N2N-Removal-ResNet14-Digits-v0", "six blocks: a source of policies for ResNet-20"),
                ("N2N-Removal-VGG13-MNIST-v0", "N2N's MNIST teacher"),
                ("N2N-Removal-ResNet18-CIFAR10-v0", "N2N's CIFAR-10 teacher"),
                (
                    "N2N-Removal-ResNet34-CIFAR10-v0",
                    "the network that N2N transfers policies of ResNet-18 to",
                ),
                ("N2N-Removal-VGG19-CIFAR10-v0", "N2N's plain CIFAR-10 teacher"),
            ],
            Stage::Shrinkage => &[
                ("N2N-Shrinkage-ResNet20-Digits-v0", "how wide the remaining layers of ResNet-20 have to be"),
                ("N2N-Shrinkage-VGG13-MNIST-v0", "windows, paddings and filters of a plain network"),
                ("N2N-Shrinkage-ResNet18-CIFAR10-v0", "the second stage of N2N's CIFAR-10 teacher"),
            ],
        }
    }

    fn units(&self) -> &'static [BudgetUnit] {
        &[]
    }

    fn is_discrete(&self) -> bool {
        true
    }

    fn fields(&self) -> [&'static [Field]; 3] {
        [N2nSettings::FIELDS, N2nRewardSettings::FIELDS, StudentSettings::FIELDS]
    }

    fn rules(&self, given: &Tables, _budget: &Budget) -> Result<Box<dyn Rules>, EnvError> {
        Ok(Box::new(N2nRules {
            stage: self.stage,
            game: read("game", &given.game)?,
            reward: read("reward", &given.reward)?,
            score: read("score", &given.score)?,
        }))
    }
}

/// Checked settings of N2N.
#[derive(Debug, Clone)]
struct N2nRules {
    stage: Stage,
    game: N2nSettings,
    reward: N2nRewardSettings,
    score: StudentSettings,
}

impl N2nRules {
    fn game(&self, header: &Header, parent: &Graph, teacher: TeacherFigures) -> Result<N2nGame, EnvError> {
        N2nGame::new(header, parent, teacher, self.stage, &self.reward, self.game.rows)
    }
}

impl Rules for N2nRules {
    fn tables(&self) -> Tables {
        Tables { game: write(&self.game), reward: write(&self.reward), score: write(&self.score) }
    }

    fn convolution(&self) -> Convolution {
        self.score.convolution
    }

    fn training_images(&self) -> Option<usize> {
        Some(self.score.training_images.unwrap_or(0))
    }

    fn with_training_images(&self, _images: usize) -> Box<dyn Rules> {
        Box::new(self.clone())
    }

    fn uses_all_training_images(&self) -> bool {
        self.score.training_images.is_none()
    }

    fn measures_against_model(&self) -> bool {
        true
    }

    fn uses_network_weights(&self) -> bool {
        self.score.inherit
    }

    fn outline(&self, header: &Header, teacher: &Graph, network: &Graph) -> Result<Outline, EnvError> {
        let takes = |graph: &Graph| Ok::<_, EnvError>((graph.input_shape(), graph.shapes()?[graph.output()]));
        let (theirs, ours) = (takes(network)?, takes(teacher)?);
        if theirs != ours {
            let reason = format!(
                "`{}` turns images of {:?} into {:?}, the teacher images of {:?} into {:?}; give a network made from \
                 this teacher",
                network.name, theirs.0, theirs.1, ours.0, ours.1
            );
            return Err(refuse("network.from", reason));
        }
        let cost = teacher.cost()?;
        let figures = TeacherFigures { top1: 1.0, parameters: cost.parameters, macs: cost.macs };
        let game = self.game(header, network, figures)?;
        let (whole, unit, action) = match self.stage {
            Stage::Removal => (1, "0 or 1", "0 removes a layer, 1 keeps it"),
            Stage::Shrinkage => (
                9,
                "tenths less one",
                "index i keeps (i + 1)/10 of a layer's kernel, padding, filters or units",
            ),
        };
        let describe = |decision: &LayerDecision| SiteDescription {
            layer: decision.name.clone(),
            whole,
            least: 0,
            step: 1,
            unit,
        };
        Ok(Outline {
            whole: cost,
            least_share: None,
            sites: game.decisions().iter().map(describe).collect(),
            action: action.to_owned(),
            features: LAYER_FEATURES.to_vec(),
            env: Box::new(N2nEnv::surrogate(game)?),
        })
    }

    fn play(&self, header: &Header, material: &Material) -> Result<Arc<dyn Play>, EnvError> {
        let (teacher, network) = (&*material.teacher, &*material.network);
        let cost = teacher.graph.cost()?;
        let figures =
            TeacherFigures { top1: material.teacher_top1, parameters: cost.parameters, macs: cost.macs };
        let game = self.game(header, &network.graph, figures)?;
        let splits = &material.splits;
        let learned = if self.uses_all_training_images() { &splits.training } else { &splits.calibration };
        let inherit = || (network.graph.clone(), network.weights.clone());
        let distilled = Distilled::new(DistilledSetup {
            teacher: (&teacher.graph, &teacher.weights),
            dataset: material.train.clone(),
            indices: learned.clone(),
            reward: material.reward.clone(),
            options: self.score.options(),
            inherit_from: self.score.inherit.then(inherit),
            device: Device::flex(),
        })?;
        Ok(Arc::new(Played::new(game, distilled)))
    }
}
