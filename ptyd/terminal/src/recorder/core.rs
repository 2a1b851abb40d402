use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::commands::CommandMarks;
use super::side::SideLog;
use super::{Config, Stop, Summary};
use crate::cast::{Data, Event, Format, Header, Lost, Utf8Stream, Writer};
use crate::marker::Marker;
use crate::redact::{self, Patterns, Redactor};

/// What a recording may grow beyond its limit by: the marker that says why it stopped.
const BUFFER: usize = 128 << 10;
/// Smaller recordings are not worth compressing.
const MIN_PACKED: u64 = 16 << 10;

/// Writes one recording. Times are since its start and must not go back.
///
/// Every call that writes may fail with the reason why the recording has stopped; after that the
/// recorder takes no more.
pub struct Recorder {
    config: Config,
    writer: Writer<Counted>,
    side: SideLog,
    output: Stream,
    input: Stream,
    marks: CommandMarks,
    /// When each piece of output came, by its offset in the stream.
    times: VecDeque<(u64, Duration)>,
    /// What happened between pieces of output that are still held back by the redactor.
    waiting: VecDeque<(u64, Event)>,
    stopped: bool,
    scratch: Vec<u8>,
}

/// One direction.
struct Stream {
    redactor: Redactor,
    text: Utf8Stream,
    taken: u64,
    written: u64,
}

impl Stream {
    fn new(patterns: &Patterns) -> Self {
        Stream {
            redactor: Redactor::new(patterns.clone()),
            text: Utf8Stream::default(),
            taken: 0,
            written: 0,
        }
    }
}

struct Counted {
    file: BufWriter<File>,
    bytes: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Creates a file that only its owner may read, and that was not there.
pub(super) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

impl Recorder {
    /// Creates the file and writes its header.
    pub fn new(config: Config) -> io::Result<Self> {
        let file = Counted {
            file: BufWriter::with_capacity(BUFFER, create(&config.path)?),
            bytes: 0,
        };
        let header = redact_header(&config.header, &config.patterns);
        let mut writer = Writer::new(file, Format::V3, &header)?;
        writer.get_mut().flush()?;
        Ok(Recorder {
            side: SideLog::new(config.path.with_extension("raw")),
            output: Stream::new(&config.patterns),
            input: Stream::new(&config.patterns),
            marks: CommandMarks::default(),
            times: VecDeque::new(),
            waiting: VecDeque::new(),
            stopped: false,
            scratch: Vec::new(),
            writer,
            config,
        })
    }

    /// The terminal printed `bytes`.
    pub fn output(&mut self, time: Duration, bytes: &[u8]) -> Result<(), Stop> {
        if self.stopped || bytes.is_empty() {
            return Ok(());
        }
        self.times.push_back((self.output.taken, time));
        self.output.taken += bytes.len() as u64;
        let waiting = &mut self.waiting;
        let patterns = &self.config.patterns;
        self.marks.feed(bytes, |offset, line| {
            let label = Marker::Command(redact::text(patterns, &line)).label();
            waiting.push_back((offset, Event::new(time, Data::Marker(label))));
        });
        let mut out = std::mem::take(&mut self.scratch);
        self.output.redactor.push(bytes, &mut out);
        self.emit(out)
    }

    /// `bytes` were typed. The caller does not hand over what must not be recorded.
    pub fn input(&mut self, time: Duration, bytes: &[u8]) -> Result<(), Stop> {
        if self.stopped || !self.config.input {
            return Ok(());
        }
        let mut out = Vec::with_capacity(bytes.len());
        self.input.redactor.push(bytes, &mut out);
        // What is no UTF-8 in input is replaced: only output is kept to the byte.
        let text = self.input.text.push(&out, &mut Vec::new());
        match text.is_empty() {
            true => Ok(()),
            false => self.event(Event::new(time, Data::Input(text))),
        }
    }

    /// The terminal has a new size.
    pub fn resize(&mut self, time: Duration, cols: u16, rows: u16) -> Result<(), Stop> {
        self.event(Event::new(time, Data::Resize { cols, rows }))
    }

    /// A named moment.
    pub fn marker(&mut self, time: Duration, marker: &Marker) -> Result<(), Stop> {
        let label = redact::text(&self.config.patterns, &marker.label());
        self.event(Event::new(time, Data::Marker(label)))
    }

    /// The command ended; what is still held back is written before it.
    pub fn exit(&mut self, time: Duration, status: i32) -> Result<(), Stop> {
        self.release()?;
        self.event(Event::new(time, Data::Exit(status)))
    }

    /// Hands everything written so far to the kernel, so that a crash of ours cannot lose it.
    pub fn flush(&mut self) -> Result<(), Stop> {
        // The side log first: a stand-in in the cast must have its bytes.
        self.side.flush()?;
        Ok(self.writer.get_mut().flush()?)
    }

    /// Ends the recording after its last event with the reason why it stops.
    pub fn stop(&mut self, reason: &Stop) {
        if !std::mem::replace(&mut self.stopped, true) {
            let time = self.times.back().map_or(Duration::ZERO, |(_, time)| *time);
            let label = Marker::Stopped(reason.to_string()).label();
            // If the disk is why, this fails too, and the file ends where it ends.
            let _ = self.writer.event(&Event::new(time, Data::Marker(label)));
            let _ = self.flush();
        }
    }

    /// Closes the recording, and compresses it if that was asked for.
    pub fn finish(mut self) -> Result<Summary, Stop> {
        if !self.stopped {
            self.release()?;
        }
        self.flush()?;
        let bytes = self.writer.get_mut().bytes;
        let mut path = self.config.path.clone();
        if self.config.compress && bytes >= MIN_PACKED {
            if let Some(raw) = self.side.path() {
                pack(raw)?;
            }
            path = pack(&path)?;
        }
        Ok(Summary {
            path,
            output: self.output.written,
            masked: self.output.redactor.masked() + self.input.redactor.masked(),
            complete: !self.stopped,
        })
    }

    /// The redactor and the decoder let go of what they hold.
    fn release(&mut self) -> Result<(), Stop> {
        let mut out = std::mem::take(&mut self.scratch);
        self.output.redactor.finish(&mut out);
        self.emit(out)?;
        let mut lost = Vec::new();
        let text = self.output.text.finish(&mut lost);
        let time = self.times.back().map_or(Duration::ZERO, |(_, time)| *time);
        self.text(time, text, &lost)
    }

    /// Writes decided output, each byte at the time at which it came, and in between whatever
    /// happened there.
    fn emit(&mut self, mut out: Vec<u8>) -> Result<(), Stop> {
        let mut done = 0;
        let result = loop {
            while self
                .times
                .get(1)
                .is_some_and(|(offset, _)| *offset <= self.output.written)
            {
                self.times.pop_front();
            }
            if let Some((_, event)) = self.waiting.pop_front_if(|(offset, _)| *offset <= self.output.written) {
                if let Err(stop) = self.write(&event) {
                    break Err(stop);
                }
                continue;
            }
            let Some((_, time)) = self.times.front().copied().filter(|_| done < out.len()) else {
                break Ok(());
            };
            let next = [
                self.times.get(1).map(|(offset, _)| *offset),
                self.waiting.front().map(|(offset, _)| *offset),
            ];
            let until = next.into_iter().flatten().min().unwrap_or(u64::MAX) - self.output.written;
            let end = out
                .len()
                .min(done.saturating_add(usize::try_from(until).unwrap_or(usize::MAX)));
            let mut lost = Vec::new();
            let text = self.output.text.push(&out[done..end], &mut lost);
            self.output.written += (end - done) as u64;
            done = end;
            if let Err(stop) = self.text(time, text, &lost) {
                break Err(stop);
            }
        };
        out.clear();
        self.scratch = out;
        result
    }

    fn text(&mut self, time: Duration, text: String, lost: &[Lost]) -> Result<(), Stop> {
        let side = self.side.write(lost)?;
        self.writer.get_mut().bytes += side;
        match text.is_empty() {
            true => Ok(()),
            false => self.write(&Event::new(time, Data::Output(text))),
        }
    }

    /// Writes an event now if nothing that came before it is held back, else after that.
    fn event(&mut self, event: Event) -> Result<(), Stop> {
        if self.stopped {
            return Ok(());
        }
        if self.output.written < self.output.taken {
            self.waiting.push_back((self.output.taken, event));
            return Ok(());
        }
        self.write(&event)
    }

    fn write(&mut self, event: &Event) -> Result<(), Stop> {
        if self.stopped {
            return Ok(());
        }
        self.writer.event(event)?;
        match self.config.max_size {
            Some(limit) if self.writer.get_mut().bytes > limit => Err(Stop::Full(limit)),
            _ => Ok(()),
        }
    }
}

fn redact_header(header: &Header, patterns: &Patterns) -> Header {
    let text = |text: &Option<String>| text.as_ref().map(|text| redact::text(patterns, text));
    Header {
        command: text(&header.command),
        title: text(&header.title),
        env: header
            .env
            .iter()
            .map(|(name, value)| (name.clone(), redact::text(patterns, value)))
            .collect(),
        ..header.clone()
    }
}

/// Compresses a closed file to `NAME.zst` and removes it; a crash in between leaves one that is whole.
fn pack(path: &Path) -> io::Result<PathBuf> {
    let mut name = path.as_os_str().to_owned();
    name.push(".zst");
    let target = PathBuf::from(&name);
    name.push(".part");
    let part = PathBuf::from(name);
    let mut source = File::open(path)?;
    let mut encoder = zstd::Encoder::new(create(&part)?, 3)?;
    encoder.include_checksum(true)?;
    io::copy(&mut source, &mut encoder)?;
    encoder.finish()?.sync_data()?;
    std::fs::rename(&part, &target)?;
    std::fs::remove_file(path)?;
    Ok(target)
}
