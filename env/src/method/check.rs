//! The conformance suite of methods.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{FEATURES, Kept, Method};
use crate::BudgetUnit;

/// Checks a method on one network: ladders are sane; features are in [0, 1]; in every unit of
/// `units` the cost never falls when an amount grows, `with` equals `total`, and `total` equals what
/// the unit counts of `full_cost`.
///
/// # Errors
/// One sentence per breach.
pub fn check_method(method: &dyn Method, units: &[BudgetUnit]) -> Result<(), Vec<String>> {
    let mut failures = Vec::new();
    let sites = method.sites();
    if sites.is_empty() {
        failures.push("there is nothing to decide".to_owned());
    }
    for site in sites {
        let ladder = site.ladder;
        let climbs = (1..ladder.levels()).all(|level| ladder.at(level - 1) < ladder.at(level));
        if ladder.least() == 0 || !climbs || ladder.at(ladder.levels() - 1) != ladder.whole() {
            failures.push(format!("the ladder of `{}` is not sane: {ladder:?}", site.name));
        }
    }
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    for &unit in units {
        let cost = match method.cost(unit) {
            Ok(cost) => cost,
            Err(error) => {
                failures.push(format!("{unit}: {error}"));
                continue;
            }
        };
        match method.features(unit) {
            Ok(rows) => {
                let inside = |row: &[f32; FEATURES]| row.iter().all(|value| (0.0..=1.0).contains(value));
                if rows.len() != sites.len() || !rows.iter().all(inside) {
                    failures.push(format!("{unit}: features are not one row in [0, 1] per site"));
                }
            }
            Err(error) => failures.push(format!("{unit}: {error}")),
        }
        for _ in 0..16 {
            let draw = |site: &super::Site, rng: &mut ChaCha8Rng| {
                site.ladder.at(rng.random_range(0..site.ladder.levels()))
            };
            let kept: Kept = sites.iter().map(|site| draw(site, &mut rng)).collect();
            let total = cost.total(&kept);
            if total != unit.of(&method.full_cost(&kept)) {
                failures.push(format!("{unit}: {kept:?} costs {total}, not what `full_cost` says"));
            }
            for (index, site) in sites.iter().enumerate() {
                let mut changed = kept.clone();
                changed[index] = draw(site, &mut rng);
                let (with, whole) = (cost.with(&kept, total, index, changed[index]), cost.total(&changed));
                if with != whole {
                    failures.push(format!("{unit}: `{}` changed costs {with}, in full {whole}", site.name));
                }
                if (changed[index] > kept[index] && whole < total)
                    || (changed[index] < kept[index] && whole > total)
                {
                    failures.push(format!("{unit}: the cost falls when more is kept of `{}`", site.name));
                }
            }
        }
    }
    failures.dedup();
    if failures.is_empty() { Ok(()) } else { Err(failures) }
}
