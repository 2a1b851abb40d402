//! What every TCP connection has carried so far.

use std::io;

use super::ends::{INFO, carried, cookie};
use super::{dump, word};
use crate::place::Place;

/// `TCP_ESTABLISHED`, `FIN_WAIT1`, `FIN_WAIT2`, `CLOSE_WAIT`.
const CARRYING: u32 = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 8;

/// A connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Carrying {
    /// `SO_COOKIE`.
    pub cookie: u64,
    /// Its inode in sockfs; 0: no descriptor holds it any more.
    pub inode: u64,
    /// Both ways.
    pub bytes: u64,
}

/// All connections of this network.
///
/// # Errors
/// Where the kernel has no such list.
pub(crate) fn list(place: &dyn Place, take: &mut dyn FnMut(Carrying)) -> io::Result<()> {
    dump(place, false, (CARRYING, 1 << (INFO - 1)), 0, &mut |message| {
        if let Some(one) = one(message) {
            take(one);
        }
    })
}

fn one(message: &[u8]) -> Option<Carrying> {
    let (sent, received) = carried(message)??;
    Some(Carrying {
        cookie: cookie(message)?,
        inode: u64::from(word(message, 68)?),
        bytes: sent.saturating_add(received),
    })
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_connection_is_listed_with_what_it_has_carried() -> Result<(), Box<dyn std::error::Error>> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let mut client = TcpStream::connect(listener.local_addr()?)?;
        let (mut server, _) = listener.accept()?;
        client.write_all(&[1; 3000])?;
        server.read_exact(&mut [0; 3000])?;
        let expected = Carrying {
            cookie: rustix::net::sockopt::socket_cookie(&client)?,
            inode: rustix::fs::fstat(&client)?.st_ino,
            bytes: 3000,
        };
        let mut found = Vec::new();
        list(&crate::place::Here, &mut |one| found.push(one))?;
        assert!(found.contains(&expected), "{found:?}");
        Ok(())
    }
}
