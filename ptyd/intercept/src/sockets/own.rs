//! The project's own sockets: inside a session every path of one leads to the session's supervisor.

use std::path::{Component, Path};

/// One of the sockets of a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnSocket {
    /// `launch.sock`: commands are started on it.
    Launch,
    /// `api.sock`: speaks HTTP.
    Api,
}

impl OwnSocket {
    /// Which one `path` names, in whatever user's runtime folder: `/run/agentsh/UID/` or
    /// `/run/user/UID/agentsh/`. The path is canonical, but nothing of it need exist.
    pub fn named(path: &Path) -> Option<OwnSocket> {
        let parts: Vec<&str> = path
            .components()
            .filter_map(|part| match part {
                Component::Normal(name) => Some(name.to_str().unwrap_or("")),
                _ => None,
            })
            .collect();
        let (name, folder) = parts.split_last()?;
        match folder {
            // `/var/run` is a link to `/run` where it exists at all.
            ["run", "agentsh", _] | ["run", "user", _, "agentsh"] => {}
            _ => return None,
        }
        match *name {
            "launch.sock" => Some(OwnSocket::Launch),
            "api.sock" => Some(OwnSocket::Api),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sockets_of_every_user_are_ours_and_nothing_else_is() {
        let named = |path: &str| OwnSocket::named(Path::new(path));
        assert_eq!(named("/run/agentsh/0/launch.sock"), Some(OwnSocket::Launch));
        assert_eq!(named("/run/agentsh/65534/api.sock"), Some(OwnSocket::Api));
        assert_eq!(named("/run/user/1000/agentsh/launch.sock"), Some(OwnSocket::Launch));
        for other in [
            "/run/agentsh/launch.sock",
            "/run/agentsh/0/x/launch.sock",
            "/tmp/launch.sock",
            "/run/agentsh/0/x",
        ] {
            assert_eq!(named(other), None, "{other}");
        }
    }
}
