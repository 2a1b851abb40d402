//! Programs that a command makes in a folder which is newer than its ruleset.

use agentsh_tests::{Result, Shell, User, World, fail, record, session};

/// In a home that policy lets be read in part only: nothing of `~/.npm` is there when the command enters.
const WORK: &str = r##"
d=~/.npm/_npx/new; mkdir -p $d; cp /usr/bin/printenv /usr/bin/ls $d; cd $d
$d/printenv HOME; ./printenv HOME; (exec -a other $d/ls /nonexistent); echo $?
printf '#!/usr/bin/env -S python3 -B\nimport sys, os\nprint(sys.argv, os.readlink("/proc/self/exe"), os.environ["X"])\n' > script
chmod +x script
X=1 $d/script a "b c" ''; X=2 ./script; PATH=$d:$PATH X=3 script by path; X=4 find . -name script -exec {} found \;
printf '#!/bin/sh -e\necho sh $0 "$@"\nfalse\necho not reached\n' > second; ln -s second link; chmod +x second
./second 1 2; echo $?; ./link; chmod -x second; ./second; echo $?
X=5 python3 -c 'import subprocess; print(subprocess.run(["./script", "spawned"], capture_output=True))'
printf '#!./second\n' > third; chmod +x second third; ./third a; echo $?
printf '#!/nonexistent/interpreter\n' > lost; chmod +x lost; ./lost; echo $?
cp /usr/bin/true plain; chmod 0644 plain; ./plain; echo $?
cp /usr/bin/sleep nap; ./nap 0.01 & wait $!; echo $?
timeout 0.1 ./nap 9; echo $?
cd /; rm -rf ~/.npm
"##;

#[test]
fn what_a_command_installs_below_a_home_runs_at_once() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let run = || Shell::named("bash").args(["-c", WORK]);
        let (real, shimmed) = (run().run(&world)?, run().run_shimmed(&world)?);
        let both = [&real, &shimmed].map(|outcome| (outcome.out(), outcome.err(), outcome.ended));
        if both[0] != both[1] || real.out().lines().count() < 15 {
            return Err(fail(format!("{real:?}\n{shimmed:?}")));
        }
        let path = world.user().home.join(".npm/_npx/new/script");
        let told = |event: &record::Event| event.is("process_exec", "allow", &path.to_string_lossy());
        record::await_event(&world, "the script's exec", told)?;
    }
    Ok(())
}

/// A world with a session under rules that let the home be read in part only.
fn lowered(user: User) -> Result<(World, String)> {
    let world = World::new(user)?;
    let policy = "version: 1
name: newer
defaults: {network: allow, unix_socket: allow}
file_rules: [{name: keys, paths: ['${HOME}/.keys/**'], operations: [read], decision: deny}, {name: rest, paths: ['**'], decision: allow}]
command_rules: [{name: bad, commands: ['bad*'], decision: deny}, {name: word, commands: [script], args_patterns: [never], decision: deny}, {name: rest, commands: ['*'], decision: allow}]
";
    let path = session::write_policy(&world, "newer", policy)?;
    let id = session::create(&world, &["--policy", &path.to_string_lossy()])?.id;
    Ok((world, id))
}

#[test]
fn what_is_newer_than_a_ruleset_is_judged_like_everything_else() -> Result {
    for user in User::both() {
        let (world, id) = lowered(user)?;
        let text = r"mkdir -p ~/.keys ~/new; cd ~/new; cp /usr/bin/id bad; ./bad; echo $?
printf '#!/bin/sh\necho RAN $1\n' > script; chmod +x script; ./script once; ./script never; echo $?
cp script ~/.keys/; cp /usr/bin/id ~/.keys; ~/.keys/id; echo $?; ~/.keys/script; echo $?; rm -r ~/new ~/.keys";
        let outcome = session::run(&world, &id, &["/bin/bash", "-c", text])?;
        let lines: Vec<_> = outcome.out().lines().map(str::to_owned).collect();
        if outcome.out().contains("uid=")
            || lines.first().map(String::as_str) != Some("126")
            || lines.get(1..3) != Some(&["RAN once".into(), "126".into()][..])
            || outcome.out().matches("RAN").count() != 1
        {
            return Err(fail(format!("{outcome:?}")));
        }
    }
    Ok(())
}

/// A link that leads to one program and another in turn; the other may not run.
const FLIPPED: &str = r#"
import os, subprocess, threading
os.makedirs(os.path.expanduser("~/new")); os.chdir(os.path.expanduser("~/new"))
subprocess.check_call("cp /usr/bin/whoami good; cp /usr/bin/id bad", shell=True)
def flip():
    while True:
        for name in ("good", "bad"):
            os.symlink(name, "next"); os.replace("next", "program")
os.symlink("good", "program")
threading.Thread(target=flip, daemon=True).start()
ran = 0
for _ in range(400):
    try: out = subprocess.run(["./program"], capture_output=True).stdout
    except OSError: continue
    ran += bool(out)
    if b"uid=" in out: print("BANNED RAN", flush=True)
print("ran", ran > 0, flush=True)
os._exit(0)
"#;

#[test]
fn a_link_that_is_flipped_leads_no_newer_program_past_its_judgement() -> Result {
    for user in User::both() {
        let (world, id) = lowered(user)?;
        let argv = ["/usr/bin/python3", "-c", FLIPPED];
        session::run(&world, &id, &argv)?.expect_out("ran True\n")?;
    }
    Ok(())
}
