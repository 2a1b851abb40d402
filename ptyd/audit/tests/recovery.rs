//! What a power failure or foreign hands leave: repaired where it can be, told where it cannot.

mod support;

use std::io::Write as _;
use std::os::unix::fs::FileExt as _;

use agentsh_audit::read::{FindingKind, verify};
use agentsh_audit::{EventDraft, EventType, Options, Recorder, SessionDir, recover};
use proptest::prelude::*;
use support::{Done, LONG, all, image, lazy, session, write};

/// A dead session: `written` events in the record, `spooled` behind them in the spool only.
fn dead(written: usize, spooled: usize, state: &std::path::Path) -> Result<SessionDir, Box<dyn std::error::Error>> {
    let original = tempfile::tempdir()?;
    let session = session(original.path())?;
    let recorder = Recorder::open(&session, lazy())?;
    for number in 0..written {
        recorder.emit(write(format!("/written/{number}").as_bytes()))?;
    }
    if written > 0 {
        // A request with nothing to write would be there still when the rest comes.
        recorder.flush(LONG)?;
    }
    for number in 0..spooled {
        recorder.emit(write(format!("/spooled/{number}").as_bytes()))?;
    }
    image(&session, state)
}

fn paths(session: &SessionDir) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    Ok(all(session)?
        .into_iter()
        .filter_map(|event| event.path)
        .map(|path| path.lossy())
        .collect())
}

#[test]
fn a_spool_that_was_never_written_out_is_recovered_in_order() -> Done {
    let state = tempfile::tempdir()?;
    let session = dead(3, 4, state.path())?;
    assert!(verify(&session)?.unfinished);
    recover(&session, "test")?;
    let expected = [
        "/written/0",
        "/written/1",
        "/written/2",
        "/spooled/0",
        "/spooled/1",
        "/spooled/2",
        "/spooled/3",
    ];
    assert_eq!(paths(&session)?, expected);
    let last = all(&session)?.pop().ok_or("no events")?;
    assert_eq!(
        (last.kind, &last.fields["cause"]),
        (EventType::SessionDestroyed, &"test".into())
    );
    let verdict = verify(&session)?;
    assert!(
        verdict.is_good() && verdict.sealed && !verdict.unfinished,
        "{verdict:?}"
    );
    Ok(())
}

#[test]
fn a_torn_last_line_is_told_and_then_repaired() -> Done {
    let state = tempfile::tempdir()?;
    let session = dead(3, 4, state.path())?;
    std::fs::OpenOptions::new()
        .append(true)
        .open(session.events_path())?
        .write_all(b"{\"schema_ver")?;
    let verdict = verify(&session)?;
    assert_eq!(
        verdict.findings.iter().map(|finding| finding.kind).collect::<Vec<_>>(),
        [FindingKind::Torn]
    );
    assert_eq!(verdict.findings[0].line, Some(4));
    recover(&session, "test")?;
    assert_eq!(paths(&session)?.len(), 7);
    assert!(verify(&session)?.is_good());
    Ok(())
}

#[test]
fn a_torn_spool_record_is_told_as_a_loss_and_what_is_before_it_is_kept() -> Done {
    let state = tempfile::tempdir()?;
    let session = dead(0, 10, state.path())?;
    let spool = session.path().join("spool");
    let bytes = std::fs::read(&spool)?;
    let at = bytes
        .windows(10)
        .position(|window| window == b"/spooled/6")
        .ok_or("not found")?;
    std::fs::OpenOptions::new()
        .write(true)
        .open(&spool)?
        .write_all_at(b"\0", at as u64)?;
    recover(&session, "test")?;
    assert_eq!(
        paths(&session)?,
        (0..6).map(|number| format!("/spooled/{number}")).collect::<Vec<_>>()
    );
    assert!(all(&session)?.iter().any(|event| event.kind == EventType::EventsLost));
    assert!(verify(&session)?.is_good());
    Ok(())
}

#[test]
fn a_spool_that_is_none_is_put_aside_and_told() -> Done {
    for content in [&b""[..], &[7; 5000], &vec![0xff; 3 << 20]] {
        let state = tempfile::tempdir()?;
        let session = dead(2, 2, state.path())?;
        std::fs::write(session.path().join("spool"), content)?;
        let recorder = Recorder::open(&session, Options::default())?;
        recorder.close()?;
        assert!(session.path().join("spool.damaged").exists());
        assert_eq!(paths(&session)?.len(), 2);
        assert!(all(&session)?.iter().any(|event| event.kind == EventType::EventsLost));
    }
    Ok(())
}

#[test]
fn an_older_spool_than_the_record_adds_nothing_twice() -> Done {
    let (state, original) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let session = session(original.path())?;
    let recorder = Recorder::open(&session, lazy())?;
    for number in 0..5 {
        recorder.emit(write(format!("/{number}").as_bytes()))?;
    }
    // As a power failure may leave it: the spool's pages from before the drain, the record's from after it.
    let copy = image(&session, state.path())?;
    recorder.flush(LONG)?;
    std::fs::copy(session.events_path(), copy.events_path())?;
    recover(&copy, "test")?;
    assert_eq!(paths(&copy)?, ["/0", "/1", "/2", "/3", "/4"]);
    assert!(verify(&copy)?.is_good());
    Ok(())
}

#[test]
fn a_record_without_a_spool_goes_on() -> Done {
    let state = tempfile::tempdir()?;
    let session = dead(3, 0, state.path())?;
    std::fs::remove_file(session.path().join("spool"))?;
    let recorder = Recorder::open(&session, Options::default())?;
    recorder.emit(EventDraft::new(EventType::SessionDestroyed))?;
    recorder.seal()?;
    assert_eq!(all(&session)?.len(), 4);
    assert!(verify(&session)?.is_good());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The last batch is cut at every kind of place, as by a death in write(2).
    #[test]
    fn a_batch_that_was_written_in_part_is_completed(cut: prop::sample::Index) {
        let fail = |error: Box<dyn std::error::Error>| TestCaseError::fail(error.to_string());
        let half = || -> Result<Vec<String>, Box<dyn std::error::Error>> {
            let state = tempfile::tempdir()?;
            let session = dead(2, 6, state.path())?;
            let before = std::fs::read(session.events_path())?;
            let twin = tempfile::tempdir()?;
            let finished = image(&session, twin.path())?;
            Recorder::open(&finished, Options::default())?.close()?;
            let after = std::fs::read(finished.events_path())?;
            let len = before.len() + cut.index(after.len() - before.len() + 1);
            std::fs::write(session.events_path(), &after[..len])?;
            recover(&session, "test")?;
            assert!(verify(&session)?.is_good());
            paths(&session)
        };
        let paths = half().map_err(fail)?;
        let expected = ["/written/0", "/written/1", "/spooled/0", "/spooled/1", "/spooled/2", "/spooled/3", "/spooled/4", "/spooled/5"];
        prop_assert_eq!(paths, expected);
    }
}
