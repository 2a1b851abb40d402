//! A server that speaks TLS, under an authority that the world's host trusts.

use std::path::Path;
use std::time::Duration;

use agentsh_tests::child::Child;
use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Result, Shell, World, fail};

/// Says what it was asked, over TLS, and the secret with it in several forms.
const SERVER: &str = r#"
import http.server, ssl, sys, base64, json
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        length = int(self.headers.get("content-length") or 0)
        asked = self.rfile.read(length).decode()
        said = self.headers.get("authorization") or ""
        secret = said.split(" ")[-1]
        with open(sys.argv[3], "a") as log: log.write(json.dumps([self.command, self.path, said] + ([asked] if asked else [])) + "\n")
        body = ("got %s and %s\n" % (secret, base64.b64encode(("user:" + secret).encode()).decode())).encode()
        self.send_response(200)
        self.send_header("X-Echo", said)
        self.send_header("X-Plain", "stays")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        for at in range(0, len(body), 5):
            self.wfile.write(body[at:at+5]); self.wfile.flush()
    do_POST = do_DELETE = do_GET
    def log_message(self, *args): pass
host, port = sys.argv[4].split(":")
server = http.server.ThreadingHTTPServer((host, int(port)), Answer)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1] + "/leaf.pem", sys.argv[1] + "/leaf.key")
def named(socket, name, context):
    with open(sys.argv[3] + ".names", "a") as log: log.write(str(name) + "\n")
context.sni_callback = named
server.socket = context.wrap_socket(server.socket, server_side=True)
with open(sys.argv[2], "w") as file: file.write(str(server.server_port) + "\n")
server.serve_forever()
"#;

/// Speaks HTTP/2 and nothing else, at port 8080 in the clear; says whom it was asked for, and behind that that all is well.
const SERVER_OF_TWO: &str = r#"
const fs = require("fs"), http2 = require("http2"), [,, folder, known, , at] = process.argv;
const read = (name) => fs.readFileSync(folder + "/" + name);
const servers = [http2.createSecureServer({ cert: read("leaf.pem"), key: read("leaf.key") }), http2.createServer()];
for (const server of servers) server.on("stream", (stream, headers) => {
    stream.on("error", () => {});
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.respond({ ":status": 200 }, { waitForTrailers: true });
    stream.end([headers[":authority"], headers[":path"], headers.host, headers.te].join(" "));
});
const [host, port] = at.split(":");
servers[1].listen(8080, host, () => servers[0].listen(Number(port), host, () => fs.writeFileSync(known, port + "\n")));
"#;

/// An authority of the test's own, which this world's host trusts, and a certificate of localhost.
const CERTIFICATES: &str = r#"set -e; cd "$1"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=suite -keyout ca.key -out ca.pem 2>/dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -keyout leaf.key -out leaf.csr 2>/dev/null
printf 'subjectAltName=DNS:localhost,DNS:models.example,DNS:plain.example,DNS:pinned.example,DNS:sub.pinned.example\nbasicConstraints=CA:FALSE\n' > leaf.ext
openssl x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile leaf.ext -out leaf.pem 2>/dev/null
cat ca.pem >> /etc/ssl/certs/ca-certificates.crt"#;

pub struct Server {
    child: Child,
    pub port: u16,
    log: String,
}

impl Server {
    /// Serves at `at`; the names of the suite have its certificate.
    pub fn start(world: &World, at: &str) -> Result<Server> {
        let folder = Path::new("/tmp/server");
        std::fs::create_dir_all(folder)?;
        let as_root = |shell: Shell| shell.inherit(|inherit| inherit.as_root = true);
        as_root(Shell::program("/bin/bash").args(["-c", CERTIFICATES, "make", "/tmp/server"]))
            .run(world)?
            .expect_success("certificates")?;
        Server::run(world, ("/usr/bin/python3", SERVER), at)
    }

    /// One of HTTP/2 alone, with the certificates that another has made.
    pub fn start_of_two(world: &World, at: &str) -> Result<Server> {
        let _ = std::fs::remove_file("/tmp/server/port");
        Server::run(world, ("/usr/bin/node", SERVER_OF_TWO), at)
    }

    fn run(world: &World, (program, text): (&str, &str), at: &str) -> Result<Server> {
        std::fs::write("/tmp/server/server", text)?;
        let args = [
            "/tmp/server/server",
            "/tmp/server",
            "/tmp/server/port",
            "/tmp/server/log",
            at,
        ];
        let as_root = |shell: Shell| shell.inherit(|inherit| inherit.as_root = true);
        let child = as_root(Shell::program(program).args(args)).spawn(world)?;
        let mut port = 0;
        let known = wait_until(Duration::from_secs(20), || {
            let text = std::fs::read_to_string("/tmp/server/port").unwrap_or_default();
            port = text.strip_suffix('\n').and_then(|text| text.parse().ok()).unwrap_or(0);
            port > 0
        });
        match known {
            true => Ok(Server {
                child,
                port,
                log: "/tmp/server/log".to_owned(),
            }),
            false => Err(fail("the server does not start")),
        }
    }

    /// What it was asked, one line each.
    pub fn asked(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The names that TLS asked it for, one a line.
    pub fn named(&self) -> String {
        std::fs::read_to_string(format!("{}.names", self.log)).unwrap_or_default()
    }

    pub fn stop(mut self) -> Result {
        self.child.signal(libc::SIGKILL)?;
        self.child.wait(Duration::from_secs(10)).map(drop)
    }
}
