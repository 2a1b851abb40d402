use std::sync::LazyLock;

use proptest::prelude::*;
use regex_automata::Input;

use super::*;

type Failure = Box<dyn std::error::Error>;

/// Puts `<name>` in place of what is found.
fn put<'o>(patterns: &'o Patterns, out: &'o mut Vec<u8>) -> impl FnMut(Piece<'_>) + 'o {
    |piece: Piece<'_>| match piece {
        Piece::Plain(bytes) => out.extend_from_slice(bytes),
        Piece::Found { rule, .. } => {
            out.push(b'<');
            out.extend_from_slice(patterns.name(rule).as_bytes());
            out.push(b'>');
        }
    }
}

fn redact<'a>(patterns: &Patterns, pieces: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut stream = Stream::new(patterns.clone());
    let mut out = Vec::new();
    let mut take = put(patterns, &mut out);
    for piece in pieces {
        stream.push(piece, &mut take);
        assert!(stream.held() <= MAX_SECRET);
    }
    stream.finish(&mut take);
    drop(take);
    out
}

/// The same of a text that is known to be whole, behind another one.
fn redact_at_once(patterns: &Patterns, text: &[u8]) -> Vec<u8> {
    let mut stream = Stream::new(patterns.clone());
    stream.push(b"key sk-ant-api03-abcdefghijk", &mut |_| ());
    let mut out = Vec::new();
    stream.whole(text, &mut put(patterns, &mut out));
    out
}

fn whole(patterns: &Patterns, text: &str) -> String {
    String::from_utf8_lossy(&redact(patterns, std::iter::once(text.as_bytes()))).into_owned()
}

fn everything() -> Result<Patterns, PatternError> {
    Patterns::compile(Class::BUILT_IN.into_iter().flat_map(Rule::built_in).collect())
}

#[test]
fn each_class_finds_what_it_is_named_for() -> Result<(), Failure> {
    let patterns = everything()?;
    for (text, expected) in [
        ("mail jo.doe+x@mail.example.org.", "mail <email>."),
        ("call +49 30 1234567 now", "call <phone> now"),
        ("call (415) 555-2671 now", "call <phone> now"),
        ("call 415-555-2671", "call <phone>"),
        ("card 4111 1111 1111 1111, exp", "card <credit_card>, exp"),
        ("378282246310005", "<credit_card>"),
        ("5555-5555-5555-4444 123", "<credit_card> 123"),
        ("ssn 078-05-1120", "ssn <ssn>"),
        ("AKIAIOSFODNN7EXAMPLE", "<api_keys>"),
        ("key sk-ant-api03-abcdefghijklmnopqrstuvwx", "key <api_keys>"),
        (
            "https://u:hunter2@host.example/x",
            "https://u:<api_keys>@host.example/x",
        ),
        (
            "-----BEGIN PRIVATE KEY-----\nMIIE\nAAAA\n-----END",
            "-----BEGIN PRIVATE KEY-----<private_keys>-----END",
        ),
        (
            r#""-----BEGIN PRIVATE KEY-----\nMIIE\nAAAA\n-----END"#,
            r#""-----BEGIN PRIVATE KEY-----<private_keys>-----END"#,
        ),
        ("s3 = wJalrXUtnFEMIK7MDENGbPxRfiCYzzEXAM9Q", "s3 = <entropy>"),
    ] {
        assert_eq!(whole(&patterns, text), expected, "{text}");
    }
    Ok(())
}

#[test]
fn what_only_looks_alike_is_left_alone() -> Result<(), Failure> {
    let patterns = everything()?;
    for text in [
        "4111 1111 1111 1112",                                              // no check digit
        "1732752000000 and 20261128015449",                                 // times
        "000-12-3456 666-12-3456 912-12-3456 123-00-1234 123-45-0000",      // never given out
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", // a hash
        "src/supervisor/approvals/tests.rs::a_long_name_of_a_test_function",
        "user@host:~$ let token = parser.next_token();",
        "0192f0c1-7b1e-7a55-9c3d-2f8d0d6f4b11",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaA1",
    ] {
        assert_eq!(whole(&patterns, text), text);
    }
    Ok(())
}

#[test]
fn where_a_check_refuses_the_other_patterns_are_tried() -> Result<(), Failure> {
    let mut rules: Vec<Rule> = Rule::built_in(Class::Card).collect();
    rules.push(Rule::custom("order", r"4[0-9]{15}"));
    let patterns = Patterns::compile(rules)?;
    assert_eq!(
        whole(&patterns, "4111111111111112 4111111111111111"),
        "<order> <credit_card>"
    );
    Ok(())
}

#[test]
fn what_stands_around_a_secret_is_searched_too() -> Result<(), Failure> {
    let mut rules = vec![
        Rule::custom("user", "user-[0-9]+"),
        Rule::custom("login", "login=[a-z]+ (?P<secret>[0-9]+) [a-z]+"),
        Rule::custom("pair", "left:[a-z]+"),
    ];
    rules.extend(Class::BUILT_IN.into_iter().flat_map(Rule::built_in));
    let patterns = Patterns::compile(rules)?;
    for (text, expected) in [
        (
            "https://ghp_abcdefghijklmnopqrstuvwxyz0123456789:x-oauth-basic@github.com",
            "https://<api_keys>:<api_keys>@github.com",
        ),
        ("https://user-12:pass@h", "https://<user>:<api_keys>@h"),
        (
            "https://user-1.user-2.AKIAIOSFODNN7EXAMPLE:pass@h",
            "https://<user>.<user>.<api_keys>:<api_keys>@h",
        ),
        // One that reaches into the secret, and one that begins behind it.
        ("https://left:pass@h", "https://<pair>@h"),
        ("https://left:pass/1@h", "https://<pair>/1@h"),
        ("https://left:pass1@h", "https://<pair><api_keys>@h"),
        ("login=me 12 left:right", "login=me <login> <pair>"),
        ("login=me 1 login=you 2 x", "login=me <login> login=you <login> x"),
    ] {
        assert_eq!(whole(&patterns, text), expected, "{text}");
        assert_eq!(
            redact(&patterns, text.as_bytes().chunks(1)),
            expected.as_bytes(),
            "{text}"
        );
    }
    Ok(())
}

#[test]
fn what_stands_in_the_place_of_a_finding_is_none() -> Result<(), Failure> {
    let patterns = everything()?;
    let mark = replacement("api_keys");
    for text in [
        format!("https://{mark}@github.com"),
        format!("https://{mark}:{mark}@github.com"),
        format!("https://u:{mark}@github.com"),
        format!("https://{mark}.{mark}@github.com"),
        format!("DB_PASSWORD={mark} --token={mark}"),
    ] {
        assert_eq!(whole(&patterns, &text), text);
    }
    assert_eq!(
        whole(&patterns, "https://[REDACTED:email]:hunter2@h"),
        "https://[REDACTED:email]:<api_keys>@h"
    );
    assert_eq!(
        whole(&patterns, "https://u:[REDACTED:mine]@h"),
        "https://u:<api_keys>@h"
    );
    Ok(())
}

#[test]
fn a_long_beginning_of_a_pattern_is_searched_in_bounded_time() -> Result<(), Failure> {
    let patterns = Patterns::compile(vec![
        Rule::custom("a", "[a-z]*(?P<secret>[0-9])"),
        Rule::custom("b", "[a-z]*(?P<secret>-)"),
    ])?;
    let text = format!("{}1", "x".repeat(MAX_SECRET - 1)).repeat(20);
    assert_eq!(whole(&patterns, &text).matches("<a>").count(), 20);
    Ok(())
}

#[test]
fn unusable_patterns_are_refused_by_name() {
    assert!(matches!(Patterns::credentials(&["a("]), Err(PatternError::Invalid { pattern, .. }) if pattern == "a("));
    assert!(matches!(Patterns::credentials(&["a*"]), Err(PatternError::Empty(_))));
    assert!(matches!(
        Patterns::credentials(&["(?u)\\bé"]),
        Err(PatternError::Invalid { .. })
    ));
    assert!(matches!(
        Patterns::credentials(&["(a{1000}){1000}"]),
        Err(PatternError::Invalid { .. })
    ));
}

/// Patterns with look-around, laziness, overlap, alternatives and groups.
const ODD: &[&str] = &[
    r"\bab+c\b",
    "(?m)^x.{2,5}$",
    "abc|abcab",
    "k=(?P<secret>[a-c]+?)(?:;|$)",
    "ca*?b{2}",
    r"aa\z",
];

static ODD_COMPILED: LazyLock<Option<Patterns>> = LazyLock::new(|| Patterns::credentials(ODD).ok());
static ALL: LazyLock<Option<Patterns>> = LazyLock::new(|| everything().ok());

proptest! {
    #[test]
    fn any_stream_in_any_pieces_is_redacted_as_the_whole(
        bytes in proptest::collection::vec(proptest::sample::select(b"aabbcckx=; \n\xff".to_vec()), 0..300),
        cuts in proptest::collection::vec(1usize..20, 1..40),
    ) {
        let Some(patterns) = &*ODD_COMPILED else { return Err(TestCaseError::fail("patterns do not compile")) };
        let expected = redact(patterns, std::iter::once(&bytes[..]));
        let mut rest = &bytes[..];
        let pieces: Vec<&[u8]> = cuts.iter().cycle().map_while(|cut| {
            let (piece, next) = rest.split_at_checked(*cut).unwrap_or((rest, &[]));
            rest = next;
            (!piece.is_empty()).then_some(piece)
        }).collect();
        prop_assert_eq!(redact(patterns, pieces.into_iter()), &expected[..]);
        // What no match covers is unchanged; what one covers is replaced.
        let mut want = Vec::new();
        let mut at = 0;
        for found in patterns.0.search.find_iter(&bytes) {
            let (start, end) = patterns.0.secret_of(&bytes, found.pattern(), found.start(), found.end());
            want.extend_from_slice(&bytes[at..start]);
            want.extend_from_slice(b"<custom>");
            at = end;
        }
        want.extend_from_slice(&bytes[at..]);
        prop_assert_eq!(expected, want);
    }

    #[test]
    fn personal_data_in_any_pieces_is_found_as_in_the_whole(
        parts in proptest::collection::vec(proptest::sample::select(PARTS.to_vec()), 0..30),
        cuts in proptest::collection::vec(1usize..20, 1..40),
    ) {
        let Some(patterns) = &*ALL else { return Err(TestCaseError::fail("patterns do not compile")) };
        let text = parts.concat();
        let mut rest = text.as_bytes();
        let expected = redact(patterns, std::iter::once(rest));
        let pieces: Vec<&[u8]> = cuts.iter().cycle().map_while(|cut| {
            let (piece, next) = rest.split_at_checked(*cut).unwrap_or((rest, &[]));
            rest = next;
            (!piece.is_empty()).then_some(piece)
        }).collect();
        prop_assert_eq!(&redact_at_once(patterns, text.as_bytes()), &expected);
        prop_assert_eq!(redact(patterns, pieces.into_iter()), expected);
    }

    #[test]
    fn bytes_without_a_finding_pass_unchanged_in_any_pieces(
        bytes in proptest::collection::vec(any::<u8>(), 0..400), size in 1usize..50,
    ) {
        let Some(patterns) = &*ALL else { return Err(TestCaseError::fail("patterns do not compile")) };
        let out = redact(patterns, bytes.chunks(size));
        if !patterns.0.search.is_match(Input::new(&bytes)) {
            prop_assert_eq!(out, bytes);
        }
    }
}

/// What numbers, addresses and keys are made of, so that many strings are nearly some.
const PARTS: &[&str] = &[
    "4111",
    "1111",
    " ",
    "-",
    "5555",
    "4444",
    "3782",
    "822463",
    "10005",
    "078",
    "05",
    "1120",
    "+49",
    "30",
    "1234567",
    "jo",
    "@",
    "example",
    ".",
    "org",
    "sk-",
    "abcdefghijklmnopqrstuvwx",
    "AKIA",
    "IOSFODNN7EXAMPLE",
    "\n",
    "(415)",
    "wJalrXUtnFEMI",
    "K7MDENGbPxRfiCYEX",
    "-----BEGIN PRIVATE KEY-----",
    "://u:p@",
    "://",
    ":",
    "TOKEN=",
    "[REDACTED:api_keys]",
];
