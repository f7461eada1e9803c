//! The zoo's costs against published figures.

use cgym_teachers::zoo::{MODELS, ModelOptions, Shortcut, Stem, build};

fn imagenet(width: f64) -> ModelOptions {
    ModelOptions { width, ..ModelOptions::new([3, 224, 224], 1000) }
}

#[test]
fn known_macs_and_parameters_are_met_to_the_last_digit() {
    let figures = [
        ("mobilenet-v1", imagenet(1.0), 568_740_352, 4_231_976),
        ("mobilenet-v1", imagenet(0.75), 325_400_448, 2_585_560),
        ("mobilenet-v2", imagenet(1.0), 300_774_272, 3_504_872),
        ("vgg16", imagenet(1.0), 15_470_264_320, 138_365_992),
        ("resnet18", imagenet(1.0), 1_814_073_344, 11_689_512),
        ("resnet34", imagenet(1.0), 3_663_761_408, 21_797_672),
        ("resnet20", ModelOptions::new([3, 32, 32], 10), 40_551_040, 269_722),
        ("resnet56", ModelOptions::new([3, 32, 32], 10), 125_485_696, 853_018),
        ("resnet110", ModelOptions::new([3, 32, 32], 10), 252_887_680, 1_727_962),
    ];
    for (name, options, macs, parameters) in figures {
        let cost = build(name, &options).expect("builds").cost().expect("shapes fit");
        assert_eq!((cost.macs, cost.parameters), (macs, parameters), "{name}");
    }
}

#[test]
fn every_model_takes_small_and_large_images_of_any_channels_and_classes() {
    for name in MODELS {
        for input in [[1, 8, 8], [1, 28, 28], [3, 32, 32], [3, 48, 64], [3, 96, 128], [3, 224, 224]] {
            let graph =
                build(name, &ModelOptions::new(input, 7)).unwrap_or_else(|e| panic!("{name} {input:?}: {e}"));
            let shapes = graph.shapes().expect("shapes fit");
            assert_eq!(shapes[graph.output()], [7, 1, 1], "{name} {input:?}");
        }
    }
}

#[test]
fn the_stem_follows_the_image_and_can_be_told_otherwise() {
    let kernel = |options: &ModelOptions| {
        let graph = build("resnet18", options).expect("builds");
        graph.parameters()[0].shape[2]
    };
    let small = ModelOptions::new([3, 64, 64], 10);
    assert_eq!(kernel(&small), 3);
    assert_eq!(kernel(&ModelOptions::new([3, 65, 65], 10)), 7);
    assert_eq!(kernel(&ModelOptions { stem: Some(Stem::Imagenet), ..small }), 7);
}

#[test]
fn option_b_shortcuts_have_weights_and_option_a_shortcuts_none() {
    let options = ModelOptions::new([3, 32, 32], 10);
    let b = ModelOptions { shortcut: Shortcut::B, ..options.clone() };
    let projections = |options: &ModelOptions| {
        let graph = build("resnet20", options).expect("builds");
        graph.parameters().iter().filter(|parameter| parameter.name.contains("shortcut.0")).count()
    };
    assert_eq!((projections(&options), projections(&b)), (0, 2));
}

#[test]
fn a_graph_survives_its_json_form() {
    for name in MODELS {
        let graph = build(name, &ModelOptions::new([3, 32, 32], 10)).expect("builds");
        let text = serde_json::to_string(&graph).expect("writes");
        let back: cgym_teachers::graph::Graph = serde_json::from_str(&text).expect("reads");
        assert_eq!(back, graph, "{name}");
    }
}

#[test]
fn rejects_unknown_models_with_the_nearest_name() {
    let error = build("resnet57", &ModelOptions::new([3, 32, 32], 10)).expect_err("unknown").to_string();
    assert!(error.contains("resnet56"), "{error}");
}

#[test]
fn rejects_options_that_do_not_fit() {
    let options = ModelOptions::new([3, 32, 32], 10);
    for bad in [
        ModelOptions { classes: 0, ..options.clone() },
        ModelOptions { input: [3, 0, 32], ..options.clone() },
        ModelOptions { width: 0.5, ..options.clone() },
        ModelOptions { width: f64::NAN, ..options.clone() },
    ] {
        assert!(build("resnet20", &bad).is_err(), "{bad:?}");
    }
}

#[test]
fn rejects_a_graph_file_whose_nodes_do_not_fit() {
    let graph = build("lenet5", &ModelOptions::new([1, 28, 28], 10)).expect("builds");
    let text = serde_json::to_string(&graph).expect("writes");
    let wrong = text.replacen("\"inputs\":400", "\"inputs\":401", 1);
    assert_ne!(wrong, text);
    let error =
        serde_json::from_str::<cgym_teachers::graph::Graph>(&wrong).expect_err("does not fit").to_string();
    assert!(error.contains("fc1") && error.contains("401"), "{error}");
}
