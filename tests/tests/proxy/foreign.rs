//! HTTP/2 as others speak it: nghttp2's and curl's clients, and the frames of `hyperframe` and `hpack`, in order and out
//! of order (RFC 9113, by section); what comes back is read by `h2`, which takes nothing that the protocol forbids.

use std::path::{Path, PathBuf};

use agentsh_tests::{Result, User, World, skips};

use super::fake::Fake;
use super::http::begin;
use super::{bash, check, run};

/// Where `docs/setup.sh test` puts Python's packages.
fn packages() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .with_file_name("target")
        .join("suite/python")
}

/// Each case: section, what is sent after the preface, and what may become of it. `pong`: the connection goes on.
const FRAMES: &str = r#"import os, socket, struct, sys
from h2.connection import H2Connection
from h2.config import H2Configuration
from h2 import events
from hpack import Encoder
from hyperframe.frame import *
host, port = os.environ["http_proxy"].split("//")[1].split(":")
TO = sys.argv[1]
def fields(extra=()): return [(":method","GET"),(":scheme","http"),(":authority",TO),(":path","/first"),*extra]
def headers(stream=1, flags=("END_HEADERS","END_STREAM"), data=None, extra=()):
    return HeadersFrame(stream, Encoder().encode(fields(extra)) if data is None else data, flags=flags).serialize()
def raw(kind, flags, stream, data): return struct.pack(">I", len(data))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + data
def data(stream, content=b"x", *flags): return DataFrame(stream, content, flags=flags).serialize()
def ping(): return PingFrame(0, b"12345678").serialize()
def settings(**kind): return SettingsFrame(0, {getattr(SettingsFrame, k): v for k, v in kind.items()}).serialize()
OPEN = headers(1, ("END_HEADERS",))
ENDS = {"goaway", "closed"}; STREAM = ENDS | {"reset", "refused"}; FINE = {"pong"}
CASES = [
 ("3.4 settings first", b"", FINE), ("4.1 unknown frame", raw(0x16, 0xff, 0, b"x"*8), FINE), ("4.1 unknown on a stream", OPEN + raw(0x16, 0, 1, b"x"), FINE),
 ("4.1 reserved bit", raw(6, 0, 1<<31, b"12345678"), FINE), ("4.2 too large", OPEN + raw(0, 0, 1, b"x"*16385), STREAM), ("4.2 too large settings", raw(4, 0, 0, b"\0\1\0\0\0\0"*2731), ENDS),
 ("4.3 no such index", headers(data=b"\xff\xff\xff\xff\x0f"), ENDS), ("4.3 cut", headers(data=b"\x00\x05ab"), ENDS), ("4.3 interleaved", headers(1, ("END_STREAM",)) + ping(), ENDS), ("4.3 another's headers between", headers(1, ("END_STREAM",)) + headers(3), ENDS),
 ("5.1 data on idle", data(1), ENDS), ("5.1 reset of idle", RstStreamFrame(1, 8).serialize(), ENDS), ("5.1 window of idle", WindowUpdateFrame(1, 9).serialize(), ENDS), ("5.1 continuation of idle", raw(9, 4, 1, b""), ENDS),
 ("5.1 data after the end", headers() + data(1), STREAM), ("5.1 headers after the end", headers() + headers(1), STREAM), ("5.1.1 even", headers(2), ENDS), ("5.1.1 going back", headers(5) + headers(3), STREAM),
 ("5.3.1 depends on itself", raw(2, 0, 1, struct.pack(">IB", 1, 9)), STREAM | FINE),
 ("6.1 data on 0", raw(0, 0, 0, b"x"), ENDS), ("6.1 padding too long", OPEN + raw(0, 8, 1, b"\x06abc"), STREAM), ("6.2 headers on 0", raw(1, 5, 0, b"\x82"), ENDS), ("6.2 padding too long", raw(1, 0xd, 1, b"\xff\x82"), STREAM),
 ("6.3 priority on 0", raw(2, 0, 0, b"\0"*5), ENDS), ("6.3 priority cut", raw(2, 0, 1, b"\0"*4), STREAM), ("6.4 reset on 0", raw(3, 0, 0, b"\0\0\0\x08"), ENDS), ("6.4 reset cut", OPEN + raw(3, 0, 1, b"\0\0\0"), STREAM),
 ("6.5 acknowledged with content", raw(4, 1, 0, b"\0\1\0\0\0\0"), ENDS), ("6.5 settings on a stream", raw(4, 0, 1, b""), ENDS), ("6.5 settings cut", raw(4, 0, 0, b"\0\1\0"), ENDS), ("6.5.2 unknown", raw(4, 0, 0, b"\xff\xff\0\0\0\1"), FINE),
 ("6.5.2 push of two", settings(ENABLE_PUSH=2), ENDS), ("6.5.2 window too large", settings(INITIAL_WINDOW_SIZE=1<<31), ENDS), ("6.5.2 frames too small", settings(MAX_FRAME_SIZE=16383), ENDS), ("6.5.2 frames too large", settings(MAX_FRAME_SIZE=1<<24), ENDS),
 ("6.6 promise by a client", raw(5, 4, 1, b"\0\0\0\2\x82"), ENDS), ("6.7 ping on a stream", raw(6, 0, 1, b"12345678"), ENDS), ("6.7 ping cut", raw(6, 0, 0, b"1234567"), ENDS), ("6.7 pong unasked", raw(6, 1, 0, b"abcdefgh"), FINE),
 ("6.8 goaway on a stream", raw(7, 0, 1, b"\0"*8), ENDS), ("6.8 goaway cut", raw(7, 0, 0, b"\0"*7), ENDS), ("6.9 window of nothing", raw(8, 0, 0, b"\0"*4), ENDS), ("6.9 window cut", raw(8, 0, 0, b"\0"*3), ENDS), ("6.9.1 window over", raw(8, 0, 0, b"\x7f\xff\xff\xff")*2, ENDS), ("6.9.1 stream's window over", OPEN + raw(8, 0, 1, b"\x7f\xff\xff\xff")*2, STREAM),
 ("6.10 continuation on 0", raw(9, 4, 0, b""), ENDS), ("6.10 continuation without", headers() + raw(9, 4, 1, b""), STREAM), ("6.10 headers in pieces", headers(1, ("END_STREAM",), data=Encoder().encode(fields())[:5]) + raw(9, 4, 1, Encoder().encode(fields())[5:]), FINE),
 ("8.1 trailers that end nothing", OPEN + headers(1, ("END_HEADERS",), data=Encoder().encode([("x","y")])), STREAM), ("8.1.1 length too small", headers(1, ("END_HEADERS",), extra=[("content-length","1")]) + data(1, b"four", "END_STREAM"), STREAM | FINE),
 ("8.2.1 capitals", headers(extra=[("X","y")]), STREAM), ("8.2.2 connection", headers(extra=[("connection","close")]), STREAM | FINE), ("8.2.2 te", headers(extra=[("te","gzip")]), STREAM | FINE), ("8.3 pseudo after plain", headers(data=Encoder().encode([(":method","GET"),("x","y"),(":scheme","http"),(":authority",TO),(":path","/")])), STREAM),
 ("8.3 of an answer", headers(extra=[(":status","200")]), STREAM), ("8.3.1 two paths", headers(extra=[(":path","/2")]), STREAM), ("8.3.1 empty path", headers(data=Encoder().encode([(":method","GET"),(":scheme","http"),(":authority",TO),(":path","")])), STREAM | FINE),
]
def play(sent, allowed):
    s = socket.create_connection((host, int(port))); s.settimeout(5)
    mine = H2Connection(H2Configuration(client_side=True)); mine.initiate_connection(); mine.clear_outbound_data_buffer()
    # What it is told of streams that it has not begun itself: those that may be sent.
    for number in (1, 3, 5):
        mine.send_headers(number, fields())
    mine.clear_outbound_data_buffer()
    seen = ""
    try:
        s.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings() + sent + ping())
        while piece := s.recv(65536):
            for event in mine.receive_data(piece):
                if isinstance(event, events.ConnectionTerminated): return "goaway" if event.error_code else "closed"
                # Without an error it is the end of an answer that waits for no more of its request (RFC 9113, 8.1).
                if isinstance(event, events.StreamReset) and event.error_code: seen = "reset"
                if isinstance(event, events.ResponseReceived) and int(dict(event.headers)[b":status"]) >= 400: seen = "refused"
                if isinstance(event, events.PingAckReceived) and not seen: seen = "pong"
            # What is said of a stream may come behind what is said of the connection.
            if seen in allowed: return seen
        return "closed"
    except TimeoutError: return seen or "silence"
    except OSError: return "closed"
    finally: s.close()
wrong = []
for what, sent, allowed in CASES:
    result = play(sent, allowed)
    if result not in allowed: wrong.append((what, result))
print(len(CASES), wrong)
"#;

#[test]
fn frames_of_others_get_the_answers_of_the_protocol() -> Result {
    if !packages().join("h2").is_dir() {
        return skips::skip("http2-clients", "Python's h2 is not installed: docs/setup.sh test");
    }
    // The folder of the sources need not be open to an ordinary user.
    let world = World::new(User::root())?;
    let fake = Fake::with_body("text/plain", b"from the server")?;
    let session = begin(&world, "")?;
    world
        .user()
        .write_file(&world.workspace().join("frames.py"), FRAMES, 0o644)?;
    let text = format!("/usr/bin/python3 frames.py localtest:{}", fake.port);
    let run = bash(&session, &text)
        .env("PYTHONPATH", packages())
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let outcome = run.run(&world)?;
    check(
        outcome.out() == "57 []\n",
        "an answer of the protocol to each",
        &outcome,
    )
}

#[test]
fn clients_of_others_are_served() -> Result {
    if !skips::has_programs("http2-clients", &["nghttp", "h2load", "curl"])? {
        return Ok(());
    }
    for user in User::both() {
        let world = World::new(user)?;
        let fake = Fake::with_body("text/plain", b"from the server")?;
        let session = begin(&world, "")?;
        let to = format!("localtest:{}", fake.port);
        let proxied = format!("-H ':authority: {to}' \"$http_proxy\"/first");
        let outcome = run(&world, &session, &format!("nghttp {proxied}"))?;
        check(outcome.out() == "from the server", "nghttp", &outcome)?;
        let curl = format!("curl -sS --noproxy '*' --http2-prior-knowledge -H 'Host: {to}' \"$http_proxy\"/first");
        let outcome = run(&world, &session, &curl)?;
        check(outcome.out() == "from the server", "curl", &outcome)?;
        let before = fake.asked().len();
        let outcome = run(&world, &session, &format!("h2load -n 300 -c 3 -m 10 {proxied}"))?;
        check(
            outcome.out().contains("300 succeeded, 0 failed, 0 errored, 0 timeout"),
            "h2load",
            &outcome,
        )?;
        check(fake.asked().len() == before + 300, "each once", &fake.asked().len())?;
    }
    Ok(())
}
