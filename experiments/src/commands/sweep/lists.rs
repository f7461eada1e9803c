//! Lists on the command line: seeds, budgets, agents, environments.

use std::fmt::Display;

use cgym_env::parse_budget;

use crate::flags::{BudgetFlag, parse_setting};

/// Most seeds of a sweep.
const MOST_SEEDS: u64 = 1000;
/// Seeds are written into TOML files, whose integers have a sign.
const GREATEST_SEED: u64 = i64::MAX as u64;

/// Seeds, in the order given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seeds(pub(super) Vec<u64>);

/// Budgets, in the order given.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Budgets(pub(super) Vec<BudgetFlag>);

/// Names, in the order given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Names(pub(super) Vec<String>);

/// `1..10` (both ends included), `1,2,5`, `3`, or several of these.
pub(super) fn parse_seeds(text: &str) -> Result<Seeds, String> {
    let number = |word: &str| -> Result<u64, String> {
        let seed: u64 =
            word.trim().parse().map_err(|_| format!("`{word}` is not a seed; write 1..10, 1,2,5 or 3"))?;
        match seed <= GREATEST_SEED {
            true => Ok(seed),
            false => Err(format!("{seed} is too great for a seed, give at most {GREATEST_SEED}")),
        }
    };
    let mut seeds = Vec::new();
    for word in text.split(',') {
        let (first, last) = match word.split_once("..") {
            None => (number(word)?, number(word)?),
            Some((first, last)) => (number(first)?, number(last)?),
        };
        if first > last {
            return Err(format!("{first}..{last} is empty; write {last}..{first}"));
        }
        if last - first >= MOST_SEEDS || seeds.len() as u64 + (last - first) >= MOST_SEEDS {
            return Err(format!("these are too many seeds, give at most {MOST_SEEDS}"));
        }
        seeds.extend(first..=last);
    }
    once("seed", &seeds)?;
    Ok(Seeds(seeds))
}

/// `macs=0.3,0.5,params=0.6,none`: a share without a unit has that of the one before.
pub(super) fn parse_budgets(text: &str) -> Result<Budgets, String> {
    let mut unit = None;
    let mut budgets: Vec<BudgetFlag> = Vec::new();
    for word in text.split(',').map(str::trim) {
        let budget = match unit {
            Some(unit) if word.parse::<f64>().is_ok() => parse_budget(&format!("{unit}={word}"))?,
            _ => parse_budget(word)?,
        };
        unit = budget.map(|(unit, _)| unit).or(unit);
        budgets.push(budget);
    }
    let words: Vec<String> = budgets.iter().map(|budget| budget_word(*budget)).collect();
    once("budget", &words)?;
    Ok(Budgets(budgets))
}

/// A budget in the name of a run.
pub(super) fn budget_word(budget: BudgetFlag) -> String {
    match budget {
        Some((unit, share)) => format!("{unit}{share}"),
        None => "nobudget".to_owned(),
    }
}

/// Names separated by commas.
pub(super) fn parse_names(text: &str) -> Result<Names, String> {
    let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
    if names.iter().any(String::is_empty) {
        return Err("a name is empty".to_owned());
    }
    once("name", &names)?;
    Ok(Names(names))
}

/// `AGENT:key=value`, for one agent of several.
pub(super) fn parse_agent_setting(text: &str) -> Result<(String, String, serde_json::Value), String> {
    let form = || format!("`{text}` is not AGENT:KEY=VALUE, like ddpg:warmup=20");
    let (agent, setting) = text.split_once(':').ok_or_else(form)?;
    let (key, value) = parse_setting(setting).map_err(|_| form())?;
    let key = key.strip_prefix("agent.").unwrap_or(&key).replace('-', "_");
    match agent.is_empty() || key.is_empty() {
        true => Err(form()),
        false => Ok((agent.trim().to_owned(), key, value)),
    }
}

fn once<T: PartialEq + Display>(what: &str, all: &[T]) -> Result<(), String> {
    match all.iter().enumerate().find(|(index, one)| all[..*index].contains(one)) {
        Some((_, one)) => Err(format!("the {what} {one} is given twice")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seeds(text: &str) -> Vec<u64> {
        parse_seeds(text).expect(text).0
    }

    #[test]
    fn a_range_of_seeds_includes_both_ends() {
        assert_eq!(seeds("1..10"), (1..=10).collect::<Vec<u64>>());
        assert_eq!(seeds("3"), [3]);
        assert_eq!(seeds("1,2, 5"), [1, 2, 5]);
        assert_eq!(seeds("0..1,7..7"), [0, 1, 7]);
        assert_eq!(seeds("1..1000").len(), 1000);
    }

    #[test]
    fn seeds_that_mean_nothing_are_refused() {
        let cases = [
            ("", "is not a seed"),
            ("a", "`a` is not a seed; write 1..10"),
            ("1..", "is not a seed"),
            ("..3", "is not a seed"),
            ("1..=3", "is not a seed"),
            ("1,,2", "is not a seed"),
            ("-1", "is not a seed"),
            ("1.5", "is not a seed"),
            ("5..1", "5..1 is empty; write 1..5"),
            ("1..1001", "at most 1000"),
            ("1..999,2000..2001", "at most 1000"),
            ("0..9223372036854775807", "at most 1000"),
            ("18446744073709551615", "is too great for a seed"),
            ("99999999999999999999", "is not a seed"),
            ("1..3,2", "the seed 2 is given twice"),
        ];
        for (text, words) in cases {
            let refusal = parse_seeds(text).expect_err(text);
            assert!(refusal.contains(words), "{text}: {refusal}");
        }
    }

    #[test]
    fn a_share_has_the_unit_before_it() {
        let words = |text: &str| -> Vec<String> {
            let budgets = parse_budgets(text).expect(text);
            budgets.0.into_iter().map(budget_word).collect()
        };
        assert_eq!(
            words("macs=0.3,0.50, params=0.6,none,1"),
            ["macs0.3", "macs0.5", "params0.6", "nobudget", "params1"]
        );
        for (text, expected) in [
            ("", "write macs=0.5"),
            ("0.5", "write macs=0.5"),
            ("macs=0.3,", "write macs=0.5"),
            ("macs=0.3,1.5", "1.5 is not a share"),
            ("macs=0.3,nan", "not a share"),
            ("macs=0.3,0.30", "the budget macs0.3 is given twice"),
            ("flops=0.3", "flops"),
        ] {
            let refusal = parse_budgets(text).expect_err(text);
            assert!(refusal.contains(expected), "{text}: {refusal}");
        }
    }

    #[test]
    fn names_and_settings_of_agents_are_read() {
        assert_eq!(parse_names("ddpg, cem").expect("names").0, ["ddpg", "cem"]);
        assert!(parse_names("").is_err() && parse_names("ddpg,").is_err());
        assert!(parse_names("cem,cem").expect_err("twice").contains("given twice"));
        let (agent, key, value) = parse_agent_setting("ddpg:warm-up=20").expect("a setting");
        assert_eq!((agent.as_str(), key.as_str(), value), ("ddpg", "warm_up", 20.into()));
        for text in ["ddpg", "ddpg:warmup", "warmup=2", ":warmup=2", "ddpg:=2"] {
            assert!(parse_agent_setting(text).is_err(), "{text}");
        }
    }
}
