//! A full disk: nothing accepted is lost, and it is told.

mod support;

use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use agentsh_audit::read::verify;
use agentsh_audit::{EventType, Health, Options, RecordError, Recorder};
use support::{Done, LONG, all, child, read, session, write};

#[test]
fn on_a_full_disk_nothing_accepted_is_lost() -> Done {
    let mounted = Command::new("unshare").args(["-m", "true"]).status();
    if !mounted.is_ok_and(|status| status.success()) {
        eprintln!("skipped: a mount namespace of its own for a small tmpfs needs root");
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let child = child("with_a_small_disk")?;
    let status = Command::new("unshare")
        .args([
            "-m",
            "sh",
            "-c",
            "mount -t tmpfs -o size=24m small \"$T_DISK\" && exec \"$@\"",
            "sh",
        ])
        .arg(child.get_program())
        .args(child.get_args())
        .env("T_DISK", folder.path())
        .status()?;
    assert!(status.success());
    Ok(())
}

/// Takes all space of the disk.
fn fill(disk: &Path) -> Result<(), std::io::Error> {
    let mut ballast = std::fs::File::create(disk.join("ballast"))?;
    for size in [1 << 16, 1 << 12, 1] {
        while ballast.write_all(&vec![1; size]).is_ok() {}
    }
    Ok(())
}

#[test]
#[ignore = "run by the other test in a mount namespace of its own"]
fn with_a_small_disk() -> Done {
    let disk = std::env::var("T_DISK")?;
    let disk = Path::new(&disk);
    let session = session(disk)?;
    let options = Options {
        spool_bytes: 0, // the smallest
        patience: Duration::from_millis(50),
        window: Duration::from_millis(1),
        ..Options::default()
    };
    let recorder = Recorder::open(&session, options)?;
    recorder.emit(write(b"/before"))?;
    recorder.flush(LONG)?;
    fill(disk)?;

    // Whatever the file's last page still takes, some of these cannot be written.
    let mut accepted = 1u64;
    let mut last_taken = 0;
    let refused = loop {
        if recorder.takes_changes() {
            last_taken = accepted;
        }
        match recorder.emit(write(format!("/full/{accepted}").as_bytes())) {
            Ok(()) => accepted += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, RecordError::Full { .. }), "{refused}");
    assert!(
        matches!(recorder.health(), Health::Full { .. }),
        "{:?}",
        recorder.health()
    );
    // Who may change something as long as there is room can make room on the disk; nobody may whose event would not fit.
    assert!(last_taken > 1 && last_taken < accepted && !recorder.takes_changes());
    assert!(recorder.flush(Duration::from_millis(10)).is_err());
    // Mere observations do not stop the session; they are counted.
    for _ in 0..10 {
        recorder.emit(read(b"/seen"))?;
    }

    // The supervisor may even die now: the next one goes on. It has no space either.
    assert!(recorder.close().is_err());
    drop(recorder);
    let recorder = Recorder::open(&session, options)?;
    assert!(recorder.flush(Duration::from_millis(10)).is_err());
    std::fs::remove_file(disk.join("ballast"))?;
    recorder.flush(LONG)?;
    recorder.emit(write(b"/after"))?;
    recorder.flush(LONG)?;
    assert!(recorder.takes_changes() && recorder.health() == Health::Good);
    recorder.seal()?;

    let events = all(&session)?;
    let writes = events.iter().filter(|event| event.kind == EventType::FileWrite).count() as u64;
    assert_eq!(writes, accepted + 1);
    let lost: u64 = events
        .iter()
        .filter(|event| event.kind == EventType::EventsLost)
        .map(|event| event.count)
        .sum();
    assert_eq!(lost, 10);
    let verdict = verify(&session)?;
    assert!(verdict.is_good(), "{:?}", verdict.findings);
    Ok(())
}
