//! Flags win over the file, the file over the id.

use crate::common::Place;

#[test]
fn flags_win_over_the_file_and_the_file_over_the_id() {
    let place = Place::new();
    place.write(
        "cgym.toml",
        "env = \"AMC-ResNet56-CIFAR10-MACs50-v0\"\ndataset = \"digits\"\nbudget = \"params=0.6\"\n",
    );
    let described = |more: &[&str]| {
        let arguments = [&["describe", "--json", "--config", "cgym.toml"], more].concat();
        place.run(&arguments).ok().json()["env"].clone()
    };
    assert_eq!(described(&[]), "AMC-ResNet56-Digits-Params60-v0");
    assert_eq!(described(&["--model", "resnet20"]), "AMC-ResNet20-Digits-Params60-v0");
    assert_eq!(described(&["--budget", "macs=0.7"]), "AMC-ResNet56-Digits-MACs70-v0");
    let id = "AMC-LeNet5-MNIST-MACs50-v0";
    assert_eq!((described(&[id]), described(&["--env", id])), (id.into(), id.into()));
    assert_eq!(described(&[id, "--model", "resnet8"]), "AMC-ResNet8-MNIST-MACs50-v0");
}

#[test]
fn a_model_is_varied_by_flags_and_by_the_file_and_the_id_stays() {
    let place = Place::new();
    place.write(
        "cgym.toml",
        "model = \"mobilenet-v1\"\ndataset = \"cifar10\"\nwidth = 0.5\nstem = \"imagenet\"\n",
    );
    let described = |more: &[&str]| place.run(&[&["describe", "--json"], more].concat()).ok().json();
    let file = described(&["--config", "cgym.toml"]);
    let flags = ["--model", "mobilenet-v1", "--dataset", "cifar10", "--width", "0.5", "--stem", "imagenet"];
    assert_eq!(described(&flags), file);
    let whole = described(&flags[..4]);
    assert_eq!(
        (&file["env"], whole["env"].as_str()),
        (&whole["env"], Some("AMC-MobileNetV1-CIFAR10-MACs50-v0"))
    );
    assert!(file["macs"].as_u64() < whole["macs"].as_u64(), "{file}");
    let wide = described(&["--config", "cgym.toml", "--width", "1"]);
    assert_eq!(wide["parameters"], whole["parameters"]);
}

#[test]
fn a_resolved_configuration_repeats_its_run() {
    let place = Place::new();
    place.write(
        "cgym.toml",
        "episodes = 4\nreward-images = 40\ncalibration-images = 40\npoints = 2\nseed = 3\n\
         [agent]\nname = \"ddpg\"\nwarmup = 1\nhidden = [8, 8]\nbatch = 4\n",
    );
    place.run(&["search", "--config", "cgym.toml", "--agent-set", "sigma=0.25", "--out", "first"]).ok();
    let resolved = std::fs::read_to_string(place.path("first/config.toml")).expect("a configuration");
    for line in
        ["warmup = 1", "sigma = 0.25", "discount = 1.0", "budget = \"macs=0.3\"", "reward-images = 40"]
    {
        assert!(resolved.contains(line), "{line} in {resolved}");
    }
    place.run(&["search", "--config", "first/config.toml", "--out", "second"]).ok();
    place.result("second").assert_is(&place.result("first"));
    // Hyper-parameters are those of the file's agent only.
    place.run(&["search", "--config", "cgym.toml", "--agent", "random", "--out", "third"]).ok();
}

#[test]
fn mistakes_in_a_file_are_shown_with_their_line() {
    let place = Place::new();
    let refused = |text: &str, line: &str, words: &str| {
        place.write("cgym.toml", text);
        let ended = place.run(&["search", "--config", "cgym.toml"]);
        assert_eq!(ended.code, Some(2), "{text}");
        for expected in ["cgym.toml", line, words] {
            assert!(ended.stderr.contains(expected), "{expected} in {}", ended.stderr);
        }
    };
    refused("seed = 1\nepisods = 3\n", "line 2", "unknown key `episods`; did you mean `episodes`?");
    refused("\n\nbudget = \"macs=2\"\n", "line 3", "not a share");
    refused("reward = \"er\"\n", "line 1", "did you mean `err`?");
    refused("seed = 1\nepisodes = \"many\"\n", "line 2", "invalid type");
    refused("\"rewrd-images\" = 4\n", "line 1", "unknown key `rewrd-images`; did you mean `reward-images`?");
    refused("device = \"flex\"\n", "line 1", "unknown key `device`");
    refused("seed = \n", "line 1", "");
    refused("[agent]\nname = 3\n", "line", "not a string");
}
