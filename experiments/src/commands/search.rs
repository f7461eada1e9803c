//! `search` and `resume`.

use std::{path::Path, time::Instant};

use cgym_agents::{AgentContext, resolve_settings};
use cgym_env::Outcome;
use serde::{Deserialize, Serialize};

use crate::{
    Error,
    cli::SearchArgs,
    config::Config,
    files,
    game::preview,
    interrupt, report,
    report::Summary,
    run::{self, EpisodeLog, RunDirectory, Setup, directory},
    settings::Settings,
    world::World,
};

/// `teacher.json`.
#[derive(Serialize, Deserialize)]
struct TeacherFile {
    model: String,
    dataset: String,
    reward_top1: f64,
    macs: u64,
    parameters: u64,
    /// SHA-256 of its tensors and of the images it is pruned and scored with.
    sha256: String,
}

/// How a new run is started.
pub(super) struct Start<'a> {
    /// The run directory; a free name in `runs/` where absent.
    pub(super) out: Option<&'a Path>,
    /// Whether the agent is compared with other policies at the end.
    pub(super) compare: bool,
    /// Whether the summary tells where the time of episodes went.
    pub(super) profile: bool,
}

pub(super) fn search(args: SearchArgs, json: bool) -> Result<(), Error> {
    let config = Config::resolve(args.settings, args.config.as_deref())?;
    super::use_threads(config.threads)?;
    let start = Start { out: args.out.as_deref(), compare: !args.no_baselines, profile: args.profile };
    let summary = self::start(config, &start)?;
    if let Some(profile) = &summary.profile {
        eprint!("{}", profile.table());
    }
    tell(&summary, json)
}

/// Makes a run directory and searches in it.
pub(super) fn start(mut config: Config, start: &Start<'_>) -> Result<Summary, Error> {
    let started = Instant::now();
    directory::refuse_existing(start.out)?;
    let env = game(&config)?;
    let context = AgentContext { env: &*env, episodes: config.episodes, seed: 0 };
    config.agent_settings = resolve_settings(&config.agent, &config.agent_settings, &context)?;
    // A policy that does not fit is refused before anything is loaded.
    let pretrained = config.pretrained.as_deref().map(run::newest_agent).transpose()?;
    run::agent(&config, &*env, pretrained.as_deref())?;
    let stop = interrupt::flag();
    let world = load(config, &[])?;
    let config = &world.config;
    let stem = format!("{}-{}-seed{}", config.environment.id(), config.agent, config.seed);
    let directory = RunDirectory::create(start.out, &stem, &config.to_toml()?, pretrained.as_deref())?;
    remember_teacher(&world, directory.path())?;
    eprintln!("saving to {}", directory.path().display());
    let log = EpisodeLog::open(&directory.join("episodes.jsonl"))?;
    let Start { compare, profile, .. } = *start;
    run::search(&Setup { world: &world, directory: &directory, stop, started, compare, profile }, log)
}

pub(super) fn resume(path: &Path, threads: Option<usize>, json: bool) -> Result<(), Error> {
    directory::check(path)?;
    let config = saved_config(path)?;
    super::use_threads(threads.or(config.threads))?;
    tell(&go_on(path, true)?, json)
}

/// Goes on with the search of a run directory; gives its result where it has finished.
pub(super) fn go_on(path: &Path, compare: bool) -> Result<Summary, Error> {
    let started = Instant::now();
    let directory = RunDirectory::open(path)?;
    let result = directory.join("summary.json");
    if result.is_file() {
        return Ok(Summary { run: Some(path.to_owned()), ..files::read_json::<Summary>(&result)? });
    }
    let config = saved_config(path)?;
    let stop = interrupt::flag();
    let log = EpisodeLog::open(&directory.join("episodes.jsonl"))?;
    let mut known: Vec<Outcome> = log.records().iter().filter_map(|record| record.outcome.clone()).collect();
    known.extend(run::recorded(&directory.join("baselines.jsonl")));
    let world = load(config, &known)?;
    remember_teacher(&world, path)?;
    run::search(&Setup { world: &world, directory: &directory, stop, started, compare, profile: false }, log)
}

/// The configuration of a run directory.
pub(super) fn saved_config(path: &Path) -> Result<Config, Error> {
    Config::from_settings(Settings::read(&path.join("config.toml"))?)
}

/// Loads a world and says what it is.
pub(super) fn load(config: Config, known: &[Outcome]) -> Result<World, Error> {
    let id = config.environment.id();
    eprintln!("loading {id}");
    let world = World::load(config, known)?;
    eprintln!(
        "teacher: {:.2} % on {} reward images, {} MACs, {} parameters",
        100.0 * world.teacher_top1,
        world.config.environment.reward_size().unwrap_or(0),
        report::count(Some(world.teacher_cost.macs)),
        report::count(Some(world.teacher_cost.parameters)),
    );
    Ok(world)
}

/// Writes down the teacher of a run, or refuses one that is not the run's.
pub(super) fn remember_teacher(world: &World, run: &Path) -> Result<(), Error> {
    let path = run.join("teacher.json");
    let now = TeacherFile {
        model: world.config.environment.model().to_owned(),
        dataset: world.config.environment.dataset().to_string(),
        reward_top1: world.teacher_top1,
        macs: world.teacher_cost.macs,
        parameters: world.teacher_cost.parameters,
        sha256: world.fingerprint.clone(),
    };
    if !path.is_file() {
        return files::write_json(&path, &now);
    }
    let then: TeacherFile = files::read_json(&path)?;
    if then.sha256 != now.sha256 {
        return Err(Error::file(
            &path,
            "is of another teacher or other images than are there now; put those back",
        ));
    }
    Ok(())
}

/// Prints a result and what can be done with it.
fn tell(summary: &Summary, json: bool) -> Result<(), Error> {
    let run = summary.run.clone().unwrap_or_default();
    let shown = run.display();
    if !summary.finished {
        eprintln!(
            "interrupted after {} of {} episodes; everything is saved",
            summary.played, summary.episodes
        );
    }
    report::print(json, summary, || {
        let mut text = summary.table();
        if summary.finished {
            text += &format!("saved to {shown}, the best network in {shown}/best\n");
            text += &format!("curves: tensorboard --logdir {shown}\n");
        } else {
            text += &format!("go on with: cgym resume {shown}\n");
        }
        text
    })
}

/// The environment of a run without its teacher and data: enough to look at records.
pub(super) fn game(config: &Config) -> Result<Box<dyn cgym_env::Env>, Error> {
    let parent = config.parent.as_deref().map(crate::teacher::parent).transpose()?;
    preview(&config.environment, &network(config)?, parent.as_ref().map(|parent| &parent.graph))
}

/// The teacher's layers.
pub(super) fn network(config: &Config) -> Result<cgym_teachers::graph::Graph, Error> {
    let dataset = config.environment.dataset();
    let shape = match crate::teacher::known_shape(dataset) {
        Some(shape) => shape,
        None => {
            let source = crate::teacher::load_data(dataset, &config.load_options())?;
            (source.train.shape(), source.train.classes())
        }
    };
    crate::teacher::build(config.environment.model(), config.variant, shape)
}
