//! Conformance by the suites of others: `httpwg` for HTTP/2 (RFC 9113 case by case, from loona's authors) and the requests
//! that gunicorn's parser is tested with for HTTP/1. `docs/setup.sh test` fetches both.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use regex::bytes::Regex;

use agentsh_tests::network::Far;
use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Output, Result, Shell, User, World, skips};

use super::fake::Fake;
use super::http::begin;
use super::smuggling::{Raw, base64};
use super::{bash, check};

const PATIENCE: Duration = Duration::from_secs(30);

fn suite(name: &str) -> PathBuf {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR"));
    sources.with_file_name("target").join("suite").join(name)
}

/// Cases of httpwg.
const CASES: usize = 107;

/// Cases whose outcome depends on what arrives together get another chance so often.
const RUNS: usize = 4;

/// Cases that are answered with the general `PROTOCOL_ERROR` instead of the suite's code: the library of frames knows
/// nothing of a closed stream after a while, and checks lengths and settings before it asks what for.
const LESS_SPECIFIC: [&str; 14] = [
    "4. http frames :: invalid header block fragment",
    "5. streams and multiplexing :: closed sends headers frame",
    "5. streams and multiplexing :: closed sends headers frame after rst stream",
    "5. streams and multiplexing :: half closed remote sends data frame",
    "5. streams and multiplexing :: half closed remote sends headers frame",
    "6. frame definitions :: sends data frame on invalid stream state",
    "6. frame definitions :: sends ping frame with invalid length",
    "6. frame definitions :: sends priority frame with invalid length",
    "6. frame definitions :: sends rst stream frame with invalid length",
    "6. frame definitions :: sends settings frame with ack and payload",
    "6. frame definitions :: sends settings frame with invalid length",
    "6. frame definitions :: sends settings initial window size with exceeded max window size value",
    "6. frame definitions :: sends settings initial window size with invalid value",
    "6. frame definitions :: sends window update frame with invalid length",
];

/// Cases in which the library of frames does something else. A promise whose fields never end is waited for: nothing of
/// it is read before. What has no place in trailers is left out, and goes nowhere.
const OTHERWISE: [&str; 2] = [
    "8. expressing http semantics in http2 :: client sends push promise frame",
    "8. expressing http semantics in http2 :: sends headers frame with pseudo header in trailer",
];

/// Whoever says goodbye and asks something afterwards may find nobody: the suite crashes with these words then.
const AFTER_GOODBYE: (&str, &str) = (
    "7. error codes :: sends goaway frame with unknown error code",
    "peer hung up. Last frame: Some(Conn:GoAway",
);

/// The cases that one run of the suite tells of as it should be, and what it says of the others.
fn outcomes(told: &str) -> (BTreeSet<String>, Vec<String>) {
    let (mut held, mut other) = (BTreeSet::new(), Vec::new());
    for part in told.split("Test ").skip(1) {
        let Some((outcome, case)) = part.split_once(": RFC 9113 :: ") else {
            continue;
        };
        let name = case.lines().next().unwrap_or_default().trim();
        let known = match outcome {
            "passed" => true,
            _ => OTHERWISE.contains(&name) || LESS_SPECIFIC.contains(&name) && case.contains("but got ProtocolError"),
        };
        match known {
            true => drop(held.insert(name.to_owned())),
            false => other.push(case.to_owned()),
        }
    }
    if told.contains(AFTER_GOODBYE.1) {
        held.insert(AFTER_GOODBYE.0.to_owned());
    }
    (held, other)
}

#[test]
fn every_case_of_httpwg_is_answered_by_the_protocol() -> Result {
    let program = suite("httpwg/bin/httpwg");
    if !program.exists() {
        return skips::skip("http-suites", "httpwg is not installed: docs/setup.sh test");
    }
    let world = World::new(User::root())?;
    let _far = Far::enter()?;
    // The suite asks for `localhost` at port 80.
    let fake = Fake::on_with_body(TcpListener::bind("127.0.0.1:80")?, "text/plain", b"from the server")?;
    let session = begin(&world, "")?;
    // It needs io_uring, which no session has: a process of the session passes its bytes on to the proxy.
    let relay = "exec socat TCP-LISTEN:9113,bind=127.0.0.1,fork,reuseaddr,backlog=256 TCP:${http_proxy#http://}";
    let _relay = bash(&session, relay).stdout(Output::Null).spawn(&world)?;
    let listens = || std::net::TcpStream::connect("127.0.0.1:9113").is_ok();
    check(wait_until(PATIENCE, listens), "the relay listens", &())?;
    let patience = ["--connect-timeout", "20000", "--frame-timeout", "5000"];
    let shell = Shell::program(program.to_string_lossy().into_owned())
        .args(["-a", "127.0.0.1:9113"])
        .args(patience)
        .deadline(Duration::from_secs(300));
    let shell = shell.env("SEQUENTIAL", "1").env("RUST_LOG", "off");
    let (mut answered, mut otherwise) = (BTreeSet::new(), Vec::new());
    for _ in 0..RUNS {
        let (held, other) = outcomes(&shell.run(&world)?.err());
        answered.extend(held);
        otherwise.extend(other);
        if answered.len() == CASES {
            break;
        }
    }
    let all = answered.len() == CASES && !fake.asked().is_empty();
    check(all, "all cases, and requests arrive", &(answered.len(), otherwise))
}

/// Sends each payload on a connection of its own, and prints what comes back: the status, `closed`, or `silence`.
const CLIENT: &str = r#"import base64, concurrent.futures, json, os, socket
host, port = os.environ["http_proxy"].split("//")[1].split(":")
def say(payload):
    s = socket.create_connection((host, int(port))); s.settimeout(20)
    out, end = b"", "closed"
    try:
        s.sendall(base64.b64decode(payload))
        while piece := s.recv(4096): out += piece
    except TimeoutError: end = "silence"
    except OSError: pass
    s.close()
    words = out.split(b"\r\n")[0].split(b" ")
    return words[1].decode() if len(words) > 1 else end
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    for result in pool.map(say, json.load(open("payloads"))): print(result)
"#;

/// What the suite calls valid and is refused here: nobody needs it, and not everybody reads it as we do. Fields that are
/// continued on another line, codings besides `chunked`, blanks before a colon, names with an underscore for a hyphen,
/// heads of more than 64 KiB, the preface of another proxy, and bytes beyond ASCII in a path.
const STRICTER: &[&str] = &[
    "009",
    "025",
    "025_line",
    "027",
    "028",
    "029",
    "030",
    "040",
    "040_compat",
    "compat_obs_fold",
    "compat_obs_fold_huge",
    "pp_01",
    "pp_02",
];

/// What gunicorn refuses for limits of its own or what it makes of fields, and HTTP does not; and a blank behind the size
/// of a chunk, which goes no further: the framing that arrives is ours.
const ITS_OWN: &[&str] = &[
    "003c",
    "006",
    "007",
    "008",
    "009",
    "010",
    "011",
    "012",
    "017",
    "019",
    "chunked_09",
];

/// Each file of the suite: name, whether it is valid, and a payload that means `localtest` at the port.
fn cases(folder: &Path, port: u16) -> Result<Vec<(String, bool, Vec<u8>)>> {
    let mut cases = Vec::new();
    let target = Regex::new(r"^([^ ]+) /")?;
    let host = Regex::new(r"\r\nHost: [^\r\n]*")?;
    let line = Regex::new(r"^([^\r]*)\r\n")?;
    let to = format!("localtest:{port}");
    for valid in [true, false] {
        let mut files: Vec<PathBuf> = Vec::new();
        for entry in std::fs::read_dir(folder.join(if valid { "valid" } else { "invalid" }))? {
            files.push(entry?.path());
        }
        files.sort();
        for path in files
            .iter()
            .filter(|path| path.extension().is_some_and(|kind| kind == "http"))
        {
            // As the suite's own reader has them.
            let text: Vec<u8> = std::fs::read(path)?.into_iter().filter(|byte| *byte != b'\n').collect();
            let written = [(r"\\r\\n", "\r\n"), (r"\\0", "\0"), (r"\\n", "\n"), (r"\\t", "\t")];
            let mut text = written.iter().try_fold(text, |text, (from, to)| -> Result<Vec<u8>> {
                Ok(Regex::new(from)?
                    .replace_all(&text, regex::bytes::NoExpand(to.as_bytes()))
                    .into_owned())
            })?;
            text = target
                .replace(&text, format!("${{1}} http://{to}/").as_bytes())
                .into_owned();
            let named = format!("\r\nHost: {to}");
            text = match host.is_match(&text) {
                true => host.replace(&text, named.as_bytes()).into_owned(),
                false => line
                    .replace(&text, format!("${{1}}{named}\r\n").as_bytes())
                    .into_owned(),
            };
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            cases.push((name, valid, text));
        }
    }
    Ok(cases)
}

#[test]
fn every_request_of_gunicorns_suite_is_read_as_it_or_refused() -> Result {
    let folder = suite("gunicorn/tests/requests");
    if !folder.exists() {
        return skips::skip("http-suites", "gunicorn's requests are not here: docs/setup.sh test");
    }
    let world = World::new(User::agent())?;
    let session = begin(&world, "")?;
    // A server for each case: whose request arrived is beyond doubt.
    let mut rows = Vec::new();
    let count = cases(&folder, 0)?.len();
    for at in 0..count {
        let server = Raw::start()?;
        let mut all = cases(&folder, server.port)?;
        rows.push((server, all.swap_remove(at)));
    }
    let payloads: Vec<String> = rows.iter().map(|(_, (_, _, payload))| base64(payload)).collect();
    let user = world.user();
    user.write_file(
        &world.workspace().join("payloads"),
        serde_json::to_string(&payloads)?,
        0o644,
    )?;
    user.write_file(&world.workspace().join("raw.py"), CLIENT, 0o644)?;
    let outcome = bash(&session, "python3 raw.py")
        .deadline(Duration::from_secs(300))
        .run(&world)?;
    outcome.expect_success("raw.py")?;
    let results: Vec<String> = outcome.out().lines().map(str::to_owned).collect();
    check(
        (results.len(), count) == (rows.len(), 98),
        "an answer each",
        &results.len(),
    )?;
    let mut wrong = BTreeMap::new();
    let (mut stricter, mut own) = (BTreeSet::new(), BTreeSet::new());
    for ((server, (name, valid, _)), result) in rows.iter().zip(&results) {
        let arrived = server.received();
        let text = arrived.join("\n--\n");
        let refused = result.starts_with(['4', '5']) || result == "closed" || result == "silence";
        // A body that the proxy could not read to its end has none there either.
        let ended = !text.contains("chunked\r\n") || text.ends_with("0\r\n\r\n");
        let whole = !text.is_empty() && ended;
        // Of one of them the body is a request in form.
        let lines = text.matches(" HTTP/1.").count() - usize::from(*valid && name == "020");
        let once = arrived.len() <= 1 && lines <= 1;
        let right = match valid {
            true if refused => stricter.insert(name.as_str()),
            true => whole,
            false if refused => !whole,
            false => !whole || own.insert(name.as_str()),
        };
        if !(right && once) {
            wrong.insert(name, (result, text));
        }
    }
    check(wrong.is_empty(), "read or refused", &wrong)?;
    check(stricter.iter().eq(STRICTER), "what is refused though valid", &stricter)?;
    check(own.iter().eq(ITS_OWN), "what passes though refused by gunicorn", &own)
}
