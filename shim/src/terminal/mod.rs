//! A caller with a terminal: the program gets a new one in its place, and this process relays.
//!
//! The model is sudo's. The *relay* is the process that was started: it owns the caller's terminal (raw
//! mode, size, suspension) and carries what is typed to the hub. Its child, the *monitor*, leads a session
//! on the new terminal, waits for the program and tells of its stops and its end. The *command*, the
//! monitor's child, enters the sandbox and becomes the program. Output does not come through here where
//! the hub can write to the caller's terminal itself. A *witness* stays in the caller's process group where the monitor
//! has left it, and tells whether a signal was sent to that.

mod ahead;
mod ear;
mod front;
mod job;
mod likeness;
mod looks;
mod monitor;
mod relay;
mod sys;
mod turns;
mod watch;
mod witness;

use std::os::fd::OwnedFd;

use crate::Refusal;
use agentsh_protocol::terminal::{Decoder, FromClient};
use sys::Tty;
use turns::Editor;

/// The caller's terminal among the standard descriptors.
pub(crate) struct Terminal {
    /// Its first number: 0, 1 or 2.
    pub number: i32,
    /// All standard descriptors that are this terminal.
    replaced: Vec<i32>,
    /// Where a line editor says whose turn it is there.
    pub turns: Option<OwnedFd>,
}

/// How the caller stands to its terminal, and so how the command stands to the new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It leads its session (a terminal emulator or a driver started it): so does the command.
    Leader,
    /// It is a job of a shell: the monitor leads, and the command is its job.
    Job,
    /// The terminal controls it not: it is a file to read and write.
    Guest,
    /// There is no caller's terminal: the command leads a session on its own, and nobody relays.
    Nobody,
}

/// How the command is put on its terminal.
#[derive(Clone, Copy)]
struct Place {
    standing: Standing,
    /// The monitor leads the session that the terminal controls.
    monitor_leads: bool,
    controlling: bool,
    in_front: bool,
}

/// What the relay knows.
struct Scene {
    tty: OwnedFd,
    standing: Standing,
    /// The terminal controls the caller.
    controlling: bool,
    /// See [`Place`]. It has left the caller's process group for that.
    monitor_leads: bool,
    /// Typing goes to the command from the start; else once it asks for it. A pipeline's other programs may
    /// be the ones that read the terminal.
    eager: bool,
    /// The process that stands in front for the command's job, if it is there.
    stand_in: Option<i32>,
}

/// The first of the standard descriptors that is a terminal, with those that are the same one.
pub(crate) fn find(turns: Option<OwnedFd>) -> Option<Terminal> {
    let device = |fd: i32| sys::terminal_device(fd);
    let number = (0..3).find(|fd| device(*fd).is_some())?;
    let replaced: Vec<i32> = (number..3).filter(|fd| device(*fd) == device(number)).collect();
    // Nothing is printed there, and what is typed is somebody else's as much as ours: it stays with all who read it.
    if replaced == [0] && !sys::controls(0) && turns.is_none() {
        return None;
    }
    Some(Terminal {
        number,
        replaced,
        turns,
    })
}

/// Splits this process in three. Returns in the command, on the new terminal; the relay ends as the command
/// ends, and the monitor after it.
pub(crate) fn split(terminal: Terminal, slave: OwnedFd, hub: OwnedFd, launch: OwnedFd) -> Result<OwnedFd, Refusal> {
    let failed = |what: &str, error: std::io::Error| Refusal::new(format!("terminal: {what}: {error}"));
    let tty = sys::duplicate(terminal.number).map_err(|error| failed("dup", error))?;
    let controlling = sys::foreground_group(&tty).is_some();
    let standing = match (sys::leads_session(), controlling) {
        (true, _) => Standing::Leader,
        (false, true) => Standing::Job,
        (false, false) => Standing::Guest,
    };
    let mut scene = Scene {
        eager: standing != Standing::Job || terminal.turns.is_some() || !(0..3).any(sys::is_pipe),
        tty,
        standing,
        controlling,
        monitor_leads: standing == Standing::Job,
        stand_in: None,
    };
    let (near, far) = sys::pair().map_err(|error| failed("socketpair", error))?;
    let mut before = Tty::of(&scene.tty).map_err(|error| failed("tcgetattr", error))?;
    // From here on signals wait: the relay hands them on, the command gets its own mask back.
    let mask = sys::block_all();
    // A terminal that is another session's cannot be had by opening it, and so must its stand-in be.
    scene.monitor_leads |= !controlling && sys::is_anothers(&scene.tty);
    let in_front = scene.eager && scene.in_front();
    let ahead = in_front.then(|| ahead::Ahead::lines(&scene.tty, &before));
    // As late as can be: a driver may set the terminal as soon as it has started us, and means the command's.
    before = Tty::of(&scene.tty).unwrap_or(before);
    let raw = in_front && before.relayed().apply(&scene.tty);
    before.apply(&slave);
    // Told before there is anything to print.
    let mut state = Vec::new();
    FromClient::Raw(raw).encode(&mut state);
    FromClient::Look.encode(&mut state);
    sys::send_some(&hub, &state);
    let mut decoder = Decoder::default();
    if let Some(ahead) = ahead.filter(|_| raw) {
        ahead.hand_over(&scene.tty, &before, &slave, (&hub, &mut decoder));
    }
    match sys::fork() {
        Err(error) => {
            scene.restore(&before, raw);
            Err(failed("fork", error))
        }
        Ok(0) => {
            drop((near, hub, terminal.turns));
            let place = Place {
                standing,
                monitor_leads: scene.monitor_leads,
                controlling,
                in_front,
            };
            monitor::begin(place, slave, far, &mask, &terminal.replaced, launch)
        }
        Ok(monitor) => {
            drop((slave, far, launch));
            let editor = terminal.turns.map(Editor::new);
            let relay = relay::Relay::new(scene, (before, raw), (hub, decoder), (near, monitor), editor);
            relay.run()
        }
    }
}

/// Puts the command on a terminal that is nobody's. Returns in the command; this process ends as soon as the program
/// runs, or did not start.
pub(crate) fn detach(slave: OwnedFd, launch: OwnedFd) -> Result<OwnedFd, Refusal> {
    let failed = |what: &str, error: std::io::Error| Refusal::new(format!("terminal: {what}: {error}"));
    let (near, far) = sys::pair().map_err(|error| failed("socketpair", error))?;
    let (running, held) = sys::pair().map_err(|error| failed("socketpair", error))?;
    let mask = sys::block_all();
    match sys::fork().map_err(|error| failed("fork", error))? {
        0 => {
            drop((near, running));
            let place = Place {
                standing: Standing::Nobody,
                monitor_leads: false,
                controlling: true,
                in_front: true,
            };
            let launch = monitor::begin(place, slave, far, &mask, &[0, 1, 2], launch)?;
            // Open until the program is executed, which closes it.
            std::mem::forget(held);
            Ok(launch)
        }
        _ => {
            drop((slave, far, held, launch));
            // Nothing is ever sent: its end says that the command is on its way, or is not.
            sys::receive(&running, &mut [0; 1]);
            sys::end(0)
        }
    }
}

impl Scene {
    /// Whether what is typed is meant for the caller's job.
    fn in_front(&self) -> bool {
        !self.controlling
            || sys::foreground_group(&self.tty)
                .is_some_and(|group| group == sys::own_group() || Some(group) == self.stand_in)
    }

    fn restore(&self, before: &Tty, raw: bool) {
        if raw {
            before.apply(&self.tty);
        }
    }
}
