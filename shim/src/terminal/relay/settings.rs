//! How the command's terminal is set the caller's is, and the other way round.

use agentsh_protocol::terminal::{FromClient, Modes};

use super::super::sys::{OURS, Tty};
use super::Relay;

impl Relay {
    /// The command has set its terminal: the caller's shows that too, to whoever looks at it from the other side.
    pub(super) fn show(&mut self, modes: Modes) {
        if self.raw {
            // What somebody else has set in the meantime is not taken back.
            self.notice_modes();
        }
        if self.setting > 0 {
            // What was told before that is known there; the answer is how it is then.
            return;
        }
        if let (true, Ok(now)) = (self.raw, Tty::of(&self.scene.tty)) {
            let relayed = now.with(modes).relayed();
            self.shown = relayed.modes();
            // Whoever sets it in this very moment would be undone: not for nothing.
            if self.shown != now.modes() {
                relayed.apply(&self.scene.tty);
            }
        }
    }

    /// Somebody else has set the caller's terminal: that was meant for the command.
    pub(super) fn notice_modes(&mut self) {
        let Ok(settings) = Tty::of(&self.scene.tty) else { return };
        let now = settings.modes();
        if now == self.shown {
            return;
        }
        let relayed = settings.relayed();
        // What differs here is off, or hidden, for whoever looks: only what was switched on was meant.
        let switched_on = now.with(self.shown, Modes::default());
        let changed = now.changed(self.shown).with(OURS, switched_on);
        self.shown = relayed.modes();
        if now != self.shown {
            relayed.apply(&self.scene.tty);
        }
        self.setting += 1;
        self.tell(&FromClient::Modes { changed, now });
    }
}
