//! Errors at the edge: miette's graphics on a terminal, plain text elsewhere.

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};

use super::{say, visible};
use crate::context::Context;
use crate::error::Error;

/// Says an error on stderr.
pub fn error(error: &Error, context: &Context) {
    say(text(error, context.err.is_on(), context.stderr_is_terminal).trim_end());
}

fn text(error: &Error, color: bool, terminal: bool) -> String {
    let mut text = String::new();
    if terminal {
        let theme = if color {
            GraphicalTheme::unicode()
        } else {
            GraphicalTheme::unicode_nocolor()
        };
        if GraphicalReportHandler::new_themed(theme)
            .with_links(false)
            .render_report(&mut text, error)
            .is_ok()
        {
            return text;
        }
    }
    plain(error)
}

/// One line with the causes, and one with the help. Source lines are in the message of the error itself.
fn plain(error: &Error) -> String {
    let mut text = format!("agentsh: {}", visible(&error.to_string()));
    let mut cause = std::error::Error::source(error);
    while let Some(source) = cause {
        text += &format!(": {}", visible(&source.to_string()));
        cause = source.source();
    }
    if let Some(help) = error.help() {
        text += &format!("\n  help: {}", visible(&help.to_string()));
    }
    text + "\n"
}
