//! `ioctl(2)`: what the request is lies in a register, so that all others can be continued.

use super::call::Call;
use super::inode_flags::{self, SETTING};
use super::open;
use crate::outcome::Outcome;

/// `TIOCGPTPEER`.
const PEER: u32 = 0x5441;

/// The requests that are answered.
pub fn requests() -> impl Iterator<Item = u32> {
    SETTING.iter().map(|(request, _)| *request).chain([PEER])
}

pub fn ioctl(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    match call.caller.arg_u32(1) {
        PEER => open::open_peer(call),
        request => match SETTING.iter().find(|(setting, _)| *setting == request) {
            Some((_, size)) => inode_flags::set(call, request, *size),
            None => Ok(Outcome::Continue),
        },
    }
}
