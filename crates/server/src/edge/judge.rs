//! What another server's certificate is worth: whether someone we trust vouches that it is a domain's.
//!
//! RFC 6120 13.7.2 and XEP-0178. Names that count: DNS names with wildcards, SRVName for a server's service
//! (RFC 4985), xmppAddr (RFC 6120 13.7.1.4). The usage clientAuth is not asked for: public authorities do not
//! issue it any more.

use crate::certificate;
use rustls::pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use std::path::Path;
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage};
use x509_parser::der_parser::asn1_rs::{Any, FromDer as _};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::X509Certificate;

/// `id-on-xmppAddr`, RFC 6120 13.7.1.4.
const XMPP_ADDR: &str = "1.3.6.1.5.5.7.8.5";
/// `id-on-dnsSRV`, RFC 4985 2.
const DNS_SRV: &str = "1.3.6.1.5.5.7.8.7";
/// The service of servers in an SRVName.
const SRV_SERVICE: &str = "_xmpp-server.";

/// The authorities that are trusted.
pub struct Judge {
    roots: Vec<TrustAnchor<'static>>,
}

impl Judge {
    /// The system's authorities and those of a PEM file.
    pub fn new(ca: Option<&Path>) -> anyhow::Result<Judge> {
        let system = rustls_native_certs::load_native_certs();
        for error in &system.errors {
            tracing::warn!(%error, "some authorities of the system cannot be read");
        }
        let mut authorities = system.certs;
        if let Some(ca) = ca {
            authorities.extend(certificate::read_chain(ca).map_err(anyhow::Error::msg)?);
        }
        let roots = authorities.iter().filter_map(|der| Some(webpki::anchor_from_trusted_cert(der).ok()?.to_owned()));
        Ok(Judge { roots: roots.collect() })
    }

    /// Whether a chain, leaf first, is trusted and names `domain`.
    pub fn vouches(&self, chain: &[CertificateDer<'_>], domain: &str) -> bool {
        let Some((leaf, intermediates)) = chain.split_first() else { return false };
        self.trusts(leaf, intermediates) && names(leaf, domain)
    }

    fn trusts(&self, leaf: &CertificateDer<'_>, intermediates: &[CertificateDer<'_>]) -> bool {
        let Ok(leaf) = EndEntityCert::try_from(leaf) else { return false };
        let now = UnixTime::now();
        [KeyUsage::server_auth(), KeyUsage::client_auth()].into_iter().any(|usage| {
            leaf.verify_for_usage(ALL_VERIFICATION_ALGS, &self.roots, intermediates, now, usage, None, None).is_ok()
        })
    }
}

/// Whether a certificate names a domain as a server's.
fn names(leaf: &CertificateDer<'_>, domain: &str) -> bool {
    let ascii = idna::domain_to_ascii(domain).unwrap_or_else(|_| domain.to_owned());
    let by_dns = EndEntityCert::try_from(leaf).is_ok_and(|parsed| {
        ServerName::try_from(ascii.as_str()).is_ok_and(|name| parsed.verify_is_valid_for_subject_name(&name).is_ok())
    });
    by_dns || names_otherwise(leaf, domain, &ascii)
}

fn names_otherwise(leaf: &CertificateDer<'_>, domain: &str, ascii: &str) -> bool {
    let Ok((_, leaf)) = X509Certificate::from_der(leaf) else { return false };
    let Ok(Some(names)) = leaf.subject_alternative_name() else { return false };
    names.value.general_names.iter().any(|name| {
        let GeneralName::OtherName(oid, value) = name else { return false };
        let Some(text) = other_name(value) else { return false };
        match oid.to_id_string().as_str() {
            XMPP_ADDR => xmpp::Jid::new(&text).is_ok_and(|jid| jid.as_str() == domain),
            DNS_SRV => text.strip_prefix(SRV_SERVICE).is_some_and(|named| named.eq_ignore_ascii_case(ascii)),
            _ => false,
        }
    })
}

/// The string within `[0] EXPLICIT`, UTF8String or IA5String alike.
fn other_name(value: &[u8]) -> Option<String> {
    let (_, outer) = Any::from_der(value).ok()?;
    let (_, inner) = Any::from_der(outer.data).ok()?;
    std::str::from_utf8(inner.data).ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};

    /// RFC 6120 13.7.2: signed by an authority that is trusted, for this name, and not over.
    #[test]
    fn certificates_that_are_over_or_of_another_name_prove_nothing() {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("ca.pem"), authority.pem()).unwrap();
        let judge = Judge::new(Some(&dir.path().join("ca.pem"))).unwrap();
        let vouches = |change: fn(&mut CertificateParams), domain: &str| {
            let mut params = CertificateParams::new(["montague.lit".to_owned()]).unwrap();
            change(&mut params);
            let signed = params.signed_by(&KeyPair::generate().unwrap(), &authority).unwrap();
            judge.vouches(&[signed.der().clone()], domain)
        };
        assert!(vouches(|_| (), "montague.lit"));
        assert!(!vouches(|_| (), "capulet.lit"));
        assert!(!vouches(|params| params.not_after = date_time_ymd(2021, 1, 1), "montague.lit"));
        assert!(!vouches(|params| params.not_before = date_time_ymd(2095, 1, 1), "montague.lit"));
    }
}
