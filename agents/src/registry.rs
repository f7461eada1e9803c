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
    settings::{parse, recorded},
};

/// Makes an agent from the JSON object of its settings.
type Make = fn(&Value, &AgentContext<'_>) -> Result<Box<dyn Agent>, AgentError>;

/// What can be said of a built-in agent without an environment.
#[derive(Debug, Clone, Copy)]
pub struct AgentFacts {
    /// Its name.
    pub name: &'static str,
    /// What it does, in one line.
    pub description: &'static str,
    /// The publication that it follows.
    pub paper: &'static str,
    /// Whether it plays actions that are indices, beside actions in a box.
    pub plays_indices: bool,
    /// Whether a policy of it can start from the one of another run, on any network.
    pub transfers: bool,
    /// Its hyper-parameters.
    pub fields: &'static [Field],
    defaults: fn() -> Value,
}

impl AgentFacts {
    /// The default of every hyper-parameter; null where it depends on the environment or the number of
    /// episodes, or where there is none.
    pub fn defaults(&self) -> Value {
        (self.defaults)()
    }
}

/// One agent.
struct Row {
    facts: AgentFacts,
    make: Make,
}

/// The facts of an agent whose settings are `S`.
macro_rules! facts {
    ($name:expr, $settings:ty, $description:literal, $paper:expr $(, $fact:ident)* $(,)?) => {
        AgentFacts {
            $($fact: true,)*
            ..AgentFacts {
                name: $name,
                description: $description,
                paper: $paper,
                plays_indices: false,
                transfers: false,
                fields: <$settings>::FIELDS,
                defaults: || recorded(&<$settings>::default()),
            }
        }
    };
}

/// Where the hand-crafted policies come from.
const HAND_CRAFTED: &str = "a hand-crafted policy of He et al., AMC, ECCV 2018";

const ROWS: &[Row] = &[
    Row {
        facts: facts!(
            ddpg::NAME,
            ddpg::DdpgSettings,
            "learns a policy from observations: AMC's deep deterministic policy gradient",
            "He et al., AMC, ECCV 2018; Lillicrap et al., Continuous control with deep reinforcement learning, ICLR 2016",
            transfers,
        ),
        make: |settings, context| Ok(Box::new(Ddpg::new(&parse(settings)?, context)?)),
    },
    Row {
        facts: facts!(
            reinforce::REINFORCE,
            reinforce::ReinforceSettings,
            "learns a stochastic policy from whole episodes: N2N's policy gradient",
            "Ashok et al., N2N Learning, ICLR 2018; Williams, Machine Learning 8, 1992",
            plays_indices,
            transfers,
        ),
        make: |settings, context| Ok(Box::new(Reinforce::new(&parse(settings)?, context)?)),
    },
    Row {
        facts: facts!(
            reinforce::ACTOR_CRITIC,
            reinforce::ReinforceSettings,
            "is reinforce with a learned value of each decision as baseline",
            "Sutton & Barto, Reinforcement Learning, 2nd edition 2018, section 13.4",
            plays_indices,
            transfers,
        ),
        make: |settings, context| Ok(Box::new(Reinforce::actor_critic(&parse(settings)?, context)?)),
    },
    Row {
        facts: facts!(
            random::NAME,
            random::RandomSettings,
            "draws every action uniformly",
            "Bergstra & Bengio, Random search for hyper-parameter optimization, JMLR 13, 2012",
            plays_indices,
        ),
        make: |settings, context| Ok(Box::new(Random::new(&parse(settings)?, context)?)),
    },
    Row {
        facts: facts!(
            Shape::Uniform.name(),
            NoSettings,
            "plays the same action at every decision, as high as the budget allows",
            HAND_CRAFTED,
        ),
        make: |settings, context| {
            let NoSettings {} = parse(settings)?;
            Ok(Box::new(Profile::new(Shape::Uniform, &ProfileSettings::default(), context)?))
        },
    },
    Row {
        facts: facts!(
            Shape::Shallow.name(),
            ProfileSettings,
            "removes most from early layers, as little as the budget allows",
            HAND_CRAFTED,
        ),
        make: |settings, context| Ok(Box::new(Profile::new(Shape::Shallow, &parse(settings)?, context)?)),
    },
    Row {
        facts: facts!(
            Shape::Deep.name(),
            ProfileSettings,
            "removes most from late layers, as little as the budget allows",
            HAND_CRAFTED,
        ),
        make: |settings, context| Ok(Box::new(Profile::new(Shape::Deep, &parse(settings)?, context)?)),
    },
    Row {
        facts: facts!(
            greedy::NAME,
            greedy::GreedySettings,
            "lowers one decision per round, the one that costs the least accuracy: NetAdapt",
            "Yang et al., NetAdapt, ECCV 2018",
        ),
        make: |settings, context| Ok(Box::new(Greedy::new(&parse(settings)?, context)?)),
    },
    Row {
        facts: facts!(
            cem::NAME,
            cem::CemSettings,
            "searches whole sequences of actions with the cross-entropy method",
            "Rubinstein & Kroese, The Cross-Entropy Method, 2004",
            plays_indices,
        ),
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
    ROWS.iter().map(|row| row.facts.name)
}

/// What can be said of each agent.
pub fn describe() -> impl Iterator<Item = &'static AgentFacts> + Clone {
    ROWS.iter().map(|row| &row.facts)
}

/// The hyper-parameters of the agent `name`; `None` for a name not in [`names`].
pub fn fields(name: &str) -> Option<&'static [Field]> {
    describe().find(|facts| facts.name == name).map(|facts| facts.fields)
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
    match ROWS.iter().find(|row| row.facts.name == name) {
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
