//! The seeds of the fuzz targets reach the code behind the first checks.

use super::*;
use crate::data::fuzz;

fn seed(target: &str, name: &str) -> Vec<u8> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    std::fs::read(corpus.join(target).join(name)).unwrap()
}

#[test]
fn seeds_of_idx_files_are_a_part_or_are_refused() {
    let part = |name: &str| {
        let input = seed("idx", name);
        let length = usize::from(u16::from_be_bytes([input[0], input[1]]));
        let (images, labels) = input[2..].split_at(length);
        fuzz::idx(images, labels).map(|part| part.labels().to_vec())
    };
    assert_eq!(part("plain").unwrap(), [3]);
    assert_eq!(part("gzipped").unwrap(), [3]);
    assert!(part("too_many").unwrap_err().to_string().contains("over the limit"));
}

#[test]
fn seeds_of_cifar_files_are_a_part() {
    for (name, class) in [("ten", 6), ("hundred", 42)] {
        let input = seed("cifar", name);
        let part = fuzz::cifar(&input[1..], input[0] % 2 == 1).unwrap();
        assert_eq!(part.labels(), [class]);
    }
}

#[test]
fn seeds_of_image_files_are_images_but_for_one() {
    let names =
        ["rgb.png", "grey16.png", "palette.png", "interlaced.png", "colours.jpg", "white.jpg", "huge.png"];
    for name in names {
        let decoded = fuzz::image(&seed("png_folder", name), [8, 8]);
        assert_eq!(decoded.is_ok(), name != "huge.png", "{name}: {decoded:?}");
    }
}
