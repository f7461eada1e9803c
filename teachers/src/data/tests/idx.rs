//! MNIST and Fashion-MNIST.

use tempfile::TempDir;

use super::*;
use crate::data::files::Source;

const TRAIN_IMAGES: &str = "train-images-idx3-ubyte";
const TRAIN_LABELS: &str = "train-labels-idx1-ubyte";

fn idx(dimensions: &[u32], values: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, dimensions.len() as u8];
    for dimension in dimensions {
        bytes.extend_from_slice(&dimension.to_be_bytes());
    }
    bytes.extend_from_slice(values);
    bytes
}

/// Three train images and two test images.
fn write_small(folder: &Path) {
    for (part, count) in [("train", 3_u32), ("t10k", 2)] {
        let pixels: Vec<u8> = (0..count * 784).map(|i| i as u8).collect();
        let labels: Vec<u8> = (0..count as u8).collect();
        write(&folder.join(format!("{part}-images-idx3-ubyte")), &idx(&[count, 28, 28], &pixels));
        write(&folder.join(format!("{part}-labels-idx1-ubyte.gz")), &gzip(&idx(&[count], &labels)));
    }
}

/// A small MNIST in which `file` has been replaced.
fn with(file: &str, bytes: &[u8]) -> (TempDir, Result<DataSource, DataError>) {
    let folder = tempfile::tempdir().unwrap();
    write_small(folder.path());
    let _ = std::fs::remove_file(folder.path().join(format!("{file}.gz")));
    write(&folder.path().join(file), bytes);
    let result = load_from(DatasetName::Mnist, folder.path());
    (folder, result)
}

fn rejected(file: &str, bytes: &[u8], parts: &[&str]) {
    let (_folder, result) = with(file, bytes);
    assert_rejected(result, &[&[file], parts].concat());
}

#[test]
fn all_of_mnist_is_read() {
    let Some(folder) = shared("MNIST") else { return };
    let DataSource { train, test } = load_from(DatasetName::Mnist, &folder).unwrap();
    assert_eq!((train.len(), test.len()), (60_000, 10_000));
    assert_eq!((train.shape(), train.classes()), ([1, 28, 28], 10));
    assert_eq!(train.labels()[..10], [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
    assert_eq!(test.labels()[..4], [7, 2, 1, 0]);

    let values = train.normalized(&(0..60_000).collect::<Vec<_>>());
    let mean = values.iter().copied().map(f64::from).sum::<f64>() / values.len() as f64;
    assert!(mean.abs() < 1e-3, "{mean}");
}

#[test]
fn plain_and_gzipped_files_are_found_in_every_usual_folder() {
    for (name, below) in [
        (DatasetName::Mnist, ""),
        (DatasetName::Mnist, "raw"),
        (DatasetName::Mnist, "MNIST/raw"),
        (DatasetName::FashionMnist, "FashionMNIST/raw"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        write_small(&folder.path().join(below));
        let DataSource { train, test } = load_from(name, folder.path()).unwrap();
        assert_eq!((train.labels(), test.labels()), (&[0, 1, 2][..], &[0, 1][..]));
        assert_eq!(train.image(1)[..2], [(784 % 256) as u8, (785 % 256) as u8]);
        assert_eq!(train.name(), format!("{name}/train"));
    }
}

#[test]
fn rejects_a_folder_without_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let result = load_from(DatasetName::Mnist, folder.path());
    assert_rejected(result, &["mnist", "DIR/MNIST/raw", "--data DIR"]);
    let result = load_from(DatasetName::Mnist, &folder.path().join("nowhere"));
    assert_rejected(result, &["nowhere", "no such folder"]);
}

#[test]
fn rejects_a_folder_with_some_of_the_files() {
    let folder = tempfile::tempdir().unwrap();
    write_small(folder.path());
    std::fs::remove_file(folder.path().join(TRAIN_IMAGES)).unwrap();
    let result = load_from(DatasetName::Mnist, folder.path());
    assert_rejected(result, &["lacks train-images-idx3-ubyte;"]);
}

#[test]
fn rejects_a_wrong_magic_number() {
    let mut bytes = idx(&[3, 28, 28], &[0; 3 * 784]);
    bytes[2] = 0x0d;
    rejected(TRAIN_IMAGES, &bytes, &["begins with"]);
    rejected(TRAIN_IMAGES, &idx(&[3], &[0; 200]), &["3 dimensions"]);
}

#[test]
fn rejects_a_truncated_file() {
    let bytes = idx(&[3, 28, 28], &[0; 3 * 784 - 1]);
    rejected(TRAIN_IMAGES, &bytes, &["only 2351 bytes", "[3, 28, 28]"]);
    rejected(TRAIN_IMAGES, &bytes[..15], &["inside its header"]);
    rejected(TRAIN_IMAGES, b"", &["after 0 bytes"]);
}

#[test]
fn rejects_bytes_after_the_last_image() {
    let bytes = idx(&[3, 28, 28], &[0; 3 * 784 + 1]);
    rejected(TRAIN_IMAGES, &bytes, &["holds more bytes", "2352 bytes"]);
}

#[test]
fn rejects_dimensions_that_overflow() {
    let bytes = idx(&[u32::MAX, u32::MAX, u32::MAX], &[0; 8]);
    rejected(TRAIN_IMAGES, &bytes, &["announces"]);
}

#[test]
fn rejects_images_of_another_size() {
    let bytes = idx(&[3, 14, 56], &[0; 3 * 784]);
    rejected(TRAIN_IMAGES, &bytes, &["14x56", "28x28"]);
}

#[test]
fn rejects_zero_records() {
    rejected(TRAIN_IMAGES, &idx(&[0, 28, 28], &[]), &["no records"]);
}

#[test]
fn rejects_labels_that_are_not_as_many_as_images() {
    rejected(TRAIN_LABELS, &idx(&[2], &[0, 1]), &["2 labels", "3 images"]);
}

#[test]
fn rejects_a_label_out_of_range() {
    let bytes = idx(&[3], &[0, 10, 1]);
    rejected(TRAIN_LABELS, &bytes, &["record 1", "class 10"]);
}

#[test]
fn rejects_truncated_gzip_data() {
    let packed = gzip(&idx(&[3], &[0, 1, 2]));
    for length in 2..packed.len() {
        rejected(TRAIN_LABELS, &packed[..length], &["gzip", "truncated or damaged"]);
    }
}

#[test]
fn rejects_gzip_data_with_a_flipped_bit() {
    let mut packed = gzip(&idx(&[3], &[0, 1, 2]));
    let checksum = packed.len() - 8;
    packed[checksum] ^= 1;
    rejected(TRAIN_LABELS, &packed, &["gzip", "damaged"]);
}

#[test]
fn rejects_more_images_than_the_dataset_has() {
    rejected(TRAIN_IMAGES, &idx(&[60_001, 28, 28], &[0; 8]), &["60001 records", "60000"]);
    rejected(TRAIN_LABELS, &idx(&[60_001], &[0; 8]), &["60001 records", "60000"]);
}

/// A file that would unpack to much more than its header announces is read to one byte beyond it.
#[test]
fn gzip_data_is_unpacked_as_far_as_the_header_says() {
    let mut large = idx(&[3, 28, 28], &[0; 3 * 784]);
    large.resize(64 << 20, 0);
    let packed = gzip(&large);
    let mut file = Source::new(&packed[..], Path::new("bomb")).unwrap();
    let bytes = file.take(1000).unwrap();
    assert_eq!((bytes.len(), bytes.capacity() < 1 << 16), (1000, true));
    rejected(TRAIN_IMAGES, &packed, &["holds more bytes", "2352 bytes"]);
}
