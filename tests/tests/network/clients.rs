//! Programs that people use, by name, where policy lets them.

use agentsh_tests::network::dns::NameServer;
use agentsh_tests::record::await_event;
use agentsh_tests::{Result, User, fail};

use crate::{expect, world};

const SITE: &str = "network_rules:
  - {name: site, domains: [www.example.org], ports: [8080], decision: allow}
  - {name: rest, decision: deny}
";

/// Serves a folder over HTTP on the other side, as `http.server` does.
const SERVER: &str = "import http.server,functools,socketserver
h=functools.partial(http.server.SimpleHTTPRequestHandler,directory='/tmp/site')
class S(socketserver.ThreadingMixIn,http.server.HTTPServer): pass
S(('203.0.113.10',8080),h).serve_forever()";

#[test]
fn clients_reach_by_name_what_a_rule_on_the_name_allows() -> Result {
    for user in User::both() {
        let (world, far) = world(user, SITE)?;
        let server = NameServer::start(&far)?;
        server.set_addresses("www.example.org", &["203.0.113.10"]);
        server.set_addresses("www.example.net", &["203.0.113.10"]);
        let made = world.shimmed(
            "mkdir -p /tmp/site && echo hello >/tmp/site/page && git clone -q --bare . /tmp/site/r.git && git -C /tmp/site/r.git update-server-info",
        )?;
        made.expect_success("the site")?;
        let mut site = far.run(|| {
            std::process::Command::new("python3")
                .args(["-c", SERVER])
                .stderr(std::process::Stdio::null())
                .spawn()
        })??;
        let texts = [
            (
                "curl -s --retry 20 --retry-connrefused --retry-delay 1 http://www.example.org:8080/page",
                "hello",
            ),
            (
                "python3 -c \"import urllib.request as u; print(u.urlopen('http://www.example.org:8080/page').read().decode(),end='')\"",
                "hello",
            ),
            (
                "node -e \"fetch('http://www.example.org:8080/page').then(r=>r.text()).then(t=>process.stdout.write(t))\"",
                "hello",
            ),
            (
                "rm -rf c && git clone -q http://www.example.org:8080/r.git c && git -C c log --format=%s | tail -1; rm -rf c",
                "start",
            ),
            (
                "printf 'GET /page HTTP/1.0\\r\\n\\r\\n' | nc -w 5 www.example.org 8080 | tail -1",
                "hello",
            ),
            (
                "printf 'GET /page HTTP/1.0\\r\\n\\r\\n' | socat - TCP:www.example.org:8080 | tail -1",
                "hello",
            ),
            ("busybox wget -q -O - http://203.0.113.10:8080/page", "hello"),
            ("curl -s --max-time 5 http://www.example.net:8080/page; echo $?", "6"),
            (
                "curl -s --max-time 5 --resolve www.example.net:8081:203.0.113.10 http://www.example.net:8081/; echo $?",
                "7",
            ),
        ];
        let result = texts.iter().try_for_each(|(text, wanted)| {
            let outcome = world.shimmed(text)?;
            match outcome.out().trim_end() == *wanted {
                true => Ok(()),
                false => Err(fail(format!("{text}: {outcome:?}"))),
            }
        });
        // Ours, and nobody waits for it.
        site.kill()?;
        site.wait()?;
        result?;
        let event = await_event(&world, "a connection by its name", |event| {
            event.kind == "net_connect" && event.domain.as_deref() == Some("www.example.org")
        })?;
        expect(
            &format!("{:?}", event.policy.and_then(|policy| policy.rule)),
            "Some(\"site\")",
        )?;
        world.shimmed("rm -rf /tmp/site")?;
    }
    Ok(())
}
