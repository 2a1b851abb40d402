//! Descriptors, waiting, and our own processes.

use std::fs;
use std::io::Write;
use std::time::{Duration, Instant};

use crate::rig::{Rig, Rules};
use crate::support::{Result, program, text};

fn python(rig: &Rig, folder: &std::path::Path, lines: &str) -> Result<String> {
    let mut command = program("python3", &["-S", "-c", lines]);
    command.current_dir(folder);
    rig.run(command)
}

#[test]
fn a_file_is_neither_made_nor_cut_when_no_descriptor_is_left() -> Result {
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("old"), "content")?;
    let rig = Rig::new(Rules::allow_all())?;
    let shown = python(
        &rig,
        folder.path(),
        "
import os, resource
resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
try:
    while True: os.dup(0)
except OSError: pass
for name, flags in (('new', os.O_CREAT | os.O_WRONLY), ('old', os.O_TRUNC | os.O_WRONLY), ('old', os.O_RDONLY)):
    try: print(os.open(name, flags))
    except OSError as error: print(error.errno)
",
    )?;
    assert_eq!(shown, "24\n24\n24\n");
    assert!(!fs::exists(folder.path().join("new"))?);
    assert_eq!(fs::read_to_string(folder.path().join("old"))?, "content");
    Ok(())
}

#[test]
fn a_file_without_a_name_gets_one_by_link() -> Result {
    let folder = tempfile::tempdir()?;
    let rig = Rig::new(Rules::allow_all().deny(folder.path().join("denied")))?;
    let shown = python(
        &rig,
        folder.path(),
        "
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
fd = os.open('.', os.O_TMPFILE | os.O_RDWR, 0o640); os.write(fd, b'text')
for name in (b'denied', b'named'):
    failed = libc.linkat(-100, b'/proc/self/fd/%d' % fd, -100, name, 0x400)
    print(ctypes.get_errno() if failed else open(name).read())
",
    )?;
    assert_eq!(shown, "13\ntext\n");
    Ok(())
}

#[test]
fn opening_a_fifo_waits_for_the_other_end_and_keeps_nobody_else() -> Result {
    let folder = tempfile::tempdir()?;
    let rig = Rig::new(Rules::allow_all())?;
    let shown = rig.sh(
        folder.path(),
        "mkfifo f; cat f & echo other > g; cat g; echo through > f; wait",
    )?;
    assert_eq!(shown, "other\nthrough\n");
    Ok(())
}

#[test]
fn a_signal_ends_the_wait_for_a_fifo() -> Result {
    let folder = tempfile::tempdir()?;
    let rig = Rig::new(Rules::allow_all())?;
    let started = Instant::now();
    let shown = python(
        &rig,
        folder.path(),
        "
import os, signal
os.mkfifo('f')
def ring(*unused): raise KeyError
signal.signal(signal.SIGALRM, ring); signal.setitimer(signal.ITIMER_REAL, 0.2)
try: os.open('f', os.O_RDONLY)
except KeyError: print('rang')
",
    )?;
    assert_eq!(shown, "rang\n");
    assert!(started.elapsed() < Duration::from_secs(10));
    Ok(())
}

#[test]
fn a_caller_killed_while_it_waits_leaves_us_serving() -> Result {
    let folder = tempfile::tempdir()?;
    let rig = Rig::new(Rules::allow_all())?;
    let shown = rig.sh(
        folder.path(),
        "mkfifo f; cat f & read -t 0 x 2>/dev/null; kill -9 $!; wait; echo on > g; cat g",
    )?;
    assert!(shown.ends_with("on\n"), "{shown}");
    Ok(())
}

#[test]
fn the_memory_of_others_and_our_own_processes_are_closed() -> Result {
    let folder = tempfile::tempdir()?;
    let rig = Rig::new(Rules::allow_all())?;
    let own = std::process::id();
    let shown = python(
        &rig,
        folder.path(),
        &format!(
            "
import os, subprocess
other = subprocess.Popen(['sleep', '9'])
for name in ('/proc/{own}/environ', '/proc/{own}/fd', '/proc/{own}/root/etc/passwd', '/proc/{own}/cwd', '/proc/{own}/exe',
             '/proc/{own}/maps', '/proc/{own}/task/{own}/status', '/proc/{own}/mem', f'/proc/{{other.pid}}/mem', '/proc/1/root'):
    try: print(name, os.open(name, os.O_RDONLY))
    except OSError as error: print(error.errno)
other.kill()
# Its own it has in its hands already.
for name in ('/proc/self/mem', '/proc/thread-self/mem'): os.close(os.open(name, os.O_RDONLY)); print('own')
print(open('/proc/self/comm').read().strip(), os.readlink('/proc/self') == str(os.getpid()), len(open('/proc/self/maps').read()) > 0)
"
        ),
    )?;
    assert_eq!(shown, format!("{}own\nown\npython3 True True\n", "13\n".repeat(10)));
    Ok(())
}

#[test]
fn standard_streams_are_the_callers() -> Result {
    let folder = tempfile::tempdir()?;
    let rig = Rig::new(Rules::allow_all())?;
    assert_eq!(
        rig.sh(
            folder.path(),
            "echo out > /dev/stdout; echo in | cat /dev/stdin; echo x | cat /dev/fd/0"
        )?,
        "out\nin\nx\n"
    );
    let no_terminal = python(
        &rig,
        folder.path(),
        "
import os
os.setsid()
try: os.open('/dev/tty', os.O_RDWR)
except OSError as error: print(error.errno)
import pty
pid, fd = pty.fork()
if pid == 0:
    tty = os.open('/dev/tty', os.O_RDWR); os.write(tty, os.ttyname(tty).encode()); os._exit(0)
print(os.read(fd, 100).decode().startswith('/dev/pts/'))
",
    )?;
    assert_eq!(no_terminal, "6\nTrue\n");
    Ok(())
}

#[test]
fn names_that_would_break_a_record_are_judged_as_they_are() -> Result {
    let folder = tempfile::tempdir()?;
    let top = folder.path();
    use std::os::unix::ffi::OsStrExt;
    let name = std::ffi::OsStr::from_bytes(b"new\nline \x1b[2J \xff (deleted)");
    fs::File::create(top.join(name))?.write_all(b"secret")?;
    let rig = Rig::new(Rules::allow_all().deny(top.join(name)))?;
    let mut command = program("/bin/cat", &[]);
    command.arg(top.join(name));
    let output = rig.start(command)?.output()?;
    assert!(output.stdout.is_empty(), "{}", text(&output.stdout));
    Ok(())
}

#[test]
fn what_is_made_has_the_mask_of_its_moment() -> Result {
    let folder = tempfile::tempdir()?;
    let rig = Rig::new(Rules::allow_all())?;
    let shown = python(
        &rig,
        folder.path(),
        "
import os, queue, threading
def made(name):
    fd = os.open(name, os.O_CREAT | os.O_WRONLY, 0o666)
    return os.fstat(fd).st_mode & 0o777
asked, told = queue.Queue(), queue.Queue()
def other():
    while (name := asked.get()): told.put(made(name))
thread = threading.Thread(target=other)
wrong = 0
for turn in range(60):
    if turn == 30: thread.start()
    mask = (turn * 7) % 64
    os.umask(mask)
    wrong += made('a%d' % turn) != 0o666 & ~mask
    if turn >= 30:
        asked.put('b%d' % turn)
        wrong += told.get() != 0o666 & ~mask
    child = os.fork()
    if child == 0:
        before = made('c%d' % turn) == 0o666 & ~mask
        os.umask(0o077)
        os._exit(0 if before and made('d%d' % turn) == 0o600 else 1)
    wrong += os.waitpid(child, 0)[1] != 0
asked.put('')
print(wrong)
",
    )?;
    assert_eq!(shown, "0\n");
    Ok(())
}
