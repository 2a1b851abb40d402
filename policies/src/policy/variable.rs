//! What a variable's name or value tells, whatever a policy says of it.

/// What kind of credential a value looks like, by the fixed prefixes that issuers give their tokens.
pub fn secret_shape(value: &[u8]) -> Option<&'static str> {
    const SHAPES: [(&str, usize, &str); 19] = [
        ("ghp_", 40, "GitHub token"),
        ("gho_", 40, "GitHub token"),
        ("ghu_", 40, "GitHub token"),
        ("ghs_", 40, "GitHub token"),
        ("ghr_", 40, "GitHub token"),
        ("github_pat_", 60, "GitHub token"),
        ("glpat-", 26, "GitLab token"),
        ("AKIA", 20, "AWS key id"),
        ("ASIA", 20, "AWS key id"),
        ("sk-", 30, "model provider key"),
        ("xoxb-", 30, "Slack token"),
        ("xoxp-", 30, "Slack token"),
        ("npm_", 40, "npm token"),
        ("pypi-", 60, "PyPI token"),
        ("hf_", 30, "Hugging Face token"),
        ("AIza", 39, "Google key"),
        ("sk_live_", 24, "Stripe key"),
        ("dop_v1_", 64, "DigitalOcean token"),
        ("-----BEGIN ", 60, "private key"),
    ];
    let plain = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    SHAPES
        .iter()
        .find(|(prefix, length, _)| {
            value.starts_with(prefix.as_bytes()) && value.len() >= *length && value.iter().all(plain)
        })
        // Of what stands between such lines only private keys are secret.
        .filter(|(prefix, ..)| *prefix != "-----BEGIN " || value.windows(11).any(|part| part == b"PRIVATE KEY"))
        .map(|(_, _, what)| *what)
}

/// Names by which code gets into a program that it was not started with, or another program is run by it: loaders
/// (`ld.so(8)`, "secure-execution mode"), shells, interpreters, git, runtimes, build tools, and whatever asks a
/// variable for a pager, an editor, a wrapper or a file of settings that names programs.
const INJECTING: [&[u8]; 148] = [
    b"BASHOPTS",
    b"BASH_ENV",
    b"BASH_LOADABLES_PATH",
    b"BROWSER",
    b"BUNDLE_GEMFILE",
    b"BUNDLE_PATH",
    b"CARGO_BUILD_RUSTC",
    b"CARGO_BUILD_RUSTC_WRAPPER",
    b"CLASSPATH",
    b"COMPILER_PATH",
    b"CORECLR_ENABLE_PROFILING",
    b"CORECLR_PROFILER",
    b"CORECLR_PROFILER_PATH",
    b"CVS_RSH",
    b"CVS_SERVER",
    b"DOTNET_ADDITIONAL_DEPS",
    b"DOTNET_SHARED_STORE",
    b"DOTNET_STARTUP_HOOKS",
    b"EDITOR",
    b"ELECTRON_RUN_AS_NODE",
    b"ELIXIR_ERL_OPTIONS",
    b"EMACSLOADPATH",
    b"ENV",
    b"ERL_AFLAGS",
    b"ERL_FLAGS",
    b"ERL_LIBS",
    b"ERL_ZFLAGS",
    b"EXINIT",
    b"FCEDIT",
    b"FPATH",
    b"GCC_EXEC_PREFIX",
    b"GCONV_PATH",
    b"GEM_HOME",
    b"GEM_PATH",
    b"GETCONF_DIR",
    b"GIO_EXTRA_MODULES",
    b"GIT_ASKPASS",
    b"GIT_EDITOR",
    b"GIT_EXEC_PATH",
    b"GIT_EXTERNAL_DIFF",
    b"GIT_PAGER",
    b"GIT_PROXY_COMMAND",
    b"GIT_SEQUENCE_EDITOR",
    b"GIT_SSH",
    b"GIT_SSH_COMMAND",
    b"GIT_TEMPLATE_DIR",
    b"GLIBC_TUNABLES",
    b"GNUMAKEFLAGS",
    b"GOENV",
    b"GOFLAGS",
    b"GOTOOLCHAIN",
    b"GRADLE_OPTS",
    b"GST_PLUGIN_PATH",
    b"GTK_MODULES",
    b"GUILE_LOAD_PATH",
    b"HGEDITOR",
    b"HGRCPATH",
    b"HOSTALIASES",
    b"INPUTRC",
    b"JAVA_OPTS",
    b"JAVA_TOOL_OPTIONS",
    b"JDK_JAVA_OPTIONS",
    b"JRUBY_OPTS",
    b"JULIA_DEPOT_PATH",
    b"JULIA_LOAD_PATH",
    b"KRB5_CONFIG",
    b"LESSCLOSE",
    b"LESSOPEN",
    b"LIBGL_DRIVERS_PATH",
    b"LOCALDOMAIN",
    b"LOCPATH",
    b"LUA_CPATH",
    b"LUA_INIT",
    b"LUA_PATH",
    b"MAILCAPS",
    b"MAKEFILES",
    b"MAKEFLAGS",
    b"MALLOC_TRACE",
    b"MANPAGER",
    b"MAVEN_ARGS",
    b"MAVEN_OPTS",
    b"NIS_PATH",
    b"NLSPATH",
    b"NODE_OPTIONS",
    b"NODE_PATH",
    b"NODE_REPL_EXTERNAL_MODULE",
    b"NPM_CONFIG_NODE_OPTIONS",
    b"NPM_CONFIG_SCRIPT_SHELL",
    b"OPENSSL_CONF",
    b"OPENSSL_ENGINES",
    b"OPENSSL_MODULES",
    b"PAGER",
    b"PERL5DB",
    b"PERL5LIB",
    b"PERL5OPT",
    b"PERLLIB",
    b"PHPRC",
    b"PHP_INI_SCAN_DIR",
    b"PIP_CONFIG_FILE",
    b"PKG_CONFIG",
    b"PROMPT_COMMAND",
    b"PS4",
    b"PSModulePath",
    b"PYTHONBREAKPOINT",
    b"PYTHONEXECUTABLE",
    b"PYTHONHOME",
    b"PYTHONINSPECT",
    b"PYTHONPATH",
    b"PYTHONSTARTUP",
    b"PYTHONUSERBASE",
    b"PYTHONWARNINGS",
    b"QT_PLUGIN_PATH",
    b"QT_QPA_PLATFORM_PLUGIN_PATH",
    b"RESOLV_HOST_CONF",
    b"RES_OPTIONS",
    b"RSYNC_CONNECT_PROG",
    b"RSYNC_RSH",
    b"RUBYLIB",
    b"RUBYOPT",
    b"RUBYSHELL",
    b"RUSTC",
    b"RUSTC_WORKSPACE_WRAPPER",
    b"RUSTC_WRAPPER",
    b"RUSTDOC",
    b"R_ENVIRON",
    b"R_ENVIRON_USER",
    b"R_PROFILE",
    b"R_PROFILE_USER",
    b"SASL_PATH",
    b"SHELLOPTS",
    b"SSH_ASKPASS",
    b"SUDO_ASKPASS",
    b"SUDO_EDITOR",
    b"SVN_EDITOR",
    b"SVN_SSH",
    b"SYSTEMD_EDITOR",
    b"SYSTEMD_PAGER",
    b"TAR_OPTIONS",
    b"TCLLIBPATH",
    b"TCL_LIBRARY",
    b"VIMINIT",
    b"VISUAL",
    b"WGETRC",
    b"ZDOTDIR",
    b"_JAVA_OPTIONS",
    b"npm_config_node_options",
    b"npm_config_script_shell",
    b"npm_config_shell",
];

/// Families of such names.
const INJECTING_FAMILIES: [&[u8]; 5] = [b"LD_", b"DYLD_", b"BASH_FUNC_", b"GIT_CONFIG", b"PYTHONPYCACHE"];

/// Whether a variable of this name makes programs load or run code of whoever set it.
pub fn is_injecting(name: &[u8]) -> bool {
    // npm does not care how such a name is written.
    let npm = npm_setting(name);
    let npm = |names: &[&[u8]]| npm.as_deref().is_some_and(|setting| names.contains(&setting));
    INJECTING.binary_search(&name).is_ok()
        || INJECTING_FAMILIES.iter().any(|family| name.starts_with(family))
        || npm(&[b"editor", b"git", b"node_options", b"script_shell", b"shell"])
}

/// The setting of npm that a variable names, in small letters.
fn npm_setting(name: &[u8]) -> Option<Vec<u8>> {
    const PREFIX: &[u8] = b"npm_config_";
    let is_one = name.len() > PREFIX.len() && name[..PREFIX.len()].eq_ignore_ascii_case(PREFIX);
    let small = |byte: &u8| match byte.to_ascii_lowercase() {
        b'-' => b'_',
        byte => byte,
    };
    is_one.then(|| name[PREFIX.len()..].iter().map(small).collect())
}

/// Names that bring in no code, but say which programs and settings are found, in which repository something is done, and
/// with whom it talks.
const STEERING: [&[u8]; 32] = [
    b"ALL_PROXY",
    b"AWS_CONFIG_FILE",
    b"AWS_PROFILE",
    b"CARGO_HOME",
    b"CARGO_REGISTRY_DEFAULT",
    b"CURL_HOME",
    b"DOCKER_CONFIG",
    b"DOCKER_CONTEXT",
    b"DOCKER_HOST",
    b"GIT_ALTERNATE_OBJECT_DIRECTORIES",
    b"GIT_COMMON_DIR",
    b"GIT_DIR",
    b"GIT_INDEX_FILE",
    b"GIT_NAMESPACE",
    b"GIT_OBJECT_DIRECTORY",
    b"GIT_SHALLOW_FILE",
    b"GIT_WORK_TREE",
    b"HOME",
    b"HTTPS_PROXY",
    b"HTTP_PROXY",
    b"KUBECONFIG",
    b"NETRC",
    b"PATH",
    b"PIP_EXTRA_INDEX_URL",
    b"PIP_INDEX_URL",
    b"RUSTUP_HOME",
    b"RUSTUP_TOOLCHAIN",
    b"TWINE_REPOSITORY",
    b"TWINE_REPOSITORY_URL",
    b"UV_PUBLISH_URL",
    b"XDG_CONFIG_DIRS",
    b"XDG_CONFIG_HOME",
];

/// Whether what a program does depends on a variable of this name in a way that its arguments do not tell.
pub fn is_steering(name: &[u8]) -> bool {
    let npm = npm_setting(name);
    STEERING.binary_search(&name).is_ok()
        || matches!(name, b"all_proxy" | b"http_proxy" | b"https_proxy")
        || name.starts_with(b"CARGO_REGISTRIES_") && name.ends_with(b"_INDEX")
        || npm.is_some_and(|setting| {
            matches!(&*setting, b"globalconfig" | b"prefix" | b"registry" | b"userconfig") || setting.starts_with(b"@")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_found() {
        assert!(INJECTING.is_sorted() && STEERING.is_sorted());
        assert!(is_injecting(b"NpM_config_script-Shell") && !is_injecting(b"npm_config_cache"));
        for name in [
            b"PATH".as_slice(),
            b"NPM_CONFIG_REGISTRY",
            b"CARGO_REGISTRIES_OURS_INDEX",
        ] {
            assert!(
                is_steering(name) && !is_steering(&name[1..]),
                "{}",
                String::from_utf8_lossy(name)
            );
        }
        for name in INJECTING
            .into_iter()
            .chain([b"LD_PRELOAD".as_slice(), b"GIT_CONFIG_COUNT"])
        {
            assert!(is_injecting(name), "{}", String::from_utf8_lossy(name));
        }
        for name in [b"PATH".as_slice(), b"HOME", b"OLD_PRELOAD", b"GIT_DIR", b"ENVY", b""] {
            assert!(!is_injecting(name), "{}", String::from_utf8_lossy(name));
        }
    }

    #[test]
    fn secrets_have_a_shape_and_other_values_have_none() {
        let token = format!("ghp_{}", "a1".repeat(18));
        assert_eq!(secret_shape(token.as_bytes()), Some("GitHub token"));
        assert_eq!(secret_shape(b"ghp_short"), None);
        let key = format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{}", "x".repeat(40));
        assert_eq!(secret_shape(key.as_bytes()), Some("private key"));
        let certificate = format!("-----BEGIN CERTIFICATE-----\n{}", "x".repeat(40));
        assert_eq!(secret_shape(certificate.as_bytes()), None);
        assert_eq!(secret_shape(b"/usr/bin:/bin"), None);
    }
}
