//! What is always masked. Each pattern begins with fixed text, so that a flood is searched fast; where
//! only a part is secret it is the group `secret`.

pub(super) const DEFAULTS: &[&str] = &[
    // Amazon: access key ids, and secret keys where they are named.
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    r#"(?:aws_secret_access_key|aws_session_token|AWS_SECRET_ACCESS_KEY|AWS_SESSION_TOKEN)\s{0,4}[=:]\s{0,4}["']?(?P<secret>[A-Za-z0-9/+=]{16,})"#,
    // GitHub, GitLab, npm, PyPI, Hugging Face, Docker.
    r"\bgh[pousr]_[A-Za-z0-9]{30,255}",
    r"\bgithub_pat_[A-Za-z0-9_]{20,255}",
    r"\bglpat-[A-Za-z0-9_-]{18,}",
    r"\bnpm_[A-Za-z0-9]{30,}",
    r"\bpypi-[A-Za-z0-9_-]{16,}",
    r"\bhf_[A-Za-z0-9]{30,}",
    r"\bdckr_pat_[A-Za-z0-9_-]{20,}",
    // Providers of models, mail, payment, chat, maps.
    r"\bsk-[A-Za-z0-9_-]{20,}",
    r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
    r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}",
    r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}",
    r"\bAIza[0-9A-Za-z_-]{35}",
    // JSON web tokens, private keys.
    r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
    r"-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----(?:\s{1,4}(?:Proc-Type|DEK-Info):[^\r\n]{0,80}){0,2}(?P<secret>[A-Za-z0-9+/=\s]+)",
    // Credentials where they are said to be some.
    r#"(?i:authorization):\s{0,4}(?:[Bb]asic|[Bb]earer|[Tt]oken)\s{1,4}(?P<secret>[^\s"'\x1b]+)"#,
    r#"://[^\s:/@"'\x1b]{0,64}:(?P<secret>[^\s/@"'\x1b]{1,256})@"#,
    r#"(?:PASSWORD|PASSWD|SECRET|TOKEN|API_KEY|APIKEY)[A-Z0-9_]{0,32}=["']?(?P<secret>[^\s"'$\x1b]{4,})"#,
    r#"--(?:password|passwd|token|secret|api-key)[= ](?P<secret>[^\s"'$\x1b-][^\s"'\x1b]{3,})"#,
];
