//! What can be looked up: agents, environments, settings.

use serde_json::{Value, json};

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
    assert_eq!(text.lines().count(), agents.len() + 3);
    assert!(text.ends_with("`cgym agents NAME` shows paper and hyper-parameters\n"), "{text}");
    for agent in agents {
        let (name, description) = (&agent["name"], agent["description"].as_str().expect("a description"));
        let words =
            |line: &str| name == line.split_whitespace().next().unwrap_or("") && line.ends_with(description);
        assert!(!description.is_empty() && text.lines().any(words), "{agent} in {text}");
    }
}

#[test]
fn an_agent_is_described_with_its_paper_and_its_hyper_parameters() {
    let place = Place::new();
    let told = place.run(&["agents", "ddpg", "--json"]).ok().json();
    assert_eq!((&told["plays"][0], &told["plays"][1]), (&"layer-wise".into(), &Value::Null));
    assert_eq!(place.run(&["agents", "cem", "--json"]).ok().json()["plays"][1], "N2N");
    let text = place.run(&["agents", "ddpg"]).ok().stdout;
    assert!(text.contains("ECCV 2018"), "{text}");
    let settings = told["settings"].as_array().expect("settings");
    assert!(settings.len() > 10);
    for setting in settings {
        let (key, help) = (setting["key"].as_str().expect("a key"), setting["help"].as_str().expect("help"));
        let told = |line: &str| line.starts_with(&format!("{key} = ")) && line.ends_with(help);
        assert!(text.lines().any(told), "{setting} in {text}");
    }
    assert!(text.contains("tau = 0.01") && text.contains("replay = none"), "{text}");
    assert!(place.run(&["agents", "uniform"]).ok().stdout.ends_with("no hyper-parameters\n"));
    let unknown = place.run(&["agents", "dpg"]);
    assert!(unknown.code == Some(2) && unknown.stderr.contains("did you mean `ddpg`?"), "{}", unknown.stderr);
}

#[test]
fn what_an_environment_needs_is_listed() {
    let place = Place::new();
    let told = place.run(&["envs", "--json"]).ok().json();
    let envs = told["envs"].as_array().expect("environments");
    let needs = |id: &str| &envs.iter().find(|env| env["id"] == id).expect("listed")["needs"];
    assert_eq!(needs("AMC-ResNet20-Digits-MACs30-v0"), &json!([]));
    assert_eq!(needs("AMC-ResNet8-Digits-MACs50-v0"), &json!(["weights"]));
    assert_eq!(needs("AMC-ResNet56-CIFAR10-MACs50-v0"), &json!(["download", "weights"]));
    assert_eq!(needs("AMC-MobileNetV1-Folder-MACs50-v0"), &json!(["images", "weights"]));
    let text = place.run(&["envs"]).ok().stdout;
    let line = text.lines().find(|line| line.starts_with("AMC-ResNet20-Digits-MACs30-v0")).expect("a line");
    assert_eq!(line.split_whitespace().nth(1), Some("nothing"));
    assert_eq!(
        text.lines().next().map(|head| head.split_whitespace().collect()),
        Some(vec!["id", "needs", "description"])
    );
}

#[test]
fn decisions_are_described_with_the_cost_of_their_layers() {
    let place = Place::new();
    for id in [
        "AMC-ResNet20-Digits-MACs30-v0",
        "N2N-Removal-ResNet20-Digits-v0",
        "N2N-Shrinkage-ResNet20-Digits-v0",
    ] {
        let told = place.run(&["describe", id, "--json"]).ok().json();
        let text = place.run(&["describe", id]).ok().stdout;
        let head = text.lines().position(|line| line.starts_with("decision ")).expect("a head");
        let decisions = told["decisions"].as_array().expect("decisions");
        assert_eq!(text.lines().count(), head + 1 + decisions.len(), "{text}");
        assert!(decisions.iter().any(|decision| decision["macs"].as_u64() > Some(0)), "{told}");
    }
    // A 3x3 convolution of 16 to 16 channels on 8x8 pixels.
    let text = place.run(&["describe"]).ok().stdout;
    let line = text.lines().find(|line| line.starts_with("layer1.0.conv2 ")).expect("a line");
    assert!(line.contains(" 147 456 ") && line.contains(" 2 304 "), "{line}");
    assert!(line.ends_with("  4 to 16 channels in steps of 1"), "{line}");
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
