//! Messages of `netlink(7)`, written and acknowledged.

use std::io;
use std::os::fd::AsFd;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};

const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_ACK: u16 = 0x4;
/// A rule or object is made; rules go behind those that are there.
pub(super) const CREATE: u16 = 0x400;
pub(super) const APPEND: u16 = 0x800;
const NLMSG_ERROR: u16 = 2;
const HEADER: usize = 16;
/// An attribute that holds attributes.
const NESTED: u16 = 0x8000;

/// Messages on their way to the kernel.
#[derive(Default)]
pub(super) struct Messages {
    bytes: Vec<u8>,
    wanted: usize,
}

/// Attributes, `struct nlattr` and its padding.
#[derive(Default)]
pub(super) struct Attributes(Vec<u8>);

impl Attributes {
    pub fn bytes(mut self, kind: u16, value: &[u8]) -> Self {
        self.0.extend_from_slice(&(value.len() as u16 + 4).to_ne_bytes());
        self.0.extend_from_slice(&kind.to_ne_bytes());
        self.0.extend_from_slice(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    /// A text with its zero byte.
    pub fn text(self, kind: u16, value: &str) -> Self {
        self.bytes(kind, &[value.as_bytes(), &[0]].concat())
    }

    /// A number as netfilter writes it.
    pub fn number(self, kind: u16, value: u32) -> Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    pub fn nested(self, kind: u16, inner: Attributes) -> Self {
        self.bytes(kind | NESTED, &inner.0)
    }
}

impl Messages {
    /// Adds one; `acknowledged`: the kernel is to say whether it was done.
    pub fn add(&mut self, kind: u16, flags: u16, acknowledged: bool, body: &[u8], attributes: &Attributes) {
        let acknowledge = if acknowledged { NLM_F_ACK } else { 0 };
        let length = HEADER + body.len() + attributes.0.len();
        self.bytes.extend_from_slice(&(length as u32).to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes
            .extend_from_slice(&(NLM_F_REQUEST | acknowledge | flags).to_ne_bytes());
        self.bytes.extend_from_slice(&[0; 8]);
        self.bytes.extend_from_slice(body);
        self.bytes.extend_from_slice(&attributes.0);
        self.wanted += usize::from(acknowledged);
    }

    /// Sends all and waits for the last acknowledgement.
    pub fn send(self, socket: impl AsFd) -> io::Result<()> {
        rustix::net::send(&socket, &self.bytes, SendFlags::empty())?;
        let mut buffer = vec![0; 16 << 10];
        let mut left = self.wanted;
        while left > 0 {
            let (length, _) = rustix::net::recv(&socket, &mut buffer[..], RecvFlags::empty())?;
            left = left.saturating_sub(acknowledged(buffer.get(..length).unwrap_or_default())?);
        }
        Ok(())
    }
}

/// How many messages of an answer say "done"; an error is one of them.
fn acknowledged(mut bytes: &[u8]) -> io::Result<usize> {
    let mut count = 0;
    while let Some((length, kind)) = head(bytes) {
        let message = bytes.get(HEADER..length).ok_or(Errno::BADMSG)?;
        if kind == NLMSG_ERROR {
            let error = message.first_chunk().map_or(0, |code| i32::from_ne_bytes(*code));
            if error != 0 {
                return Err(io::Error::from_raw_os_error(-error));
            }
            count += 1;
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(count)
}

fn head(bytes: &[u8]) -> Option<(usize, u16)> {
    let length = u32::from_ne_bytes(*bytes.first_chunk()?) as usize;
    let kind = u16::from_ne_bytes(*bytes.get(4..)?.first_chunk()?);
    (length >= HEADER).then_some((length, kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribute_is_padded_and_its_length_is_not() {
        let attributes = Attributes::default()
            .text(1, "ab")
            .nested(2, Attributes::default().number(3, 7));
        let expected = [
            &[7, 0, 1, 0, b'a', b'b', 0, 0][..],
            &[12, 0, 2, 0x80, 8, 0, 3, 0, 0, 0, 0, 7],
        ]
        .concat();
        assert_eq!(attributes.0, expected);
    }

    #[test]
    fn the_kernels_refusal_is_an_error() {
        let answer = |code: i32| {
            let mut bytes = vec![20, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            bytes.extend_from_slice(&code.to_ne_bytes());
            bytes
        };
        assert_eq!(acknowledged(&[answer(0), answer(0)].concat()).ok(), Some(2));
        assert_eq!(
            acknowledged(&answer(-libc::EPERM))
                .err()
                .and_then(|error| error.raw_os_error()),
            Some(libc::EPERM)
        );
        assert_eq!(acknowledged(&[1, 2, 3]).ok(), Some(0));
    }
}
