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
    // Only here the text is the reader's own file; all else may hold words of the agent, which `plain` makes inert.
    if terminal && matches!(error, Error::Load(_)) {
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

/// One line with the causes, and one with the help; for a policy file also the line that is wrong, and a caret.
fn plain(error: &Error) -> String {
    if let Error::Load(report) = error {
        return report
            .error
            .to_string()
            .lines()
            .map(|line| visible(line) + "\n")
            .collect();
    }
    let message: Vec<String> = error.to_string().lines().map(visible).collect();
    let mut text = format!("agentsh: {}", message.join("\n"));
    let mut cause = std::error::Error::source(error);
    while let Some(source) = cause {
        let told = format!(": {}", visible(&source.to_string()));
        // Some errors say their cause themselves.
        if !text.ends_with(&told) {
            text += &told;
        }
        cause = source.source();
    }
    if let Some(help) = error.help() {
        text += &format!("\n  help: {}", visible(&help.to_string()));
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn wrong_policy() -> Result<(), Error> {
        let text = "version: 1\nname: tiny\nfile_rules:\n  - {name: a, paths: [/x], decision: alow}\n";
        agentsh_policy::parse(text, Path::new("tiny.yaml"))?;
        Ok(())
    }

    #[test]
    fn without_a_terminal_a_wrong_policy_is_file_line_column_and_a_caret() {
        let shown = wrong_policy()
            .err()
            .map(|error| text(&error, false, false))
            .unwrap_or_default();
        insta::assert_snapshot!(shown, @r"
        tiny.yaml:4:38: unknown word `alow`
          |
        4 |   - {name: a, paths: [/x], decision: alow}
          |                                      ^^^^
          expected: `allow`, `audit`, `soft_delete`, `redirect`, `absorb`, `approve`, `deny`
          help: did you mean `allow`?
        ");
    }

    #[test]
    fn on_a_terminal_a_wrong_policy_shows_the_line() {
        let shown = wrong_policy()
            .err()
            .map(|error| text(&error, false, true))
            .unwrap_or_default();
        insta::assert_snapshot!(shown, @r"
         × unknown word `alow`
          ╭─[tiny.yaml:4:38]
        3 │ file_rules:
        4 │   - {name: a, paths: [/x], decision: alow}
          ·                                      ──┬─
          ·                                        ╰── expected: `allow`, `audit`, `soft_delete`, `redirect`, `absorb`, `approve`, `deny`
          ╰────
         help: did you mean `allow`?
        ");
    }

    #[test]
    fn an_error_has_its_cause_and_its_help_and_drives_no_terminal() {
        let error = Error::file("/x\u{1b}[2J", std::io::ErrorKind::PermissionDenied.into());
        insta::assert_snapshot!(plain(&error), @r"agentsh: /x\x1b[2J: permission denied");
        let store = agentsh_audit::Store::new(Path::new("/dev/null")).list();
        let told = store.err().map(|error| plain(&Error::Store(error))).unwrap_or_default();
        insta::assert_snapshot!(told, @"agentsh: cannot read /dev/null/sessions: Not a directory (os error 20)");
        insta::assert_snapshot!(plain(&Error::usage("no such thing", "name another")), @r"
        agentsh: no such thing
          help: name another
        ");
    }
}
