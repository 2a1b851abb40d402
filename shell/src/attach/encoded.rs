//! Keys with ctrl as terminals tell them once a program has asked for more than a byte of each: kitty's keyboard protocol
//! (`CSI code ; modifiers u`, <https://sw.kovidgoyal.net/kitty/keyboard-protocol>) and xterm's `modifyOtherKeys`
//! (`CSI 27 ; modifiers ; code ~`).

/// Modifiers, one more than these bits.
const SHIFT: u32 = 1;
const CTRL: u32 = 4;
/// Caps lock and num lock, which are none.
const LOCKS: u32 = 64 | 128;

/// Of kitty's event types the one that is a key's end, and the one that is its repetition.
const ENDS: [u32; 2] = [2, 3];

/// A key that was typed.
pub(super) struct Key {
    /// What a terminal sends for it by default.
    pub byte: u8,
    /// How many bytes it took here.
    pub length: usize,
    /// Else it is repeated, or let go.
    pub pressed: bool,
}

impl Key {
    pub(super) fn plain(byte: u8) -> Key {
        Key {
            byte,
            length: 1,
            pressed: true,
        }
    }
}

/// The key with ctrl that `typed` begins with, if it is told by such a sequence.
pub(super) fn control_key(typed: &[u8]) -> Option<Key> {
    let rest = typed.strip_prefix(b"\x1b[")?;
    let end = rest
        .iter()
        .position(|byte| !matches!(byte, b'0'..=b'9' | b':' | b';'))?;
    let text = std::str::from_utf8(&rest[..end]).ok()?;
    let fields: Vec<Vec<u32>> = text
        .split(';')
        .map(|field| field.split(':').map(|number| number.parse().unwrap_or(0)).collect())
        .collect();
    let (codes, modifiers) = match (rest[end], &fields[..]) {
        (b'u', [codes, modifiers, ..]) => (codes, modifiers),
        (b'~', [kind, modifiers, codes]) if kind[..] == [27] => (codes, modifiers),
        _ => return None,
    };
    let held = modifiers.first()?.checked_sub(1)? & !LOCKS;
    if held & !SHIFT != CTRL {
        return None;
    }
    // The key's own sign, and with shift the other one that is on it.
    let signs = codes.iter().take(2).filter_map(|code| char::from_u32(*code));
    let byte = signs
        .filter_map(|sign| with_ctrl(sign, held & SHIFT != 0))
        .next_back()?;
    Some(Key {
        byte,
        length: 2 + end + 1,
        pressed: !modifiers.get(1).is_some_and(|event| ENDS.contains(event)),
    })
}

/// What ctrl makes of a key by default.
fn with_ctrl(sign: char, shift: bool) -> Option<u8> {
    Some(match sign {
        'a'..='z' | 'A'..='Z' => sign as u8 & 0x1f,
        ' ' | '@' | '2' => 0,
        '[' | '3' => 0x1b,
        '\\' | '4' => 0x1c,
        ']' | '5' => 0x1d,
        '^' | '~' | '6' => 0x1e,
        '_' | '/' | '7' => 0x1f,
        '-' if shift => 0x1f,
        _ => return None,
    })
}
