use super::*;

type Failure = Box<dyn std::error::Error>;

fn redact<'a>(patterns: &Patterns, pieces: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut redactor = Redactor::new(patterns.clone());
    let mut out = Vec::new();
    for piece in pieces {
        redactor.push(piece, &mut out);
        assert!(redactor.held() <= MAX_SECRET);
    }
    redactor.finish(&mut out);
    out
}

fn whole(patterns: &Patterns, text: &str) -> String {
    String::from_utf8_lossy(&redact(patterns, std::iter::once(text.as_bytes()))).into_owned()
}

/// The stars that stand for `text`.
fn stars(text: &str) -> String {
    "*".repeat(text.len())
}

#[test]
fn known_tokens_are_masked_and_their_surroundings_stay() -> Result<(), Failure> {
    let patterns = Patterns::credentials::<&str>(&[])?;
    let token = "ghp_0123456789abcdefghijABCDEFGHIJ012345";
    for (before, secret, after) in [
        ("remote: ", token, "\r\n"),
        ("id=", "AKIAIOSFODNN7EXAMPLE", " x"),
        ("key ", "sk-ant-api03-abcdefghijklmnopqrstuvwx", "\u{1b}[0m"),
        ("https://git:", "s3cr3t!", "@example.org/x"),
        ("Authorization: Bearer ", "abc.def.ghi", "\r\n"),
        ("export DB_PASSWORD=", "hunter22", "\n"),
        ("mysql --password=", "hunter22", " -u x"),
    ] {
        let text = format!("{before}{secret}{after}");
        assert_eq!(
            whole(&patterns, &text),
            format!("{before}{}{after}", stars(secret)),
            "{text}"
        );
    }
    Ok(())
}

#[test]
fn a_private_key_is_masked_line_by_line_between_its_marks() -> Result<(), Failure> {
    let patterns = Patterns::credentials::<&str>(&[])?;
    let key = format!(
        "-----BEGIN OPENSSH PRIVATE KEY-----\r\n{}-----END OPENSSH PRIVATE KEY-----",
        "b3Blbn\r\n".repeat(500)
    );
    let masked = whole(&patterns, &key);
    assert!(!masked.contains("b3Blbn"));
    assert!(masked.starts_with("-----BEGIN OPENSSH PRIVATE KEY-----\r\n******\r\n"));
    assert_eq!(masked.len(), key.len());
    assert_eq!(redact(&patterns, key.as_bytes().chunks(7)), masked.as_bytes());
    Ok(())
}

#[test]
fn ordinary_output_is_not_touched_and_not_held() -> Result<(), Failure> {
    let patterns = Patterns::credentials::<&str>(&[])?;
    let mut redactor = Redactor::new(patterns);
    let mut out = Vec::new();
    for text in [
        "$ ls -la\r\n",
        "let token = parser.next_token();\r\n",
        "user@host:~$ ",
        "\u{1b}[?2004h",
    ] {
        redactor.push(text.as_bytes(), &mut out);
        assert_eq!(redactor.held(), 0, "{text:?}");
    }
    assert_eq!(redactor.masked(), 0);
    Ok(())
}

#[test]
fn a_token_that_comes_byte_by_byte_never_shows_its_first_part() -> Result<(), Failure> {
    let patterns = Patterns::credentials(&["secret-[0-9]{4}"])?;
    let mut redactor = Redactor::new(patterns);
    let mut out = Vec::new();
    for byte in b"a secret-12345 b" {
        redactor.push(&[*byte], &mut out);
        assert!(!out.windows(8).any(|window| window == b"secret-1"));
    }
    redactor.finish(&mut out);
    assert_eq!(out, b"a ***********5 b");
    Ok(())
}

#[test]
fn a_match_without_an_end_is_masked_up_to_the_limit_and_on() -> Result<(), Failure> {
    let patterns = Patterns::credentials(&["k=[a-z]+"])?;
    let text = format!("k={}", "x".repeat(3 * MAX_SECRET));
    let expected = redact(&patterns, std::iter::once(text.as_bytes()));
    assert_eq!(&expected[..MAX_SECRET], "*".repeat(MAX_SECRET).as_bytes());
    for size in [1000, MAX_SECRET, MAX_SECRET + 1] {
        assert_eq!(redact(&patterns, text.as_bytes().chunks(size)), expected);
    }
    Ok(())
}
