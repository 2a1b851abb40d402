//! What happens to a file between its being judged by its content and its taking the name.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use agentsh_intercept::files::{Answer, FileJudge, Judgement, Operation, Question, Verdict};
use agentsh_intercept::{Caller, Errno};
use rustix::fs::{AtFlags, CWD};

use crate::rig::Rig;
use crate::support::Result;
use crate::support::sys::pinned;

/// Lets only what is `fine` come to `config`, or has a person asked about the rest; `meanwhile` comes once it has decided.
struct Meanwhile {
    config: PathBuf,
    asks: bool,
    meanwhile: fn(&Path),
    came: AtomicBool,
}

impl Meanwhile {
    fn comes(&self) {
        if let (false, Some(folder)) = (self.came.swap(true, Ordering::AcqRel), self.config.parent()) {
            (self.meanwhile)(folder);
        }
    }
}

impl FileJudge for Meanwhile {
    fn judge(&self, question: &Question<'_>) -> Judgement {
        let comes = [Operation::Write, Operation::Create, Operation::Rename].contains(&question.operation);
        let by_content = comes && question.path == self.config;
        let fine = question
            .content
            .is_some_and(|text| text.is_empty() || text.starts_with(b"fine"));
        let written = question.content.is_some_and(|text| !text.is_empty());
        if by_content && written && !self.asks {
            self.comes();
        }
        Judgement {
            verdict: match by_content && !fine {
                true if self.asks => Verdict::Approve,
                true => Verdict::Deny(Errno::ACCESS),
                false => Verdict::Allow,
            },
            rule: by_content.then_some(0),
            by_content,
            keeps: false,
        }
    }

    fn ask(&self, _: &Question<'_>, _: &Judgement, _: &Caller<'_>) -> Answer {
        self.comes();
        Answer::Yes
    }

    fn ask_for_later(&self, _: &Question<'_>, _: &Judgement) -> std::result::Result<(), Errno> {
        self.comes();
        Ok(())
    }

    fn refuses_device(&self, _: &Question<'_>, _: &rustix::fs::Stat) -> Option<Judgement> {
        None
    }

    fn differs_below(&self, _: &Path) -> bool {
        true
    }

    fn judges_content(&self) -> bool {
        true
    }
}

/// The new version of `config`, which has no name yet, by a link of our own descriptor.
fn version(folder: &Path) -> Option<PathBuf> {
    let ours = fs::read_dir("/proc/self/fd").ok()?.flatten().map(|entry| entry.path());
    ours.into_iter()
        .find(|link| fs::read_link(link).is_ok_and(|to| to.starts_with(folder) && to.to_string_lossy().contains("/#")))
}

fn links_the_source(folder: &Path) {
    let _ = fs::hard_link(folder.join("new"), folder.join("second"));
}

fn changes_the_source(folder: &Path) {
    let _ = fs::write(folder.join("new"), "other than asked");
}

fn links_the_version(folder: &Path) {
    if let Some(link) = version(folder) {
        let _ = rustix::fs::linkat(CWD, &link, CWD, folder.join("second"), AtFlags::SYMLINK_FOLLOW);
    }
}

fn marks_the_version(folder: &Path) {
    if let Some(link) = version(folder) {
        let _ = fs::set_permissions(link, fs::Permissions::from_mode(0o4777));
    }
}

#[test]
fn what_was_judged_is_what_takes_the_name_and_has_no_other() -> Result {
    const MOVE: &str = "printf 'TEXT' > new; mv new config";
    const WRITE: &str = "printf 'TEXT' > config; : > seen";
    for (asks, line, meanwhile) in [
        (false, MOVE, links_the_source as fn(&Path)),
        (true, MOVE, links_the_source),
        (true, MOVE, changes_the_source),
        (false, WRITE, links_the_version),
        (true, WRITE, links_the_version),
        (true, WRITE, marks_the_version),
    ] {
        let folder = tempfile::tempdir_in("/var/tmp")?;
        let config = folder.path().canonicalize()?.join("config");
        let top = folder.path().canonicalize()?;
        fs::write(&config, "fine before")?;
        fs::set_permissions(&config, fs::Permissions::from_mode(0o644))?;
        let judge = Arc::new(Meanwhile {
            config: config.clone(),
            asks,
            meanwhile,
            came: AtomicBool::new(false),
        });
        let rig = Rig::judged_by(judge.clone(), None)?;
        let text = if asks { "asked about" } else { "fine after" };
        let shown = rig.sh(&top, &line.replace("TEXT", text))?;
        let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
        let told = || {
            rig.lines()
                .iter()
                .any(|line| line.contains("config") && line.contains("Refused"))
        };
        while !told() && std::time::Instant::now() < end {
            std::thread::yield_now();
        }
        let at = fs::metadata(&config)?;
        assert!(judge.came.load(Ordering::Acquire), "{asks} {line}: {shown}");
        assert_eq!(
            fs::read_to_string(&config)?,
            "fine before",
            "{asks} {line}: {shown} {:?}",
            rig.lines()
        );
        assert_eq!((at.nlink(), at.mode() & 0o7777), (1, 0o644), "{asks} {line}");
    }
    Ok(())
}

#[test]
fn what_stays_as_it_was_judged_takes_the_name() -> Result {
    for asks in [false, true] {
        let folder = tempfile::tempdir_in("/var/tmp")?;
        let top = folder.path().canonicalize()?;
        fs::write(top.join("config"), "fine before")?;
        let judge = Arc::new(Meanwhile {
            config: top.join("config"),
            asks,
            meanwhile: |_| {},
            came: AtomicBool::new(false),
        });
        let rig = Rig::judged_by(judge, None)?;
        let text = if asks { "asked about" } else { "fine after" };
        rig.sh(&top, &format!("printf '{text}' > new; mv new config"))?;
        assert_eq!(fs::read_to_string(top.join("config"))?, text);
    }
    Ok(())
}

/// Where judging takes no time.
fn at_once(config: PathBuf) -> Arc<Meanwhile> {
    Arc::new(Meanwhile {
        config,
        asks: false,
        meanwhile: |_| {},
        came: AtomicBool::new(false),
    })
}

#[test]
fn a_write_that_began_before_the_judgement_does_not_reach_what_was_judged() -> Result {
    const EXCHANGE: &str =
        "python3 -c 'import ctypes; ctypes.CDLL(None).renameat2(-100, b\"new\", -100, b\"config\", 2)'";
    for (line, place) in [
        ("mv new config", "/var/tmp"),
        ("mv new config", "/dev/shm"),
        (EXCHANGE, "/var/tmp"),
        ("mv folder there", "/dev/shm"),
    ] {
        let folder = tempfile::tempdir_in(place)?;
        let top = folder.path().canonicalize()?;
        fs::create_dir(top.join("folder"))?;
        let (new, config) = match line.ends_with("there") {
            true => (top.join("folder/new"), top.join("there/new")),
            false => (top.join("new"), top.join("config")),
        };
        if !line.ends_with("there") {
            fs::write(&config, "fine before")?;
        }
        fs::write(&new, [b"fine after".as_slice(), &[b' '; 4086]].concat())?;
        fs::set_permissions(&new, fs::Permissions::from_mode(0o604))?;
        let file = fs::File::options().read(true).write(true).open(&new)?;
        let begun = match pinned::begin(&file) {
            Err(error) => {
                eprintln!("skipped: userfaultfd(2): {error}");
                return Ok(());
            }
            Ok(begun) => begun,
        };
        drop(file);
        let times = fs::metadata(&new)?.modified()?;
        let rig = Rig::judged_by(at_once(config.clone()), None)?;
        let shown = rig.sh(&top, line)?;
        begun.end(b"worse")?;
        let at = fs::metadata(&config)?;
        let text = fs::read_to_string(&config)?;
        assert!(text.starts_with("fine after"), "{line} {place}: {shown} {text:.20}");
        assert_eq!(
            (at.nlink(), at.mode() & 0o7777, at.modified()?),
            (1, 0o604, times),
            "{line} {place}"
        );
        let left: Vec<_> = fs::read_dir(config.parent().unwrap_or(&top))?.flatten().collect();
        assert!(
            left.iter()
                .all(|entry| !entry.file_name().to_string_lossy().starts_with('.')),
            "{left:?}"
        );
    }
    Ok(())
}

#[test]
fn a_version_is_another_file_than_its_writer_had() -> Result {
    let folder = tempfile::tempdir_in("/var/tmp")?;
    let top = folder.path().canonicalize()?;
    fs::write(top.join("config"), "fine before")?;
    let rig = Rig::judged_by(at_once(top.join("config")), None)?;
    let line = "exec 3<> config; stat -Lc %i /proc/self/fd/3; printf 'fine after.' >&3; exec 3>&-; : > seen; stat -c %i config; cat config";
    let shown = rig.sh(&top, line)?;
    let lines: Vec<&str> = shown.lines().collect();
    assert!(
        lines.len() == 3 && lines[0] != lines[1] && lines[2] == "fine after.",
        "{shown}"
    );
    Ok(())
}
