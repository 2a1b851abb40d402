//! The test that only a process outside of every Landlock domain passes.
//!
//! A helper holds a nonce in a memory file as its standard input; who can fetch that descriptor with
//! `pidfd_getfd(2)` is in no domain, for a domain keeps its processes from reaching any outside of it.

use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitCode, Stdio};

use agentsh_protocol::Bytes;
use agentsh_protocol::launch;
use rustix::thread::{CapabilitySet, CapabilitySets};

use crate::sys;

/// The helper, and what it holds. Ending it is dropping it.
pub(crate) struct Proof {
    nonce: [u8; 32],
    helper: Child,
    /// The helper ends when this end of its pipe is closed, however that comes.
    _alive: OwnedFd,
}

impl Proof {
    /// Starts the helper.
    pub(crate) fn start() -> io::Result<Proof> {
        let mut nonce = [0; 32];
        rustix::rand::getrandom(&mut nonce, rustix::rand::GetRandomFlags::empty())?;
        let memory = rustix::fs::memfd_create("proof", rustix::fs::MemfdFlags::CLOEXEC)?;
        let mut memory = std::fs::File::from(memory);
        memory.write_all(&nonce)?;
        let (waits, alive) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let helper = Command::new("/proc/self/exe")
            .arg("hold-proof")
            .env_clear()
            .stdin(memory)
            .stdout(waits)
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Proof {
            nonce,
            helper,
            _alive: alive,
        })
    }

    /// What a plan asks for.
    pub(crate) fn question(&self) -> launch::Proof {
        launch::Proof {
            pid: self.helper.id() as i32,
            fd: 0,
        }
    }

    /// Whether the answer is right. Where Yama keeps everybody from fetching, nothing is proven: the
    /// caller is then held to have no_new_privs, without which nobody enters a domain.
    pub(crate) fn is_answered_by(&self, answer: Option<&Bytes>) -> bool {
        answer.is_some_and(|answer| answer.0 == self.nonce)
    }
}

impl Drop for Proof {
    fn drop(&mut self) {
        let _ = self.helper.kill();
        let _ = self.helper.wait();
    }
}

/// The helper's life: without capabilities, so that any process of the user may reach it, it waits
/// for its supervisor's end.
pub(crate) fn hold() -> ExitCode {
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    if rustix::thread::set_capabilities(None, none).is_err() {
        return ExitCode::FAILURE;
    }
    let Ok(waits) = sys::inherited(1) else {
        return ExitCode::FAILURE;
    };
    let mut byte = [0];
    loop {
        match rustix::io::read(&waits, &mut byte) {
            Err(rustix::io::Errno::INTR) => {}
            _ => return ExitCode::SUCCESS,
        }
    }
}
