//! The network by effect: servers on another network of the test count what reaches them.

mod addresses;
mod clients;
mod faults;
mod kernel;
mod local;
mod names;
mod people;
mod private;
mod refused;
mod sends;
mod table;
mod tools;

use agentsh_tests::network::Far;
use agentsh_tests::{Outcome, Result, User, World, fail, session, skips};

/// What holds the rules of a session on the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Engine {
    Notify,
    Private,
    Ebpf,
    /// What policy leaves to the host: the last one where that can be had.
    Auto,
}

impl Engine {
    /// The key of a policy that asks for it.
    fn key(self) -> &'static str {
        match self {
            Engine::Notify => "network: {engine: notify}\n",
            Engine::Auto => "",
            Engine::Private => "network: {namespace: private}\n",
            Engine::Ebpf => "network: {engine: ebpf}\n",
        }
    }
}

/// Both users under every engine that this machine has for them. Only root may have programs in the kernel.
fn everywhere(name: &str) -> Result<Vec<(User, Engine)>> {
    let mut cases: Vec<(User, Engine)> = Vec::new();
    for user in User::both() {
        cases.extend([(user.clone(), Engine::Notify), (user, Engine::Private)]);
    }
    let ebpf = agentsh_sandbox::probe::ebpf();
    match ebpf.works() {
        true => cases.extend([Engine::Ebpf, Engine::Auto].map(|engine| (User::root(), engine))),
        false => skips::skip(name, ebpf.detail())?,
    }
    Ok(cases)
}

/// A world with a way to the other side, and a session under these rules on the network; without any, under the
/// default pack.
fn world(user: User, rules: &str) -> Result<(World, Far)> {
    let world = World::new(user)?;
    let far = Far::enter()?;
    if !rules.is_empty() {
        session::with_rules(&world, rules)?;
    }
    Ok((world, far))
}

/// The same, held by an engine.
fn world_under(user: User, engine: Engine, rules: &str) -> Result<(World, Far)> {
    world(user, &format!("{}{rules}", engine.key()))
}

/// Tries things with sockets, one a line, and says how each went: what was read, or the error.
const TRY: &str = r#"
import socket,sys,errno,os,struct
T,U,F4,F6=socket.SOCK_STREAM,socket.SOCK_DGRAM,socket.AF_INET,socket.AF_INET6
def say(what):
    try: r=what(); print(r if r is not None else 'done', flush=True)
    except OSError as e: print(errno.errorcode.get(e.errno, repr(e)) if not isinstance(e, socket.timeout) else 'timeout', flush=True)
def tcp(host, port, family=F4, block=True):
    def go():
        s=socket.socket(family, T)
        if block: s.settimeout(10); s.setblocking(True)
        else:
            s.setblocking(False)
            try: s.connect((host,port))
            except BlockingIOError:
                import select; select.select([],[s],[],10)
                e=s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if e: raise OSError(e, '')
            s.setblocking(True)
            return s.makefile().readline().split()[0]
        s.connect((host,port)); return s.makefile().readline().split()[0]
    say(go)
def udp(host, port, family=F4, connect=False):
    def go():
        s=socket.socket(family, U); s.settimeout(5)
        if connect: s.connect((host,port)); s.send(b'x')
        else: s.sendto(b'x', (host,port))
        return s.recv(9).decode()
    say(go)
"#;

/// Runs Python text behind [`TRY`] in the session; one word a line, joined by spaces.
fn attempt(world: &World, script: &str) -> Result<String> {
    let outcome = attempt_whole(world, script)?;
    match outcome.err().is_empty() {
        true => Ok(outcome.out().trim_end().replace('\n', " ")),
        false => Err(fail(format!("{outcome:?}"))),
    }
}

fn attempt_whole(world: &World, script: &str) -> Result<Outcome> {
    let path = world.workspace().join("attempt.py");
    world.user().write_file(&path, format!("{TRY}{script}"), 0o644)?;
    world.shimmed("exec python3 attempt.py")
}

fn expect(found: &str, wanted: &str) -> Result {
    match found == wanted {
        true => Ok(()),
        false => Err(fail(format!("expected {wanted:?}, found {found:?}"))),
    }
}
