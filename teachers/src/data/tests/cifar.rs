//! CIFAR-10 and CIFAR-100.

use super::*;

const BATCHES: [&str; 6] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
    "test_batch.bin",
];

/// A record whose pixels are red 1, green 2, blue 3.
fn record(labels: &[u8]) -> Vec<u8> {
    let mut bytes = labels.to_vec();
    for colour in 1..=3 {
        bytes.extend_from_slice(&[colour; 1024]);
    }
    bytes
}

fn write_small_cifar10(folder: &Path) {
    for (label, file) in (0..).zip(BATCHES) {
        write(&folder.join(file), &record(&[label]));
    }
}

fn rejected(file: &str, bytes: &[u8], parts: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    write_small_cifar10(folder.path());
    write(&folder.path().join(file), bytes);
    let result = load_from(DatasetName::Cifar10, folder.path());
    assert_rejected(result, &[&[file], parts].concat());
}

#[test]
fn the_part_of_cifar10_that_lies_here_is_read() {
    let Some(folder) = shared("cifar-10-batches-bin") else {
        return;
    };
    let DataSource { train, test } = load_from(DatasetName::Cifar10, &folder).unwrap();
    assert_eq!((train.len(), test.len()), (4000 + 4 * 1017, 1017));
    assert_eq!((train.shape(), train.classes()), ([3, 32, 32], 10));
    assert_eq!(train.labels()[..5], [6, 9, 9, 4, 1]);
    assert_eq!(test.labels()[..5], [3, 8, 8, 0, 6]);
    assert_eq!(train.image(0)[0], 59);
    assert_eq!(train.normalized(&[0])[0], (59.0 / 255.0 - 0.485) / 0.229);

    let above = load_from(DatasetName::Cifar10, folder.parent().unwrap()).unwrap();
    assert_eq!(above.test, test);
}

#[test]
fn the_batches_of_cifar10_follow_each_other() {
    let folder = tempfile::tempdir().unwrap();
    write_small_cifar10(&folder.path().join("cifar-10-batches-bin"));
    let DataSource { train, test } = load_from(DatasetName::Cifar10, folder.path()).unwrap();
    assert_eq!((train.labels(), test.labels()), (&[0, 1, 2, 3, 4][..], &[5][..]));
    assert_eq!(train.image(4), &record(&[])[..]);
}

#[test]
fn cifar100_is_read_by_its_fine_labels() {
    let folder = tempfile::tempdir().unwrap();
    let below = folder.path().join("cifar-100-binary");
    write(&below.join("train.bin"), &[record(&[19, 99]), record(&[3, 42])].concat());
    write(&below.join("test.bin"), &record(&[0, 7]));
    let DataSource { train, test } = load_from(DatasetName::Cifar100, folder.path()).unwrap();
    assert_eq!((train.labels(), test.labels()), (&[99, 42][..], &[7][..]));
    assert_eq!(train.classes(), 100);
    assert_eq!(train.image(1), &record(&[])[..]);
}

#[test]
fn rejects_a_missing_batch() {
    let folder = tempfile::tempdir().unwrap();
    write_small_cifar10(folder.path());
    for file in &BATCHES[2..4] {
        std::fs::remove_file(folder.path().join(file)).unwrap();
    }
    let result = load_from(DatasetName::Cifar10, folder.path());
    assert_rejected(result, &["lacks data_batch_3.bin, data_batch_4.bin", "--data DIR"]);
}

#[test]
fn rejects_a_part_of_a_record() {
    let bytes = record(&[1]);
    rejected("data_batch_2.bin", &bytes[..3000], &["3000 bytes", "3073-byte"]);
}

#[test]
fn rejects_zero_records() {
    rejected("test_batch.bin", b"", &["0 bytes"]);
}

#[test]
fn rejects_a_label_out_of_range() {
    let bytes = [record(&[1]), record(&[10])].concat();
    rejected("data_batch_5.bin", &bytes, &["record 1", "class 10"]);
}

#[test]
fn rejects_a_coarse_or_fine_label_out_of_range() {
    for (labels, class) in [([20, 0], "class 20"), ([0, 100], "class 100")] {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("train.bin"), &record(&labels));
        write(&folder.path().join("test.bin"), &record(&[0, 0]));
        let result = load_from(DatasetName::Cifar100, folder.path());
        assert_rejected(result, &["train.bin", "record 0", class]);
    }
}

/// The file has no contents on the disk, so that reading it would be slow and large.
#[test]
fn rejects_more_images_than_the_dataset_has_before_reading_them() {
    let folder = tempfile::tempdir().unwrap();
    write_small_cifar10(folder.path());
    let file = std::fs::File::create(folder.path().join("data_batch_4.bin")).unwrap();
    file.set_len(3073 * 100_000_000).unwrap();
    let result = load_from(DatasetName::Cifar10, folder.path());
    assert_rejected(result, &["data_batch_4.bin", "100000000 images", "60000"]);
}

#[test]
fn classes_have_their_published_names() {
    let names = |name: DatasetName| name.preprocessing().classes;
    assert_eq!(names(DatasetName::Cifar10)[6], "frog");
    let hundred = names(DatasetName::Cifar100);
    assert_eq!((hundred.len(), hundred.is_sorted(), &*hundred[99]), (100, true, "worm"));
}
