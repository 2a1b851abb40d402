//! Death at any moment: what was accepted is in the record, once.

mod support;

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use agentsh_audit::read::verify;
use agentsh_audit::{EventType, Options, Recorder, Recovered, SessionDir, recover};
use support::{Done, all, child, read, session, write};

const THREADS: usize = 3;

/// The victim: emits as fast as it can and says what was accepted, after it was.
#[test]
#[ignore = "run by the tests of this file as a process of its own"]
fn victim() -> Done {
    let (state, id, round) = (
        std::env::var("T_STATE")?,
        std::env::var("T_ID")?,
        std::env::var("T_ROUND")?,
    );
    let session = SessionDir::new(Path::new(&state), &id)?;
    let options = Options {
        window: Duration::from_millis(1),
        sync_every: Duration::from_millis(20),
        ..Options::default()
    };
    let recorder = Recorder::open(&session, options)?;
    let (recorder, round) = (&recorder, &round);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                for number in 0.. {
                    let path = format!("/{round}/{thread}/{number}");
                    let same = format!("/same/{round}-{thread}");
                    if recorder.emit(write(path.as_bytes())).is_err() || recorder.emit(read(same.as_bytes())).is_err() {
                        return;
                    }
                    if writeln!(std::io::stdout(), "accepted {path} {same}").is_err() {
                        return;
                    }
                }
            });
        }
    });
    Ok(())
}

/// Runs a victim until it has accepted `enough`; returns what it said.
fn run_and_kill(
    session: &SessionDir,
    state: &Path,
    round: usize,
    enough: usize,
) -> Result<Vec<String>, std::io::Error> {
    let mut victim = child("victim")?
        .env("T_STATE", state)
        .env("T_ID", session.id())
        .env("T_ROUND", round.to_string())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut accepted = Vec::new();
    if let Some(stdout) = victim.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            // The harness writes its own first line in front of one of ours.
            if let Some((_, paths)) = line?.split_once("accepted ") {
                accepted.push(paths.to_owned());
            }
            if accepted.len() == enough {
                victim.kill()?;
            }
        }
    }
    victim.wait()?;
    Ok(accepted)
}

#[test]
fn what_was_accepted_before_a_kill_is_in_the_record_exactly_once() -> Done {
    let state = tempfile::tempdir()?;
    let session = session(state.path())?;
    let mut accepted = Vec::new();
    let rounds = 25;
    for round in 0..rounds {
        accepted.extend(run_and_kill(&session, state.path(), round, 1 + round * 37)?);
    }
    assert_eq!(recover(&session, "killed by a test")?, Recovered::Completed);
    assert_eq!(recover(&session, "killed by a test")?, Recovered::Nothing);

    let mut counts: HashMap<PathBuf, u64> = HashMap::new();
    let events = all(&session)?;
    for event in &events {
        if let Some(path) = &event.path {
            *counts.entry(path.as_os_str().into()).or_default() += event.count;
        }
    }
    let mut same: HashMap<&Path, u64> = HashMap::new();
    for paths in &accepted {
        let (own, shared) = paths.split_once(' ').ok_or("two paths")?;
        assert_eq!(counts.get(Path::new(own)), Some(&1), "{own}");
        *same.entry(Path::new(shared)).or_default() += 1;
    }
    // Observations may be dropped when the victims' writers get no time to write, but not in silence.
    let losses = events.iter().filter(|event| event.kind == EventType::EventsLost);
    let lost: u64 = losses.map(|event| event.count).sum();
    let mut missing = 0;
    for (path, said) in same {
        let counted = counts.get(path).copied().unwrap_or(0);
        // A victim may die between accepting and saying so.
        assert!(counted <= said + 1, "{path:?}: {said} said, {counted} counted");
        missing += said.saturating_sub(counted);
    }
    assert!(missing <= lost, "{missing} missing, {lost} told");
    assert!(
        counts
            .iter()
            .all(|(path, count)| *count == 1 || path.starts_with("/same"))
    );
    assert_eq!(events.last().map(|event| event.kind), Some(EventType::SessionDestroyed));
    let verdict = verify(&session)?;
    assert!(verdict.is_good() && verdict.sealed, "{:?}", verdict.findings);
    Ok(())
}
