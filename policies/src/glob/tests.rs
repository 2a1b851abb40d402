use proptest::prelude::*;

use super::*;

/// The definition, written down naively: every split is tried.
fn naive(tokens: &[Token], text: &[u8]) -> bool {
    let Some((first, rest)) = tokens.split_first() else {
        return text.is_empty();
    };
    let cuts = 0..=text.len();
    match first {
        Token::Literal(bytes) => text.starts_with(bytes) && naive(rest, &text[bytes.len()..]),
        Token::Any | Token::Class { .. } => {
            let (found, length) = matching::character(text);
            length > 0 && matching::takes(first, found, b'/') && naive(rest, &text[length..])
        }
        Token::Star => cuts
            .into_iter()
            .any(|cut| !text[..cut].contains(&b'/') && naive(rest, &text[cut..])),
        Token::Deep => cuts.into_iter().any(|cut| naive(rest, &text[cut..])),
        Token::Folders => cuts
            .into_iter()
            .any(|cut| (cut == 0 || text[cut - 1] == b'/') && naive(rest, &text[cut..])),
    }
}

fn glob(pattern: &str) -> Result<Glob, GlobError> {
    Glob::new(pattern.as_bytes(), b'/')
}

fn hits(pattern: &str, name: &str) -> bool {
    glob(pattern).is_ok_and(|glob| glob.is_match(name.as_bytes()))
}

#[test]
fn a_star_stops_at_the_separator_and_two_cross_it() {
    assert!(hits("/a/*", "/a/b") && !hits("/a/*", "/a/b/c"));
    assert!(hits("/a/**", "/a/b/c") && !hits("/a/**", "/a"));
    assert!(hits("**/.env", "/.env") && hits("**/.env", "/x/y/.env") && !hits("**/.env", "/x.env"));
    assert!(hits("/a/**/b", "/a/b") && hits("/a/**/b", "/a/x/y/b") && !hits("/a/**/b", "/a/xb"));
    assert!(hits("/tmp/x-**", "/tmp/x-1/2") && hits("**", "/"));
}

#[test]
fn several_doubled_stars_are_as_one() {
    for pattern in ["/w/**/**/key", "/w/**/**/**/key", "/w/{q/**,**}/**/key"] {
        assert!(
            hits(pattern, "/w/key") && hits(pattern, "/w/a/key") && hits(pattern, "/w/a/b/key"),
            "{pattern}"
        );
        assert!(!hits(pattern, "/w/akey") && !hits(pattern, "/key"), "{pattern}");
    }
    for (several, one) in [
        ("**/**/x", "**/x"),
        ("/w/**/**", "/w/**"),
        ("**/**", "**"),
        ("/w/**/**/*", "/w/**/*"),
    ] {
        let tokens = |pattern| glob(pattern).map(|glob| glob.alternatives().to_vec());
        assert_eq!(tokens(several), tokens(one), "{several}");
    }
    assert!(hits("/w/**/**x", "/w/a/bx") && !hits("/w/**/**x", "/w/a/b"));
}

#[test]
fn braces_classes_and_escapes_are_known() {
    assert!(hits("/{usr/,}bin/{a,b{1,2}}", "/bin/b2") && hits("/{usr/,}bin/a", "/usr/bin/a"));
    assert!(hits("[a-c]", "b") && hits("[!a-c]", "d") && hits("[]x]", "]") && !hits("[!x]", "/"));
    assert!(hits("\\*\\{", "*{") && !hits("\\*", "x"));
    assert!(hits("?", "é") && hits("[é]", "é") && !hits("*[!é]", "é"));
}

#[test]
fn names_that_are_not_utf_8_match_by_their_bytes() {
    let any = Glob::new(b"/x/?", b'/');
    assert!(any.is_ok_and(|glob| glob.is_match(b"/x/\xff")));
    let literal = Glob::new(&escape(b"/\xff[*"), b'/');
    assert!(literal.is_ok_and(|glob| glob.is_match(b"/\xff[*") && glob.literal() == Some(b"/\xff[*")));
}

#[test]
fn what_is_no_pattern_is_refused() {
    for (pattern, error) in [
        ("{a", GlobError::UnclosedBrace),
        ("a}", GlobError::Unopened),
        ("[a", GlobError::UnclosedClass),
        ("[b-a]", GlobError::EmptyRange),
        ("a[[:alpha:]]", GlobError::NamedClass),
        ("[![:digit:]x]", GlobError::NamedClass),
        ("/x[/]y", GlobError::SeparatorInClass),
        ("a\\", GlobError::LoneEscape),
        ("/***", GlobError::TooManyStars),
        (
            "{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}",
            GlobError::TooManyAlternatives,
        ),
    ] {
        assert_eq!(glob(pattern).err(), Some(error), "{pattern}");
    }
}

#[test]
fn matching_of_a_hostile_name_takes_no_time() {
    let long = "a/".repeat(2000);
    for pattern in ["**/a/**/a/**/a/**/b", "**a**a**a**b", "*a*a*a*/b", "**/*a*a/**/*a*b"] {
        let begun = std::time::Instant::now();
        assert!(!hits(pattern, &long));
        assert!(begun.elapsed().as_millis() < 500, "{pattern}");
    }
}

#[test]
fn residuals_tell_what_is_left_below_a_folder() {
    let left = |pattern: &str, folder: &str| -> Vec<Residual> {
        glob(pattern)
            .map(|glob| residuals(&glob.alternatives()[0], folder.as_bytes(), b'/'))
            .unwrap_or_default()
    };
    assert_eq!(left("/a/**", "/a"), [Residual::Everything]);
    assert_eq!(left("/a/**", "/"), [Residual::Within(b"a".to_vec())]);
    assert_eq!(left("/a/b/c*", "/a"), [Residual::Within(b"b".to_vec())]);
    assert_eq!(left("/a/b", "/"), [Residual::Exact(b"a/b".to_vec())]);
    assert_eq!(left("/a/b", "/a/b"), []);
    assert_eq!(left("/a/*.pem", "/a"), [Residual::Somewhere]);
    assert_eq!(left("/a/*.pem", "/a/b"), []);
    assert_eq!(left("/home/*/.ssh/**", "/home/u"), [Residual::Within(b".ssh".to_vec())]);
    assert_eq!(left("**/.env", "/a"), [Residual::Somewhere]);
}

fn pattern() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a", "b", "/", "/", "*", "?", "**", "/**/", "[ab]", "[!a]", "{a,b/c}", ".x",
    ]);
    prop::collection::vec(piece, 1..8).prop_map(|pieces| format!("/{}", pieces.concat()))
}

fn path() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec!["a", "b", "c", "ab", "a.x", ".x", "ba"]);
    prop::collection::vec(part, 0..5).prop_map(|parts| format!("/{}", parts.join("/")))
}

proptest! {
    #[test]
    fn matching_agrees_with_the_definition(pattern in pattern(), path in path()) {
        if let Ok(glob) = glob(&pattern) {
            let defined = glob.alternatives().iter().any(|tokens| naive(tokens, path.as_bytes()));
            prop_assert_eq!(glob.is_match(path.as_bytes()), defined);
        }
    }

    #[test]
    fn matching_agrees_with_an_independent_library(pattern in pattern(), path in path()) {
        // Where `**` is not a whole part the library reads it as `*`; a trailing separator is its own affair.
        let whole_parts = pattern.split('/').all(|part| !part.contains("**") || part == "**");
        let plain = !pattern.contains("//") && !pattern.contains("/**/**") && !pattern.ends_with('/') && path != "/";
        let in_braces = pattern.contains('{');
        if whole_parts && plain && !in_braces && let Ok(glob) = glob(&pattern) {
            let reference = globset::GlobBuilder::new(&pattern).literal_separator(true).build();
            if let Ok(reference) = reference {
                prop_assert_eq!(glob.is_match(path.as_bytes()), reference.compile_matcher().is_match(&path));
            }
        }
    }

    #[test]
    fn the_index_finds_the_first_pattern_that_matches(patterns in prop::collection::vec(pattern(), 1..12), path in path()) {
        let globs: Vec<Glob> = patterns.iter().filter_map(|pattern| glob(&crate::vars::normal_text(pattern)).ok()).collect();
        let mut index = PathIndex::default();
        for (rule, glob) in (0u32..).zip(&globs) {
            index.add(glob, rule, 1 << (rule % 2));
        }
        // `/*` in the index is what lies in the root, never the root itself.
        let masks: &[u32] = if path == "/" { &[] } else { &[1, 2, 3] };
        for &mask in masks {
            let first = (0u32..).zip(&globs).find(|(rule, glob)| mask & (1 << (rule % 2)) != 0 && glob.is_match(path.as_bytes()));
            prop_assert_eq!(index.first(path.as_bytes(), mask, 0), first.map(|(rule, _)| rule));
        }
    }

    #[test]
    fn a_leading_literal_leaves_what_it_leaves_byte_by_byte(pattern in pattern(), folder in path()) {
        for tokens in glob(&pattern).iter().flat_map(|glob| glob.alternatives()) {
            // Behind an empty one no literal leads.
            let slow: Vec<Token> = std::iter::once(Token::Literal([].into())).chain(tokens.iter().cloned()).collect();
            prop_assert_eq!(residuals(tokens, folder.as_bytes(), b'/'), residuals(&slow, folder.as_bytes(), b'/'));
        }
    }

    #[test]
    fn no_pattern_panics(pattern in prop::collection::vec(any::<u8>(), 0..40), name in prop::collection::vec(any::<u8>(), 0..40)) {
        if let Ok(glob) = Glob::new(&pattern, b'/') {
            glob.is_match(&name);
            for tokens in glob.alternatives() {
                residuals(tokens, &name, b'/');
            }
        }
    }

    #[test]
    fn escaped_bytes_match_themselves_only(bytes in prop::collection::vec(any::<u8>(), 1..40)) {
        let glob = Glob::new(&escape(&bytes), b'/');
        prop_assert!(glob.is_ok_and(|glob| glob.is_match(&bytes) && glob.literal() == Some(&bytes)));
    }

    #[test]
    fn residuals_cover_whatever_matches_below(pattern in pattern(), folder in path(), below in path()) {
        if let Ok(glob) = glob(&pattern) && below != "/" {
            let folder = folder.trim_end_matches('/');
            let whole = format!("{folder}{below}");
            let relative = &below.as_bytes()[1..];
            for tokens in glob.alternatives() {
                let left = residuals(tokens, if folder.is_empty() { b"/" } else { folder.as_bytes() }, b'/');
                let covered = left.iter().any(|residual| match residual {
                    Residual::Everything | Residual::Somewhere => true,
                    Residual::Exact(path) => relative == path,
                    Residual::Within(path) => relative.starts_with(path) && matches!(relative.get(path.len()), None | Some(b'/')),
                });
                let hit = matching::matches(tokens, whole.as_bytes(), b'/');
                prop_assert!(!hit || covered);
                prop_assert!(!left.contains(&Residual::Everything) || hit);
            }
        }
    }
}
