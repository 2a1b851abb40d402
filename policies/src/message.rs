//! Messages of rules: `{{.Path}} holds secrets`.

use std::borrow::Cow;

/// The fields that a message may use.
pub const FIELDS: [&str; 5] = ["{{.Path}}", "{{.Command}}", "{{.Args}}", "{{.Host}}", "{{.Operation}}"];

/// What an operation was about; what does not apply is empty.
#[derive(Debug, Clone, Copy, Default)]
pub struct Subject<'a> {
    pub path: &'a [u8],
    pub command: &'a [u8],
    /// Joined by spaces.
    pub args: &'a [u8],
    pub host: &'a str,
    pub operation: &'a str,
}

/// Checks that a template uses known fields only.
///
/// # Errors
/// What is wrong with it.
pub fn check(template: &str) -> Result<(), String> {
    let mut rest = template;
    while let Some(start) = rest.find("{{") {
        let Some(end) = rest[start..].find("}}") else {
            return Err("`{{` is never closed".into());
        };
        let field = &rest[start..start + end + 2];
        if !FIELDS.contains(&compact(field).as_str()) {
            return Err(format!("the field `{field}` is not known"));
        }
        rest = &rest[start + end + 2..];
    }
    Ok(())
}

/// The message for one operation. Bytes that are not UTF-8 are shown as replacement characters; who
/// prints it to a terminal makes control characters visible.
pub fn render(template: &str, subject: &Subject<'_>) -> String {
    let mut out = String::with_capacity(template.len() + 64);
    let mut rest = template;
    while let Some(start) = rest.find("{{") {
        let Some(end) = rest[start..].find("}}") else { break };
        out.push_str(&rest[..start]);
        let value = match compact(&rest[start..start + end + 2]).as_str() {
            "{{.Path}}" => String::from_utf8_lossy(subject.path),
            "{{.Command}}" => String::from_utf8_lossy(subject.command),
            "{{.Args}}" => String::from_utf8_lossy(subject.args),
            "{{.Host}}" => Cow::Borrowed(subject.host),
            "{{.Operation}}" => Cow::Borrowed(subject.operation),
            _ => Cow::Borrowed(""),
        };
        out.push_str(&value);
        rest = &rest[start + end + 2..];
    }
    out.push_str(rest);
    out
}

fn compact(field: &str) -> String {
    field.chars().filter(|letter| !letter.is_whitespace()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_filled_in_and_others_refused() {
        let subject = Subject {
            path: b"/x/\xff",
            operation: "read",
            ..Subject::default()
        };
        assert_eq!(
            render("{{.Path}} by {{ .Operation }}.", &subject),
            "/x/\u{FFFD} by read."
        );
        assert!(check("{{.Path}} {{ .Host }}").is_ok());
        assert!(check("{{.Nope}}").is_err() && check("{{.Path").is_err());
    }

    #[test]
    fn a_value_is_never_read_as_a_template() {
        let subject = Subject {
            path: b"{{.Args}}",
            args: b"secret",
            ..Subject::default()
        };
        assert_eq!(render("{{.Path}}", &subject), "{{.Args}}");
    }
}
