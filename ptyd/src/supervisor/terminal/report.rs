//! What hub and recorder tell, put on the session's record.

use std::sync::{Arc, Weak};

use agentsh_audit::{EventDraft, EventType, RecordError, Value};
use agentsh_protocol::terminal::Window;
use agentsh_terminal::hub::{Event, Gone};
use agentsh_terminal::recorder::Report;

use super::super::session::Session;

/// Speaks for one terminal.
#[derive(Clone)]
pub(super) struct Reporter {
    session: Weak<Session>,
    command: String,
    /// Its first client is its caller's own terminal.
    of_caller: bool,
}

impl Reporter {
    pub(super) fn new(session: &Arc<Session>, command: &str, of_caller: bool) -> Reporter {
        Reporter {
            session: Arc::downgrade(session),
            command: command.to_owned(),
            of_caller,
        }
    }

    pub(super) fn opened(&self, window: Window, recorded: bool) -> Result<(), RecordError> {
        let Some(session) = self.session.upgrade() else {
            return Err(RecordError::Closed);
        };
        session.recorder.emit(EventDraft {
            command: Some(&self.command),
            fields: &size(window.cols, window.rows),
            ..EventDraft::new(EventType::PtyOpen)
        })?;
        session.terminals.opened();
        if recorded {
            session.terminals.opened();
        }
        Ok(())
    }

    fn emit(&self, kind: EventType, fields: &[(&str, Value<'_>)]) {
        let Some(session) = self.session.upgrade() else { return };
        let draft = EventDraft {
            command: Some(&self.command),
            fields,
            ..EventDraft::new(kind)
        };
        if let Err(error) = session.recorder.emit(draft) {
            tracing::error!(
                command = self.command,
                "an event of its terminal is not recorded: {error}"
            );
        }
    }

    fn stopped(&self, reason: &str, stop_command: bool) {
        self.emit(
            EventType::RecordingStopped,
            &[
                ("reason", Value::Text(reason)),
                ("command_stopped", Value::Bool(stop_command)),
            ],
        );
        if stop_command && let Some(session) = self.session.upgrade() {
            session.end_command(&self.command);
        }
    }

    /// What the recorder tells, in its own thread.
    pub(super) fn of_recording(&self) -> Box<dyn FnMut(Report) + Send> {
        let reporter = self.clone();
        Box::new(move |report| match report {
            Report::Stopped { reason, stop_command } => reporter.stopped(&reason.to_string(), stop_command),
            Report::Finished(_) => {
                if let Some(session) = reporter.session.upgrade() {
                    session.terminals.over();
                }
            }
        })
    }

    /// What the hub tells, in its own thread.
    pub(super) fn of_hub(&self) -> impl FnMut(Event) + Send + 'static {
        let reporter = self.clone();
        let mut primary = None;
        move |event| {
            let Some(session) = reporter.session.upgrade() else {
                return;
            };
            match event {
                Event::Attached(id) if reporter.of_caller && *primary.get_or_insert(id) == id => {}
                Event::Attached(_) => reporter.emit(EventType::PtyAttach, &[]),
                Event::Detached(id, why) if primary == Some(id) => {
                    match why {
                        // Whoever relays for it was killed: without us that would have been the command itself.
                        Gone::Lost | Gone::Broken => session.relay_lost(&reporter.command),
                        Gone::HungUp => session.terminals.hang_up(&reporter.command),
                        _ => {}
                    }
                }
                Event::Detached(_, _) => reporter.emit(EventType::PtyDetach, &[]),
                Event::Resized { cols, rows } => reporter.emit(EventType::PtyResize, &size(cols, rows)),
                Event::RecordingStalled => reporter.stopped("the disk did not keep up", false),
                Event::Closed => {
                    reporter.emit(EventType::PtyClose, &[]);
                    session.terminals.remove(&reporter.command);
                    session.terminals.over();
                }
                _ => {}
            }
        }
    }
}

fn size<'a>(cols: u16, rows: u16) -> [(&'a str, Value<'a>); 2] {
    [
        ("cols", Value::Unsigned(cols.into())),
        ("rows", Value::Unsigned(rows.into())),
    ]
}
