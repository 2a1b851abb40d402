//! A name server of a test (RFC 1035): knows a few names, and counts what it is asked.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::Far;
use crate::Result;

const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;

/// What a name is.
#[derive(Debug, Clone)]
pub enum Known {
    /// It has these addresses.
    Addresses(Vec<IpAddr>),
    /// Another name for this one.
    Alias(String),
    /// A text of so many bytes for every type.
    Text(usize),
    /// Nothing is said of it.
    Silent,
    /// What is said is no message.
    Nonsense,
    /// A text of so many bytes that comes by stream alone, half of it, and then the end of the stream.
    Half(usize),
    /// The same whole, a byte every half second.
    Drips(usize),
}

#[derive(Default)]
struct State {
    known: HashMap<String, Known>,
    asked: Vec<String>,
}

/// A server on the other side, at every address of the host that the world's `/etc/resolv.conf` names.
#[derive(Clone, Default)]
pub struct NameServer(Arc<Mutex<State>>);

/// Where it listens.
pub const AT: &str = "198.51.100.53";

impl NameServer {
    /// Starts it. Names that it does not know do not exist, but `*.open.example` all have the first of [`super::HOSTS`].
    pub fn start(far: &Far) -> Result<NameServer> {
        let server = NameServer::default();
        let (udp, tcp) =
            far.run(|| -> std::io::Result<_> { Ok((UdpSocket::bind((AT, 53))?, TcpListener::bind((AT, 53))?)) })??;
        let of_datagrams = server.clone();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok((length, from)) = udp.recv_from(&mut bytes) {
                let reply = of_datagrams.reply(&bytes[..length], 1232);
                if reply.is_empty() {
                    continue;
                }
                let _ = udp.send_to(&reply, from);
            }
        });
        let of_streams = server.clone();
        thread::spawn(move || {
            for stream in tcp.incoming().flatten() {
                let server = of_streams.clone();
                thread::spawn(move || server.converse(stream));
            }
        });
        Ok(server)
    }

    /// Teaches it a name.
    pub fn set(&self, name: &str, known: Known) {
        self.state().known.insert(name.to_owned(), known);
    }

    /// Teaches it a name with addresses.
    pub fn set_addresses(&self, name: &str, addresses: &[&str]) {
        let parsed = addresses.iter().filter_map(|text| text.parse().ok()).collect();
        self.set(name, Known::Addresses(parsed));
    }

    /// The names that it was asked for, in their order, as they were written.
    pub fn asked(&self) -> Vec<String> {
        self.state().asked.clone()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn converse(&self, mut stream: TcpStream) {
        let mut length = [0; 2];
        while stream.read_exact(&mut length).is_ok() {
            let mut request = vec![0; usize::from(u16::from_be_bytes(length))];
            if stream.read_exact(&mut request).is_err() {
                return;
            }
            let reply = self.reply(&request, usize::from(u16::MAX));
            let length = (reply.len() as u16).to_be_bytes();
            let name = read_name(&request)
                .map(|(name, _)| name.to_ascii_lowercase())
                .unwrap_or_default();
            let known = self.state().known.get(&name).cloned();
            if matches!(known, Some(Known::Half(_))) {
                let _ = stream.write_all(&[&length[..], &reply[..reply.len() / 2]].concat());
                return;
            }
            if matches!(known, Some(Known::Drips(_))) {
                for byte in length.iter().chain(&reply) {
                    thread::sleep(std::time::Duration::from_millis(500));
                    if stream.write_all(&[*byte]).is_err() {
                        return;
                    }
                }
                continue;
            }
            if stream.write_all(&[&length[..], &reply].concat()).is_err() {
                return;
            }
        }
    }

    fn reply(&self, request: &[u8], most: usize) -> Vec<u8> {
        let Some((name, end)) = read_name(request) else {
            return Vec::new();
        };
        let kind = request
            .get(end..)
            .and_then(<[u8]>::first_chunk)
            .map_or(0, |bytes| u16::from_be_bytes(*bytes));
        let mut state = self.state();
        let mut current = name.to_ascii_lowercase();
        state.asked.push(name);
        let (mut answers, mut count) = (Vec::new(), 0u16);
        let exists = loop {
            match state.known.get(&current) {
                Some(Known::Alias(target)) => {
                    push(&mut answers, &current, CNAME, &encode(target));
                    count += 1;
                    current.clone_from(target);
                }
                Some(Known::Addresses(addresses)) => {
                    for address in addresses {
                        match (kind, address) {
                            (A, IpAddr::V4(v4)) => push(&mut answers, &current, A, &v4.octets()),
                            (AAAA, IpAddr::V6(v6)) => push(&mut answers, &current, AAAA, &v6.octets()),
                            _ => continue,
                        }
                        count += 1;
                    }
                    break true;
                }
                Some(Known::Silent) => return Vec::new(),
                Some(Known::Nonsense) => return b"\x00\x01nonsense".to_vec(),
                Some(Known::Text(length) | Known::Half(length) | Known::Drips(length)) => {
                    let text: Vec<u8> = vec![b'x'; *length];
                    let strings = text.chunks(255).flat_map(|part| [&[part.len() as u8], part].concat());
                    push(&mut answers, &current, kind, &strings.collect::<Vec<u8>>());
                    count += 1;
                    break true;
                }
                None if current.ends_with(".open.example") => {
                    push(&mut answers, &current, A, &[203, 0, 113, 10]);
                    count += 1;
                    break true;
                }
                None => break false,
            }
        };
        drop(state);
        let whole = 12 + end - 12 + 4 + answers.len();
        let cut = whole > most;
        let flags: u16 = 0x8180 | if cut { 0x0200 } else { 0 } | if exists { 0 } else { 3 };
        let mut reply = request[..2].to_vec();
        reply.extend_from_slice(&flags.to_be_bytes());
        for number in [1, if cut { 0 } else { count }, 0, 0] {
            reply.extend_from_slice(&number.to_be_bytes());
        }
        reply.extend_from_slice(&request[12..end + 4]);
        if !cut {
            reply.extend_from_slice(&answers);
        }
        reply
    }
}

fn push(answers: &mut Vec<u8>, name: &str, kind: u16, data: &[u8]) {
    answers.extend_from_slice(&encode(name));
    for number in [kind, 1, 0, 30, data.len() as u16] {
        answers.extend_from_slice(&number.to_be_bytes());
    }
    answers.extend_from_slice(data);
}

fn encode(name: &str) -> Vec<u8> {
    let labels = name
        .split('.')
        .flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat());
    labels.chain([0]).collect()
}

/// The name in the question, and where its type begins.
fn read_name(request: &[u8]) -> Option<(String, usize)> {
    let (mut at, mut labels) = (12, Vec::new());
    loop {
        let length = usize::from(*request.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        labels.push(String::from_utf8_lossy(request.get(at..at + length)?).into_owned());
        at += length;
    }
}
