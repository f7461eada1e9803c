//! Which runs a transfer is made of.

use std::path::{Path, PathBuf};

use cgym_env::settings::Layer;
use cgym_teachers::manifest::MANIFEST;
use cgym_worlds::{SettingsFile, network};
use serde_json::{Value, json};

use super::TransferArgs;
use crate::{
    Error,
    commands::teacher::{NetworkArgs, TrainArgs},
    config::{Config, tables},
    device::Device,
    loading,
    run::work::WorkFolder,
};

const WEIGHTS: &str = "weights.safetensors";
/// The game by default.
const GAME: &str = "n2n-removal";
/// Most runs of each kind.
const MOST_SEEDS: u64 = 1000;

/// One run of each seed: from scratch, or with the policy of another network's run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    /// The network that is played.
    pub(super) to: String,
    /// Where the policy comes from.
    pub(super) from: Option<String>,
}

impl Run {
    /// Name of its folder.
    pub(super) fn name(&self, seed: u64) -> String {
        match &self.from {
            Some(from) => format!("{from}-to-{}-seed{seed}", self.to),
            None => format!("{}-seed{seed}", self.to),
        }
    }
}

/// Everything that decides what is played.
pub(super) struct Plan {
    networks: Vec<String>,
    pairs: Vec<(String, String)>,
    seeds: Vec<u64>,
    teachers: Vec<(String, PathBuf)>,
    teacher_epochs: Option<usize>,
    /// Of the flags over the file.
    settings: Layer,
}

impl Plan {
    /// The plan of a command line.
    ///
    /// # Errors
    /// Settings that each network has its own of; too few networks or seeds.
    pub(super) fn new(args: &TransferArgs) -> Result<Self, Error> {
        let flags = args.settings.layer()?;
        let mut settings = match &args.settings.config {
            Some(path) => flags.over(SettingsFile::read(path, &tables())?.layer),
            None => flags,
        };
        let own = [("network", "model"), ("network", "weights"), ("network", "from"), ("run", "pretrained")];
        let given = own.iter().find(|(table, key)| settings.get(table, key).is_some());
        let given = given.map(|(table, key)| format!("{table}.{key}"));
        if let Some(name) = given.or_else(|| settings.env.as_ref().map(|_| "env".to_owned())) {
            return Err(Error::Input(format!(
                "{name}: every run of a transfer has its own; networks are named by --from, --to or --networks, \
                 their weights by --teacher MODEL=FILE"
            )));
        }
        if settings.get("agent", "frozen") == Some(&Value::Bool(true)) {
            return Err(Error::Input(
                "agent.frozen: policies from scratch would never learn, so that none could be transferred; leave it out"
                    .to_owned(),
            ));
        }
        if settings.get("game", "name").is_none() {
            settings.set("game", "name", GAME);
        }
        let pairs: Vec<(String, String)> = match (&args.from, &args.to) {
            (Some(from), Some(to)) => {
                let there = (from.clone(), to.clone());
                let back = args.both_ways.then(|| (to.clone(), from.clone()));
                std::iter::once(there).chain(back).collect()
            }
            _ => {
                let names = &args.networks;
                let all =
                    names.iter().flat_map(|from| names.iter().map(move |to| (from.clone(), to.clone())));
                all.filter(|(from, to)| from != to).collect()
            }
        };
        let mut networks: Vec<String> = Vec::new();
        for name in pairs.iter().flat_map(|(from, to)| [from, to]) {
            if !networks.contains(name) {
                networks.push(name.clone());
            }
        }
        if networks.len() < 2 {
            return Err(Error::Input(
                "a policy is transferred from one network to another: name two".to_owned(),
            ));
        }
        if let Some((name, _)) = args.teachers.iter().find(|(name, _)| !networks.contains(name)) {
            return Err(Error::Input(format!("teacher: `{name}` is none of {}", networks.join(", "))));
        }
        if args.first == 0 {
            return Err(Error::Input("first: 0 is too few, give at least 1".to_owned()));
        }
        let first = match settings.get("run", "seed") {
            None => 1,
            Some(seed) => seed
                .as_u64()
                .ok_or_else(|| Error::Input(format!("run.seed: {seed} is not a whole number from 0")))?,
        };
        let last = first.checked_add(args.seeds).filter(|_| (1..=MOST_SEEDS).contains(&args.seeds));
        let Some(last) = last else {
            return Err(Error::Input(format!("seeds: give 1 to {MOST_SEEDS}, the last of them below 2^64")));
        };
        let absolute = |path: &PathBuf| std::path::absolute(path).map_err(|error| Error::file(path, error));
        let teachers = args.teachers.iter().map(|(name, path)| Ok((name.clone(), absolute(path)?)));
        Ok(Self {
            networks,
            pairs,
            seeds: (first..last).collect(),
            teachers: teachers.collect::<Result<_, Error>>()?,
            teacher_epochs: args.teacher_epochs,
            settings,
        })
    }

    /// Refuses settings that a network or the agent does not allow, before anything is written.
    ///
    /// # Errors
    /// As [`Config::resolve`], [`loading::blueprint`] and [`Config::agent`].
    pub(super) fn check(&self) -> Result<(), Error> {
        for model in &self.networks {
            let config = self.base(model)?;
            // The images of a folder would have to be read for it.
            if config.env.data.dataset.known_shape().is_some() {
                config.agent(&*loading::blueprint(&config)?.outline().env)?;
            }
        }
        Ok(())
    }

    /// Takes `out` for this plan, or goes on in it.
    ///
    /// # Errors
    /// A folder that holds anything else.
    pub(super) fn claim(&self, out: &Path) -> Result<WorkFolder, Error> {
        // The number of threads changes no result.
        let mut settings = self.settings.clone();
        settings.tables.get_mut("run").map(|run| run.remove("threads"));
        settings.tables.retain(|_, values| !values.is_empty());
        let mine = json!({
            "command": "transfer",
            "pairs": self.pairs,
            "settings": settings,
            "teachers": self.teachers,
            "teacher_epochs": self.teacher_epochs,
        });
        WorkFolder::open(out, &mine.as_object().cloned().unwrap_or_default())
    }

    pub(super) fn threads(&self) -> Option<usize> {
        self.settings.get("run", "threads").and_then(Value::as_u64).map(|threads| threads as usize)
    }

    /// `game.name`.
    pub(super) fn game(&self) -> &str {
        self.settings.get("game", "name").and_then(Value::as_str).unwrap_or(GAME)
    }

    pub(super) fn networks(&self) -> &[String] {
        &self.networks
    }

    pub(super) fn pairs(&self) -> &[(String, String)] {
        &self.pairs
    }

    pub(super) fn seeds(&self) -> &[u64] {
        &self.seeds
    }

    /// All runs of a seed, sources before those that take their policies.
    pub(super) fn runs(&self) -> Vec<Run> {
        let scratch = self.networks.iter().map(|to| Run { to: to.clone(), from: None });
        let carried = self.pairs.iter().map(|(from, to)| Run { to: to.clone(), from: Some(from.clone()) });
        scratch.chain(carried).collect()
    }

    /// A given network's weights; `None` where they ship with the project or are to be trained.
    pub(super) fn weights(&self, model: &str) -> Option<&Path> {
        self.teachers.iter().find(|(name, _)| name == model).map(|(_, path)| path.as_path())
    }

    /// What trains the teacher of `model`; `None` where it is given, ships with the project, or is
    /// trained already.
    ///
    /// # Errors
    /// As [`Config::resolve`].
    pub(super) fn training(&self, model: &str, out: &Path) -> Result<Option<TrainArgs>, Error> {
        let config = self.base(model)?;
        let (network, data) = (&config.env.network, &config.env.data);
        let out = trained(out, model);
        let ready = self.weights(model).is_some()
            || out.join(MANIFEST).is_file()
            || network::is_shipped(network, data);
        let sets = [
            ("network", &["width", "stem", "shortcut"][..]),
            ("data", &["image_size", "mean", "std", "scale"][..]),
        ];
        let sets = sets.iter().flat_map(|(table, keys)| keys.iter().map(move |key| (*table, *key)));
        let set = |(table, key): (&str, &str)| {
            Some((format!("{table}.{key}"), self.settings.get(table, key)?.clone()))
        };
        Ok((!ready).then(|| TrainArgs {
            network: NetworkArgs {
                model: model.to_owned(),
                dataset: data.dataset.to_string(),
                data: data.path.clone(),
                mean: None,
                std: None,
                sets: sets.filter_map(set).collect(),
            },
            out,
            epochs: self.teacher_epochs,
            batch: None,
            learning_rate: None,
            weight_decay: None,
            seed: None,
            reward_images: data.reward_images,
            threads: None,
            stock_kernels: false,
            device: Device::default(),
        }))
    }

    fn base(&self, model: &str) -> Result<Config, Error> {
        Ok(Config::from_layer(self.settings.clone().with("network", "model", model))?)
    }

    /// The configuration of `run`.
    ///
    /// # Errors
    /// As [`Config::resolve`].
    pub(super) fn config(&self, run: &Run, seed: u64, out: &Path) -> Result<Config, Error> {
        let mut config = self.base(&run.to)?;
        config.run.seed = seed;
        let absolute = |path: &Path| std::path::absolute(path).map_err(|error| Error::file(path, error));
        let own = trained(out, &run.to).join(WEIGHTS);
        let weights = self.weights(&run.to).or_else(|| own.is_file().then_some(own.as_path()));
        config.env.network.weights = weights.map(absolute).transpose()?;
        if let Some(from) = &run.from {
            let source = Run { to: from.clone(), from: None };
            let folder = out.join("runs").join(source.name(seed));
            config.run.pretrained = Some(absolute(&folder)?);
        }
        Ok(config)
    }
}

fn trained(out: &Path, model: &str) -> PathBuf {
    out.join("teachers").join(model)
}
