use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use crossterm::event::{Event, poll, read};

use nix::sys::signal::{SigSet, Signal, raise};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use super::{Viewer, draw, key};

/// Between two pictures while something moves, at least.
const FRAME: Duration = Duration::from_millis(16);
/// Between two pictures while nothing does.
const REST: Duration = Duration::from_millis(250);

/// The player cannot run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlayerError {
    /// There is no terminal to draw on.
    #[error("replay needs a terminal; use --text, --html, --svg or --cast to export instead")]
    NoTerminal,
    /// The terminal fails.
    #[error("the terminal fails: {0}")]
    Terminal(#[from] io::Error),
}

/// Lets a person watch, on the standard streams' terminal, until they leave. The terminal is put back
/// in order on every way out, a panic included.
pub fn run(mut viewer: Viewer) -> Result<(), PlayerError> {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return Err(PlayerError::NoTerminal);
    }
    let ends: SigSet = [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT].into_iter().collect();
    ends.thread_block().map_err(io::Error::from)?;
    let result = SignalFd::with_flags(&ends, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
        .map_err(io::Error::from)
        .and_then(|signals| {
            let mut terminal = ratatui::try_init()?;
            watch(&mut terminal, &mut viewer, &signals)
        });
    let restored = ratatui::try_restore();
    ends.thread_unblock().map_err(io::Error::from)?;
    if let Some(signal) = result? {
        // It ends us after all, now that the terminal is in order.
        raise(signal).map_err(io::Error::from)?;
    }
    Ok(restored?)
}

/// Until the viewer has seen enough, or a signal asks for the end.
fn watch(
    terminal: &mut ratatui::DefaultTerminal,
    viewer: &mut Viewer,
    signals: &SignalFd,
) -> io::Result<Option<Signal>> {
    let mut last = Instant::now();
    let mut indexed = false;
    let mut changed = true;
    while !viewer.done() {
        if let Some(info) = signals.read_signal()? {
            return Ok(i32::try_from(info.ssi_signo)
                .ok()
                .and_then(|number| Signal::try_from(number).ok()));
        }
        let playing = viewer.playback.playing();
        viewer.playback.tick(last.elapsed());
        changed |= playing;
        last = Instant::now();
        if viewer.take_suspended() {
            ratatui::try_restore()?;
            raise(Signal::SIGTSTP).map_err(io::Error::from)?;
            *terminal = ratatui::try_init()?;
            last = Instant::now();
            changed = true;
        }
        // A picture that stays the same is not drawn again: the cursor would flicker.
        if std::mem::take(&mut changed) || viewer.playback.playing() {
            terminal.draw(|frame| {
                let area = frame.area();
                if let Some(cursor) = draw(viewer, area, frame.buffer_mut()) {
                    frame.set_cursor_position(cursor);
                }
            })?;
        }
        if !indexed {
            indexed = viewer.playback.index(FRAME);
        }
        let rest = if indexed { REST } else { Duration::ZERO };
        let wait = viewer
            .playback
            .pause()
            .map_or(rest, |next| next.clamp(FRAME, REST).min(rest.max(FRAME)));
        if !is_there(signals, wait)? {
            return Ok(Some(Signal::SIGHUP));
        }
        // All keys that are there at once, then one picture.
        while !viewer.done() && poll(Duration::ZERO)? {
            changed = true;
            if let Event::Key(event) = read()? {
                let wish = key(event, viewer.prompt().is_some(), viewer.playback.length());
                wish.into_iter().for_each(|wish| viewer.wish(wish));
            }
        }
    }
    Ok(None)
}

/// Waits for a key or a signal; whether the terminal is still there. One that has gone is readable for ever, and who reads
/// keys of it would never come back.
fn is_there(signals: &SignalFd, wait: Duration) -> io::Result<bool> {
    let (input, wait) = (io::stdin(), Timespec::try_from(wait).ok());
    let mut awaited = [
        PollFd::new(&input, PollFlags::IN),
        PollFd::from_borrowed_fd(signals.as_fd(), PollFlags::IN),
    ];
    match rustix::event::poll(&mut awaited, wait.as_ref()) {
        // A window that has another size is told by a signal.
        Ok(_) | Err(Errno::INTR) => {}
        Err(errno) => return Err(errno.into()),
    }
    Ok(!awaited[0]
        .revents()
        .intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL))
}
