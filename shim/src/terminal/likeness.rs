//! Whoever has started a shell on a terminal looks at that process, and at the one in front of the terminal, to learn which
//! program runs there and in which folder: tmux, terminal emulators, editors. So what stands there for a process of the
//! command looks like it.

use super::sys;

/// How the process that this one stands for looked last.
pub(super) struct Likeness {
    of: i32,
    folder: Vec<u8>,
    name: Vec<u8>,
    arguments: Vec<u8>,
}

impl Likeness {
    /// Of a process of which nothing is known yet.
    pub(super) fn of(pid: i32) -> Likeness {
        Likeness {
            of: pid,
            folder: Vec::new(),
            name: Vec::new(),
            arguments: Vec::new(),
        }
    }

    /// Takes on what has changed. What cannot be read, or is gone, is left as it was.
    pub(super) fn look(&mut self) {
        let file = |name: &str| format!("/proc/{}/{name}", self.of);
        if let Ok(folder) = rustix::fs::readlink(file("cwd"), Vec::new())
            && folder.as_bytes() != self.folder
            && rustix::process::chdir(file("cwd")).is_ok()
        {
            self.folder = folder.into_bytes();
        }
        if let Ok(name) = std::fs::read(file("comm"))
            && name != self.name
        {
            sys::set_name(name.trim_ascii_end());
            self.name = name;
        }
        match std::fs::read(file("cmdline")) {
            Ok(arguments) if !arguments.is_empty() && arguments != self.arguments => {
                sys::set_arguments(&arguments);
                self.arguments = arguments;
            }
            _ => {}
        }
    }

    /// Stands for another one from now on.
    pub(super) fn turn_to(&mut self, pid: i32) {
        self.of = pid;
    }
}
