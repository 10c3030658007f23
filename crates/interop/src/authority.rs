//! A certificate authority for one test.

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd};
use std::path::{Path, PathBuf};

/// An authority that its tests' servers and clients trust, and nobody else.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: PathBuf,
}

/// A certificate and its key, as PEM files.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Authority {
    /// A new one; its own certificate is written into `folder/ca.pem`.
    pub fn new(folder: &Path) -> Result<Authority> {
        let mut params = CertificateParams::new(Vec::new())?;
        set_end(&mut params);
        params.distinguished_name.push(DnType::CommonName, "Authority of a test");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let certificate = folder.join("ca.pem");
        std::fs::write(&certificate, params.self_signed(&key)?.pem())?;
        Ok(Authority { issuer: Issuer::new(params, key), certificate })
    }

    /// The authority's own certificate, PEM.
    pub fn certificate(&self) -> &Path {
        &self.certificate
    }

    /// Signs a certificate for these domains; writes both files into `folder`.
    pub fn sign(&self, folder: &Path, domains: &[&str]) -> Result<Pair> {
        let (params, key) = request(domains)?;
        write(folder, domains[0], &params.signed_by(&key, &self.issuer)?.pem(), &key)
    }
}

/// A certificate that nobody vouches for.
pub fn self_signed(folder: &Path, domains: &[&str]) -> Result<Pair> {
    let (params, key) = request(domains)?;
    write(folder, domains[0], &params.self_signed(&key)?.pem(), &key)
}

fn request(domains: &[&str]) -> Result<(CertificateParams, KeyPair)> {
    let mut params = CertificateParams::new(domains.iter().map(|d| d.to_string()).collect::<Vec<_>>())?;
    set_end(&mut params);
    params.distinguished_name.push(DnType::CommonName, domains[0]);
    Ok((params, KeyPair::generate()?))
}

/// ejabberd has a timer for the end of a certificate, which takes none as far off as the usual one.
fn set_end(params: &mut CertificateParams) {
    params.not_after = date_time_ymd(2099, 12, 31);
}

fn write(folder: &Path, name: &str, certificate: &str, key: &KeyPair) -> Result<Pair> {
    std::fs::create_dir_all(folder)?;
    let pair = Pair { certificate: folder.join(format!("{name}.crt")), key: folder.join(format!("{name}.key")) };
    std::fs::write(&pair.certificate, certificate)?;
    std::fs::write(&pair.key, key.serialize_pem())?;
    Ok(pair)
}
