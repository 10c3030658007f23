//! Stream headers and features, RFC 6120 4.3 and 4.7; STARTTLS, RFC 6120 5.

use super::{Acceptor, Channel, Output, Phase};
use crate::sasl::TLS_EXPORTER;
use crate::stream::error::StreamError;
use crate::stream::wire::{Lang, Opening, TlsPolicy, domain_of};
use crate::{Element, Jid, ns};

impl Acceptor {
    /// The client's header came: ours, then features or an error.
    pub(super) fn opened(&mut self, header: &Element, out: &mut Vec<Output>) -> Result<(), StreamError> {
        let named = header.get("to").and_then(domain_of);
        let domain = named.clone().filter(|named| self.config.domains.contains(named));
        let negotiation = self.negotiation();
        let id = negotiation.seed.text();
        if let Some(domain) = &domain {
            negotiation.domain.clone_from(domain);
        }
        let from = negotiation.domain.clone();
        let to = header.get("from").and_then(|from| Jid::new(from).ok());
        self.wire.open(
            Opening { id: Some(&id), from: Some(&from), to: to.as_ref().map(Jid::as_str), lang: Lang::English },
            out,
        );

        self.wire.check_header(header)?;
        if domain.is_none() {
            let text = match named {
                Some(named) => format!("{named} is not served here"),
                None => "say in 'to' which domain you want".to_owned(),
            };
            return Err(StreamError::new("host-unknown", text));
        }
        version_is_ours(header)?;
        let features = match std::mem::replace(&mut self.phase, Phase::Features) {
            Phase::Header(Some(user)) => {
                self.phase = Phase::Binding(user);
                self.features_authenticated()
            }
            _ => self.features_before(),
        };
        self.wire.send(&features, out);
        Ok(())
    }

    /// RFC 6120 5.4.2.
    pub(super) fn starttls(&mut self, out: &mut Vec<Output>) -> Result<(), StreamError> {
        if !self.may_start_tls() {
            self.wire.send(&Element::new("failure", ns::TLS), out);
            self.wire.end(None, out);
            return Ok(());
        }
        self.wire.send(&Element::new("proceed", ns::TLS), out);
        self.phase = Phase::Securing;
        out.push(Output::StartTls);
        Ok(())
    }

    pub(super) fn secured(&mut self, channel: Channel) {
        self.negotiation().channel = channel;
        self.wire.restart();
        self.phase = Phase::Header(None);
    }

    /// RFC 7395: a WebSocket has TLS below it or not at all.
    fn may_start_tls(&self) -> bool {
        !self.is_secured() && !self.is_framed() && self.config.tls != TlsPolicy::Off
    }

    fn features_before(&self) -> Element {
        let starttls = self.may_start_tls().then(|| {
            let required = (self.config.tls == TlsPolicy::Required).then(|| Element::new("required", ns::TLS));
            Element::new("starttls", ns::TLS).with(required)
        });
        let mut features = Element::new("features", ns::STREAMS).with(starttls);
        if self.private_enough() {
            let mechanism = |m: &crate::sasl::Mechanism| Element::new("mechanism", ns::SASL).text(m.name());
            features.push(Element::new("mechanisms", ns::SASL).with(self.mechanisms().iter().map(mechanism)));
            if self.exporter().is_some() {
                let kind = Element::new("channel-binding", ns::SASL_CB).attr("type", TLS_EXPORTER);
                features.push(Element::new("sasl-channel-binding", ns::SASL_CB).child(kind));
            }
            if self.config.registration {
                features.push(Element::new("register", ns::REGISTER_FEATURE));
            }
        }
        features.child(self.limits_feature(self.config.limits_before.stanza_bytes))
    }

    fn features_authenticated(&self) -> Element {
        // RFC 3921's session is nothing any more; clients that still ask for it learn that they need not.
        let session = Element::new("session", ns::SESSION).child(Element::new("optional", ns::SESSION));
        Element::new("features", ns::STREAMS)
            .child(Element::new("bind", ns::BIND))
            .child(session)
            .child(Element::new("sm", ns::SM))
            .child(Element::new("csi", ns::CSI))
            .child(Element::new("ver", ns::ROSTER_VERSIONS))
            .with(self.config.features.iter().cloned())
            .child(self.limits_feature(self.config.limits.stanza_bytes))
    }

    /// XEP-0478.
    fn limits_feature(&self, stanza_bytes: u32) -> Element {
        let number = |name: &str, n: u32| Element::new(name, ns::STREAM_LIMITS).text(n.to_string());
        Element::new("limits", ns::STREAM_LIMITS)
            .child(number("max-bytes", stanza_bytes))
            .with(self.config.idle_seconds.map(|seconds| number("idle-seconds", seconds)))
    }
}

/// RFC 6120 4.7.5: at least 1.0.
pub(in crate::stream) fn version_is_ours(header: &Element) -> Result<(), StreamError> {
    // "The major and minor numbers MUST be treated as separate integers."
    let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u32>().ok()).flatten();
    let version = header.get("version").and_then(|version| version.split_once('.'));
    match version.map(|(major, minor)| (number(major), number(minor))) {
        Some((Some(1..), Some(_))) => Ok(()),
        _ => Err(StreamError::new("unsupported-version", "version 1.0 is spoken here")),
    }
}
