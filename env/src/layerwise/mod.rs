//! The layer-wise game: one preserve ratio per site, under a budget that cannot be exceeded (AMC,
//! He et al., ECCV 2018), for any compression [method](crate::method).
//!
//! An episode walks the network from input to output and decides about one site per step. The
//! action is the share that stays. Only the last step scores the candidate and has a reward; all
//! others have reward 0.
//!
//! **Actions** lie in the box [lower bound, 1], the same for every site; a site with a higher bound of
//! its own raises lower actions to it. With AMC's (0, 1] all actions below the bound would have the
//! same effect at every site: a random agent would choose the bound far too often, and a sigmoid
//! actor would have no gradient there.
//!
//! **Observations** are AMC's eleven features, see [`FEATURE_NAMES`].
//!
//! **Budget.** The cost is an exact function of all amounts, and only legal amounts are compared:
//! the budget holds after rounding, and one that cannot be met is refused before the first episode.

mod game;
mod walk;

use std::{marker::PhantomData, sync::Arc};

use cgym_teachers::{engine::Convolution, graph::Graph};

pub use game::Layerwise;

use crate::{
    Budget, BudgetUnit, EnvError, LayerwiseReward,
    family::{Family, Header, Outline, Rules, SiteDescription, Tables, Version},
    fields::{Field, Fields, read, write},
    game::{Game, GameEnv, Played},
    layer::Layer,
    method::{FEATURE_NAMES, MethodKind},
    play::{Material, Play},
    score::{Exact, Surrogate},
};

/// The layer-wise game with one method.
pub struct LayerwiseFamily<M>(PhantomData<fn() -> M>);

impl<M: MethodKind> LayerwiseFamily<M> {
    /// Its row in [`FAMILIES`](crate::FAMILIES).
    pub const ROW: Self = Self(PhantomData);
}

impl<M: MethodKind> Family for LayerwiseFamily<M> {
    fn name(&self) -> &'static str {
        M::NAME
    }

    fn id_word(&self) -> &'static str {
        M::ID_WORD
    }

    fn description(&self) -> &'static str {
        M::DESCRIPTION
    }

    fn versions(&self) -> &'static [Version] {
        M::VERSIONS
    }

    fn listed(&self) -> &'static [(&'static str, &'static str)] {
        M::LISTED
    }

    fn units(&self) -> &'static [BudgetUnit] {
        M::UNITS
    }

    fn is_discrete(&self) -> bool {
        false
    }

    fn defaults(&self, model: &str) -> Layer {
        M::defaults(model)
    }

    fn fields(&self) -> [&'static [Field]; 3] {
        [M::Settings::FIELDS, LayerwiseReward::FIELDS, M::Score::FIELDS]
    }

    fn rules(&self, given: &Tables, _budget: &Budget) -> Result<Box<dyn Rules>, EnvError> {
        Ok(Box::new(LayerwiseRules::<M> {
            settings: read("game", &given.game)?,
            reward: read("reward", &given.reward)?,
            score: read("score", &given.score)?,
        }))
    }
}

/// Checked settings of the game.
struct LayerwiseRules<M: MethodKind> {
    settings: M::Settings,
    reward: LayerwiseReward,
    score: M::Score,
}

impl<M: MethodKind> LayerwiseRules<M> {
    fn game(&self, header: &Header, graph: &Graph) -> Result<Layerwise, EnvError> {
        let method = M::method(graph, &self.settings, &header.budget)?;
        Layerwise::new(header, method, self.reward.name, M::lower_bound(&self.settings, &header.budget))
    }
}

impl<M: MethodKind> Rules for LayerwiseRules<M> {
    fn tables(&self) -> Tables {
        Tables { game: write(&self.settings), reward: write(&self.reward), score: write(&self.score) }
    }

    fn convolution(&self) -> Convolution {
        M::convolution(&self.score)
    }

    fn training_images(&self) -> Option<usize> {
        M::calibration_images(&self.score)
    }

    fn with_training_images(&self, images: usize) -> Box<dyn Rules> {
        Box::new(Self {
            settings: self.settings.clone(),
            reward: self.reward.clone(),
            score: M::with_calibration_images(&self.score, images),
        })
    }

    fn outline(&self, header: &Header, _teacher: &Graph, network: &Graph) -> Result<Outline, EnvError> {
        let game = Arc::new(self.game(header, network)?);
        let method = game.method();
        let whole: Vec<u64> = method.sites().iter().map(|site| site.ladder.whole()).collect();
        let describe = |site: &crate::method::Site| SiteDescription {
            layer: site.name.clone(),
            whole: site.whole(),
            least: site.ladder.least() * site.per_amount,
            step: site.ladder.step() * site.per_amount,
            unit: M::KEPT_UNIT,
        };
        let surrogate = Surrogate::new(method.sites());
        Ok(Outline {
            whole: method.full_cost(&whole),
            least_share: Some(game.least_share()),
            sites: method.sites().iter().map(describe).collect(),
            action: format!(
                "one preserve ratio in [{}, 1] per step",
                M::lower_bound(&self.settings, &header.budget)
            ),
            features: FEATURE_NAMES.to_vec(),
            env: Box::new(GameEnv::new(game, Arc::new(surrogate))),
        })
    }

    fn play(&self, header: &Header, material: &Material) -> Result<Arc<dyn Play>, EnvError> {
        let game = self.game(header, &material.network.graph)?;
        let surgery = M::surgery(material, &self.settings, &self.score)?;
        Ok(Arc::new(Played::new(game, Exact::new(surgery, material.reward.clone(), material.convolution))))
    }
}

/// Environments of the layer-wise game.
pub type LayerwiseEnv = GameEnv<Layerwise>;

impl LayerwiseEnv {
    /// An environment whose candidates have the accuracy of [`Surrogate`].
    pub fn surrogate(game: Layerwise) -> Self {
        let surrogate = Surrogate::new(game.method().sites());
        Self::new(Arc::new(game), Arc::new(surrogate))
    }

    /// The method applied to the network.
    pub fn method(&self) -> &Arc<dyn crate::method::Method> {
        self.game().method()
    }

    /// Number of decisions.
    pub fn sites(&self) -> usize {
        self.game().spec().steps()
    }
}
