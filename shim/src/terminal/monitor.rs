//! The monitor: leads the session on the new terminal and waits for the command.

use std::os::fd::OwnedFd;

use super::ear::{self, Ear};
use super::job::{Order, Reach, Report};
use super::sys::{self, Change, Mask, Tty};
use super::watch::Watch;
use super::{Place, Standing};
use crate::Refusal;

/// In the relay's child. Returns in the command.
pub(super) fn begin(
    place: Place,
    slave: OwnedFd,
    relay: OwnedFd,
    mask: &Mask,
    replaced: &[i32],
    launch: OwnedFd,
) -> Result<OwnedFd, Refusal> {
    match place.standing {
        Standing::Nobody => sys::lead_session(&slave, false),
        Standing::Job | Standing::Leader if place.monitor_leads => sys::lead_session(&slave, true),
        // A guest stays in the caller's session, which its parent leaves once there is one.
        _ => {}
    }
    // Ignored by the caller, it would hide the command's end from us; the command gets that back.
    let ignored = sys::stop_ignoring_children();
    match sys::fork() {
        Err(error) => {
            Report::Ended(126 << 8, None).send(&relay);
            Err(Refusal::new(format!("terminal: fork: {error}")))
        }
        Ok(0) => {
            drop(relay);
            match place.standing {
                Standing::Leader | Standing::Nobody => sys::lead_session(&slave, place.controlling),
                Standing::Job => sys::lead_group(place.in_front.then_some(&slave)),
                Standing::Guest => {}
            }
            let moved = replaced.iter().try_for_each(|fd| crate::sys::put_at(&slave, *fd));
            drop(slave);
            sys::ignore_children(ignored);
            mask.restore();
            moved.map_err(|error| Refusal::new(format!("terminal: dup2: {error}")))?;
            Ok(launch)
        }
        Ok(command) => {
            drop(launch);
            if place.monitor_leads && place.standing == Standing::Guest {
                sys::lead_session(&slave, true);
            }
            watch(place, command, slave, relay)
        }
    }
}

fn watch(place: Place, command: i32, slave: OwnedFd, relay: OwnedFd) -> ! {
    let standing = place.standing;
    sys::keep_only(&[&slave, &relay]);
    // Where the caller's terminal is another session's, keys signal that one: here it is this process that has the terminal.
    let wanted: &[i32] = match place.monitor_leads && standing != Standing::Job {
        true => &[libc::SIGCHLD, libc::SIGINT, libc::SIGQUIT, libc::SIGTSTP],
        false => &[libc::SIGCHLD],
    };
    let Ok(signals) = sys::signal_reader(wanted) else {
        sys::end(126)
    };
    let ear = match standing {
        Standing::Job => {
            sys::give_group(command);
            Ear::in_group_of(command, &relay)
        }
        _ => None,
    };
    let mut relay = Some(relay);
    let caller = sys::parent();
    // The relay has stopped itself along with the command.
    let mut stopped = false;
    report(relay.as_ref(), &Report::Begun(command));
    let mut settings = Watch::new(&slave);
    let mut told = Tty::of(&slave).ok().map(|tty| tty.modes());
    loop {
        if sys::wait_readable(&signals, relay.as_ref(), settings.due(true)) {
            settings.take();
            let now = Tty::of(&slave).ok().map(|tty| tty.modes());
            if now != told && relay.as_ref().is_some_and(|relay| Report::Set.offer(relay)) {
                told = now;
            }
        }
        match &relay {
            Some(relay) => ear::tell(&signals, relay),
            None => sys::drain(&signals),
        }
        match sys::change_of(command) {
            Change::None => {}
            Change::Stopped(signal) => {
                stopped = true;
                report(relay.as_ref(), &Report::Stopped(signal, Tty::of(&slave).ok()));
            }
            Change::Continued => {
                if std::mem::take(&mut stopped) {
                    sys::continue_parent(caller);
                }
            }
            Change::Ended => break,
        }
        // A relay that is gone was killed. The supervisor, which sees that too, ends the command.
        while let Some(near) = &relay
            && sys::is_readable(near)
        {
            match Order::receive(near) {
                None => relay = None,
                Some(Order::Signal(signal, reach)) => give(signal, reach, standing, command),
                Some(Order::Continue(front, settings)) => {
                    let stopped = std::mem::take(&mut stopped);
                    if let Some(settings) = settings {
                        settings.apply(&slave);
                    }
                    // What was not stopped keeps the group that it has brought to the front, for which a hang-up is.
                    let behind = || sys::foreground_group(&slave) == Some(sys::own_group());
                    if standing == Standing::Job && (stopped || front && behind()) {
                        sys::set_foreground(&slave, if front { command } else { sys::own_group() });
                    }
                    give(libc::SIGCONT, Reach::Group, standing, command);
                }
            }
        }
    }
    let settings = Tty::of(&slave).ok();
    if standing == Standing::Job {
        // Our end must not be a hang-up for what the command left behind.
        sys::set_foreground(&slave, sys::own_group());
    }
    // The hub has everything once nobody has the terminal open, and the end is told once it was reaped.
    drop(slave);
    let status = sys::reap(command);
    if let Some(ear) = ear {
        ear.end();
    }
    report(relay.as_ref(), &Report::Ended(status, settings));
    if stopped {
        sys::continue_parent(caller);
    }
    sys::end(0)
}

fn give(signal: i32, reach: Reach, standing: Standing, command: i32) {
    let shared = reach == Reach::AsHere && sys::take_signal(signal);
    match (standing, shared || reach == Reach::Group) {
        // It is in the caller's process group, and had it there.
        (Standing::Guest, _) if shared => {}
        (Standing::Guest, _) | (_, false) => sys::signal_process(command, signal),
        (_, true) => sys::signal_group(command, signal),
    }
}

fn report(relay: Option<&OwnedFd>, report: &Report) {
    if let Some(relay) = relay {
        report.send(relay);
    }
}
