//! The built-in agents: one row each.

use cgym_env::{
    Env, nearest,
    settings::{Field, Fields, NoSettings},
};
use serde_json::Value;

use crate::{
    Agent, AgentError,
    cem::{self, Cem},
    ddpg::{self, Ddpg},
    greedy::{self, Greedy},
    profile::{Profile, ProfileSettings, Shape},
    random::{self, Random},
    reinforce::{self, Reinforce},
    settings::parse,
};

/// Makes an agent from the JSON object of its settings.
type Make = fn(&Value, &AgentContext<'_>) -> Result<Box<dyn Agent>, AgentError>;

/// One agent.
struct Row {
    name: &'static str,
    /// What the agent does, in one line.
    description: &'static str,
    /// The hyper-parameters.
    fields: &'static [Field],
    make: Make,
}

const ROWS: &[Row] = &[
    Row {
        name: ddpg::NAME,
        description: "learns a policy from observations: AMC's deep deterministic policy gradient",
        fields: ddpg::DdpgSettings::FIELDS,
        make: |settings, context| Ok(Box::new(Ddpg::new(&parse(settings)?, context)?)),
    },
    Row {
        name: reinforce::REINFORCE,
        description: "learns a stochastic policy from whole episodes: N2N's policy gradient",
        fields: reinforce::ReinforceSettings::FIELDS,
        make: |settings, context| Ok(Box::new(Reinforce::new(&parse(settings)?, context)?)),
    },
    Row {
        name: reinforce::ACTOR_CRITIC,
        description: "is reinforce with a learned value of each decision as baseline",
        fields: reinforce::ReinforceSettings::FIELDS,
        make: |settings, context| Ok(Box::new(Reinforce::actor_critic(&parse(settings)?, context)?)),
    },
    Row {
        name: random::NAME,
        description: "draws every action uniformly",
        fields: random::RandomSettings::FIELDS,
        make: |settings, context| Ok(Box::new(Random::new(&parse(settings)?, context)?)),
    },
    Row {
        name: Shape::Uniform.name(),
        description: "plays the same action at every decision, as high as the budget allows",
        fields: NoSettings::FIELDS,
        make: |settings, context| {
            let NoSettings {} = parse(settings)?;
            Ok(Box::new(Profile::new(Shape::Uniform, &ProfileSettings::default(), context)?))
        },
    },
    Row {
        name: Shape::Shallow.name(),
        description: "removes most from early layers, as little as the budget allows",
        fields: ProfileSettings::FIELDS,
        make: |settings, context| Ok(Box::new(Profile::new(Shape::Shallow, &parse(settings)?, context)?)),
    },
    Row {
        name: Shape::Deep.name(),
        description: "removes most from late layers, as little as the budget allows",
        fields: ProfileSettings::FIELDS,
        make: |settings, context| Ok(Box::new(Profile::new(Shape::Deep, &parse(settings)?, context)?)),
    },
    Row {
        name: greedy::NAME,
        description: "lowers one decision per round, the one that costs the least accuracy: NetAdapt",
        fields: greedy::GreedySettings::FIELDS,
        make: |settings, context| Ok(Box::new(Greedy::new(&parse(settings)?, context)?)),
    },
    Row {
        name: cem::NAME,
        description: "searches whole sequences of actions with the cross-entropy method",
        fields: cem::CemSettings::FIELDS,
        make: |settings, context| Ok(Box::new(Cem::new(&parse(settings)?, context)?)),
    },
];

/// What an agent may know of the run it is made for.
#[derive(Clone, Copy)]
pub struct AgentContext<'a> {
    /// The environment that the agent will play: its spaces, decisions and budget.
    pub env: &'a dyn Env,
    /// Number of exploring episodes in the run; schedules stretch over them.
    pub episodes: u64,
    /// Seed of all the agent's randomness.
    pub seed: u64,
}

/// Names that [`make`] knows.
pub fn names() -> impl Iterator<Item = &'static str> + Clone {
    ROWS.iter().map(|row| row.name)
}

/// The name of each agent, and what it does in one line.
pub fn describe() -> impl Iterator<Item = (&'static str, &'static str)> + Clone {
    ROWS.iter().map(|row| (row.name, row.description))
}

/// The hyper-parameters of the agent `name`; `None` for a name not in [`names`].
pub fn fields(name: &str) -> Option<&'static [Field]> {
    ROWS.iter().find(|row| row.name == name).map(|row| row.fields)
}

/// Makes the agent `name` for the environment and the number of episodes in `context`.
///
/// `settings` is a JSON object of the agent's hyper-parameters, or null; those that are absent
/// have the default that the documentation of their struct gives.
///
/// # Errors
/// [`AgentError::Unknown`] for a name not in [`names`], [`AgentError::Setting`] for an unknown
/// or wrong setting, [`AgentError::Spaces`] and [`AgentError::LookAhead`] where the agent cannot
/// play the environment.
pub fn make(name: &str, settings: &Value, context: &AgentContext<'_>) -> Result<Box<dyn Agent>, AgentError> {
    match ROWS.iter().find(|row| row.name == name) {
        Some(row) => (row.make)(settings, context),
        None => Err(AgentError::Unknown { name: name.to_owned(), suggestion: nearest(name, names()) }),
    }
}

/// The settings that [`make`] would use, defaults filled in, as a JSON object.
///
/// # Errors
/// As [`make`].
pub fn resolve_settings(
    name: &str,
    settings: &Value,
    context: &AgentContext<'_>,
) -> Result<Value, AgentError> {
    Ok(make(name, settings, context)?.settings())
}
