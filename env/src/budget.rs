//! Budgets: what costs are counted in, and which share of the whole network's cost may be kept.

use cgym_teachers::{UnknownName, cost::Cost};
use serde::{Deserialize, Serialize};

use crate::{
    EnvError,
    fields::{Table, refuse},
    table,
};

/// A unit of costs: `macs`, `params` or `bytes`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct BudgetUnit(&'static UnitRow);

/// What there is to know about a unit.
#[derive(Debug)]
struct UnitRow {
    /// As in settings and flags.
    name: &'static str,
    /// As in an id, before the percentage.
    id_word: &'static str,
    /// In a sentence.
    title: &'static str,
    /// What it counts.
    of: fn(&Cost) -> u64,
}

/// Every unit; a new one is a row here.
const UNITS: &[UnitRow] = &[
    UnitRow { name: "macs", id_word: "MACs", title: "MACs", of: |cost| cost.macs },
    UnitRow { name: "params", id_word: "Params", title: "parameters", of: |cost| cost.parameters },
    UnitRow { name: "bytes", id_word: "Bytes", title: "bytes", of: |cost| cost.weight_bytes },
];

impl BudgetUnit {
    /// Multiply-accumulates of convolutions and linear layers for one image.
    pub const MACS: Self = Self(&UNITS[0]);
    /// Trainable parameters that are stored.
    pub const PARAMS: Self = Self(&UNITS[1]);
    /// Bytes of the stored weights.
    pub const BYTES: Self = Self(&UNITS[2]);

    /// Every unit.
    pub fn all() -> impl Iterator<Item = Self> {
        UNITS.iter().map(Self)
    }

    /// The name in settings: `macs`, `params` or `bytes`.
    pub fn as_str(self) -> &'static str {
        self.0.name
    }

    /// The word in an id: `MACs`, `Params` or `Bytes`.
    pub fn id_word(self) -> &'static str {
        self.0.id_word
    }

    /// The word in a sentence.
    pub fn title(self) -> &'static str {
        self.0.title
    }

    /// What it counts of `cost`.
    pub fn of(self, cost: &Cost) -> u64 {
        (self.0.of)(cost)
    }
}

impl PartialEq for BudgetUnit {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for BudgetUnit {}

impl std::fmt::Display for BudgetUnit {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl std::str::FromStr for BudgetUnit {
    type Err = UnknownName;

    fn from_str(given: &str) -> Result<Self, UnknownName> {
        let names = UNITS.iter().map(|row| row.name);
        let found = Self::all().find(|unit| unit.as_str() == given);
        found.ok_or_else(|| UnknownName::new("unit", given, names))
    }
}

impl From<BudgetUnit> for String {
    fn from(unit: BudgetUnit) -> Self {
        unit.as_str().to_owned()
    }
}

impl TryFrom<String> for BudgetUnit {
    type Error = UnknownName;

    fn try_from(given: String) -> Result<Self, UnknownName> {
        given.parse()
    }
}

table! {
    /// `[budget]`: how much of the whole network's cost a candidate may keep.
    pub struct Budget {
        /// What costs are counted in: macs, params or bytes.
        pub unit: BudgetUnit = BudgetUnit::MACS,
        /// Share of the whole network's cost that a candidate may keep, in (0, 1]; none for no budget.
        pub share: Option<f64> = None,
        /// Also raise actions, so that the remaining layers can still use up the budget.
        pub exhaust: bool = false,
    }
}

impl Table for Budget {
    fn check(&self) -> Result<(), EnvError> {
        match self.share {
            Some(share) if !(share > 0.0 && share <= 1.0) => {
                Err(refuse("share", format!("{share} is not a share in (0, 1]; write none for no budget")))
            }
            None if self.exhaust => Err(refuse("exhaust", "there is no budget to use up; set budget.share")),
            _ => Ok(()),
        }
    }
}

impl Budget {
    /// The word of an id, like `MACs50`, rounded to the nearest whole percent above 0; `None`
    /// without a budget.
    pub fn id_word(&self) -> Option<String> {
        let percent = (self.share? * 100.0).round().clamp(1.0, 100.0);
        Some(format!("{}{percent}", self.unit.id_word()))
    }

    /// Unit and share of an id's word: no sign, no leading zero, 1 to 100 percent.
    pub fn from_id_word(word: &str) -> Option<(BudgetUnit, f64)> {
        BudgetUnit::all().find_map(|unit| {
            let digits = word.strip_prefix(unit.id_word())?;
            let percent: u8 = digits.parse().ok()?;
            let canonical = (1..=100).contains(&percent) && percent.to_string() == digits;
            canonical.then_some((unit, f64::from(percent) / 100.0))
        })
    }
}

/// A budget in short: `macs=0.5`, `params=0.6`, or `none`.
///
/// # Errors
/// Text that is none of these, for a command line.
pub fn parse_budget(text: &str) -> Result<Option<(BudgetUnit, f64)>, String> {
    if text == "none" {
        return Ok(None);
    }
    let form = || format!("`{text}` is not a budget; write macs=0.5, params=0.6, bytes=0.1 or none");
    let (unit, share) = text.split_once('=').ok_or_else(form)?;
    let unit: BudgetUnit = unit.trim().parse().map_err(|error: UnknownName| error.to_string())?;
    let share: f64 = share.trim().parse().map_err(|_| form())?;
    if !(share > 0.0 && share <= 1.0) {
        return Err(format!("{share} is not a share in (0, 1]"));
    }
    Ok(Some((unit, share)))
}

/// The greatest whole cost whose share of `total` is at most `share`, compared as floats: dividing
/// the two confirms the budget to the last bit.
///
/// # Errors
/// [`EnvError::Setting`] when `share` is not in (0, 1].
pub(crate) fn limit(share: f64, total: u64) -> Result<u64, EnvError> {
    if !(share > 0.0 && share <= 1.0) {
        return Err(refuse("budget", format!("{share} is not a share in (0, 1]")));
    }
    let of = |cost: u64| cost as f64 / total as f64;
    let mut limit = (share * total as f64) as u64;
    while limit < total && of(limit + 1) <= share {
        limit += 1;
    }
    while limit > 0 && of(limit) > share {
        limit -= 1;
    }
    Ok(limit)
}
