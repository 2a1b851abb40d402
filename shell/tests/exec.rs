//! `agentsh exec` as its callers see it, with a stand-in for the shim that enters nothing and executes the command.

use std::error::Error;
use std::fs::Permissions;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

type Outcome = Result<(), Box<dyn Error>>;

/// A session's id: whole ids are passed on without a question to the broker.
const SESSION: &str = "01932f4e-7c2a-7000-8000-000000000001";

/// The programs side by side in a folder, as an installation has them.
struct Installed {
    folder: TempDir,
}

impl Installed {
    fn new() -> Result<Installed, Box<dyn Error>> {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        std::fs::hard_link(env!("CARGO_BIN_EXE_agentsh"), folder.path().join("agentsh"))?;
        let shim = folder.path().join("agentsh-shell-shim");
        std::fs::write(&shim, "#!/bin/sh\nshift 3\nexec \"$@\"\n")?;
        std::fs::set_permissions(&shim, Permissions::from_mode(0o755))?;
        Ok(Installed { folder })
    }

    fn agentsh(&self) -> PathBuf {
        self.folder.path().join("agentsh")
    }

    /// `agentsh exec OPTIONS SESSION -- sh -c SCRIPT`
    fn exec(&self, options: &[&str], script: &str) -> Command {
        let mut command = Command::new(self.agentsh());
        command
            .arg("exec")
            .args(options)
            .args([SESSION, "--", "sh", "-c", script]);
        command
    }

    fn run(&self, options: &[&str], script: &str) -> std::io::Result<Output> {
        self.exec(options, script).output()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_commands_status_is_ours() -> Outcome {
    let output = Installed::new()?.run(&[], "echo out; echo err >&2; exit 41")?;
    assert_eq!(
        (output.status.code(), text(&output.stdout), text(&output.stderr)),
        (Some(41), "out\n".into(), "err\n".into())
    );
    Ok(())
}

#[test]
fn the_commands_death_by_a_signal_is_ours() -> Outcome {
    let output = Installed::new()?.run(&[], "kill -SEGV $$")?;
    assert_eq!((output.status.signal(), output.status.core_dumped()), (Some(11), false));
    Ok(())
}

#[test]
fn a_signal_sent_to_us_reaches_the_command() -> Outcome {
    let installed = Installed::new()?;
    let script = "trap 'echo got it; exit 9' TERM; echo ready; while :; do sleep 0.05; done";
    let mut child = installed.exec(&[], script).stdout(Stdio::piped()).spawn()?;
    let mut stdout = BufReader::new(child.stdout.take().ok_or("no stdout")?);
    let mut line = String::new();
    stdout.read_line(&mut line)?;
    kill(Pid::from_raw(i32::try_from(child.id())?), Signal::SIGTERM)?;
    stdout.read_to_string(&mut line)?;
    assert_eq!((child.wait()?.code(), line.as_str()), (Some(9), "ready\ngot it\n"));
    Ok(())
}

#[test]
fn signal_dispositions_and_mask_are_the_callers() -> Outcome {
    let installed = Installed::new()?;
    let masks = "grep -E 'Sig(Blk|Ign)' /proc/self/status";
    let native = Command::new("sh")
        .args(["-c", &format!("trap '' USR2 HUP; {masks}")])
        .output()?;
    let script = format!(
        "trap '' USR2 HUP; exec {} exec {SESSION} -- {masks}",
        installed.agentsh().display()
    );
    let ours = Command::new("sh").args(["-c", &script]).output()?;
    assert_eq!(text(&ours.stdout), text(&native.stdout));
    Ok(())
}

#[test]
fn other_descriptors_stay_open_and_none_of_ours_is_added() -> Outcome {
    let installed = Installed::new()?;
    let file = installed.folder.path().join("seven");
    let inner = "echo seven >&7; ls /proc/self/fd | wc -l";
    let exec = |runner: &str| format!("exec 7>{}; {runner} sh -c '{inner}'", file.display());
    let native = Command::new("sh").args(["-c", &exec("")]).output()?;
    let ours = exec(&format!("{} exec {SESSION} --", installed.agentsh().display()));
    let ours = Command::new("sh").args(["-c", &ours]).output()?;
    assert_eq!(text(&ours.stdout), text(&native.stdout));
    assert_eq!(std::fs::read_to_string(file)?, "seven\n");
    Ok(())
}

#[test]
fn folder_and_variables_are_set_for_the_command() -> Outcome {
    let output = Installed::new()?.run(
        &["--cwd", "/usr", "--env", "A=b=c", "--env", "EMPTY="],
        "pwd; echo $A-$EMPTY-",
    )?;
    assert_eq!(text(&output.stdout), "/usr\nb=c--\n");
    Ok(())
}

#[test]
fn a_command_that_takes_too_long_is_ended_with_124() -> Outcome {
    let output = Installed::new()?.run(&["--timeout", "50ms"], "exec sleep 20")?;
    assert_eq!(output.status.code(), Some(124));
    Ok(())
}

#[test]
fn our_own_failures_are_125_and_name_the_object() -> Outcome {
    let installed = Installed::new()?;
    let output = installed.run(&["--cwd", "/no/such/folder"], "true")?;
    assert_eq!(output.status.code(), Some(125));
    assert!(
        text(&output.stderr).contains("/no/such/folder"),
        "{}",
        text(&output.stderr)
    );
    std::fs::remove_file(installed.folder.path().join("agentsh-shell-shim"))?;
    let output = installed.run(&[], "true")?;
    assert_eq!(output.status.code(), Some(125));
    assert!(
        text(&output.stderr).contains("agentsh-shell-shim"),
        "{}",
        text(&output.stderr)
    );
    Ok(())
}

#[test]
fn a_refusal_of_the_shim_about_which_the_supervisor_knows_nothing_is_our_failure() -> Outcome {
    let output = Installed::new()?.run(&[], "echo 'agentsh: the session ended' >&2; exit 126")?;
    assert_eq!(output.status.code(), Some(125));
    Ok(())
}

#[test]
fn wrong_usage_is_2() -> Outcome {
    let installed = Installed::new()?;
    for arguments in [
        &["exec", SESSION][..],
        &["exec", "--timeout", "soon", SESSION, "--", "true"],
        &["nothing"],
    ] {
        let output = Command::new(installed.agentsh()).args(arguments).output()?;
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
    Ok(())
}
