use agentsh_protocol::terminal::Modes;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use super::*;

fn local(flags: LocalModes) -> Modes {
    Modes {
        local: flags.bits(),
        ..Modes::default()
    }
}

#[test]
fn what_a_driver_sets_and_what_the_command_sets_meanwhile_both_hold() -> Result<(), Failure> {
    let mut command = Command::start(None, SizeRule::Fixed)?;
    let mut shim = command.join(Role::Primary, Some(WINDOW), true)?;
    // The command switches on what was off, and says so by printing.
    let mut settings = tcgetattr(&command.tty)?;
    settings.local_modes |= LocalModes::ICANON | LocalModes::ECHO;
    tcsetattr(&command.tty, OptionalActions::Now, &settings)?;
    command.tty.write_all(b"asks")?;
    let told =
        shim.until(|frame| matches!(frame, FromHub::Modes(modes) if modes.local & LocalModes::ECHO.bits() != 0))?;
    // One that has not seen this yet switches something else on, and echo off.
    shim.says(FromClient::Modes {
        changed: local(LocalModes::ECHO | LocalModes::ISIG),
        now: local(LocalModes::ISIG),
    })?;
    let answer = shim.until(|frame| matches!(frame, FromHub::Set(_)))?;
    let now = tcgetattr(&command.tty)?.local_modes;
    assert!(now.contains(LocalModes::ICANON | LocalModes::ISIG), "{now:?}");
    assert!(!now.contains(LocalModes::ECHO), "{now:?}");
    let (FromHub::Modes(told), FromHub::Set(set)) = (told, answer) else {
        return Err("other frames".into());
    };
    assert_eq!(set.local, now.bits());
    assert_eq!((set.input, set.output), (told.input, told.output));
    Ok(())
}
