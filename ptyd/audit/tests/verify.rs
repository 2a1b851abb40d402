//! A record that is not what was written is told.

mod support;

use std::sync::OnceLock;

use agentsh_audit::read::{FindingKind, Verdict, verify, verify_all};
use agentsh_audit::{EventDraft, EventType, Recorder, SessionDir, Store};
use proptest::prelude::*;
use support::{Done, lazy, write};

type Error = Box<dyn std::error::Error>;

/// A sealed record: the session's id, its lines, its anchor.
struct Sealed {
    id: String,
    text: Vec<u8>,
    anchor: Vec<u8>,
}

impl Sealed {
    fn make() -> Result<Sealed, Error> {
        let state = tempfile::tempdir()?;
        let session = support::session(state.path())?;
        let recorder = Recorder::open(&session, lazy())?;
        for number in 0..20 {
            recorder.emit(write(format!("/{number}").as_bytes()))?;
        }
        recorder.emit(EventDraft::new(EventType::SessionDestroyed))?;
        recorder.seal()?;
        Ok(Sealed {
            id: session.id().to_owned(),
            text: std::fs::read(session.events_path())?,
            anchor: std::fs::read(session.anchor_path())?,
        })
    }

    fn lines(&self) -> Vec<Vec<u8>> {
        self.text
            .split_inclusive(|byte| *byte == b'\n')
            .map(<[u8]>::to_vec)
            .collect()
    }

    /// What verify says if the record were `text`.
    fn verify_as(&self, text: &[u8]) -> Result<Verdict, Error> {
        let state = tempfile::tempdir()?;
        let session = SessionDir::new(state.path(), &self.id)?;
        std::fs::create_dir_all(session.path())?;
        std::fs::create_dir_all(state.path().join("heads"))?;
        std::fs::write(session.events_path(), text)?;
        std::fs::write(session.anchor_path(), &self.anchor)?;
        Ok(verify(&session)?)
    }

    fn kinds(&self, text: &[u8]) -> Result<Vec<(Option<u64>, FindingKind)>, Error> {
        let verdict = self.verify_as(text)?;
        Ok(verdict
            .findings
            .iter()
            .map(|finding| (finding.line, finding.kind))
            .collect())
    }
}

fn sealed() -> Result<&'static Sealed, TestCaseError> {
    static SEALED: OnceLock<Result<Sealed, String>> = OnceLock::new();
    let made = SEALED.get_or_init(|| Sealed::make().map_err(|error| error.to_string()));
    made.as_ref().map_err(|error| TestCaseError::fail(error.clone()))
}

fn is_good(text: &[u8]) -> Result<bool, TestCaseError> {
    let verdict = sealed()?.verify_as(text);
    Ok(verdict
        .map_err(|error| TestCaseError::fail(error.to_string()))?
        .is_good())
}

#[test]
fn each_kind_of_damage_is_told_by_its_name_and_line() -> Done {
    let sealed = Sealed::make()?;
    assert_eq!(sealed.kinds(&sealed.text)?, []);
    let lines = sealed.lines();

    let mut edited = lines.clone();
    let at = edited[4]
        .windows(3)
        .position(|window| window == b"\"/4")
        .ok_or("no path")?;
    edited[4][at + 2] = b'9';
    assert_eq!(sealed.kinds(&edited.concat())?, [(Some(5), FindingKind::Edited)]);

    let mut removed = lines.clone();
    removed.remove(7);
    assert_eq!(sealed.kinds(&removed.concat())?, [(Some(8), FindingKind::Broken)]);

    let mut doubled = lines.clone();
    doubled.insert(9, lines[8].clone());
    assert_eq!(
        sealed.kinds(&doubled.concat())?.first(),
        Some(&(Some(10), FindingKind::Forked))
    );

    assert_eq!(sealed.kinds(&lines[..15].concat())?, [(None, FindingKind::Truncated)]);

    let mut garbage = lines.clone();
    garbage[2] = b"\xff\x00 not json\n".to_vec();
    assert_eq!(
        sealed.kinds(&garbage.concat())?.first(),
        Some(&(Some(3), FindingKind::Malformed))
    );

    assert_eq!(
        sealed.kinds(&sealed.text[..sealed.text.len() - 1])?.first(),
        Some(&(Some(21), FindingKind::Torn))
    );
    Ok(())
}

#[test]
fn another_sessions_record_is_told_whole_as_it_is() -> Done {
    let (sealed, other) = (Sealed::make()?, Sealed::make()?);
    let kinds = sealed.kinds(&other.text)?;
    assert!(kinds.iter().any(|(_, kind)| *kind == FindingKind::Foreign));
    assert!(kinds.iter().any(|(_, kind)| *kind == FindingKind::Rewritten));
    Ok(())
}

#[test]
fn a_record_that_goes_on_behind_its_seal_is_told() -> Done {
    let state = tempfile::tempdir()?;
    let session = support::session(state.path())?;
    let recorder = Recorder::open(&session, lazy())?;
    recorder.emit(write(b"/a"))?;
    recorder.seal()?;
    let anchor = std::fs::read(session.anchor_path())?;
    // Somebody with the right to write both opens it again, goes on, and puts the old anchor back.
    std::fs::remove_file(session.anchor_path())?;
    assert_eq!(verify(&session)?.findings[0].kind, FindingKind::Unanchored);
    let recorder = Recorder::open(&session, lazy())?;
    recorder.emit(write(b"/b"))?;
    recorder.close()?;
    std::fs::write(session.anchor_path(), anchor)?;
    assert_eq!(verify(&session)?.findings[0].kind, FindingKind::Extended);
    Ok(())
}

proptest! {
    #[test]
    fn any_changed_byte_is_told(at: prop::sample::Index, byte: u8) {
        let mut text = sealed()?.text.clone();
        let at = at.index(text.len());
        prop_assume!(text[at] != byte);
        text[at] = byte;
        prop_assert!(!is_good(&text)?);
    }

    #[test]
    fn any_missing_piece_is_told(from: prop::sample::Index, to: prop::sample::Index) {
        let mut text = sealed()?.text.clone();
        let (from, to) = (from.index(text.len()), to.index(text.len()));
        text.drain(from.min(to)..=from.max(to));
        prop_assert!(!is_good(&text)?);
    }

    #[test]
    fn any_removed_doubled_or_exchanged_line_is_told(one: prop::sample::Index, other: prop::sample::Index, what in 0..3) {
        let mut lines = sealed()?.lines();
        let (one, other) = (one.index(lines.len()), other.index(lines.len()));
        match what {
            0 => drop(lines.remove(one)),
            1 => lines.insert(other, lines[one].clone()),
            _ => {
                prop_assume!(one != other);
                lines.swap(one, other);
            }
        }
        prop_assert!(!is_good(&lines.concat())?);
    }
}

#[test]
fn what_is_missing_is_named_and_the_others_are_judged() -> Done {
    let state = tempfile::tempdir()?;
    let store = Store::new(state.path());
    let mut dirs = Vec::new();
    for _ in 0..5 {
        let json = format!(
            r#"{{"id": "{}", "name": null, "workspace": null, "policy": "p", "mode": "m", "path": "/x",
                "created": "", "state": "ended", "uid": 0, "automatic": false}}"#,
            agentsh_protocol::new_id()
        );
        let dir = store.create(&serde_json::from_str(&json)?, "")?;
        let recorder = Recorder::open(&dir, lazy())?;
        recorder.emit(EventDraft::new(EventType::SessionDestroyed))?;
        recorder.seal()?;
        dirs.push(dir);
    }
    std::fs::remove_dir_all(dirs[0].path())?;
    std::fs::remove_file(dirs[1].events_path())?;
    std::fs::remove_file(dirs[2].path().join("session.json"))?;
    agentsh_audit::gc::discard(&dirs[3])?;
    let verdicts = verify_all(&store)?;
    let found: Vec<_> = verdicts
        .iter()
        .map(|verdict| (verdict.session_id.as_str(), verdict.is_good()))
        .collect();
    let expected = [(0, false), (1, false), (2, false), (4, true)];
    assert_eq!(
        found,
        expected.map(|(number, good): (usize, bool)| (dirs[number].id(), good))
    );
    let kind = |verdict: &Verdict| verdict.findings.first().map(|finding| finding.kind);
    assert!(
        verdicts[..3]
            .iter()
            .all(|verdict| kind(verdict) == Some(FindingKind::Unreadable))
    );
    Ok(())
}
