//! A recording as it lies on the disk: its events, and the very bytes that were printed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cast::{CastError, Data, Event, Header, Reader};
use crate::marker::Marker;
use crate::recorder::{SideError, SideReader};

/// What a recording may take in memory: a small compressed file can claim any length.
const MAX_BYTES: usize = 1 << 30;
/// Pauses are cut to this if the recording names no limit.
const PAUSE: Duration = Duration::from_secs(2);
/// Between the recordings of a film that was joined.
const BETWEEN: Duration = Duration::from_secs(1);

/// A whole recording in memory.
#[derive(Debug, Clone, Default)]
pub struct Recording {
    /// What it says about itself.
    pub header: Header,
    /// In the order in which they happened.
    pub events: Vec<Event>,
}

/// Why a recording could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct OpenError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it. Said already, so that whoever follows sources does not say it twice.
    pub problem: CastError,
}

impl Recording {
    /// Reads a cast of version 2 or 3, plain or compressed.
    pub fn open(path: &Path) -> Result<Recording, OpenError> {
        let read = || {
            let reader = Reader::open(path)?;
            let header = reader.header().clone();
            let mut events = Vec::new();
            let mut bytes = 0;
            for event in reader {
                let event = event?;
                bytes += size_of_val(&event) + event.output().map_or(0, str::len);
                if bytes > MAX_BYTES {
                    return Err(CastError::TooLong { limit: MAX_BYTES });
                }
                events.push(event);
            }
            Ok(Recording { header, events })
        };
        read().map_err(|problem| OpenError {
            path: path.to_owned(),
            problem,
        })
    }

    /// What pauses are cut to where they are: the recording's own limit, or two seconds.
    pub fn pause_limit(&self) -> Duration {
        let limit = self.header.idle_time_limit;
        limit
            .and_then(|limit| Duration::try_from_secs_f64(limit).ok())
            .unwrap_or(PAUSE)
    }

    /// Several recordings as one, each after the end of the one before, on a cleared screen of its own size and
    /// with a marker of its command line. `None` of nothing.
    pub fn join(recordings: impl IntoIterator<Item = Recording>) -> Option<Recording> {
        let mut recordings = recordings.into_iter();
        let mut all = recordings.next()?;
        let mark = |all: &mut Recording, time: Duration, header: &Header| {
            let label = header
                .command
                .as_ref()
                .map(|line| Marker::Command(line.clone()).label());
            all.events
                .extend(label.map(|label| Event::new(time, Data::Marker(label))));
        };
        let first = std::mem::take(&mut all.events);
        let mut rest = recordings.peekable();
        if rest.peek().is_some() {
            let header = all.header.clone();
            mark(&mut all, Duration::ZERO, &header);
        }
        all.events.extend(first);
        for Recording { header, events } in rest {
            let start = all.events.last().map_or(Duration::ZERO, |last| last.time) + BETWEEN;
            let (cols, rows) = (header.cols, header.rows);
            all.events.push(Event::new(start, Data::Output("\x1bc".to_owned())));
            all.events.push(Event::new(start, Data::Resize { cols, rows }));
            mark(&mut all, start, &header);
            let moved = events
                .into_iter()
                .map(|event| Event::new(start.saturating_add(event.time), event.data));
            all.events.extend(moved);
        }
        Some(all)
    }

    /// The bytes that the command printed, exactly (save what was redacted): where the cast has a
    /// stand-in, the bytes of the side log of `path` are put back.
    pub fn raw_output(&self, path: &Path) -> Result<Vec<u8>, SideError> {
        let mut side = match SideReader::beside(path)? {
            Some(side) => Some(side).into_iter().flatten(),
            None => None.into_iter().flatten(),
        };
        let mut bytes = Vec::new();
        let mut offset = 0u64;
        let mut next = side.next().transpose()?;
        for text in self.events.iter().filter_map(Event::output) {
            let mut text = text.as_bytes();
            while let Some(lost) = next.take_if(|lost| lost.offset < offset + text.len() as u64) {
                let before = usize::try_from(lost.offset.checked_sub(offset).ok_or(SideError::Broken)?);
                let (kept, rest) = text
                    .split_at_checked(before.unwrap_or(usize::MAX))
                    .ok_or(SideError::Broken)?;
                let after = rest.strip_prefix("\u{fffd}".as_bytes()).ok_or(SideError::Broken)?;
                bytes.extend_from_slice(kept);
                bytes.extend_from_slice(&lost.bytes);
                offset += (text.len() - after.len()) as u64;
                text = after;
                next = side.next().transpose()?;
            }
            bytes.extend_from_slice(text);
            offset += text.len() as u64;
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recordings_are_joined_on_a_cleared_screen_with_their_command_lines() {
        let one = |command: &str, text: &str| Recording {
            header: Header {
                cols: 20,
                rows: 4,
                command: Some(command.to_owned()),
                ..Header::default()
            },
            events: vec![Event::new(Duration::from_secs(2), Data::Output(text.to_owned()))],
        };
        let joined = Recording::join([one("ls", "a"), one("make", "b")]).unwrap_or_default();
        let seconds: Vec<u64> = joined.events.iter().map(|event| event.time.as_secs()).collect();
        assert_eq!(seconds, [0, 2, 3, 3, 3, 5]);
        assert_eq!(joined.events[4].data, Data::Marker("$ make".to_owned()));
        assert_eq!(joined.events[2].output(), Some("\x1bc"));
        assert!(Recording::join([]).is_none());
        assert_eq!(Recording::join([one("ls", "a")]).map(|one| one.events.len()), Some(1));
    }
}
