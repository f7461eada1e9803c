//! Folders of images.

use super::*;

/// A white JPEG file of 9x5 pixels.
const WHITE: &[u8] = include_bytes!("files/white-9x5.jpg");

/// A PNG file of one colour.
fn save(path: &Path, width: u32, height: u32, colour: [u8; 3]) {
    write(path, &png_file(width, height, &colour.repeat((width * height) as usize)));
}

/// Two classes, `cat` and `dog`, with `each` images; the red of an image is its number.
fn write_classes(folder: &Path, each: u8) {
    for (class, green) in [("dog", 200), ("cat", 100)] {
        for i in 0..each {
            save(&folder.join(format!("{class}/{i:02}.png")), 4, 4, [i, green, 0]);
        }
    }
}

fn sized(folder: &Path, size: [usize; 2]) -> Result<DataSource, DataError> {
    let options =
        LoadOptions { directory: Some(folder.to_owned()), image_size: Some(size), ..LoadOptions::default() };
    load(DatasetName::ImageFolder, &options, &mut |_, _| {})
}

#[test]
fn a_train_and_a_test_folder_are_taken_as_they_are() {
    for test_name in ["test", "val"] {
        let folder = tempfile::tempdir().unwrap();
        write_classes(&folder.path().join("train"), 3);
        write(&folder.path().join(test_name).join("dog/a.JPEG"), WHITE);
        write(&folder.path().join("train/dog/Thumbs.db"), b"not an image");
        write(&folder.path().join("train/.hidden/x"), b"");
        let DataSource { train, test } = load_from(DatasetName::ImageFolder, folder.path()).unwrap();
        assert_eq!(train.labels(), [0, 0, 0, 1, 1, 1]);
        assert_eq!((test.labels(), test.classes()), (&[1][..], 2));
        assert_eq!(train.shape(), [3, 32, 32]);
        assert_eq!(train.class_names(), ["cat", "dog"]);
        let red: Vec<u8> = (0..6).map(|i| train.image(i)[0]).collect();
        assert_eq!(red, [0, 1, 2, 0, 1, 2]);
        assert_eq!(train.image(0)[1024], 100);
        assert!(test.image(0).iter().all(|&value| value == 255));
    }
}

#[test]
fn a_fifth_of_each_class_is_split_off_where_there_is_no_test_folder() {
    let folder = tempfile::tempdir().unwrap();
    write_classes(folder.path(), 10);
    let source = load_from(DatasetName::ImageFolder, folder.path()).unwrap();
    let DataSource { train, test } = &source;
    assert_eq!((train.len(), test.labels()), (16, &[0, 0, 1, 1][..]));
    let mut seen: Vec<[u8; 2]> = Vec::new();
    for part in [train, test] {
        seen.extend((0..part.len()).map(|i| [part.image(i)[1024], part.image(i)[0]]));
    }
    seen.sort_unstable();
    let all = [100, 200].map(|green| (0..10).map(move |red| [green, red]));
    assert_eq!(seen, all.into_iter().flatten().collect::<Vec<_>>());
    assert_eq!(load_from(DatasetName::ImageFolder, folder.path()).unwrap(), source);
}

#[test]
fn images_are_resized_bilinearly_to_height_and_width() {
    let folder = tempfile::tempdir().unwrap();
    write_classes(folder.path(), 3);
    let path = folder.path().join("cat/00.png");
    write(&path, &png_file(2, 1, &[0, 0, 0, 100, 100, 100]));
    let DataSource { train, test } = sized(folder.path(), [2, 4]).unwrap();
    assert_eq!(train.shape(), [3, 2, 4]);
    let ramp = [0, 25, 75, 100, 0, 25, 75, 100];
    let found = [&train, &test].map(|part| (0..part.len()).any(|i| part.image(i)[..8] == ramp));
    assert!(found.contains(&true));
}

#[test]
fn an_image_is_known_by_its_content_and_not_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    write_classes(folder.path(), 3);
    let [png, jpg] = ["cat/00.png", "cat/00.jpg"].map(|file| folder.path().join(file));
    std::fs::rename(png, jpg).unwrap();
    assert!(sized(folder.path(), [4, 4]).is_ok());
}

#[test]
fn rejects_an_image_that_cannot_be_decoded() {
    let folder = tempfile::tempdir().unwrap();
    write_classes(folder.path(), 3);
    let path = folder.path().join("dog/01.png");
    let good = std::fs::read(&path).unwrap();
    for bad in [b"".as_slice(), b"not an image", &good[..20], &good[..good.len() / 2]] {
        write(&path, bad);
        let result = load_from(DatasetName::ImageFolder, folder.path());
        assert_rejected(result, &["01.png", "fix or remove"]);
    }
}

#[test]
fn rejects_a_folder_that_is_not_there_or_has_no_classes() {
    let folder = tempfile::tempdir().unwrap();
    let result = load_from(DatasetName::ImageFolder, &folder.path().join("nowhere"));
    assert_rejected(result, &["nowhere", "no such folder"]);
    let result = load_from(DatasetName::ImageFolder, folder.path());
    assert_rejected(result, &["0 class folders", "DIR/train/<class>/"]);
}

#[test]
fn rejects_a_class_without_images() {
    let folder = tempfile::tempdir().unwrap();
    write_classes(folder.path(), 3);
    write(&folder.path().join("fish/readme.txt"), b"soon");
    let result = load_from(DatasetName::ImageFolder, folder.path());
    assert_rejected(result, &["fish", "no png or jpg"]);
}

#[test]
fn rejects_a_train_folder_without_a_test_folder() {
    let folder = tempfile::tempdir().unwrap();
    write_classes(&folder.path().join("train"), 3);
    let result = load_from(DatasetName::ImageFolder, folder.path());
    assert_rejected(result, &["a test or val folder"]);
}

#[test]
fn rejects_a_test_class_that_was_not_trained() {
    let folder = tempfile::tempdir().unwrap();
    write_classes(&folder.path().join("train"), 3);
    save(&folder.path().join("test/bird/0.png"), 4, 4, [0, 0, 0]);
    let result = load_from(DatasetName::ImageFolder, folder.path());
    assert_rejected(result, &["bird", "does not have"]);
}

#[test]
fn rejects_too_few_images_to_split() {
    let folder = tempfile::tempdir().unwrap();
    write_classes(folder.path(), 2);
    let result = load_from(DatasetName::ImageFolder, folder.path());
    assert_rejected(result, &["test part without images"]);
}

#[test]
fn rejects_an_image_size_of_zero_or_over_the_limit() {
    let folder = tempfile::tempdir().unwrap();
    write_classes(folder.path(), 3);
    assert_rejected(sized(folder.path(), [0, 8]), &["0x8"]);
    assert_rejected(sized(folder.path(), [4097, 8]), &["4097x8", "4096x4096"]);
    assert_rejected(sized(folder.path(), [usize::MAX, usize::MAX]), &["4096x4096"]);
}

#[test]
fn rejects_more_images_of_a_size_than_a_part_may_take() {
    let folder = tempfile::tempdir().unwrap();
    for class in ["train/cat", "train/dog", "test/dog"] {
        write(&folder.path().join(class).join("0.png"), b"");
    }
    for i in 0..800 {
        write(&folder.path().join(format!("train/cat/{i}.png")), b"");
    }
    let result = sized(folder.path(), [4096, 4096]);
    assert_rejected(
        result,
        &["train part", "801 images of 3x4096x4096", "over the limit of 34359738368 bytes"],
    );
}

#[test]
fn a_file_that_cannot_be_an_image_is_named() {
    let folder = tempfile::tempdir().unwrap();
    write_classes(folder.path(), 3);
    let path = folder.path().join("dog/02.png");
    write(&path, &png_header(2_147_483_647, 1));
    let result = load_from(DatasetName::ImageFolder, folder.path());
    assert_rejected(result, &["02.png", "2147483647x1", "16384x16384", "fix or remove"]);
    std::fs::File::create(&path).unwrap().set_len((1 << 28) + 1).unwrap();
    let result = load_from(DatasetName::ImageFolder, folder.path());
    assert_rejected(result, &["02.png", "268435457 bytes, over the limit of 268435456"]);
}

#[cfg(target_os = "linux")]
#[test]
fn rejects_a_class_folder_whose_name_is_not_text() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    write_classes(folder.path(), 3);
    let odd = folder.path().join(std::ffi::OsStr::from_bytes(b"b\xffd"));
    save(&odd.join("0.png"), 4, 4, [0; 3]);
    assert_rejected(load_from(DatasetName::ImageFolder, folder.path()), &["not UTF-8", "rename"]);
}
