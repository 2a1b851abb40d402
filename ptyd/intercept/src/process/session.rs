//! The session (`setsid(2)`) and the controlling terminal of a process.

use rustix::io::Errno;

/// As `proc_pid_stat(5)` tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// Its leader.
    pub leader: i32,
    /// Device number of the controlling terminal, as the kernel writes it there.
    pub terminal: Option<u32>,
}

impl Session {
    /// That of process `tgid`.
    ///
    /// # Errors
    /// `ESRCH` if it is gone, `EACCES` if the file cannot be understood.
    pub fn of(tgid: i32) -> Result<Session, Errno> {
        let stat = super::procfs::Stat::of_task(tgid).map_err(|_| Errno::SRCH)?;
        Session::parse(stat.text()).ok_or(Errno::ACCESS)
    }

    /// The name before the fields may hold anything, parentheses included.
    fn parse(stat: &[u8]) -> Option<Session> {
        let end = stat.iter().rposition(|byte| *byte == b')')?;
        let mut fields = std::str::from_utf8(&stat[end + 1..]).ok()?.split_ascii_whitespace();
        let leader = fields.nth(3)?.parse().ok()?;
        let terminal: i32 = fields.next()?.parse().ok()?;
        Some(Session {
            leader,
            terminal: (terminal != 0).then_some(terminal.cast_unsigned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_are_found_behind_any_program_name() {
        let session = |leader, terminal| Some(Session { leader, terminal });
        let parse = Session::parse;
        assert_eq!(parse(b"7 (a) b 0 (x)) S 1 2 3 34816 5 6"), session(3, Some(34816)));
        assert_eq!(parse(b"7 (sh) S 1 2 3 0 -1 6"), session(3, None));
        assert_eq!(parse(b"7 (sh) S 1 2 3"), None);
        assert_eq!(parse(b"7 sh"), None);
    }
}
