//! Operations of every kind wait for an answer, are listed and shown as what they are, and do what the answer says.

use std::os::unix::net::UnixListener;

use agentsh_tests::{Result, User, World, fail, session};

use crate::{PATIENCE, the_question, watcher};

const RULES: &str = r#"network_rules:
  - {name: ask-net, cidrs: ["127.0.0.0/8"], operations: [connect], decision: approve}
  - {name: rest-net, decision: allow}
unix_socket_rules:
  - {name: ask-unix, paths: ["/tmp/other/**", "@asked"], operations: [connect, sendto, bind], decision: approve}
  - {name: rest-unix, paths: ["**", "@**"], decision: allow}
signal_rules:
  - {name: ask-signal, signals: [TERM], target: {type: children}, decision: approve}
command_rules:
  - {name: ask-exec, commands: [seq], decision: approve}
  - {name: rest, commands: ["*"], decision: allow}
approvals: {timeout: 60s}
"#;

/// A kind of operation: what is said of it, and a text that ends with 0 exactly if it was done.
struct Kind {
    operation: &'static str,
    about: String,
    rule: &'static str,
    text: String,
}

fn kinds(world: &World, port: u16) -> Vec<Kind> {
    let kind = |operation, about: &str, rule, text: String| Kind {
        operation,
        about: about.to_owned(),
        rule,
        text,
    };
    let file = world.workspace().join("asked/f").to_string_lossy().into_owned();
    let python = |call: &str| format!("python3 -c 'import socket; {call}'");
    let unix = python("socket.socket(socket.AF_UNIX).connect(\"/tmp/other/service\")");
    let datagram = python("socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b\"x\", \"/tmp/other/datagrams\")");
    let abstract_name = python("socket.socket(socket.AF_UNIX).bind(\"\\0asked\")");
    vec![
        kind("exec", "/usr/bin/seq", "ask-exec", "seq 2".to_owned()),
        kind("create", &file, "ask-file", "echo x > asked/f".to_owned()),
        kind("rename", &file, "ask-file", "mv asked/f moved".to_owned()),
        kind("mkdir", &file, "ask-file", "mkdir asked/f".to_owned()),
        kind("rmdir", &file, "ask-file", "rmdir asked/f".to_owned()),
        kind("connect", "/tmp/other/service", "ask-unix", unix),
        kind("sendto", "/tmp/other/datagrams", "ask-unix", datagram),
        kind("bind", "@asked", "ask-unix", abstract_name),
        kind(
            "connect",
            &format!("127.0.0.1:{port}"),
            "ask-net",
            python(&format!("socket.create_connection((\"127.0.0.1\", {port}))")),
        ),
        kind(
            "signal",
            "/usr/bin/sleep",
            "ask-signal",
            "sleep 93 & p=$!; until grep -q sleep /proc/$p/comm; do :; done; kill $p; r=$?; kill -9 $p; exit $r"
                .to_owned(),
        ),
    ]
}

#[test]
fn each_kind_waits_and_does_what_the_answer_says() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let base = session::BASE.replace(
            "file_rules:\n",
            "file_rules:\n  - {name: ask-file, paths: [\"${PROJECT_ROOT}/asked/**\"], operations: [create, rename, mkdir, rmdir], decision: approve}\n",
        );
        let policy = session::write_policy(&world, "kinds", &format!("{base}{RULES}"))?;
        let id = session::create(&world, &["--policy", &policy.to_string_lossy()])?.id;
        world.user().make_folder(&world.workspace().join("asked"))?;
        world.user().make_folder("/tmp/other".as_ref())?;
        let _stream = UnixListener::bind("/tmp/other/service")?;
        let _datagrams = std::os::unix::net::UnixDatagram::bind("/tmp/other/datagrams")?;
        for name in ["service", "datagrams"] {
            world.user().own(&std::path::Path::new("/tmp/other").join(name))?;
        }
        let server = std::net::TcpListener::bind("127.0.0.1:0")?;
        let _watcher = watcher(&world, &id)?;
        for kind in kinds(&world, server.local_addr()?.port()) {
            for (word, done) in [("deny", false), ("allow", true)] {
                let child = session::exec(&id, &[], &["bash", "-c", &kind.text]).spawn(&world)?;
                let question = match the_question(&world) {
                    Ok(question) => question,
                    Err(error) => return Err(fail(format!("{error}: {:?}", child.finish(PATIENCE)))),
                };
                if question.operation != kind.operation
                    || question.path.lossy() != kind.about
                    || question.rule.as_deref() != Some(kind.rule)
                {
                    return Err(fail(format!("{}: {question:?}", kind.text)));
                }
                let list = world.agentsh(["approve", "list"])?.out();
                let show = world
                    .agentsh(["approve", "show", &question.id[..question.id.len() - 2]])?
                    .out();
                if !list.contains(kind.operation)
                    || !show.contains(kind.operation)
                    || !show.contains(&kind.about)
                    || !show.contains(kind.rule)
                {
                    return Err(fail(format!("{list}{show}")));
                }
                world.agentsh(["approve", word, &question.id])?.expect_success(word)?;
                let outcome = child.finish(PATIENCE)?;
                if (outcome.ended == agentsh_tests::Ended::Exit(0)) != done {
                    return Err(fail(format!("{word}: {}: {outcome:?}", kind.text)));
                }
            }
        }
    }
    Ok(())
}
