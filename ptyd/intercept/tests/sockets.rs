//! connect, carried out on the caller's own socket: what it leads to is judged, our own sockets lead to us.

mod support;

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Output;
use std::sync::{Arc, Mutex, PoisonError};

use agentsh_intercept::{
    Act, BindRequest, Caller, ConnectRequest, Errno, Inside, InternetOperation, InternetRequest, Locator, Outcome,
    OwnSocket, Peer, SocketDecision, SocketJudge, Sockets, Table, Transport,
};
use support::judge::Nobody;
use support::{Result, cage, program, text};

#[derive(Default)]
struct Log {
    denied: Vec<Peer>,
    denied_addresses: Vec<SocketAddr>,
    /// What is told of internet sockets.
    flows: Mutex<Vec<(InternetOperation, Transport, SocketAddr)>>,
    seen: Mutex<Vec<(Peer, std::result::Result<(), Errno>)>>,
    insiders: Mutex<Vec<OwnSocket>>,
}

impl SocketJudge for Log {
    fn connect(&self, request: &ConnectRequest<'_>) -> SocketDecision {
        match self.denied.contains(&request.peer) {
            true => SocketDecision::Deny(Errno::ACCESS),
            false => SocketDecision::Allow,
        }
    }

    fn connected(&self, request: &ConnectRequest<'_>, result: std::result::Result<(), Errno>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push((request.peer.clone(), result));
    }

    fn bind(&self, request: &BindRequest<'_>) -> SocketDecision {
        match self.denied.contains(&request.at) {
            true => SocketDecision::Deny(Errno::ACCESS),
            false => SocketDecision::Allow,
        }
    }

    fn internet(&self, request: &InternetRequest<'_>, act: &mut Act<'_>) -> Outcome {
        let mut flows = self.flows.lock().unwrap_or_else(PoisonError::into_inner);
        flows.push((request.operation, request.transport, request.address));
        drop(flows);
        match self.denied_addresses.contains(&request.address) {
            true => Outcome::Errno(Errno::ACCESS),
            false => act(None).map_or_else(|outcome| outcome, Outcome::Value),
        }
    }

    fn enter_walls(&self) -> std::result::Result<(), Errno> {
        Ok(())
    }

    fn insider(&self, socket: OwnSocket, caller: &Caller<'_>, mut stream: UnixStream) {
        self.insiders
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(socket);
        let _ = stream.write_all(format!("hello {}\n", caller.tid()).as_bytes());
    }
}

/// Runs Python text with `connect` intercepted, in `folder`.
fn python(log: &Arc<Log>, folder: &Path, script: &str, as_nobody: bool) -> Result<Output> {
    let own = tempfile::tempdir()?;
    std::fs::set_permissions(own.path(), std::fs::Permissions::from_mode(0o700))?;
    let mut command = program("/usr/bin/env", &["python3"]);
    let drop = if as_nobody {
        "os.setgroups([]);os.setresgid(65534,65534,65534);os.setresuid(65534,65534,65534)"
    } else {
        ""
    };
    let script = format!("import socket,os,signal,sys,errno\nS=socket.socket\nU=socket.AF_UNIX\n{drop}\n{script}");
    command.args(["-c", &script]).current_dir(folder);
    let inside = Arc::new(Inside::new(own.path())?);
    let log = Arc::clone(log);
    let output = cage(command, &Sockets::CALLS, move |_| {
        let mut table = Table::new();
        if let Ok(locator) = Locator::new(Arc::new(Nobody), false) {
            let sockets: Arc<dyn agentsh_intercept::Handler> =
                Arc::new(Sockets::new(locator, log, inside, Arc::default()));
            table.insert(&Sockets::CALLS, &sockets);
        }
        Arc::new(table)
    })?
    .output()?;
    assert_eq!(
        std::fs::read_dir(own.path())?.count(),
        0,
        "nothing is left in the supervisor's folder"
    );
    Ok(output)
}

fn lines(output: &Output) -> Vec<String> {
    assert_eq!(text(&output.stderr), "");
    text(&output.stdout).lines().map(str::to_owned).collect()
}

/// Answers every connection with a line, for as long as the test's process lives.
fn server(listener: UnixListener) {
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.write_all(b"served\n");
        }
    });
}

const TRY: &str = "
def go(path, kind=socket.SOCK_STREAM):
    s=S(U,kind)
    try:
        s.connect(path); print(s.makefile().readline().strip())
    except OSError as e: print(errno.errorcode[e.errno])
";

#[test]
fn a_path_is_judged_by_where_it_leads_and_reached_as_the_caller_would() -> Result {
    let folder = tempfile::tempdir()?;
    let real = std::fs::canonicalize(folder.path())?;
    server(UnixListener::bind(real.join("open"))?);
    server(UnixListener::bind(real.join("closed"))?);
    std::os::unix::fs::symlink("open", real.join("link"))?;
    std::os::unix::fs::symlink(&real, real.join("up"))?;
    std::os::unix::fs::symlink("closed", real.join("innocent"))?;
    std::fs::write(real.join("file"), "")?;
    let log = Arc::new(Log {
        denied: vec![Peer::Path(real.join("closed"))],
        ..Log::default()
    });
    let script = format!(
        "{TRY}
for p in ['open','link','./up/up/open','/proc/self/cwd/open','{0}/open','closed','innocent','up/closed','/proc/self/cwd/innocent','nothing','no/thing','file','open/x']: go(p)",
        real.display()
    );
    let output = python(&log, &real, &script, false)?;
    let served = std::iter::repeat_n("served", 5).chain(std::iter::repeat_n("EACCES", 4));
    let expected: Vec<&str> = served.chain(["ENOENT", "ENOENT", "ECONNREFUSED", "ENOTDIR"]).collect();
    assert_eq!(lines(&output), expected);
    let seen = log.seen.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(seen[0], (Peer::Path(real.join("open")), Ok(())));
    Ok(())
}

#[test]
fn the_callers_rights_decide_not_ours() -> Result {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: needs root, to be more than the caller");
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))?;
    server(UnixListener::bind(folder.path().join("roots"))?);
    std::fs::set_permissions(folder.path().join("roots"), std::fs::Permissions::from_mode(0o700))?;
    let log = Arc::new(Log::default());
    let output = python(&log, folder.path(), &format!("{TRY}\ngo('roots')"), true)?;
    assert_eq!(lines(&output), ["EACCES"]);
    Ok(())
}

#[test]
fn every_path_of_our_own_sockets_leads_to_the_supervisor() -> Result {
    let folder = tempfile::tempdir()?;
    std::os::unix::fs::symlink("/run/agentsh/4242/launch.sock", folder.path().join("far"))?;
    std::os::unix::fs::symlink("/run", folder.path().join("run"))?;
    let log = Arc::new(Log::default());
    let script = format!(
        "{TRY}
print('hello', os.getpid())
for p in ['/run/agentsh/0/launch.sock','/run/agentsh/4242/launch.sock','/run/user/4242/agentsh/api.sock','run/agentsh/4242/api.sock','/proc/self/root/run/agentsh/4242/launch.sock']: go(p)
go('/run/agentsh/4242/launch.sock', socket.SOCK_DGRAM)
s=S(U); s.connect('/run/agentsh/4242/launch.sock')
try: s.connect('/run/agentsh/4242/launch.sock')
except OSError as e: print(errno.errorcode[e.errno])"
    );
    let lines = lines(&python(&log, folder.path(), &script, false)?);
    assert!(lines[1..6].iter().all(|line| *line == lines[0]), "{lines:?}");
    assert_eq!(lines[6..], ["EPROTOTYPE", "EISCONN"]);
    let insiders = log.insiders.lock().unwrap_or_else(PoisonError::into_inner).clone();
    use OwnSocket::{Api, Launch};
    assert_eq!(insiders, [Launch, Launch, Api, Api, Launch, Launch]);
    Ok(())
}

#[test]
fn an_abstract_name_is_judged_as_it_is() -> Result {
    use std::os::linux::net::SocketAddrExt;
    let name = format!("agentsh-test-{}", std::process::id());
    let address = std::os::unix::net::SocketAddr::from_abstract_name(&name)?;
    server(UnixListener::bind_addr(&address)?);
    let script = format!("{TRY}\ngo('\\0{name}')");
    let log = Arc::new(Log::default());
    assert_eq!(lines(&python(&log, Path::new("/"), &script, false)?), ["served"]);
    let log = Arc::new(Log {
        denied: vec![Peer::Abstract(name.into())],
        ..Log::default()
    });
    assert_eq!(lines(&python(&log, Path::new("/"), &script, false)?), ["EACCES"]);
    Ok(())
}

#[test]
fn internet_connections_keep_their_ways() -> Result {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let (open, closed) = (listener.local_addr()?, std::net::TcpListener::bind("127.0.0.1:0")?);
    let closed_address = closed.local_addr()?;
    let accepted = std::thread::spawn(move || -> std::io::Result<String> {
        let mut line = String::new();
        listener.accept()?.0.read_to_string(&mut line)?;
        Ok(line)
    });
    let script = format!(
        "
def go(s, a):
    try: print(s.connect(a), s.getpeername()[1] == a[1])
    except OSError as e: print(errno.errorcode[e.errno])
    return s
s=go(S(), ('127.0.0.1', {0})); s.sendall(b'text'); s.close()
go(S(), ('127.0.0.1', {1}))
go(S(socket.AF_INET6), ('::ffff:127.0.0.1', {1}))
s=S(); s.setblocking(False)
try: s.connect(('127.0.0.1', 1))
except OSError as e: print(errno.errorcode[e.errno])
u=go(S(type=socket.SOCK_DGRAM), ('127.0.0.1', 9))
try: os.close(u.fileno()); u.connect(('127.0.0.1', 9))
except OSError as e: print(errno.errorcode[e.errno])
u.detach()",
        open.port(),
        closed_address.port()
    );
    let log = Arc::new(Log {
        denied_addresses: vec![closed_address],
        ..Log::default()
    });
    let output = python(&log, Path::new("/"), &script, false)?;
    let expected = ["None True", "EACCES", "EACCES", "EINPROGRESS", "None True", "EBADF"];
    assert_eq!(lines(&output), expected);
    assert_eq!(accepted.join().map_err(|_| "the server panicked")??, "text");
    Ok(())
}

#[test]
fn an_address_of_ones_own_is_judged_and_taken_on_the_callers_socket() -> Result {
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let script = format!(
        "
def go(s, a):
    try: s.bind(a); print(s.getsockname()[0], s.getsockname()[1]>0)
    except OSError as e: print(errno.errorcode[e.errno])
    return s
s=go(S(), ('127.0.0.1', 0)); s.listen(5); c=S(); c.connect(s.getsockname()); c.sendall(b'x'); print(s.accept()[0].recv(1))
go(S(), ('127.0.0.1', {0}))
go(S(socket.AF_INET6), ('::ffff:127.0.0.1', {0}))
go(S(type=socket.SOCK_DGRAM), ('', 0))
go(S(), ('203.0.113.9', 0))
l=S(); l.listen(); print(l.getsockname()[1]>0)
n=S(socket.AF_NETLINK, socket.SOCK_RAW); n.bind((0, 0)); print(n.getsockname()[0] in (os.getpid(),))",
        taken.port()
    );
    let log = Arc::new(Log {
        denied_addresses: vec![taken],
        ..Log::default()
    });
    let output = python(&log, Path::new("/"), &script, false)?;
    let expected = [
        "127.0.0.1 True",
        "b'x'",
        "EACCES",
        "EACCES",
        "0.0.0.0 True",
        "EADDRNOTAVAIL",
        "True",
        "True",
    ];
    assert_eq!(lines(&output), expected);
    let flows = log.flows.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(
        flows
            .iter()
            .any(|flow| flow.0 == InternetOperation::Listen && flow.2.port() == 0)
    );
    Ok(())
}

#[test]
fn a_connection_that_waits_is_given_up_for_a_signal_and_keeps_nobody_waiting() -> Result {
    let folder = tempfile::tempdir()?;
    server(UnixListener::bind(folder.path().join("open"))?);
    // Nobody accepts and the queue is full: connect(2) waits.
    let script = "
l=S(U); l.bind('full'); l.listen(0)
a=S(U); a.connect('full')
class Hit(Exception): pass
def hit(*_): raise Hit()
signal.signal(signal.SIGALRM, hit)
import threading
def other():
    s=S(U); s.connect('open'); print(s.makefile().readline().strip(), flush=True)
signal.setitimer(signal.ITIMER_REAL, 0.3)
t=threading.Thread(target=other)
b=S(U)
try:
    threading.Timer(0.1, t.start).start(); b.connect('full')
except Hit: print('hit')
t.join()";
    let log = Arc::new(Log::default());
    assert_eq!(lines(&python(&log, folder.path(), script, false)?), ["served", "hit"]);
    Ok(())
}

#[test]
fn a_bound_name_is_the_callers_own_and_made_with_its_rights() -> Result {
    let folder = tempfile::tempdir()?;
    let real = std::fs::canonicalize(folder.path())?;
    let log = Arc::new(Log {
        denied: vec![Peer::Path(real.join("closed")), Peer::Abstract(b"agentsh-no".to_vec())],
        ..Log::default()
    });
    let script = "
def bind(name, kind=socket.SOCK_STREAM):
    s=S(U,kind)
    try: s.bind(name); print(s.getsockname())
    except OSError as e: print(errno.errorcode[e.errno])
    return s
os.umask(0o027)
keep=[bind(n) for n in ['open','./closed','open','no/thing','\\0agentsh-no']]
keep.append(bind('\\0agentsh-%d' % os.getpid())); print(len(bind('').getsockname()))
print(oct(os.stat('open').st_mode), os.path.exists('closed'))
keep[0].listen(1); c=S(U); c.connect('open'); print(c.getpeername())
i=S(socket.AF_INET); print(i.bind(('127.0.0.1',0)))";
    let output = lines(&python(&log, &real, script, false)?);
    assert_eq!(output[..5], ["open", "EACCES", "EADDRINUSE", "ENOENT", "EACCES"]);
    assert!(output[5].starts_with("b'\\x00agentsh-"), "{output:?}");
    assert!(output[6].starts_with("b'\\x00"), "{output:?}");
    assert_eq!(output[7..], ["6", "0o140750 False", "open", "None"]);
    Ok(())
}
