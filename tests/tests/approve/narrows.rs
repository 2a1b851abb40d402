//! A workspace's own policy takes nothing from what the user's says beside its decisions, nor does a person's yes to it.

use agentsh_tests::{Result, User, World, fail, session};

use crate::{PATIENCE, the_question, watcher};

const BASE: &str = r#"version: 1
name: base
defaults: {write: allow, command: allow, unix_socket: allow}
env_policy: {deny: [NONE]}
file_rules:
  - {name: soft, paths: ["${PROJECT_ROOT}/**"], operations: [delete], decision: soft_delete}
  - {name: led, paths: ["${PROJECT_ROOT}/led"], operations: [write, create], decision: redirect, redirect_to: /tmp}
command_rules:
  - {name: environment, commands: [printenv], env_deny: [SECRET], decision: allow}
  - {name: led, commands: [tac], decision: redirect, redirect_to: {command: echo, args: [instead]}}
  - {name: deep, commands: [expr], context: {min_depth: 2}, decision: deny}
signal_rules:
  - {name: softened, signals: [KILL], decision: redirect, redirect_to: TERM}
approvals: {timeout: 60s}
"#;

/// What a file of somebody else's repository could say.
const OWN: &str = r#"version: 1
name: own
env_policy: {allow: [TOKEN, "*"]}
transparent_commands: {add: [bash]}
file_rules:
  - {name: ask, paths: ["**/led", "**/old"], operations: [create, delete], decision: approve}
command_rules:
  - {name: ask, commands: [tac], decision: approve}
  - {name: rest, commands: ["*"], decision: audit}
signal_rules:
  - {name: ask, signals: [KILL], decision: approve}
"#;

/// A text, whether a person is asked, and what is printed.
const CASES: [(&str, bool, &str); 6] = [
    ("printenv SECRET TOKEN; echo $?", false, "1\n"),
    ("bash -c 'bash -c \"expr 1; true\"'; true", false, ""),
    ("tac x", true, "instead x\n"),
    ("echo x > led; cat led", false, ""),
    ("sleep 97 & kill -9 $!; wait $!; echo $?", true, "143\n"),
    ("rm old; ls old; true", true, ""),
];

#[test]
fn neither_its_rules_nor_a_yes_to_them_open_what_the_users_policy_says() -> Result {
    let world = World::new(User::agent())?;
    let file = |name: &str, text: &str| world.user().write_file(&world.workspace().join(name), text, 0o644);
    file(".agentsh/policy.yaml", OWN)?;
    file("old", "kept\n")?;
    file("cut", "kept too\n")?;
    let path = session::write_policy(&world, "base", BASE)?;
    let id = session::create(&world, &["--policy", &path.to_string_lossy()])?.id;
    let _watcher = watcher(&world, &id)?;
    let token = format!("ghp_{}", "a1".repeat(20));
    for (text, asks, printed) in CASES {
        let exec = session::exec(&id, &[], &["bash", "-c", text]);
        let child = exec.env("SECRET", "x").env("TOKEN", &token).spawn(&world)?;
        if asks {
            world
                .agentsh(["approve", "allow", &the_question(&world)?.id])?
                .expect_success(text)?;
        }
        let outcome = child.finish(PATIENCE)?;
        if outcome.out() != printed {
            return Err(fail(format!("{text}: {outcome:?}")));
        }
    }
    // What nobody was asked about is kept as well: only the rule on deletions says how.
    session::run(&world, &id, &["bash", "-c", "echo > cut"])?.expect_success("cut")?;
    let kept = world.agentsh(["trash", "list"])?.out();
    match ["/old", "/cut"].iter().all(|name| kept.contains(name)) {
        true => Ok(()),
        false => Err(fail(format!("not in the trash: {kept}"))),
    }
}
