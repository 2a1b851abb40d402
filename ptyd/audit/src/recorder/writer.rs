//! The one thread that moves the spool into the record.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::batch::{self, Identity};
use super::log::Log;
use super::shared::{BATCH, Requests, Shared, Stop};
use super::{Health, Options};
use crate::anchor::{Anchor, AnchorFile};
use crate::event::{EventDraft, EventType, Value};
use crate::spool::{Base, record};
use crate::time;

/// How often a full disk is tried again.
const RETRY: Duration = Duration::from_millis(500);

pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) log: Log,
    pub(super) anchor: AnchorFile,
    pub(super) identity: Identity,
    pub(super) base: Base,
    pub(super) options: Options,
    /// When the record was first written since its last sync.
    pub(super) dirty: Option<Instant>,
}

impl Writer {
    /// Runs until it is asked to stop and all is written, or nothing more can be.
    pub(super) fn run(mut self) {
        loop {
            let asked = self.sleep();
            let stop = asked.stop;
            if self.pending() && stop.is_none() && !asked.now {
                // The window: what happens within it is folded, and costs one wake-up.
                let end = Instant::now() + self.options.window;
                self.shared
                    .wait_request(Some(end), |requests| requests.now || requests.stop.is_some());
            }
            match self.drain() {
                Ok(()) => self.shared.set_health(Health::of(self.shared.health(), None)),
                Err(error) => {
                    self.shared.set_health(Health::of(self.shared.health(), Some(&error)));
                    if stop.is_some() {
                        // The spool stays: whoever opens the session next finds all of it.
                        return;
                    }
                    let retry = Instant::now() + RETRY;
                    self.shared
                        .wait_request(Some(retry), |requests| requests.stop.is_some());
                }
            }
            if self.sync_is_due() {
                self.sync(false);
            }
            match stop {
                Some(_) if self.pending() => {}
                Some(stop) => return self.end(stop),
                None => {}
            }
        }
    }

    fn pending(&self) -> bool {
        self.shared.spool.tail() != self.base.drained
    }

    /// Sleeps until there is something to do; without a deadline if nothing needs to be synced.
    fn sleep(&self) -> Requests {
        if self.pending() || !self.shared.go_idle(self.base.drained) {
            return self.shared.wait_request(Some(Instant::now()), |_| false);
        }
        let deadline = self.dirty.map(|since| since + self.options.sync_every);
        let asked = self
            .shared
            .wait_request(deadline, |requests| requests != Requests::default());
        self.shared.no_longer_idle();
        asked
    }

    fn drain(&mut self) -> io::Result<()> {
        self.report_losses();
        let end = self.shared.spool.tail();
        while self.base.drained < end {
            self.batch(end)?;
        }
        Ok(())
    }

    /// Writes one batch. What it is made of is fixed in the spool before the first byte is written, so that after a
    /// death the very same bytes are written to the same place again.
    fn batch(&mut self, end: u64) -> io::Result<()> {
        if self.log.is_removed()? {
            return Err(io::Error::new(io::ErrorKind::NotFound, "it was removed"));
        }
        let spool = &self.shared.spool;
        // After a failure the batch of before is still the one to write.
        let end = if self.base.batch_end > self.base.drained {
            self.base.batch_end
        } else {
            end
        };
        let (records, end) = spool.read(self.base.drained, end, BATCH as usize);
        let batch = batch::render(&self.identity, self.base, &records, |_| true);
        if batch.end != end || end == self.base.drained {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the spool was changed from outside",
            ));
        }
        self.base.batch_end = end;
        spool.set_base(self.base);
        self.log.write_at(&batch.lines, self.base.log_len)?;
        self.base = Base {
            drained: end,
            batch_end: end,
            log_len: self.base.log_len + batch.lines.len() as u64,
            seq: batch.seq,
            head: batch.head,
        };
        spool.set_base(self.base);
        self.dirty.get_or_insert_with(Instant::now);
        self.shared.set_drained(end);
        Ok(())
    }

    /// Turns the count of dropped observations into an event. A death between the two steps counts some twice, never
    /// too few.
    fn report_losses(&self) {
        let lost = self.shared.spool.lost();
        if lost == 0 {
            return;
        }
        let draft = EventDraft {
            count: lost,
            fields: &[("reason", Value::Text("flood"))],
            ..EventDraft::new(EventType::EventsLost)
        };
        let mut encoded = Vec::new();
        record::encode(&draft, time::now(), &mut encoded);
        if self.shared.append_own(&mut encoded) {
            self.shared.spool.sub_lost(lost);
        }
    }

    fn sync_is_due(&self) -> bool {
        self.dirty
            .is_some_and(|since| since.elapsed() >= self.options.sync_every)
    }

    fn sync(&mut self, sealed: bool) {
        let anchor = Anchor::at(&self.identity.session_id, self.base, sealed);
        let synced = self.log.sync().and_then(|()| self.anchor.write(&anchor));
        self.dirty = None;
        if let Err(error) = synced {
            // What the kernel could not write back may be gone from its cache too (fsync(2)): this does not heal.
            self.shared.set_health(Health::Failed {
                message: format!("cannot sync {}: {error}", self.shared.events_path.display()),
            });
        }
    }

    fn end(mut self, stop: Stop) {
        let seal = stop == Stop::Seal;
        if self.dirty.is_some() || seal {
            self.sync(seal);
        }
        if self.shared.health() == Health::Good
            && let Err(error) = self.shared.spool.remove()
        {
            // A spool that is drained is no loss; it is found empty by the next opener.
            self.shared.set_health(Health::Failed {
                message: format!("cannot remove the spool: {error}"),
            });
        }
    }
}
