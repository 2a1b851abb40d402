//! Each test holds the slave side itself: it is the command.

mod modes;
mod sizes;
mod turns;

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use agentsh_protocol::terminal::{Decoder, FromClient, FromHub, Window};

use super::*;
use crate::cast::{Data, Header};
use crate::pty::{Pty, Settings, window};
use crate::recorder::{self, OnFull, Report};
use crate::recording::Recording as Cast;
use crate::redact::Patterns;

type Failure = Box<dyn std::error::Error>;

const WINDOW: Window = Window {
    cols: 40,
    rows: 10,
    width: 0,
    height: 0,
};
const SOON: Duration = Duration::from_secs(20);

struct Command {
    hub: Hub,
    /// The command's own end, raw: what is written is what the hub reads.
    tty: File,
    events: Receiver<Event>,
}

impl Command {
    fn start(recording: Option<Recording>, size_rule: SizeRule) -> Result<Command, Failure> {
        Command::start_with(recording, size_rule, |_| {})
    }

    /// `at` is called on the hub's own thread.
    fn start_with(
        recording: Option<Recording>,
        size_rule: SizeRule,
        mut at: impl FnMut(&Event) + Send + 'static,
    ) -> Result<Command, Failure> {
        let pty = Pty::open(WINDOW, None)?;
        Settings::of(pty.slave.as_fd())?.raw().apply(pty.slave.as_fd())?;
        let (sender, events) = channel();
        let config = Config {
            size_rule,
            scrollback: 100,
            recording,
        };
        let tell = move |event| {
            at(&event);
            drop(sender.send(event));
        };
        let hub = start(pty.master, WINDOW, config, tell)?;
        Ok(Command {
            hub,
            tty: File::from(pty.slave),
            events,
        })
    }

    fn join(&self, role: Role, window: Option<Window>, fresh: bool) -> Result<Person, Failure> {
        let (near, far) = UnixStream::pair()?;
        near.set_read_timeout(Some(SOON))?;
        let id = self.hub.attach(Joining {
            role,
            io: Io::Framed(far),
            window,
            take: false,
            fresh,
        });
        while self.event()? != Event::Attached(id) {}
        Ok(Person {
            id,
            stream: near,
            decoder: Decoder::default(),
            seen: Vec::new(),
        })
    }

    fn event(&self) -> Result<Event, Failure> {
        Ok(self.events.recv_timeout(SOON)?)
    }

    /// Reads exactly this from what was typed.
    fn reads(&mut self, expected: &[u8]) -> Result<(), Failure> {
        let mut bytes = vec![0; expected.len()];
        self.tty.read_exact(&mut bytes)?;
        assert_eq!(bytes, expected);
        Ok(())
    }
}

struct Person {
    id: ClientId,
    stream: UnixStream,
    decoder: Decoder,
    /// All output since it joined.
    seen: Vec<u8>,
}

impl Person {
    fn next(&mut self) -> Result<FromHub, Failure> {
        loop {
            if let Some(frame) = self.decoder.from_hub()? {
                if let FromHub::Output(bytes) | FromHub::Redraw(bytes) = &frame {
                    self.seen.extend_from_slice(bytes);
                }
                return Ok(frame);
            }
            let mut buffer = [0; 64 << 10];
            let count = self.stream.read(&mut buffer)?;
            if count == 0 {
                return Err("the hub closed the connection".into());
            }
            self.decoder.push(&buffer[..count]);
        }
    }

    fn until(&mut self, wanted: impl Fn(&FromHub) -> bool) -> Result<FromHub, Failure> {
        loop {
            let frame = self.next()?;
            if wanted(&frame) {
                return Ok(frame);
            }
        }
    }

    fn sees(&mut self, text: &str) -> Result<(), Failure> {
        let mut looked = 0;
        while !self.seen[looked..]
            .windows(text.len())
            .any(|window| window == text.as_bytes())
        {
            looked = self.seen.len().saturating_sub(text.len());
            self.next()?;
        }
        Ok(())
    }

    fn says(&mut self, what: FromClient) -> Result<(), Failure> {
        let mut bytes = Vec::new();
        what.encode(&mut bytes);
        Ok(self.stream.write_all(&bytes)?)
    }

    fn types(&mut self, text: &str) -> Result<(), Failure> {
        self.says(FromClient::Input(text.as_bytes().to_vec()))
    }

    /// What a terminal shows that was given everything seen.
    fn screen(&self) -> Result<Vec<String>, Failure> {
        let mut terminal = avt::Terminal::new(WINDOW.cols.into(), WINDOW.rows.into())?;
        terminal.feed(String::from_utf8_lossy(&self.seen).as_ref());
        Ok(terminal
            .screen()
            .visible_lines()
            .map(|line| line.text().trim_end().to_owned())
            .collect())
    }
}

fn recording(folder: &std::path::Path, reports: std::sync::mpsc::Sender<Report>) -> Result<Recording, Failure> {
    Ok(Recording {
        config: recorder::Config {
            path: folder.join("c.cast"),
            header: Header {
                cols: WINDOW.cols,
                rows: WINDOW.rows,
                ..Header::default()
            },
            patterns: Patterns::credentials::<&str>(&[])?,
            input: true,
            max_size: None,
            on_full: OnFull::StopRecording,
            compress: false,
        },
        report: Box::new(move |report| drop(reports.send(report))),
        patience: SOON,
    })
}

#[test]
fn bytes_pass_unchanged_both_ways_and_the_end_comes_last() -> Result<(), Failure> {
    let mut command = Command::start(None, SizeRule::Fixed)?;
    let mut shim = command.join(Role::Primary, Some(WINDOW), true)?;
    let every: Vec<u8> = (0..=255).collect();
    command.tty.write_all(&every)?;
    shim.types("k\u{3}\u{4}")?;
    command.reads(b"k\x03\x04")?;
    command.tty.write_all(b"last words")?;
    command.hub.finish(7 << 8);
    assert_eq!(
        shim.until(|frame| matches!(frame, FromHub::Exit(_)))?,
        FromHub::Exit(7 << 8)
    );
    assert_eq!(shim.seen, [&every[..], b"last words"].concat());
    drop(command.tty);
    assert_eq!(shim.next()?, FromHub::Leave(Vec::new()));
    while command.events.recv_timeout(SOON)? != Event::Closed {}
    Ok(())
}

#[test]
fn who_attaches_in_the_middle_gets_the_picture_and_then_what_follows() -> Result<(), Failure> {
    let mut command = Command::start(None, SizeRule::Fixed)?;
    let mut shim = command.join(Role::Primary, Some(WINDOW), true)?;
    command.tty.write_all(b"one\r\n\x1b[?1049h\x1b[2;3H\x1b[1mvi")?;
    shim.sees("vi")?;
    let mut watcher = command.join(Role::Watcher, Some(WINDOW), false)?;
    watcher.until(|frame| matches!(frame, FromHub::Redraw(_)))?;
    command.tty.write_all(b"m\x1b[?1049lback")?;
    watcher.sees("back")?;
    shim.sees("back")?;
    assert_eq!(watcher.screen()?, shim.screen()?);
    assert_eq!(watcher.screen()?[..2], ["one", "back"]);
    Ok(())
}

#[test]
fn a_watcher_that_takes_nothing_slows_nobody_and_sees_the_end() -> Result<(), Failure> {
    let command = Command::start(None, SizeRule::Fixed)?;
    let mut shim = command.join(Role::Primary, Some(WINDOW), true)?;
    let mut stuck = command.join(Role::Watcher, Some(WINDOW), false)?;
    let mut tty = command.tty.try_clone()?;
    let line = format!("{}\r\n", "x".repeat(98));
    let lines = 100_000;
    let flood = line.repeat(lines);
    let writer = std::thread::spawn(move || tty.write_all(flood.as_bytes()).and_then(|()| tty.write_all(b"the end")));
    shim.sees("the end")?;
    assert_eq!(shim.seen.len(), line.len() * lines + 7);
    assert!(writer.join().is_ok_and(|result| result.is_ok()));
    stuck.sees("the end")?;
    assert!(
        stuck.seen.len() < shim.seen.len() / 2,
        "it was given {} bytes",
        stuck.seen.len()
    );
    assert_eq!(stuck.screen()?, shim.screen()?);
    Ok(())
}

#[test]
fn the_command_waits_for_its_own_terminal_and_loses_nothing() -> Result<(), Failure> {
    let command = Command::start(None, SizeRule::Fixed)?;
    let mut shim = command.join(Role::Primary, Some(WINDOW), true)?;
    let mut tty = File::from(crate::pty::reopen(command.tty.as_fd())?);
    let mut written = Vec::new();
    let mut full = 0;
    // Full for half a second on end: nothing of the chain takes any more.
    while full < 50 {
        let piece = format!("{:08}\r\n", written.len()).into_bytes();
        match tty.write(&piece) {
            Ok(count) => {
                written.extend_from_slice(&piece[..count]);
                full = 0;
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                full += 1;
                rustix::event::poll(
                    &mut [rustix::event::PollFd::new(&tty, rustix::event::PollFlags::OUT)],
                    Some(&rustix::event::Timespec {
                        tv_sec: 0,
                        tv_nsec: 10_000_000,
                    }),
                )?;
            }
            Err(error) => return Err(error.into()),
        }
        assert!(written.len() < 64 << 20, "nothing holds the command up");
    }
    while shim.seen.len() < written.len() {
        shim.next()?;
    }
    assert_eq!(shim.seen, written);
    Ok(())
}

#[test]
fn typing_is_taken_over_and_given_back() -> Result<(), Failure> {
    let mut command = Command::start(None, SizeRule::Fixed)?;
    let mut shim = command.join(Role::Primary, Some(WINDOW), true)?;
    let mut person = command.join(Role::Writer, Some(WINDOW), false)?;
    let mut watcher = command.join(Role::Watcher, Some(WINDOW), false)?;
    person.types("ignored")?;
    watcher.says(FromClient::Take)?;
    watcher.types("ignored")?;
    person.says(FromClient::Take)?;
    person.until(|frame| *frame == FromHub::Typing(true))?;
    person.types("secret\r")?;
    command.reads(b"secret\r")?;
    shim.until(|frame| *frame == FromHub::Typing(false))?;
    shim.types("ignored")?;
    person.says(FromClient::Release)?;
    shim.until(|frame| *frame == FromHub::Typing(true))?;
    shim.types("mine")?;
    command.reads(b"mine")?;
    Ok(())
}

#[test]
fn the_record_has_what_was_typed_unless_a_person_typed_it_or_nothing_was_echoed() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let (sender, reports) = channel();
    let mut command = Command::start(Some(recording(folder.path(), sender)?), SizeRule::Fixed)?;
    let raw = Settings::of(command.tty.as_fd())?;
    let cooked = Settings::of(Pty::open(WINDOW, None)?.slave.as_fd())?;
    let mut shim = command.join(Role::Primary, Some(WINDOW), true)?;
    cooked.apply(command.tty.as_fd())?;
    shim.types("shown\n")?;
    command.reads(b"shown\n")?;
    let mut hidden = rustix::termios::tcgetattr(&command.tty)?;
    hidden.local_modes.remove(rustix::termios::LocalModes::ECHO);
    rustix::termios::tcsetattr(&command.tty, rustix::termios::OptionalActions::Now, &hidden)?;
    shim.types("password\n")?;
    command.reads(b"password\n")?;
    raw.apply(command.tty.as_fd())?;
    shim.types("key")?;
    command.reads(b"key")?;
    cooked.apply(command.tty.as_fd())?;
    let mut person = command.join(Role::Writer, Some(WINDOW), false)?;
    person.says(FromClient::Take)?;
    person.until(|frame| *frame == FromHub::Typing(true))?;
    person.types("by hand\n")?;
    command.reads(b"by hand\n")?;
    command.hub.finish(0);
    drop(command.tty);
    let Report::Finished(summary) = reports.recv_timeout(SOON)? else {
        return Err("it stopped early".into());
    };
    let events = Cast::open(&summary.path)?.events;
    let said: Vec<&Data> = events
        .iter()
        .map(|event| &event.data)
        .filter(|data| !matches!(data, Data::Output(_)))
        .collect();
    let typed = Data::Marker("[typed by a person]".into());
    assert_eq!(said, [&Data::Input("shown\n".into()), &typed, &typed, &Data::Exit(0)]);
    Ok(())
}

#[test]
fn a_recording_plays_to_the_screen_that_was_live() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let (sender, reports) = channel();
    let mut command = Command::start(Some(recording(folder.path(), sender)?), SizeRule::Fixed)?;
    let mut shim = command.join(Role::Primary, Some(WINDOW), true)?;
    command
        .tty
        .write_all("grün\r\n\x1b[31mrot\x1b[m\x1b[5;5Hhier\x1b[?1049h\x1b[Hvoll\x1b[?1049l\x1b[Kda".as_bytes())?;
    shim.sees("da")?;
    command.hub.finish(1 << 8);
    drop(command.tty);
    let Report::Finished(summary) = reports.recv_timeout(SOON)? else {
        return Err("it stopped early".into());
    };
    let cast = Cast::open(&summary.path)?;
    let mut terminal = avt::Terminal::new(WINDOW.cols.into(), WINDOW.rows.into())?;
    cast.events
        .iter()
        .filter_map(|event| event.output())
        .for_each(|text| terminal.feed(text));
    let lines: Vec<String> = terminal
        .screen()
        .visible_lines()
        .map(|line| line.text().trim_end().to_owned())
        .collect();
    assert_eq!(lines, shim.screen()?);
    assert_eq!(cast.events.last().map(|event| &event.data), Some(&Data::Exit(1)));
    Ok(())
}

#[test]
fn a_query_reaches_one_terminal_only_and_none_is_left_unanswered() -> Result<(), Failure> {
    let mut command = Command::start(None, SizeRule::Fixed)?;
    command.tty.write_all(b"ab\x1b[6n")?;
    command.reads(b"\x1b[1;3R")?;
    let mut shim = command.join(Role::Primary, Some(WINDOW), true)?;
    let mut watcher = command.join(Role::Watcher, Some(WINDOW), false)?;
    watcher.until(|frame| matches!(frame, FromHub::Redraw(_)))?;
    command.tty.write_all(b"<\x1b[c")?;
    command.tty.write_all(b"\x1b]11;?\x1b\\>")?;
    shim.sees("<\x1b[c\x1b]11;?\x1b\\>")?;
    watcher.sees("<>")?;
    shim.types("\x1b[?1;2c")?;
    command.reads(b"\x1b[?1;2c")?;
    Ok(())
}

#[test]
fn a_watcher_never_resizes_the_terminal_and_is_drawn_its_part() -> Result<(), Failure> {
    let mut command = Command::start(None, SizeRule::Fixed)?;
    let mut shim = command.join(Role::Primary, Some(WINDOW), true)?;
    let small = Window {
        cols: 5,
        rows: 2,
        ..WINDOW
    };
    let mut watcher = command.join(Role::Watcher, Some(small), false)?;
    command.tty.write_all(b"\x1b[H\x1b[2Jabcdefgh\r\n12\r\nthird")?;
    watcher.sees("abcde\x1b[K\x1b[2;1H\x1b[0m12   \x1b[K")?;
    assert_eq!(window(command.tty.as_fd())?, WINDOW);
    let large = Window {
        cols: 50,
        rows: 20,
        ..WINDOW
    };
    shim.says(FromClient::Window(large))?;
    while command.event()? != (Event::Resized { cols: 50, rows: 20 }) {}
    assert_eq!(window(command.tty.as_fd())?, large);
    Ok(())
}

#[test]
fn the_terminal_outlives_its_clients_and_ends_by_a_hang_up() -> Result<(), Failure> {
    let mut command = Command::start(None, SizeRule::Fixed)?;
    let shim = command.join(Role::Primary, Some(WINDOW), true)?;
    let id = shim.id;
    drop(shim);
    while command.event()? != Event::Detached(id, Gone::Lost) {}
    command.tty.write_all(b"still here")?;
    let mut watcher = command.join(Role::Watcher, None, false)?;
    watcher.sees("still here")?;
    assert_eq!(
        command.hub.look().map(|lines| lines[0].clone()),
        Some("still here".to_owned())
    );
    command.hub.hang_up();
    command.hub.finish(1);
    assert!(
        matches!(watcher.until(|frame| matches!(frame, FromHub::Leave(_)))?, FromHub::Leave(bytes) if !bytes.is_empty())
    );
    while command.event()? != Event::Closed {}
    assert!(command.tty.write_all(b"x").is_err());
    Ok(())
}

#[test]
fn a_client_that_breaks_the_protocol_is_sent_away() -> Result<(), Failure> {
    let command = Command::start(None, SizeRule::Fixed)?;
    let mut bad = command.join(Role::Writer, None, true)?;
    bad.stream.write_all(&[b'i', 255, 255, 255, 255])?;
    while command.event()? != Event::Detached(bad.id, Gone::Broken) {}
    Ok(())
}
