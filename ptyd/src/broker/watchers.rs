//! The open connections that are told what people are asked.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use agentsh_protocol::approvals::Change;
use hyper::body::{Body, Bytes, Frame};
use tokio::sync::{Notify, mpsc};

/// A watcher that is so many events behind is dropped: it may connect again.
const BEHIND: usize = 1024;

/// All of them.
#[derive(Default)]
pub(super) struct Watchers {
    next: Cell<u64>,
    open: RefCell<Vec<Watcher>>,
    changed: Notify,
}

struct Watcher {
    id: u64,
    /// The one session that it is told of; `None`: all.
    session: Option<String>,
    sender: mpsc::Sender<Bytes>,
}

impl Watcher {
    fn is_told_of(&self, session: &str) -> bool {
        self.session.as_deref().is_none_or(|own| own == session)
    }
}

impl Watchers {
    /// How many are told what this session asks.
    pub(super) fn count(&self, session: &str) -> usize {
        let open = self.open.borrow();
        open.iter().filter(|watcher| watcher.is_told_of(session)).count()
    }

    /// Waits until one has come or gone.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// One more, of this session or of all.
    pub(super) fn open(self: &Rc<Self>, session: Option<String>) -> Events {
        let id = self.next.get();
        self.next.set(id + 1);
        let (sender, receiver) = mpsc::channel(BEHIND);
        self.open.borrow_mut().push(Watcher { id, session, sender });
        self.changed.notify_one();
        Events {
            id,
            receiver,
            watchers: Rc::clone(self),
        }
    }

    /// Tells all that are told of this session.
    pub(super) fn tell(&self, session: &str, change: &Change) {
        let Some(text) = event(change) else { return };
        let mut open = self.open.borrow_mut();
        let before = open.len();
        open.retain(|watcher| !watcher.is_told_of(session) || watcher.sender.try_send(text.clone()).is_ok());
        if open.len() != before {
            self.changed.notify_one();
        }
    }
}

fn event(change: &Change) -> Option<Bytes> {
    let json = serde_json::to_string(change)
        .inspect_err(|error| tracing::error!("an event is not sent: {error}"))
        .ok()?;
    // JSON has no line breaks of its own.
    Some(Bytes::from(format!("data: {json}\n\n")))
}

/// What one of them is sent. When it is dropped the watcher is gone.
pub(super) struct Events {
    id: u64,
    receiver: mpsc::Receiver<Bytes>,
    watchers: Rc<Watchers>,
}

impl Events {
    /// Sends a change to this watcher alone.
    pub(super) fn begin_with(&self, change: &Change) {
        let open = self.watchers.open.borrow();
        if let (Some(watcher), Some(text)) = (open.iter().find(|watcher| watcher.id == self.id), event(change)) {
            let _ = watcher.sender.try_send(text);
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.watchers.open.borrow_mut().retain(|watcher| watcher.id != self.id);
        self.watchers.changed.notify_one();
    }
}

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.receiver
            .poll_recv(context)
            .map(|text| text.map(|text| Ok(Frame::data(text))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_watches_one_session_is_nobody_to_the_others() {
        let watchers = Rc::new(Watchers::default());
        let one = watchers.open(Some("a".to_owned()));
        let all = watchers.open(None);
        assert_eq!(["a", "b"].map(|session| watchers.count(session)), [2, 1]);
        let change = Change::Resolved {
            id: "x".to_owned(),
            answer: agentsh_protocol::approvals::Answer::Deny,
            by: "timeout".to_owned(),
        };
        watchers.tell("b", &change);
        assert_eq!((one.receiver.len(), all.receiver.len()), (0, 1));
        drop(all);
        assert_eq!(["a", "b"].map(|session| watchers.count(session)), [1, 0]);
    }
}
