//! Binds of programs with several threads, of which another could put another socket under a number while a bind of it
//! is judged.

use agentsh_tests::{Result, Shell, User, World, fail, session};

/// Prints what comes of binds beside a second thread.
const BINDS: &str = r#"
import os, socket, stat, threading
threading.Thread(target=threading.Event().wait, daemon=True).start()
os.makedirs("sub/deep", exist_ok=True); os.chdir("sub")
if not os.path.islink("link"): os.symlink("deep", "link")
def bound(name, kind=socket.SOCK_STREAM):
    s = socket.socket(socket.AF_UNIX, kind)
    try: s.bind(name)
    except OSError as error: return error.errno
    there = os.stat(name)
    return s.getsockname(), oct(there.st_mode), there.st_uid == os.getuid(), there.st_gid == os.getgid()
home = os.getcwd()
for mask in (0o22, 0o77):
    os.umask(mask)
    names = ["a%o" % mask, "./deep/../b%o" % mask, home + "/c%o" % mask, "link/d%o" % mask, "../e%o" % mask]
    print([str(bound(name)).replace(home, "HOME") for name in names])
print(bound("a22"), bound("nothing/x"), bound("/etc/x" if os.getuid() else "nothing/y"), bound("f", socket.SOCK_DGRAM))
os.mkdir("gone"); os.chdir("gone"); os.rmdir("../gone"); print(bound("x"))
link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0); link.bind((0, 0)); print(link.getsockname() == (os.getpid(), 0))
link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0); link.bind((0, 1)); print(link.getsockname()[0] not in (0, os.getpid()), link.getsockname()[1])
"#;

#[test]
fn a_program_with_threads_binds_as_ever() -> Result {
    for user in User::both() {
        let mut ends = Vec::new();
        for caged in [false, true] {
            let world = World::new(user.clone())?;
            world.user().write_file(&world.workspace().join("p.py"), BINDS, 0o644)?;
            let shell = Shell::named("bash").args(["-c", "python3 p.py"]);
            let outcome = match caged {
                false => shell.run(&world)?,
                true => {
                    session::with_rules(&world, "")?;
                    shell.run_shimmed(&world)?
                }
            };
            outcome.expect_success("p.py")?;
            ends.push(outcome.out());
        }
        if ends[0] != ends[1] {
            return Err(fail(format!("{}: {}\nbecame\n{}", user.name, ends[0], ends[1])));
        }
    }
    Ok(())
}

/// While a socket is bound, another thread puts another one under its number, and another address in its place; whether
/// the other was bound, and how often the first.
const EXCHANGE: &str = r#"
import ctypes, os, socket, struct, sys, threading, time
libc = ctypes.CDLL(None)
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
judged = struct.pack("H", FAMILY) + (b"/tmp/q\0" if FAMILY == 1 else bytes(10))
other = struct.pack(">HHI", 0x0200, 6999, 0x7f000001) + bytes(8)
address = ctypes.create_string_buffer(judged.ljust(16, b"\0"), 16)
end, count = time.time() + 5, 0
def exchange():
    while time.time() < end:
        ctypes.memmove(address, judged.ljust(16, b"\0"), 16); os.dup2(current.fileno(), 50)
        ctypes.memmove(address, other, 16); os.dup2(udp.fileno(), 50)
def made(): return socket.socket(FAMILY, socket.SOCK_DGRAM, 0)
current = made()
os.dup2(current.fileno(), 50)
sys.setswitchinterval(1e-6)
thread = threading.Thread(target=exchange); thread.start()
while time.time() < end and udp.getsockname()[1] != 6999:
    libc.bind(50, address, len(judged) if FAMILY == 1 else 12)
    libc.bind(50, address, 16)
    if current.getsockname() not in ("", (0, 0)):
        count += 1; current = made()
        if FAMILY == 1: os.unlink("/tmp/q")
end = 0; thread.join()
print(udp.getsockname()[1] == 6999, count > 0)
"#;

#[test]
fn no_other_socket_is_bound_than_the_one_that_was_judged() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let rules = "network_rules:\n  - {name: binds, operations: [bind, listen], decision: deny}\n";
        let id = session::with_rules(&world, rules)?.id;
        for family in [libc::AF_UNIX, libc::AF_NETLINK] {
            let text = EXCHANGE.replace("FAMILY", &family.to_string());
            let outcome = session::run(&world, &id, &["python3", "-c", &text])?;
            if outcome.out() != "False True\n" {
                return Err(fail(format!("family {family}: {outcome:?}")));
            }
        }
    }
    Ok(())
}
