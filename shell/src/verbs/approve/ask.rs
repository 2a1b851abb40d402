//! Questions one after the other, on the person's own terminal. One that needs no answer any more, because somebody else
//! gave it or its time is over, makes room for the next.

use std::io;
use std::os::fd::AsFd as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use agentsh_audit::time::parse_rfc3339;
use agentsh_protocol::approvals::{Answer, Approval, Scope};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::changes::Changes;
use super::{answer, watch};
use crate::client::{self, Client};
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::render::{self, consent};

const PROMPT: &str = "[y] allow once, [s] allow for the session, [always] allow from now on, [n] deny, [l] later: ";

/// The supervisor says that the time is over; where nobody waits any more for the answer nobody says it.
const GRACE: Duration = Duration::from_secs(1);

/// Until the broker ends.
pub fn run(context: &Context, broker: &Client) -> Result<Exit, Error> {
    let mut changes = Changes::of(broker.events(&client::path(&["approvals", "watch"]))?)?;
    render::say("waiting for questions; ^C ends");
    while let Some(approval) = changes.next() {
        question(context, broker, &mut changes, &approval)?;
    }
    Ok(Exit::DONE)
}

fn question(context: &Context, broker: &Client, changes: &mut Changes, approval: &Approval) -> Result<(), Error> {
    render::print(&format!("\n{}", consent::approval(approval)))?;
    // What was typed before the question was seen is no answer to it.
    let _ = rustix::termios::tcflush(io::stdin(), rustix::termios::QueueSelector::IFlush);
    loop {
        render::print(PROMPT)?;
        let line = match hear(changes, approval)? {
            Heard::Line(line) => line,
            Heard::Over(word, by) => {
                let how = watch::resolved(context, &approval.id, word, &by);
                return render::print(&format!("\n{how}\n"));
            }
            Heard::Nothing => return Ok(()),
        };
        let (word, scope) = match line.trim() {
            "y" => (Answer::Allow, Scope::Once),
            "s" => (Answer::Allow, Scope::Session),
            "always" => (Answer::Allow, Scope::Always),
            "n" => (Answer::Deny, Scope::Once),
            "l" => return Ok(()),
            _ => continue,
        };
        match answer::send(broker, &approval.id, word, scope, None) {
            Ok(approval) => render::say(&answer::outcome(&approval, word, scope)),
            Err(Error::Api(error)) => render::say(&render::visible(&error.message)),
            Err(error) => return Err(error),
        }
        return Ok(());
    }
}

enum Heard {
    /// A line that the person typed.
    Line(String),
    /// The question is over: this is the answer, and by whom.
    Over(Answer, String),
    /// Nobody types here any more, or nobody asks.
    Nothing,
}

/// Waits for the person, or for the end of the question.
fn hear(changes: &mut Changes, approval: &Approval) -> Result<Heard, Error> {
    let failed = |errno: Errno| Error::io("reading the answer", errno.into());
    let stdin = io::stdin();
    loop {
        if let Some((answer, by)) = changes.over(&approval.id) {
            return Ok(Heard::Over(answer, by));
        }
        if changes.ended() {
            return Ok(Heard::Nothing);
        }
        let left = left(&approval.expires);
        if left.is_some_and(|left| left.is_zero()) {
            return Ok(Heard::Over(Answer::Deny, "timeout".to_owned()));
        }
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        let mut fds = [
            PollFd::from_borrowed_fd(stdin.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(changes.as_fd(), PollFlags::IN),
        ];
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(errno) => return Err(failed(errno)),
        }
        if fds[0].revents().is_empty() {
            continue;
        }
        // A terminal gives one line at a time: what stands behind it is no answer to this question.
        let mut line = [0; 4096];
        match rustix::io::read(&stdin, &mut line) {
            Ok(0) => return Ok(Heard::Nothing),
            Ok(count) => return Ok(Heard::Line(String::from_utf8_lossy(&line[..count]).into_owned())),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(failed(errno)),
        }
    }
}

/// How long a question still is one; `None` if it does not say.
fn left(expires: &str) -> Option<Duration> {
    let end = UNIX_EPOCH + Duration::from_nanos(parse_rfc3339(expires)?) + GRACE;
    Some(end.duration_since(SystemTime::now()).unwrap_or_default())
}
