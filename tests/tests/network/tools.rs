//! Programs that fetch and send, each to a host that policy allows and to one that it does not.

use std::process::{Child, Command, Stdio};

use agentsh_tests::network::dns::NameServer;
use agentsh_tests::network::{Far, HOSTS};
use agentsh_tests::{Result, Shell, User, World, fail};

use crate::{expect, world};

/// Both names are answered; connections to the second are not let through.
const RULES: &str = "network_rules:
  - {name: index, domains: [good.example.org], ports: [8080, 2222], decision: allow}
  - {name: names, domains: [bad.example.org], ports: [1], decision: allow}
  - {name: rest, decision: deny}
";

/// A package index for pip and a registry for npm, each with one package; a repository; a page.
const SITE: &str = r#"
import base64, hashlib, io, json, os, tarfile, zipfile
os.makedirs("/tmp/site/simple/greeting", exist_ok=True)
name = "greeting-1.0-py3-none-any.whl"
files = {"greeting.py": "word = 'hello from pip'\n", "greeting-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n",
    "greeting-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: suite\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
with zipfile.ZipFile("/tmp/site/" + name, "w") as wheel:
    for path, text in files.items(): wheel.writestr(path, text)
    wheel.writestr("greeting-1.0.dist-info/RECORD", "".join(f"{path},,\n" for path in [*files, "greeting-1.0.dist-info/RECORD"]))
open("/tmp/site/simple/greeting/index.html", "w").write(f'<a href="../../{name}">{name}</a>')
package = {"name": "greet", "version": "1.0.0", "main": "index.js"}
with tarfile.open("/tmp/site/greet-1.0.0.tgz", "w:gz") as tar:
    for path, text in {"package.json": json.dumps(package), "index.js": "module.exports = 'hello from npm'\n"}.items():
        info = tarfile.TarInfo("package/" + path); info.size = len(text); tar.addfile(info, io.BytesIO(text.encode()))
digest = "sha512-" + base64.b64encode(hashlib.sha512(open("/tmp/site/greet-1.0.0.tgz", "rb").read()).digest()).decode()
dist = {"tarball": "http://good.example.org:8080/greet-1.0.0.tgz", "integrity": digest}
json.dump({"name": "greet", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": {**package, "dist": dist}}}, open("/tmp/site/greet", "w"))
open("/tmp/site/page", "w").write("hello\n")
"#;

const SERVER: &str = "import http.server,functools,socketserver
h=functools.partial(http.server.SimpleHTTPRequestHandler,directory='/tmp/site')
class S(socketserver.ThreadingMixIn,http.server.HTTPServer): pass
S(('203.0.113.10',8080),h).serve_forever()";

/// The program, its call for `HOST`, and what it prints where that is let through.
const CALLS: &[(&str, &str, &str)] = &[
    (
        "curl",
        "curl -s --max-time 20 --retry 20 --retry-connrefused --retry-delay 1 http://HOST:8080/page",
        "hello",
    ),
    ("wget", "busybox wget -q -O - http://HOST:8080/page", "hello"),
    (
        "requests",
        "python3 -c \"from pip._vendor import requests; print(requests.get('http://HOST:8080/page', timeout=20).text, end='')\"",
        "hello",
    ),
    (
        "node",
        "node -e \"fetch('http://HOST:8080/page').then(r=>r.text()).then(t=>process.stdout.write(t))\"",
        "hello",
    ),
    (
        "git",
        "rm -rf c && git clone -q http://HOST:8080/r.git c && git -C c log --format=%s | tail -1",
        "start",
    ),
    (
        "nc",
        "printf 'GET /page HTTP/1.0\\r\\n\\r\\n' | nc -w 20 HOST 8080 | tail -1",
        "hello",
    ),
    (
        "socat",
        "printf 'GET /page HTTP/1.0\\r\\n\\r\\n' | socat -T 20 - TCP:HOST:8080 | tail -1",
        "hello",
    ),
    (
        "pip",
        "rm -rf lib; python3 -m pip install -q --isolated --no-cache-dir --disable-pip-version-check --root-user-action ignore --retries 0 \
         --timeout 20 --target lib --index-url http://HOST:8080/simple --trusted-host HOST greeting && PYTHONPATH=lib python3 -c \
         'import greeting; print(greeting.word)'",
        "hello from pip",
    ),
    (
        "npm",
        "rm -rf np; npm install --cache npm-cache --no-audit --no-fund --no-update-notifier --fetch-retries 0 --registry http://HOST:8080/ --prefix np \
         greet >npm.log 2>&1 || cat npm.log; node -p 'require(\"./np/node_modules/greet\")'",
        "hello from npm",
    ),
    (
        "ssh",
        "ssh -F none -q -p 2222 -i key -o BatchMode=yes -o ConnectTimeout=20 -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
         root@HOST echo hello from sshd",
        "hello from sshd",
    ),
];

/// A repository, packages, and keys of an sshd for root.
fn prepare(world: &World) -> Result {
    let as_root = |text: &str| -> Result {
        let shell = Shell::program("/bin/bash").args(["-ec", text]);
        let run = shell.cwd("/").inherit(|inherit| inherit.as_root = true).run(world)?;
        run.expect_success("the site").map(drop)
    };
    std::fs::write("/tmp/site.py", SITE)?;
    as_root("mkdir -p /tmp/site /root/sshd /root/.ssh && python3 /tmp/site.py")?;
    as_root(&format!(
        "git -c safe.directory='*' clone -q --bare {} /tmp/site/r.git && git -C /tmp/site/r.git update-server-info",
        world.workspace().display()
    ))?;
    as_root(
        "cd /root/sshd && ssh-keygen -q -t ed25519 -N '' -f host && ssh-keygen -q -t ed25519 -N '' -f client && cp client.pub /root/.ssh/authorized_keys",
    )?;
    std::fs::write(
        "/root/sshd/config",
        "HostKey /root/sshd/host\nPidFile none\nUsePAM no\nStrictModes no\nPermitRootLogin yes\n",
    )?;
    let key = std::fs::read("/root/sshd/client")?;
    world.user().write_file(&world.workspace().join("key"), key, 0o600)
}

fn start(far: &Far, program: &'static str, args: &'static [&'static str]) -> Result<Child> {
    let spawn = move || {
        let mut command = Command::new(program);
        command.args(args).stderr(Stdio::null()).stdin(Stdio::null()).spawn()
    };
    Ok(far.run(spawn)??)
}

#[test]
fn programs_that_fetch_reach_what_is_allowed_and_nothing_else() -> Result {
    let (world, far) = world(User::agent(), RULES)?;
    let server = NameServer::start(&far)?;
    server.set_addresses("good.example.org", &[HOSTS[0]]);
    server.set_addresses("bad.example.org", &[HOSTS[1]]);
    prepare(&world)?;
    let denied = [far.serve("203.0.113.11:8080")?, far.serve("203.0.113.11:2222")?];
    const SSHD: &str = "EXEC:/usr/sbin/sshd -i -f /root/sshd/config";
    let mut servers = [
        start(&far, "python3", &["-c", SERVER])?,
        start(
            &far,
            "socat",
            &["TCP-LISTEN:2222,bind=203.0.113.10,fork,reuseaddr", SSHD],
        )?,
    ];
    let result = CALLS.iter().try_for_each(|(name, text, wanted)| {
        let allowed = world.shimmed(&text.replace("HOST", "good.example.org"))?;
        expect(allowed.out().trim_end(), wanted).map_err(|_| fail(format!("{name}: {allowed:?}")))?;
        let other = world.shimmed(
            &text
                .replace("HOST", "bad.example.org")
                .replace("--retry-connrefused", ""),
        )?;
        match other.out().contains(wanted) {
            true => Err(fail(format!("{name}: {other:?}"))),
            false => Ok(()),
        }
    });
    for server in &mut servers {
        // Ours, and nobody waits for them.
        server.kill()?;
        server.wait()?;
    }
    result?;
    expect(&format!("{} {}", denied[0].count(), denied[1].count()), "0 0")
}
