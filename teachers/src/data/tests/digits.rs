//! The embedded digits.

use super::*;
use crate::data::digits::parse;

fn digits() -> DataSource {
    load(DatasetName::Digits, &LoadOptions::default(), &mut |_, _| {}).unwrap()
}

#[test]
fn there_are_1797_images_of_10_classes() {
    let DataSource { train, test } = digits();
    assert_eq!((train.len(), test.len()), (1437, 360));
    assert_eq!((train.shape(), train.classes()), ([1, 8, 8], 10));
    let mut counts = [0; 10];
    for label in train.labels().iter().chain(test.labels()) {
        counts[usize::from(*label)] += 1;
    }
    assert_eq!(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
}

#[test]
fn the_first_image_is_the_published_one() {
    let train = digits().train;
    assert_eq!(train.label(0), 0);
    assert_eq!(train.image(0)[..16], [0, 0, 5, 13, 9, 1, 0, 0, 0, 0, 13, 15, 10, 15, 5, 0]);
}

#[test]
fn the_normalization_is_that_of_the_train_part() {
    let train = digits().train;
    let all: Vec<usize> = (0..train.len()).collect();
    let values: Vec<f64> = train.normalized(&all).into_iter().map(f64::from).collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let square = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64;
    assert!(mean.abs() < 1e-6, "{mean}");
    assert!((square.sqrt() - 1.0).abs() < 1e-6, "{square}");
}

#[test]
fn options_override_the_normalization_of_both_parts() {
    let plain = Normalization::new(&[0.0], &[1.0]);
    let options = LoadOptions { normalization: Some(plain.clone()), ..LoadOptions::default() };
    let source = load(DatasetName::Digits, &options, &mut |_, _| {}).unwrap();
    assert_eq!(source.train.normalization(), &plain);
    assert_eq!(source.test.normalization(), &plain);
    let brightest = source.test.normalized(&[0]).into_iter().fold(0.0, f32::max);
    assert_eq!(brightest, 1.0);
}

fn lines(last: &str) -> Vec<u8> {
    let good = vec!["1"; 64].join(",") + ",3\n";
    format!("{good}{good}{last}").into_bytes()
}

fn rejected(csv: &[u8], parts: &[&str]) {
    let path = Path::new("d.csv");
    assert_rejected(parse(csv, path, 1), &[&["d.csv"], parts].concat());
}

#[test]
fn rejects_a_line_of_too_few_pixels() {
    rejected(&lines("1,2,3\n"), &["record 2", "2 pixels"]);
    rejected(&lines("\n"), &["record 2"]);
}

#[test]
fn rejects_a_pixel_above_16() {
    let line = vec!["17"; 64].join(",") + ",3";
    rejected(&lines(&line), &["record 2", "17"]);
}

#[test]
fn rejects_a_class_above_9() {
    let line = vec!["1"; 64].join(",") + ",10";
    rejected(&lines(&line), &["record 2", "class 10"]);
}

#[test]
fn rejects_what_is_no_number_or_no_text() {
    rejected(&lines("a,b"), &["record 2", "whole number"]);
    rejected(&[0xff, 0xfe], &["not text"]);
}

#[test]
fn rejects_too_few_images() {
    rejected(b"", &["0 images"]);
}
