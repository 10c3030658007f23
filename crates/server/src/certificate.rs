//! Certificates as files: reading a pair, what it says, and making one that is signed by itself.
//!
//! Names by which a server is known are DNS names in the subject's alternatives, RFC 6120 13.7.1.2.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// Longest PEM file that is read, in bytes: a chain is a few thousand, all the authorities of a system half a million.
const PEM_BYTES_MAX: u64 = 4 << 20;
/// A day, in seconds.
const DAY_SECONDS: i64 = 86_400;

/// Why two files are no certificate and key; what goes in front of a remedy.
#[derive(Debug, thiserror::Error)]
pub enum PairError {
    /// The certificate's file.
    #[error("{0}")]
    Certificate(String),
    /// The key's file.
    #[error("{0}")]
    Key(String),
    /// They do not belong together.
    #[error("the key is not that of the certificate")]
    Mismatch,
}

/// What a certificate says.
#[derive(Debug, Clone)]
pub struct Facts {
    /// DNS names, lower case, `*.` for a wildcard.
    pub dns_names: Vec<String>,
    /// Whole days until it ends, negative when it has.
    pub days_left: i64,
}

impl Facts {
    /// Whether it names this domain, itself or by a wildcard for its first label.
    pub fn names(&self, domain: &str) -> bool {
        let ascii = idna::domain_to_ascii(domain).unwrap_or_else(|_| domain.to_owned());
        let parent = ascii.split_once('.').map(|(_, parent)| parent);
        self.dns_names.iter().any(|name| *name == ascii || (parent.is_some() && name.strip_prefix("*.") == parent))
    }
}

/// Reads a certificate with its chain, and the key that belongs to it.
pub fn read_pair(certificate: &Path, key: &Path) -> Result<CertifiedKey, PairError> {
    let chain = read_chain(certificate).map_err(PairError::Certificate)?;
    let key = PrivateKeyDer::from_pem_slice(&read(key).map_err(PairError::Key)?)
        .map_err(|error| PairError::Key(format!("{}: no private key in PEM ({error})", key.display())))?;
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    CertifiedKey::from_der(chain, key, &provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => PairError::Mismatch,
        error => PairError::Key(format!("the key cannot be used ({error})")),
    })
}

/// Reads all certificates of a PEM file; at least one.
pub fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = read(path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        Ok(_) => Err(format!("{}: no certificate in PEM", path.display())),
        Err(error) => Err(format!("{}: not PEM ({error})", path.display())),
    }
}

/// What the first certificate of a pair says.
pub fn facts(pair: &CertifiedKey) -> Result<Facts, String> {
    let leaf = pair.end_entity_cert().map_err(|error| error.to_string())?;
    let (_, leaf) = X509Certificate::from_der(leaf).map_err(|error| format!("is no X.509 certificate ({error})"))?;
    let names = leaf.subject_alternative_name().map_err(|error| format!("has unreadable names ({error})"))?;
    let names = names.map(|names| names.value.general_names.as_slice()).unwrap_or_default();
    let dns_names = names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    });
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
    let seconds_left = leaf.validity().not_after.timestamp() - now;
    Ok(Facts { dns_names: dns_names.collect(), days_left: seconds_left.div_euclid(DAY_SECONDS) })
}

/// Makes a certificate signed by itself, with its key; neither file may be there.
pub fn make(certificate: &Path, key: &Path, domains: &[&str]) -> io::Result<()> {
    let names: Result<Vec<String>, _> = domains.iter().map(|domain| idna::domain_to_ascii(domain)).collect();
    let names = names.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error.to_string()))?;
    let made = rcgen::generate_simple_self_signed(names).map_err(io::Error::other)?;
    write_new(key, made.signing_key.serialize_pem().as_bytes(), 0o600)?;
    write_new(certificate, made.cert.pem().as_bytes(), 0o644)
}

/// Writes a file that must not be there, and makes it durable.
pub fn write_new(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(named)?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(named)
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let about = |error: io::Error| format!("{}: {error}", path.display());
    if fs::metadata(path).map_err(about)?.len() > PEM_BYTES_MAX {
        return Err(format!("{}: longer than {PEM_BYTES_MAX} bytes", path.display()));
    }
    fs::read(path).map_err(about)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_can_be_read_and_names_its_domains() {
        let dir = tempfile::tempdir().unwrap();
        let (certificate, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
        make(&certificate, &key, &["montague.lit", "bücher.example"]).unwrap();
        let facts = facts(&read_pair(&certificate, &key).unwrap()).unwrap();
        assert!(facts.names("montague.lit") && facts.names("bücher.example") && !facts.names("capulet.lit"));
        assert!(facts.days_left > 365);
        assert!(make(&certificate, &key, &["montague.lit"]).is_err(), "nothing is overwritten");
    }

    #[test]
    fn a_wildcard_names_one_label_more() {
        let facts = Facts { dns_names: vec!["*.montague.lit".into()], days_left: 1 };
        assert!(facts.names("chat.montague.lit"));
        assert!(!facts.names("montague.lit") && !facts.names("a.b.montague.lit"));
    }

    #[test]
    fn two_files_of_different_pairs_do_not_match() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        make(&path("a.pem"), &path("a.key"), &["montague.lit"]).unwrap();
        make(&path("b.pem"), &path("b.key"), &["montague.lit"]).unwrap();
        assert!(matches!(read_pair(&path("a.pem"), &path("b.key")), Err(PairError::Mismatch)));
        assert!(matches!(read_pair(&path("none.pem"), &path("b.key")), Err(PairError::Certificate(_))));
        assert!(matches!(read_pair(&path("a.pem"), &path("a.pem")), Err(PairError::Key(_))));
    }
}
