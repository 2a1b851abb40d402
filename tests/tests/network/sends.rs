//! Addresses that go along with data: datagrams, and connections that a send opens.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use agentsh_tests::record::await_event;
use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Result, User, fail};

use crate::{attempt, everywhere, expect, world, world_under};

const PATIENCE: Duration = Duration::from_secs(30);

const ONE: &str = "network_rules:
  - {name: one, cidrs: [203.0.113.10, \"2001:db8:1::10\"], ports: [443], decision: allow}
  - {name: ears, operations: [bind, listen], decision: allow}
  - {name: rest, decision: deny}
";

/// Ways to send one datagram or the first bytes of a connection.
const WAYS: &str = "
import ctypes, threading
libc=ctypes.CDLL(None, use_errno=True)
def made(family, host, port, kind=None):
    return struct.pack('=HH', kind if kind is not None else family, socket.htons(port)) + (
        socket.inet_pton(F4,host)+bytes(8) if family==F4 else bytes(4)+socket.inet_pton(F6,host)+bytes(4))
def raw(s, address, flags=0):
    n=libc.sendto(s.fileno(), b'raw', 3, flags, address, len(address))
    if n<0: raise OSError(ctypes.get_errno(), '')
    return n
class Many(ctypes.Structure): pass
def many(s, addresses):
    parts=[]; vector=b''
    for a in addresses:
        data=ctypes.create_string_buffer(b'many',4); part=ctypes.create_string_buffer(struct.pack('QQ', ctypes.addressof(data), 4)); name=ctypes.create_string_buffer(a,len(a))
        parts+= [data,part,name]
        vector+=struct.pack('=QIIQQQQIIII', ctypes.addressof(name), len(a), 0, ctypes.addressof(part), 1, 0, 0, 0, 0, 0, 0)
    v=ctypes.create_string_buffer(vector,len(vector))
    n=libc.sendmmsg(s.fileno(), v, len(addresses), 0)
    if n<0: raise OSError(ctypes.get_errno(), '')
    return n, [struct.unpack_from('I', v.raw, 64*i+56)[0] for i in range(n)]
def ways(host, mapped, six, port):
    u,u6,t=socket.socket(F4,U),socket.socket(F6,U),socket.socket(F4,T)
    say(lambda: u.sendto(b'x',(host,port)))
    say(lambda: u.sendmsg([b'x',b'yz'],[],0,(host,port)))
    say(lambda: many(u,[made(F4,host,port)]*2))
    say(lambda: raw(u, made(F4,host,port,0)))
    say(lambda: u6.sendto(b'x',(mapped,port)))
    say(lambda: raw(u6, made(F4,host,port)))
    say(lambda: u6.sendmsg([b'x'],[],0,(six,port)))
    say(lambda: t.sendto(b'fast',0x20000000,(host,port)))
    say(lambda: socket.socket(F4,T).sendmsg([b'fast'],[],0x20000000,(host,port)))
";

#[test]
fn an_address_that_goes_along_is_judged_like_every_other() -> Result {
    for (user, engine) in everywhere("network-engines")? {
        let (world, far) = world_under(user, engine, ONE)?;
        let (datagrams, six) = (far.echo("203.0.113.10:443")?, far.echo("[2001:db8:1::10]:443")?);
        let stream = far.serve("203.0.113.10:443")?;
        let (denied, denied6) = (far.echo("203.0.113.12:443")?, far.echo("[2001:db8:1::10]:80")?);
        let denied_stream = far.serve("203.0.113.12:443")?;
        let packets = far.capture()?;
        let script = format!(
            "{WAYS}\nways('203.0.113.12','::ffff:203.0.113.12','2001:db8:1::11',443)\nsay(lambda: socket.socket(F6,U).sendto(b'x',('2001:db8:1::10',80)))"
        );
        expect(&attempt(&world, &script)?, &["EACCES"; 10].join(" "))?;
        let counts = [&denied, &denied6, &denied_stream, &packets].map(|counter| counter.count());
        expect(&format!("{counts:?}"), "[0, 0, 0, 0]")?;
        let script = format!("{WAYS}\nways('203.0.113.10','::ffff:203.0.113.10','2001:db8:1::10',443)");
        let found = attempt(&world, &script)?;
        expect(&found, "1 3 (2, [4, 4]) 3 1 3 1 4 4")?;
        let script = "
udp('203.0.113.10',443); udp('203.0.113.10',443,connect=True); udp('2001:db8:1::10',443,F6); udp('203.0.113.12',443,connect=True)
s=socket.socket(F4,U); s.connect(('203.0.113.10',443)); s.settimeout(5)
for _ in range(1000): s.send(b'q'); s.recv(9)
say(lambda: s.sendto(b'x',('203.0.113.12',443)))";
        expect(&attempt(&world, script)?, "x x x EACCES EACCES")?;
        let counts = || format!("{} {} {}", datagrams.count(), six.count(), stream.count());
        // The last ones may still be on their way.
        wait_until(PATIENCE, || counts() == "1009 2 2");
        expect(&counts(), "1009 2 2").map_err(|error| fail(format!("{engine:?}: {error}")))?;
        expect(&format!("{} {}", denied.count(), denied_stream.count()), "0 0")?;
        await_event(&world, "the refused datagram", |event| {
            event.kind == "net_send" && event.remote.as_deref() == Some("203.0.113.12:443")
        })?;
    }
    Ok(())
}

#[test]
fn a_datagram_arrives_though_its_socket_is_closed_at_once() -> Result {
    for (user, engine) in everywhere("network-engines")? {
        let (world, far) = world_under(user, engine, ONE)?;
        let datagrams = far.echo("203.0.113.10:443")?;
        let script = "
for _ in range(300):
    s=socket.socket(F4,U); s.sendto(b'x',('203.0.113.10',443)); s.close()
say(lambda: 'sent')";
        expect(&attempt(&world, script)?, "sent")?;
        wait_until(PATIENCE, || datagrams.count() == 300);
        expect(&datagrams.count().to_string(), "300").map_err(|error| fail(format!("{engine:?}: {error}")))?;
    }
    Ok(())
}

#[test]
fn a_race_for_the_address_or_the_socket_is_lost() -> Result {
    let (world, far) = world(User::agent(), ONE)?;
    let allowed = far.echo("203.0.113.10:443")?;
    let packets = far.echo("203.0.113.12:443")?;
    let streams = far.serve("203.0.113.12:443")?;
    let _stream = far.serve("203.0.113.10:443")?;
    // One thread turns the address (and what descriptor 50 is) back and forth, the other sends and connects.
    let script = format!(
        "{WAYS}
good,bad=made(F4,'203.0.113.10',443),made(F4,'203.0.113.12',443)
shared=ctypes.create_string_buffer(good,16)
def turn():
    global run
    while run: ctypes.memmove(shared,bad,16); ctypes.memmove(shared,good,16)
def swap():
    while run: os.dup2(u.fileno(),50); os.dup2(t.fileno(),50)
u=socket.socket(F4,U); t=socket.socket(F4,T); t.connect(('203.0.113.10',443)); os.dup2(t.fileno(),50)
part=ctypes.create_string_buffer(b'race',4); vec=ctypes.create_string_buffer(struct.pack('QQ',ctypes.addressof(part),4))
header=ctypes.create_string_buffer(struct.pack('=QIIQQQQII',ctypes.addressof(shared),16,0,ctypes.addressof(vec),1,0,0,0,0))
evil=ctypes.create_string_buffer(bad,16)
other=ctypes.create_string_buffer(struct.pack('=QIIQQQQII',ctypes.addressof(evil),16,0,ctypes.addressof(vec),1,0,0,0,0))
run=True
threads=[threading.Thread(target=turn),threading.Thread(target=swap)]
for x in threads: x.start()
for _ in range(300):
    libc.sendto(u.fileno(),b'r',1,0,shared,16); libc.sendmsg(u.fileno(),header,0); libc.sendmsg(50,other,0x4000)
    s=socket.socket(F4,T); libc.connect(s.fileno(),shared,16); s.close()
run=False
for x in threads: x.join()
print('raced')"
    );
    expect(&attempt(&world, &script)?, "raced")?;
    expect(&format!("{} {}", packets.count(), streams.count()), "0 0")?;
    match allowed.count() > 0 {
        true => Ok(()),
        false => Err(agentsh_tests::fail("nothing was sent at all: the race proves nothing")),
    }
}

#[test]
fn messages_arrive_as_they_were_sent() -> Result {
    for user in User::both() {
        let (world, _far) = world(user, ONE)?;
        let script = "
import threading, array, signal
big=os.urandom(3_000_000)
def both(a,b,threaded):
    got=bytearray()
    def read():
        while len(got)<len(big): got.extend(b.recv(1<<16))
    r=threading.Thread(target=read); r.start()
    n=0
    while n<len(big): n+=a.sendmsg([big[n:n+700_000], big[n+700_000:n+900_000]])
    r.join(); print(bytes(got)==big)
l=socket.socket(F4,T); l.bind(('127.0.0.1',0)); l.listen(1)
c=socket.socket(F4,T); c.connect(l.getsockname()); s,_=l.accept()
both(c,s,True); both(*socket.socketpair(),True)
a,b=socket.socketpair(socket.AF_UNIX,T)
t=threading.Thread(target=lambda: None); hold=threading.Event(); keep=threading.Thread(target=hold.wait,daemon=True); keep.start()
r,w=os.pipe()
socket.send_fds(a,[b'fds'],[w,w]); m,f,_,_=socket.recv_fds(b,9,2); os.write(f[1],b'through'); print(m, os.read(r,9), len(f))
b.setsockopt(socket.SOL_SOCKET,socket.SO_PASSCRED,1); a.sendmsg([b'who']); m,anc,_,_=b.recvmsg(9,64); cred=[struct.unpack('iii',d[:12]) for l,k,d in anc if k==2][0]
print(cred==(os.getpid(),os.getuid(),os.getgid()) or os.getuid()!=0)
say(lambda: a.sendmsg([b'lie'],[(socket.SOL_SOCKET,2,struct.pack('iii',1,0,0))]) and None)
a.setblocking(False)
def fill():
    while True: a.sendmsg([bytes(100_000)])
say(fill)
b.close(); a.setblocking(True)
say(lambda: a.sendmsg([b'x']))
hits=[]; signal.signal(signal.SIGPIPE, lambda *_: hits.append(1))
say(lambda: a.sendmsg([b'x'])); print(len(hits))
say(lambda: a.sendmsg([b'x'],[],socket.MSG_NOSIGNAL)); print(len(hits))
x,y=socket.socketpair(socket.AF_UNIX,U); x.sendmsg([b'one ',b'message']); x.sendmsg([]); print(y.recv(99), y.recv(99))
d=socket.socket(F4,U)
say(lambda: d.sendmsg([bytes(70_000)],[],0,('127.0.0.1',d.getsockname()[1] or 9)))
hold.set()";
        let found = attempt(&world, script)?;
        let wanted =
            "True True b'fds' b'through' 2 True EPERM EAGAIN EPIPE EPIPE 1 EPIPE 1 b'one message' b'' EMSGSIZE";
        expect(&found, wanted)?;
    }
    Ok(())
}

#[test]
fn who_gave_its_rights_up_sends_as_ever() -> Result {
    let (world, _far) = world(User::root(), ONE)?;
    let script = format!(
        "{WAYS}
e=socket.socket(F4,U); e.bind(('127.0.0.1',0)); to=e.getsockname(); l=socket.socket(); l.bind(('127.0.0.1',0)); l.listen()
def all():
    d=socket.socket(F4,U)
    say(lambda: d.sendto(b'x',to)); say(lambda: d.sendmsg([b'xy'],[],0,to)); say(lambda: many(d,[made(F4,*to)]))
    d.connect(to); say(lambda: d.sendmsg([b'xyz'])); say(lambda: socket.socket(F4,T).sendto(b'fast',0x20000000,l.getsockname()))
os.seteuid(4242); all(); os.seteuid(0); all(); os.setgid(4242); os.setuid(4242); all()"
    );
    let found = attempt(&world, &script)?;
    expect(&found, ["1 2 (1, [4]) 3 4"; 3].join(" ").as_str())
}

#[test]
fn datagrams_to_other_programs_unix_sockets_are_judged() -> Result {
    let rules = "unix_socket_rules:\n  - {name: journal, paths: [\"/tmp/journal\", \"@journal\"], operations: [sendto], decision: deny}\n";
    for user in User::both() {
        let (world, _far) = world(user, rules)?;
        let hidden = SocketAddr::from_abstract_name("journal")?;
        let _hidden = UnixDatagram::bind_addr(&hidden)?;
        let journal = UnixDatagram::bind("/tmp/journal")?;
        let open = UnixDatagram::bind("/tmp/open")?;
        for path in ["/tmp/journal", "/tmp/open"] {
            std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o777))?;
        }
        let script = "
u=socket.socket(socket.AF_UNIX,U)
say(lambda: u.sendto(b'x','/tmp/journal')); say(lambda: u.sendmsg([b'x'],[],0,'/tmp/journal')); say(lambda: u.sendto(b'x','\\0journal'))
os.symlink('/tmp/journal','mine'); say(lambda: u.sendto(b'x','mine')); say(lambda: u.sendto(b'x','/proc/self/root/tmp/journal'))
say(lambda: u.sendto(b'fine','/tmp/open')); say(lambda: u.sendto(b'x','/tmp/none')); os.unlink('mine')
o=socket.socket(socket.AF_UNIX,U); o.bind('own'); say(lambda: u.sendto(b'mine','own')); print(o.recv(9)); os.unlink('own')";
        let found = attempt(&world, script)?;
        expect(&found, "EACCES EACCES EPERM EACCES EACCES 4 ENOENT 4 b'mine'")?;
        journal.set_nonblocking(true)?;
        let mut bytes = [0; 9];
        if journal.recv(&mut bytes).is_ok() || open.recv(&mut bytes)? != 4 {
            return Err(agentsh_tests::fail("the journal was written to"));
        }
        await_event(&world, "the denial", |event| {
            event.is("unix_send", "deny", "/tmp/journal")
        })?;
        drop((journal, open));
    }
    Ok(())
}

/// Ways by which a socket gets, loses or changes its peer beside a plain connect.
const BECOMING: &str = "
import ctypes
libc=ctypes.CDLL(None, use_errno=True)
bad,good=('203.0.113.12',443),('203.0.113.10',443)
def tcp_with(*options):
    s=socket.socket(F4,T)
    for o in options: s.setsockopt(*o)
    return s
say(lambda: tcp_with((6,30,1)).connect(bad)); say(lambda: tcp_with((1,25,b'lo\\0')).connect(bad))
say(lambda: tcp_with((0,19,1))); say(lambda: tcp_with((6,19,1)))
def unspecified(s):
    if libc.connect(s.fileno(), struct.pack('H',0)+bytes(14), 16): raise OSError(ctypes.get_errno(), '')
u=socket.socket(F4,U); u.connect(good); say(lambda: unspecified(u)); say(lambda: u.connect(bad)); say(lambda: u.send(b'x'))
t=socket.socket(F4,T); say(lambda: unspecified(t)); say(lambda: t.connect(bad))
a,b=socket.socketpair(); fresh=socket.socket(F4,T); socket.send_fds(a,[b'x'],[fresh.fileno()]); passed=socket.socket(fileno=socket.recv_fds(b,9,1)[1][0])
say(lambda: passed.connect(bad))
r,w=os.pipe(); os.write(w,b'data'); say(lambda: os.splice(r,u.fileno(),4))
f=open('file','w+b'); f.write(b'data'); f.flush(); say(lambda: os.sendfile(u.fileno(),f.fileno(),0,4))
z=socket.socket(F4,U); z.setsockopt(1,60,1); say(lambda: z.sendto(b'x',0x4000000,bad))
s=socket.socket(F6,U); s.connect(('::ffff:203.0.113.10',443)); there=('::ffff:203.0.113.12',443)
try: s.setsockopt(41,1,F4); s=socket.socket(fileno=s.detach()); there=bad
except OSError as error: assert error.errno == errno.ENOPROTOOPT # some kernels have no IPV6_ADDRFORM
say(lambda: s.connect(there)); say(lambda: s.sendto(b'x',there))
say(lambda: socket.socket(F6,T).connect(('fe80::12%lo',443)))
";

#[test]
fn whatever_becomes_of_a_socket_its_peer_is_judged() -> Result {
    for (user, engine) in everywhere("network-engines")? {
        let (world, far) = world_under(user, engine, ONE)?;
        let (denied, datagrams) = (far.serve("203.0.113.12:443")?, far.echo("203.0.113.12:443")?);
        let packets = far.capture()?;
        let found = attempt(&world, BECOMING)?;
        let wanted = "EACCES EACCES EPERM EPERM done EACCES EDESTADDRREQ done EACCES EACCES EDESTADDRREQ EDESTADDRREQ ENOBUFS EACCES EACCES EACCES";
        expect(&found, wanted)?;
        let counts = [&denied, &datagrams, &packets].map(|counter| counter.count());
        expect(&format!("{counts:?}"), "[0, 0, 0]")?;
    }
    Ok(())
}
