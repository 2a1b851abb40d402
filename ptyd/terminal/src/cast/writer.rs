use std::io::{self, Write};

use super::{Event, Header, v2, v3};

/// Which version to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For old players.
    V2,
    /// What we record.
    V3,
}

/// Writes a recording, one line for each event; a file cut after any line is a valid recording.
pub struct Writer<W> {
    out: W,
    clock: Clock,
}

enum Clock {
    V2,
    V3(v3::Clock),
}

impl<W: Write> Writer<W> {
    /// Writes the header.
    pub fn new(mut out: W, format: Format, header: &Header) -> io::Result<Self> {
        let clock = match format {
            Format::V2 => {
                serde_json::to_writer(&mut out, &v2::Head::from(header))?;
                Clock::V2
            }
            Format::V3 => {
                serde_json::to_writer(&mut out, &v3::Head::from(header))?;
                Clock::V3(v3::Clock::default())
            }
        };
        out.write_all(b"\n")?;
        Ok(Writer { out, clock })
    }

    /// Writes one event. Times must not go back; where one does, version 3 writes an interval of zero.
    pub fn event(&mut self, event: &Event) -> io::Result<()> {
        match &mut self.clock {
            Clock::V2 => v2::event(&mut self.out, event),
            Clock::V3(clock) => clock.event(&mut self.out, event),
        }
    }

    /// The sink.
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.out
    }

    /// Ends the writing and returns the sink.
    pub fn into_inner(self) -> W {
        self.out
    }
}
