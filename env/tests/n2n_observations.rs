//! N2N's observations: the whole network as a table.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use cgym_env::{Action, Env, LAYER_FEATURES, Layout};
use common::{
    NO_OPTIONS, digits_network,
    n2n::{Rules, env_of, figures, game, removal, shrinkage},
};

#[test]
fn an_observation_is_the_whole_network_with_a_cursor() {
    let graph = digits_network("resnet20");
    for rules in [removal(), shrinkage()] {
        let mut env = env_of(&graph, &rules);
        let Layout::Table { rows, columns, mask } = env.spec().layout else { panic!() };
        assert_eq!((rows % 32, mask), (0, LAYER_FEATURES.len()));
        let mut observation = env.reset(0, &NO_OPTIONS).unwrap();
        let first = observation.clone();
        let decisions: Vec<_> = env.game().decisions().to_vec();
        for decision in decisions {
            let cursor: Vec<usize> = (0..rows * columns)
                .filter(|place| place % columns > mask && observation[*place] != 0.0)
                .collect();
            assert_eq!(cursor.len(), 1);
            assert_eq!(cursor[0] / columns, decision.node - 1, "{}", decision.name);
            let same = |place: &usize| place % columns > mask || observation[*place] == first[*place];
            assert!((0..rows * columns).all(|place| same(&place)));
            observation = env.step(&Action::Discrete(1)).unwrap().into_observation();
        }
        let masked = (0..rows).filter(|row| first[row * columns + mask] == 1.0).count();
        assert_eq!(masked, graph.nodes().len() - 1);
        let padding = &first[masked * columns..];
        assert!(padding.iter().all(|value| *value == 0.0));
    }
}

#[test]
fn the_table_of_a_layer_reads_as_documented() {
    let graph = digits_network("resnet20");
    let mut env = env_of(&graph, &Rules { rows: Some(100), ..removal() });
    let observation = env.reset(0, &NO_OPTIONS).unwrap();
    let columns = LAYER_FEATURES.len() + 2;
    assert_eq!(observation.len(), 100 * columns);
    let value = |layer: &str, feature: &str| {
        let column = LAYER_FEATURES.iter().position(|name| *name == feature).unwrap();
        observation[(graph.find(layer).unwrap() - 1) * columns + column]
    };
    assert_eq!(value("layer2.0.conv1", "conv"), 1.0);
    assert_eq!(value("layer2.0.conv1", "kernel"), 3.0 / 11.0);
    assert_eq!(value("layer2.0.conv1", "stride"), 0.5);
    assert_eq!(value("layer2.0.conv1", "padding"), 0.2);
    assert_eq!(value("layer2.0.conv1", "outputs"), 5.0 / 12.0);
    assert_eq!(value("layer1.1.conv1", "skip_start"), 1.0 / 16.0);
    assert_eq!(value("layer1.1.conv1", "skip_end"), 5.0 / 16.0);
    assert_eq!((value("linear", "linear"), value("linear", "skip_start")), (1.0, 0.0));
    let error = game(&graph, figures(&graph), &Rules { rows: Some(5), ..removal() }).err();
    assert!(error.is_some_and(|error| error.to_string().starts_with("setting `game.rows`: 5 are too few")));
}
