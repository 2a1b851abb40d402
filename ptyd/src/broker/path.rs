//! The parts of a request's path (RFC 3986, 3.3).

use agentsh_protocol::api::{ApiError, ErrorKind};

use super::registry::api_error;

/// What stands between the slashes, percent signs decoded: a session may be called anything. No part is empty, since
/// the beginning of every id is.
pub(super) fn parts(path: &str) -> Result<Vec<String>, ApiError> {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.split('/').map(part).collect()
}

fn part(text: &str) -> Result<String, ApiError> {
    if text.is_empty() {
        return Err(api_error(ErrorKind::Invalid, "the id or name is empty"));
    }
    let malformed = || {
        api_error(
            ErrorKind::Invalid,
            format!("`{text}` in the request's path is malformed"),
        )
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2).ok_or_else(malformed)?;
        rest = after;
        bytes.push(hexadecimal(digits).ok_or_else(malformed)?);
    }
    String::from_utf8(bytes).map_err(|_| malformed())
}

fn hexadecimal(digits: &[u8]) -> Option<u8> {
    digits.iter().try_fold(0, |value: u8, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(value << 4 | u8::try_from(digit).ok()?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_it_was_before_it_was_escaped() -> Result<(), ApiError> {
        assert_eq!(
            parts("/v1/sessions/a%2Fb%20%C3%A9%2b+/x")?,
            ["v1", "sessions", "a/b é++", "x"]
        );
        Ok(())
    }

    #[test]
    fn what_is_empty_or_malformed_is_refused() {
        for path in [
            "",
            "/",
            "/v1/sessions/",
            "/v1//x",
            "/a%",
            "/a%2",
            "/a%2x",
            "/a%+1",
            "/%ff",
        ] {
            let error = parts(path).err().map(|error| error.error);
            assert_eq!(error, Some(ErrorKind::Invalid), "{path}");
        }
    }
}
