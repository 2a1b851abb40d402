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
    open: RefCell<Vec<(u64, mpsc::Sender<Bytes>)>>,
    changed: Notify,
}

impl Watchers {
    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.open.borrow().len()
    }

    /// Waits until one has come or gone.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// One more.
    pub(super) fn open(self: &Rc<Self>) -> Events {
        let id = self.next.get();
        self.next.set(id + 1);
        let (sender, receiver) = mpsc::channel(BEHIND);
        self.open.borrow_mut().push((id, sender));
        self.changed.notify_one();
        Events {
            id,
            receiver,
            watchers: Rc::clone(self),
        }
    }

    /// Tells all of them.
    pub(super) fn tell(&self, change: &Change) {
        let Some(text) = event(change) else { return };
        let mut open = self.open.borrow_mut();
        let before = open.len();
        open.retain(|(_, sender)| sender.try_send(text.clone()).is_ok());
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
        if let (Some((_, sender)), Some(text)) = (open.iter().find(|(id, _)| *id == self.id), event(change)) {
            let _ = sender.try_send(text);
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.watchers.open.borrow_mut().retain(|(id, _)| *id != self.id);
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
