//! Where a new writer starts.

use std::collections::HashSet;
use std::io;

use blake3::Hash;
use serde::Deserialize;

use super::batch::{self, Identity};
use super::log::Log;
use super::shared::BATCH;
use crate::chain;
use crate::event::EventType;
use crate::spool::{Base, Spool};

/// How much of the record is read at a time.
const BLOCK: usize = 1 << 20;

/// A spool and the record in agreement.
pub(super) struct Restored {
    pub(super) spool: Spool,
    pub(super) base: Base,
    /// Whether records of the spool could not be read.
    pub(super) damaged: bool,
}

/// What continuing a chain needs of a line.
#[derive(Debug, Deserialize)]
pub(super) struct Stamp {
    seq: u64,
    id: uuid::Uuid,
    #[serde(rename = "type")]
    pub(super) kind: EventType,
    hash: String,
}

impl Stamp {
    pub(super) fn of(line: &[u8]) -> Option<Stamp> {
        serde_json::from_slice(line).ok()
    }
}

/// Starts from what the spool says. After a mere death of processes record and spool agree: a batch that was under way
/// is written again by the writer, the same bytes at the same place. Otherwise (power failure, foreign hands) the spool's
/// events that are not in the record are added behind what is there.
pub(super) fn with_spool(session_id: &str, spool: Spool, log: &Log) -> io::Result<Restored> {
    let Some(base) = spool.base() else {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the spool changed while it was opened",
        ));
    };
    let identity = Identity {
        session_id: session_id.to_owned(),
        salt: spool.salt(),
    };
    let damaged = !all_whole(&identity, &spool, base);
    if !damaged && agrees(&identity, &spool, base, log)? {
        return Ok(Restored { spool, base, damaged });
    }
    let base = add_missing(&identity, &spool, base, log)?;
    spool.set_base(base);
    Ok(Restored { spool, base, damaged })
}

fn all_whole(identity: &Identity, spool: &Spool, base: Base) -> bool {
    let end = spool.tail();
    let mut at = base;
    while at.drained < end {
        let (records, next) = spool.read(at.drained, end, BATCH as usize);
        if next == at.drained || batch::render(identity, at, &records, |_| false).end != next {
            return false;
        }
        at.drained = next;
    }
    true
}

/// Whether the record is what the base says, with a beginning of the batch under way behind it and nothing else.
fn agrees(identity: &Identity, spool: &Spool, base: Base, log: &Log) -> io::Result<bool> {
    let Some(extra) = log.len()?.checked_sub(base.log_len) else {
        return Ok(false);
    };
    let head = match base.log_len {
        0 => chain::genesis(&identity.session_id),
        end => match chain::hashes(&log.line_before(end)?) {
            Some((claimed, real)) if claimed == real => real,
            _ => return Ok(false),
        },
    };
    if head != base.head {
        return Ok(false);
    }
    let (records, end) = spool.read(base.drained, base.batch_end, BATCH as usize);
    let lines = batch::render(identity, base, &records, |_| true).lines;
    if end != base.batch_end || extra > lines.len() as u64 {
        return Ok(false);
    }
    let there = log.read_at(base.log_len, extra as usize)?;
    Ok(lines.starts_with(&there))
}

/// Adds the spool's events that the record lacks. Dying in the middle of it is no harm: it is done again.
fn add_missing(identity: &Identity, spool: &Spool, base: Base, log: &Log) -> io::Result<Base> {
    let (mut at, known) = scan(&identity.session_id, log)?;
    log.truncate(at.log_len)?; // a torn last line is no event
    (at.drained, at.batch_end) = (base.drained, base.drained);
    let end = spool.tail();
    while at.drained < end {
        let (records, next) = spool.read(at.drained, end, BATCH as usize);
        let batch = batch::render(identity, at, &records, |record| {
            !known.contains(&batch::id(identity, record))
        });
        log.write_at(&batch.lines, at.log_len)?;
        at = Base {
            drained: next,
            batch_end: next,
            log_len: at.log_len + batch.lines.len() as u64,
            seq: batch.seq,
            head: batch.head,
        };
        if batch.end != next || next == base.drained {
            break; // damaged: what lies behind cannot be found
        }
    }
    // Nothing before the tail is looked at again.
    (at.drained, at.batch_end) = (end, end);
    Ok(at)
}

/// Starts from the record alone; a torn last line is cut off.
pub(super) fn from_log(session_id: &str, log: &Log) -> io::Result<Base> {
    let (base, _) = scan(session_id, log)?;
    log.truncate(base.log_len)?;
    Ok(base)
}

/// The end of the record, and the ids in it. Lines that are no events (verify reports them) are passed over.
fn scan(session_id: &str, log: &Log) -> io::Result<(Base, HashSet<uuid::Uuid>)> {
    let mut ids = HashSet::new();
    let mut base = Base {
        drained: 0,
        batch_end: 0,
        log_len: 0,
        seq: 0,
        head: chain::genesis(session_id),
    };
    let mut rest = Vec::new();
    loop {
        let block = log.read_at(base.log_len + rest.len() as u64, BLOCK)?;
        if block.is_empty() {
            return Ok((base, ids));
        }
        rest.extend_from_slice(&block);
        let mut used = 0;
        for line in rest.split_inclusive(|byte| *byte == b'\n') {
            if line.last() != Some(&b'\n') {
                break;
            }
            used += line.len();
            if let Some(stamp) = Stamp::of(line)
                && let Ok(head) = Hash::from_hex(&stamp.hash)
            {
                (base.seq, base.head) = (stamp.seq, head);
                ids.insert(stamp.id);
            }
        }
        base.log_len += used as u64;
        rest.drain(..used);
    }
}
