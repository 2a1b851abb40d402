use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::{Config, OnFull, Recorder, Report, Stop, Summary};
use crate::marker::Marker;

/// Bytes of output that may wait for the disk before [`RecorderHandle::has_room`] says no.
const CAPACITY: usize = 4 << 20;

/// The near end of a recorder's queue. Pushing never blocks.
///
/// When the last handle is dropped the recording is closed.
#[derive(Clone)]
pub struct RecorderHandle(Arc<Near>);

struct Near(Arc<Shared>);

struct Shared {
    queue: Mutex<Queue>,
    filled: Condvar,
}

#[derive(Default)]
struct Queue {
    items: Vec<(Duration, Item)>,
    /// The output of all [`Item::Output`], in order.
    bytes: Vec<u8>,
    /// Nothing is taken any more.
    refused: bool,
    abandoned: bool,
    closed: bool,
    /// Somebody was told that there is no room, and wants to hear when there is.
    wanted: bool,
}

enum Item {
    Output(usize),
    Input(Vec<u8>),
    Resize(u16, u16),
    Marker(Marker),
    Exit(i32),
}

/// Creates the recording's file and starts its thread.
///
/// `room` is called (in that thread) when there is room again after [`RecorderHandle::has_room`] said
/// no; `report` tells of an early stop and of the end.
pub fn spawn(
    config: Config,
    room: impl Fn() + Send + 'static,
    mut report: impl FnMut(Report) + Send + 'static,
) -> io::Result<RecorderHandle> {
    let stop_command = config.on_full == OnFull::StopCommand;
    let mut recorder = Recorder::new(config)?;
    let shared = Arc::new(Shared {
        queue: Mutex::default(),
        filled: Condvar::new(),
    });
    let far = shared.clone();
    thread::Builder::new().name("recorder".into()).spawn(move || {
        let mut stopped = false;
        while let Some(batch) = far.next(&room) {
            if stopped {
                continue;
            }
            if let Err(reason) = take(&mut recorder, &batch) {
                stopped = true;
                recorder.stop(&reason);
                far.lock().refused = true;
                room();
                report(Report::Stopped { reason, stop_command });
            }
        }
        if far.lock().abandoned && !stopped {
            recorder.stop(&Stop::Stalled);
            report(Report::Stopped {
                reason: Stop::Stalled,
                stop_command,
            });
        }
        match recorder.finish() {
            Ok(summary) => report(Report::Finished(summary)),
            Err(reason) => {
                report(Report::Stopped {
                    reason,
                    stop_command: false,
                });
                report(Report::Finished(Summary::default()));
            }
        }
    })?;
    Ok(RecorderHandle(Arc::new(Near(shared))))
}

fn take(recorder: &mut Recorder, batch: &Queue) -> Result<(), Stop> {
    let mut bytes = &batch.bytes[..];
    for (time, item) in &batch.items {
        match item {
            Item::Output(count) => {
                let (piece, rest) = bytes.split_at(*count);
                bytes = rest;
                recorder.output(*time, piece)?;
            }
            Item::Input(bytes) => recorder.input(*time, bytes)?,
            Item::Resize(cols, rows) => recorder.resize(*time, *cols, *rows)?,
            Item::Marker(marker) => recorder.marker(*time, marker)?,
            Item::Exit(status) => recorder.exit(*time, *status)?,
        }
    }
    recorder.flush()
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything that waits, or `None` at the end.
    fn next(&self, room: &impl Fn()) -> Option<Queue> {
        let mut queue = self.lock();
        while queue.items.is_empty() && !queue.closed {
            queue = self.filled.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        if queue.items.is_empty() {
            return None;
        }
        let batch = Queue {
            items: std::mem::take(&mut queue.items),
            bytes: std::mem::take(&mut queue.bytes),
            ..Queue::default()
        };
        let wanted = std::mem::take(&mut queue.wanted);
        drop(queue);
        if wanted {
            room();
        }
        Some(batch)
    }
}

impl Drop for Near {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.filled.notify_one();
    }
}

impl RecorderHandle {
    /// The terminal printed `bytes`, `time` after the start of the recording. Output that comes within
    /// a moment of the last one that still waits is counted as one event with it.
    pub fn output(&self, time: Duration, bytes: &[u8]) {
        let mut queue = self.0.0.lock();
        if queue.refused || bytes.is_empty() {
            return;
        }
        queue.bytes.extend_from_slice(bytes);
        match queue.items.last_mut() {
            Some((last, Item::Output(count))) if *count < 64 << 10 && time.saturating_sub(*last).as_millis() < 2 => {
                *count += bytes.len();
            }
            _ => {
                queue.items.push((time, Item::Output(bytes.len())));
                self.0.0.filled.notify_one();
            }
        }
    }

    /// These bytes were typed and may be recorded.
    pub fn input(&self, time: Duration, bytes: &[u8]) {
        self.push(time, Item::Input(bytes.to_vec()));
    }

    /// The terminal has a new size.
    pub fn resize(&self, time: Duration, cols: u16, rows: u16) {
        self.push(time, Item::Resize(cols, rows));
    }

    /// A named moment.
    pub fn marker(&self, time: Duration, marker: Marker) {
        self.push(time, Item::Marker(marker));
    }

    /// The command ended.
    pub fn exit(&self, time: Duration, status: i32) {
        self.push(time, Item::Exit(status));
    }

    /// Whether more output should be read; if not, the `room` of [`spawn`] will be called.
    pub fn has_room(&self) -> bool {
        let mut queue = self.0.0.lock();
        let room = queue.refused || queue.bytes.len() < CAPACITY;
        queue.wanted |= !room;
        room
    }

    /// Gives up on a disk that takes nothing: what waits is forgotten, nothing more is taken. Nothing is
    /// reported before the end: the thread hangs on the disk, so the caller has to say that it gave up.
    pub fn abandon(&self) {
        let mut queue = self.0.0.lock();
        queue.refused = true;
        queue.abandoned = true;
        queue.closed = true;
        queue.items.clear();
        queue.bytes = Vec::new();
    }

    fn push(&self, time: Duration, item: Item) {
        let mut queue = self.0.0.lock();
        if !queue.refused {
            queue.items.push((time, item));
            self.0.0.filled.notify_one();
        }
    }
}
