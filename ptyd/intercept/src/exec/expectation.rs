//! What a process must look like after an exec that was let through, and what it looks like.

use std::ffi::CString;

use rustix::io::Errno;

use super::request::{Role, Subject};
use crate::process::{FileId, TaskStat};

/// A process image, as procfs shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    pub file: FileId,
    pub stat: TaskStat,
    pub cmdline: Vec<u8>,
}

impl Image {
    /// The image of process `tgid` now.
    ///
    /// # Errors
    /// `EACCES`, `ENOENT`, `ESRCH` if it cannot be known.
    pub fn of(tgid: i32) -> Result<Image, Errno> {
        loop {
            let image = Image::read(tgid)?;
            // Only another thread can execute something while the calling one waits; what was read
            // around that would be a mixture of two images.
            if image.stat.threads == 1 || TaskStat::read(tgid)?.layout == image.stat.layout {
                return Ok(image);
            }
        }
    }

    fn read(tgid: i32) -> Result<Image, Errno> {
        let stat = TaskStat::read(tgid)?;
        let file = FileId::image(tgid)?;
        let cmdline = std::fs::read(format!("/proc/{tgid}/cmdline")).map_err(|_| Errno::ACCESS)?;
        Ok(Image { file, stat, cmdline })
    }

    /// Whether no exec lies between `before` and this.
    pub fn is_still(&self, before: &Image) -> bool {
        self.file == before.file
            && self.stat.started == before.stat.started
            && self.stat.layout == before.stat.layout
            // Without randomisation of addresses the layouts of two images can be equal.
            && self.cmdline == before.cmdline
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

/// An exec that was let through and not been seen since.
#[derive(Debug, Clone)]
pub struct Expectation {
    /// The thread that called.
    pub tid: i32,
    /// Before.
    pub before: Image,
    /// What was judged.
    pub subjects: Vec<Subject>,
    /// After: the file.
    pub image: FileId,
    /// After: the arguments, each with its NUL.
    pub cmdline: Vec<u8>,
    /// Taken over from the parent: it says what this process may look like, not that it executed anything.
    pub inherited: bool,
}

impl Expectation {
    /// The text of `/proc/PID/cmdline` for `argv`.
    pub fn cmdline(argv: &[CString]) -> Vec<u8> {
        // Since Linux 5.18 nothing runs without an argv[0].
        if argv.is_empty() {
            return vec![0];
        }
        argv.iter().flat_map(|word| word.as_bytes_with_nul()).copied().collect()
    }

    /// Whether `image` is what was judged.
    pub fn is_met_by(&self, image: &Image) -> bool {
        self.image == image.file && self.cmdline == image.cmdline && self.subjects.iter().all(still_there)
    }
}

/// Whether a file that the image opens by its name (a script, a loaded program) is still the judged one.
fn still_there(subject: &Subject) -> bool {
    let by_name = subject.role == Role::Loaded || subject.role == Role::Program;
    let Some(path) = subject.place.path().filter(|_| by_name) else {
        return true;
    };
    match rustix::fs::stat(path) {
        Ok(stat) => FileId::of(&stat) == subject.file,
        // It is gone: nobody can open another in its place under that name now.
        Err(_) => true,
    }
}
