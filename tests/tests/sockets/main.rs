//! Unix sockets: other programs' endpoints are judged, the session's own are free, by effect and on record.

mod threads;
mod ways;

use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::Path;
use std::time::Duration;

use agentsh_tests::record::await_event;
use agentsh_tests::shell::Subject;
use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Output, Result, Shell, User, World, enforced, fail, session};

/// Tries to connect and prints how it went.
const CONNECT: &str = "import socket,sys,errno
for name in sys.argv[1:]:
    s=socket.socket(socket.AF_UNIX)
    try: s.connect(name.replace('@','\\0',1) if name[0]=='@' else name); print('in')
    except OSError as e: print(errno.errorcode[e.errno])";

fn connect(world: &World, names: &[&str]) -> Result<String> {
    let words = names.join("' '");
    let outcome = world.shimmed(&format!("python3 -c \"{CONNECT}\" '{words}'"))?;
    Ok(outcome.out().trim_end().replace('\n', " "))
}

fn listen(path: &Path) -> Result<UnixListener> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn expect(found: &str, wanted: &str) -> Result {
    match found == wanted {
        true => Ok(()),
        false => Err(fail(format!("expected {wanted:?}, found {found:?}"))),
    }
}

#[test]
fn under_the_default_pack_services_of_the_machine_are_out_of_reach() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        enforced::prove(&world)?;
        let docker = listen(Path::new("/run/docker.sock"))?;
        let other = listen(Path::new("/tmp/other/service"))?;
        let name = format!("agentsh-suite-{}", std::process::id());
        let hidden = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
        hidden.set_nonblocking(true)?;
        let log = listen(Path::new("/run/sssd/nss"))?;
        drop(listen(Path::new("/tmp/other/stale"))?);
        std::os::unix::fs::symlink("/run/docker.sock", world.workspace().join("mine"))?;
        let names = [
            "/run/docker.sock",
            "mine",
            "/proc/self/root/run/docker.sock",
            "/tmp/other/service",
        ];
        let found = connect(&world, &[&names[..], &[&format!("@{name}"), "/run/sssd/nss"]].concat())?;
        expect(&found, "EACCES EACCES EACCES EACCES EPERM in")?;
        for (listener, reached) in [(&docker, false), (&other, false), (&hidden, false), (&log, true)] {
            if listener.accept().is_ok() != reached {
                return Err(fail(format!("{listener:?}")));
            }
        }
        // What is not there looks as it does everywhere.
        let found = connect(
            &world,
            &["/tmp/other/none", "/tmp/other/stale", "@agentsh-suite-nobody"],
        )?;
        expect(&found, "ENOENT ECONNREFUSED ECONNREFUSED")?;
        let event = await_event(&world, "the denial", |event| {
            event.is("unix_connect", "deny", "/run/docker.sock")
        })?;
        let rule = event.policy.as_ref().and_then(|policy| policy.rule.clone());
        if rule.as_deref() != Some("containers") || event.result.as_deref() != Some("EACCES") {
            return Err(fail(format!("{event:?}")));
        }
        std::fs::remove_file("/run/docker.sock")?;
    }
    Ok(())
}

#[test]
fn commands_of_one_session_reach_each_others_sockets() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        session::with_rules(
            &world,
            "unix_socket_rules:\n  - {name: nobody, paths: [\"**\", \"@**\"], operations: [connect], decision: deny}\n",
        )?;
        let script = "import socket,os
keep=[]
for name in ['tmux','here','\\0suite-own-%d'%os.getuid()]:
    s=socket.socket(socket.AF_UNIX); s.bind(name); s.listen(9); keep.append(s)
os.rename('here','there'); open('ready','w').close(); keep[0].accept(); keep[1].accept()";
        let shell = Shell::named("bash").args(["-c", &format!("exec python3 -c \"{script}\"")]);
        let mut server = shell.stdout(Output::Null).spawn_with(&world, &Subject::shims())?;
        let ready = world.workspace().join("ready");
        if !wait_until(Duration::from_secs(30), || ready.exists()) {
            return Err(fail("the server does not listen"));
        }
        let hidden = format!("@suite-own-{}", world.user().uid);
        let found = connect(&world, &[&hidden, "tmux", "there"])?;
        expect(&found, "in in in")?;
        server.wait(Duration::from_secs(30))?;
        for name in ["tmux", "there", "ready"] {
            std::fs::remove_file(world.workspace().join(name))?;
        }
    }
    Ok(())
}

#[test]
fn programs_that_talk_through_sockets_of_their_own_work() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        enforced::prove(&world)?;
        let script = "import multiprocessing as m, asyncio, socket
def f(q): q.put(7)
if __name__=='__main__':
    for way in ['fork','spawn']:
        c=m.get_context(way); q=c.Queue(); p=c.Process(target=f,args=(q,)); p.start(); print(q.get()); p.join()
    a,b=socket.socketpair(); a.send(b'x'); print(b.recv(1))
";
        std::fs::write(world.workspace().join("work.py"), script)?;
        let outcome = world.shimmed("python3 work.py; getent passwd root | cut -d: -f1")?;
        expect(&outcome.out(), "7\n7\nb'x'\nroot\n").map_err(|error| fail(format!("{error}: {outcome:?}")))?;
    }
    Ok(())
}

#[test]
fn a_name_that_policy_denies_is_not_bound() -> Result {
    let world = World::new(User::agent())?;
    session::with_rules(
        &world,
        "unix_socket_rules:\n  - {name: no-ears, paths: [\"/tmp/ears/**\", \"@ears*\"], operations: [listen], decision: deny}\n",
    )?;
    let script = "import socket,errno,os
os.makedirs('/tmp/ears',exist_ok=True)
for kind,name in [(1,'/tmp/ears/one'),(1,'\\0ears-one'),(2,'/tmp/ears/two'),(1,'fine'),(1,os.path.expanduser('~/x'))]:
    try: socket.socket(socket.AF_UNIX,kind).bind(name); print('bound')
    except OSError as e: print(errno.errorcode[e.errno])
print(os.listdir('/tmp/ears'))";
    let outcome = world.shimmed(&format!("python3 -c \"{script}\""))?;
    expect(&outcome.out(), "EACCES\nEPERM\nbound\nbound\nEACCES\n['two']\n")?;
    await_event(&world, "the denial", |event| {
        event.is("unix_bind", "deny", "/tmp/ears/one")
    })?;
    await_event(&world, "the bind", |event| {
        event.is("unix_bind", "allow", "/tmp/ears/two")
    })?;
    Ok(())
}
