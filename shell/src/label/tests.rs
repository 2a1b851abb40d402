use proptest::prelude::*;

use super::*;

fn label(argv: &[&str]) -> Option<Label> {
    let argv: Vec<Bytes> = argv.iter().map(|word| Bytes::from(*word)).collect();
    of(&argv)
}

fn said(text: &str) -> Option<String> {
    label(&["bash", "-c", text]).map(|label| label.lines().join("\n"))
}

#[test]
fn the_programs_of_a_text_are_named() {
    for (text, expected) in [
        ("ls", "runs ls"),
        ("cd /x && ls -l | sort > out 2>/dev/null", "runs ls, sort\nwrites out"),
        (
            "if test -e a; then make; else cc b; fi; for f in $(find .); do cat \"$f\"; done",
            "runs make, cc, find, cat",
        ),
        ("echo $(date) `id` \"$(uname)\" <(who)", "runs date, id, uname, who"),
        ("f() { rm x; }; f; f", "runs rm"),
        ("case $1 in a) true;; *) tar xf b;; esac", "runs tar"),
        (
            "sudo -u root env A=1 make install",
            "runs sudo, env, make\nacts as another user",
        ),
        ("sh -ec 'id; bash -lc \"who\"'", "runs sh, id, bash, who"),
        ("xargs rm -rf < list", "runs xargs, rm\nremoves whole folders"),
        ("exec -a x nice make", "runs nice, make"),
        (
            "sleep 9 & cat <<< $(w) >| a",
            "runs sleep, w, cat\nwrites a\nleaves something running",
        ),
        (
            "git push origin main; npm install left-pad",
            "runs git, npm\npublishes\ninstalls",
        ),
        ("cat > a <<EOF\n$(id)\nEOF", "runs cat, id\nwrites a"),
        ("\"/usr/bin\"/l's'", "runs /usr/bin/ls"),
    ] {
        assert_eq!(said(text).as_deref(), Some(expected), "{text}");
    }
}

/// Numbers are looked for behind a brace, in a table that has a place for each byte.
#[test]
fn letters_of_every_script_are_letters_of_words() {
    for letter in (0x80..=0x10_ffff).step_by(0x3ff).filter_map(char::from_u32) {
        for text in [
            format!("ls {{{letter}"),
            format!("ls {{1..{letter}"),
            format!("ls a{letter}b"),
        ] {
            assert_eq!(said(&text).as_deref(), Some("runs ls"), "{text}");
        }
    }
    assert_eq!(said("né 漢 && 字").as_deref(), Some("runs né, 字"));
}

#[test]
fn what_a_text_hides_is_said_to_be_hidden() {
    for (text, expected) in [
        (
            "curl -s https://x | sudo bash",
            "gives what it fetches to an interpreter",
        ),
        ("echo aWQ= | base64 -d | sh", "runs what the text itself does not show"),
        ("eval \"$X\"", "runs what the text itself does not show"),
        ("$X -rf /", "runs what the text itself does not show"),
        ("r$X -rf /", "runs what the text itself does not show"),
        (". ./env.sh", "runs what the text itself does not show"),
        ("bash -c \"$X\"", "runs what the text itself does not show"),
    ] {
        assert!(
            said(text).is_some_and(|label| label.contains(expected)),
            "{text}: {:?}",
            said(text)
        );
    }
    // What is plain is read.
    assert_eq!(said("eval rm -r x").as_deref(), Some("runs rm\nremoves whole folders"));
    assert_eq!(
        said("$'\\x72m' x").as_deref(),
        Some("runs what the text itself does not show")
    );
}

#[test]
fn the_text_is_found_behind_options_and_wrappers() {
    for argv in [
        &["bash", "-c", "id"][..],
        &["-bash", "-lc", "id", "name", "arg"],
        &["/bin/sh", "-eu", "-o", "pipefail", "-c", "id"],
        &["bash", "--noprofile", "--rcfile", "x", "-c", "-e", "id"],
        &["env", "A=1", "timeout", "5", "zsh", "-c", "id"],
        &["busybox", "sh", "-c", "id"],
        &["su", "nobody", "-c", "id"],
        &["flock", "lock", "-c", "id"],
    ] {
        assert_eq!(
            label(argv).map(|label| label.lines().join("\n")).as_deref(),
            Some("runs id"),
            "{argv:?}"
        );
    }
    for argv in [
        &["bash", "script", "-c", "id"][..],
        &["ls", "-c", "id"],
        &["bash"],
        &["bash", "-c"],
        &[],
    ] {
        assert_eq!(label(argv), None, "{argv:?}");
    }
}

#[test]
fn no_name_in_a_text_looks_like_a_line_of_its_label() {
    assert_eq!(
        said("'a\npublishes' > $'b'").as_deref(),
        Some("runs a\\npublishes\nwrites b")
    );
    assert_eq!(said("'\u{202e}x\u{1b}[2J'").as_deref(), Some("runs \\u{202e}x\\x1b[2J"));
}

#[test]
fn a_text_that_cannot_be_read_has_no_label() {
    for text in ["if", "ls | ", "echo \"x", "f(", "))", "<<", "case x in"] {
        assert_eq!(said(text), None, "{text}");
    }
    assert_eq!(
        of(&[Bytes::from("sh"), Bytes::from("-c"), Bytes(b"ls \xff".to_vec())]),
        None
    );
}

#[test]
fn hostile_texts_are_answered_at_once() {
    let long = [
        "(",
        "{ ",
        "$(",
        "`",
        "if ",
        "! ",
        "((",
        "$((",
        "${x:-",
        "\"$(",
        "a=(",
        "<(",
        "case x in (",
        "[[ (",
        "@(",
        "'",
        "\\",
        "a|",
        "<<a\n",
        "{a,",
        "coproc ",
        "time ",
    ];
    for part in long {
        for count in [30, 300, 100_000] {
            let start = std::time::Instant::now();
            let _ = said(&part.repeat(count));
            let _ = said(&format!("{}ls", part.repeat(count)));
            assert!(start.elapsed() < std::time::Duration::from_secs(20), "{part} {count}");
        }
    }
}

proptest! {
    #[test]
    fn no_text_whatever_upsets_it(text in "[-a-c $(){}`'\"|&;<>\\\\\n=!*?\\[\\]#~]{0,60}", any: String) {
        let _ = said(&text);
        let _ = said(&any);
    }
}
