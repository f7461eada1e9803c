//! Files of weights that do not fit, that fit after all, and that are made to do harm.

#[path = "common/state_dict.rs"]
mod state_dict;

use std::{io::Write, path::PathBuf};

use cgym_teachers::{
    graph::Graph,
    weights::{Tensor, Weights, WeightsFile},
    zoo::{ModelOptions, build},
};
use half::{bf16, f16};
use state_dict::{Stored, Value, state_dict};
use tempfile::TempDir;

fn network(model: &str) -> (Graph, Weights) {
    let graph = build(model, &ModelOptions::new([1, 8, 8], 10)).expect("builds");
    let weights = Weights::initialise(&graph, 1);
    (graph, weights)
}

fn dict(weights: &Weights, prefix: &str) -> Vec<(String, Value)> {
    let stored = |tensor: &Tensor| Value::Tensor(Stored::floats(&tensor.shape, &tensor.data));
    weights.iter().map(|(name, tensor)| (format!("{prefix}{name}"), stored(tensor))).collect()
}

fn pair(key: &str, value: Vec<(String, Value)>) -> (String, Value) {
    (key.to_owned(), Value::Dict(value))
}

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).expect("writes");
        path
    }

    fn save(&self, values: &[(String, Value)]) -> PathBuf {
        self.write("weights.pt", &state_dict(values))
    }

    #[track_caller]
    fn refused(&self, path: PathBuf, graph: &Graph, words: &[&str]) {
        let error = Weights::load(&path, graph).expect_err("refused").to_string();
        assert!(words.iter().all(|word| error.contains(word)) && !error.contains('\n'), "{error}");
        assert!(error.starts_with(&path.display().to_string()), "{error}");
    }
}

#[test]
fn a_file_of_a_deeper_network_is_refused_by_its_first_surplus_tensor() {
    let files = Files::new();
    let (graph, _) = network("resnet8");
    let (_, deeper) = network("resnet14");
    let path = files.0.path().join("weights.safetensors");
    deeper.save(&path).expect("writes");
    files.refused(path, &graph, &["no tensor `layer1.1.bn1.bias`", "29 others"]);
    files.refused(files.save(&dict(&deeper, "module.")), &graph, &["no tensor `module.layer1.1.bn1.bias`"]);
    let bytes = std::fs::read(files.0.path().join("weights.safetensors")).expect("reads");
    assert!(Weights::from_bytes(&bytes, &graph).is_err());
}

#[test]
fn surplus_tensors_are_ignored_where_that_is_asked_for() {
    let files = Files::new();
    let (graph, weights) = network("resnet8");
    let mut values = dict(&weights, "");
    values.push(("extra".to_owned(), Value::Tensor(Stored::floats(&[2], &[0.0; 2]))));
    let file = WeightsFile::open(&files.save(&values)).expect("opens");
    assert!(file.read(&graph, false).is_err());
    assert_eq!(file.read(&graph, true).expect("reads"), weights);
}

#[test]
fn counters_and_the_state_of_a_training_are_no_surplus() {
    let files = Files::new();
    let (graph, weights) = network("resnet8");
    let mut values = dict(&weights, "module.");
    let counter = Stored::of(("LongStorage", 8), &[], vec![0; 8]);
    values.push(("module.bn1.num_batches_tracked".to_owned(), Value::Tensor(counter)));
    let momentum = ("0".to_owned(), Value::Tensor(Stored::floats(&[3], &[0.0; 3])));
    let checkpoint = [
        pair("state_dict", values),
        pair("optimizer", vec![momentum]),
        ("best".to_owned(), Value::Tensor(Stored::floats(&[], &[0.5]))),
    ];
    assert_eq!(Weights::load(&files.save(&checkpoint), &graph).expect("reads"), weights);
}

#[test]
fn one_prefix_of_all_tensors_is_left_out() {
    let files = Files::new();
    let (graph, weights) = network("resnet8");
    for prefix in ["", "module.", "net.", "_orig_mod.module.", "module.model."] {
        let path = files.save(&[pair("state_dict", dict(&weights, prefix))]);
        assert_eq!(Weights::load(&path, &graph).expect("reads"), weights, "{prefix}");
    }
    let mut mixed = dict(&weights, "module.");
    mixed[0].0 = mixed[0].0.trim_start_matches("module.").to_owned();
    let first = mixed[0].0.clone();
    files.refused(files.save(&mixed), &graph, &[&first, "nothing"]);
}

#[test]
fn a_prefix_that_is_part_of_the_networks_own_names_stays() {
    let files = Files::new();
    let text = r#"{"format": 1, "name": "own", "nodes": [
        {"name": "input", "op": "input", "shape": [3, 1, 1]},
        {"name": "fc", "from": ["input"], "op": "linear", "inputs": 3, "outputs": 3, "bias": false},
        {"name": "net.fc", "from": ["fc"], "op": "linear", "inputs": 3, "outputs": 3, "bias": false}]}"#;
    let graph: Graph = serde_json::from_str(text).expect("a graph");
    let weights = Weights::initialise(&graph, 3);
    for prefix in ["", "net.", "module."] {
        let path = files.save(&dict(&weights, prefix));
        assert_eq!(Weights::load(&path, &graph).expect("reads"), weights, "{prefix}");
    }
}

#[test]
fn two_networks_in_one_file_are_refused_with_both_names() {
    let files = Files::new();
    let (graph, weights) = network("resnet8");
    let two = [pair("model", dict(&weights, "")), pair("net", dict(&weights, ""))];
    let mut beside = dict(&weights, "");
    beside.extend(dict(&weights, "module.").into_iter().take(1));
    for allow_extra in [false, true] {
        let error = |values: &[(String, Value)]| {
            let file = WeightsFile::open(&files.save(values)).expect("opens");
            file.read(&graph, allow_extra).expect_err("refused").to_string()
        };
        assert!(error(&two).contains("`model.bn1.bias` and `net.bn1.bias`"), "{}", error(&two));
        assert!(error(&beside).contains("`bn1.bias` and `module.bn1.bias`"), "{}", error(&beside));
    }
}

#[test]
fn keys_with_dots_that_make_one_name_of_two_are_refused() {
    let files = Files::new();
    let (graph, _) = network("resnet8");
    let tensor = |value: f32| Value::Tensor(Stored::floats(&[1], &[value]));
    let inner = pair("b", vec![("c".to_owned(), tensor(1.0))]);
    let path = files.save(&[pair("a", vec![("b.c".to_owned(), tensor(0.0)), inner])]);
    files.refused(path, &graph, &["two tensors are called `a.b.c`"]);
}

#[test]
fn tensors_that_no_layer_needs_take_no_memory() {
    let files = Files::new();
    let (graph, weights) = network("resnet8");
    // 8 GB each, were they read.
    let mut values = dict(&weights, "");
    let bomb = || Value::Tensor(Stored::expanded(&[1 << 20, 1 << 11]));
    values.extend((0..50).map(|index| (format!("bomb{index}"), bomb())));
    let file = WeightsFile::open(&files.save(&values)).expect("opens");
    assert_eq!(file.read(&graph, true).expect("reads"), weights);
    assert!(file.read(&graph, false).expect_err("refused").to_string().contains("`bomb0`, nor 49 others"));

    let mut values = dict(&weights, "");
    let place = values.iter().position(|(name, _)| name == "conv1.weight").expect("there");
    values[place].1 = bomb();
    files.refused(files.save(&values), &graph, &["conv1.weight", "[1048576, 2048]", "[16, 1, 3, 3]"]);
}

#[test]
fn values_of_16_and_64_bits_are_converted() {
    let files = Files::new();
    let (graph, weights) = network("resnet8");
    let mut rounded = weights.clone();
    let names: Vec<String> = weights.iter().map(|(name, _)| name.clone()).collect();
    for name in &names {
        let data = &mut rounded.get_mut(name).expect("there").data;
        data.iter_mut().for_each(|value| *value = bf16::from_f32(f16::from_f32(*value).to_f32()).to_f32());
    }
    type Bytes = fn(f32) -> Vec<u8>;
    let kinds: [((&'static str, usize), &str, Bytes); 3] = [
        (("HalfStorage", 2), "F16", |value| f16::from_f32(value).to_le_bytes().to_vec()),
        (("BFloat16Storage", 2), "BF16", |value| bf16::from_f32(value).to_le_bytes().to_vec()),
        (("DoubleStorage", 8), "F64", |value| f64::from(value).to_le_bytes().to_vec()),
    ];
    for (storage, dtype, bytes) in kinds {
        let bytes = |tensor: &Tensor| tensor.data.iter().flat_map(|&value| bytes(value)).collect::<Vec<u8>>();
        let stored = |tensor: &Tensor| Value::Tensor(Stored::of(storage, &tensor.shape, bytes(tensor)));
        let values: Vec<_> = rounded.iter().map(|(name, tensor)| (name.clone(), stored(tensor))).collect();
        assert_eq!(Weights::load(&files.save(&values), &graph).expect("reads"), rounded, "{dtype}");
        let listed =
            rounded.iter().map(|(name, tensor)| (name.clone(), dtype, tensor.shape.clone(), bytes(tensor)));
        let path = files.write("weights.safetensors", &safetensors(&listed.collect::<Vec<_>>()));
        assert_eq!(Weights::load(&path, &graph).expect("reads"), rounded, "{dtype}");
    }
    let mut values = dict(&weights, "");
    let place = values.iter().position(|(name, _)| name == "bn1.bias").expect("there");
    values[place].1 = Value::Tensor(Stored::of(("IntStorage", 4), &[16], vec![0; 64]));
    files.refused(files.save(&values), &graph, &["`bn1.bias` holds I32 values", "BF16"]);
}

/// A safetensors file of name, type, shape and bytes.
fn safetensors(tensors: &[(String, &str, Vec<usize>, Vec<u8>)]) -> Vec<u8> {
    let (mut header, mut data) = (Vec::new(), Vec::new());
    for (name, dtype, shape, bytes) in tensors {
        let range = [data.len(), data.len() + bytes.len()];
        header.push(format!(
            r#""{name}": {{"dtype": "{dtype}", "shape": {shape:?}, "data_offsets": {range:?}}}"#
        ));
        data.extend(bytes);
    }
    file_of(&format!("{{{}}}", header.join(",")), &data)
}

fn file_of(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

#[test]
fn safetensors_headers_that_differ_from_the_file_are_refused() {
    let files = Files::new();
    let (graph, _) = network("resnet8");
    let entry = |name: &str, shape: &str, from: u64, to: u64| {
        format!(r#""{name}": {{"dtype": "F32", "shape": {shape}, "data_offsets": [{from}, {to}]}}"#)
    };
    let (whole, large) = (entry("a", "[2]", 0, 8), entry("a", "[4611686018427387904]", 0, 8));
    let cases = [
        (file_of(&format!("{{{whole}}}"), &[0; 9]), "take 8 bytes"),
        (file_of(&format!("{{{whole}}}"), &[0; 4]), "`a`"),
        (file_of(&format!("{{{large}}}"), &[0; 8]), "`a`"),
        (file_of(&format!("{{{}}}", entry("a", "[2]", 4, 12)), &[0; 12]), "`a`"),
        (file_of(&format!("{{{}}}", entry("a", "[0]", 8, 0)), &[0; 8]), "`a`"),
        (
            file_of(&format!("{{{whole}, {}}}", entry("a", "[1]", 8, 12)), &[0; 12]),
            "two tensors are called `a`",
        ),
        (u64::MAX.to_le_bytes().to_vec(), "header of 18446744073709551615 bytes"),
        (file_of("[]", &[]), "a map of tensors"),
    ];
    for (bytes, words) in cases {
        files.refused(files.write("weights.safetensors", &bytes), &graph, &[words]);
    }
}

#[test]
fn containers_that_unpack_to_far_more_than_their_size_are_refused() {
    let files = Files::new();
    let (graph, _) = network("resnet8");
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    archive.start_file("archive/data.pkl", options).expect("starts");
    // As many values on the stack of a pickle.
    archive.write_all(&vec![b'N'; 8 << 20]).expect("writes");
    let bytes = archive.finish().expect("finishes").into_inner();
    assert!(bytes.len() < 50_000);
    files.refused(files.write("weights.pt", &bytes), &graph, &["unpack to more than"]);

    let mut tape = vec![0; 1024];
    tape[257..262].copy_from_slice(b"ustar");
    files.refused(files.write("weights.pt", &tape), &graph, &["before PyTorch 0.1.10"]);
}

#[test]
fn a_missing_file_and_a_folder_are_told_from_a_damaged_file() {
    let files = Files::new();
    let (graph, _) = network("resnet8");
    for name in ["none.pt", "none.safetensors", "none"] {
        files.refused(files.0.path().join(name), &graph, &["there is no such file"]);
    }
    let folder = files.0.path().join("folder.pt");
    std::fs::create_dir(&folder).expect("made");
    files.refused(folder, &graph, &["is a folder"]);
}
