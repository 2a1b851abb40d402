//! What a process must look like after an exec that was let through, and what it looks like.

use std::ffi::CString;
use std::sync::Arc;

use rustix::io::Errno;

use super::request::{Role, Subject};
use crate::caller::held::Stay;
use crate::caller::{Caller, MAX_ARGUMENTS};
use crate::process::procfs::{self, StatFile};
use crate::process::{FileId, Known, TaskStat};
use crate::sys::memory;

/// Arguments up to this length are read from memory.
const SHORT: usize = 16 << 10;

/// An environment up to this length is read along with them.
const LONG: usize = 112 << 10;

/// A process image, as procfs shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    pub file: FileId,
    pub stat: TaskStat,
    pub cmdline: Vec<u8>,
    /// Its environment where the kernel put it; nothing if nobody asked for it, or it cannot be read.
    pub environment: Option<Vec<u8>>,
}

impl Image {
    /// The image of the caller's process now.
    ///
    /// # Errors
    /// `EACCES`, `ENOENT`, `ESRCH` if it cannot be known.
    pub fn of(caller: &Caller<'_>, known: &Known) -> Result<Image, Errno> {
        Image::steady(caller, known, false)
    }

    /// The same, with its environment.
    ///
    /// # Errors
    /// As [`Image::of`].
    pub fn with_environment(caller: &Caller<'_>, known: &Known) -> Result<Image, Errno> {
        Image::steady(caller, known, true)
    }

    fn steady(caller: &Caller<'_>, known: &Known, environment: bool) -> Result<Image, Errno> {
        let tgid = known.tgid;
        let mut stat = caller.stat(tgid, known.single)?;
        loop {
            let image = Image::read(caller.tid(), tgid, stat, environment)?;
            // Only another thread can execute something while the calling one waits; what was read
            // around that would be a mixture of two images.
            if image.stat.threads == 1 {
                return Ok(image);
            }
            stat = TaskStat::read(tgid)?;
            if stat.layout == image.stat.layout {
                return Ok(image);
            }
        }
    }

    fn read(tid: i32, tgid: i32, stat: TaskStat, environment: bool) -> Result<Image, Errno> {
        let file = FileId::image(tgid)?;
        let (cmdline, given) = match written(tid, &stat, environment) {
            Some((cmdline, given)) => (cmdline, given),
            None => (procfs::read(tgid, "cmdline").map_err(|_| Errno::ACCESS)?, None),
        };
        let [.., start, end] = stat.layout;
        let environment = match given {
            None if environment => block(tid, start, end, MAX_ARGUMENTS),
            given => given,
        };
        Ok(Image {
            file,
            stat,
            cmdline,
            environment,
        })
    }

    /// Whether no exec lies between `before` and this.
    pub fn is_still(&self, before: &Before) -> bool {
        self.file == before.file
            && self.stat.started == before.stat.started
            && self.stat.layout == before.stat.layout
            && before.cmdline.as_ref().is_none_or(|cmdline| self.cmdline == *cmdline)
    }

    /// The arguments that it was started with, or has written over them.
    pub fn argv(&self) -> Vec<CString> {
        let mut words: Vec<&[u8]> = self.cmdline.split(|byte| *byte == 0).collect();
        if words.last().is_some_and(|last| last.is_empty()) {
            words.pop();
        }
        words.into_iter().filter_map(|word| CString::new(word).ok()).collect()
    }
}

/// What tells an image that is about to execute something from what comes after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Before {
    pub file: FileId,
    pub stat: TaskStat,
    /// Its arguments, where the addresses of two images can be equal.
    pub cmdline: Option<Vec<u8>>,
}

impl From<Image> for Before {
    fn from(image: Image) -> Before {
        Before {
            file: image.file,
            stat: image.stat,
            cmdline: Some(image.cmdline),
        }
    }
}

/// The arguments where the kernel put them, and the environment if that lies behind them, with one call instead of
/// three or four; nothing where only `/proc/PID/cmdline` can tell (they are long, or not ours to read).
fn written(tid: i32, stat: &TaskStat, environment: bool) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
    let [.., start, end, behind, last] = stat.layout;
    let length = |start: u64, end: u64| usize::try_from(end.checked_sub(start)?).ok();
    let arguments = length(start, end).filter(|length| (1..=SHORT).contains(length))?;
    let both = environment && behind == end && length(end, last).is_some_and(|length| (1..=LONG).contains(&length));
    let mut text = block(tid, start, if both { last } else { end }, SHORT + LONG)?;
    let given = both.then(|| text.split_off(arguments));
    // Who has written over the last NUL shows more than this.
    (text.last() == Some(&0)).then_some((text, given))
}

/// What lies from `start` to `end`, if it is no more than `most` bytes.
fn block(tid: i32, start: u64, end: u64, most: usize) -> Option<Vec<u8>> {
    let length = usize::try_from(end.checked_sub(start)?).ok()?;
    if start == 0 || length > most {
        return None;
    }
    let mut text = vec![0; length];
    let count = if length == 0 {
        0
    } else {
        memory::read(tid, start, &mut text).ok()?
    };
    (count == length).then_some(text)
}

/// An exec that was let through and not been seen since.
#[derive(Debug, Clone)]
pub struct Expectation {
    /// The thread that called.
    pub tid: i32,
    /// Before.
    pub before: Before,
    /// What was judged.
    pub subjects: Vec<Subject>,
    /// After: the file.
    pub image: FileId,
    /// After: the arguments, each with its NUL.
    pub cmdline: Vec<u8>,
    /// After: the environment, each entry with its NUL; nothing where nobody has judged it.
    pub environment: Option<Vec<u8>>,
    /// Taken over from the parent: it says what this process may look like, not that it executed anything.
    pub inherited: bool,
    /// Whether it is one program more on the way from the command's start.
    pub counts: bool,
    /// What tells of the process afterwards, without being looked for anew.
    pub stat: Option<Arc<StatFile>>,
    /// Where the thread stays until its program is loaded.
    pub stay: Option<Arc<Stay>>,
}

impl Expectation {
    /// The same for a child, which was started at `started` and may be of either image.
    pub fn of_child(mut self, started: u64) -> Expectation {
        self.inherited = true;
        (self.stat, self.stay) = (None, None);
        self.before.stat.started = started;
        self
    }

    /// The text of `/proc/PID/cmdline` for `argv`.
    pub fn cmdline(argv: &[CString]) -> Vec<u8> {
        // Since Linux 5.18 nothing runs without an argv[0].
        if argv.is_empty() {
            return vec![0];
        }
        Expectation::block(argv)
    }

    /// Texts as the kernel lays them out for a new image.
    pub fn block(words: &[CString]) -> Vec<u8> {
        words
            .iter()
            .flat_map(|word| word.as_bytes_with_nul())
            .copied()
            .collect()
    }

    /// Whether what runs as `image` was given the environment that was judged.
    pub fn has_environment(&self, image: &Image) -> bool {
        match (&self.environment, &image.environment) {
            (None, _) => true,
            (Some(judged), Some(given)) => is_given(judged, given),
            (Some(_), None) => false,
        }
    }

    /// Whether `image` is what was judged.
    pub fn is_met_by(&self, image: &Image) -> bool {
        self.image == image.file && self.cmdline == image.cmdline && self.by_name().all(still_there)
    }

    /// Files that the image opens by their names: scripts, and what a loader loads.
    fn by_name(&self) -> impl Iterator<Item = &Subject> {
        let scripts = self.subjects.iter().position(|one| one.file == self.image).unwrap_or(0);
        let loaded = move |index: usize, one: &Subject| index < scripts || one.role == Role::Loaded;
        self.subjects
            .iter()
            .enumerate()
            .filter_map(move |(index, one)| loaded(index, one).then_some(one))
    }
}

/// Whether a program that was to get the `judged` environment looks as if it had got it, at its first call. Up to glibc 2.38
/// the loader ends values in `GLIBC_TUNABLES` with a NUL, before any call, where the kernel put the environment. What follows
/// might have been given as a variable of its own then: it must be the next tunable, or nothing.
fn is_given(judged: &[u8], given: &[u8]) -> bool {
    const TUNABLES: &[u8] = b"GLIBC_TUNABLES=";
    if judged == given {
        return true;
    }
    let mut rest = given;
    let same = judged.split_inclusive(|byte| *byte == 0).all(|entry| {
        let Some((there, behind)) = rest.split_at_checked(entry.len()) else {
            return false;
        };
        rest = behind;
        let names_nothing = |text: &[u8]| {
            [&b"glibc."[..], b":", b"\0"]
                .iter()
                .any(|start| text.starts_with(start))
        };
        let ends_value = |at: usize| entry[at] == b':' && there[at] == 0 && names_nothing(&entry[at + 1..]);
        let by_loader = || (0..entry.len()).all(|at| entry[at] == there[at] || ends_value(at));
        entry == there || (entry.starts_with(TUNABLES) && by_loader())
    });
    same && rest.is_empty()
}

/// Whether a file is still the judged one.
fn still_there(subject: &Subject) -> bool {
    let Some(path) = subject.place.path() else { return true };
    match rustix::fs::stat(path) {
        Ok(stat) => FileId::of(&stat) == subject.file,
        // It is gone: nobody can open another in its place under that name now.
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_is_the_judged_one_or_what_the_loader_makes_of_its_tunables() {
        let judged = b"A=1:glibc.x=2\0GLIBC_TUNABLES=glibc.malloc.check=1:glibc.malloc.perturb=165:b.c=1:\0B=\0";
        let given = |from: &[u8], to: &[u8]| {
            let at = judged
                .windows(from.len())
                .position(|part| part == from)
                .unwrap_or(judged.len());
            [&judged[..at], to, &judged[at + from.len()..]].concat()
        };
        assert!(is_given(judged, judged));
        assert!(is_given(judged, &given(b"1:glibc.malloc.p", b"1\0glibc.malloc.p")));
        assert!(is_given(judged, &given(b"b.c=1:\0", b"b.c=1\0\0")));
        for (from, to) in [
            (&b"165:b.c"[..], &b"165\0b.c"[..]),
            (b"A=1:glibc", b"A=1\0glibc"),
            (b"check=1", b"check=2"),
            (b"check=1:", b"check=1;"),
            (b"B=\0", b"B=1\0"),
            (b"B=\0", b""),
        ] {
            let given = given(from, to);
            assert!(!is_given(judged, &given), "{}", String::from_utf8_lossy(&given));
        }
        assert!(!is_given(judged, b"") && !is_given(b"", judged) && is_given(b"", b""));
    }
}
