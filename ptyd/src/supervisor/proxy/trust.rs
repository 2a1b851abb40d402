//! Trust in the authority that opens a session's TLS: a file in the session's folder that its programs may
//! read, with the host's own authorities in it, and the variables that lead programs to it.

use std::io;
use std::path::PathBuf;

use agentsh_audit::SessionDir;

/// The host's list of authorities, where distributions keep it.
const HOSTS: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The variables by which programs know a list of authorities: OpenSSL's, and of those that bring their own.
const VARIABLES: [&str; 9] = [
    "SSL_CERT_FILE",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "PIP_CERT",
    "GIT_SSL_CAINFO",
    "CARGO_HTTP_CAINFO",
    "AWS_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "DENO_CERT",
];

/// The file's name in the session's folder.
pub(in crate::supervisor) const FILE: &str = "authorities.pem";

/// The file.
fn file(dir: &SessionDir) -> PathBuf {
    dir.path().join(FILE)
}

/// Writes the file, for programs to read.
pub(super) fn write(dir: &SessionDir, authority: &str) -> io::Result<()> {
    let hosts = HOSTS.iter().find_map(|path| std::fs::read_to_string(path).ok());
    std::fs::write(file(dir), format!("{}\n{authority}", hosts.unwrap_or_default()))
}

/// The variables that lead to it.
pub(super) fn variables(dir: &SessionDir) -> impl Iterator<Item = (String, String)> {
    let path = file(dir).to_string_lossy().into_owned();
    VARIABLES.into_iter().map(move |name| (name.to_owned(), path.clone()))
}
