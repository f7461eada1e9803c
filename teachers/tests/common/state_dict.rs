//! Files of PyTorch without PyTorch: the format of versions 0.1.10 to 1.5, which `torch.load` still
//! reads.
#![allow(dead_code, reason = "each test file uses its own part")]

/// A tensor as a pickle describes it.
#[derive(Clone)]
pub struct Stored {
    /// Storage class and bytes of a number.
    pub kind: (&'static str, usize),
    pub shape: Vec<usize>,
    pub stride: Vec<usize>,
    /// Little-endian.
    pub bytes: Vec<u8>,
}

/// A value of a pickle.
pub enum Value {
    Tensor(Stored),
    Dict(Vec<(String, Value)>),
}

impl Stored {
    pub fn floats(shape: &[usize], data: &[f32]) -> Self {
        let bytes = data.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self { kind: ("FloatStorage", 4), shape: shape.to_vec(), stride: strides(shape), bytes }
    }

    /// One zero that stands for all values of a tensor.
    pub fn expanded(shape: &[usize]) -> Self {
        Self { stride: vec![0; shape.len()], ..Self::floats(shape, &[0.0]) }
    }

    pub fn of(kind: (&'static str, usize), shape: &[usize], bytes: Vec<u8>) -> Self {
        Self { kind, shape: shape.to_vec(), stride: strides(shape), bytes }
    }
}

fn strides(shape: &[usize]) -> Vec<usize> {
    (0..shape.len()).map(|axis| shape[axis + 1..].iter().product()).collect()
}

/// The bytes of a file that `torch.save` could have written.
pub fn state_dict(root: &[(String, Value)]) -> Vec<u8> {
    let mut file = vec![0x80, 2, 0x8a, 10];
    file.extend([0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, b'.']);
    file.extend([0x80, 2, b'M', 0xe9, 3, b'.']);
    file.extend([0x80, 2, b'}']);
    text(&mut file, "little_endian");
    file.extend([0x88, b's', b'.']);
    let mut storages = Vec::new();
    file.extend([0x80, 2]);
    dict(&mut file, root, &mut storages);
    file.push(b'.');
    file.extend([0x80, 2, b']', b'(']);
    (0..storages.len()).for_each(|key| text(&mut file, &key.to_string()));
    file.extend([b'e', b'.']);
    for Stored { kind, bytes, .. } in storages {
        file.extend(((bytes.len() / kind.1) as i64).to_le_bytes());
        file.extend(bytes);
    }
    file
}

fn dict(file: &mut Vec<u8>, values: &[(String, Value)], storages: &mut Vec<Stored>) {
    file.extend([b'}', b'(']);
    for (key, value) in values {
        text(file, key);
        match value {
            Value::Dict(values) => dict(file, values, storages),
            Value::Tensor(tensor) => {
                stored(file, tensor, storages.len());
                storages.push(tensor.clone());
            }
        }
    }
    file.push(b'u');
}

fn stored(file: &mut Vec<u8>, tensor: &Stored, key: usize) {
    file.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
    text(file, "storage");
    file.extend(format!("ctorch\n{}\n", tensor.kind.0).bytes());
    text(file, &key.to_string());
    text(file, "cpu");
    number(file, tensor.bytes.len() / tensor.kind.1);
    file.extend(b"NtQK\0");
    for pair in [&tensor.shape, &tensor.stride] {
        file.push(b'(');
        pair.iter().for_each(|axis| number(file, *axis));
        file.push(b't');
    }
    file.extend(b"\x89ccollections\nOrderedDict\n)RtR");
}

fn text(file: &mut Vec<u8>, text: &str) {
    file.push(b'X');
    file.extend((text.len() as u32).to_le_bytes());
    file.extend(text.bytes());
}

fn number(file: &mut Vec<u8>, number: usize) {
    file.extend([0x8a, 8]);
    file.extend((number as i64).to_le_bytes());
}
