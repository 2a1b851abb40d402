use std::path::Path;

use super::table::WRAPPERS;
use super::*;
use crate::policy::tests::variables;
use crate::{LoadError, parse};

fn wrappers(body: &str) -> Result<Wrappers, LoadError> {
    let text = format!("version: 1\nname: t\n{body}");
    Ok(parse(&text, Path::new("t.yaml"))?.resolve(&variables())?.wrappers())
}

/// The payload of a line, with what is special of it in front.
fn read(wrappers: &Wrappers, line: &[&str]) -> String {
    let argv: Vec<&[u8]> = line.iter().map(|word| word.as_bytes()).collect();
    let program = format!("/usr/bin/{}", line[0]);
    let text = |words: &[Vec<u8>]| String::from_utf8_lossy(&words.join(&b'|')).into_owned();
    match wrappers.payload(program.as_bytes(), line[0].as_bytes(), &argv) {
        None => "-".to_owned(),
        Some(Payload::Program { argv, variables }) if variables.is_empty() => text(&argv),
        Some(Payload::Program { argv, variables }) => format!("{{{}}} {}", text(&variables), text(&argv)),
        Some(Payload::Applet { argv }) => format!("applet {}", text(&argv)),
        Some(Payload::Text(text)) => format!("text {}", String::from_utf8_lossy(&text)),
    }
}

#[test]
fn each_wrapper_is_read_by_its_own_grammar() -> Result<(), LoadError> {
    let known = wrappers("")?;
    let cases: &[(&[&str], &str)] = &[
        (&["env", "rm", "-r", "x"], "rm|-r|x"),
        (&["env", "-i", "A=1", "B=", "rm", "C=3"], "{A=1|B=} rm|C=3"),
        (
            &["env", "-u", "A", "-C", "/x", "--unset=B", "--chdir", "/y", "-", "rm"],
            "rm",
        ),
        (&["env", "--uns", "A", "rm"], "rm"),
        (&["env", "-S", "A=1 rm -r x"], "{A=1} rm|-r|x"),
        (&["env", "-S rm 'a b'"], "text  rm 'a b'"),
        (&["env", "-i0S", "rm x", "-r"], "rm|x|-r"),
        (&["env", "-vSrm", "x"], "rm|x"),
        (&["env", "--split=A=1 rm", "x"], "{A=1} rm|x"),
        (&["env", "--s", "rm"], "rm"),
        (&["env", "-uS", "rm"], "rm"),
        (&["env", "-iu", "S", "rm"], "rm"),
        (&["env", "A=1"], "-"),
        (&["env"], "-"),
        (&["nice", "rm"], "rm"),
        (&["nice", "-n", "5", "rm"], "rm"),
        (&["nice", "-n5", "rm"], "rm"),
        (&["nice", "-15", "rm"], "rm"),
        (&["nice", "--adjustment=3", "rm"], "rm"),
        (&["nohup", "rm", "&"], "rm|&"),
        (&["nohup", "--", "rm"], "rm"),
        (&["sudo", "-nEu", "root", "A=1", "rm", "x"], "{A=1} rm|x"),
        (&["sudo", "-uroot", "--preserve-env", "--group", "g", "rm"], "rm"),
        (&["sudo", "-E", "A=1", "--", "rm"], "{A=1} rm"),
        (&["sudo", "-l"], "-"),
        (&["sudo", "-v", "rm"], "-"),
        (&["sudo", "-i"], "-"),
        (&["doas", "-u", "x", "rm"], "rm"),
        (&["time", "-f", "%e", "-o", "f", "-v", "rm"], "rm"),
        (&["timeout", "5", "rm"], "rm"),
        (
            &[
                "timeout",
                "-k",
                "1",
                "--signal",
                "TERM",
                "--foreground",
                "5s",
                "rm",
                "-k",
            ],
            "rm|-k",
        ),
        (&["timeout", "5"], "-"),
        (&["xargs", "-0", "-n", "1", "-P4", "-I{}", "rm", "{}"], "rm|{}"),
        (&["xargs", "-i", "rm"], "rm"),
        (&["xargs", "--max-args", "3", "--replace", "rm"], "rm"),
        (&["xargs"], "-"),
        (&["busybox", "wget", "-q", "x"], "applet wget|-q|x"),
        (&["busybox"], "-"),
        (
            &["strace", "-f", "-e", "trace=open", "-o", "/x", "-E", "A=1", "rm"],
            "rm",
        ),
        (&["strace", "--trace", "open", "--follow-forks", "rm"], "rm"),
        (&["strace", "-p", "77"], "-"),
        (&["ltrace", "-e", "malloc", "-f", "rm"], "rm"),
        (&["setsid", "-cfw", "rm"], "rm"),
        (&["stdbuf", "-oL", "-e", "0", "--input=0", "rm"], "rm"),
        (&["ionice", "-c", "3", "-n7", "-t", "rm"], "rm"),
        (&["ionice", "-p", "77"], "-"),
        (&["chrt", "-f", "10", "rm"], "rm"),
        (&["chrt", "-p", "10", "77"], "-"),
        (&["chrt", "-d", "-T", "1", "--sched-period", "2", "0", "rm"], "rm"),
        (&["taskset", "-c", "0,1", "rm"], "rm"),
        (&["taskset", "0x3", "rm"], "rm"),
        (&["flock", "-n", "-w", "3", "/lock", "rm", "-c"], "rm|-c"),
        (&["flock", "/lock", "-c", "rm -r x; y"], "text rm -r x; y"),
        (&["flock", "9"], "-"),
        (&["watch", "-n", "1", "-d", "rm", "-r", "x"], "rm|-r|x"),
        (&["watch", "rm | cat"], "text rm | cat"),
        (&["parallel", "-j", "4", "rm", "{}", ":::", "a", "b"], "text rm {}"),
        (&["parallel", "--jobs", "4", "rm", ":::", "a"], "rm"),
        (&["su", "-", "nobody", "-c", "sleep 99"], "text sleep 99"),
        (&["su", "nobody", "--command=sleep 99"], "text sleep 99"),
        (&["su", "nobody"], "-"),
        (&["runuser", "-u", "nobody", "--", "rm"], "rm"),
        (&["script", "-q", "-c", "rm x", "/dev/null"], "text rm x"),
        (&["chroot", "--userspec=1:1", "/x", "rm"], "rm"),
        (&["setpriv", "--reuid", "1", "--clear-groups", "rm"], "rm"),
        (&["unshare", "-r", "--wd", "/x", "rm"], "rm"),
        (&["choom", "-n", "500", "--", "rm"], "rm"),
        (&["choom", "-p", "7"], "-"),
        (&["linux32", "-R", "rm"], "rm"),
        (&["numactl", "-N", "0", "--membind=0", "rm"], "rm"),
        (&["gosu", "nobody", "rm", "-r"], "rm|-r"),
        (&["tini", "-s", "-e", "143", "--", "rm"], "rm"),
        (&["torsocks", "-i", "rm"], "rm"),
        (&["env", "-S", "-u A -- B=1 rm", "x"], "{B=1} rm|x"),
        (&["gosu", "-x", "rm", "x"], "rm|x"),
        (&["prlimit", "--pid", "0", "rm"], "rm"),
        (&["proxychains4", "-fx", "conf", "-q", "rm"], "rm"),
        (&["strace", "--summary", "rm"], "rm"),
        (&["unbuffer", "-ignore", "HUP", "rm"], "rm"),
        (&["sudo", "-s", "rm", "x"], "rm|x"),
        (&["su", "-c", "ls", "root", "--session-command=rm x"], "text rm x"),
        (&["su", "--", "root", "-c", "rm x"], "text rm x"),
        (&["tini", "rm", "-g", "--", "x"], "rm|x"),
        (&["ls", "rm"], "-"),
    ];
    for (line, expected) in cases {
        assert_eq!(read(&known, line), *expected, "{line:?}");
    }
    Ok(())
}

#[test]
fn a_box_is_the_program_of_the_name_that_it_is_called_by() -> Result<(), LoadError> {
    let known = wrappers("")?;
    for (called, zero) in [
        ("/tmp/wget", "wget"),
        ("/bin/busybox", "wget"),
        ("/proc/self/exe", "-wget"),
        ("busybox", "/x/y/wget"),
    ] {
        let payload = known.payload(b"/bin/busybox", called.as_bytes(), &[zero.as_bytes(), b"x"]);
        let argv = vec![b"wget".to_vec(), b"x".to_vec()];
        assert_eq!(payload, Some(Payload::Applet { argv }), "{called} {zero}");
    }
    // A wrapper under another name is one as well.
    let payload = known.payload(b"/usr/bin/env", b"./harmless", &[b"harmless".as_slice(), b"rm"]);
    assert!(matches!(payload, Some(Payload::Program { .. })));
    Ok(())
}

#[test]
fn a_policy_adds_and_removes() -> Result<(), LoadError> {
    let own = wrappers("transparent_commands: {add: [mine], remove: [nice]}")?;
    assert_eq!(read(&own, &["mine", "-x", "--yes", "rm", "x"]), "rm|x");
    assert_eq!(read(&own, &["nice", "rm"]), "-");
    assert_eq!(read(&own, &["env", "rm"]), "rm");
    Ok(())
}

#[test]
fn words_that_are_split_again_and_again_are_not_clear() -> Result<(), LoadError> {
    let known = wrappers("")?;
    assert_eq!(read(&known, &["env", "-S", "-S -S rm", "x"]), "rm|x");
    let text = "-S ".repeat(40_000) + "rm";
    assert_eq!(read(&known, &["env", "-S", &text]), "-");
    Ok(())
}

#[test]
fn no_arguments_whatever_upset_a_grammar() {
    let words: [&[u8]; 12] = [
        b"-", b"--", b"", b"-p", b"--user", b"--user=", b"=", b"A=", b"-S", b"\xff", b":::", b"-c",
    ];
    for grammar in &WRAPPERS {
        for one in words {
            for other in words {
                for third in words {
                    let _ = grammar.payload(&[one, other, third]);
                }
            }
        }
        assert_eq!(grammar.payload(&[]), None);
    }
}
