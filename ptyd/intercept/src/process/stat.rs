//! `/proc/TID/stat`, `proc_pid_stat(5)`.

use rustix::io::Errno;

use super::procfs::{self, Stat, StatFile};

/// What tells one life of a process from another, and one program image from the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskStat {
    /// Its parent, 0 if that is outside our pid namespace.
    pub ppid: i32,
    /// Number of threads.
    pub threads: u32,
    /// When it was started, in clock ticks since boot: with the pid it names a process for ever.
    pub started: u64,
    /// Where its code, stack, arguments and environment lie. Drawn anew at every exec, except where
    /// randomisation is off; zeroes if we may not read the task.
    pub layout: [u64; 6],
}

impl TaskStat {
    /// Reads the state of task `tid`.
    ///
    /// # Errors
    /// `ESRCH` if there is none, `EACCES` if the file cannot be understood.
    pub fn read(tid: i32) -> Result<TaskStat, Errno> {
        let stat = Stat::of_task(tid).map_err(|_| Errno::SRCH)?;
        TaskStat::parse(stat.text()).ok_or(Errno::ACCESS)
    }

    /// The same of a process that has `few` threads, as far as that is known: for less.
    ///
    /// # Errors
    /// As [`TaskStat::read`].
    pub(crate) fn of_process(tgid: i32, few: bool) -> Result<TaskStat, Errno> {
        match few {
            true => TaskStat::with_file(tgid).map(|(stat, _)| stat),
            false => TaskStat::read(tgid),
        }
    }

    /// The same of a process that has few threads, with the file, which tells more later.
    ///
    /// # Errors
    /// As [`TaskStat::read`].
    pub(crate) fn with_file(tgid: i32) -> Result<(TaskStat, StatFile), Errno> {
        let file = StatFile::of_process(tgid).map_err(|_| Errno::SRCH)?;
        Ok((TaskStat::by(&file)?, file))
    }

    /// What `file` tells now.
    ///
    /// # Errors
    /// As [`TaskStat::read`].
    pub(crate) fn by(file: &StatFile) -> Result<TaskStat, Errno> {
        let stat = file.read().map_err(|_| Errno::SRCH)?;
        TaskStat::parse(stat.text()).ok_or(Errno::ACCESS)
    }

    /// Understands the file's text.
    pub fn parse(text: &[u8]) -> Option<TaskStat> {
        // The name may hold anything, and ends at the last parenthesis.
        let behind = text.iter().rposition(|byte| *byte == b')')? + 2;
        let mut wanted = [0; FIELDS.len()];
        let mut rest = text.get(behind..)?;
        let mut next = procfs::FIRST;
        for (field, value) in FIELDS.iter().zip(&mut wanted) {
            while next < *field {
                let end = rest.iter().position(|byte| *byte == b' ')?;
                rest = &rest[end + 1..];
                next += 1;
            }
            (*value, rest) = number(rest)?;
            next += 1;
        }
        let [ppid, threads, started, layout @ ..] = wanted;
        Some(TaskStat {
            ppid: i32::try_from(ppid).ok()?,
            threads: u32::try_from(threads).ok()?,
            started,
            layout,
        })
    }
}

/// Its fields that are read, by their numbers in `proc_pid_stat(5)`.
const FIELDS: [usize; 9] = [4, 20, 22, 26, 28, 48, 49, 50, 51];

/// A number in decimal digits, and what is behind it and the blank that ends it.
fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let mut value: u64 = 0;
    for (index, byte) in text.iter().enumerate() {
        match byte {
            b'0'..=b'9' => value = value.checked_mul(10)?.checked_add(u64::from(byte - b'0'))?,
            b' ' | b'\n' if index > 0 => return Some((value, &text[index + 1..])),
            _ => return None,
        }
    }
    (!text.is_empty()).then_some((value, &[]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_state_is_understood_and_stable() {
        let pid = std::process::id() as i32;
        let one = TaskStat::read(pid);
        assert!(matches!(one, Ok(stat) if stat.started > 0 && stat.layout[1] != 0 && stat.threads > 0));
        // Threads of other tests come and go.
        let alike = |stat: TaskStat| TaskStat { threads: 1, ..stat };
        assert_eq!(one.map(alike), TaskStat::read(pid).map(alike));
    }

    #[test]
    fn a_file_that_was_opened_tells_of_its_process_until_that_is_gone() -> Result<(), Box<dyn std::error::Error>> {
        let mut child = std::process::Command::new("sleep").arg("60").spawn()?;
        let tgid = child.id() as i32;
        let (stat, file) = TaskStat::with_file(tgid)?;
        let now = || TaskStat::by(&file).map(|now| (now.started, now.threads));
        assert_eq!(now(), Ok((stat.started, 1)));
        child.kill()?;
        child.wait()?;
        assert_eq!(now(), Err(Errno::SRCH));
        Ok(())
    }

    #[test]
    fn a_name_with_parentheses_and_spaces_does_not_shift_the_fields() {
        let fields: Vec<String> = (5..=52).map(|field| field.to_string()).collect();
        let text = format!("7 (a) S 9 (b)) R 4 {}", fields.join(" "));
        let stat = TaskStat::parse(text.as_bytes());
        assert_eq!(
            stat,
            Some(TaskStat {
                ppid: 4,
                threads: 20,
                started: 22,
                layout: [26, 28, 48, 49, 50, 51]
            })
        );
    }

    #[test]
    fn what_is_cut_short_is_refused() {
        assert_eq!(TaskStat::parse(b"7 (sh) R 4 5 6"), None);
        assert_eq!(TaskStat::parse(b""), None);
        let fields: Vec<String> = (5..=52).map(|field| field.to_string()).collect();
        for (from, to) in [
            (" 22 ", " 18446744073709551616 "),
            (" 22 ", "  "),
            (" 22 ", " -22 "),
            (" 51 ", " 5x "),
        ] {
            let text = format!("7 (sh) R 4 {}", fields.join(" ")).replace(from, to);
            assert_eq!(TaskStat::parse(text.as_bytes()), None, "{text}");
        }
    }
}
