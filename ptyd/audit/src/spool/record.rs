//! One event in the spool: a fixed head, the encoded draft, a check that also covers the position, so that neither a
//! torn page nor what an earlier lap of the ring left there is taken for a record.

use crate::event::{EventDraft, EventType, body};

/// Bytes before the encoded draft.
pub(super) const HEAD: usize = 56;
/// The longest record: the limits of the encoder, with room for escapes.
pub(crate) const MAX: usize = 1 << 20;

const FOLDABLE: u8 = 1;

/// A record as it lies in the spool, checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'a> {
    pub position: u64,
    pub wall_ns: u64,
    pub boot_ns: u64,
    pub count: u64,
    pub pid: u32,
    pub ppid: u32,
    pub kind: EventType,
    pub foldable: bool,
    /// JSON members, each with a comma behind it.
    pub members: &'a [u8],
    /// Members of `fields`, each with a comma before it.
    pub fields: &'a [u8],
}

/// Encodes `draft` into `out` (emptied first); [`place`] must follow when the position is known.
pub(crate) fn encode(draft: &EventDraft<'_>, (wall_ns, boot_ns): (u64, u64), out: &mut Vec<u8>) {
    out.clear();
    out.resize(HEAD, 0);
    let members = body::encode(draft, out);
    out.resize(out.len().next_multiple_of(8), 0x20); // white space behind the last field
    put(out, 8, &wall_ns.to_le_bytes());
    put(out, 16, &boot_ns.to_le_bytes());
    put(out, 24, &draft.count.max(1).to_le_bytes());
    put(out, 32, &draft.pid.to_le_bytes());
    put(out, 36, &draft.ppid.to_le_bytes());
    put(out, 40, &(members as u64).to_le_bytes());
    put(
        out,
        48,
        &[draft.kind as u8, if draft.may_fold() { FOLDABLE } else { 0 }],
    );
}

/// Fixes an encoded record at a position of the spool.
pub(crate) fn place(record: &mut [u8], position: u64) {
    let len = record.len() as u64;
    put(record, 0, &(len << 32).to_le_bytes());
    let check = check(record, position);
    put(record, 0, &(len << 32 | u64::from(check)).to_le_bytes());
}

/// Reads the record at the start of `bytes`, which lies at `position`; with the length that it takes up.
/// `None` if there is none that is whole.
pub(crate) fn decode(bytes: &[u8], position: u64) -> Option<(Record<'_>, usize)> {
    let word = get(bytes, 0)?;
    let len = usize::try_from(word >> 32).ok()?;
    let record = bytes.get(..len).filter(|_| len >= HEAD && len.is_multiple_of(8))?;
    if check(record, position) != word as u32 {
        return None;
    }
    let (members, fields) = record[HEAD..].split_at_checked(usize::try_from(get(record, 40)?).ok()?)?;
    let pids = get(record, 32)?;
    let record = Record {
        position,
        wall_ns: get(record, 8)?,
        boot_ns: get(record, 16)?,
        count: get(record, 24)?,
        pid: pids as u32,
        ppid: (pids >> 32) as u32,
        kind: *EventType::ALL.get(usize::from(record[48]))?,
        foldable: record[49] & FOLDABLE != 0,
        members,
        fields: fields.trim_ascii_end(),
    };
    Some((record, len))
}

/// Length of the record that starts with `word`.
pub(super) fn length(word: [u8; 8]) -> usize {
    (u64::from_le_bytes(word) >> 32) as usize
}

fn put(record: &mut [u8], at: usize, bytes: &[u8]) {
    record[at..at + bytes.len()].copy_from_slice(bytes);
}

fn get(record: &[u8], at: usize) -> Option<u64> {
    let bytes = record.get(at..at + 8)?;
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

fn check(record: &[u8], position: u64) -> u32 {
    let (words, _) = record[8..].as_chunks::<8>();
    let sum = words.iter().fold(mix(position, record.len() as u64), |sum, word| {
        mix(sum, u64::from_le_bytes(*word))
    });
    (sum ^ sum >> 32) as u32
}

/// One step of a check against accidents (torn pages, stale laps); it is no defence against anybody.
pub(super) fn mix(sum: u64, word: u64) -> u64 {
    let product = (sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    product ^ product.rotate_left(29)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample(path: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let draft = EventDraft {
            pid: 7,
            path: Some(path),
            ..EventDraft::new(EventType::FileRead)
        };
        encode(&draft, (1, 2), &mut out);
        out
    }

    proptest! {
        #[test]
        fn a_record_is_read_at_its_own_position_only(path: Vec<u8>, position: u64, other: u64) {
            let mut record = sample(&path);
            place(&mut record, position);
            let found = decode(&record, position);
            prop_assert!(matches!(found, Some((record, _)) if record.pid == 7 && record.foldable && record.wall_ns == 1));
            if other != position {
                prop_assert!(decode(&record, other).is_none());
            }
        }

        #[test]
        fn garbage_is_no_record(bytes: Vec<u8>, position: u64) {
            prop_assert!(decode(&bytes, position).is_none());
        }

        #[test]
        fn a_changed_byte_is_seen(path: Vec<u8>, at: prop::sample::Index, bit in 0..8u32) {
            let mut record = sample(&path);
            place(&mut record, 64);
            let at = at.index(record.len());
            record[at] ^= 1 << bit;
            prop_assert!(decode(&record, 64).is_none());
        }
    }
}
