//! Files of procfs, whose content is made whole by the first read and whose size is not known.

use std::ffi::CStr;
use std::fs::File;
use std::io::{Read, Write as _};
use std::os::fd::OwnedFd;
use std::str::SplitAsciiWhitespace;

use rustix::fs::{Mode, OFlags};

/// More than any of the small files has.
const SMALL: usize = 4096;

/// The content of `/proc/{pid}/{name}`, with as few calls as it takes.
pub fn read(pid: i32, name: &str) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(format!("/proc/{pid}/{name}"))?;
    let mut content = vec![0; SMALL];
    let mut length = 0;
    loop {
        let count = file.read(&mut content[length..])?;
        length += count;
        // A file that does not fill what it is offered has no more.
        if count == 0 || length < content.len() {
            content.truncate(length);
            return Ok(content);
        }
        content.resize(2 * content.len(), 0);
    }
}

/// The text of a `stat` file (`proc_pid_stat(5)`).
pub struct Stat {
    bytes: [u8; STAT],
    length: usize,
}

/// The number of the field behind the name, in `proc_pid_stat(5)`.
pub const FIRST: usize = 3;

/// The fields of such a text from that one on. The name before it may hold anything, and ends at the last parenthesis.
pub fn fields(text: &[u8]) -> Option<SplitAsciiWhitespace<'_>> {
    let behind = text.iter().rposition(|byte| *byte == b')')? + 1;
    std::str::from_utf8(text.get(behind..)?)
        .ok()
        .map(str::split_ascii_whitespace)
}

/// More than fifty numbers and a name have.
const STAT: usize = 1536;

/// Room for the longest path of such a file.
const PATH: usize = 48;

/// Such a file, opened: it tells of the same task whatever becomes of its number, and nothing once that is gone.
#[derive(Debug)]
pub struct StatFile(OwnedFd);

impl StatFile {
    /// Of task `tid` alone. In the file of that name which stands for the process the kernel adds up the times of all its
    /// threads, each time anew: with twenty thousand of them that takes ten milliseconds.
    pub fn of_task(tid: i32) -> std::io::Result<StatFile> {
        StatFile::at(format_args!("/proc/{tid}/task/{tid}/stat\0"))
    }

    /// Of process `tgid`, which has few threads. It says the same of what we read of it, and two folders less have to be
    /// made by the kernel for it, and to be removed again when the process ends.
    pub fn of_process(tgid: i32) -> std::io::Result<StatFile> {
        StatFile::at(format_args!("/proc/{tgid}/stat\0"))
    }

    fn at(path: std::fmt::Arguments<'_>) -> std::io::Result<StatFile> {
        let mut text = [0; PATH];
        (&mut text[..]).write_fmt(path)?;
        let path = CStr::from_bytes_until_nul(&text).map_err(|_| std::io::ErrorKind::InvalidInput)?;
        let file = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(StatFile(file))
    }

    /// What it tells now.
    pub fn read(&self) -> std::io::Result<Stat> {
        let mut bytes = [0; STAT];
        let length = rustix::io::pread(&self.0, &mut bytes, 0)?;
        Ok(Stat { bytes, length })
    }
}

impl Stat {
    /// [`StatFile::of_task`], read once.
    pub fn of_task(tid: i32) -> std::io::Result<Stat> {
        StatFile::of_task(tid)?.read()
    }

    /// Whether it runs or waits for a processor, and is not blocked in a call.
    pub fn runs(&self) -> bool {
        self.field(3) == Some("R")
    }

    /// The processor that it ran on last.
    pub fn processor(&self) -> Option<usize> {
        self.field(39)?.parse().ok()
    }

    /// Field `number` of `proc_pid_stat(5)`.
    fn field(&self, number: usize) -> Option<&str> {
        fields(self.text())?.nth(number - FIRST)
    }

    /// The whole text.
    pub fn text(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_of_a_task_alone_is_what_its_process_says() -> std::io::Result<()> {
        let own = std::process::id() as i32;
        // Parent, group, session, terminal; the threads of other tests come, go and take time.
        let fields = |text: &[u8]| -> Vec<String> {
            let text = String::from_utf8_lossy(text).into_owned();
            let behind = text.rsplit_once(") ").map_or("", |(_, behind)| behind);
            behind.split(' ').skip(1).take(4).map(str::to_owned).collect()
        };
        let (one, all) = (Stat::of_task(own)?, StatFile::of_process(own)?.read()?);
        assert_eq!(fields(one.text()).len(), 4);
        assert_eq!(fields(one.text()), fields(all.text()));
        assert_eq!(fields(all.text()), fields(&read(own, "stat")?));
        Ok(())
    }

    #[test]
    fn small_and_large_files_are_read_whole() -> std::io::Result<()> {
        let own = std::process::id() as i32;
        assert_eq!(read(own, "cmdline")?, std::fs::read("/proc/self/cmdline")?);
        // Longer than one offer.
        assert_eq!(read(own, "environ")?, std::fs::read("/proc/self/environ")?);
        Ok(())
    }

    #[test]
    fn a_process_that_is_not_there_is_an_error() {
        assert!(read(i32::MAX, "stat").is_err());
    }
}
