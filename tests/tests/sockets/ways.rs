//! The many names of one endpoint, and the many calls that reach it: by effect, on endpoints of somebody else's.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use agentsh_tests::record::await_event;
use agentsh_tests::{Outcome, Result, Shell, User, World, fail, session};

use crate::listen;

/// What lies in `/tmp/guard`, and names that begin with `guard`, is out of reach; everything else may be talked to.
const RULES: &str = r#"unix_socket_rules:
  - {name: guard, paths: ["/tmp/guard", "/tmp/guard/**", "@guard*"], operations: [connect, sendto], decision: deny}
"#;

/// Endpoints of somebody else's: a stream, datagrams, and an abstract name with a zero byte in it.
struct Guarded {
    stream: UnixListener,
    datagrams: UnixDatagram,
    hidden: UnixListener,
    /// What follows `guard\0` in its name: abstract names are shared by all worlds.
    number: u32,
}

impl Guarded {
    fn new(world: &World) -> Result<Guarded> {
        let stream = listen(Path::new("/tmp/guard/s"))?;
        let datagrams = UnixDatagram::bind("/tmp/guard/d")?;
        datagrams.set_nonblocking(true)?;
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = std::process::id() * 100 + NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("guard\0{number}");
        let hidden = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
        hidden.set_nonblocking(true)?;
        for name in ["", "s", "d"] {
            world.user().own(&Path::new("/tmp/guard").join(name))?;
        }
        Ok(Guarded {
            stream,
            datagrams,
            hidden,
            number,
        })
    }

    /// Fails if anything arrived.
    fn untouched(&self, what: &str) -> Result {
        let reached =
            self.stream.accept().is_ok() || self.datagrams.recv(&mut [0; 64]).is_ok() || self.hidden.accept().is_ok();
        match reached {
            false => Ok(()),
            true => Err(fail(format!("{what}: an endpoint was reached"))),
        }
    }
}

fn python(world: &World, text: &str) -> Result<Outcome> {
    world.user().write_file(&world.workspace().join("p.py"), text, 0o644)?;
    world.shimmed("python3 p.py")
}

/// Prints which of these ways worked.
const NAMES: &str = r#"
import os, socket
os.symlink("/tmp/guard", "folder"); os.symlink("/tmp/guard/s", "link"); os.symlink("link", "link2")
folder = os.open("/tmp/guard", os.O_PATH); root = os.open("/", os.O_PATH)
here = os.open("/tmp/guard/s", os.O_PATH)
os.chdir("/tmp")
names = ["/tmp/guard/s", "guard/s", "./guard/./s", "//tmp//guard//s", "guard/../guard/s", "/proc/self/root/tmp/guard/s",
    "/proc/thread-self/root/tmp/guard/s", "/proc/%d/root/tmp/guard/s" % os.getpid(), "/proc/self/cwd/guard/s",
    "/proc/self/fd/%d/s" % folder, "/dev/fd/%d/s" % folder, "/proc/self/fd/%d/tmp/guard/s" % root, "/proc/self/fd/%d" % here]
home = os.path.dirname(os.path.abspath(__import__("sys").argv[0]))
names += [home + "/folder/s", home + "/link", home + "/link2"]
# Whatever file rules let one do with the file.
os.link("/tmp/guard/s", "/tmp/hard"); names.append("/tmp/hard")
reached = []
for name in names:
    for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM):
        try: socket.socket(socket.AF_UNIX, kind).connect(name); reached.append((name, kind))
        except OSError: pass
os.chdir("/tmp/guard")
for name in ("s", "./s"):
    try: socket.socket(socket.AF_UNIX).connect(name); reached.append(name)
    except OSError: pass
os.chdir("/")
os.rename("/tmp/guard/s", "/tmp/moved")
try: socket.socket(socket.AF_UNIX).connect("/tmp/moved"); reached.append("moved")
except OSError: pass
os.rename("/tmp/moved", "/tmp/guard/s")
os.rename("/tmp/guard", "/tmp/elsewhere")
for call in (lambda: socket.socket(socket.AF_UNIX).connect("/tmp/elsewhere/s"),
             lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"x", "/tmp/elsewhere/d")):
    try: call(); reached.append("elsewhere")
    except OSError: pass
os.rename("/tmp/elsewhere", "/tmp/guard")
print(reached)
"#;

#[test]
fn by_whatever_name_it_is_the_same_endpoint() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        session::with_rules(&world, RULES)?;
        let guarded = Guarded::new(&world)?;
        let outcome = python(&world, NAMES)?;
        guarded.untouched(&format!("{outcome:?}"))?;
        if outcome.out() != "[]\n" {
            return Err(fail(format!("{outcome:?}")));
        }
        await_event(&world, "the denial", |event| {
            event.is("unix_connect", "deny", "/tmp/guard/s")
        })?;
    }
    Ok(())
}

/// Sends to a datagram socket and to an abstract name in every way that there is.
const CALLS: &str = r#"
import array, ctypes, os, socket, struct
libc = ctypes.CDLL(None, use_errno=True)
reached = []
def tried(what, go):
    try: go(); reached.append(what)
    except OSError: pass
hidden = b"\0guard\0" + b"%d" % NUMBER
def dgram(): return socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
for flags in (0, socket.MSG_DONTWAIT, socket.MSG_NOSIGNAL):
    tried(("sendto", flags), lambda: dgram().sendto(b"x", flags, "/tmp/guard/d"))
    tried(("sendmsg", flags), lambda: dgram().sendmsg([b"x"], [], flags, "/tmp/guard/d"))
    tried(("rights", flags), lambda: dgram().sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0]))], flags, "/tmp/guard/d"))
def connected():
    s = dgram(); s.connect("/tmp/guard/d"); s.send(b"x")
tried("connect and send", connected)
# As the kernel takes them: a length beyond the name, and none of a zero at its end.
def raw(length):
    name = struct.pack("H", 1) + b"/tmp/guard/d"
    address = ctypes.create_string_buffer(name, 128)
    s = dgram()
    if libc.sendto(s.fileno(), b"x", 1, 0, address, length) == -1: raise OSError
for length in (14, 15, 110, 128): tried(("raw", length), lambda: raw(length))
def many():
    name = ctypes.create_string_buffer(struct.pack("H", 1) + b"/tmp/guard/d", 110)
    data = ctypes.create_string_buffer(b"x"); vector = (ctypes.c_size_t * 2)(ctypes.addressof(data), 1)
    header = struct.pack("QIIQQQQIIII", ctypes.addressof(name), 110, 0, ctypes.addressof(vector), 1, 0, 0, 0, 0, 0, 0)
    s = dgram()
    if libc.sendmmsg(s.fileno(), ctypes.create_string_buffer(header, 64), 1, 0) < 1: raise OSError
tried("sendmmsg", many)
for name in (hidden, hidden + b"\0"):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
        tried(("abstract", name, kind), lambda: socket.socket(socket.AF_UNIX, kind).connect(name))
        tried(("abstract sendto", name, kind), lambda: socket.socket(socket.AF_UNIX, kind).sendto(b"x", name))
# A socket of its own whose peer is exchanged, and names that the kernel picks, are its own affair.
a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM); tried("pair", lambda: a.sendto(b"x", "/tmp/guard/d")); tried("pair again", lambda: a.connect("/tmp/guard/d"))
c = dgram(); libc.bind(c.fileno(), struct.pack("H", 1), 2); d = dgram(); d.sendto(b"own", c.getsockname()); print(c.recv(9))
print(reached)
"#;

#[test]
fn no_call_that_sends_reaches_it() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        session::with_rules(&world, RULES)?;
        let guarded = Guarded::new(&world)?;
        let outcome = python(&world, &CALLS.replace("NUMBER", &guarded.number.to_string()))?;
        guarded.untouched(&format!("{outcome:?}"))?;
        if outcome.out() != "b'own'\n[]\n" {
            return Err(fail(format!("{outcome:?}")));
        }
        for (kind, path) in [("unix_send", "/tmp/guard/d"), ("unix_connect", "/tmp/guard/d")] {
            await_event(&world, kind, |event| event.is(kind, "deny", path))?;
        }
    }
    Ok(())
}

/// Exchanges a link, and the file of a socket, while connects are under way.
const RACE: &str = r#"
import os, socket, threading
os.makedirs("own", exist_ok=True)
keep = socket.socket(socket.AF_UNIX); keep.bind("own/s"); keep.listen(4096)
os.symlink("own", "a")
done, stop = [], False
def flip():
    n = 0
    while not stop:
        n += 1
        os.symlink("/tmp/guard" if n % 2 else "own", "new"); os.rename("new", "a")
thread = threading.Thread(target=flip); thread.start()
other, own = 0, 0
for _ in range(4000):
    s = socket.socket(socket.AF_UNIX)
    try: s.connect("a/s"); own += 1
    except OSError: other += 1
    s.close()
    try: keep.setblocking(False); keep.accept()[0].close()
    except OSError: pass
stop = True; thread.join()
print(own > 0, other > 0)
"#;

#[test]
fn a_name_that_is_exchanged_meanwhile_leads_nowhere_else() -> Result {
    let world = World::new(User::agent())?;
    session::with_rules(&world, RULES)?;
    let guarded = Guarded::new(&world)?;
    let outcome = python(&world, RACE)?;
    guarded.untouched(&format!("{outcome:?}"))?;
    match outcome.out() == "True True\n" {
        true => Ok(()),
        false => Err(fail(format!("{outcome:?}"))),
    }
}

#[test]
fn a_socket_that_somebody_else_bound_is_not_made_ones_own() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        session::with_rules(&world, RULES)?;
        let guarded = Guarded::new(&world)?;
        // The session inherits the listener itself, binds it once more, which the kernel refuses, and connects.
        let text = "import socket
s = socket.socket(fileno=5)
for name in ['/tmp/guard/s', '/tmp/again']:
    try: s.bind(name); print('bound')
    except OSError: pass
try: socket.socket(socket.AF_UNIX).connect('/tmp/guard/s'); print('in')
except PermissionError: print('out')";
        world.user().write_file(&world.workspace().join("p.py"), text, 0o644)?;
        let listener: std::os::fd::OwnedFd = guarded.stream.try_clone()?.into();
        let shell = Shell::named("bash").args(["-c", "python3 p.py"]);
        let outcome = shell.run_with_descriptor(&world, listener, 5)?;
        guarded.untouched(&format!("{outcome:?}"))?;
        if outcome.out() != "out\n" {
            return Err(fail(format!("{outcome:?}")));
        }
    }
    Ok(())
}

#[test]
fn what_was_inherited_connected_stays_usable_and_descriptors_pass_through_it() -> Result {
    let world = World::new(User::agent())?;
    session::with_rules(&world, RULES)?;
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    ours.set_read_timeout(Some(std::time::Duration::from_secs(20)))?;
    let text = "import array, socket
s, nothing = socket.socket(fileno=5), open('/dev/null')
s.sendmsg([b'hello'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [nothing.fileno()]))])
print(s.recv(9))";
    world.user().write_file(&world.workspace().join("p.py"), text, 0o644)?;
    use std::io::Write as _;
    (&ours).write_all(b"answer")?;
    let shell = Shell::named("bash").args(["-c", "python3 p.py"]);
    let outcome = shell.run_with_descriptor(&world, theirs.into(), 5)?;
    let mut buffer = [0; 16];
    let count = std::io::Read::read(&mut &ours, &mut buffer)?;
    match outcome.out() == "b'answer'\n" && &buffer[..count] == b"hello" {
        true => Ok(()),
        false => Err(fail(format!("{outcome:?} {:?}", &buffer[..count]))),
    }
}

#[test]
fn the_receiver_of_credentials_sees_the_caller() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        session::with_rules(&world, "")?;
        let text = r#"
import os, socket, struct
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); receiver.bind("r")
receiver.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
sender.sendto(b"x", "r")
data, control, _, _ = receiver.recvmsg(9, 100)
pid, uid, gid = struct.unpack("iII", control[0][2])
print(uid == os.getuid(), gid == os.getgid(), pid == os.getpid())
for lie in ((1, os.getuid(), os.getgid()), (os.getpid(), 12345, os.getgid())):
    try: sender.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, struct.pack("iII", *lie))], 0, "r"); print("lied")
    except PermissionError: print("refused")
listener = socket.socket(socket.AF_UNIX); listener.bind("l"); listener.listen()
client = socket.socket(socket.AF_UNIX); client.connect("l")
peer = listener.accept()[0].getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
print(struct.unpack("iII", peer)[1:] == (os.getuid(), os.getgid()))
"#;
        let outcome = python(&world, text)?;
        // Only the superuser may name another process in a message: for others the worker's own number stands there.
        let pid = if world.user().uid == 0 { "True" } else { "False" };
        let expected = format!("True True {pid}\nrefused\nrefused\nTrue\n");
        if outcome.out() != expected {
            return Err(fail(format!("{expected}{outcome:?}")));
        }
    }
    Ok(())
}
