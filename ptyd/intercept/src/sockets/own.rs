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
    /// Whether something of this name can be one, whatever folder it turns out to be in.
    pub fn may_be(path: &Path) -> bool {
        let last = path.components().rfind(|part| matches!(part, Component::Normal(_)));
        last.is_some_and(|name| ["launch.sock", "api.sock"].iter().any(|own| name.as_os_str() == *own))
    }

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
    fn a_name_that_can_be_ours_is_told_by_its_last_part() {
        for path in [
            "/run/agentsh/0/launch.sock",
            "launch.sock",
            "x/api.sock/",
            "api.sock/..",
        ] {
            assert!(OwnSocket::may_be(Path::new(path)), "{path}");
        }
        for path in ["/var/run/nscd/socket", "launch.sock/x", "/", "", ".."] {
            assert!(!OwnSocket::may_be(Path::new(path)), "{path}");
        }
    }

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
