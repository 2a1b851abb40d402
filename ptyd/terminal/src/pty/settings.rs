use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use agentsh_protocol::terminal::{Modes, Window};
use nix::sys::signal::{SigSet, Signal};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer};
use rustix::termios::{
    InputModes, LocalModes, OptionalActions, OutputModes, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr,
};

/// What stty(1) shows of a terminal: flags, special characters, speeds.
#[derive(Debug, Clone)]
pub struct Settings(Termios);

impl Settings {
    /// The present settings of a terminal.
    ///
    /// # Errors
    /// `ENOTTY` if it is none.
    pub fn of(terminal: BorrowedFd<'_>) -> io::Result<Settings> {
        Ok(Settings(tcgetattr(terminal)?))
    }

    /// Gives a terminal these settings, at once. Also from the background, where
    /// tcsetattr(3) would stop the process with SIGTTOU.
    pub fn apply(&self, terminal: BorrowedFd<'_>) -> io::Result<()> {
        let mut ttou = SigSet::empty();
        ttou.add(Signal::SIGTTOU);
        let before = ttou.thread_swap_mask(nix::sys::signal::SigmaskHow::SIG_BLOCK)?;
        let result = tcsetattr(terminal, OptionalActions::Now, &self.0);
        before.thread_set_mask()?;
        Ok(result?)
    }

    /// The flags.
    pub fn modes(&self) -> Modes {
        Modes {
            input: self.0.input_modes.bits(),
            output: self.0.output_modes.bits(),
            local: self.0.local_modes.bits(),
        }
    }

    /// The same with other flags.
    pub fn with(mut self, modes: Modes) -> Settings {
        self.0.input_modes = InputModes::from_bits_retain(modes.input);
        self.0.output_modes = OutputModes::from_bits_retain(modes.output);
        self.0.local_modes = LocalModes::from_bits_retain(modes.local);
        self
    }

    /// The same, raw: bytes pass as they are, nothing is echoed, no key makes a signal.
    pub fn raw(&self) -> Settings {
        let mut raw = self.0.clone();
        raw.make_raw();
        Settings(raw)
    }
}

/// A terminal in raw mode, for as long as this value lives.
#[derive(Debug)]
pub struct RawMode {
    terminal: OwnedFd,
    before: Settings,
}

impl RawMode {
    /// Sets a terminal raw. The settings before it are put back on drop; a process that may be killed
    /// hands [`RawMode::before`] to another one that puts them back for it.
    pub fn enter(terminal: BorrowedFd<'_>) -> io::Result<RawMode> {
        let terminal = terminal.try_clone_to_owned()?;
        let before = Settings::of(terminal.as_fd())?;
        before.raw().apply(terminal.as_fd())?;
        Ok(RawMode { terminal, before })
    }

    /// What the terminal was set to.
    pub fn before(&self) -> &Settings {
        &self.before
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // Nobody is left to tell if the terminal is gone.
        let _ = self.before.apply(self.terminal.as_fd());
    }
}

/// What happens to what is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Echo {
    /// It is shown.
    On,
    /// It is hidden and taken line by line: a password is asked for.
    Hidden,
    /// The program takes single keys and shows what it likes (an editor, a shell's line).
    Keys,
}

/// Whether the program on a terminal has what is typed echoed. Also by the master of a pair.
pub fn echo(terminal: BorrowedFd<'_>) -> io::Result<Echo> {
    let modes = tcgetattr(terminal)?.local_modes;
    Ok(
        match (modes.contains(LocalModes::ECHO), modes.contains(LocalModes::ICANON)) {
            (true, _) => Echo::On,
            (false, true) => Echo::Hidden,
            (false, false) => Echo::Keys,
        },
    )
}

/// The window size of a terminal.
pub fn window(terminal: BorrowedFd<'_>) -> io::Result<Window> {
    let size = tcgetwinsize(terminal)?;
    Ok(Window {
        cols: size.ws_col,
        rows: size.ws_row,
        width: size.ws_xpixel,
        height: size.ws_ypixel,
    })
}

/// More lines than anybody types ahead.
const MANY_LINES: usize = 100;

/// Takes what was typed into a terminal and not read yet, given its master; also a line that is not ended.
///
/// # Errors
/// If the terminal's other side cannot be opened.
pub fn take_unread(master: BorrowedFd<'_>) -> io::Result<Vec<u8>> {
    let nonblocking = OpenptFlags::from_bits_retain(OFlags::NONBLOCK.bits());
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC | nonblocking;
    let slave = ioctl_tiocgptpeer(master, flags)?;
    let before = Settings::of(slave.as_fd())?;
    let mut unread = Vec::new();
    let mut chunk = [0; 4096];
    // Lines first, each by a read of its own: the one that finds none has waited until every key was dealt with as the
    // settings say.
    for _ in 0..MANY_LINES {
        match rustix::io::read(&slave, &mut chunk) {
            Ok(count) => unread.extend_from_slice(&chunk[..count]),
            Err(_) => break,
        }
    }
    let mut all = before.clone();
    all.0.local_modes.remove(LocalModes::ICANON);
    // A read answers at once.
    all.0.special_codes[SpecialCodeIndex::VMIN] = 0;
    all.0.special_codes[SpecialCodeIndex::VTIME] = 0;
    all.apply(slave.as_fd())?;
    while let Ok(count @ 1..) = rustix::io::read(&slave, &mut chunk) {
        unread.extend_from_slice(&chunk[..count]);
    }
    before.apply(slave.as_fd())?;
    Ok(unread)
}

/// Opens a terminal anew, not blocking: a flag on an inherited descriptor would be one on everybody's.
///
/// # Errors
/// If the terminal may not be opened by this process.
pub fn reopen(terminal: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let path = format!("/proc/self/fd/{}", terminal.as_raw_fd());
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

#[cfg(test)]
mod tests {
    use super::super::Pty;
    use super::*;

    type Failure = Box<dyn std::error::Error>;

    const WINDOW: Window = Window {
        cols: 91,
        rows: 33,
        width: 910,
        height: 660,
    };

    #[test]
    fn a_pair_has_the_size_and_the_settings_that_it_was_opened_with() -> Result<(), Failure> {
        let model = Pty::open(WINDOW, None)?;
        let mut settings = Settings::of(model.slave.as_fd())?;
        settings.0.local_modes.remove(LocalModes::ECHO);
        let pty = Pty::open(WINDOW, Some(&settings))?;
        assert_eq!(window(pty.slave.as_fd())?, WINDOW);
        assert_eq!(echo(pty.master.as_fd())?, Echo::Hidden);
        assert_eq!(echo(model.master.as_fd())?, Echo::On);
        Ok(())
    }

    #[test]
    fn raw_mode_ends_with_its_value() -> Result<(), Failure> {
        let pty = Pty::open(WINDOW, None)?;
        let raw = RawMode::enter(pty.slave.as_fd())?;
        assert_eq!(echo(pty.master.as_fd())?, Echo::Keys);
        drop(raw);
        assert_eq!(echo(pty.master.as_fd())?, Echo::On);
        Ok(())
    }

    #[test]
    fn what_nobody_has_read_is_taken_as_it_was_typed() -> Result<(), Failure> {
        let pty = Pty::open(WINDOW, None)?;
        rustix::io::write(&pty.master, b"a line\rhalf x\x7fof another")?;
        assert_eq!(take_unread(pty.master.as_fd())?, b"a line\nhalf of another");
        assert_eq!(take_unread(pty.master.as_fd())?, b"");
        assert_eq!(echo(pty.master.as_fd())?, Echo::On);
        Ok(())
    }

    #[test]
    fn a_reopened_terminal_does_not_make_the_first_one_non_blocking() -> Result<(), Failure> {
        let pty = Pty::open(WINDOW, None)?;
        let again = reopen(pty.slave.as_fd())?;
        assert!(rustix::fs::fcntl_getfl(&again)?.contains(OFlags::NONBLOCK));
        assert!(!rustix::fs::fcntl_getfl(&pty.slave)?.contains(OFlags::NONBLOCK));
        Ok(())
    }
}
