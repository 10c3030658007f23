//! TLS of ours: a certificate for each domain, by SNI or by the stream's `to`, read again on request.
//!
//! Servers are asked for a certificate and may show any: the handshake proves only that they hold its key, and
//! [`judge`](super::judge) decides afterwards what it is worth (XEP-0178, RFC 6120 13.7.2).

use crate::certificate;
use crate::config::Config;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, DistinguishedName, ServerConfig, ServerConnection,
    SignatureScheme,
};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

/// ALPN of direct TLS, XEP-0368: clients and servers.
const ALPN_CLIENT: &[u8] = b"xmpp-client";
const ALPN_SERVER: &[u8] = b"xmpp-server";
/// That of HTTP.
const ALPN_HTTP: &[u8] = b"http/1.1";

/// Our certificates, ready to use.
pub struct Certificates {
    current: RwLock<Arc<Configs>>,
}

/// What connections are made with, by domain.
struct Configs {
    clients: BTreeMap<String, Arc<ServerConfig>>,
    servers: BTreeMap<String, Arc<ServerConfig>>,
    browsers: BTreeMap<String, Arc<ServerConfig>>,
    outgoing: BTreeMap<String, Arc<ClientConfig>>,
    /// For whoever names no domain, or one that is not ours.
    default: String,
}

/// Whom a stream is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// A client.
    Client,
    /// A server, asked for a certificate.
    Server,
    /// Whoever speaks HTTP.
    Browser,
}

impl Certificates {
    /// Reads what the configuration names; makes what it leaves out.
    pub fn read(config: &Config) -> anyhow::Result<Certificates> {
        Ok(Certificates { current: RwLock::new(Arc::new(Configs::read(config)?)) })
    }

    /// Reads all again; connections that there are keep what they have. On failure nothing changes.
    pub fn reload(&self, config: &Config) -> anyhow::Result<()> {
        let configs = Arc::new(Configs::read(config)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = configs;
        Ok(())
    }

    fn current(&self) -> Arc<Configs> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes a TLS handshake; `domain` is the stream's `to` where it is known.
    pub fn accept(&self, side: Side, domain: Option<&str>) -> Result<rustls::Connection, rustls::Error> {
        let mut connection = ServerConnection::new(self.accepting(side, domain)?)?;
        connection.set_buffer_limit(None);
        Ok(connection.into())
    }

    /// What handshakes are taken with.
    pub fn accepting(&self, side: Side, domain: Option<&str>) -> Result<Arc<ServerConfig>, rustls::Error> {
        let configs = self.current();
        let by_domain = match side {
            Side::Client => &configs.clients,
            Side::Server => &configs.servers,
            Side::Browser => &configs.browsers,
        };
        let config = domain.and_then(|domain| by_domain.get(domain)).or_else(|| by_domain.get(&configs.default));
        config.cloned().ok_or_else(|| rustls::Error::General("no domain is served".into()))
    }

    /// Begins a TLS handshake as `from` with the server of `to`; direct TLS says what it is for (XEP-0368 3).
    pub fn connect(&self, from: &str, to: &str, direct: bool) -> Result<rustls::Connection, rustls::Error> {
        let configs = self.current();
        let config = configs.outgoing.get(from).or_else(|| configs.outgoing.get(&configs.default));
        let config = config.ok_or_else(|| rustls::Error::General("no domain is served".into()))?;
        let name = idna::domain_to_ascii(to).unwrap_or_else(|_| to.to_owned());
        let name = ServerName::try_from(name).map_err(|e| rustls::Error::General(e.to_string()))?;
        let mut config = config.clone();
        if direct {
            Arc::make_mut(&mut config).alpn_protocols = vec![ALPN_SERVER.to_vec()];
        }
        let mut connection = ClientConnection::new(config, name)?;
        connection.set_buffer_limit(None);
        Ok(connection.into())
    }
}

impl Configs {
    fn read(config: &Config) -> anyhow::Result<Configs> {
        let mut keys: BTreeMap<String, Arc<CertifiedKey>> = BTreeMap::new();
        for files in config.certificates() {
            if files.made && !files.certificate.exists() {
                let domains: Vec<&str> = files.domains.iter().map(|domain| domain.as_str()).collect();
                certificate::make(&files.certificate, &files.key, &domains)?;
            }
            let key = Arc::new(certificate::read_pair(&files.certificate, &files.key)?);
            for domain in &files.domains {
                keys.insert(domain.as_str().to_owned(), key.clone());
            }
        }
        let default = config.federated().first().map(|domain| domain.as_str().to_owned()).unwrap_or_default();
        let mut configs = Configs {
            clients: BTreeMap::new(),
            servers: BTreeMap::new(),
            browsers: BTreeMap::new(),
            outgoing: BTreeMap::new(),
            default,
        };
        for (domain, key) in &keys {
            let resolver = Arc::new(BySni { keys: keys.clone(), default: key.clone() });
            configs.clients.insert(domain.clone(), accepting(Side::Client, resolver.clone())?);
            configs.servers.insert(domain.clone(), accepting(Side::Server, resolver.clone())?);
            configs.browsers.insert(domain.clone(), accepting(Side::Browser, resolver)?);
            configs.outgoing.insert(domain.clone(), connecting(key.clone())?);
        }
        Ok(configs)
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn accepting(side: Side, resolver: Arc<BySni>) -> Result<Arc<ServerConfig>, rustls::Error> {
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let builder = match side {
        Side::Client | Side::Browser => builder.with_no_client_auth(),
        Side::Server => builder.with_client_cert_verifier(Arc::new(AnyCertificate(provider()))),
    };
    let mut config = builder.with_cert_resolver(resolver);
    let protocol = match side {
        Side::Client => ALPN_CLIENT,
        Side::Server => ALPN_SERVER,
        Side::Browser => ALPN_HTTP,
    };
    config.alpn_protocols = vec![protocol.to_vec()];
    // Nothing is resumed, so nothing is kept for it.
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

fn connecting(key: Arc<CertifiedKey>) -> Result<Arc<ClientConfig>, rustls::Error> {
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider())))
        .with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(key)));
    Ok(Arc::new(config))
}

/// The certificate of the domain a peer names, else that of the listener's or stream's domain.
#[derive(Debug)]
struct BySni {
    keys: BTreeMap<String, Arc<CertifiedKey>>,
    default: Arc<CertifiedKey>,
}

impl ResolvesServerCert for BySni {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let named = hello.server_name().and_then(|name| {
            let (domain, _) = idna::domain_to_unicode(name);
            self.keys.get(&domain)
        });
        Some(named.unwrap_or(&self.default).clone())
    }
}

/// Takes every certificate whose key the peer proves to hold.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _leaf: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for AnyCertificate {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        _leaf: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        ServerCertVerifier::verify_tls12_signature(self, message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        ServerCertVerifier::verify_tls13_signature(self, message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ServerCertVerifier::supported_verify_schemes(self)
    }
}
