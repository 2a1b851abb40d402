//! The settings and the size that a command gives its terminal appear on its caller's: drivers look there whether a
//! password is asked for, and set echo there.

use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use agentsh_protocol::terminal::{FromHub, Modes};

use super::core::Core;
use crate::pty::{Settings, window};

/// The kernel tells nobody of a change. Programs make one about when they print or read: it is looked for then, and
/// so long after.
const LOOKS: [Duration; 7] = [
    Duration::from_millis(2),
    Duration::from_millis(5),
    Duration::from_millis(12),
    Duration::from_millis(30),
    Duration::from_millis(80),
    Duration::from_millis(200),
    Duration::from_millis(500),
];

/// What the primary was told last, and when to look again.
pub(super) struct Mirror {
    told: Option<Modes>,
    since: Instant,
    /// How many of [`LOOKS`] are done.
    done: usize,
}

impl Mirror {
    pub(super) fn new(now: Instant) -> Mirror {
        Mirror {
            told: None,
            since: now,
            done: 0,
        }
    }

    /// When to look next.
    pub(super) fn due(&self) -> Option<Duration> {
        Some(LOOKS.get(self.done)?.saturating_sub(self.since.elapsed()))
    }
}

impl Core {
    /// Something was printed or typed.
    pub(super) fn stirred(&mut self) {
        self.mirror.since = Instant::now();
        self.mirror.done = 0;
        self.tell_modes();
        self.look_at_window();
    }

    /// Looks again if it is time.
    pub(super) fn look_at_modes(&mut self) {
        let mut looked = false;
        while self.mirror.due().is_some_and(|left| left.is_zero()) {
            self.mirror.done += 1;
            looked = true;
        }
        if looked {
            self.tell_modes();
            self.look_at_window();
        }
    }

    /// The command may have given its terminal another size: then that is its caller's too.
    pub(super) fn look_at_window(&mut self) {
        let Some(now) = self.master.as_ref().and_then(|master| window(master.as_fd()).ok()) else {
            return;
        };
        if now == self.window {
            return;
        }
        if let Some(primary) = self.primary_mut() {
            primary.window = Some(now);
            primary.tell_relay(&FromHub::Sized(now));
        }
        self.resized(now);
    }

    fn tell_modes(&mut self) {
        let Some(master) = &self.master else { return };
        let Ok(settings) = Settings::of(master.as_fd()) else {
            return;
        };
        let modes = settings.modes();
        if self.mirror.told.replace(modes) == Some(modes) {
            return;
        }
        let told = self
            .primary_mut()
            .is_some_and(|primary| primary.tell_relay(&FromHub::Modes(modes)));
        self.mirror.told = told.then_some(modes);
    }

    /// Somebody has set the caller's terminal. The command may have set its own meanwhile: both hold.
    pub(super) fn set_modes(&mut self, changed: Modes, now: Modes) {
        let Some(master) = &self.master else { return };
        let Ok(settings) = Settings::of(master.as_fd()) else {
            return;
        };
        let modes = settings.modes().with(changed, now);
        // A terminal that closes in this moment has no settings.
        let _ = settings.with(modes).apply(master.as_fd());
        let told = self
            .primary_mut()
            .is_some_and(|primary| primary.tell_relay(&FromHub::Set(modes)));
        self.mirror.told = told.then_some(modes);
    }
}
