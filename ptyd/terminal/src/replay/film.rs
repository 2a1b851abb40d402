use std::time::{Duration, Instant};

use crate::cast::{Data, Event};
use crate::recording::Recording;
use crate::screen::{Screen, Size};

/// Bytes of output between two snapshots.
pub const SPACING: usize = 64 << 10;

/// A recording with a screen that can stand after any of its events.
pub struct Film {
    recording: Recording,
    snapshots: Vec<Snapshot>,
    /// The snapshots are complete up to here.
    indexed: Stage,
    shown: Stage,
}

struct Snapshot {
    played: usize,
    size: Size,
    picture: String,
}

/// A screen after so many events.
struct Stage {
    screen: Screen,
    played: usize,
    /// Bytes of output since the last snapshot.
    bytes: usize,
}

impl Stage {
    fn start(size: Size) -> Result<Stage, avt::InvalidSize> {
        Ok(Stage {
            screen: Screen::new(size, 0)?,
            played: 0,
            bytes: 0,
        })
    }

    fn play(&mut self, event: &Event) {
        match &event.data {
            Data::Output(text) => {
                self.screen.push(text.as_bytes());
                self.bytes += text.len();
            }
            Data::Resize { cols, rows } => self.screen.resize(Size::claimed(*cols, *rows)),
            _ => {}
        }
        self.played += 1;
    }
}

impl Film {
    /// A film that stands at its start. Nothing is played yet.
    ///
    /// # Errors
    /// None in practice: sizes are never zero.
    pub fn new(recording: Recording) -> Result<Film, avt::InvalidSize> {
        let size = Size::claimed(recording.header.cols, recording.header.rows);
        Ok(Film {
            indexed: Stage::start(size)?,
            shown: Stage::start(size)?,
            snapshots: Vec::new(),
            recording,
        })
    }

    /// The recording.
    pub fn recording(&self) -> &Recording {
        &self.recording
    }

    /// How many events there are.
    pub fn len(&self) -> usize {
        self.recording.events.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.recording.events.is_empty()
    }

    /// How many events have been played into the screen.
    pub fn played(&self) -> usize {
        self.shown.played
    }

    /// Takes snapshots for about `time`; whether there are all now. Seeking into the part that has
    /// none yet plays it first.
    pub fn index(&mut self, time: Duration) -> bool {
        let start = Instant::now();
        while let Some(event) = self.recording.events.get(self.indexed.played) {
            self.indexed.play(event);
            if self.indexed.bytes >= SPACING {
                self.indexed.bytes = 0;
                self.snapshots.push(Snapshot {
                    played: self.indexed.played,
                    size: self.indexed.screen.size(),
                    picture: self.indexed.screen.snapshot(),
                });
                if start.elapsed() >= time {
                    break;
                }
            }
        }
        self.indexed.played == self.recording.events.len()
    }

    /// Brings the screen to where it stood after the first `played` events.
    pub fn seek(&mut self, played: usize) {
        let played = played.min(self.recording.events.len());
        let before = self
            .snapshots
            .partition_point(|snapshot| snapshot.played <= played)
            .checked_sub(1);
        let snapshot = before.map(|index| &self.snapshots[index]);
        let nearest = snapshot.map_or(0, |snapshot| snapshot.played);
        if played < self.shown.played || nearest > self.shown.played {
            let (cols, rows) = (self.recording.header.cols, self.recording.header.rows);
            let screen = match snapshot {
                Some(snapshot) => Screen::restore(snapshot.size, &snapshot.picture),
                None => Screen::new(Size::claimed(cols, rows), 0),
            };
            if let Ok(screen) = screen {
                self.shown = Stage {
                    screen,
                    played: nearest,
                    bytes: 0,
                };
            }
        }
        while self.shown.played < played {
            let Some(event) = self.recording.events.get(self.shown.played) else {
                return;
            };
            self.shown.play(event);
        }
    }

    /// The screen as it stands.
    pub fn screen(&mut self) -> &mut Screen {
        &mut self.shown.screen
    }
}
