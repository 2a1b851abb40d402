//! TLS that is opened: the session's own authority, in memory alone, and certificates of it for each host.
//!
//! Only tunnels to port 443 are opened, for names that [`crate::Gate::opens`]; what is inside is judged request
//! by request as plain HTTP is, and a provider's traffic goes the way of `/llm/NAME`. The server's own
//! certificate is verified as ever.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;

use super::server::{self, Failure, Place, Shared};
use crate::gate::{Client, Meant};
use crate::host::Authority;

/// Hosts whose certificates are kept.
const KEPT: usize = 256;

/// Why TLS cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum InterceptError {
    /// A certificate cannot be made.
    #[error("a certificate cannot be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// TLS cannot be set up with it.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// The key is of no kind that is known.
    #[error("a key cannot be used: {0}")]
    Key(&'static str),
}

/// Makes certificates.
pub(crate) struct Interceptor {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    /// Of all certificates for hosts.
    key: KeyPair,
    made: Mutex<HashMap<String, Arc<ServerConfig>>>,
}

impl Interceptor {
    /// An authority that nobody else has.
    pub(crate) fn new() -> Result<Interceptor, InterceptError> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "agentsh session");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let pem = params.self_signed(&key)?.pem();
        Ok(Interceptor {
            issuer: Issuer::new(params, key),
            pem,
            key: KeyPair::generate()?,
            made: Mutex::default(),
        })
    }

    /// The authority's certificate.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    fn config(&self, host: &str) -> Result<Arc<ServerConfig>, InterceptError> {
        let lock = || self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = lock().get(host) {
            return Ok(Arc::clone(config));
        }
        let mut params = CertificateParams::new(vec![host.to_owned()])?;
        params.distinguished_name.push(DnType::CommonName, host);
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&self.key, &self.issuer)?;
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).map_err(InterceptError::Key)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let config = Arc::new(config);
        let mut made = lock();
        if made.len() >= KEPT {
            made.clear();
        }
        made.insert(host.to_owned(), Arc::clone(&config));
        Ok(config)
    }

    /// Speaks TLS as `host` and serves what is inside; `meant`: on a connection that its program meant for it.
    pub(super) fn serve<'a, S>(
        &'a self,
        shared: &'a Arc<Shared>,
        client: &'a Arc<Client>,
        (host, meant): (Authority, Option<Meant>),
        stream: S,
    ) -> Pin<Box<dyn Future<Output = Result<(), Failure>> + Send + 'a>>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        // What is inside may again be a tunnel as far as types can tell.
        Box::pin(async move {
            let config = self.config(&host.host)?;
            let stream = TlsAcceptor::from(config).accept(stream).await?;
            server::speak(shared, client, Arc::new(Place::Inside(host, meant)), stream).await
        })
    }
}
