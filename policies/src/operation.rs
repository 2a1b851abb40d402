//! One operation as a person or a table of cases names it.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::message::Subject;
use crate::model::SignalWord;
use crate::operand::Operand;
use crate::policy::{CommandQuery, NetworkQuery, Policy, SignalQuery, Targets, UnixAddress, Verdict};
use crate::words::{FileOp, NetOp, Protocol, TargetType, UnixOp};

/// An operation to be judged or explained.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    File(FileOperation),
    Command(CommandOperation),
    Network(NetworkOperation),
    Http(HttpOperation),
    UnixSocket(UnixOperation),
    Signal(SignalOperation),
    Env(EnvOperation),
}

/// An operation on a file.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileOperation {
    pub operation: FileOp,
    /// Absolute, resolved; variables are replaced in tables of cases.
    pub path: Operand,
}

/// The start of a program.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandOperation {
    /// Resolved path.
    pub program: Operand,
    /// How it was called; the program's path if not given.
    #[serde(default)]
    pub called: Option<Operand>,
    #[serde(default)]
    pub args: Vec<Operand>,
    #[serde(default)]
    pub depth: u32,
}

/// An operation on an Internet socket.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NetworkOperation {
    #[serde(default = "connect")]
    pub operation: NetOp,
    #[serde(default = "tcp")]
    pub protocol: Protocol,
    #[serde(default)]
    pub host: Option<String>,
    #[serde(default)]
    pub address: Option<IpAddr>,
    pub port: u16,
}

/// A request to a service.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpOperation {
    /// Its name, or an alias.
    pub service: String,
    pub method: String,
    /// Without a query, from the service's address on.
    pub path: String,
}

fn connect() -> NetOp {
    NetOp::Connect
}

fn tcp() -> Protocol {
    Protocol::Tcp
}

/// An operation on a unix socket.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnixOperation {
    #[serde(default = "unix_connect")]
    pub operation: UnixOp,
    /// `@name` is the abstract namespace.
    pub path: Operand,
}

fn unix_connect() -> UnixOp {
    UnixOp::Connect
}

/// A signal.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignalOperation {
    pub signal: SignalWord,
    /// All that the target is to the sender.
    pub target: Vec<TargetType>,
    #[serde(default)]
    pub program: Operand,
    #[serde(default)]
    pub pid: u32,
}

/// A variable that a program would get.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EnvOperation {
    /// The name alone, or `NAME=value`: values tell secrets too.
    pub name: Operand,
    /// The program's resolved path; a program without a rule of its own if not given.
    #[serde(default)]
    pub program: Operand,
}

/// How operations are written on a command line.
pub const USAGE: &str = "file OPERATION PATH | command PROGRAM [ARG…] | network [connect|bind|listen|send] HOST:PORT[/udp] | \
http METHOD SERVICE PATH | unix [connect|bind|listen|sendto] PATH | signal SIGNAL TARGET | env NAME [PROGRAM]";

/// The kinds of operations on a command line.
const KINDS: [&str; 7] = ["file", "command", "network", "http", "unix", "signal", "env"];

impl Operation {
    /// Reads an operation from words: see [`USAGE`].
    ///
    /// # Errors
    /// A sentence that says what is wrong, with the nearest word that would be right.
    pub fn parse<W: AsRef<[u8]>>(words: &[W]) -> Result<Operation, String> {
        let unknown = |word: &str, what: &str, known: Vec<&'static str>| {
            let near =
                crate::error::nearest(word, known).map_or(String::new(), |near| format!("; did you mean `{near}`?"));
            format!("`{word}` is no {what}{near}")
        };
        // What is told from other words is text; what is judged are the bytes that were given.
        let texts: Vec<Cow<'_, str>> = words
            .iter()
            .map(|word| String::from_utf8_lossy(word.as_ref()))
            .collect();
        let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
        let given = |at: usize| Operand::from(words[at].as_ref());
        match texts.as_slice() {
            ["file", operation, path] => {
                let known = || FileOp::ALL.iter().map(|op| op.word()).collect();
                let operation =
                    FileOp::parse(operation).ok_or_else(|| unknown(operation, "operation on files", known()))?;
                if !path.starts_with('/') {
                    return Err(format!("`{path}` is not absolute"));
                }
                Ok(Operation::File(FileOperation {
                    operation,
                    path: given(2),
                }))
            }
            ["command", _, ..] => Ok(Operation::Command(CommandOperation {
                program: given(1),
                called: None,
                args: (2..words.len()).map(given).collect(),
                depth: 0,
            })),
            ["network", address] => network(NetOp::Connect, address),
            ["network", operation, address] => {
                let known = || NetOp::ALL.iter().map(|op| op.word()).collect();
                let operation =
                    NetOp::parse(operation).ok_or_else(|| unknown(operation, "operation on sockets", known()))?;
                network(operation, address)
            }
            ["http", method, service, path] => {
                if !path.starts_with('/') {
                    return Err(format!("`{path}` does not begin with a slash"));
                }
                Ok(Operation::Http(HttpOperation {
                    service: (*service).to_owned(),
                    method: (*method).to_owned(),
                    path: (*path).to_owned(),
                }))
            }
            ["unix", _] => Ok(Operation::UnixSocket(UnixOperation {
                operation: UnixOp::Connect,
                path: given(1),
            })),
            ["unix", operation, _] => {
                let known = || UnixOp::ALL.iter().map(|op| op.word()).collect();
                let operation =
                    UnixOp::parse(operation).ok_or_else(|| unknown(operation, "operation on unix sockets", known()))?;
                Ok(Operation::UnixSocket(UnixOperation {
                    operation,
                    path: given(2),
                }))
            }
            ["signal", signal, target] => {
                let signal = SignalWord::parse(signal).ok_or_else(|| format!("`{signal}` is no signal"))?;
                let known = || TargetType::ALL.iter().map(|kind| kind.word()).collect();
                let kinds = target.split('+').map(|word| {
                    let kind = TargetType::parse(word).ok_or_else(|| unknown(word, "target", known()))?;
                    Ok(all_of(kind))
                });
                let mut target = kinds.collect::<Result<Vec<_>, String>>()?.concat();
                target.sort_unstable();
                target.dedup();
                Ok(Operation::Signal(SignalOperation {
                    signal,
                    target,
                    program: Operand::default(),
                    pid: 0,
                }))
            }
            ["env", _] => Ok(Operation::Env(EnvOperation {
                name: given(1),
                program: Operand::default(),
            })),
            ["env", _, _] => Ok(Operation::Env(EnvOperation {
                name: given(1),
                program: given(2),
            })),
            [first, ..] if KINDS.contains(first) => Err(format!("an operation is: {USAGE}")),
            [first, ..] => Err(unknown(first, "kind of operation", KINDS.to_vec())),
            [] => Err(format!("an operation is: {USAGE}")),
        }
    }

    /// What messages of rules are filled in with.
    pub fn subject(&self) -> Subject<'_> {
        match self {
            Operation::File(file) => Subject {
                path: file.path.as_bytes(),
                operation: file.operation.word(),
                ..Subject::default()
            },
            Operation::Command(command) => Subject {
                command: command.program.as_bytes(),
                operation: "exec",
                ..Subject::default()
            },
            Operation::Network(network) => Subject {
                host: network.host.as_deref().unwrap_or(""),
                operation: network.operation.word(),
                ..Subject::default()
            },
            Operation::Http(http) => Subject {
                host: &http.service,
                path: http.path.as_bytes(),
                operation: &http.method,
                ..Subject::default()
            },
            Operation::UnixSocket(unix) => Subject {
                path: unix.path.as_bytes(),
                operation: unix.operation.word(),
                ..Subject::default()
            },
            Operation::Signal(_) => Subject {
                operation: "signal",
                ..Subject::default()
            },
            Operation::Env(env) => Subject {
                path: env.name.as_bytes(),
                operation: "env",
                ..Subject::default()
            },
        }
    }
}

/// All that a process of this kind is to the one that signals it.
fn all_of(kind: TargetType) -> &'static [TargetType] {
    use TargetType::{
        Children, Descendants, External, Itself, Parent, PidRange, Process, Session, Siblings, System, User,
    };
    match kind {
        Itself => &[Itself, Session, User],
        Children => &[Children, Descendants, Session, User],
        Descendants => &[Descendants, Session, User],
        Siblings => &[Siblings, Session, User],
        Session => &[Session, User],
        // These may be of the session or not.
        Parent => &[Parent],
        User => &[User],
        External => &[External],
        System => &[System],
        Process => &[Process],
        PidRange => &[PidRange],
    }
}

fn network(operation: NetOp, text: &str) -> Result<Operation, String> {
    let wrong = || format!("`{text}` is no HOST:PORT or HOST:PORT/PROTOCOL");
    let (address, protocol) = match text.rsplit_once('/') {
        Some((address, word)) => (address, Protocol::parse(word).ok_or_else(wrong)?),
        // What is sent with an address is a datagram.
        None if operation == NetOp::Send => (text, Protocol::Udp),
        None => (text, Protocol::Tcp),
    };
    let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let address: Option<IpAddr> = host.parse().ok();
    Ok(Operation::Network(NetworkOperation {
        operation,
        protocol,
        host: address.is_none().then(|| host.to_owned()),
        address,
        port: port.parse().map_err(|_| wrong())?,
    }))
}

impl fmt::Display for Operation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operation::File(file) => write!(out, "{} {}", file.operation, file.path),
            Operation::Command(command) => {
                write!(out, "run {}", command.program)?;
                command.args.iter().try_for_each(|arg| write!(out, " {arg}"))
            }
            Operation::Network(network) => {
                let host = network
                    .host
                    .clone()
                    .or(network.address.map(|address| address.to_string()));
                write!(
                    out,
                    "{} {}:{}",
                    network.operation,
                    host.unwrap_or_default(),
                    network.port
                )
            }
            Operation::Http(http) => write!(out, "{} {} of {}", http.method, http.path, http.service),
            Operation::UnixSocket(unix) => write!(out, "{} {}", unix.operation, unix.path),
            Operation::Signal(signal) => {
                let name = signal
                    .signal
                    .single()
                    .map_or_else(|| "signals".to_owned(), SignalWord::name);
                let target: Vec<&str> = signal.target.iter().map(|kind| kind.word()).collect();
                write!(out, "send {name} to {}", target.join("+"))
            }
            Operation::Env(env) => write!(out, "pass ${} on", env.name),
        }
    }
}

/// The queries that an operation stands for, with what they borrow.
pub(crate) struct Asked<'a> {
    args: Vec<&'a [u8]>,
    operation: &'a Operation,
}

impl<'a> Asked<'a> {
    pub fn new(operation: &'a Operation) -> Asked<'a> {
        let args = match operation {
            Operation::Command(command) => command.args.iter().map(|arg| arg.as_bytes()).collect(),
            _ => Vec::new(),
        };
        Asked { args, operation }
    }

    pub fn command(&self) -> CommandQuery<'_> {
        match self.operation {
            Operation::Command(command) => CommandQuery {
                program: command.program.as_bytes(),
                called: command.called.as_ref().unwrap_or(&command.program).as_bytes(),
                args: &self.args,
                depth: command.depth,
            },
            Operation::Env(env) => CommandQuery {
                program: env.program.as_bytes(),
                called: env.program.as_bytes(),
                args: &[],
                depth: 0,
            },
            _ => CommandQuery::default(),
        }
    }
}

/// The connection as it is asked for, and that to this host which an address of zeros stands for.
pub(crate) fn net_queries(network: &NetworkOperation) -> Vec<NetworkQuery<'_>> {
    let written = NetworkQuery {
        operation: network.operation,
        protocol: network.protocol,
        host: network.host.as_deref(),
        address: network.address,
        port: network.port,
    };
    let peer = match (network.operation, network.address) {
        (NetOp::Connect | NetOp::Send, Some(address)) if address.to_canonical().is_unspecified() => {
            Some(match address.to_canonical() {
                IpAddr::V4(_) => IpAddr::from(Ipv4Addr::LOCALHOST),
                IpAddr::V6(_) => IpAddr::from(Ipv6Addr::LOCALHOST),
            })
        }
        _ => None,
    };
    let other = peer.map(|peer| NetworkQuery {
        address: Some(peer),
        ..written
    });
    std::iter::once(written).chain(other).collect()
}

pub(crate) fn unix_address(path: &Operand) -> UnixAddress<'_> {
    match path.as_bytes().strip_prefix(b"@") {
        Some(name) => UnixAddress::Abstract(name),
        None => UnixAddress::Path(path.as_bytes()),
    }
}

/// One for each signal of a group.
pub(crate) fn signal_queries(signal: &SignalOperation) -> impl Iterator<Item = SignalQuery<'_>> {
    let members = (1..=64).filter(|number| signal.signal.set & 1 << number != 0);
    members.map(|number| SignalQuery {
        signal: number,
        target: signal.target.iter().fold(Targets::NONE, |all, kind| all.with(*kind)),
        program: signal.program.as_bytes(),
        pid: signal.pid,
    })
}

/// The strictest of the answers to all that an operation stands for; of equals the first.
pub(crate) fn strictest<'p>(answers: impl Iterator<Item = Verdict<'p>>) -> Option<Verdict<'p>> {
    answers.reduce(
        |held, next| match next.decision.strictness() > held.decision.strictness() {
            true => next,
            false => held,
        },
    )
}

impl Policy {
    /// Judges an operation. A variable is judged by the program that would get it; whether it is passed on
    /// is asked of [`Policy::environment`].
    pub fn judge(&self, operation: &Operation) -> Verdict<'_> {
        let asked = Asked::new(operation);
        match operation {
            Operation::File(file) => self.file(file.operation, file.path.as_bytes()),
            Operation::Command(_) | Operation::Env(_) => self.command(&asked.command()),
            Operation::Network(network) => {
                let answers = net_queries(network).into_iter().map(|query| self.network(&query));
                strictest(answers).unwrap_or(Verdict::NOTHING)
            }
            Operation::Http(http) => self.request(&http.service, &http.method, &http.path),
            Operation::UnixSocket(unix) => self.unix_socket(unix.operation, unix_address(&unix.path)),
            Operation::Signal(signal) => {
                let answers = signal_queries(signal).map(|query| self.signal(&query));
                strictest(answers).unwrap_or(Verdict::NOTHING)
            }
        }
    }
}
