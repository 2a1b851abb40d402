//! 200 MB of output: a native PTY against a recorded one, with and without the caller's terminal behind
//! the hub. Prints seconds and the ratio; `tests/` holds the promise to its limit.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use agentsh_protocol::terminal::{FromClient, Window};
use agentsh_terminal::cast::Header;
use agentsh_terminal::hub::{Config, Event, Io, Joining, Recording, Role, SizeRule, start};
use agentsh_terminal::pty::{Pty, Settings, reopen};
use agentsh_terminal::recorder::{self, OnFull};
use agentsh_terminal::redact::Patterns;

type Failure = Box<dyn std::error::Error>;

const TOTAL: usize = 200_000_000;
const WINDOW: Window = Window {
    cols: 120,
    rows: 40,
    width: 0,
    height: 0,
};

fn main() -> Result<(), Failure> {
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir())?;
    let input = folder.path().join("input");
    let mut file = File::create(&input)?;
    let kind = std::env::args().nth(1).unwrap_or_default();
    let mut size = 0;
    for number in 0.. {
        let line = match kind.as_str() {
            "colour" => format!("\x1b[32m{number:>9}\x1b[0m some \x1b[1;31mcoloured\x1b[0m words of output é\n"),
            _ => format!("{number:>9} the quick brown fox jumps over the lazy dog and some more words\n"),
        };
        file.write_all(line.as_bytes())?;
        size += line.len();
        if size >= TOTAL {
            break;
        }
    }
    for round in 0..3 {
        let native = native(&input)?;
        let detached = hub(&input, &folder.path().join(format!("d{round}.cast")), false)?;
        let attached = hub(&input, &folder.path().join(format!("a{round}.cast")), true)?;
        let ratio = |time: Duration| time.as_secs_f64() / native.as_secs_f64();
        println!(
            "native {native:.2?}  recorded {detached:.2?} ({:.2}x)  recorded behind a terminal {attached:.2?} ({:.2}x)",
            ratio(detached),
            ratio(attached)
        );
    }
    Ok(())
}

fn cat(input: &std::path::Path, pty: Pty) -> Result<(std::process::Child, std::os::fd::OwnedFd), Failure> {
    let child = Command::new("cat")
        .arg(input)
        .stdin(Stdio::null())
        .stdout(File::from(pty.slave))
        .spawn()?;
    Ok((child, pty.master))
}

fn drain(mut terminal: File) -> usize {
    let mut buffer = [0; 64 << 10];
    let mut total = 0;
    loop {
        match terminal.read(&mut buffer) {
            Ok(count @ 1..) => total += count,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                let mut set = [rustix::event::PollFd::new(&terminal, rustix::event::PollFlags::IN)];
                let _ = rustix::event::poll(&mut set, None);
            }
            _ => return total,
        }
    }
}

fn native(input: &std::path::Path) -> Result<Duration, Failure> {
    let start = Instant::now();
    let (mut child, master) = cat(input, Pty::open(WINDOW, None)?)?;
    assert!(drain(File::from(master)) > TOTAL);
    child.wait()?;
    Ok(start.elapsed())
}

fn hub(input: &std::path::Path, path: &std::path::Path, attached: bool) -> Result<Duration, Failure> {
    let patterns = Patterns::credentials::<&str>(&[])?;
    let begun = Instant::now();
    let (mut child, master) = cat(input, Pty::open(WINDOW, None)?)?;
    let (sender, events) = channel();
    let config = recorder::Config {
        path: path.to_owned(),
        header: Header {
            cols: WINDOW.cols,
            rows: WINDOW.rows,
            ..Header::default()
        },
        patterns,
        input: false,
        max_size: None,
        on_full: OnFull::StopRecording,
        compress: false,
    };
    let (reports, finished) = channel();
    let recording = Recording {
        config,
        report: Box::new(move |report| drop(reports.send(report))),
        patience: Duration::MAX,
    };
    let config = Config {
        size_rule: SizeRule::Fixed,
        scrollback: 1000,
        recording: Some(recording),
    };
    let hub = start(master, WINDOW, config, move |event| drop(sender.send(event)))?;
    let mut reader = None;
    let (mut relay, control) = UnixStream::pair()?;
    if attached {
        let outer = Pty::open(WINDOW, None)?;
        Settings::of(outer.slave.as_fd())?.raw().apply(outer.slave.as_fd())?;
        let output = reopen(outer.slave.as_fd())?;
        reader = Some(std::thread::spawn(move || drain(File::from(outer.master))));
        let mut raw = Vec::new();
        FromClient::Raw(true).encode(&mut raw);
        relay.write_all(&raw)?;
        hub.attach(Joining {
            role: Role::Primary,
            io: Io::Terminal {
                control,
                output,
                before: Settings::of(outer.slave.as_fd())?,
            },
            window: Some(WINDOW),
            take: false,
            fresh: true,
        });
    }
    child.wait()?;
    hub.finish(0);
    while events.recv()? != Event::Closed {}
    if let Some(reader) = reader {
        assert!(reader.join().is_ok_and(|total| total > TOTAL));
    }
    finished.recv()?;
    let time = begun.elapsed();
    std::fs::remove_file(path)?;
    Ok(time)
}
