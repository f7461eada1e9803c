//! The conformance suite of methods: channel pruning passes it, and it finds what it is there for.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use cgym_env::{
    BudgetUnit, EnvError, FEATURES,
    method::{
        CostFunction, Ladder, Method, Site,
        channels::{ChannelMethod, ChannelSettings, Scope},
        check_method,
    },
};
use cgym_teachers::{Error, cost::Cost, zoo::MODELS};
use common::{
    network, strange_graph,
    toy::{Toy, ToyCostFunction},
};

fn units() -> Vec<BudgetUnit> {
    BudgetUnit::all().collect()
}

#[test]
fn channel_pruning_conforms_on_every_model_in_every_unit() {
    for input in [[1, 8, 8], [3, 32, 32]] {
        for model in MODELS {
            let graph = network(model, input, 10);
            for scope in [Scope::Inner, Scope::All] {
                for channel_multiple in [1, 8] {
                    let settings = ChannelSettings { scope, channel_multiple, ..ChannelSettings::default() };
                    let method = ChannelMethod::new(&graph, &settings).unwrap();
                    check_method(&method, &units()).unwrap_or_else(|failures| {
                        panic!("{model} {input:?} {settings:?}: {failures:#?}");
                    });
                }
            }
        }
    }
}

#[test]
fn channel_pruning_conforms_on_concatenations_grouped_convolutions_and_flattened_features() {
    for channel_multiple in [1, 3, 8] {
        for lower_bound in [0.05, 0.2, 1.0] {
            let settings = ChannelSettings { scope: Scope::All, channel_multiple, lower_bound };
            let method = ChannelMethod::new(&strange_graph(), &settings).unwrap();
            check_method(&method, &units()).unwrap();
        }
    }
}

#[test]
fn toys_conform() {
    check_method(&Toy::additive(&[100, 200, 700], 0.2), &units()).unwrap();
    let ladders = [Ladder::multiples(2, 3, 10), Ladder::multiples(1, 1, 4), Ladder::multiples(9, 9, 9)];
    let product = Toy::new(ladders, |kept| kept[0] * kept[1] + kept[1] * kept[2] + kept[0].max(kept[2]));
    check_method(&product, &units()).unwrap();
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    CostFalls,
    With,
    FullCost,
    Unit,
    FeatureTooLarge,
    FeatureNotANumber,
    FeatureMissing,
    FeaturesRefused,
    NothingToDecide,
}

/// A good method with one fault.
struct Broken {
    toy: Toy,
    cost: BrokenCost,
    fault: Fault,
}

struct BrokenCost(ToyCostFunction, Fault);

fn broken(fault: Fault) -> Broken {
    let ladders = [(2, 20), (3, 30), (4, 40)].map(|(least, whole)| Ladder::multiples(least, 1, whole));
    let toy = match fault {
        // More of the second site is cheaper; everything else is consistent.
        Fault::CostFalls => Toy::new(ladders, |kept| 100 + kept[0] - kept[1] + kept[2]),
        Fault::NothingToDecide => Toy::new([], |_| 7),
        _ => Toy::new(ladders, |kept| kept[0] * kept[1] + kept[2]),
    };
    Broken { cost: BrokenCost(toy.cost.clone(), fault), toy, fault }
}

impl CostFunction for BrokenCost {
    fn total(&self, kept: &[u64]) -> u64 {
        self.0.total(kept)
    }

    fn with(&self, kept: &[u64], total: u64, site: usize, amount: u64) -> u64 {
        match self.1 {
            // As if sites did not depend on each other.
            Fault::With => total + amount - kept[site],
            _ => self.0.with(kept, total, site, amount),
        }
    }
}

impl Method for Broken {
    fn sites(&self) -> &[Site] {
        self.toy.sites()
    }

    fn cost(&self, unit: BudgetUnit) -> Result<&dyn CostFunction, EnvError> {
        match self.fault {
            Fault::Unit if unit == BudgetUnit::BYTES => Err(EnvError::Setting {
                key: "budget.unit".to_owned(),
                reason: "cannot be counted".to_owned(),
            }),
            _ => Ok(&self.cost),
        }
    }

    fn full_cost(&self, kept: &[u64]) -> Cost {
        let mut cost = self.toy.full_cost(kept);
        if self.fault == Fault::FullCost {
            cost.parameters += 1;
        }
        cost
    }

    fn features(&self, unit: BudgetUnit) -> Result<Vec<[f32; FEATURES]>, Error> {
        let mut rows = self.toy.features(unit)?;
        match self.fault {
            Fault::FeatureTooLarge => rows[1][7] = 1.5,
            Fault::FeatureNotANumber => rows[2][0] = f32::NAN,
            Fault::FeatureMissing => rows.truncate(2),
            Fault::FeaturesRefused => return Err(Error::NotFinite("a feature".to_owned())),
            _ => (),
        }
        Ok(rows)
    }
}

#[test]
fn each_fault_of_a_method_is_found_and_named() {
    check_method(&broken(Fault::None), &units()).unwrap();
    let rows = "features are not one row in [0, 1] per site";
    for (fault, expected) in [
        (Fault::CostFalls, "macs: the cost falls when more is kept of `layer1`"),
        (Fault::With, "macs: `layer0` changed costs "),
        (Fault::FullCost, "not what `full_cost` says"),
        (Fault::Unit, "bytes: setting `budget.unit`: cannot be counted"),
        (Fault::FeatureTooLarge, rows),
        (Fault::FeatureNotANumber, rows),
        (Fault::FeatureMissing, rows),
        (Fault::FeaturesRefused, "a feature is not finite"),
        (Fault::NothingToDecide, "there is nothing to decide"),
    ] {
        let failures = check_method(&broken(fault), &units()).unwrap_err();
        assert!(failures.iter().any(|failure| failure.contains(expected)), "{fault:?} gives {failures:#?}");
    }
    let only = |fault, unit| check_method(&broken(fault), &[unit]);
    assert!(only(Fault::FullCost, BudgetUnit::MACS).is_ok(), "the wrong figure is of another unit");
    assert!(only(Fault::Unit, BudgetUnit::PARAMS).is_ok());
}
