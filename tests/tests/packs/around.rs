//! What surrounds a session: secrets, a server, sockets, programs and a process of somebody else's.

use std::os::unix::net::UnixListener;

use agentsh_tests::child::Child;
use agentsh_tests::shell::Subject;
use agentsh_tests::world::people::SECRET;
use agentsh_tests::{Result, Shell, World};

pub struct Around {
    port: u16,
    other: i32,
    _held: (std::net::TcpListener, Vec<UnixListener>, Child),
}

impl Around {
    pub fn of(world: &World) -> Result<Around> {
        let user = world.user();
        let home = &user.home;
        for name in [
            ".aws/credentials",
            ".npmrc",
            ".netrc",
            ".docker/config.json",
            ".config/gh/hosts.yml",
            ".kube/config",
            ".gnupg/secring.gpg",
        ] {
            user.write_file(&home.join(name), SECRET, 0o600)?;
        }
        for name in [".ssh/known_hosts", ".ssh/config", ".ssh/id_ed25519.pub", "notes.txt"] {
            user.write_file(&home.join(name), "# plain\n", 0o600)?;
        }
        user.write_file(&world.workspace().join(".env"), SECRET, 0o600)?;
        user.write_file(&home.join(".config/agentsh/config.yaml"), "log: {level: info}\n", 0o600)?;
        for name in [".claude/projects", ".local/bin", ".cache"] {
            user.make_folder(&home.join(name))?;
        }
        user.write_file(&home.join(".claude/.credentials.json"), SECRET, 0o600)?;
        for name in ["x/program", ".local/bin/theirs"] {
            user.write_file(&home.join(name), std::fs::read("/bin/true")?, 0o755)?;
        }
        user.make_folder("/tmp/other".as_ref())?;
        user.make_folder("/tmp/ssh-other".as_ref())?;
        let listen = |path: &str| -> Result<UnixListener> {
            let listener = UnixListener::bind(path)?;
            user.own(path.as_ref())?;
            Ok(listener)
        };
        std::fs::create_dir_all("/run/dbus")?;
        let sockets = [
            "/run/docker.sock",
            "/run/dbus/system_bus_socket",
            "/tmp/other/service",
            "/tmp/ssh-other/agent.1",
        ];
        let sockets = sockets.into_iter().map(listen).collect::<Result<_>>()?;
        let server = std::net::TcpListener::bind("127.0.0.1:0")?;
        let port = server.local_addr()?.port();
        let process = Shell::program("sleep")
            .args(["7401"])
            .spawn_with(world, &Subject::Real)?;
        Ok(Around {
            port,
            other: world.await_process("sleep 7401")?.pid,
            _held: (server, sockets, process),
        })
    }

    /// A text that knows where these are. `to PATH`, `tcp`, `udp ADDRESS`: endpoints that are connected to; a connected
    /// datagram socket sends nothing.
    pub fn text(&self, text: &str) -> String {
        format!(
            r#"export PORT={} OTHER={}
to() {{ /usr/bin/python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])' "$1"; }}
tcp() {{ /usr/bin/python3 -c 'import socket, sys; socket.create_connection(("127.0.0.1", int(sys.argv[1])))' $PORT; }}
udp() {{ /usr/bin/python3 -c 'import socket, sys; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect((sys.argv[1], 443))' "$1"; }}
{text}"#,
            self.port, self.other
        )
    }
}
