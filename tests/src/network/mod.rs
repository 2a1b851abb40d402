//! Networks of a test: one in which a world lives, and one that stands for the rest of the internet.
//!
//! Both are network namespaces of threads of the test program, joined by a pair of virtual interfaces: nothing that is
//! sent in them reaches the machine's own network.

pub mod dns;

use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use crate::{Result, fail, sys};

/// Hosts of the other side. What counts as public here are the ranges for documentation.
pub const HOSTS: [&str; 4] = ["203.0.113.10", "203.0.113.11", "203.0.113.12", "198.51.100.53"];

/// The same as the first host, in IPv6.
pub const HOST6: &str = "2001:db8:1::10";

/// An address of the other side that a cloud's metadata would have, and a private one.
pub const INNER: [&str; 2] = ["169.254.169.254", "10.9.8.7"];

/// The world's own address.
pub const NEAR: &str = "192.0.2.1";

type Job = Box<dyn FnOnce() + Send>;

/// The other side. Dropping it closes its namespace once its sockets are gone.
pub struct Far {
    jobs: mpsc::Sender<Job>,
}

impl Far {
    /// Moves the calling thread into a network of its own with a way to the other side, where the world's name server
    /// is to be. The world's brokers must be started after this.
    pub fn enter() -> Result<Far> {
        sys::unshare_network().map_err(|error| fail(format!("a private network needs root: {error}")))?;
        let (jobs, todo) = mpsc::channel::<Job>();
        let (ready, is_ready) = mpsc::channel();
        thread::spawn(move || {
            let entered = sys::unshare_network().map(|()| sys::thread_id());
            if ready.send(entered).is_ok() {
                todo.into_iter().for_each(|job| job());
            }
        });
        let thread = is_ready.recv()??;
        let far = Far { jobs };
        // Addresses are there at once; nobody else could have them.
        let at_once = || std::fs::write("/proc/sys/net/ipv6/conf/default/accept_dad", "0");
        at_once()?;
        far.run(at_once)??;
        let there = format!("/proc/{}/task/{thread}/ns/net", std::process::id());
        ip("link set lo up")?;
        ip(&format!("link add near type veth peer name far netns {there}"))?;
        ip(&format!("addr add {NEAR}/24 dev near"))?;
        ip("addr add 2001:db8:2::1/64 dev near nodad")?;
        far.run(|| -> Result {
            ip("link set lo up")?;
            ip("addr add 192.0.2.2/24 dev far")?;
            ip("addr add 2001:db8:2::2/64 dev far nodad")?;
            ip("link set far up")?;
            for host in HOSTS.iter().chain(&INNER) {
                ip(&format!("addr add {host}/32 dev lo"))?;
            }
            ip(&format!("addr add {HOST6}/128 dev lo nodad"))
        })??;
        ip("link set near up")?;
        ip("route add default via 192.0.2.2")?;
        ip("route add 169.254.0.0/16 via 192.0.2.2")?;
        ip("-6 route add default via 2001:db8:2::2")?;
        std::fs::write("/etc/resolv.conf", format!("nameserver {}\n", dns::AT))?;
        std::fs::write(
            "/etc/nsswitch.conf",
            "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n",
        )?;
        Ok(far)
    }

    /// Runs something on the other side: a socket that is made there stays there.
    pub fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let (send, result) = mpsc::channel();
        let job = move || {
            let _ = send.send(job());
        };
        self.jobs
            .send(Box::new(job))
            .map_err(|_| fail("the other side is gone"))?;
        Ok(result.recv()?)
    }

    /// A server at `address` (`203.0.113.10:443`) that says `served` and its own address to whoever connects.
    pub fn serve(&self, address: &str) -> Result<Counter> {
        let at = address.to_owned();
        let listener = self.run(move || TcpListener::bind(at))??;
        Counter::serve(listener)
    }

    /// A datagram socket that counts what comes and sends it back.
    pub fn echo(&self, address: &str) -> Result<Counter> {
        let at = address.to_owned();
        let socket = self.run(move || UdpSocket::bind(at))??;
        Counter::echo(socket)
    }

    /// Counts every IP packet that comes from the world from now on.
    pub fn capture(&self) -> Result<Counter> {
        let counter = Counter::default();
        let count = Arc::clone(&counter.0);
        self.each_packet(move |_| {
            count.fetch_add(1, Ordering::AcqRel);
        })?;
        Ok(counter)
    }

    /// Keeps where every IP packet goes that comes from the world from now on, but for those to `known`.
    pub fn strays(&self, known: &[SocketAddr]) -> Result<Strays> {
        let strays = Strays::default();
        let (seen, known) = (Arc::clone(&strays.0), known.to_vec());
        self.each_packet(move |packet| {
            let Some(to) = destination(packet).filter(|(_, to)| !known.contains(to)) else {
                return;
            };
            seen.lock().unwrap_or_else(PoisonError::into_inner).push(to);
        })?;
        Ok(strays)
    }

    fn each_packet(&self, take: impl Fn(&[u8]) + Clone + Send + 'static) -> Result {
        for protocol in [libc::ETH_P_IP, libc::ETH_P_IPV6] {
            let socket = self.run(move || sys::capture(c"far", protocol))??;
            let take = take.clone();
            thread::spawn(move || {
                let mut packet = [0; 2048];
                while let Ok(length) = socket.recv(&mut packet) {
                    let packet = packet.get(..length).unwrap_or_default();
                    if !is_upkeep(packet) {
                        take(packet);
                    }
                }
            });
        }
        Ok(())
    }
}

/// Where packets went: the protocol over IP, address and port (0 where there is none).
#[derive(Debug, Clone, Default)]
pub struct Strays(Arc<Mutex<Vec<(u8, SocketAddr)>>>);

impl Strays {
    /// All that left before this call, which sends a datagram of its own to the discard port of both families and waits
    /// for it. What was told is not told again.
    pub fn take(&self) -> Result<Vec<String>> {
        let marks = [(HOSTS[0], "0.0.0.0:0"), (HOST6, "[::]:0")];
        let mut told = Vec::new();
        for (host, from) in marks {
            let mark = SocketAddr::new(host.parse::<IpAddr>()?, 9);
            UdpSocket::bind(from)?.send_to(b"mark", mark)?;
            let arrived = crate::world::processes::wait_until(Duration::from_secs(10), || {
                let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                let at = seen.iter().position(|(_, to)| *to == mark);
                // What comes later of the same family is the next call's.
                let earlier = |(_, to): &(u8, SocketAddr)| to.is_ipv4() == mark.is_ipv4();
                let Some(at) = at else { return false };
                let (before, after): (Vec<_>, Vec<_>) = seen
                    .drain(..)
                    .enumerate()
                    .partition(|(place, one)| *place <= at && earlier(one));
                let before = before.into_iter().map(|(_, one)| one).filter(|(_, to)| *to != mark);
                told.extend(before.map(|(protocol, to)| format!("{to} by protocol {protocol}")));
                seen.extend(after.into_iter().map(|(_, one)| one));
                true
            });
            if !arrived {
                return Err(fail(format!("the test's own datagram to {mark} is not captured")));
            }
        }
        Ok(told)
    }
}

/// The protocol over IP, and where a packet goes.
fn destination(packet: &[u8]) -> Option<(u8, SocketAddr)> {
    let (protocol, address, transport) = match packet.first()? >> 4 {
        4 => {
            let address: [u8; 4] = packet.get(16..20)?.try_into().ok()?;
            (
                *packet.get(9)?,
                IpAddr::from(address),
                usize::from(packet.first()? & 15) * 4,
            )
        }
        _ => {
            let address: [u8; 16] = packet.get(24..40)?.try_into().ok()?;
            (*packet.get(6)?, IpAddr::from(address), 40)
        }
    };
    let ports = matches!(i32::from(protocol), libc::IPPROTO_TCP | libc::IPPROTO_UDP);
    let port = packet.get(transport + 2..transport + 4).filter(|_| ports);
    let port = port.and_then(|port| Some(u16::from_be_bytes(port.try_into().ok()?)));
    Some((protocol, SocketAddr::new(address, port.unwrap_or(0))))
}

/// Whether an IP packet is the kernel's own: ICMPv6 other than echo, or a multicast listener report.
fn is_upkeep(packet: &[u8]) -> bool {
    let version = packet.first().map_or(0, |first| first >> 4);
    let (next, at) = match version {
        6 => (packet.get(6).copied(), 40),
        _ => return false,
    };
    match next {
        // Hop-by-hop options: multicast listener reports.
        Some(0) => true,
        Some(58) => packet.get(at).is_none_or(|kind| *kind >= 130),
        _ => false,
    }
}

/// What a server of a test counted.
#[derive(Debug, Clone, Default)]
pub struct Counter(Arc<AtomicUsize>);

impl Counter {
    /// How many came so far.
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }

    /// Counts connections of `listener`, which is served for as long as the test program lives.
    pub fn serve(listener: TcpListener) -> Result<Counter> {
        let counter = Counter::default();
        let count = Arc::clone(&counter.0);
        let text = format!("served {}\n", listener.local_addr()?);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::AcqRel);
                let text = text.clone();
                thread::spawn(move || greet(&stream, &text));
            }
        });
        Ok(counter)
    }

    /// Counts datagrams and sends them back.
    pub fn echo(socket: UdpSocket) -> Result<Counter> {
        let counter = Counter::default();
        let count = Arc::clone(&counter.0);
        thread::spawn(move || {
            let mut bytes = [0; 65536];
            while let Ok((length, from)) = socket.recv_from(&mut bytes) {
                count.fetch_add(1, Ordering::AcqRel);
                let _ = socket.send_to(&bytes[..length], from);
            }
        });
        Ok(counter)
    }
}

fn greet(mut stream: &TcpStream, text: &str) {
    use std::io::{Read, Write};
    let _ = stream.write_all(text.as_bytes());
    let _ = stream.shutdown(Shutdown::Write);
    let _ = stream.set_read_timeout(Some(Duration::from_secs(30)));
    let _ = stream.read_to_end(&mut Vec::new());
}

fn ip(arguments: &str) -> Result {
    let output = Command::new("/usr/sbin/ip").args(arguments.split(' ')).output()?;
    match output.status.success() {
        true => Ok(()),
        false => Err(fail(format!(
            "ip {arguments}: {}",
            String::from_utf8_lossy(&output.stderr)
        ))),
    }
}
