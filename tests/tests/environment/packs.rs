//! What the packs remove, name by name: a change of a pack's list is a change here.

use agentsh_tests::{Result, Shell, User, World, fail, session};

/// Variables that carry credentials of well-known services. The default pack and all that are stricter remove them.
const REMOVED: [&str; 44] = [
    "ANTHROPIC_API_KEY",
    "OPENAI_API_KEY",
    "GEMINI_API_KEY",
    "GOOGLE_API_KEY",
    "MISTRAL_API_KEY",
    "XAI_API_KEY",
    "GROQ_API_KEY",
    "OPENROUTER_API_KEY",
    "DEEPSEEK_API_KEY",
    "COHERE_API_KEY",
    "AZURE_OPENAI_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AZURE_CLIENT_SECRET",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GITHUB_TOKEN",
    "GH_TOKEN",
    "GITLAB_TOKEN",
    "BITBUCKET_TOKEN",
    "GH_ENTERPRISE_TOKEN",
    "NPM_TOKEN",
    "NODE_AUTH_TOKEN",
    "PYPI_TOKEN",
    "UV_PUBLISH_TOKEN",
    "TWINE_PASSWORD",
    "CARGO_REGISTRY_TOKEN",
    "CARGO_REGISTRIES_OURS_TOKEN",
    "DIGITALOCEAN_TOKEN",
    "HCLOUD_TOKEN",
    "FLY_API_TOKEN",
    "VERCEL_TOKEN",
    "CLOUDFLARE_API_TOKEN",
    "VAULT_TOKEN",
    "SLACK_TOKEN",
    "SLACK_BOT_TOKEN",
    "HEROKU_API_KEY",
    "SENDGRID_API_KEY",
    "STRIPE_SECRET_KEY",
    "DOCKER_AUTH_CONFIG",
];

/// What work needs stays.
const KEPT: [&str; 12] = [
    "LANG",
    "EDITOR",
    "CARGO_HOME",
    "GOPATH",
    "VIRTUAL_ENV",
    "NODE_OPTIONS",
    "PYTHONPATH",
    "JAVA_HOME",
    "CC",
    "RUSTFLAGS",
    "MY_TEST_TOKEN",
    "CI",
];

fn names_in(world: &World) -> Result<Vec<String>> {
    let mut shell = Shell::named("bash").args(["-c", "env"]);
    for name in REMOVED.iter().chain(&KEPT) {
        shell = shell.env(name, "/value");
    }
    let outcome = shell.run_shimmed(world)?;
    outcome.expect_success("env")?;
    Ok(outcome
        .out()
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name.to_owned())
        .collect())
}

#[test]
fn the_packs_for_work_remove_credentials_and_nothing_that_work_needs() -> Result {
    for pack in ["default", "dev-safe", "signal-strict"] {
        for user in User::both() {
            let world = World::new(user)?;
            session::create(&world, &["--policy", pack])?;
            let names = names_in(&world)?;
            let has = |name: &&&str| names.iter().any(|seen| seen == **name);
            let leaked: Vec<_> = REMOVED.iter().filter(has).collect();
            let missing: Vec<_> = KEPT.iter().filter(|name| !has(name)).collect();
            if !leaked.is_empty() || !missing.is_empty() {
                return Err(fail(format!("{pack}: leaked {leaked:?}, missing {missing:?}")));
            }
        }
    }
    Ok(())
}

#[test]
fn the_pack_for_agents_leaves_them_the_keys_of_their_models() -> Result {
    let world = World::new(User::agent())?;
    session::create(&world, &["--policy", "agent-default"])?;
    let key = "sk-ant-0123456789abcdefghijABCDEFGHIJ012345";
    let outcome = Shell::named("bash")
        .args(["-c", "env"])
        .env("ANTHROPIC_API_KEY", key)
        .env("GITHUB_TOKEN", "x")
        .env("OTHER", key)
        .run_shimmed(&world)?;
    let out = outcome.out();
    if out.matches(key).count() != 1 || !out.contains("ANTHROPIC_API_KEY=") || out.contains("GITHUB_TOKEN") {
        return Err(fail(format!("{outcome:?}")));
    }
    Ok(())
}

#[test]
fn the_strict_packs_remove_them_too() -> Result {
    for pack in ["agent-strict", "ci-strict", "agent-sandbox", "system-readonly"] {
        let world = World::new(User::agent())?;
        session::create(&world, &["--policy", pack])?;
        let names = names_in(&world)?;
        let leaked: Vec<_> = REMOVED
            .iter()
            .filter(|name| names.iter().any(|seen| seen == **name))
            .collect();
        if !leaked.is_empty() || names.is_empty() {
            return Err(fail(format!("{pack}: leaked {leaked:?} of {names:?}")));
        }
    }
    Ok(())
}

#[test]
fn the_observing_pack_removes_nothing() -> Result {
    let world = World::new(User::agent())?;
    session::create(&world, &["--policy", "agent-observe"])?;
    let names = names_in(&world)?;
    let missing: Vec<_> = REMOVED
        .iter()
        .chain(&KEPT)
        .filter(|name| !names.iter().any(|seen| seen == **name))
        .collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(fail(format!("{missing:?}"))),
    }
}
