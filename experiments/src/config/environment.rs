//! Environments from settings, and settings from environments.

use cgym_env::{DEFAULT_ID, EnvConfig, EnvOverrides, Family, N2nConfig, N2nOverrides, Stage};

use crate::{
    Error,
    settings::{Budget, GameName, RewardName, Settings},
};

/// What `--model` and `--dataset` change where no id is given.
const OWN_MODEL_ID: &str = "AMC-ResNet20-Digits-MACs50-v0";

/// The environment of `settings`; what an id spells comes from the id asked for, or the default.
pub(super) fn environment(settings: &Settings) -> Result<Family, Error> {
    let named = settings.env.as_deref().map(Family::from_id).transpose()?;
    let environment = match (named, settings.game) {
        (Some(Family::Amc(config)), None | Some(GameName::Amc)) => amc(config, settings)?,
        (Some(Family::N2n(config)), None) => n2n(config, settings)?,
        (Some(Family::N2n(config)), Some(game)) if stage(game) == Some(config.stage) => {
            n2n(config, settings)?
        }
        (Some(_), Some(_)) => {
            return Err(Error::Input(
                "game: the id of the environment says it already; leave one out".to_owned(),
            ));
        }
        (None, game) => match stage(game.unwrap_or_default()) {
            None => {
                // A network of one's own starts from half its MACs, the embedded game from its own budget.
                let own = settings.model.is_some() || settings.dataset.is_some();
                amc(EnvConfig::from_id(if own { OWN_MODEL_ID } else { DEFAULT_ID })?, settings)?
            }
            Some(stage) => {
                let base = EnvConfig::from_id(DEFAULT_ID)?;
                n2n(N2nConfig::new(stage, &base.model, base.dataset), settings)?
            }
        },
    };
    refuse_foreign(&environment, settings)?;
    Ok(environment)
}

fn stage(game: GameName) -> Option<Stage> {
    match game {
        GameName::Amc => None,
        GameName::N2nRemoval => Some(Stage::Removal),
        GameName::N2nShrinkage => Some(Stage::Shrinkage),
    }
}

fn amc(base: EnvConfig, settings: &Settings) -> Result<Family, Error> {
    let budget = settings.budget.unwrap_or(Budget { unit: base.budget, share: base.target });
    let model = settings.model.as_deref().unwrap_or(&base.model);
    let dataset = settings.dataset.unwrap_or(base.dataset);
    let overrides = EnvOverrides {
        reward: match settings.reward {
            Some(RewardName::N2n(reward)) => return Err(foreign_reward(&reward, "AMC")),
            Some(RewardName::Amc(reward)) => Some(reward),
            None => None,
        },
        scope: settings.scope,
        lower_bound: settings.lower_bound,
        channel_multiple: settings.channel_multiple,
        fill_budget: settings.fill_budget,
        reconstruction: settings.no_reconstruction.map(|without| !without),
        calibration_size: settings.calibration_images,
        reward_size: settings.reward_images,
        ..EnvOverrides::default()
    };
    Ok(Family::Amc(EnvConfig::new(model, dataset, budget.unit, budget.share).with(&overrides)?))
}

fn n2n(base: N2nConfig, settings: &Settings) -> Result<Family, Error> {
    let model = settings.model.as_deref().unwrap_or(&base.model);
    let dataset = settings.dataset.unwrap_or(base.dataset);
    let overrides = N2nOverrides {
        reward: match settings.reward {
            Some(RewardName::Amc(reward)) => return Err(foreign_reward(&reward, "N2N")),
            Some(RewardName::N2n(reward)) => Some(reward),
            None => None,
        },
        max_parameters: settings.max_parameters,
        max_macs: settings.max_macs,
        min_top1: settings.min_top1,
        epochs: settings.student_epochs,
        batch: settings.student_batch,
        learning_rate: settings.student_learning_rate,
        weight_decay: settings.student_weight_decay,
        seed: settings.student_seed,
        optimiser: settings.student_optimiser,
        loss: settings.student_loss,
        temperature: settings.student_temperature,
        alpha: settings.student_alpha,
        lambda: settings.student_lambda,
        inherit: settings.inherit,
        training_size: settings.training_images,
        reward_size: settings.reward_images,
        rows: settings.rows,
    };
    Ok(Family::N2n(N2nConfig::new(base.stage, model, dataset).with(&overrides)?))
}

fn foreign_reward(reward: &dyn std::fmt::Display, game: &str) -> Error {
    let own = if game == "AMC" { "err, err-log-macs and err-log-params" } else { "n2n and n2n-constrained" };
    Error::Input(format!("reward: `{reward}` is not one of {game}'s; those are {own}"))
}

/// Refuses settings of the other game: they would change nothing.
fn refuse_foreign(environment: &Family, settings: &Settings) -> Result<(), Error> {
    let (game, foreign) = match environment {
        Family::Amc(_) => {
            let theirs = n2n_only(settings);
            ("AMC", theirs.into_iter().find(|(_, given)| *given))
        }
        Family::N2n(_) => {
            let theirs = amc_only(settings);
            ("N2N", theirs.into_iter().find(|(_, given)| *given))
        }
    };
    match foreign {
        Some((name, _)) => Err(Error::Input(format!("{name}: means nothing in {game}'s game; leave it out"))),
        None => Ok(()),
    }
}

fn n2n_only(settings: &Settings) -> [(&'static str, bool); 17] {
    [
        ("parent", settings.parent.is_some()),
        ("max-parameters", settings.max_parameters.is_some()),
        ("max-macs", settings.max_macs.is_some()),
        ("min-top1", settings.min_top1.is_some()),
        ("student-epochs", settings.student_epochs.is_some()),
        ("student-batch", settings.student_batch.is_some()),
        ("student-learning-rate", settings.student_learning_rate.is_some()),
        ("student-weight-decay", settings.student_weight_decay.is_some()),
        ("student-seed", settings.student_seed.is_some()),
        ("rows", settings.rows.is_some()),
        ("student-loss", settings.student_loss.is_some()),
        ("student-optimiser", settings.student_optimiser.is_some()),
        ("student-temperature", settings.student_temperature.is_some()),
        ("student-alpha", settings.student_alpha.is_some()),
        ("student-lambda", settings.student_lambda.is_some()),
        ("inherit", settings.inherit.is_some()),
        ("training-images", settings.training_images.is_some()),
    ]
}

fn amc_only(settings: &Settings) -> [(&'static str, bool); 7] {
    [
        ("budget", settings.budget.is_some()),
        ("scope", settings.scope.is_some()),
        ("lower-bound", settings.lower_bound.is_some()),
        ("channel-multiple", settings.channel_multiple.is_some()),
        ("fill-budget", settings.fill_budget.is_some()),
        ("no-reconstruction", settings.no_reconstruction.is_some()),
        ("calibration-images", settings.calibration_images.is_some()),
    ]
}

pub(super) fn amc_settings(config: &EnvConfig) -> Settings {
    Settings {
        game: Some(GameName::Amc),
        budget: Some(Budget { unit: config.budget, share: config.target }),
        reward: Some(RewardName::Amc(config.reward)),
        scope: Some(config.scope),
        lower_bound: Some(config.lower_bound),
        channel_multiple: Some(config.channel_multiple),
        fill_budget: Some(config.fill_budget),
        no_reconstruction: Some(!config.reconstruction),
        calibration_images: config.calibration_size,
        reward_images: config.reward_size,
        ..Settings::default()
    }
}

pub(super) fn n2n_settings(config: &N2nConfig) -> Settings {
    let (student, constraints) = (&config.student, &config.constraints);
    Settings {
        game: Some(match config.stage {
            Stage::Removal => GameName::N2nRemoval,
            Stage::Shrinkage => GameName::N2nShrinkage,
        }),
        reward: Some(RewardName::N2n(config.reward)),
        max_parameters: constraints.max_parameters,
        max_macs: constraints.max_macs,
        min_top1: constraints.min_top1,
        student_epochs: Some(student.epochs),
        student_batch: Some(student.batch),
        student_learning_rate: Some(student.learning_rate),
        student_weight_decay: Some(student.weight_decay),
        student_seed: Some(student.seed),
        student_loss: Some(student.loss),
        student_optimiser: Some(student.optimiser),
        student_temperature: Some(student.temperature),
        student_alpha: Some(student.alpha),
        student_lambda: Some(student.lambda),
        inherit: Some(config.inherit),
        rows: config.rows,
        training_images: config.training_size,
        reward_images: config.reward_size,
        ..Settings::default()
    }
}
