//! What can be looked up: agents, environments, settings.

use serde_json::Value;

use crate::common::Place;

#[test]
fn agents_are_listed_with_what_they_do() {
    let place = Place::new();
    let told = place.run(&["agents", "--json"]).ok().json();
    let agents = told["agents"].as_array().expect("agents");
    let names: Vec<&str> = agents.iter().filter_map(|agent| agent["name"].as_str()).collect();
    for name in ["ddpg", "reinforce", "actor-critic", "random", "uniform", "shallow", "deep", "greedy", "cem"]
    {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    let text = place.run(&["agents"]).ok().stdout;
    assert_eq!(text.lines().count(), agents.len());
    for agent in agents {
        let (name, description) = (&agent["name"], agent["description"].as_str().expect("a description"));
        let words =
            |line: &str| name == line.split_whitespace().next().unwrap_or("") && line.ends_with(description);
        assert!(!description.is_empty() && text.lines().any(words), "{agent} in {text}");
    }
}

#[test]
fn environments_are_listed_with_the_form_of_their_ids() {
    let place = Place::new();
    let told = place.run(&["envs", "--json"]).ok().json();
    let text = place.run(&["envs"]).ok().stdout;
    for env in told["envs"].as_array().expect("environments") {
        let (id, description) =
            (env["id"].as_str().expect("an id"), env["description"].as_str().expect("text"));
        assert!(
            text.lines().any(|line| line.starts_with(id) && line.ends_with(description)),
            "{id} in {text}"
        );
    }
    let games = told["games"].as_array().expect("games");
    let names: Vec<&str> = games.iter().filter_map(|game| game["name"].as_str()).collect();
    for name in ["channels", "weights", "n2n-removal", "n2n-shrinkage"] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    for game in games {
        let form = game["ids"].as_str().expect("a form");
        assert!(form.ends_with("-<Model>-<Dataset>-v<N>") || form.contains("<percent>"), "{form}");
        assert!(text.contains(form), "{form} in {text}");
        assert!(game["versions"].as_array().is_some_and(|versions| versions.contains(&0.into())), "{game}");
    }
}

#[test]
fn every_setting_has_a_value_and_a_help_text() {
    let place = Place::new();
    let ids = [
        "AMC-ResNet20-Digits-MACs30-v0",
        "N2N-Removal-ResNet20-Digits-v0",
        "N2N-Shrinkage-VGG13-MNIST-v0",
        "AMC-FineGrained-ResNet20-Digits-Params20-v0",
    ];
    for id in ids {
        let told = place.run(&["describe", id, "--settings", "--json"]).ok().json();
        let text = place.run(&["describe", id, "--settings"]).ok().stdout;
        assert_eq!(told["env"], id);
        let mut settings = text.lines().filter(|line| !line.is_empty() && !line.starts_with('['));
        assert_eq!(settings.next(), Some(format!("env = \"{id}\"").as_str()));
        let settings: Vec<(&str, &str)> = settings.filter_map(|line| line.split_once(" # ")).collect();
        let tables = told["tables"].as_object().expect("tables");
        let keys = tables.values().filter_map(Value::as_object).flatten();
        let mut count = 0;
        for (key, entry) in keys {
            let help = entry["help"].as_str().expect("a help text");
            assert!(help.len() > 8 && help.ends_with('.'), "{key}: {help}");
            let shown =
                |(setting, told): &(&str, &str)| setting.starts_with(&format!("{key} = ")) && *told == help;
            assert!(settings.iter().any(shown), "{key} of {id} in {text}");
            count += 1;
        }
        assert_eq!(settings.len(), count, "{text}");
        // A game may have no settings of one kind; that table is not shown.
        for (table, keys) in tables {
            let is_empty = keys.as_object().is_some_and(serde_json::Map::is_empty);
            assert_eq!(text.contains(&format!("[{table}]")), !is_empty, "{table} in {text}");
        }
        for table in ["network", "data", "game", "reward", "agent", "run"] {
            assert!(text.contains(&format!("[{table}]")), "{table} in {text}");
        }
    }
    let set = ["describe", "--settings", "--json", "--set", "score.points=3"];
    assert_eq!(place.run(&set).ok().json()["tables"]["score"]["points"]["value"], 3);
}
