//! Credentials. Each pattern begins with fixed text where it can, so that a flood is searched fast; where
//! only a part is secret it is the group `secret`.

use super::patterns::Class::{self, Credential, PrivateKey};

pub(super) const CREDENTIALS: &[(Class, &str)] = &[
    // Amazon: access key ids, and secret keys where they are named.
    (Credential, r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    (
        Credential,
        r#"(?:aws_secret_access_key|aws_session_token|AWS_SECRET_ACCESS_KEY|AWS_SESSION_TOKEN)\s{0,4}[=:]\s{0,4}["']?(?P<secret>[A-Za-z0-9/+=]{16,})"#,
    ),
    // Google, Azure, DigitalOcean.
    (Credential, r"\bAIza[0-9A-Za-z_-]{35}"),
    (Credential, r"\bya29\.[0-9A-Za-z_-]{20,}"),
    (Credential, r"\bGOCSPX-[0-9A-Za-z_-]{20,}"),
    (Credential, r"\bAccountKey=(?P<secret>[A-Za-z0-9+/=]{40,})"),
    (Credential, r"\bdo[opr]_v1_[0-9a-f]{40,}"),
    // GitHub, GitLab, npm, PyPI, Hugging Face, Docker, HashiCorp, Databricks, Grafana, Shopify.
    (Credential, r"\bgh[pousr]_[A-Za-z0-9]{30,255}"),
    (Credential, r"\bgithub_pat_[A-Za-z0-9_]{20,255}"),
    (Credential, r"\bglpat-[A-Za-z0-9_-]{18,}"),
    (Credential, r"\bnpm_[A-Za-z0-9]{30,}"),
    (Credential, r"\bpypi-[A-Za-z0-9_-]{16,}"),
    (Credential, r"\bhf_[A-Za-z0-9]{30,}"),
    (Credential, r"\bdckr_pat_[A-Za-z0-9_-]{20,}"),
    (Credential, r"\bhv[sb]\.[A-Za-z0-9_-]{24,}"),
    (Credential, r"\bdapi[0-9a-f]{32}\b"),
    (Credential, r"\bglsa_[A-Za-z0-9]{32}_[0-9a-f]{8}\b"),
    (Credential, r"\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}\b"),
    // Providers of models, mail, payment, chat, telephony.
    (Credential, r"\bsk-[A-Za-z0-9_-]{20,}"),
    (Credential, r"\b(?:gsk|xai|pplx|r8)[_-][A-Za-z0-9]{30,}"),
    (Credential, r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    (Credential, r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}"),
    (Credential, r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
    (Credential, r"\bxapp-[0-9]-[A-Za-z0-9-]{20,}"),
    (Credential, r"\bSK[0-9a-f]{32}\b"),
    // JSON web tokens, private keys (their line ends also as JSON writes them).
    (
        Credential,
        r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
    ),
    (
        PrivateKey,
        r"-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----(?:\s{1,4}(?:Proc-Type|DEK-Info):[^\r\n]{0,80}){0,2}(?P<secret>(?:[A-Za-z0-9+/=\s]|\\[nr])+)",
    ),
    (PrivateKey, r"\bAGE-SECRET-KEY-1[0-9A-Z]{50,}"),
    // Credentials where they are said to be some.
    (
        Credential,
        r#"(?i:authorization):\s{0,4}(?:[Bb]asic|[Bb]earer|[Tt]oken)\s{1,4}(?P<secret>[^\s"'\x1b]+)"#,
    ),
    // What stands in the place of another finding has a colon too.
    (
        Credential,
        r#"://(?:\[REDACTED:[a-z_]{1,24}\]|[^\s:/@"'\x1b]){0,64}:(?P<secret>[^\s/@"'\x1b]{1,256})@"#,
    ),
    (
        Credential,
        r#"(?:PASSWORD|PASSWD|SECRET|TOKEN|API_KEY|APIKEY)[A-Z0-9_]{0,32}=["']?(?P<secret>[^\s"'$\x1b]{4,})"#,
    ),
    (
        Credential,
        r#"--(?:password|passwd|token|secret|api-key)[= ](?P<secret>[^\s"'$\x1b-][^\s"'\x1b]{3,})"#,
    ),
];
