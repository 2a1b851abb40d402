//! A run of spooled records as lines of the record: folded, numbered, chained.
//!
//! The result depends on nothing but its input, so that the same batch can be made again after a death.

use std::collections::HashMap;

use agentsh_protocol::api::SCHEMA_VERSION;
use blake3::Hash;

use crate::chain;
use crate::event::{EventType, json};
use crate::spool::Base;
use crate::spool::record::{self, Record};
use crate::time::write_rfc3339;

/// What the batches of one session share.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub session_id: String,
    /// The spool's: ids are made from it.
    pub salt: [u8; 16],
}

/// Lines that are ready to be written.
#[derive(Debug)]
pub(crate) struct Batch {
    pub lines: Vec<u8>,
    /// `seq` of the last line.
    pub seq: u64,
    /// `hash` of the last line.
    pub head: Hash,
    /// Up to which position the records were whole.
    pub end: u64,
}

/// One line to be: the first of the identical records, how many, and the time of the last.
struct Fold<'a> {
    first: Record<'a>,
    count: u64,
    last_ns: u64,
}

/// Makes lines of `records`, which lie in the spool from `base.drained` on and follow the line that `base` names.
/// A record for which `keep` says no is left out.
pub(crate) fn render(identity: &Identity, base: Base, records: &[u8], keep: impl Fn(&Record<'_>) -> bool) -> Batch {
    let (folds, end) = fold(records, base.drained, keep);
    let mut batch = Batch {
        lines: Vec::with_capacity(records.len() * 2 + folds.len() * 256),
        seq: base.seq,
        head: base.head,
        end,
    };
    for entry in &folds {
        batch.seq += 1;
        batch.head = line(&mut batch.lines, identity, batch.seq, batch.head, entry);
    }
    batch
}

fn fold<'a>(records: &'a [u8], start: u64, keep: impl Fn(&Record<'_>) -> bool) -> (Vec<Fold<'a>>, u64) {
    let mut folds: Vec<Fold<'a>> = Vec::new();
    let mut seen: HashMap<(EventType, &[u8], &[u8]), usize> = HashMap::new();
    let (mut rest, mut at) = (records, start);
    while let Some((record, len)) = record::decode(rest, at) {
        rest = &rest[len..];
        at += len as u64;
        if !keep(&record) {
            continue;
        }
        if record.kind == EventType::CommandFinished {
            // What a command's descendants do after its end is not counted into its own time.
            seen.clear();
        }
        if record.foldable {
            let index = *seen
                .entry((record.kind, record.members, record.fields))
                .or_insert(folds.len());
            if let Some(fold) = folds.get_mut(index) {
                fold.count += record.count;
                fold.last_ns = record.wall_ns;
                continue;
            }
        }
        folds.push(Fold {
            first: record,
            count: record.count,
            last_ns: record.wall_ns,
        });
    }
    (folds, at)
}

/// Appends one line. The order of members is fixed: `prev` and `type` stand where readers look for them first.
fn line(out: &mut Vec<u8>, identity: &Identity, seq: u64, prev: Hash, entry: &Fold<'_>) -> Hash {
    let start = out.len();
    let record = &entry.first;
    out.extend_from_slice(b"{\"schema_version\":");
    json::unsigned(out, SCHEMA_VERSION.into());
    out.extend_from_slice(b",\"seq\":");
    json::unsigned(out, seq);
    out.push(b',');
    json::word(out, "prev", prev.to_hex().as_str());
    let mut id = [0; uuid::fmt::Hyphenated::LENGTH];
    json::word(out, "id", self::id(identity, record).hyphenated().encode_lower(&mut id));
    out.extend_from_slice(b"\"ts\":\"");
    write_rfc3339(out, record.wall_ns);
    out.extend_from_slice(b"\",");
    json::word(out, "type", record.kind.as_str());
    json::word(out, "session_id", &identity.session_id);
    for (member, number) in [
        ("count", entry.count),
        ("pid", record.pid.into()),
        ("ppid", record.ppid.into()),
    ] {
        if number != 0 {
            json::name(out, member);
            json::unsigned(out, number);
            out.push(b',');
        }
    }
    out.extend_from_slice(record.members);
    out.extend_from_slice(b"\"fields\":{\"boottime_ns\":");
    json::unsigned(out, record.boot_ns);
    if entry.count > record.count {
        out.extend_from_slice(b",\"last_ts\":\"");
        write_rfc3339(out, entry.last_ns);
        out.push(b'"');
    }
    out.extend_from_slice(record.fields);
    out.push(b'}');
    chain::seal(out, start)
}

/// The UUIDv7 of a record (RFC 9562 §6.2, method 3: the fraction of the millisecond in `rand_a`), the same whenever it
/// is made: its random bits are a hash of the spool's salt and the record's position.
pub(crate) fn id(identity: &Identity, record: &Record<'_>) -> uuid::Uuid {
    let hash = blake3::Hasher::new()
        .update(&identity.salt)
        .update(&record.position.to_le_bytes())
        .finalize();
    let (words, _) = hash.as_bytes().as_chunks::<16>();
    let random = u128::from_le_bytes(words[0]) & ((1 << 62) - 1);
    let milliseconds = u128::from(record.wall_ns / 1_000_000) & ((1 << 48) - 1);
    let fraction = u128::from(record.wall_ns % 1_000_000 * 4096 / 1_000_000);
    uuid::Uuid::from_u128(milliseconds << 80 | 7 << 76 | fraction << 64 | 0b10 << 62 | random)
}
