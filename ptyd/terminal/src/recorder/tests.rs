use std::path::{Path, PathBuf};
use std::sync::{LazyLock, mpsc};
use std::time::Duration;

use asciicast_rs::{Asciicast, V3};
use proptest::prelude::*;

use super::*;
use crate::cast::{Data, Event, Header};
use crate::marker::Marker;
use crate::recording::Recording;
use crate::redact::Patterns;

type Failure = Box<dyn std::error::Error>;

static PATTERNS: LazyLock<Option<Patterns>> = LazyLock::new(|| Patterns::credentials(&["secret-[0-9]{4}"]).ok());

fn config(folder: &Path) -> Result<Config, Failure> {
    Ok(Config {
        path: folder.join("c.cast"),
        header: Header {
            cols: 80,
            rows: 24,
            command: Some("echo secret-1234".into()),
            ..Header::default()
        },
        patterns: PATTERNS.clone().ok_or("patterns do not compile")?,
        input: true,
        max_size: None,
        on_full: OnFull::StopRecording,
        compress: false,
    })
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn files(folder: &Path) -> Result<Vec<u8>, Failure> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        all.extend(std::fs::read(entry?.path())?);
    }
    Ok(all)
}

#[test]
fn a_secret_never_reaches_the_disk_and_times_and_order_stay_true() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let mut recorder = Recorder::new(config(folder.path())?)?;
    recorder.output(ms(10), b"key: sec")?;
    recorder.resize(ms(15), 100, 30)?;
    recorder.output(ms(20), b"ret-12")?;
    recorder.output(ms(30), b"34 done\r\n")?;
    recorder.input(ms(40), b"secret-9999\r")?;
    recorder.marker(ms(50), &Marker::Denied("secret-5555".into()))?;
    recorder.exit(ms(60), 3)?;
    let summary = recorder.finish()?;
    assert!(summary.complete && summary.masked == 2, "{summary:?}");
    let all = files(folder.path())?;
    assert!(
        !all.windows(4)
            .any(|window| window == b"1234" || window == b"9999" || window == b"5555")
    );
    let recording = Recording::open(&summary.path)?;
    assert_eq!(
        recording.events,
        [
            Event::new(ms(10), Data::Output("key: ".into())),
            Event::new(ms(10), Data::Output("***".into())),
            Event::new(ms(15), Data::Resize { cols: 100, rows: 30 }),
            Event::new(ms(20), Data::Output("******".into())),
            Event::new(ms(30), Data::Output("** done\r\n".into())),
            Event::new(ms(40), Data::Input("***********\r".into())),
            Event::new(ms(50), Data::Marker("denied: ***********".into())),
            Event::new(ms(60), Data::Exit(3)),
        ]
    );
    Ok(())
}

#[test]
fn a_command_line_becomes_a_marker_between_its_echo_and_its_output() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let mut recorder = Recorder::new(config(folder.path())?)?;
    recorder.output(ms(1), b"\x1b]133;A\x07$ \x1b]133;B\x07echo hi\r\n\x1b]133;C\x07hi\r\n")?;
    let events = Recording::open(&recorder.finish()?.path)?.events;
    assert_eq!(events.len(), 3);
    assert_eq!(events[1].data, Data::Marker("$ echo hi".into()));
    assert_eq!(events[2].output(), Some("hi\r\n"));
    Ok(())
}

#[test]
fn an_outside_reader_understands_what_is_recorded() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let mut recorder = Recorder::new(config(folder.path())?)?;
    recorder.output(ms(5), "grün \u{1b}[31mrot\u{1b}[0m\r\n".as_bytes())?;
    recorder.exit(ms(9), 0)?;
    let cast = Asciicast::<V3>::from_path(recorder.finish()?.path)?;
    assert_eq!(cast.events[0].as_output(), Some("grün \u{1b}[31mrot\u{1b}[0m\r\n"));
    assert_eq!(cast.header.command.as_deref(), Some("echo ***********"));
    Ok(())
}

#[test]
fn what_was_flushed_is_readable_though_the_recorder_never_ends() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let mut recorder = Recorder::new(config(folder.path())?)?;
    recorder.output(ms(5), b"before the crash\xff\r\n")?;
    recorder.flush()?;
    let path = folder.path().join("c.cast");
    std::mem::forget(recorder);
    let recording = Recording::open(&path)?;
    assert_eq!(recording.raw_output(&path)?, b"before the crash\xff\r\n");
    Ok(())
}

#[test]
fn a_full_recording_says_so_and_stops() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let (sender, reports) = mpsc::channel();
    let config = Config {
        max_size: Some(1000),
        on_full: OnFull::StopCommand,
        ..config(folder.path())?
    };
    let path = config.path.clone();
    let handle = spawn(config, || {}, move |report| drop(sender.send(report)))?;
    handle.output(ms(1), &[b'x'; 2000]);
    let report = reports.recv_timeout(Duration::from_secs(20))?;
    assert!(matches!(
        report,
        Report::Stopped {
            reason: Stop::Full(1000),
            stop_command: true
        }
    ));
    handle.output(ms(2), b"after");
    assert!(handle.has_room());
    drop(handle);
    let report = reports.recv_timeout(Duration::from_secs(20))?;
    assert!(matches!(report, Report::Finished(summary) if !summary.complete));
    let events = Recording::open(&path)?.events;
    assert_eq!(events.len(), 2);
    assert!(matches!(&events[1].data, Data::Marker(label) if matches!(Marker::parse(label), Marker::Stopped(_))));
    Ok(())
}

#[test]
fn a_disk_that_fails_is_reported_and_nothing_waits_for_it() -> Result<(), Failure> {
    let Ok(_) = std::fs::metadata("/dev/full") else {
        eprintln!("skipped: no /dev/full");
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let config = config(folder.path())?;
    // The side log's name is taken, so that its creation fails.
    std::fs::write(folder.path().join("c.raw"), b"")?;
    let (sender, reports) = mpsc::channel();
    let handle = spawn(config, || {}, move |report| drop(sender.send(report)))?;
    handle.output(ms(1), b"\xff");
    let report = reports.recv_timeout(Duration::from_secs(20))?;
    assert!(matches!(
        report,
        Report::Stopped {
            reason: Stop::Failed(_),
            ..
        }
    ));
    for _ in 0..100 {
        handle.output(ms(2), &[b'x'; 100_000]);
        assert!(handle.has_room());
    }
    Ok(())
}

#[test]
fn a_closed_recording_is_compressed_with_its_side_log() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let mut recorder = Recorder::new(Config {
        compress: true,
        ..config(folder.path())?
    })?;
    let bytes = b"line \xfe of bytes\r\n".repeat(5000);
    recorder.output(ms(1), &bytes)?;
    let path = recorder.finish()?.path;
    assert_eq!(path, folder.path().join("c.cast.zst"));
    let names: Vec<PathBuf> = std::fs::read_dir(folder.path())?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    assert_eq!(names.len(), 2, "{names:?}");
    assert_eq!(Recording::open(&path)?.raw_output(&path)?, bytes);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_byte_comes_back_whatever_the_chunks(
        pieces in proptest::collection::vec(proptest::collection::vec(prop_oneof![
            any::<u8>(), proptest::sample::select("sec-12€\u{fffd}".as_bytes().to_vec())], 0..40), 0..20),
    ) {
        let result = || -> Result<(Vec<u8>, Vec<Duration>), Failure> {
            let folder = tempfile::tempdir()?;
            let mut recorder = Recorder::new(config(folder.path())?)?;
            for (at, piece) in pieces.iter().enumerate() {
                recorder.output(ms(at as u64), piece)?;
            }
            let path = recorder.finish()?.path;
            let recording = Recording::open(&path)?;
            Ok((recording.raw_output(&path)?, recording.events.iter().map(|event| event.time).collect()))
        };
        let (bytes, times) = result().map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(bytes, pieces.concat());
        prop_assert!(times.is_sorted());
    }
}
