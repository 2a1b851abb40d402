//! Query, tail, summary, commands, export, store and gc over real records.

mod support;

use std::time::Duration;

use agentsh_audit::gc::{Retention, collect, discard_unbegun};
use agentsh_audit::read::{
    Filter, Order, PathFilter, ReadProblem, Start, Step, Tail, commands, query, summarize, write_csv, write_json_lines,
};
use agentsh_audit::{
    Decision, EventDraft, EventType, Layer, Options, Outcome, Recorder, SessionDir, Store, StoreError,
};
use agentsh_protocol::api::{CommandInfo, CommandState, PolicyOutcome, SessionInfo, SessionState};
use support::{Done, LONG, lazy, read, session, write};

fn sample(session: &SessionDir) -> Result<Recorder, Box<dyn std::error::Error>> {
    let recorder = Recorder::open(session, lazy())?;
    recorder.emit(EventDraft {
        command: Some("abc"),
        ..read(b"/etc/passwd")
    })?;
    recorder.emit(EventDraft {
        command: Some("abd"),
        ..write(b"/work/src/main.rs")
    })?;
    let denied = Outcome::deny(Some("no-secrets"), Some("Keys are not for agents"));
    recorder.emit(EventDraft {
        command: Some("abc"),
        policy: Some(denied),
        ..read(b"/home/me/.ssh/id")
    })?;
    recorder.emit(read(b"/work/src/main.rs"))?;
    recorder.emit(read(b"/work/src/main.rs"))?;
    recorder.flush(LONG)?;
    Ok(recorder)
}

fn seqs(session: &SessionDir, filter: &Filter) -> Vec<u64> {
    let found = query(std::slice::from_ref(session), filter, Order::OldestFirst, 100);
    assert!(found.problems.is_empty(), "{:?}", found.problems);
    found.events.iter().map(|event| event.seq).collect()
}

#[test]
fn each_filter_finds_its_events_and_no_others() -> Done {
    let state = tempfile::tempdir()?;
    let session = session(state.path())?;
    let _recorder = sample(&session)?;
    let with = |change: &dyn Fn(&mut Filter)| {
        let mut filter = Filter::default();
        change(&mut filter);
        seqs(&session, &filter)
    };
    assert_eq!(with(&|_| {}), [1, 2, 3, 4]);
    assert_eq!(with(&|filter| filter.command = Some("ab".to_owned())), [1, 2, 3]);
    assert_eq!(with(&|filter| filter.kinds = vec![EventType::FileWrite]), [2]);
    assert_eq!(seqs(&session, &Filter::blocked()), [3]);
    assert_eq!(with(&|filter| filter.decisions = vec![Decision::Allow]), [1, 2, 4]);
    assert_eq!(with(&|filter| filter.text = Some("KEYS are".to_owned())), [3]);
    assert_eq!(
        with(&|filter| filter.path = PathFilter::new("/work".as_ref()).ok()),
        [2, 4]
    );
    assert_eq!(
        with(&|filter| filter.path = PathFilter::new("/wor".as_ref()).ok()),
        [0u64; 0]
    );
    assert_eq!(
        with(&|filter| filter.path = PathFilter::new("/work/*.rs".as_ref()).ok()),
        [0u64; 0]
    );
    assert_eq!(
        with(&|filter| filter.path = PathFilter::new("/work/**/*.rs".as_ref()).ok()),
        [2, 4]
    );
    assert_eq!(with(&|filter| filter.until = Some(1)), [0u64; 0]);
    assert_eq!(with(&|filter| filter.since = Some(1)), [1, 2, 3, 4]);
    let mut filter = Filter::default();
    filter.add_kind("file_*")?;
    assert_eq!(seqs(&session, &filter), [1, 2, 3, 4]);
    assert!(filter.add_kind("fiel_*").is_err());
    Ok(())
}

#[test]
fn newest_first_is_taken_from_the_end_and_limits_hold() -> Done {
    let state = tempfile::tempdir()?;
    let (one, two) = (session(state.path())?, session(state.path())?);
    let _recorders = (sample(&one)?, sample(&two)?);
    let found = query(std::slice::from_ref(&one), &Filter::default(), Order::NewestFirst, 2);
    assert_eq!(found.events.iter().map(|event| event.seq).collect::<Vec<_>>(), [4, 3]);
    let found = query(&[one, two.clone()], &Filter::default(), Order::NewestFirst, 5);
    assert_eq!(found.events.len(), 5);
    assert_eq!(found.events[0].session_id, two.id());
    assert!(found.events.windows(2).all(|pair| pair[0].ts >= pair[1].ts));
    Ok(())
}

#[test]
fn a_line_that_is_no_event_is_told_with_file_and_line_and_the_others_are_read() -> Done {
    let state = tempfile::tempdir()?;
    let session = session(state.path())?;
    sample(&session)?.close()?;
    let text = std::fs::read_to_string(session.events_path())?;
    let mut lines: Vec<&str> = text.lines().collect();
    for bad in ["", "{}", "[1,", "null", "{\"type\":\"file_opened\"}"] {
        lines[1] = bad;
        std::fs::write(session.events_path(), lines.join("\n") + "\n")?;
        for order in [Order::OldestFirst, Order::NewestFirst] {
            let found = query(std::slice::from_ref(&session), &Filter::default(), order, 100);
            assert_eq!(found.events.len(), 3);
            let [ReadProblem::Malformed { path, line: 2, .. }] = found.problems.as_slice() else {
                return Err(format!("{bad}: {:?}", found.problems).into());
            };
            assert_eq!(*path, session.events_path());
        }
    }
    Ok(())
}

#[test]
fn a_summary_counts_what_was_folded() -> Done {
    let state = tempfile::tempdir()?;
    let session = session(state.path())?;
    let _recorder = sample(&session)?;
    let (summary, _) = summarize(&session, &Filter::default())?;
    assert_eq!(summary.total(), 5);
    assert_eq!(
        serde_json::to_value(&summary)?,
        serde_json::json!({"file_read": {"allow": 3, "deny": 1}, "file_write": {"allow": 1}})
    );
    Ok(())
}

#[test]
fn a_tail_sees_what_is_there_then_what_comes_then_the_end() -> Done {
    let state = tempfile::tempdir()?;
    let session = session(state.path())?;
    let recorder = sample(&session)?;
    let mut tail = Tail::open(&session, Filter::default(), Start::Beginning)?;
    let mut late = Tail::open(&session, Filter::blocked(), Start::End)?;
    for seq in 1..=4 {
        assert!(matches!(tail.next(Some(LONG))?, Step::Event(event) if event.seq == seq));
    }
    assert!(matches!(tail.next(Some(Duration::ZERO))?, Step::Nothing));
    let writer = std::thread::spawn(move || {
        let denied = EventDraft {
            policy: Some(Outcome::deny(None, None)),
            ..read(b"/new")
        };
        recorder.emit(denied).and_then(|()| recorder.flush(LONG))?;
        recorder.emit(EventDraft::new(EventType::SessionDestroyed))?;
        recorder.seal()
    });
    assert!(matches!(tail.next(None)?, Step::Event(event) if event.seq == 5));
    assert!(matches!(tail.next(None)?, Step::Event(event) if event.kind == EventType::SessionDestroyed));
    assert!(matches!(tail.next(None)?, Step::Ended));
    assert!(matches!(late.next(None)?, Step::Event(event) if event.seq == 5));
    assert!(matches!(late.next(None)?, Step::Ended));
    assert!(matches!(writer.join(), Ok(Ok(()))));
    Ok(())
}

#[test]
fn commands_are_told_from_the_record_of_a_session_that_is_gone() -> Done {
    let state = tempfile::tempdir()?;
    let session = session(state.path())?;
    let recorder = Recorder::open(&session, lazy())?;
    let mut command = CommandInfo {
        id: agentsh_protocol::new_id(),
        session_id: session.id().to_owned(),
        argv: vec!["ls".into(), b"\xff"[..].into()],
        cwd: Some(b"/w\xfe"[..].into()),
        pid: 77,
        state: CommandState::Running,
        started: String::new(),
        ended: None,
        exit_code: Some(3),
        signal: None,
        limit: None,
        terminal: false,
        policy: PolicyOutcome {
            decision: "allow".to_owned(),
            rule: Some("r".to_owned()),
            message: None,
        },
    };
    recorder.command_started(&command, 1, Some(b"/bin/ls"), Layer::Shim)?;
    recorder.command_finished(&command, &[])?;
    command.id = agentsh_protocol::new_id();
    command.policy.decision = "deny".to_owned();
    recorder.command_started(&command, 1, None, Layer::Shim)?;
    command.id = agentsh_protocol::new_id();
    command.policy.decision = "allow".to_owned();
    recorder.command_started(&command, 1, None, Layer::Shim)?;
    recorder.flush(LONG)?;
    let states = |list: &[CommandInfo]| list.iter().map(|command| command.state).collect::<Vec<_>>();
    let (list, _) = commands(&session)?;
    assert_eq!(
        states(&list),
        [CommandState::Finished, CommandState::Refused, CommandState::Running]
    );
    assert_eq!(
        (list[0].argv.clone(), list[0].cwd.clone()),
        (command.argv.clone(), command.cwd.clone())
    );
    assert_eq!((list[0].pid, list[0].exit_code), (77, Some(3)));
    assert!(list[0].ended.is_some());
    recorder.close()?;
    drop(recorder);
    let (list, _) = commands(&session)?;
    assert_eq!(
        states(&list),
        [CommandState::Finished, CommandState::Refused, CommandState::Finished]
    );
    Ok(())
}

#[test]
fn exports_are_read_back_and_formulas_are_disarmed() -> Done {
    let state = tempfile::tempdir()?;
    let session = session(state.path())?;
    let recorder = Recorder::open(&session, Options::default())?;
    recorder.emit(write(b"=cmd(),\"x\"\n\xff"))?;
    recorder.seal()?;
    let events = support::all(&session)?;
    let mut json = Vec::new();
    write_json_lines(&mut json, &events)?;
    assert_eq!(json, std::fs::read(session.events_path())?);
    let mut csv = Vec::new();
    write_csv(&mut csv, &events)?;
    let csv = String::from_utf8(csv)?;
    assert!(csv.contains("\"'=cmd(),\\\"\"x\\\"\"\\n\\xff\""), "{csv}");
    assert_eq!(csv.lines().count(), 2);
    Ok(())
}

fn info(name: Option<&str>) -> SessionInfo {
    SessionInfo {
        id: agentsh_protocol::new_id(),
        name: name.map(str::to_owned),
        workspace: None,
        policy: "default".to_owned(),
        mode: "seccomp".to_owned(),
        path: String::new(),
        created: agentsh_audit::time::now_rfc3339(),
        ended: None,
        state: SessionState::Running,
        uid: 0,
        automatic: false,
        supervisor_pid: None,
        commands_running: 0,
        layers: Vec::new(),
        not_held: Vec::new(),
        not_observed: Vec::new(),
        policy_refused: None,
    }
}

#[test]
fn sessions_are_found_by_id_name_and_unique_beginning() -> Done {
    let state = tempfile::tempdir()?;
    let store = Store::new(state.path());
    assert!(store.list()?.sessions.is_empty());
    let (one, two) = (
        store.create(&info(Some("build")), "a: b\n")?,
        store.create(&info(None), "")?,
    );
    assert_eq!(store.find(one.id())?, one);
    assert_eq!(store.find("build")?, one);
    assert_eq!(store.find(&two.id()[..35])?, two);
    assert!(matches!(store.find("0"), Err(StoreError::Ambiguous { candidates, .. }) if candidates.len() == 2));
    for word in ["", "x", "../../etc", "build/"] {
        assert!(matches!(store.find(word), Err(StoreError::NotFound(_))), "{word}");
    }
    assert_eq!(one.policy_text()?, "a: b\n");
    assert!(one.recording_path("../x").is_err());
    std::fs::write(two.path().join("session.json"), "{")?;
    let listing = store.list()?;
    assert_eq!((listing.sessions.len(), listing.problems.len()), (1, 1));
    Ok(())
}

#[test]
fn gc_removes_what_is_old_or_too_much_and_never_what_runs() -> Done {
    let state = tempfile::tempdir()?;
    let store = Store::new(state.path());
    let ended = |time: &str| -> Result<SessionDir, Box<dyn std::error::Error>> {
        let mut info = info(None);
        info.ended = Some(time.to_owned());
        let dir = store.create(&info, "")?;
        Recorder::open(&dir, Options::default())?.seal()?;
        Ok(dir)
    };
    let old = ended("2001-01-01T00:00:00Z")?;
    let older_but_live = ended("2000-01-01T00:00:00Z")?;
    std::fs::remove_file(older_but_live.anchor_path())?;
    let recorder = Recorder::open(&older_but_live, Options::default())?;
    let new = store.create(&info(None), "")?;

    let all_ages = Retention {
        max_age: Duration::MAX,
        ..Retention::default()
    };
    assert_eq!(collect(&store, &all_ages, false)?.removed.len(), 0);
    assert_eq!(collect(&store, &Retention::default(), true)?.removed.len(), 1);
    assert!(old.path().exists());
    let collected = collect(&store, &Retention::default(), false)?;
    assert_eq!(collected.removed[0].session_id, old.id());
    assert!(collected.problems.is_empty() && collected.freed_bytes > 0);
    assert!(!old.path().exists() && !old.anchor_path().exists());

    let nothing = Retention {
        max_bytes: 0,
        ..all_ages
    };
    assert_eq!(collect(&store, &nothing, false)?.kept, 2);
    assert!(new.path().exists() && older_but_live.path().exists());
    drop(recorder);
    assert_eq!(collect(&store, &nothing, false)?.removed.len(), 1);
    assert!(new.path().exists() && !older_but_live.path().exists());
    Ok(())
}

#[test]
fn what_has_ended_goes_when_it_is_wanted_and_what_never_began_whenever_it_is_seen() -> Done {
    let state = tempfile::tempdir()?;
    let store = Store::new(state.path());
    let mut over = info(None);
    over.ended = Some(agentsh_audit::time::now_rfc3339());
    let ended = store.create(&over, "")?;
    Recorder::open(&ended, Options::default())?.seal()?;
    let all = Retention {
        max_age: Duration::ZERO,
        ..Retention::default()
    };
    assert_eq!(collect(&store, &all, false)?.removed.len(), 1);

    // As one leaves it who dies between two steps.
    let begun = store.create(&info(None), "")?;
    let half = SessionDir::new(state.path(), &agentsh_protocol::new_id())?;
    std::fs::create_dir_all(half.path().join("output"))?;
    assert_eq!(collect(&store, &all, false)?.removed.len(), 0);
    let hour_ago = std::time::SystemTime::now() - Duration::from_secs(3600);
    std::fs::File::open(half.path())?.set_modified(hour_ago)?;
    let removed = collect(&store, &Retention::default(), false)?.removed;
    assert_eq!(removed.len(), 1);
    assert!(begun.path().exists() && !half.path().exists());

    // With a record it is a session that died, whatever else is missing.
    let recorded = store.create(&info(None), "")?;
    drop(Recorder::open(&recorded, Options::default())?);
    std::fs::remove_file(recorded.path().join("session.json"))?;
    assert_eq!(discard_unbegun(&store)?, [begun.id()]);
    assert!(!begun.path().exists() && recorded.path().exists());
    Ok(())
}

#[test]
fn what_is_no_file_in_a_file_s_place_keeps_nobody_waiting() -> Done {
    let state = tempfile::tempdir()?;
    let store = Store::new(state.path());
    let session = session(state.path())?;
    std::fs::create_dir_all(session.path())?;
    let mode = rustix::fs::Mode::RWXU;
    for name in ["session.json", "events.jsonl", "policy.yaml"] {
        rustix::fs::mknodat(
            rustix::fs::CWD,
            session.path().join(name),
            rustix::fs::FileType::Fifo,
            mode,
            0,
        )?;
    }
    let sessions = std::slice::from_ref(&session);
    let problems = |order| query(sessions, &Filter::default(), order, 9).problems.len();
    assert_eq!((problems(Order::OldestFirst), problems(Order::NewestFirst)), (1, 1));
    assert!(store.list()?.sessions.is_empty() && session.info().is_err() && session.policy_text().is_err());
    let mut tail = Tail::open(&session, Filter::default(), Start::Beginning)?;
    assert!(tail.next(Some(LONG)).is_err());
    // Nor is memory filled with what is no line of a record.
    let record = session.events_path();
    std::fs::remove_file(&record)?;
    std::fs::File::create(&record)?.set_len(80 << 20)?;
    assert_eq!(problems(Order::OldestFirst), 1);
    Ok(())
}
