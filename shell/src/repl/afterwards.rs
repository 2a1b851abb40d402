//! What a line did is told a moment after its end, above the next prompt: the record folds what happens within a window
//! before it writes it, and nobody should wait for that.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use agentsh_audit::SessionDir;

use super::notices::Notices;
use super::summary;
use crate::exec::history::Mark;
use crate::render::Style;

/// A little more than the recorder's window.
const SETTLED: Duration = Duration::from_millis(350);

/// Tells what the lines did.
pub struct Teller {
    ended: Sender<()>,
}

impl Teller {
    /// Tells by `notices` what the command's events say, from now on. That a line cannot be told changes nothing.
    pub fn start(dir: SessionDir, command: String, style: Style, notices: Notices) -> Teller {
        let (ended, lines) = channel();
        let mut mark = Mark::set(&dir);
        // Without a thread nothing is told.
        let _ = thread::Builder::new().name("summaries".to_owned()).spawn(move || {
            while settled(&lines) {
                let next = Mark::set(&dir);
                let events = mark.events_of(&command).unwrap_or_default();
                mark = next;
                if let Some(text) = summary::deeds(&events, style) {
                    notices.tell(text + "\n");
                }
            }
        });
        Teller { ended }
    }

    /// A line has ended.
    pub fn line_ended(&self) {
        let _ = self.ended.send(());
    }
}

/// Waits for the end of a line and then until none has ended for a moment; `false` when there will be no more.
fn settled(lines: &Receiver<()>) -> bool {
    if lines.recv().is_err() {
        return false;
    }
    while lines.recv_timeout(SETTLED).is_ok() {}
    true
}
