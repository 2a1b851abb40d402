//! A text as a tree, within bounds: the text comes from whoever asks.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use tree_sitter::{ParseOptions, ParseState, Parser, Point, Tree};

/// Longer texts are not read.
const MAX_TEXT: usize = 64 << 10;

/// Nobody waits longer for a label.
const TIME: Duration = Duration::from_millis(300);

/// The tree of a text that is right by the grammar of bash.
pub fn parse(text: &str) -> Option<Tree> {
    if text.len() > MAX_TEXT {
        return None;
    }
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_bash::LANGUAGE.into()).ok()?;
    let end = Instant::now() + TIME;
    let mut in_time = |_: &ParseState| match Instant::now() < end {
        true => ControlFlow::Continue(()),
        false => ControlFlow::Break(()),
    };
    // The grammar's scanner asks isdigit(3) about whatever comes, and reads beyond the C library's table where that is no
    // byte. To a shell all that is not ASCII is alike: letters of a word.
    let plain = |byte: u8| if byte.is_ascii() { byte } else { b'x' };
    let bytes: Vec<u8> = text.bytes().map(plain).collect();
    let mut read = |at: usize, _: Point| bytes.get(at..).unwrap_or_default();
    let options = ParseOptions::new().progress_callback(&mut in_time);
    let tree = parser.parse_with_options(&mut read, None, Some(options))?;
    (!tree.root_node().has_error()).then_some(tree)
}
