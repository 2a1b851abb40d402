//! Judgement of every exec in the tree: a banned program does not run, however it is named or started, and what was
//! tried is on record.

mod judgement;
mod naming;
mod newer;
mod race;
mod record;
mod why;

use agentsh_tests::{Result, User, World, session};

/// The rules of this suite: `md5sum` never, `seq` not with a first argument of 7, `id` not from below.
const RULES: &str = r#"command_rules:
  - {name: banned, commands: [md5sum], decision: deny, message: "md5sum is banned; use sha1sum"}
  - {name: banned-path, commands: ["/usr/bin/factor"], decision: deny}
  - {name: banned-arguments, commands: [seq], args_patterns: ["^7\\b"], decision: deny}
  - {name: from-above-only, commands: [whoami], decision: deny, context: [nested]}
  - {name: watched, commands: [uname], decision: audit}
  - {name: rest, commands: ["*"], decision: allow}
"#;

/// What the banned program prints, however it is called.
const TRACES: [&str; 3] = [
    "md5sum (GNU coreutils)",
    "d41d8cd98f00b204e9800998ecf8427e",
    "Usage: md5sum",
];

/// A world with a session under [`RULES`].
fn world(user: User) -> Result<(World, String)> {
    let world = World::new(user)?;
    let id = session::with_rules(&world, RULES)?.id;
    Ok((world, id))
}
