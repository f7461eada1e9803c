//! Flags win over the file, the file over the id.

use crate::common::Place;

#[test]
fn flags_win_over_the_file_and_the_file_over_the_id() {
    let place = Place::new();
    place.write(
        "cgym.toml",
        "env = \"AMC-ResNet56-CIFAR10-MACs50-v0\"\n[data]\ndataset = \"digits\"\n\
         [budget]\nunit = \"params\"\nshare = 0.6\n",
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
        "[network]\nmodel = \"mobilenet-v1\"\nwidth = 0.5\nstem = \"imagenet\"\n[data]\ndataset = \"cifar10\"\n",
    );
    let described = |more: &[&str]| place.run(&[&["describe", "--json"], more].concat()).ok().json();
    let file = described(&["--config", "cgym.toml"]);
    let variant = ["--set", "network.width=0.5", "--set", "network.stem=imagenet"];
    let flags = [&["--model", "mobilenet-v1", "--dataset", "cifar10"], variant.as_slice()].concat();
    assert_eq!(described(&flags), file);
    let whole = described(&flags[..4]);
    assert_eq!(
        (&file["env"], whole["env"].as_str()),
        (&whole["env"], Some("AMC-MobileNetV1-CIFAR10-MACs50-v0"))
    );
    assert!(file["macs"].as_u64() < whole["macs"].as_u64(), "{file}");
    let wide = described(&["--config", "cgym.toml", "--set", "network.width=1"]);
    assert_eq!(wide["parameters"], whole["parameters"]);
}

#[test]
fn a_resolved_configuration_repeats_its_run() {
    let place = Place::new();
    place.write(
        "cgym.toml",
        "[run]\nepisodes = 4\nseed = 3\n[data]\nreward-images = 40\n[score]\ncalibration-images = 40\npoints = 2\n\
         [agent]\nname = \"ddpg\"\nwarmup = 1\nhidden = [8, 8]\nbatch = 4\n",
    );
    place.run(&["search", "--config", "cgym.toml", "--set", "agent.sigma=0.25", "--out", "first"]).ok();
    let resolved = std::fs::read_to_string(place.path("first/config.toml")).expect("a configuration");
    for line in ["warmup = 1", "sigma = 0.25", "discount = 1.0", "share = 0.3", "reward_images = 40"] {
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
    refused(
        "[run]\nseed = 1\nepisods = 3\n",
        "line 3",
        "run.episods: no such setting here; did you mean `episodes`?",
    );
    refused("\n\n[budget]\nshare = 2\n", "line 4", "not a share");
    refused("[reward]\nname = \"er\"\n", "line 2", "did you mean `err`?");
    refused("[run]\nseed = 1\nepisodes = \"many\"\n", "line 3", "\"many\" is not a whole number");
    refused(
        "[data]\n\"rewrd-images\" = 4\n",
        "line 2",
        "data.rewrd_images: no such setting here; did you mean `reward_images`?",
    );
    refused("device = \"flex\"\n", "line 1", "unknown key `device`");
    refused("[run]\nseed = \n", "line 2", "");
    refused("[agent]\nname = 3\n", "line 2", "not the name of an agent");
}
