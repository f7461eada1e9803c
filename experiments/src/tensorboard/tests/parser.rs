//! A parser of records and protocol-buffer fields, written from their specifications.

/// One field's value, by its wire type.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Field {
    Varint(u64),
    Fixed64(u64),
    Bytes(Vec<u8>),
    Fixed32(u32),
}

/// The payloads of the records in a file; checks every length and both checksums.
pub(super) fn records(mut file: &[u8]) -> Vec<Vec<u8>> {
    let mut payloads = Vec::new();
    while !file.is_empty() {
        let length_bytes = take(&mut file, 8);
        let length = u64::from_le_bytes(length_bytes.try_into().expect("eight bytes"));
        assert_eq!(little_endian_32(take(&mut file, 4)), masked(length_bytes), "the length's checksum");
        let payload = take(&mut file, usize::try_from(length).expect("a length"));
        assert_eq!(little_endian_32(take(&mut file, 4)), masked(payload), "the payload's checksum");
        payloads.push(payload.to_vec());
    }
    payloads
}

/// The fields of a message, in order.
pub(super) fn fields(mut message: &[u8]) -> Vec<(u64, Field)> {
    let mut found = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message);
        let value = match key & 7 {
            0 => Field::Varint(varint(&mut message)),
            1 => Field::Fixed64(u64::from_le_bytes(take(&mut message, 8).try_into().expect("eight bytes"))),
            2 => {
                let length = usize::try_from(varint(&mut message)).expect("a length");
                Field::Bytes(take(&mut message, length).to_vec())
            }
            5 => Field::Fixed32(little_endian_32(take(&mut message, 4))),
            wire_type => panic!("wire type {wire_type}"),
        };
        found.push((key >> 3, value));
    }
    found
}

/// The field `number` of a message, which must occur once.
pub(super) fn field(message: &[u8], number: u64) -> Field {
    let all = fields(message);
    let mut found = all.iter().filter(|(other, _)| *other == number);
    let (_, value) = found.next().unwrap_or_else(|| panic!("no field {number} in {all:?}"));
    assert!(found.next().is_none(), "field {number} twice in {all:?}");
    value.clone()
}

/// The value in the summary of an event, which must have one.
pub(super) fn value_of(event: &[u8]) -> Vec<u8> {
    let Field::Bytes(summary) = field(event, 5) else { panic!("a summary") };
    let Field::Bytes(value) = field(&summary, 1) else { panic!("a value") };
    value
}

/// A packed list of doubles.
pub(super) fn doubles(packed: &[u8]) -> Vec<f64> {
    packed.chunks(8).map(|eight| f64::from_le_bytes(eight.try_into().expect("eight bytes"))).collect()
}

/// CRC-32C, computed bit by bit.
pub(super) fn crc32c(bytes: &[u8]) -> u32 {
    let fold = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), fold))
}

fn masked(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(bytes, 1)[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return value;
        }
    }
    panic!("a varint of more than ten bytes");
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (head, tail) = bytes.split_at_checked(length).expect("a whole record");
    *bytes = tail;
    head
}

fn little_endian_32(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(bytes.try_into().expect("four bytes"))
}
