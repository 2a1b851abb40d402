//! Memory for bodies that are read whole: programs may send and fetch as many at a time as they like.

use tokio::sync::{Semaphore, SemaphorePermit};

/// So much is held at the same time, in KiB.
static ROOM: Semaphore = Semaphore::const_new((512 << 20) >> 10);

/// What is not longer than this needs none.
const SHORT: usize = 64 << 10;

/// Room that is taken, until it is dropped.
#[derive(Default)]
pub(super) struct Room(Option<SemaphorePermit<'static>>);

fn kib(bytes: usize) -> usize {
    match bytes > SHORT {
        true => bytes.div_ceil(1 << 10),
        false => 0,
    }
}

impl Room {
    /// Waits for room for so many bytes.
    pub(super) async fn wait(bytes: usize) -> Room {
        let wanted = u32::try_from(kib(bytes)).unwrap_or(u32::MAX);
        // Nobody closes it.
        Room(ROOM.acquire_many(wanted).await.ok())
    }

    fn taken(&self) -> usize {
        self.0.as_ref().map_or(0, SemaphorePermit::num_permits)
    }

    /// Keeps room for so many bytes.
    pub(super) fn shrink(&mut self, bytes: usize) {
        let spare = self.taken().saturating_sub(kib(bytes));
        drop(self.0.as_mut().and_then(|permit| permit.split(spare)));
    }

    /// Whether there is room for so many bytes altogether, which is taken.
    pub(super) fn grows(&mut self, bytes: usize) -> bool {
        let more = kib(bytes).saturating_sub(self.taken());
        let Ok(more) = ROOM.try_acquire_many(u32::try_from(more).unwrap_or(u32::MAX)) else {
            return false;
        };
        match &mut self.0 {
            Some(permit) => permit.merge(more),
            None => self.0 = Some(more),
        }
        true
    }
}
