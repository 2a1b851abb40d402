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
    let seen = |subject: &Subject| case.run(world, subject);
    match one_of_the_real_ones(seen, subject, |oracle, other| differences(oracle, other).is_empty())? {
        None => Ok(()),
        Some((oracle, other)) => {
            let found = differences(&oracle, &other);
            Err(fail(format!("{}:\n    {}", case.name, found.join("\n    "))))
        }
    }
}

/// Whether the real shell shows two different things in several runs.
pub fn varies(case: &Case, world: &World) -> Result<bool> {
    let first = case.run(world, &Subject::Real)?;
    for _ in 0..AGAIN {
        if !differences(&first, &case.run(world, &Subject::Real)?).is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// How often the real shell is asked again where the other showed something else.
const AGAIN: usize = 5;

/// What the real shell showed first and what the subject's did, if that is nothing that the real one shows, or they go on
/// to differ: which of two processes comes first may be anybody's guess, and then nobody can tell the shells apart by it,
/// unless one of them always guesses otherwise.
pub fn one_of_the_real_ones<T>(
    run: impl Fn(&Subject) -> Result<T>,
    subject: &Subject,
    same: impl Fn(&T, &T) -> bool,
) -> Result<Option<(T, T)>> {
    let (oracle, other) = (run(&Subject::Real)?, run(subject)?);
    if same(&oracle, &other) {
        return Ok(None);
    }
    for _ in 0..AGAIN {
        if same(&run(&Subject::Real)?, &other) {
            let agree = same(&run(&Subject::Real)?, &run(subject)?) || same(&run(&Subject::Real)?, &run(subject)?);
            return Ok((!agree).then_some((oracle, other)));
        }
    }
    Ok(Some((oracle, other)))
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
