use std::process::Command;

use super::is_unfinished;

type Failure = Box<dyn std::error::Error>;

/// What bash says: whether the text ended too early.
fn asked(text: &str) -> Result<bool, Failure> {
    let bash = Command::new("/bin/bash")
        .args(["--norc", "-O", "extglob", "-n", "-c", text])
        .env_clear()
        .env("LC_ALL", "C")
        .output()?;
    let said = String::from_utf8_lossy(&bash.stderr);
    let words = ["unexpected end of file", "unexpected EOF", "here-document at line"];
    Ok(words.iter().any(|word| said.contains(word)))
}

#[test]
fn a_text_that_needs_more_is_told_from_one_that_does_not() -> Result<(), Failure> {
    for more in [
        "echo 'a",
        "echo \"a",
        "ls |",
        "a &&",
        "a ||\n",
        "if true; then",
        "if true",
        "for f in *; do echo $f",
        "for f in a b",
        "for f",
        "while true",
        "while true\ndo",
        "(cd /",
        "f() {",
        "f()",
        "function f",
        "echo \"$(ls",
        "echo `ls",
        "echo ${x",
        "echo $((1 +",
        "a=(1 2",
        "cat <<EOF",
        "cat <<EOF\nline",
        "cat <<-'E F' | wc\n\ttext\n",
        "case x in",
        "case x in\na) echo hi;;",
        "case x in (a) true",
        "case x",
        "select x in a b; do",
        "[[ a == b",
        "for f do",
        "x() if true; then",
        "{ ls;",
        "echo \"a $(echo \"b c) d\"",
        "until false; do :; done |",
    ] {
        assert!(is_unfinished(more), "{more}");
        assert!(asked(more)?, "bash takes {more}");
    }
    for whole in [
        "ls",
        "echo 'a b' \"c\"",
        "if true; then ls; fi",
        "for f in *; do echo $f; done",
        "for ((i=0; i<3; i++)); do echo $i; done",
        "for f do echo $f; done",
        "for f in do; do :; done",
        "(cd /; ls)",
        "((1 + 2))",
        "echo if",
        "echo done }",
        "f() { ls; }",
        "f() (ls)",
        "sleep 1 &",
        "echo a # 'b",
        "# 'b",
        "echo it\\'s",
        "while false; do :; done",
        "ls ||  true",
        "cat <<EOF\nline\nEOF",
        "cat <<-EOF; cat <<'X'\n\tline\n\tEOF\n$(\nX",
        "cat <<<word",
        "case x in a) echo hi;; (b|c) true;& *) ls; esac",
        "case x in\na)\n;;\nesac",
        "echo ${x:-'}'} \"${x#\\}}\" $'it\\'s'",
        "[[ a == b && ( c =~ ^(d|e)$ ) ]]",
        "a=(1 2 '3)' $(ls)) b+=([x]=y)",
        "ls !(a|b) @(c)",
        "diff <(ls) >(cat) 2>&1 >&- &> file",
        "! ls; time ls; { ls; } 2> /dev/null",
        "echo \"a $(echo \"b c\") `ls \"x\"`\"",
        "if a; then b; elif c; then d; else e; fi | wc",
        "ls; # done",
    ] {
        assert!(!is_unfinished(whole), "{whole}");
        assert!(!asked(whole)?, "bash wants more of {whole}");
    }
    // A shell would read on; what it would make of the text so far says nothing.
    for more in ["ls \\", "echo a\\"] {
        assert!(is_unfinished(more), "{more}");
    }
    for wrong in ["if; fi", "ls )", "done", "for | in", "ls ;;"] {
        assert!(!is_unfinished(wrong), "{wrong}");
    }
    // However deep it is nested, it is read.
    is_unfinished(&"$(".repeat(100_000));
    Ok(())
}

#[test]
fn every_beginning_of_real_scripts_is_judged_as_bash_judges_it() -> Result<(), Failure> {
    let mut asked_about = 0;
    for path in [
        "/etc/profile",
        "/etc/bash.bashrc",
        "/usr/bin/ldd",
        "/usr/bin/zgrep",
        "/usr/bin/which",
        "/usr/bin/bashbug",
    ] {
        let Ok(text) = std::fs::read_to_string(path) else {
            continue;
        };
        let ends = text.match_indices('\n').map(|(at, _)| at);
        for end in ends.take(150) {
            let begun = &text[..end];
            // Whether a backslash goes on says the shell only by reading on.
            if begun.ends_with('\\') {
                continue;
            }
            assert_eq!(is_unfinished(begun), asked(begun)?, "{path}: {begun}");
            asked_about += 1;
        }
    }
    assert!(asked_about > 50, "no scripts to ask about: {asked_about}");
    Ok(())
}
