//! Every wrong input ends with exit code 2 and words that say what would fix it, and leaves nothing behind.

use cgym_teachers::{
    weights::Weights,
    zoo::{self, ModelOptions},
};

use crate::common::{Place, refused};

#[test]
fn unknown_names_come_with_the_nearest() {
    let place = Place::new();
    let cases: &[(&[&str], &str)] = &[
        (
            &["search", "--env", "AMC-ResNet20-Digit-MACs50-v0"],
            "did you mean `AMC-ResNet20-Digits-MACs50-v0`?",
        ),
        (&["describe", "AMC-ResNet21-Digits-MACs50-v0"], "did you mean"),
        (&["search", "--model", "resnt20"], "did you mean `resnet20`?"),
        (&["search", "--dataset", "cifr10"], "did you mean `cifar10`?"),
        (&["search", "--agent", "dpg"], "did you mean `ddpg`?"),
        (&["search", "--set", "agent.warmp=3"], "did you mean `warmup`?"),
        (&["search", "--reward", "er"], "did you mean `err`?"),
        (&["search", "--set", "game.scope=outer"], "inner, all"),
        (&["baselines", "--agents", "uniform,random,deepp"], "did you mean `deep`?"),
        (&["teacher", "evaluate", "--model", "resnt20"], "did you mean `resnet20`?"),
        (&["serch"], "search"),
        (&["search", "--episods", "3"], "--episodes"),
    ];
    for (arguments, words) in cases {
        refused(&place, arguments, &[words]);
    }
}

#[test]
fn numbers_that_mean_nothing_are_refused() {
    let place = Place::new();
    let cases: &[(&[&str], &str)] = &[
        (&["search", "--budget", "macs=0.01"], "the least that can is 0.2278"),
        (&["search", "--budget", "macs=nan"], "not a share in (0, 1]"),
        (&["search", "--budget", "macs=inf"], "not a share in (0, 1]"),
        (&["search", "--budget", "flops=0.5"], "macs, params"),
        (&["search", "--budget", "0.5"], "write macs=0.5"),
        (&["search", "--set", "game.lower_bound=nan"], "lower_bound"),
        (&["search", "--set", "game.channel_multiple=0"], "channel_multiple"),
        (&["search", "--episodes", "0"], "episodes"),
        (&["search", "--set", "score.points=0"], "points"),
        (&["search", "--threads", "0"], "threads"),
        (&["search", "--threads", "1025"], "give at most 1024"),
        (&["teacher", "evaluate", "--threads", "1025"], "give at most 1024"),
        (&["search", "--seed", "-1"], "--seed"),
        (&["search", "--set", "data.reward_images=100000"], "the most that fits is 1436"),
        (&["search", "--set", "data.reward_images=0"], "data.reward_images"),
        (&["search", "--set", "agent.sigma=nan"], "sigma"),
        (&["search", "--set", "agent.sigma"], "TABLE.KEY=VALUE"),
        (&["search", "--set", "agent.hidden=[0, 4]"], "hidden"),
        (&["teacher", "describe", "--input", "3x224"], "CxHxW"),
        (&["teacher", "describe", "--input", "3x1000000x1000000"], "1000000 is not 1 to 4096"),
        (&["teacher", "describe", "--input", "0x8x8"], "0 is not 1 to 4096"),
        (&["teacher", "describe", "--classes", "1000000000000"], "must lie in 1..=65536"),
        (&["search", "--dataset", "folder", "--set", "data.image_size=1000000x1000000"], "4096x4096"),
        (&["teacher", "evaluate", "--set", "data.image_size=4097x1"], "4096x4096"),
        (
            &["teacher", "evaluate", "--calibration-images", "9000000000000000000"],
            "the most that fits is 1077",
        ),
        (&["teacher", "evaluate", "--reward-images", "9000000000000000000"], "the most that fits is 1436"),
        (&["search", "--set", "score.calibration_images=9000000000000000000"], "the most that fits is 1077"),
        (&["teacher", "describe", "--set", "network.width=inf", "--model", "mobilenet-v1"], "width"),
    ];
    for (arguments, words) in cases {
        refused(&place, arguments, &[words]);
    }
}

#[test]
fn variants_that_a_model_does_not_have_are_refused() {
    let place = Place::new();
    let cases: &[(&[&str], &str)] = &[
        (&["search", "--set", "network.width=0.5"], "only the MobileNets"),
        (&["baselines", "--set", "network.stem=cifar"], "resnet18, resnet34, the VGGs and the MobileNets"),
        (
            &["search", "--model", "vgg11", "--set", "network.shortcut=b"],
            "`vgg11` has only one kind of shortcut; resnet8",
        ),
        (&["teacher", "train", "--out", "net", "--set", "network.stem=imagenet"], "`resnet20` has only one"),
        (&["teacher", "evaluate", "--model", "lenet5", "--set", "network.shortcut=a"], "leave it out"),
        (&["teacher", "describe", "--model", "resnet18", "--set", "network.shortcut=b"], "`resnet18`"),
        (&["bench", "network", "--model", "lenet5", "--set", "network.stem=cifar"], "`lenet5`"),
        (&["search", "--set", "network.stem=big"], "imagenet"),
        // The shipped teacher is of the other shortcut.
        (
            &["search", "--set", "network.shortcut=b"],
            "cgym teacher train --model resnet20 --set network.shortcut=b --dataset digits",
        ),
    ];
    for (arguments, words) in cases {
        refused(&place, arguments, &[words]);
    }
    assert!(!place.path("net").exists());
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let place = Place::new();
    let options = ModelOptions::new([3, 32, 32], 10);
    let graph = zoo::build("resnet8", &options).expect("a network");
    Weights::initialise(&graph, 1).save(&place.path("colour.safetensors")).expect("saved");
    let bytes = std::fs::read(place.path("colour.safetensors")).expect("read");
    std::fs::write(place.path("cut.safetensors"), &bytes[..bytes.len() / 2]).expect("written");
    place.write("nothing.th", "");
    place.write("notes.txt", "");
    let cases: &[(&[&str], &str)] = &[
        (&["search", "--weights", "none.safetensors"], "none.safetensors"),
        (&["search", "--weights", "cut.safetensors"], "cut.safetensors: not a whole safetensors file"),
        (&["search", "--weights", "nothing.th"], "nothing.th: not a whole PyTorch file"),
        (&["search", "--weights", "notes.txt"], "are read from .th, .pt, .pth or .safetensors"),
        (
            &["search", "--model", "resnet8", "--weights", "colour.safetensors"],
            "expected shape [16, 1, 3, 3]",
        ),
        (&["search", "--model", "lenet5"], "cgym teacher train --model lenet5 --dataset digits"),
        (&["search", "--dataset", "mnist", "--data", "none"], "none"),
        (&["search", "--config", "none.toml"], "none.toml"),
        (&["teacher", "train", "--out", "net", "--device", "cuda"], "--features cuda"),
        (&["search", "--device", "flex"], "--device"),
        (&["teacher", "train", "--out", "."], "holds no work of this command"),
        (&["search", "--out", "notes.txt"], "already exists"),
        (
            &[
                "search",
                "--out",
                "notes.txt/run",
                "--set",
                "data.reward_images=9",
                "--set",
                "score.refit=false",
            ],
            "notes.txt",
        ),
        (&["resume", "none"], "none: there is no such run directory"),
        (&["resume", "."], "is no run directory"),
        (&["validate", "notes.txt"], "is no run directory"),
        (&["export", "none", "--out", "small"], "none: there is no such run directory"),
    ];
    for (arguments, words) in cases {
        refused(&place, arguments, &[words]);
    }
}
