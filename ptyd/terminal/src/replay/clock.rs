use std::time::Duration;

use crate::cast::Event;

/// When each event is played: the recorded times, with pauses cut to a limit.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    times: Vec<Duration>,
}

impl Clock {
    /// The clock of these events; pauses longer than `idle` last just so long.
    pub fn new(events: &[Event], idle: Option<Duration>) -> Clock {
        let mut played = Duration::ZERO;
        let mut before = Duration::ZERO;
        let times = events
            .iter()
            .map(|event| {
                let pause = event.time.saturating_sub(before);
                before = before.max(event.time);
                played += idle.map_or(pause, |idle| pause.min(idle));
                played
            })
            .collect();
        Clock { times }
    }

    /// When the last event is played.
    pub fn length(&self) -> Duration {
        self.times.last().copied().unwrap_or_default()
    }

    /// When the event at `index` is played.
    pub fn time(&self, index: usize) -> Option<Duration> {
        self.times.get(index).copied()
    }

    /// How many events have been played at `time`.
    pub fn played(&self, time: Duration) -> usize {
        self.times.partition_point(|played| *played <= time)
    }
}
