//! Whether a record is what was written: chain, gaps, end.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use blake3::Hash;
use serde::Serialize;

use super::lines::{Line, Lines, ReadProblem, parse};
use crate::anchor::Anchor;
use crate::chain;
use crate::store::{SessionDir, Store, StoreError};

/// What [`verify`] found.
#[derive(Debug, Clone, Serialize)]
pub struct Verdict {
    pub session_id: String,
    pub file: PathBuf,
    /// Whole lines.
    pub lines: u64,
    /// `seq` and `hash` of the last line.
    pub seq: u64,
    pub head: String,
    /// Whether the record is closed and ends where it was closed.
    pub sealed: bool,
    /// Whether a supervisor is writing it now.
    pub live: bool,
    /// Whether its supervisor died and accepted events are still to be written (see [`crate::recover`]).
    pub unfinished: bool,
    pub findings: Vec<Finding>,
}

impl Verdict {
    /// Whether nothing is wrong.
    pub fn is_good(&self) -> bool {
        self.findings.is_empty()
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    pub file: PathBuf,
    /// None if it is about the file as a whole.
    pub line: Option<u64>,
    pub kind: FindingKind,
    pub message: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file.display(), self.message),
            None => write!(f, "{}: {}", self.file.display(), self.message),
        }
    }
}

/// The ways in which a record can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FindingKind {
    /// The line is no event.
    Malformed,
    /// The line's bytes do not have the hash that it claims.
    Edited,
    /// The line does not follow the one before it: lines were removed, added or exchanged.
    Broken,
    /// The line follows an earlier one, as when two write.
    Forked,
    /// The line is of another session.
    Foreign,
    /// The last line has no end.
    Torn,
    /// The record ends before its anchor.
    Truncated,
    /// The record goes on behind its seal.
    Extended,
    /// The anchored line is another one.
    Rewritten,
    /// There is no anchor, or it cannot be read.
    Unanchored,
    /// The record or what belongs to it is not there, or cannot be read.
    Unreadable,
}

/// How often what is missing is looked for, and the pause between: the session may be in the making, or on its way out.
const LOOKS: usize = 5;
const PAUSE: Duration = Duration::from_millis(50);

/// Checks the records of all sessions of which anything is left, oldest first: one that was removed as a whole is told
/// by its anchor.
pub fn verify_all(store: &Store) -> Result<Vec<Verdict>, StoreError> {
    Ok(store.known()?.iter().filter_map(verify_kept).collect())
}

/// As [`verify`], for a session that was kept: what is missing or cannot be read is a finding as well. `None` if nothing
/// is left of it.
pub fn verify_kept(session: &SessionDir) -> Option<Verdict> {
    let is_missing = |finding: &Finding| finding.kind == FindingKind::Unreadable;
    let mut verdict = look(session);
    for _ in 1..LOOKS {
        if !verdict.findings.iter().any(is_missing) {
            break;
        }
        std::thread::sleep(PAUSE);
        verdict = look(session);
    }
    (session.path().exists() || session.anchor_path().exists()).then_some(verdict)
}

fn look(session: &SessionDir) -> Verdict {
    let mut verdict = verify(session).unwrap_or_else(|problem| unread(session, &problem));
    if session.path().exists()
        && let Err(problem) = session.info()
    {
        verdict.findings.push(Finding {
            file: session.path(),
            line: None,
            kind: FindingKind::Unreadable,
            message: problem.to_string(),
        });
    }
    verdict
}

fn unread(session: &SessionDir, problem: &ReadProblem) -> Verdict {
    let anchor = session.anchor_path();
    let message = match session.path().exists() {
        true => format!("the record cannot be read: {problem}"),
        false => format!("the record is gone, and its anchor {} is there", anchor.display()),
    };
    let finding = Finding {
        file: session.events_path(),
        line: None,
        kind: FindingKind::Unreadable,
        message,
    };
    Verdict {
        session_id: session.id().to_owned(),
        file: session.events_path(),
        lines: 0,
        seq: 0,
        head: String::new(),
        sealed: false,
        live: session.is_live(),
        unfinished: false,
        findings: vec![finding],
    }
}

struct Check {
    verdict: Verdict,
    anchor: Option<Anchor>,
    /// The hash at the anchor's `seq`.
    anchored: Option<String>,
    head: Hash,
    /// Which line claims a hash, of the first `learned` lines, and the reader of those that follow.
    claims: HashMap<Hash, u64>,
    learned: u64,
    earlier: Option<Lines>,
}

/// Checks a whole record. An error means that it could not be read; what is wrong in it is in the verdict.
pub fn verify(session: &SessionDir) -> Result<Verdict, ReadProblem> {
    let path = session.events_path();
    let live = session.is_live();
    // The anchor first: a record that is being written may be ahead of it, never behind.
    let anchor = read_anchor(session);
    let (anchor, unreadable) = match anchor {
        Ok(anchor) => (anchor, None),
        Err(error) => (None, Some(error)),
    };
    let mut check = Check {
        verdict: Verdict {
            session_id: session.id().to_owned(),
            file: path.clone(),
            lines: 0,
            seq: 0,
            head: String::new(),
            sealed: anchor.as_ref().is_some_and(|anchor| anchor.sealed),
            live,
            unfinished: !live && session.spool_path().exists(),
            findings: Vec::new(),
        },
        anchor,
        anchored: None,
        head: chain::genesis(session.id()),
        claims: HashMap::new(),
        learned: 0,
        earlier: None,
    };
    for line in Lines::open(&path).map_err(ReadProblem::io(&path))? {
        let line = line.map_err(ReadProblem::io(&path))?;
        if line.whole {
            check.line(&line, session)?;
        } else if !live {
            check.find(
                Some(line.number),
                FindingKind::Torn,
                torn_message(check.verdict.unfinished),
            );
        }
    }
    check.verdict.head = check.head.to_hex().to_string();
    check.end(session, unreadable);
    Ok(check.verdict)
}

fn torn_message(unfinished: bool) -> String {
    let cause = if unfinished {
        "its writer died in it; opening the session repairs it"
    } else {
        "it was cut"
    };
    format!("the last line has no end: {cause}")
}

/// A running session's anchor is replaced in place: what was read in that moment is read again.
fn read_anchor(session: &SessionDir) -> io::Result<Option<Anchor>> {
    let path = session.anchor_path();
    Anchor::read(&path)
        .or_else(|_| Anchor::read(&path))
        .or_else(|_| Anchor::read(&path))
}

impl Check {
    fn find(&mut self, line: Option<u64>, kind: FindingKind, message: String) {
        self.verdict.findings.push(Finding {
            file: self.verdict.file.clone(),
            line,
            kind,
            message,
        });
    }

    fn line(&mut self, line: &Line, session: &SessionDir) -> Result<(), ReadProblem> {
        self.verdict.lines += 1;
        let at = Some(line.number);
        let event = match parse(&line.bytes) {
            Ok(event) => event,
            Err(problem) => {
                self.find(at, FindingKind::Malformed, problem);
                // The place of a line that cannot be read is still taken, and its claim is what the next one follows.
                self.verdict.seq += 1;
                if let Some((claimed, _)) = chain::hashes(&line.bytes) {
                    self.head = claimed;
                }
                return Ok(());
            }
        };
        let expected = self.head;
        match chain::hashes(&line.bytes) {
            Some((claimed, real)) => {
                if claimed != real {
                    let message = format!("the line was changed: its hash is {real}, it claims {claimed}");
                    self.find(at, FindingKind::Edited, message);
                }
                self.head = claimed;
            }
            None => self.find(at, FindingKind::Edited, "the line does not end in its hash".to_owned()),
        }
        if event.session_id != session.id() {
            let message = format!("the line is of session {}", event.session_id);
            self.find(at, FindingKind::Foreign, message);
        }
        if event.prev != expected.to_hex().as_str() {
            let (kind, message) = self.explain(line.number, &event.prev, event.seq)?;
            self.find(at, kind, message);
        } else if event.seq != self.verdict.seq + 1 {
            let message = format!("seq {} follows seq {}", event.seq, self.verdict.seq);
            self.find(at, FindingKind::Broken, message);
        }
        self.verdict.seq = event.seq;
        if self.anchor.as_ref().is_some_and(|anchor| anchor.seq == event.seq) {
            self.anchored = Some(event.hash);
        }
        Ok(())
    }

    /// Why a line's `prev` is not the hash of the line before it.
    fn explain(&mut self, number: u64, prev: &str, seq: u64) -> Result<(FindingKind, String), ReadProblem> {
        self.learn_claims(number)?;
        let earlier = Hash::from_hex(prev).ok().and_then(|prev| self.claims.get(&prev));
        if let Some(earlier) = earlier {
            let message =
                format!("the line follows line {earlier}, as another one does: two wrote, or lines were exchanged");
            return Ok((FindingKind::Forked, message));
        }
        let before = self.verdict.seq;
        let message = if seq > before + 1 {
            format!(
                "{} lines are missing before it (seq {seq} follows seq {before})",
                seq - before - 1
            )
        } else {
            format!("it does not follow the line before it (seq {seq} after seq {before})")
        };
        Ok((FindingKind::Broken, message))
    }

    /// Takes down what the lines before line `number` claim to be, the first of each, and from where the last time ended:
    /// a good record is read once, a bad one twice.
    fn learn_claims(&mut self, number: u64) -> Result<(), ReadProblem> {
        let path = &self.verdict.file;
        let mut lines = match self.earlier.take() {
            Some(lines) => lines,
            None => Lines::open(path).map_err(ReadProblem::io(path))?,
        };
        while self.learned + 2 < number
            && let Some(line) = lines.next()
        {
            let line = line.map_err(ReadProblem::io(path))?;
            if let Some((claimed, _)) = chain::hashes(&line.bytes) {
                self.claims.entry(claimed).or_insert(line.number);
            }
            self.learned = line.number;
        }
        self.earlier = Some(lines);
        Ok(())
    }

    /// Compares the end with the anchor.
    fn end(&mut self, session: &SessionDir, unreadable: Option<io::Error>) {
        let Some(anchor) = self.anchor.clone() else {
            if let Some(error) = unreadable {
                let message = format!("the anchor {} cannot be read: {error}", session.anchor_path().display());
                self.find(None, FindingKind::Unanchored, message);
            } else if self.verdict.lines > 0 {
                let message = format!("the anchor {} is missing", session.anchor_path().display());
                self.find(None, FindingKind::Unanchored, message);
            }
            return;
        };
        let seq = self.verdict.seq;
        if anchor.session_id != session.id() {
            let message = format!("the anchor is of session {}", anchor.session_id);
            self.find(None, FindingKind::Unanchored, message);
        } else if anchor.seq > seq {
            let message = format!(
                "{} lines are missing at its end (seq {} was synced)",
                anchor.seq - seq,
                anchor.seq
            );
            self.find(None, FindingKind::Truncated, message);
        } else if anchor.seq > 0 && self.anchored.as_ref() != Some(&anchor.hash) {
            let message = format!(
                "seq {} is not the line that was synced: the record was rewritten",
                anchor.seq
            );
            self.find(None, FindingKind::Rewritten, message);
        } else if anchor.sealed && seq > anchor.seq {
            let message = format!("{} lines were added behind the end of the session", seq - anchor.seq);
            self.find(None, FindingKind::Extended, message);
        }
    }
}
