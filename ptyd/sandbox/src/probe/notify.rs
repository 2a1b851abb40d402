//! User notification by effect, with the very filter that is shipped.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::sync::mpsc;
use std::thread;

use libseccomp::{ScmpNotifReq, ScmpNotifResp, ScmpNotifRespFlags};

use super::Finding;
use crate::filter::{self, FilterSpec, Notified};
use crate::sys;

/// What no `getppid` ever answers.
const ANSWER: i64 = 0x5a5a_5a5a;

/// A thread goes under the filter and makes a notified call; it must get the answer given here.
pub(super) fn probe() -> Finding {
    match answered() {
        Ok(()) => Finding::Works("a notified call was answered".into()),
        Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
            Finding::Missing("another listener is there already: this process is under somebody's supervision".into())
        }
        Err(error) => Finding::Missing(error.to_string()),
    }
}

fn answered() -> io::Result<()> {
    let spec = FilterSpec {
        notified: vec![Notified::always(libc::SYS_getppid)],
        confined: true,
        ..FilterSpec::default()
    };
    let program = filter::compile(&spec)
        .map_err(io::Error::other)?
        .instructions_for_here();
    let (send, receive) = mpsc::channel::<io::Result<OwnedFd>>();
    let caller = thread::spawn(move || {
        let listener = sys::set_no_new_privs().and_then(|()| sys::load_filter(&program, filter::LOAD_FLAGS));
        let listener = listener.and_then(|made| made.ok_or_else(|| io::Error::other("no listener was made")));
        let made = listener.is_ok();
        match send.send(listener) {
            Ok(()) if made => sys::getppid(),
            _ => Ok(0),
        }
    });
    let listener = receive.recv().map_err(io::Error::other)??;
    let request = ScmpNotifReq::receive(listener.as_raw_fd()).map_err(io::Error::other)?;
    ScmpNotifResp::new_val(request.id, ANSWER, ScmpNotifRespFlags::empty())
        .respond(listener.as_raw_fd())
        .map_err(io::Error::other)?;
    let answer = caller
        .join()
        .map_err(|_| io::Error::other("the probe's thread panicked"))??;
    if answer == ANSWER {
        Ok(())
    } else {
        Err(io::Error::other("a notified call got another answer"))
    }
}
