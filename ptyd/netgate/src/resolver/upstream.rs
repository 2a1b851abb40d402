//! The host's own name servers, asked for a session.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::time::{Duration, Instant};

use hickory_proto::op::{Edns, Message, MessageType, Query};

/// How long one server has.
const PATIENCE: Duration = Duration::from_secs(2);

/// So often all servers are asked.
const ROUNDS: usize = 2;

/// `resolv.conf(5)`: more are not looked at.
const MOST: usize = 3;

const PORT: u16 = 53;

/// What fits into one datagram everywhere (DNS flag day 2020).
const PAYLOAD: u16 = 1232;

/// Name servers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Upstream {
    servers: Vec<SocketAddr>,
}

impl Upstream {
    /// Those of the host, as they are now: what a session writes there later is not looked at.
    pub fn of_host() -> Upstream {
        Upstream::read(Path::new("/etc/resolv.conf"))
    }

    fn read(path: &Path) -> Upstream {
        let bytes = std::fs::read(path).unwrap_or_default();
        let mut servers = Upstream::parse(&String::from_utf8_lossy(&bytes));
        if servers.is_empty() {
            servers.push(SocketAddr::from(([127, 0, 0, 1], PORT)));
        }
        Upstream { servers }
    }

    fn parse(text: &str) -> Vec<SocketAddr> {
        let address = |line: &str| {
            let mut words = line.split_ascii_whitespace();
            (words.next() == Some("nameserver")).then_some(())?;
            // A zone is kept out: link-local servers are reached by the kernel's own choice.
            let (address, _) = words.next().map(|word| word.split_once('%').unwrap_or((word, "")))?;
            address.parse::<IpAddr>().ok()
        };
        let found = text.lines().filter_map(address).take(MOST);
        found.map(|address| SocketAddr::new(address, PORT)).collect()
    }

    /// Asks until somebody answers. The query is made anew: nothing of the session's but name and type goes out.
    pub(super) fn ask(&self, query: &Query) -> Option<Message> {
        for _ in 0..ROUNDS {
            for server in &self.servers {
                match ask_one(*server, query) {
                    Ok(reply) => return Some(reply),
                    Err(error) => tracing::debug!(%server, "name server: {error}"),
                }
            }
        }
        None
    }
}

fn ask_one(server: SocketAddr, query: &Query) -> io::Result<Message> {
    let mut request = Message::query();
    request.metadata.recursion_desired = true;
    request.add_query(query.clone());
    let mut edns = Edns::new();
    edns.set_max_payload(PAYLOAD);
    request.set_edns(edns);
    let bytes = request.to_vec().map_err(io::Error::other)?;
    let any: IpAddr = match server {
        SocketAddr::V4(_) => IpAddr::from([0, 0, 0, 0]),
        SocketAddr::V6(_) => IpAddr::from([0u16; 8]),
    };
    // A socket, and so a source port, of its own for each question.
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(server)?;
    socket.send(&bytes)?;
    let until = Instant::now() + PATIENCE;
    let mut buffer = [0; 4096];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        socket.set_read_timeout(Some(left))?;
        let length = socket.recv(&mut buffer)?;
        // Whoever guesses port and number still has to know the question.
        match Message::from_vec(&buffer[..length]) {
            Ok(reply) if answers(&request, &reply) && reply.metadata.truncation => break,
            Ok(reply) if answers(&request, &reply) => return Ok(reply),
            _ => {}
        }
    }
    let mut stream = TcpStream::connect_timeout(&server, PATIENCE)?;
    let until = Instant::now() + PATIENCE;
    let length = u16::try_from(bytes.len()).map_err(io::Error::other)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(&[&length.to_be_bytes()[..], &bytes].concat())?;
    let mut length = [0; 2];
    read_until(&mut stream, &mut length, until)?;
    let mut reply = vec![0; usize::from(u16::from_be_bytes(length))];
    read_until(&mut stream, &mut reply, until)?;
    let reply = Message::from_vec(&reply).map_err(io::Error::other)?;
    match answers(&request, &reply) {
        true => Ok(reply),
        false => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Fills the buffer, however slowly what is for it comes, but no longer than that.
fn read_until(stream: &mut TcpStream, mut buffer: &mut [u8], until: Instant) -> io::Result<()> {
    while !buffer.is_empty() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            length => buffer = &mut buffer[length..],
        }
    }
    Ok(())
}

fn answers(request: &Message, reply: &Message) -> bool {
    reply.metadata.id == request.metadata.id
        && reply.metadata.message_type == MessageType::Response
        && reply.queries == request.queries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_servers_are_read_as_the_c_library_reads_them() {
        let text = "# x\nsearch a b\nnameserver 192.0.2.1\nnameserver\nnameserver x\n nameserver fe80::1%eth0\nnameserver ::1\nnameserver 9.9.9.9\n";
        let found: Vec<String> = Upstream::parse(text).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["192.0.2.1:53", "[fe80::1]:53", "[::1]:53"]);
        let nothing = Upstream::read(Path::new("/does/not/exist"));
        assert_eq!(nothing.servers, [SocketAddr::from(([127, 0, 0, 1], 53))]);
    }
}
