//! From a description to descriptors and a process.

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use crate::Result;
use crate::shell::{Input, Output, Shell, Subject};
use crate::sys::Setup;
use crate::world::World;

/// The PATH of the tests: nothing of the person's who runs them.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The parent's ends of what the child got.
#[derive(Default)]
pub struct Ends {
    /// What arrives from the child, by its descriptor number, whole at the end of the stream.
    pub streams: BTreeMap<i32, Receiver<Vec<u8>>>,
    /// The file that [`Output::Appended`] descriptors share, with one of their numbers.
    pub appended: Option<(i32, File)>,
    /// Kept open until the child has ended.
    pub held: Vec<OwnedFd>,
}

/// The command with program, arguments, environment and folder; descriptors are the [`Setup`]'s.
pub fn command(shell: &Shell, world: &World, subject: &Subject) -> Command {
    let mut command = Command::new(subject.fill(&shell.program));
    if let Some(argv0) = &shell.argv0 {
        std::os::unix::process::CommandExt::arg0(&mut command, subject.fill(argv0));
    }
    command.args(shell.args.iter().map(|arg| subject.fill(arg)));
    command.env_clear();
    if !shell.bare_env {
        let user = world.user();
        command
            .env("PATH", PATH)
            .env("HOME", &user.home)
            .env("USER", user.name)
            .env("LOGNAME", user.name);
        command
            .env("LANG", "C.UTF-8")
            .env("TERM", "dumb")
            .env("SHELL", subject.shell("bash"));
    }
    command.envs(
        shell
            .env
            .iter()
            .map(|(name, value)| (name.clone(), subject.fill(value))),
    );
    command.current_dir(shell.cwd.clone().unwrap_or_else(|| world.workspace()));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// What is applied between fork and exec, and the parent's ends.
pub fn setup(shell: &Shell, world: &World, terminal: Option<OwnedFd>) -> Result<(Setup, Ends)> {
    let mut ends = Ends::default();
    let mut setup = inherited(shell, world)?;
    if let Some(slave) = &terminal {
        setup.new_session = true;
        let mut numbers = Vec::new();
        if matches!(shell.stdin, Input::Terminal) {
            numbers.push(0);
        }
        numbers.extend(
            [(1, shell.stdout), (2, shell.stderr)]
                .into_iter()
                .filter(|of| of.1 == Output::Terminal)
                .map(|of| of.0),
        );
        setup.terminal = numbers.first().copied();
        for number in numbers {
            setup.fds.push((slave.try_clone()?, number));
        }
    }
    let reads = std::iter::once((0, &shell.stdin)).chain(shell.reads.iter().map(|(fd, input)| (*fd, input)));
    for (number, input) in reads {
        if let Some(fd) = give(input, &mut ends)? {
            setup.fds.push((fd, number));
        }
    }
    let standard = [(1, shell.stdout), (2, shell.stderr)];
    for (number, output) in standard.into_iter().chain(shell.writes.iter().copied()) {
        let like_stdout = setup
            .fds
            .iter()
            .find(|(_, taken)| *taken == 1)
            .map(|(fd, _)| fd.try_clone())
            .transpose()?;
        if let Some(fd) = take(number, output, like_stdout, &mut ends)? {
            setup.fds.push((fd, number));
        }
    }
    Ok((setup, ends))
}

fn inherited(shell: &Shell, world: &World) -> Result<Setup> {
    let (user, inherit) = (world.user(), &shell.inherit);
    let removed_cwd = match inherit.removed_cwd {
        true => {
            let folder = world.workspace().join("removed");
            user.make_folder(&folder)?;
            Some(CString::new(folder.as_os_str().as_bytes())?)
        }
        false => None,
    };
    Ok(Setup {
        user: (!inherit.as_root).then(|| (user.uid, user.gid, user.groups.to_vec())),
        ignored: inherit.ignored.clone(),
        blocked: inherit.blocked.clone(),
        umask: Some(inherit.umask.unwrap_or(0o022)),
        rlimits: inherit.rlimits.clone(),
        nice: inherit.nice,
        new_session: inherit.new_session,
        new_group: inherit.new_group,
        no_new_privs: inherit.no_new_privs,
        oom_score: inherit.oom_score,
        removed_cwd,
        ..Setup::default()
    })
}

fn give(input: &Input, ends: &mut Ends) -> Result<Option<OwnedFd>> {
    Ok(Some(match input {
        Input::Closed | Input::Terminal => return Ok(None),
        Input::Null => File::open("/dev/null")?.into(),
        Input::Folder(path) => File::open(path)?.into(),
        Input::Open => {
            let (read, write) = std::io::pipe()?;
            ends.held.push(write.into());
            read.into()
        }
        Input::Bytes(bytes) => {
            let (read, mut write) = std::io::pipe()?;
            let bytes = bytes.clone();
            // A child that does not read to the end breaks the pipe, which is its right.
            thread::spawn(move || write.write_all(&bytes).is_ok());
            read.into()
        }
        Input::Socket(bytes) => {
            let (ours, theirs) = UnixStream::pair()?;
            let bytes = bytes.clone();
            thread::spawn(move || (&ours).write_all(&bytes).is_ok() && ours.shutdown(Shutdown::Write).is_ok());
            theirs.into()
        }
        Input::File(bytes) => {
            let mut file = nameless()?;
            file.write_all(bytes)?;
            file.rewind()?;
            file.into()
        }
    }))
}

fn take(number: i32, output: Output, like_stdout: Option<OwnedFd>, ends: &mut Ends) -> Result<Option<OwnedFd>> {
    Ok(Some(match output {
        Output::Closed | Output::Terminal => return Ok(None),
        Output::LikeStdout => return Ok(like_stdout),
        Output::Null => OpenOptions::new().write(true).open("/dev/null")?.into(),
        Output::Full => OpenOptions::new().write(true).open("/dev/full")?.into(),
        Output::Broken => std::io::pipe()?.1.into(),
        Output::Pipe => {
            let (read, write) = std::io::pipe()?;
            ends.streams.insert(number, drain(read));
            write.into()
        }
        Output::Socket => {
            let (ours, theirs) = UnixStream::pair()?;
            ends.streams.insert(number, drain(ours));
            theirs.into()
        }
        Output::Appended => match &ends.appended {
            Some((_, file)) => file.try_clone()?.into(),
            None => {
                let path = format!("/tmp/output.{}", std::process::id());
                let file = OpenOptions::new()
                    .append(true)
                    .create(true)
                    .truncate(false)
                    .read(true)
                    .open(&path)?;
                file.set_len(0)?;
                let child = file.try_clone()?;
                ends.appended = Some((number, file));
                child.into()
            }
        },
    }))
}

fn nameless() -> Result<File> {
    let path = format!("/tmp/input.{:?}", thread::current().id());
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(&path)?;
    std::fs::remove_file(path)?;
    Ok(file)
}

fn drain(mut from: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // A read error ends the stream; what came until then is compared.
        let _ = from.read_to_end(&mut bytes);
        sender.send(bytes)
    });
    receiver
}

/// `program` as found on the tests' PATH, if the machine has it.
pub fn find_program(program: &str) -> Option<OsString> {
    let found = PATH
        .split(':')
        .map(|folder| std::path::Path::new(folder).join(program))
        .find(|path| path.is_file());
    found.map(|path| <std::path::PathBuf as AsRef<OsStr>>::as_ref(&path).to_owned())
}
