//! What programs ask their terminal, and an answer where no terminal is there to give it.
//!
//! A query must be answered once. The hub lets it through to one client, whose terminal answers as it
//! would without us, hides it from the others, and answers itself only if it has no client that types.
//! References: xterm's ctlseqs; ECMA-48 (DA, DSR).

use super::Screen;
use crate::escape::{Csi, Sequence, read};

/// Whether a terminal that reads this sequence would write an answer to its input.
pub fn is_query(raw: &[u8]) -> bool {
    // Most sequences set colours.
    if let [0x1b, b'[', parameters @ .., b'm'] = raw
        && parameters.iter().all(|byte| matches!(byte, b'0'..=b';'))
    {
        return false;
    }
    // Kitty's graphics, an application program command, answers most of its verbs.
    raw.starts_with(b"\x1b_G")
        || read(raw).iter().any(|sequence| match sequence {
            Sequence::Csi(csi) => csi_asks(csi),
            // Colours (4, 10-19 …), clipboard (52): a `?` in place of a value.
            Sequence::Osc(text) => text.split(|byte| *byte == b';').skip(1).any(|part| part == b"?"),
            // DECRQSS, XTGETTCAP.
            Sequence::Dcs {
                intermediate: b'$' | b'+',
                action: 'q',
            } => true,
            // DECID.
            Sequence::Esc {
                intermediate: 0,
                byte: b'Z',
            } => true,
            _ => false,
        })
}

fn csi_asks(csi: &Csi) -> bool {
    match (csi.marker, csi.intermediate, csi.action) {
        // DA1-3, DSR, XTVERSION, DECREQTPARM, kitty's keyboard flags, XTSMGRAPHICS, XTQMODKEYS.
        (0 | b'>' | b'=', 0, 'c') | (0 | b'?', 0, 'n') | (b'>', 0, 'q') | (0, 0, 'x') | (b'?', 0, 'u' | 'S' | 'm') => {
            true
        }
        // DECRQM, DECRQCRA.
        (0 | b'?', b'$', 'p') | (0, b'*', 'y') => true,
        // XTWINOPS: the reports.
        (0, 0, 't') => matches!(csi.param(0), 11 | 13..=16 | 18..=21),
        _ => false,
    }
}

/// The answers of a plain terminal in the state of `screen` (which has seen all output up to here);
/// empty for what such a terminal does not know.
pub fn answer(raw: &[u8], screen: &mut Screen) -> Vec<u8> {
    read(raw)
        .iter()
        .filter_map(|sequence| reply(sequence, screen))
        .flat_map(String::into_bytes)
        .collect()
}

fn reply(sequence: &Sequence, screen: &mut Screen) -> Option<String> {
    // VT220 with colour.
    const DEVICE: &str = "\x1b[?62;22c";
    let csi = match sequence {
        Sequence::Csi(csi) => csi,
        Sequence::Esc {
            intermediate: 0,
            byte: b'Z',
        } => return Some(DEVICE.into()),
        _ => return None,
    };
    let size = screen.size();
    Some(match (csi.marker, csi.intermediate, csi.action, csi.param(0)) {
        (0, 0, 'c', 0) => DEVICE.into(),
        (b'>', 0, 'c', 0) => "\x1b[>1;10;0c".into(),
        (0, 0, 'n', 5) => "\x1b[0n".into(),
        (marker @ (0 | b'?'), 0, 'n', 6) => {
            let (col, row) = screen.cursor();
            let mark = if marker == b'?' { "?" } else { "" };
            format!("\x1b[{mark}{};{}R", row + 1, col + 1)
        }
        (b'>', 0, 'q', 0) => format!("\x1bP>|agentsh({})\x1b\\", env!("CARGO_PKG_VERSION")),
        (b'?', b'$', 'p', mode) => {
            let state = screen.modes().private(mode).map_or(0, |set| if set { 1 } else { 2 });
            format!("\x1b[?{mode};{state}$y")
        }
        (0, 0, 't', 18) => format!("\x1b[8;{};{}t", size.rows, size.cols),
        _ => return None,
    })
}
