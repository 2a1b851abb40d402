//! Requests that two readers could read differently: judged by what the server behind the proxy received.

mod frames;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use agentsh_protocol::api::SessionInfo;
use agentsh_tests::record::events;
use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Result, User, World, fail};

use super::http::{begin, begin_under};
use super::{check, everywhere, run};

/// A server that keeps every byte of every connection, and answers what looks like a request.
pub struct Raw {
    pub port: u16,
    received: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Raw {
    pub fn start() -> Result<Raw> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let received = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&received);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || {
                    let (mut all, mut piece) = (Vec::new(), [0; 4096]);
                    let mut answered = false;
                    while let Ok(length @ 1..) = stream.read(&mut piece) {
                        all.extend_from_slice(&piece[..length]);
                        if !answered && all.windows(4).any(|window| window == b"\r\n\r\n") {
                            answered = true;
                            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
                        }
                    }
                    kept.lock().unwrap_or_else(PoisonError::into_inner).push(all);
                });
            }
        });
        Ok(Raw { port, received })
    }

    /// What connections carried that are over by now, as text.
    pub fn received(&self) -> Vec<String> {
        let received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        received
            .iter()
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
            .collect()
    }
}

/// Sends each payload on a connection of its own and prints what comes back: the status, or `closed`.
const CLIENT: &str = r#"import base64, json, os, socket
host, port = os.environ["http_proxy"].split("//")[1].split(":")
for payload in json.load(open("payloads")):
    data = base64.b64decode(payload).replace(b"@PROXY@", b"%s:%s" % (host.encode(), port.encode()))
    s = socket.create_connection((host, int(port))); s.settimeout(20)
    try: s.sendall(data)
    except OSError: pass
    out = b""
    try:
        while piece := s.recv(4096): out += piece
    except OSError: pass
    s.close()
    words = out.split(b"\r\n")[0].split(b" ")
    print(words[1].decode() if len(words) > 1 else "closed", flush=True)
"#;

/// What comes back for each payload, in order.
fn say(world: &World, session: &SessionInfo, payloads: &[Vec<u8>]) -> Result<Vec<String>> {
    let folder = world.workspace();
    let encoded: Vec<String> = payloads.iter().map(|payload| base64(payload)).collect();
    let text = serde_json::to_string(&encoded)?;
    world.user().write_file(&folder.join("payloads"), text, 0o644)?;
    world.user().write_file(&folder.join("raw.py"), CLIENT, 0o644)?;
    let outcome = run(world, session, "python3 raw.py")?;
    outcome.expect_success("raw.py")?;
    Ok(outcome.out().lines().map(str::to_owned).collect())
}

pub fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..=three.len() {
            text.push(char::from(DIGITS[(bits >> (18 - 6 * place) & 63) as usize]));
        }
        text.extend(std::iter::repeat_n('=', 3 - three.len()));
    }
    text
}

/// Header fields that no request gets through with; behind each comes what is to be smuggled.
const HEADS: &[(&str, &str)] = &[
    (
        "CL.TE",
        "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    ("TE.CL", "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\n"),
    (
        "TE.TE",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n",
    ),
    (
        "TE twice",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    ("TE list", "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
    ("TE gzip", "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    ("TE unknown", "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    ("TE quoted", "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"),
    (
        "TE with a vertical tab",
        "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    ),
    ("TE with an underscore", "Transfer_Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("TE empty", "Transfer-Encoding:\r\n\r\n0\r\n\r\n"),
    ("TE folded", "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
    (
        "TE behind a bare line feed",
        "X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "TE behind a bare carriage return",
        "X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    ("CL.CL", "Content-Length: 0\r\nContent-Length: 40\r\n\r\n"),
    ("CL twice the same", "Content-Length: 0\r\nContent-Length: 0\r\n\r\n"),
    ("CL list", "Content-Length: 0, 0\r\n\r\n"),
    ("CL signed", "Content-Length: +0\r\n\r\n"),
    ("CL negative", "Content-Length: -1\r\n\r\n"),
    ("CL in hexadecimal", "Content-Length: 0x0\r\n\r\n"),
    ("CL with a space inside", "Content-Length: 0 0\r\n\r\n"),
    ("CL too large", "Content-Length: 18446744073709551616\r\n\r\n"),
    ("CL empty", "Content-Length:\r\n\r\n"),
    ("CL with an underscore", "Content_Length: 40\r\n\r\n"),
    ("CL with a space before the colon", "Content-Length : 3\r\n\r\n"),
    ("CL with a tab before the colon", "Content-Length\t: 3\r\n\r\n"),
    ("CL folded", "X: y\r\n Content-Length: 5\r\n\r\n"),
    ("CL behind a bare line feed", "X: y\nContent-Length: 5\r\n\r\n"),
    ("zero byte in a value", "X: a\0b\r\n\r\n"),
    ("zero byte in a name", "X\0: a\r\n\r\n"),
    ("no colon", "Content-Length 3\r\n\r\n"),
    ("no name", ": 3\r\n\r\n"),
    ("a control character", "X: a\x01b\r\n\r\n"),
    ("two hosts", "Host: denied.example\r\n\r\n"),
    ("the same host twice", "Host: localtest:@PORT@\r\n\r\n"),
    ("a bare line feed at the end", "X: y\r\n\n"),
    ("lines without carriage return", "X: y\n\n"),
];

/// Request lines and hosts that no request gets through with.
const LINES: &[(&str, &str)] = &[
    (
        "another host than the target's",
        "GET http://localtest:@PORT@/ HTTP/1.1\r\nHost: denied.example\r\n\r\n",
    ),
    (
        "another port than the target's",
        "GET http://localtest:@PORT@/ HTTP/1.1\r\nHost: localtest:1\r\n\r\n",
    ),
    ("no host", "GET http://localtest:@PORT@/ HTTP/1.1\r\n\r\n"),
    (
        "an empty host",
        "GET http://localtest:@PORT@/ HTTP/1.1\r\nHost:\r\n\r\n",
    ),
    (
        "user information",
        "GET http://me@localtest:@PORT@/ HTTP/1.1\r\nHost: localtest:@PORT@\r\n\r\n",
    ),
    (
        "user information that looks like a host",
        "GET http://localtest:@PORT@@denied.example/ HTTP/1.1\r\nHost: localtest:@PORT@\r\n\r\n",
    ),
    (
        "a backslash",
        "GET http://localtest:@PORT@\\@denied.example/ HTTP/1.1\r\nHost: localtest:@PORT@\r\n\r\n",
    ),
    (
        "a zero byte in the host",
        "GET http://local\0test:@PORT@/ HTTP/1.1\r\nHost: local\0test:@PORT@\r\n\r\n",
    ),
    (
        "a percent sign in the host",
        "GET http://localtest%00:@PORT@/ HTTP/1.1\r\nHost: localtest%00:@PORT@\r\n\r\n",
    ),
    (
        "a host in octal",
        "GET http://0177.1:@PORT@/ HTTP/1.1\r\nHost: 0177.1:@PORT@\r\n\r\n",
    ),
    (
        "a host in one number",
        "GET http://2130706433:@PORT@/ HTTP/1.1\r\nHost: 2130706433:@PORT@\r\n\r\n",
    ),
    (
        "a host with a zone",
        "GET http://[fe80::1%25lo]:@PORT@/ HTTP/1.1\r\nHost: [fe80::1%25lo]:@PORT@\r\n\r\n",
    ),
    (
        "letters beyond ASCII",
        "GET http://löcaltest:@PORT@/ HTTP/1.1\r\nHost: löcaltest:@PORT@\r\n\r\n",
    ),
    (
        "a tab in the request line",
        "GET\thttp://localtest:@PORT@/ HTTP/1.1\r\nHost: localtest:@PORT@\r\n\r\n",
    ),
    (
        "two spaces",
        "GET  http://localtest:@PORT@/ HTTP/1.1\r\nHost: localtest:@PORT@\r\n\r\n",
    ),
    (
        "a space in the target",
        "GET http://localtest:@PORT@/ x HTTP/1.1\r\nHost: localtest:@PORT@\r\n\r\n",
    ),
    ("no version", "GET http://localtest:@PORT@/\r\n\r\n"),
    (
        "a version to come",
        "GET http://localtest:@PORT@/ HTTP/1.2\r\nHost: localtest:@PORT@\r\n\r\n",
    ),
    (
        "HTTP/2 in words",
        "GET http://localtest:@PORT@/ HTTP/2.0\r\nHost: localtest:@PORT@\r\n\r\n",
    ),
    (
        "a version in small letters",
        "GET http://localtest:@PORT@/ http/1.1\r\nHost: localtest:@PORT@\r\n\r\n",
    ),
    (
        "an empty line before",
        "\r\nGET http://localtest:@PORT@/ HTTP/1.1\r\nHost: localtest:@PORT@\r\n\r\n",
    ),
    (
        "a method that is none",
        "G(T http://localtest:@PORT@/ HTTP/1.1\r\nHost: localtest:@PORT@\r\n\r\n",
    ),
    (
        "https to a proxy",
        "GET https://localtest:@PORT@/ HTTP/1.1\r\nHost: localtest:@PORT@\r\n\r\n",
    ),
    (
        "another scheme",
        "GET ftp://localtest:@PORT@/ HTTP/1.1\r\nHost: localtest:@PORT@\r\n\r\n",
    ),
    (
        "the whole server",
        "OPTIONS * HTTP/1.1\r\nHost: localtest:@PORT@\r\n\r\n",
    ),
    (
        "a host as the target",
        "GET localtest:@PORT@ HTTP/1.1\r\nHost: localtest:@PORT@\r\n\r\n",
    ),
    (
        "a path with somebody else's host",
        "GET / HTTP/1.1\r\nHost: localtest:@PORT@\r\n\r\n",
    ),
    (
        "CONNECT without a port",
        "CONNECT localtest HTTP/1.1\r\nHost: localtest\r\n\r\n",
    ),
    (
        "CONNECT to port 0",
        "CONNECT localtest:0 HTTP/1.1\r\nHost: localtest:0\r\n\r\n",
    ),
    (
        "CONNECT to a port that is none",
        "CONNECT localtest:65536 HTTP/1.1\r\nHost: localtest:65536\r\n\r\n",
    ),
    (
        "CONNECT with a path",
        "CONNECT localtest:@PORT@/x HTTP/1.1\r\nHost: localtest:@PORT@\r\n\r\n",
    ),
    (
        "CONNECT with another host",
        "CONNECT localtest:@PORT@ HTTP/1.1\r\nHost: denied.example:@PORT@\r\n\r\n",
    ),
    (
        "CONNECT to whom policy denies",
        "CONNECT denied.example:@PORT@ HTTP/1.1\r\nHost: denied.example:@PORT@\r\n\r\n",
    ),
];

const RULES: &str = "  - {name: no, domains: [denied.example], decision: deny}\n";

#[test]
fn requests_that_two_readers_read_differently_reach_nobody() -> Result {
    everywhere()?
        .into_iter()
        .try_for_each(|(user, engine)| reach_nobody(user, engine))
}

fn reach_nobody(user: User, engine: &str) -> Result {
    let world = World::new(user)?;
    let server = Raw::start()?;
    let session = begin_under(&world, engine, RULES)?;
    let port = server.port.to_string();
    let with_port = |text: &str| text.replace("@PORT@", &port);
    let smuggled = with_port("GET http://localtest:@PORT@/smuggled HTTP/1.1\r\nHost: localtest:@PORT@\r\n\r\n");
    let first = with_port("POST http://localtest:@PORT@/first HTTP/1.1\r\nHost: localtest:@PORT@\r\n");
    let heads = HEADS
        .iter()
        .map(|(what, head)| (*what, format!("{first}{}{smuggled}", with_port(head))));
    let lines = LINES
        .iter()
        .map(|(what, line)| (*what, format!("{}{smuggled}", with_port(line))));
    let many = ["X: y\r\n".repeat(200), format!("X: {}\r\n", "y".repeat(100_000))];
    let large = many
        .iter()
        .map(|more| ("too large a head", format!("{first}{more}\r\n")));
    let rows: Vec<(&str, String)> = heads.chain(lines).chain(large).collect();
    let payloads: Vec<Vec<u8>> = rows.iter().map(|(_, payload)| payload.clone().into_bytes()).collect();
    let statuses = say(&world, &session, &payloads)?;
    check(statuses.len() == rows.len(), "an answer each", &statuses)?;
    for ((what, _), status) in rows.iter().zip(&statuses) {
        check(
            ["400", "403", "405", "421", "431", "501", "505"].contains(&status.as_str()),
            what,
            status,
        )?;
    }
    check(server.received().is_empty(), "nothing arrived", &server.received())?;
    // Each of them is on record as a denial, but for one that asks the proxy for a page of its own.
    let denied = || {
        let all = events(&world).unwrap_or_default();
        let mine = all
            .iter()
            .filter(|event| event.kind == "http_request" && event.session_id == session.id);
        mine.map(|event| event.count).sum::<u64>()
    };
    check(
        wait_until(Duration::from_secs(20), || denied() + 1 >= rows.len() as u64),
        "on record",
        &(denied(), rows.len()),
    )
}

/// Requests that pass as one, whatever comes behind them, and what has to stand in what arrives.
const WHOLE: &[(&str, &str, &str)] = &[
    (
        "a second request behind",
        "GET http://localtest:@PORT@/first HTTP/1.1\r\nHost: localtest:@PORT@\r\n\r\n",
        "",
    ),
    (
        "a body that ends early",
        "POST http://localtest:@PORT@/first HTTP/1.1\r\nHost: localtest:@PORT@\r\nContent-Length: 2\r\n\r\nab",
        "content-length: 2\r\n",
    ),
    (
        "fields that the client wants taken away",
        "GET http://localtest:@PORT@/first HTTP/1.1\r\nHost: localtest:@PORT@\r\nConnection: X-Mine, Host\r\nX-Mine: 1\r\n\r\n",
        "host: localtest:@PORT@\r\n",
    ),
    (
        "an older version",
        "GET http://localtest:@PORT@/first HTTP/1.0\r\n\r\n",
        "host: localtest:@PORT@\r\n",
    ),
    (
        "another way to write the host",
        "GET http://LocalTest.:@PORT@/first HTTP/1.1\r\nHost: localTEST:@PORT@\r\n\r\n",
        "host: localtest:@PORT@\r\n",
    ),
];

/// Bodies in chunks that are none: what is behind them is no request either.
const CHUNKS: &[(&str, &str)] = &[
    ("a size that is no number", "zz\r\nab\r\n0\r\n\r\n"),
    ("a signed size", "+2\r\nab\r\n0\r\n\r\n"),
    ("a size in 0x", "0x2\r\nab\r\n0\r\n\r\n"),
    ("a size that is too large", "ffffffffffffffff2\r\nab\r\n0\r\n\r\n"),
    ("a chunk that goes on", "2\r\nabc\r\n0\r\n\r\n"),
    ("a bare line feed behind a size", "2\nab\r\n0\r\n\r\n"),
    (
        "a trailer that is a request",
        "2\r\nab\r\n0\r\nHost: denied.example\r\n\r\n",
    ),
];

#[test]
fn one_connection_carries_one_request_whose_framing_is_ours() -> Result {
    let world = World::new(User::agent())?;
    let server = Raw::start()?;
    let session = begin(&world, RULES)?;
    let port = server.port.to_string();
    let with_port = |text: &str| text.replace("@PORT@", &port);
    let smuggled = with_port("GET http://localtest:@PORT@/smuggled HTTP/1.1\r\nHost: localtest:@PORT@\r\n\r\n");
    let over = |count: usize| {
        let ended = || server.received().len() == count;
        wait_until(Duration::from_secs(20), ended)
    };
    for (at, (what, request, holds)) in WHOLE.iter().enumerate() {
        let payload = format!("{}{smuggled}", with_port(request)).into_bytes();
        let statuses = say(&world, &session, &[payload])?;
        check(statuses == ["200"], what, &statuses)?;
        check(over(at + 1), what, &server.received())?;
        let received = server.received().pop().unwrap_or_default();
        let low = received.to_lowercase();
        let requests = received.matches(" HTTP/1.").count();
        check(
            requests == 1
                && !received.contains("smuggled")
                && low.contains(&with_port(holds))
                && !low.contains("x-mine"),
            what,
            &received,
        )?;
    }
    let chunked = with_port(
        "POST http://localtest:@PORT@/first HTTP/1.1\r\nHost: localtest:@PORT@\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    let payloads: Vec<Vec<u8>> = CHUNKS
        .iter()
        .map(|(_, body)| format!("{chunked}{body}{smuggled}").into_bytes())
        .collect();
    say(&world, &session, &payloads)?;
    let over = over(WHOLE.len() + CHUNKS.len());
    let late = server.received();
    let late = late
        .get(WHOLE.len()..)
        .ok_or_else(|| fail("the requests are not all there"))?;
    for received in late {
        let requests = received.matches(" HTTP/1.").count();
        check(
            over && requests <= 1 && !received.contains("smuggled") && !received.contains("denied.example"),
            "one request",
            &late,
        )?;
    }
    Ok(())
}
