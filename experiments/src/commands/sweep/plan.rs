//! Which runs a sweep consists of.

use std::path::{Path, PathBuf};

use cgym_agents::{AgentContext, make};
use cgym_env::settings::Layer;
use cgym_worlds::{Blueprint, SettingsFile};
use serde_json::{Map, Value};

use super::{
    SweepArgs,
    claim::Claim,
    lists::{Budgets, budget_word},
};
use crate::{
    Error,
    config::{Config, tables},
    group::HAND_CRAFTED,
    loading,
};

/// Most runs of a sweep.
const MOST_RUNS: usize = 100_000;

/// Name of an agent and the hyper-parameters that it is given.
pub(super) type Agent = (String, Map<String, Value>);

/// One run.
#[derive(Debug, Clone)]
pub(super) struct Task {
    /// Name of its folder.
    pub(super) name: String,
    pub(super) config: Config,
}

impl Task {
    /// Episodes that the run will have at most, the last exploiting one included.
    pub(super) fn episodes(&self) -> u64 {
        if HAND_CRAFTED.contains(&self.config.agent.as_str()) { 2 } else { self.config.episodes() + 1 }
    }
}

/// One environment with one budget.
struct Setting {
    /// Beginning of the names of its runs.
    name: String,
    /// Whether another budget of the same environment stands before it.
    repeats_network: bool,
    layer: Layer,
}

/// All runs of a sweep.
pub(super) struct Plan {
    pub(super) tasks: Vec<Task>,
    /// An outline of each environment, once.
    blueprints: Vec<Blueprint>,
    pub(super) claim: Claim,
}

impl Plan {
    /// The plan of a command line. Everything that an environment or agent refuses, it refuses here.
    ///
    /// # Errors
    /// Settings that a sweep varies itself; settings or agents that do not fit an environment.
    pub(super) fn new(args: &SweepArgs) -> Result<Self, Error> {
        let flags = args.settings.layer()?;
        refuse_own(args, &flags)?;
        let file = args.settings.config.as_ref().map(|path| SettingsFile::read(path, &tables()));
        let file = file.transpose()?.map(|file| file.layer).unwrap_or_default();
        let agents = hyper_parameters(args, &flags, &file)?;
        let mut claim = Claim::new(&args.seeds.0, &agents, !args.no_baselines);
        let seeds = &args.seeds.0;
        let (mut once, mut every, mut blueprints) = (Vec::new(), Vec::new(), Vec::new());
        for setting in settings(args, &flags, &file)? {
            let mut config = Config::from_layer(setting.layer.clone().with("run", "seed", seeds[0]))?;
            config.run.threads = config.run.threads.or(Some(1));
            (config.run.pretrained, config.run.baselines) = (None, false);
            config.run.extended_from.clear();
            cgym_env::settings::Table::check(&config.run)?;
            let blueprint = loading::blueprint(&config)?;
            config.env = blueprint.settings().clone();
            claim.episodes.insert(setting.name.clone(), config.episodes());
            claim.checkpoint_every = config.run.checkpoint_every;
            if claim.environments.insert(setting.name.clone(), config.env.to_layer()).is_some() {
                return Err(Error::Input(format!(
                    "envs: two of them are {} under --budgets; leave one out",
                    config.env.id()
                )));
            }
            let task = |name: &str, own: &Map<String, Value>, seed: u64| {
                let mut config = config.clone();
                (config.agent, config.agent_settings) = (name.to_owned(), own.clone());
                config.run.seed = seed;
                Task { name: format!("{}-{name}-seed{seed}", setting.name), config }
            };
            let env = &*blueprint.outline().env;
            for (name, own) in &agents {
                let first = task(name, own, seeds[0]);
                first.config.agent(env)?;
                // Whoever plays one candidate, plays the same with every seed.
                if HAND_CRAFTED.contains(&name.as_str()) {
                    once.push(first);
                }
            }
            let context = AgentContext { env, episodes: config.episodes(), seed: 0 };
            let plays = |name: &&str| make(name, &Value::Null, &context).is_ok();
            let other = |name: &&str| agents.iter().all(|(agent, _)| agent != name);
            for name in HAND_CRAFTED.into_iter().filter(|_| !args.no_baselines).filter(other).filter(plays) {
                once.push(task(name, &Map::new(), seeds[0]));
            }
            let searching = || agents.iter().filter(|(name, _)| !HAND_CRAFTED.contains(&name.as_str()));
            for (place, &seed) in seeds.iter().enumerate() {
                every.extend(searching().map(|(name, own)| (place, task(name, own, seed))));
                if every.len() > MOST_RUNS {
                    return Err(Error::Input(format!(
                        "these are more than {MOST_RUNS} runs; split the sweep"
                    )));
                }
            }
            if !setting.repeats_network {
                blueprints.push(blueprint);
            }
        }
        // All agents and budgets with the first seed, then with the next: a part is a small sweep.
        every.sort_by_key(|(place, _)| *place);
        let tasks = once.into_iter().chain(every.into_iter().map(|(_, task)| task)).collect();
        Ok(Self { tasks, blueprints, claim })
    }

    /// Loads each environment once: what is missing is downloaded once and refused before any run.
    ///
    /// # Errors
    /// As [`loading::load`].
    pub(super) fn load(&mut self) -> Result<(), Error> {
        self.blueprints.drain(..).try_for_each(|blueprint| loading::load(blueprint).map(drop))
    }
}

/// Refuses settings that the sweep gives each run itself.
fn refuse_own(args: &SweepArgs, flags: &Layer) -> Result<(), Error> {
    let own = [
        ("run", "seed", "give --seeds"),
        ("agent", "name", "give --agents"),
        ("run", "pretrained", "policies are transferred by `cgym transfer`"),
    ];
    let given = own.iter().find(|(table, key, _)| flags.get(table, key).is_some());
    if let Some((table, key, instead)) = given {
        return Err(Error::Input(format!("{table}.{key}: every run of a sweep has its own; {instead}")));
    }
    if args.envs.is_some() && flags.env.is_some() {
        return Err(Error::Input("env: --envs names the environments; leave one out".to_owned()));
    }
    let budget = ["unit", "share"].into_iter().find(|key| flags.get("budget", key).is_some());
    match budget.filter(|_| args.budgets.is_some()) {
        Some(key) => Err(Error::Input(format!("budget.{key}: --budgets gives the budgets; leave one out"))),
        None => Ok(()),
    }
}

/// Each agent with the hyper-parameters that it is given.
fn hyper_parameters(args: &SweepArgs, flags: &Layer, file: &Layer) -> Result<Vec<Agent>, Error> {
    let names = &args.agents.0;
    let mut agents: Vec<Agent> = names.iter().map(|name| (name.clone(), Map::new())).collect();
    let mut of_file = file.table("agent");
    let owner = of_file.remove("name");
    for (name, own) in &mut agents {
        // A file without the name of an agent is about the only one there is.
        if owner.as_ref().map_or(names.len() == 1, |owner| owner.as_str() == Some(name)) {
            own.extend(of_file.clone());
        }
    }
    if owner.is_none() && names.len() > 1 && !of_file.is_empty() {
        return Err(Error::Input(
            "agent: the file does not say which agent its [agent] is about; add name".to_owned(),
        ));
    }
    for (key, value) in flags.table("agent") {
        let [(_, own)] = &mut agents[..] else {
            return Err(Error::Input(format!(
                "agent.{key}: several agents are named; write --set-for {}:{key}={}",
                names[0],
                value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
            )));
        };
        own.insert(key, value);
    }
    for (name, key, value) in &args.set_for {
        let Some((_, own)) = agents.iter_mut().find(|(agent, _)| agent == name) else {
            return Err(Error::Input(format!(
                "set-for: `{name}` is not among the agents {}",
                names.join(", ")
            )));
        };
        own.insert(key.clone(), value.clone());
    }
    Ok(agents)
}

/// Every environment with every budget.
fn settings(args: &SweepArgs, flags: &Layer, file: &Layer) -> Result<Vec<Setting>, Error> {
    let ids: Vec<Option<String>> = match &args.envs {
        Some(names) => names.0.iter().cloned().map(Some).collect(),
        None => vec![flags.env.clone()],
    };
    let mut all = Vec::new();
    for id in &ids {
        let mut layer = Layer { env: id.clone(), ..flags.clone() }.over(file.clone());
        layer.tables.remove("agent");
        let budgets = args.budgets.as_ref().map(|Budgets(budgets)| budgets.clone());
        for (index, budget) in
            budgets.map_or(vec![None], |all| all.into_iter().map(Some).collect()).iter().enumerate()
        {
            let mut layer = layer.clone();
            match budget {
                Some(Some((unit, share))) => {
                    layer.set("budget", "unit", unit.as_str());
                    layer.set("budget", "share", *share);
                }
                Some(None) => layer.set("budget", "share", "none"),
                None => {}
            }
            let config = Config::from_layer(layer.clone())?;
            let own = &config.env.budget;
            let mut words = Vec::new();
            if ids.len() > 1 {
                let word = own.id_word().map_or(String::new(), |word| format!("-{word}"));
                words.push(config.env.id().replacen(&word, "", 1));
            }
            if !config.env.family.units().is_empty() {
                words.push(budget_word(own.share.map(|share| (own.unit, share))));
            }
            if words.is_empty() {
                words.push(config.env.id());
            }
            all.push(Setting { name: words.join("-"), repeats_network: index > 0, layer });
        }
    }
    Ok(all)
}

/// The folder of a run.
pub(super) fn folder(out: &Path, task: &Task) -> PathBuf {
    out.join("runs").join(&task.name)
}
