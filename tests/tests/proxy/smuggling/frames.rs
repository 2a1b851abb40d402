//! The same in HTTP/2: frames that two readers could read differently.

use agentsh_tests::{Result, User, World};

use super::super::http::begin;
use super::super::{check, run};
use super::{RULES, Raw};

/// Frames of HTTP/2 by hand (RFC 9113), fields in literals: what comes back is the status 200, another, or the end.
const FRAMES: &str = r#"import json, os, socket, struct
host, port = os.environ["http_proxy"].split("//")[1].split(":")
me = f"{host}:{port}"
def frame(kind, flags, stream, data): return struct.pack(">I", len(data))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + data
def text(s):
    s = s.encode("latin-1"); assert len(s) < 127
    return bytes([len(s)]) + s
def fields(pairs): return b"".join(b"\0" + text(n.replace("@PROXY@", me)) + text(v.replace("@PROXY@", me)) for n, v in pairs)
for what, pairs, body in json.load(open("frames")):
    s = socket.create_connection((host, int(port))); s.settimeout(20)
    data = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"")
    data += frame(1, 4 if body is not None else 5, 1, fields(pairs))
    if body is not None: data += frame(0, 1, 1, body.encode())
    seen, result = b"", "closed"
    try:
        s.sendall(data)
        while result == "closed" and (piece := s.recv(4096)):
            seen += piece
            while len(seen) >= 9 and len(seen) >= 9 + (length := int.from_bytes(seen[:3], "big")):
                kind, inside = seen[3], seen[9:9 + length]; seen = seen[9 + length:]
                if kind == 1: result = "200" if inside[0] == 0x88 else "refused"; break
                if kind in (3, 7): result = "reset"; break
    except OSError: pass
    print(result, flush=True); s.close()
"#;

/// What is sent, its header fields, and what the answer may say.
type Row<'r> = (&'r str, Vec<(String, String)>, Option<&'r str>);

#[test]
fn the_same_holds_in_http_2() -> Result {
    let world = World::new(User::agent())?;
    let server = Raw::start()?;
    let session = begin(&world, RULES)?;
    let to = format!("localtest:{}", server.port);
    let start = |more: &[(&str, &str)]| -> Vec<(String, String)> {
        let usual = [
            (":method", "GET"),
            (":scheme", "http"),
            (":authority", to.as_str()),
            (":path", "/first"),
        ];
        let own = |name: &str| more.iter().any(|(other, _)| *other == name);
        let usual = usual.iter().filter(|(name, _)| !own(name));
        let all = usual.chain(more.iter().filter(|(_, value)| *value != "@NONE@"));
        all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    };
    let long = format!("/{}", "x".repeat(20));
    let bad: Vec<Row<'_>> = vec![
        (
            "two authorities",
            start(&[(":authority", &to), (":authority", "denied.example")]),
            None,
        ),
        ("another host", start(&[("host", "denied.example")]), None),
        ("two hosts", start(&[("host", &to), ("host", &to)]), None),
        ("no authority", start(&[(":authority", "@NONE@")]), None),
        ("user information", start(&[(":authority", &format!("me@{to}"))]), None),
        (
            "a line end in a value",
            start(&[("x", "a\r\nhost: denied.example")]),
            None,
        ),
        ("a zero byte in a value", start(&[("x", "a\0b")]), None),
        (
            "a line end in the path",
            start(&[(":path", "/ HTTP/1.1\r\nhost: denied.example\r\n\r\n")]),
            None,
        ),
        ("a space in the path", start(&[(":path", "/a b")]), None),
        ("no path", start(&[(":path", "@NONE@")]), None),
        ("an absolute path", start(&[(":path", "http://denied.example/")]), None),
        ("a space in the method", start(&[(":method", "GET /x")]), None),
        ("a colon in a name", start(&[("x:y", "z")]), None),
        ("a capital letter in a name", start(&[("X-Y", "z")]), None),
        ("a field of one connection", start(&[("connection", "close")]), None),
        (
            "the framing of HTTP/1.1",
            start(&[("transfer-encoding", "chunked")]),
            None,
        ),
        (
            "two lengths",
            start(&[("content-length", "2"), ("content-length", "3")]),
            Some("ab"),
        ),
        ("an unknown field of the protocol", start(&[(":nonsense", "x")]), None),
        (
            "whom policy denies",
            start(&[(":authority", &format!("denied.example:{}", server.port))]),
            None,
        ),
    ];
    let good = vec![("as it should be", start(&[(":path", &long)]), None::<&str>)];
    let folder = world.workspace();
    world.user().write_file(&folder.join("frames.py"), FRAMES, 0o644)?;
    let say = |rows: &[Row<'_>]| -> Result<Vec<String>> {
        world
            .user()
            .write_file(&folder.join("frames"), serde_json::to_string(rows)?, 0o644)?;
        let outcome = run(&world, &session, "python3 frames.py")?;
        outcome.expect_success("frames.py")?;
        Ok(outcome.out().lines().map(str::to_owned).collect())
    };
    let results = say(&bad)?;
    check(results.len() == bad.len(), "an answer each", &results)?;
    for ((what, ..), result) in bad.iter().zip(&results) {
        check(result != "200", what, &results)?;
    }
    let arrived = server.received();
    check(
        !arrived
            .iter()
            .any(|text| text.contains("denied.example") || text.matches(" HTTP/1.").count() > 1),
        "nothing arrived that was not meant",
        &arrived,
    )?;
    check(say(&good)? == ["200"], "a request that is one", &server.received())
}
