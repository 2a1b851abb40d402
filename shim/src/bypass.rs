//! The documented way past a broken broker, so that nobody is locked out of a machine.

use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use agentsh_protocol::launch::Start;
use agentsh_protocol::places;
use rustix::fs::FileType;
use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType, sendto, socket_with};

use crate::start::Wanted;
use crate::{Invocation, Refusal, sys};

/// Folders of real shells, as the supervisor looks for them.
const FOLDERS: [&str; 4] = ["/bin", "/usr/bin", "/usr/local/bin", "/run/current-system/sw/bin"];

/// If root has put [`places::DISABLED`] there: leaves a line in syslog and becomes the real shell.
/// Programs of `agentsh exec` are not shells that a person needs to get in, and are refused.
pub(crate) fn if_disabled(wanted: &Wanted, invocation: &Invocation<'_>) -> Option<Refusal> {
    let stat = rustix::fs::lstat(places::DISABLED).ok()?;
    if stat.st_uid != 0 || FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return None;
    }
    let Start::Shell { name } = &wanted.start else {
        return Some(Refusal::new(format!("switched off by {}", places::DISABLED)));
    };
    // The configuration may be what is broken: its default shell is not asked for, only what comes after it.
    let names = name.as_deref().map_or(vec!["bash", "sh"], |name| vec![name]);
    let own: Vec<CString> = invocation.argv.iter().map(|argument| (*argument).to_owned()).collect();
    for name in &names {
        let there: Vec<CString> = FOLDERS
            .iter()
            .filter_map(|folder| CString::new(Path::new(folder).join(name).as_os_str().as_bytes()).ok())
            .filter(|program| !is_this_program(program))
            .collect();
        if !there.is_empty() {
            log(name);
        }
        for program in there {
            let _ = sys::execve(&program, &own, &invocation.env);
        }
    }
    Some(Refusal {
        status: 127,
        message: format!("{}: no such shell", names.join(", ")),
    })
}

fn is_this_program(program: &CStr) -> bool {
    match (rustix::fs::stat(program), rustix::fs::stat("/proc/self/exe")) {
        (Ok(theirs), Ok(ours)) => (theirs.st_dev, theirs.st_ino) == (ours.st_dev, ours.st_ino),
        _ => true,
    }
}

/// One line to syslogd (RFC 3164, facility authpriv, severity warning); nobody there is no error.
fn log(name: &str) {
    let uid = rustix::process::getuid().as_raw();
    let line = format!(
        "<84>{}: {} is there: {name} of uid {uid} runs outside of agentsh",
        places::SHIM_PROGRAM,
        places::DISABLED
    );
    let Ok(socket) = socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None) else {
        return;
    };
    if let Ok(address) = SocketAddrUnix::new("/dev/log") {
        let _ = sendto(
            &socket,
            line.as_bytes(),
            SendFlags::NOSIGNAL | SendFlags::DONTWAIT,
            &address,
        );
    }
}
