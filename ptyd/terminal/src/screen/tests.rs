use proptest::prelude::*;

use super::*;
use crate::escape::{Token, Tokens};

type Failure = Box<dyn std::error::Error>;

const SIZE: Size = Size { cols: 20, rows: 6 };

/// What a terminal shows after these bytes: all lines, the cursor, the rest of its state.
fn show(size: Size, bytes: &[u8]) -> Result<(Vec<String>, String), Failure> {
    let mut terminal = avt::Terminal::with_scrollback(size.cols.into(), size.rows.into(), Some(10))?;
    terminal.feed(String::from_utf8_lossy(bytes).as_ref());
    Ok((terminal.primary_screen().text(), terminal.dump()))
}

#[test]
fn a_redraw_brings_any_terminal_to_the_same_state() -> Result<(), Failure> {
    for stream in [
        "plain\r\ntext".to_owned(),
        (0..30).map(|n| format!("\x1b[3{}mline {n}\x1b[m\r\n", n % 8)).collect(),
        "shell\r\n\x1b[?1049h\x1b[2J\x1b[3;5Hvim\x1b[?25l".to_owned(),
        "\x1b[2;4r\x1b[?6h\x1b[1;1Horigin\x1b[7mx".to_owned(),
        "a very long line that wraps around the edge of a narrow terminal, twice".to_owned(),
        "界界界界界界界界界界".to_owned(),
        "half a sequence \x1b[3".to_owned(),
        "\x1b[1;3;4;9;38;5;208;48;2;1;2;3mall\x1b[0;2;5;7mof them".to_owned(),
        (0..30).map(|n| format!("{n}\r\n")).collect::<String>() + "\x1b[?1049h\x1b[44m\x1b[2J\x1b[2;2Hon top",
        "\x1b[2;3H\x1b[31m\x1b7\x1b[5;1H\x1b[mlater".to_owned(),
        "\x1b(0lqqk\r\nx".to_owned(),
    ] {
        let mut screen = Screen::new(SIZE, 10)?;
        screen.push(stream.as_bytes());
        let expected = show(SIZE, stream.as_bytes())?;
        let dirty = b"\x1b[?1049h\x1b[41mdirt\x1b[2;3r\x1b[?6h\x1b(0\x1b[4h\x1b[5;5H";
        let restored = show(SIZE, &[&dirty[..], &screen.redraw(), &screen.under_way()].concat())?;
        assert_eq!(restored.1, expected.1, "{stream:?}");
        let lines = |state: &(Vec<String>, String)| state.0.iter().rev().take(10).cloned().collect::<Vec<_>>();
        assert_eq!(lines(&restored), lines(&expected), "{stream:?}");
    }
    Ok(())
}

#[test]
fn a_redraw_says_what_every_terminal_knows() -> Result<(), Failure> {
    let mut screen = Screen::new(SIZE, 10)?;
    screen.push("\x1b[38;2;1;2;3;48;5;208mcolours\x1b[m\r\n────────────\x1b[3g\x1b[5G\x1bH\x1b[?1049h".as_bytes());
    let redraw = String::from_utf8(screen.redraw())?;
    for part in [
        "\x1b[38;2;1;2;3;48;5;208mcolours",
        "────────────",
        "\x1b[3g\x1b[5G\x1bH",
        "\x1b[?1047h\x1b[2J",
    ] {
        assert!(redraw.contains(part), "{part:?} of {redraw:?}");
    }
    assert!(!redraw.contains([':', 'W']), "{redraw:?}");
    Ok(())
}

#[test]
fn whoever_comes_in_the_middle_of_a_sequence_sees_its_rest_as_one() -> Result<(), Failure> {
    let image = format!("\x1b]1337;File=:{}\x07", "A".repeat(9000));
    for stream in [
        "\x1b[?2004h\x1b[1;31mred\x1b]2;title\x07\x1b(0q\x1b(Bé界\x1b[38;2;1;2;3mx".to_owned(),
        format!("\x1b[?2004ha{image}b"),
    ] {
        let expected = show(SIZE, stream.as_bytes())?;
        for cut in (0..=stream.len()).filter(|cut| *cut < 200 || cut % 500 == 0) {
            let (before, after) = stream.as_bytes().split_at(cut);
            let mut screen = Screen::new(SIZE, 10)?;
            screen.push(before);
            let seen = [&screen.redraw()[..], &screen.under_way(), after].concat();
            assert_eq!(show(SIZE, &seen)?, expected, "{cut} of {stream:?}");
        }
    }
    Ok(())
}

#[test]
fn modes_are_restored_and_undone() -> Result<(), Failure> {
    let mut screen = Screen::new(SIZE, 0)?;
    screen.push(b"\x1b[?2004h\x1b[?1000;1006h\x1b[?1000l\x1b=\x1b[5 q\x1b]0;a\x1b\\");
    let redraw = String::from_utf8(screen.redraw())?;
    assert!(
        redraw.ends_with("\x1b[?2004h\x1b[?1006h\x1b=\x1b[5 q\x1b]2;a\x07"),
        "{redraw:?}"
    );
    let leave = String::from_utf8(screen.leave())?;
    // Also what the command has taken back itself, which not everybody has seen.
    let undone = "\x1b[?2004l\x1b[?1000l\x1b[?1006l\x1b>\x1b[0 q";
    assert!(leave.starts_with(undone) && redraw.starts_with(undone), "{leave:?}");
    Ok(())
}

#[test]
fn how_keys_are_told_is_restored_and_undone_on_both_screens() -> Result<(), Failure> {
    let mut screen = Screen::new(SIZE, 0)?;
    // A shell's flags, and an editor's over them; xterm's options, one of them set back.
    screen.push(b"\x1b[>1u\x1b[>4;2m\x1b[>1;3m\x1b[>1m\x1b[?1049h\x1b[>5u\x1b[>9u\x1b[=2;2u\x1b[?2031h\x1b]11;red\x07");
    let redraw = String::from_utf8(screen.redraw())?;
    let (main, alternate) = redraw.split_once("\x1b[?1047h").ok_or("no alternate screen")?;
    assert!(
        main.contains("\x1b[?1047l") && main.contains("\x1b[<16u\x1b[>1u"),
        "{main:?}"
    );
    assert!(
        alternate.ends_with("\x1b[<16u\x1b[>5u\x1b[>11u\x1b[>4;2m\x1b[?2031h"),
        "{alternate:?}"
    );
    assert!(!redraw.contains("\x1b]111"), "{redraw:?}");
    let leave = String::from_utf8(screen.leave())?;
    let (first, then) = leave.split_once("\x1b[?1049l").ok_or("no main screen")?;
    assert_eq!(first, "\x1b[>4m\x1b[>1m\x1b[?2031l\x1b[<16u\x1b]111\x07");
    assert!(then.starts_with("\x1b[<16u"), "{then:?}");
    // Both ends of a program that asks for nothing more.
    screen.push(b"\x1b[<2u\x1b[?1049l\x1b[<u\x1b[>4;m\x1b[?2031l");
    let redraw = String::from_utf8(screen.redraw())?;
    assert!(!redraw.contains("\x1b[>1u") && !redraw.contains(";2m"), "{redraw:?}");
    // Nothing of it is said where nobody has asked.
    let mut plain = Screen::new(SIZE, 0)?;
    plain.push(b"\x1b[<u\x1b[31mtext\x1b]11;?\x07");
    let both = [plain.redraw(), plain.leave()].concat();
    assert!(!both.iter().any(|byte| b"u>]".contains(byte)), "{both:?}");
    Ok(())
}

#[test]
fn a_flood_of_text_ends_in_the_same_picture() -> Result<(), Failure> {
    let flood: String = (0..60_000).map(|n| format!("\x1b[{}mline {n} é\r\n", n % 38)).collect();
    let mut screen = Screen::new(SIZE, 10)?;
    for piece in flood.as_bytes().chunks(4095) {
        screen.push(piece);
    }
    assert_eq!(show(SIZE, &screen.redraw())?, show(SIZE, flood.as_bytes())?);
    Ok(())
}

#[test]
fn a_frame_is_cut_to_a_smaller_terminal() -> Result<(), Failure> {
    let mut screen = Screen::new(SIZE, 0)?;
    screen.push("abc界def\r\n\x1b[1mbold".as_bytes());
    let (rows, cursor) = screen.frame(Size::new(4, 2));
    assert_eq!(rows, [&b"\x1b[0mabc"[..], b"\x1b[0;1mbold\x1b[m"]);
    assert_eq!(cursor, b"\x1b[?25l");
    let (rows, cursor) = screen.frame(Size::new(30, 8));
    assert_eq!((rows.len(), &cursor[..]), (8, &b"\x1b[2;5H\x1b[?25h"[..]));
    Ok(())
}

#[test]
fn accents_and_their_like_take_no_column_wherever_the_screen_is_shown() -> Result<(), Failure> {
    let text = format!("e\u{301} \u{26a0}\u{fe0f} \u{e17}\u{e31} {}", "a\u{308}".repeat(8));
    let mut screen = Screen::new(SIZE, 0)?;
    // In pieces, of which none breaks a character off from what belongs to it.
    for piece in [
        &b"\x1b[31m"[..],
        &text.as_bytes()[..3],
        &text.as_bytes()[3..],
        b"\x1b[6n",
    ] {
        screen.push(piece);
    }
    assert_eq!(screen.cursor(), (14, 0));
    assert_eq!(screen.text()[0], text);
    assert!(String::from_utf8(screen.redraw())?.contains(&text));
    assert!(String::from_utf8(screen.frame(SIZE).0[0].clone())?.contains(&text));
    let mut restored = Screen::restore(SIZE, &screen.snapshot())?;
    assert_eq!((restored.cursor(), restored.text()), (screen.cursor(), screen.text()));
    Ok(())
}

/// The answers that a client-less hub gives to a stream.
fn answers(stream: &str) -> Result<String, Failure> {
    let mut screen = Screen::new(SIZE, 0)?;
    let mut out = Vec::new();
    Tokens::default().feed(stream.as_bytes(), |token| match token {
        Token::Text(raw) | Token::Part(raw) => screen.push(raw),
        Token::Sequence(raw) => {
            screen.push(raw);
            if query::is_query(raw) {
                out.extend(query::answer(raw, &mut screen));
            }
        }
    });
    Ok(String::from_utf8(out)?)
}

#[test]
fn queries_are_answered_from_the_state_at_their_place() -> Result<(), Failure> {
    assert_eq!(answers("ab\x1b[6ncd\x1b[6n")?, "\x1b[1;3R\x1b[1;5R");
    assert_eq!(answers("\x1b[c\x1b[>c\x1b[5n")?, "\x1b[?62;22c\x1b[>1;10;0c\x1b[0n");
    assert_eq!(
        answers("\x1b[?2004$p\x1b[?2004h\x1b[?2004$p\x1b[?77$p")?,
        "\x1b[?2004;2$y\x1b[?2004;1$y\x1b[?77;0$y"
    );
    assert!(answers("\x1b[>0q")?.starts_with("\x1bP>|agentsh("));
    assert_eq!(answers("\x1b[18t\x1b[1m\x1b[2J\x1b[8;1;1t")?, "\x1b[8;6;20t");
    Ok(())
}

#[test]
fn what_makes_a_terminal_answer_is_known() {
    let asks = |stream: &str| {
        let mut asks = false;
        Tokens::default().feed(stream.as_bytes(), |token| {
            if let Token::Sequence(raw) = token {
                asks |= query::is_query(raw);
            }
        });
        asks
    };
    for stream in [
        "\x1b]11;?\x07",
        "\x1b]4;1;?\x1b\\",
        "\x1b]52;c;?\x07",
        "\x1bP$qm\x1b\\",
        "\x1b_Ga=q\x1b\\",
        "\x1b[?u",
        "\x1bZ",
    ] {
        assert!(asks(stream), "{stream:?}");
    }
    for stream in [
        "\x1b]11;#fff\x07",
        "\x1b]2;why?\x07",
        "\x1b[2 q",
        "\x1b[u",
        "\x1b[>1u",
        "\x1b[?25h",
        "\x1b[22;0t",
    ] {
        assert!(!asks(stream), "{stream:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn cutting_a_flood_never_changes_the_state(
        parts in proptest::collection::vec(prop_oneof![
            proptest::sample::select(vec!["\x1b[2;4r", "\x1b[4h", "\x1b[4l", "\x1b[?7l", "\x1b[41m", "\x1b[2;2H", "\x1b[?6h",
                "\x1b[r", "\x1b[?1049h", "\x1b]0;", "\x07", "\u{9b}", "\x1b(0", "\x1b7", "\x1b8", "\x08", "\x1b[?20h", "\x0b"])
                .prop_map(str::to_owned),
            (1usize..40, "[a-zé\t]{0,30}(\r\n)?").prop_map(|(count, line)| line.repeat(count)),
            (20usize..40, "(\u{1b}\\[[0-9;:]{0,4}m)?[a-z]{0,30}(\u{1b}\\[(0|1|31|38;5;99)?m)?\r\n").prop_map(|(count, line)| line.repeat(count)),
        ], 0..12),
        every in 1usize..500,
    ) {
        // Out of a sequence that was not ended.
        let stream = parts.concat() + "\x18";
        let result = || -> Result<_, Failure> {
            let mut screen = Screen::new(SIZE, 10)?;
            for piece in stream.as_bytes().chunks(every) {
                screen.push(piece);
                if piece.len() % 3 == 0 {
                    screen.cursor();
                }
            }
            screen.cursor();
            let mut plain = Vec::new();
            Tokens::default().feed(stream.as_bytes(), |token| {
                let (Token::Text(raw) | Token::Part(raw) | Token::Sequence(raw)) = token;
                let whole = std::str::from_utf8(raw).ok().and_then(underline::plain);
                plain.extend(whole.map_or(raw.to_vec(), String::into_bytes));
            });
            Ok((screen.snapshot(), show(SIZE, &plain)?.1))
        };
        let (ours, plain) = result().map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(ours, plain);
    }
}

#[test]
fn a_window_of_any_size_takes_bounded_memory() -> Result<(), Failure> {
    for (cols, rows) in [(80, 24), (1, 65535), (65535, 1), (65535, 65535)] {
        let size = Size::new(cols, rows);
        let lines = size.lines_above(usize::MAX) + usize::from(size.rows);
        assert!(lines * usize::from(size.cols) <= 8 << 20, "{size:?}");
    }
    let mut screen = Screen::new(Size::new(80, 24), 1000)?;
    (0..2000).for_each(|number| screen.push(format!("line {number}\r\n").as_bytes()));
    screen.resize(Size::new(65535, 65535));
    screen.push(b"still there\r\n");
    assert!(screen.text().iter().any(|row| row == "still there"));
    screen.resize(Size::new(80, 24));
    assert!(screen.text().iter().any(|row| row == "still there"));
    Ok(())
}
