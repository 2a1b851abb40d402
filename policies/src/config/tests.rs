use super::*;

type Outcome = Result<(), Box<dyn std::error::Error>>;

#[test]
fn key_by_key_roots_file_wins_and_each_key_knows_its_file() -> Outcome {
    let folder = tempfile::tempdir()?;
    let (system, user) = (folder.path().join("system.yaml"), folder.path().join("user.yaml"));
    std::fs::write(
        &system,
        "security: {strict: true}\nshim: {real_shells: {bash: /bin/bash}}\n",
    )?;
    std::fs::write(
        &user,
        "security: {strict: false, warn_degraded: false}\nshim: {real_shells: {bash: /x, zsh: /z}}\nsessions: {idle_end: 5m}\n",
    )?;
    let loaded = load_files(&[&system, &user])?;
    let config = &loaded.config;
    assert!(config.security.strict && !config.security.warn_degraded);
    assert_eq!(
        config.shim.real_shells.get("bash").map(String::as_str),
        Some("/bin/bash")
    );
    assert_eq!(config.shim.real_shells.get("zsh").map(String::as_str), Some("/z"));
    assert_eq!(config.sessions.idle_end.as_secs(), 300);
    let origin = |name: &str| {
        loaded
            .keys
            .iter()
            .find(|key| key.name == name)
            .map(|key| key.origin.clone())
    };
    assert_eq!(origin("security.strict"), Some(Some(system)));
    assert_eq!(origin("sessions.idle_end"), Some(Some(user)));
    assert_eq!(origin("sessions.default_policy"), Some(None));
    Ok(())
}

#[test]
fn without_files_the_defaults_of_the_format_hold() -> Outcome {
    let folder = tempfile::tempdir()?;
    let loaded = load_files(&[&folder.path().join("none.yaml")])?;
    assert!(loaded.files.is_empty() && loaded.config.landlock.enabled && loaded.config.security.warn_degraded);
    assert_eq!(loaded.config.sessions.retention.max_size.0, 10 << 30);
    assert!(parse("# nothing\n", Path::new("c"))?.landlock.network.allow_connect_tcp);
    Ok(())
}

#[test]
fn a_typo_is_an_error_with_a_suggestion() {
    let failure = |text: &str| {
        parse(text, Path::new("c.yaml"))
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    };
    assert!(failure("security:\n  strct: true\n").contains("c.yaml:2:3: unknown key `strct`"));
    assert!(failure("security:\n  strct: true\n").contains("did you mean `strict`"));
    assert!(failure("security: {mode: fulll}\n").contains("did you mean `full`"));
    assert!(failure("sessions: {idle_end: 30}\n").contains("a duration"));
    assert!(failure("shim: {real_shells: {bash: bash}}\n").contains("no absolute path"));
    assert!(failure("capabilities: {allow: [CAP_CHOWM]}\n").contains("did you mean `chown`"));
    assert!(failure("log: {level: loud}\n").contains("no level"));
    assert!(failure("security: {strict: yes}\n").contains("not a boolean"));
    assert!(failure("terminal: {size: smalest}\n").contains("did you mean `smallest`"));
    assert!(failure("terminal: {scrollback: 100001}\n").contains("at most 100000"));
    assert!(failure("# loud\nlog: {level: loud} # loud\n").starts_with("c.yaml:2:14: `loud`"));
    assert!(failure("landlock: {deny_paths: ['/x/**']}\n").contains("paths, not patterns"));
    assert!(failure("broker: {listen: '0.0.0.0:80'}\n").contains("api.sock"));
}
