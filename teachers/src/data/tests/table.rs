//! The table of datasets.

use super::*;

#[test]
fn an_id_word_is_one_word_that_no_other_dataset_has() {
    for name in DatasetName::ALL {
        let word = name.id_word();
        assert!(word.chars().all(|letter| letter.is_ascii_alphanumeric()), "{word} splits an id");
        let same = DatasetName::ALL.into_iter().filter(|other| other.id_word() == word);
        assert_eq!(same.count(), 1, "{word}");
    }
    for (name, word) in [("mnist", "MNIST"), ("fashion-mnist", "FashionMNIST"), ("folder", "Folder")] {
        assert_eq!(name.parse::<DatasetName>().unwrap().id_word(), word);
    }
}

#[test]
fn a_shape_that_is_known_is_the_one_that_is_loaded() {
    let data = load(DatasetName::Digits, &LoadOptions::default(), &mut |_, _| {}).unwrap();
    let loaded = (data.train.shape(), data.train.classes());
    assert_eq!(DatasetName::Digits.known_shape(), Some(loaded));
    assert_eq!(DatasetName::Mnist.known_shape(), Some(([1, 28, 28], 10)));
    assert_eq!(DatasetName::FashionMnist.known_shape(), Some(([1, 28, 28], 10)));
    assert_eq!(DatasetName::Cifar10.known_shape(), Some(([3, 32, 32], 10)));
    assert_eq!(DatasetName::Cifar100.known_shape(), Some(([3, 32, 32], 100)));
    assert_eq!(DatasetName::ImageFolder.known_shape(), None);
}

#[test]
fn a_normalization_has_one_figure_per_channel() {
    for name in DatasetName::ALL {
        let channels = name.known_shape().map_or(3, |(shape, _)| shape[0]);
        let Normalization { mean, deviation } = name.facts().normalization();
        assert_eq!([mean.len(), deviation.len()], [channels; 2], "{name}");
    }
}

#[test]
fn preprocessing_fits_the_shape_and_the_classes() {
    for name in DatasetName::ALL {
        let (channels, classes) = name.known_shape().map_or((3, 2), |(shape, classes)| (shape[0], classes));
        assert_eq!(name.preprocessing().check(channels, classes), Ok(()), "{name}");
        assert_eq!(name.preprocessing().classes.is_empty(), name.known_shape().is_none(), "{name}");
    }
    let loaded = load(DatasetName::Digits, &LoadOptions::default(), &mut |_, _| {}).unwrap();
    assert_eq!(loaded.train.preprocessing(), DatasetName::Digits.preprocessing());
    assert_eq!(loaded.test.preprocessing().scale, 16.0);
}

#[test]
fn training_defaults_are_those_of_the_dataset() {
    use crate::train::{Augmentation, TrainOptions};
    for (name, epochs, batch, shift, mirror) in [
        ("digits", 40, 64, 1, false),
        ("mnist", 10, 128, 2, false),
        ("fashion-mnist", 10, 128, 2, false),
        ("cifar10", 160, 128, 4, true),
        ("cifar100", 160, 128, 4, true),
        ("folder", 160, 128, 4, true),
        ("not in the table", 160, 128, 1, false),
    ] {
        let augmentation = Augmentation { shift, mirror };
        let expected = TrainOptions { epochs, batch, augmentation, ..TrainOptions::default() };
        assert_eq!(TrainOptions::for_dataset(name), expected, "{name}");
    }
}
