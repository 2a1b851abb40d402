//! Connections that are on their way to the proxy though their programs meant somebody else.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use agentsh_proxy::Meant;

/// So many are awaited at a time.
const MOST: usize = 8192;

/// One that has not come after so long does not come any more.
const STALE: Duration = Duration::from_secs(60);

/// Connections that are awaited, by the local port of their socket.
#[derive(Default)]
pub(super) struct Led(Mutex<HashMap<u16, Awaited>>);

struct Awaited {
    /// Of the socket, in sockfs.
    inode: u64,
    since: Instant,
    meant: Meant,
}

impl Led {
    fn lock(&self) -> MutexGuard<'_, HashMap<u16, Awaited>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The socket with this inode comes from this port. False: too many are awaited.
    pub fn expect(&self, port: u16, inode: u64, meant: Meant) -> bool {
        let (mut awaited, since) = (self.lock(), Instant::now());
        if awaited.len() >= MOST {
            awaited.retain(|_, one| since.saturating_duration_since(one.since) < STALE);
        }
        let room = awaited.len() < MOST;
        if room {
            awaited.insert(port, Awaited { inode, since, meant });
        }
        room
    }

    /// It does not come.
    pub fn forget(&self, port: u16) {
        self.lock().remove(&port);
    }

    /// Whom the socket was meant for; it is told once.
    pub fn take(&self, port: u16, inode: u64) -> Option<Meant> {
        let mut awaited = self.lock();
        match awaited.get(&port)?.inode == inode {
            true => awaited.remove(&port).map(|one| one.meant),
            false => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use agentsh_proxy::Client;

    use super::*;

    fn meant(port: u16) -> Meant {
        Meant {
            client: Client::default(),
            address: ([203, 0, 113, 7], port).into(),
            names: Vec::new(),
            provider: None,
            judged: None,
            trusts: false,
        }
    }

    #[test]
    fn only_the_socket_that_was_led_is_known_and_only_once() {
        let led = Led::default();
        assert!(led.expect(4000, 7, meant(80)));
        assert!(led.take(4000, 8).is_none(), "another socket from the same port");
        assert!(led.take(4001, 7).is_none());
        assert_eq!(led.take(4000, 7).map(|meant| meant.address.port()), Some(80));
        assert!(led.take(4000, 7).is_none());
        assert!(led.expect(4000, 9, meant(80)));
        led.forget(4000);
        assert!(led.take(4000, 9).is_none());
    }

    #[test]
    fn there_is_an_end_to_those_that_are_awaited() {
        let led = Led::default();
        let taken = (1..=u16::MAX).filter(|port| led.expect(*port, 1, meant(80))).count();
        assert_eq!(taken, MOST);
    }
}
