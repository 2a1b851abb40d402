//! Cells as escape sequences.

use avt::{Color, Line, Pen};

use super::clusters::spell;

/// Appends a row's cells, at most `cols` columns of them, with their colours; the pen is left reset.
pub fn row(line: &Line, cols: usize, out: &mut Vec<u8>) {
    let mut pen: Option<Pen> = None;
    let mut column = 0;
    for cell in line.cells() {
        let width = usize::from(cell.width());
        if column + width > cols {
            break;
        }
        column += width;
        if width == 0 {
            continue;
        }
        if pen.as_ref() != Some(cell.pen()) {
            sgr(cell.pen(), out);
            pen = Some(*cell.pen());
        }
        let mut utf8 = [0; 4];
        out.extend_from_slice(spell(cell.char().encode_utf8(&mut utf8)).as_bytes());
    }
    if pen.is_some_and(|pen| !pen.is_default()) {
        out.extend_from_slice(b"\x1b[m");
    }
}

/// Appends the SGR sequence (ECMA-48 8.3.117) that sets exactly this pen.
pub fn sgr(pen: &Pen, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\x1b[0");
    let flags = [
        (pen.is_bold(), "1"),
        (pen.is_faint(), "2"),
        (pen.is_italic(), "3"),
        (pen.is_underline(), "4"),
        (pen.is_blink(), "5"),
        (pen.is_inverse(), "7"),
        (pen.is_strikethrough(), "9"),
    ];
    for (_, code) in flags.iter().filter(|(on, _)| *on) {
        out.push(b';');
        out.extend_from_slice(code.as_bytes());
    }
    for (color, base) in [(pen.foreground(), 30), (pen.background(), 40)] {
        let code = match color {
            None => continue,
            Some(Color::Indexed(index @ 0..=7)) => (base + u16::from(index)).to_string(),
            Some(Color::Indexed(index @ 8..=15)) => (base + 52 + u16::from(index)).to_string(),
            Some(Color::Indexed(index)) => format!("{};5;{index}", base + 8),
            Some(Color::RGB(rgb)) => format!("{};2;{};{};{}", base + 8, rgb.r, rgb.g, rgb.b),
        };
        out.push(b';');
        out.extend_from_slice(code.as_bytes());
    }
    out.push(b'm');
}
