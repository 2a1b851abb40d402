//! Time limits: of a command, of a session, of its idleness.

use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tokio::time::Instant;

use super::super::session::Session;
use super::Limited;
use super::watch::reached;
use crate::process;

/// How long processes have between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(5);
/// How often it is looked whether all have gone.
const LOOK: Duration = Duration::from_millis(20);

/// The session's time.
pub(crate) struct Clock {
    started: Instant,
    idle_since: Option<Instant>,
}

impl Clock {
    pub(crate) fn start() -> Clock {
        let now = Instant::now();
        Clock {
            started: now,
            idle_since: Some(now),
        }
    }

    /// So many commands have processes now.
    pub(crate) fn busy(&mut self, commands: usize) {
        self.idle_since = match (commands, self.idle_since) {
            (0, None) => Some(Instant::now()),
            (0, since) => since,
            _ => None,
        };
    }

    /// When the session is over, and by which limit.
    fn end(&self, limited: &Limited) -> Option<(Instant, &'static str, Duration)> {
        let whole = limited
            .session
            .map(|limit| (self.started + limit, "session_timeout", limit));
        let since = self.idle_since;
        let idle = limited
            .idle
            .and_then(|limit| since.map(|since| (since + limit, "idle_timeout", limit)));
        whole.into_iter().chain(idle).min_by_key(|(end, ..)| *end)
    }

    /// Waits until the session's time is over; says by which limit.
    pub(crate) async fn over(&self, session: &Session) -> &'static str {
        let Some((end, limit, length)) = self.end(&session.rules().limited) else {
            return std::future::pending().await;
        };
        tokio::time::sleep_until(end).await;
        reached(session, None, limit, length.as_secs(), 1, "the session is ended");
        limit
    }
}

/// Ends a command whose time is over: all of its processes are asked to, and killed if they do not.
pub(crate) async fn run_out(session: Arc<Session>, command: String, limit: Duration) {
    tokio::time::sleep(limit).await;
    if !session.is_served(&command) {
        return;
    }
    session.mark_limit(&command, "command_timeout");
    reached(
        &session,
        Some(&command),
        "command_timeout",
        limit.as_secs(),
        1,
        "the command is ended",
    );
    process::signal_trees(session.processes_of(&command), Signal::TERM);
    let killed = Instant::now() + GRACE;
    while Instant::now() < killed {
        tokio::time::sleep(LOOK).await;
        if !session.is_served(&command) {
            return;
        }
    }
    session.end_command(&command);
}

/// Asks all commands to end, and gives them the time to.
pub(crate) async fn ask_to_end(session: &Session) {
    session.begin_end();
    process::signal_trees(session.processes(), Signal::TERM);
    let killed = Instant::now() + GRACE;
    while session.is_busy() && Instant::now() < killed {
        tokio::time::sleep(LOOK).await;
    }
}
