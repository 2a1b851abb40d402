use std::fs::File;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use agentsh_audit::{EventDraft, EventType, Value};
use agentsh_terminal::redact::Redactor;

use crate::supervisor::session::Session;

/// The record of one stream.
pub(super) struct Copy {
    pub session: Arc<Session>,
    pub command: String,
    /// `None` once nothing more is kept.
    pub file: Option<File>,
    pub redactor: Redactor,
    pub left: u64,
    /// The limit is an end that is told.
    pub whole: bool,
    pub stop_command: bool,
    /// Set as soon as a program runs whose stream is nobody's words.
    pub transport: Arc<AtomicBool>,
}

impl Copy {
    /// Whether what comes now is to be kept.
    pub fn keeps(&mut self) -> bool {
        if self.file.is_some() && self.transport.load(Ordering::SeqCst) {
            self.stop("a file transport began", false);
        }
        self.file.is_some()
    }

    pub fn take(&mut self, bytes: &[u8]) {
        let mut out = Vec::with_capacity(bytes.len());
        self.redactor.push(bytes, &mut out);
        self.write(&out);
    }

    fn write(&mut self, bytes: &[u8]) {
        let Some(file) = &mut self.file else { return };
        let room = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let written = file.write_all(&bytes[..room]);
        self.left -= room as u64;
        match written {
            Ok(()) if room == bytes.len() => {}
            Ok(()) if !self.whole => self.file = None,
            Ok(()) => self.stop("size limit", self.stop_command),
            Err(error) => self.stop(&error.to_string(), self.stop_command),
        }
    }

    /// Nothing more is kept, and the record says so.
    fn stop(&mut self, reason: &str, stop_command: bool) {
        self.file = None;
        let draft = EventDraft {
            command: Some(&self.command),
            fields: &[
                ("reason", Value::Text(reason)),
                ("command_stopped", Value::Bool(stop_command)),
            ],
            ..EventDraft::new(EventType::RecordingStopped)
        };
        if let Err(error) = self.session.recorder.emit(draft) {
            tracing::error!("the end of a recording is not recorded: {error}");
        }
        if stop_command {
            self.session.end_command(&self.command);
        }
    }

    pub fn finish(mut self) {
        let mut out = Vec::new();
        self.redactor.finish(&mut out);
        self.write(&out);
        self.session.pipes.release(&self.command, self.transport);
    }
}
