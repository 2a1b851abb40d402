//! Oracle against stand-in.

use crate::case::{Case, Seen};
use crate::shell::Subject;
use crate::world::World;
use crate::{Result, fail};

/// What the two runs show differently, in words; empty if a caller could not tell them apart.
pub fn differences(oracle: &Seen, other: &Seen) -> Vec<String> {
    let mut found = Vec::new();
    let (a, b) = (&oracle.outcome, &other.outcome);
    if a.ended != b.ended {
        found.push(format!("end: {:?} became {:?}", a.ended, b.ended));
    }
    let mut bytes = |what: String, a: &[u8], b: &[u8]| {
        if a != b {
            found.push(format!("{what}: {} became {}", around(a, b), around(b, a)));
        }
    };
    bytes("stdout".into(), &a.stdout, &b.stdout);
    bytes("stderr".into(), &a.stderr, &b.stderr);
    for fd in a.extra.keys().chain(b.extra.keys()) {
        let of = |outcome: &crate::Outcome| outcome.extra.get(fd).cloned().unwrap_or_default();
        bytes(format!("descriptor {fd}"), &of(a), &of(b));
    }
    for path in oracle.files.keys().chain(other.files.keys()) {
        let (was, is) = (oracle.files.get(path), other.files.get(path));
        if was != is {
            found.push(format!("file {}: {was:?} became {is:?}", path.display()));
        }
    }
    found.dedup();
    found
}

/// Runs the case with the real shells and with the subject's and compares; an error names every difference.
pub fn same(case: &Case, world: &World, subject: &Subject) -> Result {
    let oracle = case.run(world, &Subject::Real)?;
    let other = case.run(world, subject)?;
    let found = differences(&oracle, &other);
    match found.is_empty() {
        true => Ok(()),
        false => Err(fail(format!("{}:\n    {}", case.name, found.join("\n    ")))),
    }
}

/// The part of `bytes` where it departs from `from`.
fn around(bytes: &[u8], from: &[u8]) -> String {
    let at = bytes.iter().zip(from).take_while(|(a, b)| a == b).count();
    let start = at.saturating_sub(60);
    let end = bytes.len().min(at + 240);
    format!(
        "[{} bytes, at {at}] {:?}",
        bytes.len(),
        String::from_utf8_lossy(&bytes[start..end])
    )
}
