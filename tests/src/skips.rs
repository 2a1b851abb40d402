//! What this machine cannot show: the committed list `tests/skips.txt`, one `NAME: REASON` a line.

use crate::{Result, fail};

/// Reports on standard error that `name` is skipped. A name that is not on the committed list is an error: a new gap
/// fails until somebody writes it down.
pub fn skip(name: &str, reason: &str) -> Result {
    let listed = include_str!("../skips.txt")
        .lines()
        .filter_map(|line| line.split_once(':'));
    eprintln!("SKIPPED {name}: {reason}");
    match listed.into_iter().any(|(known, _)| known.trim() == name) {
        true => Ok(()),
        false => Err(fail(format!(
            "{name} was skipped ({reason}) and is not listed in tests/skips.txt"
        ))),
    }
}

/// Whether all `programs` are on the tests' PATH; otherwise `name` is skipped.
pub fn has_programs(name: &str, programs: &[&str]) -> Result<bool> {
    // Stand-ins and scripts of a case are no programs of the machine.
    for program in programs.iter().filter(|program| !program.starts_with(['@', '.'])) {
        if crate::spawn::find_program(program).is_none() {
            skip(name, &format!("no {program} on this machine"))?;
            return Ok(false);
        }
    }
    Ok(true)
}
