//! Weights and networks of the user's own that do not fit.

use cgym_teachers::{
    graph::Graph,
    weights::{Tensor, Weights},
    zoo::{self, ModelOptions, Stem},
};

use crate::common::Place;

/// Saves fresh weights of a model for the digits.
fn save(place: &Place, file: &str, model: &str, options: &ModelOptions) -> (Graph, Weights) {
    let graph = zoo::build(model, options).expect("a network");
    let weights = Weights::initialise(&graph, 1);
    weights.save(&place.path(file)).expect("saved");
    (graph, weights)
}

fn digits() -> ModelOptions {
    ModelOptions::new([1, 8, 8], 10)
}

#[track_caller]
fn refused(place: &Place, arguments: &[&str], words: &[&str]) {
    let ended = place.run(arguments);
    assert_eq!(ended.code, Some(2), "{}{}", ended.stdout, ended.stderr);
    let error = ended.stderr.lines().find(|line| line.starts_with("error: ")).unwrap_or_default();
    assert!(ended.stderr.ends_with(&format!("{error}\n")), "{}", ended.stderr);
    assert!(words.iter().all(|word| error.contains(word)), "{}", ended.stderr);
}

#[test]
fn weights_of_another_model_are_refused_with_the_model_that_they_fit() {
    let place = Place::new();
    let (_, weights) = save(&place, "deeper.safetensors", "resnet14", &digits());
    let resnet8 = ["--model", "resnet8", "--weights", "deeper.safetensors"];
    let words = ["no tensor `layer1.1.bn1.bias`", "it fits with `--model resnet14`"];
    for command in [["teacher", "evaluate"].as_slice(), &["search"]] {
        refused(&place, &[command, &resnet8].concat(), &words);
    }
    let allowed = [["teacher", "evaluate"].as_slice(), &resnet8, &["--allow-extra-tensors"]].concat();
    place.run(&allowed).ok();
    let setting = ["--set", "network.allow_extra_tensors=true"];
    place.run(&[["teacher", "evaluate"].as_slice(), &resnet8, &setting].concat()).ok();
    let deeper = ["teacher", "evaluate", "--model", "resnet20", "--weights", "deeper.safetensors"];
    refused(&place, &deeper, &["layer1.2.conv1.weight", "found nothing; it fits with `--model resnet14`"]);

    let mut extra = weights;
    extra.insert("more", Tensor::full(vec![2], 0.0));
    extra.save(&place.path("extra.safetensors")).expect("saved");
    let arguments = ["teacher", "evaluate", "--model", "resnet14", "--weights", "extra.safetensors"];
    refused(&place, &arguments, &["no tensor `more`; --allow-extra-tensors ignores such tensors"]);
}

#[test]
fn options_of_the_model_that_explain_the_weights_are_named() {
    let place = Place::new();
    let stem = ModelOptions { stem: Some(Stem::Imagenet), ..digits() };
    save(&place, "stem.safetensors", "resnet18", &stem);
    let arguments = ["teacher", "evaluate", "--model", "resnet18", "--weights", "stem.safetensors"];
    refused(&place, &arguments, &["[64, 1, 7, 7]", "it fits with `--set network.stem=imagenet`"]);

    // The published checkpoints have other classes too.
    save(&place, "stem.safetensors", "resnet18", &ModelOptions { classes: 20, ..stem });
    refused(&place, &arguments, &["[64, 1, 7, 7]", "this tensor fits with `--set network.stem=imagenet`"]);

    let shortcut = ModelOptions { shortcut: zoo::Shortcut::B, ..digits() };
    save(&place, "shortcut.safetensors", "resnet8", &shortcut);
    let arguments = ["teacher", "evaluate", "--model", "resnet8", "--weights", "shortcut.safetensors"];
    refused(&place, &arguments, &["it fits with `--set network.shortcut=b`"]);
}

#[test]
fn a_missing_file_and_a_folder_are_no_damaged_files() {
    let place = Place::new();
    std::fs::create_dir(place.path("folder.pt")).expect("made");
    refused(&place, &["teacher", "evaluate", "--weights", "none.pt"], &["none.pt: there is no such file"]);
    refused(&place, &["search", "--weights", "folder.pt"], &["folder.pt: is a folder"]);
}

#[test]
fn a_folder_whose_files_do_not_fit_each_other_is_refused() {
    let place = Place::new();
    std::fs::create_dir(place.path("own")).expect("made");
    let (graph, weights) = save(&place, "own/weights.safetensors", "resnet8", &digits());
    let text = serde_json::to_string(&graph).expect("text");
    place.write("own/graph.json", &text);
    let search = ["search", "--network", "own", "--episodes", "1", "--set", "data.reward_images=20"];
    place.run(&[search.as_slice(), &["--agent", "uniform", "--out", "run"]].concat()).ok();

    let mut extra = weights.clone();
    extra.insert("more", Tensor::full(vec![2], 0.0));
    extra.save(&place.path("own/weights.safetensors")).expect("saved");
    refused(
        &place,
        &search,
        &["weights.safetensors: does not fit graph.json", "`more`; --allow-extra-tensors"],
    );
    weights.save(&place.path("own/weights.safetensors")).expect("saved");

    let second = r#"{"name":"again","op":"input","shape":[16,8,8]},{"name":"layer1.0.conv1""#;
    place.write("own/graph.json", &text.replacen(r#"{"name":"layer1.0.conv1""#, second, 1));
    refused(&place, &search, &["graph.json: node `again`: a second input"]);
    place.write(
        "own/graph.json",
        &text.replacen(r#""stride":[2,2]"#, r#""stride":[9223372036854775808,2]"#, 1),
    );
    refused(&place, &search, &["graph.json: node `layer2.0.conv1`: stride"]);
}
