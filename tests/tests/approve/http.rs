//! Questions and answers over HTTP on `api.sock`, as programs of others use it.

use std::path::PathBuf;

use agentsh_tests::child::Child;
use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Ended, Output, Result, Shell, User, World, fail, session};
use serde_json::Value;

use crate::{PATIENCE, for_each_user, the_question, watcher, world};

fn socket(world: &World) -> String {
    format!("/run/agentsh/{}/api.sock", world.user().uid)
}

/// Sends a request as the world's user would and returns status and body; `head`: curl's options for method and headers.
fn ask(world: &World, path: &str, head: &[&str], body: &str) -> Result<(u16, String)> {
    let socket = socket(world);
    let outcome = Shell::program("curl")
        .args([
            "-s",
            "--path-as-is",
            "--unix-socket",
            &socket,
            "-w",
            "\n%{http_code}",
            "--data-binary",
            body,
        ])
        .args(head)
        .args([format!("http://agentsh{path}")])
        .run(world)?;
    let out = outcome.out();
    match out
        .rsplit_once('\n')
        .and_then(|(body, status)| Some((status.parse().ok()?, body.to_owned())))
    {
        Some(answer) => Ok(answer),
        None => Err(fail(format!("{outcome:?}"))),
    }
}

fn get(world: &World, path: &str) -> Result<(u16, Value)> {
    let (status, body) = ask(world, path, &["-X", "GET"], "")?;
    Ok((status, serde_json::from_str(&body)?))
}

fn post(world: &World, id: &str, body: &str) -> Result<u16> {
    Ok(ask(world, &format!("/v1/approvals/{id}"), &["-X", "POST"], body)?.0)
}

/// A stream of events, which is a person that watches.
struct Events {
    file: PathBuf,
    /// How many of them were taken.
    taken: usize,
    _stream: Child,
}

impl Events {
    fn open(world: &World, session: &str) -> Result<Events> {
        let file = world.user().home.join("events");
        let (socket, name) = (socket(world), file.display());
        let text = format!("exec curl -sN --unix-socket {socket} http://agentsh/v1/approvals/watch > {name}");
        let stream = Shell::named("sh")
            .args(["-c", &text])
            .stdout(Output::Null)
            .spawn(world)?;
        let seen = || {
            let info = world.agentsh(["session", "info", "--json", session]);
            info.is_ok_and(|info| !info.out().contains("nobody can be asked"))
        };
        match wait_until(PATIENCE, seen) {
            true => Ok(Events {
                file,
                taken: 0,
                _stream: stream,
            }),
            false => Err(fail("the session does not learn of the stream")),
        }
    }

    fn next(&mut self) -> Result<Value> {
        let mut found = None;
        wait_until(PATIENCE, || {
            let text = std::fs::read_to_string(&self.file).unwrap_or_default();
            let whole = text.rsplit_once("\n\n").map_or("", |(whole, _)| whole);
            found = whole
                .split("\n\n")
                .nth(self.taken)
                .and_then(|event| event.strip_prefix("data: "))
                .map(str::to_owned);
            found.is_some()
        });
        self.taken += 1;
        Ok(serde_json::from_str(&found.ok_or_else(|| fail("no event"))?)?)
    }
}

#[test]
fn a_question_comes_as_an_event_and_is_answered_by_a_post() -> Result {
    for user in User::both() {
        let (world, id) = world(user)?;
        let mut events = Events::open(&world, &id)?;
        for (answer, status) in [("allow", 0), ("deny", 126)] {
            let child = session::exec(&id, &[], &["sh", "-c", "seq 2"]).spawn(&world)?;
            let asked = events.next()?;
            let approval = &asked["approval"];
            let one = approval["id"].as_str().unwrap_or_default().to_owned();
            if asked["change"] != "asked"
                || approval["argv"] != serde_json::json!(["seq", "2"])
                || approval["rule"] != "ask-seq"
            {
                return Err(fail(asked.to_string()));
            }
            let (status_of_list, list) = get(&world, "/v1/approvals")?;
            let (status_of_one, shown) = get(&world, &format!("/v1/approvals/{one}"))?;
            if (status_of_list, status_of_one) != (200, 200)
                || list[0]["id"] != one.as_str()
                || shown["path"] != "/usr/bin/seq"
            {
                return Err(fail(format!("{list} {shown}")));
            }
            let body = format!(r#"{{"answer": "{answer}", "scope": "once", "reason": "by http"}}"#);
            if post(&world, &one, &body)? != 200 {
                return Err(fail("the answer is not taken"));
            }
            let resolved = events.next()?;
            if resolved["change"] != "resolved" || resolved["id"] != one.as_str() || resolved["answer"] != answer {
                return Err(fail(resolved.to_string()));
            }
            child.finish(PATIENCE)?.expect_exit(status, answer)?;
            // It is over: nobody answers twice.
            if post(&world, &one, &body)? != 404 {
                return Err(fail("it was answered twice"));
            }
        }
    }
    Ok(())
}

#[test]
fn a_yes_for_the_session_is_listed_and_taken_back_over_http() -> Result {
    for_each_user(|world, id| {
        let events = Events::open(&world, &id)?;
        let child = session::exec(&id, &[], &["seq", "2"]).spawn(&world)?;
        let one = the_question(&world)?.id;
        post(&world, &one, r#"{"answer": "allow", "scope": "session"}"#)?;
        child.finish(PATIENCE)?.expect_success("seq")?;
        let (_, grants) = get(&world, "/v1/grants")?;
        let (status, _) = ask(&world, &format!("/v1/grants/{one}"), &["-X", "DELETE"], "")?;
        let (_, none) = get(&world, "/v1/grants")?;
        drop(events);
        match grants[0]["scope"] == "session" && status == 200 && none == serde_json::json!([]) {
            true => Ok(()),
            false => Err(fail(format!("{grants} {status} {none}"))),
        }
    })
}

#[test]
fn pages_strange_hosts_and_malformed_answers_decide_nothing() -> Result {
    for_each_user(|world, id| {
        let _watcher = watcher(&world, &id)?;
        let child = session::exec(&id, &[], &["seq", "2"]).spawn(&world)?;
        let one = the_question(&world)?.id;
        let path = format!("/v1/approvals/{one}");
        let yes = r#"{"answer": "allow"}"#;
        for (header, body, expected) in [
            ("Origin: http://evil.example", yes, 403),
            ("Origin: null", yes, 403),
            ("Host: evil.example", yes, 403),
            ("Host: agentsh", "", 400),
            ("Host: agentsh", r#"{"answer": "yes"}"#, 400),
            ("Host: agentsh", r#"{"answer": "allow", "scope": "forever"}"#, 400),
            ("Host: agentsh", "{\"answer\": \"allow\"", 400),
        ] {
            let (status, answer) = ask(&world, &path, &["-X", "POST", "-H", header], body)?;
            if status != expected {
                return Err(fail(format!("{header} {body}: {status} {answer}")));
            }
        }
        for path in ["/v1/approvals/", "/v1/approvals/../../x", "/v1/approvals/zz"] {
            if ask(&world, path, &["-X", "POST"], yes)?.0 == 200 {
                return Err(fail(path));
            }
        }
        if the_question(&world)?.id != one {
            return Err(fail("it was answered"));
        }
        world.agentsh(["approve", "deny", &one])?.expect_success("deny")?;
        child.finish(PATIENCE)?.expect_exit(126, "seq")?;
        Ok(())
    })
}

/// Tries every way to the API that a program in a session has; prints what answered with anything but a refusal.
const FROM_INSIDE: &str = r#"
import os, socket, sys
one, run = sys.argv[1], "/run/agentsh/%d" % os.getuid()
requests = [b"POST /v1/approvals/%s HTTP/1.1\r\nHost: agentsh\r\nContent-Length: 19\r\n\r\n{\"answer\": \"allow\"}" % one.encode(),
            b"GET /v1/approvals HTTP/1.1\r\nHost: agentsh\r\n\r\n", b"GET /v1/approvals/watch HTTP/1.1\r\nHost: agentsh\r\n\r\n",
            b"GET /v1/grants HTTP/1.1\r\nHost: agentsh\r\n\r\n", b"GET /v1/self/../approvals HTTP/1.1\r\nHost: agentsh\r\n\r\n"]
os.symlink(run, "run")
folder = None
try: folder = os.open(run, os.O_PATH)
except OSError: pass
names = [run + "/api.sock", "/proc/self/root" + run + "/api.sock", "run/api.sock", run + "//./api.sock"]
if folder is not None: names.append("/proc/self/fd/%d/api.sock" % folder)
for name in names:
    for request in requests:
        try:
            s = socket.socket(socket.AF_UNIX); s.settimeout(10); s.connect(name); s.sendall(request)
            head = s.recv(65536).split(b"\r\n")[0]
        except OSError: continue
        if b" 403 " not in head and b" 404 " not in head: print(name, request, head)
print("tried")
"#;

#[test]
fn no_program_of_any_session_reaches_the_questions() -> Result {
    for user in User::both() {
        let (world, id) = world(user)?;
        let _watcher = watcher(&world, &id)?;
        let child = session::exec(&id, &[], &["seq", "2"]).spawn(&world)?;
        let one = the_question(&world)?.id;
        world
            .user()
            .write_file(&world.workspace().join("p.py"), FROM_INSIDE, 0o644)?;
        // From the session itself, and from another of the same user that may do everything.
        let free = "version: 1\nname: free\ndefaults: {read: allow, write: allow, command: allow, network: allow, unix_socket: allow, signal: allow}\n";
        let policy = session::write_policy(&world, "free", free)?;
        let other = session::create(&world, &["--policy", &policy.to_string_lossy(), "--name", "other"])?.id;
        for session in [&id, &other] {
            let outcome = session::run(
                &world,
                session,
                &["sh", "-c", &format!("rm -f run; python3 p.py {one}")],
            )?;
            if outcome.ended != Ended::Exit(0) || outcome.out() != "tried\n" {
                return Err(fail(format!("{outcome:?}")));
            }
            if the_question(&world)?.id != one {
                return Err(fail("it was answered from inside"));
            }
        }
        world.agentsh(["approve", "deny", &one])?.expect_success("deny")?;
        child.finish(PATIENCE)?.expect_exit(126, "seq")?;
    }
    Ok(())
}
