//! Agents by name.

use cgym_env::Env;
use serde::Serialize;
use serde_json::Value;

use crate::{
    Agent, AgentError,
    cem::{Cem, CemSettings},
    ddpg::{Ddpg, DdpgSettings},
    greedy::{Greedy, GreedySettings},
    profile::{Profile, ProfileSettings, Shape},
    random::{Random, RandomSettings},
    reinforce::{ACTOR_CRITIC, REINFORCE, Reinforce, ReinforceSettings},
    settings::{parse, suggest},
};

const NAMES: [&str; 9] =
    ["ddpg", REINFORCE, ACTOR_CRITIC, "random", "uniform", "shallow", "deep", "greedy", "cem"];

/// What an agent may know of the run it is made for.
#[derive(Clone, Copy)]
pub struct AgentContext<'a> {
    /// The environment it will play: its spaces, decisions and budget.
    pub env: &'a dyn Env,
    /// Exploring episodes it will have; schedules stretch over them.
    pub episodes: u64,
    /// Seed of all its randomness.
    pub seed: u64,
}

/// `uniform` has nothing to set.
#[derive(Default, Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
struct NoSettings {}

/// Settings of one agent, read and completed.
enum Resolved {
    Ddpg(DdpgSettings),
    Reinforce(ReinforceSettings),
    ActorCritic(ReinforceSettings),
    Random(RandomSettings),
    Uniform(NoSettings),
    Profile(Shape, ProfileSettings),
    Greedy(GreedySettings),
    Cem(CemSettings),
}

impl Resolved {
    fn new(name: &str, settings: &Value, context: &AgentContext<'_>) -> Result<Self, AgentError> {
        let profile = |shape| -> Result<Self, AgentError> { Ok(Self::Profile(shape, parse(settings)?)) };
        let reinforce = |name| parse::<ReinforceSettings>(settings)?.resolve(name, context);
        match name {
            REINFORCE => Ok(Self::Reinforce(reinforce(REINFORCE)?)),
            ACTOR_CRITIC => Ok(Self::ActorCritic(reinforce(ACTOR_CRITIC)?)),
            "ddpg" => Ok(Self::Ddpg(parse::<DdpgSettings>(settings)?.resolve(context)?)),
            "random" => Ok(Self::Random(parse(settings)?)),
            "uniform" => Ok(Self::Uniform(parse(settings)?)),
            "shallow" => profile(Shape::Shallow),
            "deep" => profile(Shape::Deep),
            "greedy" => Ok(Self::Greedy(parse::<GreedySettings>(settings)?.resolve(context)?)),
            "cem" => Ok(Self::Cem(parse(settings)?)),
            _ => Err(AgentError::Unknown { name: name.to_owned(), suggestion: suggest(name, names()) }),
        }
    }
}

/// Names that [`make`] knows.
pub fn names() -> &'static [&'static str] {
    &NAMES
}

/// Makes the agent `name` for the environment and the number of episodes in `context`.
///
/// `settings` is a JSON object of the agent's hyper-parameters, or null; those that are absent
/// keep the default that their struct documents.
///
/// # Errors
/// [`AgentError::Unknown`] for a name not in [`names`], [`AgentError::Setting`] for an unknown
/// or wrong setting, [`AgentError::Spaces`] where the agent cannot play the environment.
pub fn make(name: &str, settings: &Value, context: &AgentContext<'_>) -> Result<Box<dyn Agent>, AgentError> {
    Ok(match Resolved::new(name, settings, context)? {
        Resolved::Ddpg(settings) => Box::new(Ddpg::new(&settings, context)?),
        Resolved::Reinforce(settings) => Box::new(Reinforce::new(&settings, context)?),
        Resolved::ActorCritic(settings) => Box::new(Reinforce::actor_critic(&settings, context)?),
        Resolved::Random(settings) => Box::new(Random::new(&settings, context)?),
        Resolved::Uniform(_) => Box::new(Profile::new(Shape::Uniform, &ProfileSettings::default(), context)?),
        Resolved::Profile(shape, settings) => Box::new(Profile::new(shape, &settings, context)?),
        Resolved::Greedy(settings) => Box::new(Greedy::new(&settings, context)?),
        Resolved::Cem(settings) => Box::new(Cem::new(&settings, context)?),
    })
}

/// The settings that [`make`] would use, defaults filled in, as a JSON object: what a run records.
///
/// # Errors
/// As [`make`], as far as name and settings go.
pub fn resolve_settings(
    name: &str,
    settings: &Value,
    context: &AgentContext<'_>,
) -> Result<Value, AgentError> {
    fn object<S: Serialize>(settings: &S) -> Result<Value, AgentError> {
        serde_json::to_value(settings).map_err(|error| crate::settings::refuse("settings", error.to_string()))
    }
    match Resolved::new(name, settings, context)? {
        Resolved::Ddpg(settings) => object(&settings),
        Resolved::Reinforce(settings) | Resolved::ActorCritic(settings) => object(&settings),
        Resolved::Random(settings) => object(&settings),
        Resolved::Uniform(settings) => object(&settings),
        Resolved::Profile(_, settings) => object(&settings),
        Resolved::Greedy(settings) => object(&settings),
        Resolved::Cem(settings) => object(&settings),
    }
}
