//! Bytes, labels and normalisation.

use super::*;

fn two_images() -> Dataset {
    let normalization = Normalization::new(&[0.5, 0.0], &[0.25, 2.0]);
    let pixels = vec![0, 51, 102, 255, 10, 20, 30, 40];
    Dataset::new("two", 3, [2, 1, 2], pixels, vec![2, 0], 255.0, normalization).unwrap()
}

#[test]
fn images_are_normalised_channel_by_channel() {
    let two = two_images();
    assert_eq!((two.len(), two.classes(), two.image_len()), (2, 3, 4));
    assert_eq!(two.image(1), [10, 20, 30, 40]);
    let mut first = [0.0; 4];
    two.write_normalized(0, &mut first);
    assert_eq!(first, [-2.0, (0.2 - 0.5) / 0.25, 0.2, 0.5]);
}

#[test]
fn a_batch_holds_its_images_in_the_order_asked_for() {
    let two = two_images();
    let batch = two.normalized(&[1, 0, 1]);
    assert_eq!(batch.len(), 12);
    assert_eq!(batch[4..8], two.normalized(&[0]));
    assert_eq!(batch[..4], batch[8..]);
    assert_eq!(two.labels_of(&[1, 0, 1]), [0, 2, 0]);
}

#[test]
fn another_normalization_takes_the_place_of_the_first() {
    let mut two = two_images();
    two.set_normalization(Normalization::new(&[0.0, 0.0], &[1.0, 1.0])).unwrap();
    assert_eq!(two.normalized(&[0]), [0.0, 0.2, 0.4, 1.0]);
    two.set_scale(51.0).unwrap();
    assert_eq!(two.normalized(&[0]), [0.0, 1.0, 2.0, 5.0]);
    assert_eq!(two.preprocessing().scale, 51.0);
}

#[test]
fn rejects_a_normalization_that_does_not_fit_the_channels() {
    let one_channel = Normalization::new(&[0.5], &[0.5]);
    let error = two_images().set_normalization(one_channel).unwrap_err();
    assert!(error.to_string().contains("2 channels"), "{error}");
    let zero = Normalization::new(&[0.5, 0.5], &[0.5, 0.0]);
    let error = two_images().set_normalization(zero).unwrap_err();
    assert!(error.to_string().contains("above 0"), "{error}");
}

#[test]
fn rejects_a_scale_that_is_not_above_0() {
    for scale in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        let error = two_images().set_scale(scale).unwrap_err();
        assert!(error.to_string().contains("scale"), "{error}");
    }
}

#[test]
fn names_are_given_to_all_classes_or_to_none() {
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let two = two_images().with_class_names(names(&["a", "b", "c"])).unwrap();
    assert_eq!(two.preprocessing().classes, ["a", "b", "c"]);
    assert!(two_images().with_class_names(Vec::new()).unwrap().class_names().is_empty());
    let error = two_images().with_class_names(names(&["a", "b"])).unwrap_err();
    assert!(error.to_string().contains("2 names are given for 3 classes"), "{error}");
}

#[test]
fn rejects_parts_that_make_no_dataset() {
    let build = |classes, shape, pixels: usize, labels: Vec<u16>, scale| {
        let normalization = Normalization::new(&[0.5], &[0.5]);
        Dataset::new("odd", classes, shape, vec![0; pixels], labels, scale, normalization)
            .unwrap_err()
            .to_string()
    };
    assert!(build(2, [1, 2, 2], 0, vec![], 255.0).contains("no images"));
    assert!(build(2, [1, 2, 2], 7, vec![0, 1], 255.0).contains("7 pixel bytes"));
    assert!(build(2, [1, 0, 2], 0, vec![0, 1], 255.0).contains("1x0x2"));
    assert!(build(2, [1, usize::MAX, 2], 8, vec![0, 1], 255.0).contains("8 pixel bytes"));
    assert!(build(2, [1, 2, 2], 8, vec![0, 2], 255.0).contains("image 1 has class 2"));
    assert!(build(2, [1, 2, 2], 8, vec![0, 1], 0.0).contains("scale"));
}
