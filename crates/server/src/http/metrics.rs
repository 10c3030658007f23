//! What is counted, and its form as Prometheus text (OpenMetrics). Labels name links, never people.

use std::fmt;
use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, text::encode};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::control::LinkState;

/// The type of the text.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Bytes of a page of memory, where the kernel counts in them; as on every machine this was built for.
const PAGE_BYTES: u64 = 4096;

/// Everything that is counted, at one moment. Totals since the start.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures {
    /// Seconds since the start.
    pub uptime_seconds: u64,
    /// Connections of clients now, logged in or not.
    pub client_connections: u64,
    /// Sessions of clients now.
    pub sessions: u64,
    /// Sessions of them that wait for their client to come back.
    pub sessions_asleep: u64,
    /// Sessions that their clients have gone on with on another stream.
    pub resumptions: u64,
    /// Rooms led here now.
    pub rooms: u64,
    /// Rooms mirrored here now.
    pub mirrors: u64,
    /// Logins that succeeded.
    pub logins: u64,
    /// Logins that failed.
    pub login_failures: u64,
    /// Stanzas and bytes of clients.
    pub clients: Traffic,
    /// Stanzas of broadcasts that were given to a connection.
    pub deliveries: u64,
    /// Connections cut because their receiver was too slow.
    pub slow_receivers_cut: u64,
    /// Stanzas refused because their sender sent too many.
    pub throttled: u64,
    /// Inputs that wait for the machines now.
    pub inputs_waiting: u64,
    /// Persists and pages of the store.
    pub store: Stored,
    /// Each link.
    pub links: Vec<LinkFigures>,
}

/// Stanzas and bytes, both ways.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Stanzas received.
    pub stanzas_in: u64,
    /// Stanzas sent.
    pub stanzas_out: u64,
    /// Bytes received, as on the socket.
    pub bytes_in: u64,
    /// Bytes sent, as on the socket.
    pub bytes_out: u64,
}

/// What the store has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stored {
    /// Persists made durable.
    pub persisted: u64,
    /// Persists that failed.
    pub failed: u64,
    /// Persists refused because too many waited.
    pub refused: u64,
    /// Transactions.
    pub commits: u64,
    /// Pages read.
    pub queries: u64,
    /// Persists that wait now.
    pub waiting: u64,
}

/// A link to another domain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkFigures {
    /// The other domain.
    pub domain: String,
    /// Whether a stream is open.
    pub live: bool,
    /// How it is, by the streams and by the rooms that cross it.
    pub state: LinkState,
    /// Since when it is so, Unix seconds; `None` where that is not known.
    pub since: Option<i64>,
    /// Rooms that it distributes, in either direction.
    pub rooms: u64,
    /// Stanzas that wait for a stream.
    pub queued: u64,
    /// Stanzas of rooms whose outcome is not known, or that are held.
    pub outbox: u64,
    /// Milliseconds since its replica or its rooms were heard of; `None` where no room is distributed.
    pub lag_ms: Option<u64>,
    /// Registrations that followed a loss.
    pub resumes: u64,
    /// Registrations and users refused, by either side.
    pub refusals: u64,
    /// Times that a mirror was found to differ from its room.
    pub mismatches: u64,
    /// Stanzas and bytes.
    pub traffic: Traffic,
}

/// As Prometheus text.
pub fn text(figures: Figures) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("netjoin");
    registry.register_collector(Box::new(figures));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Site {
    domain: String,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct SiteState {
    domain: String,
    state: String,
}

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let e = &mut encoder;
        gauge(e, "uptime_seconds", "Seconds since the start", self.uptime_seconds)?;
        gauge(e, "client_connections", "Connections of clients, logged in or not", self.client_connections)?;
        gauge(e, "sessions", "Sessions of clients", self.sessions)?;
        let asleep = "Sessions whose connection has broken, and which wait for their client";
        gauge(e, "sessions_asleep", asleep, self.sessions_asleep)?;
        counter(e, "resumptions", "Sessions that a client went on with after its connection broke", self.resumptions)?;
        gauge(e, "rooms", "Rooms led here", self.rooms)?;
        gauge(e, "mirrors", "Rooms mirrored here", self.mirrors)?;
        counter(e, "logins", "Logins that succeeded", self.logins)?;
        counter(e, "login_failures", "Logins that failed", self.login_failures)?;
        counter(e, "client_stanzas_in", "Stanzas received from clients", self.clients.stanzas_in)?;
        counter(e, "client_stanzas_out", "Stanzas sent to clients", self.clients.stanzas_out)?;
        counter(e, "client_bytes_in", "Bytes received from clients", self.clients.bytes_in)?;
        counter(e, "client_bytes_out", "Bytes sent to clients", self.clients.bytes_out)?;
        counter(e, "deliveries", "Stanzas of broadcasts given to a connection", self.deliveries)?;
        counter(e, "slow_receivers_cut", "Connections cut because they did not read", self.slow_receivers_cut)?;
        counter(e, "throttled", "Stanzas refused because their sender sent too many", self.throttled)?;
        gauge(e, "inputs_waiting", "Inputs that wait for the machines", self.inputs_waiting)?;
        self.encode_store(e)?;
        self.encode_links(e)?;
        encode_process(e)
    }
}

impl Figures {
    fn encode_store(&self, e: &mut DescriptorEncoder<'_>) -> fmt::Result {
        counter(e, "store_persisted", "Persists made durable", self.store.persisted)?;
        counter(e, "store_failed", "Persists that failed", self.store.failed)?;
        counter(e, "store_refused", "Persists refused because too many waited", self.store.refused)?;
        counter(e, "store_commits", "Transactions", self.store.commits)?;
        counter(e, "store_queries", "Pages read", self.store.queries)?;
        gauge(e, "store_waiting", "Persists that wait", self.store.waiting)
    }

    fn encode_links(&self, e: &mut DescriptorEncoder<'_>) -> fmt::Result {
        type Of = fn(&LinkFigures) -> u64;
        let gauges: [(&str, &str, Of); 4] = [
            ("link_live", "Whether a stream with the domain is open", |link| link.live.into()),
            ("link_rooms", "Rooms that the link distributes, in either direction", |link| link.rooms),
            ("link_queued", "Stanzas that wait for a stream to the domain", |link| link.queued),
            ("link_outbox", "Stanzas of rooms that the domain has not confirmed or that are held", |link| link.outbox),
        ];
        let counters: [(&str, &str, Of); 7] = [
            ("link_stanzas_in", "Stanzas received from the domain", |link| link.traffic.stanzas_in),
            ("link_stanzas_out", "Stanzas sent to the domain", |link| link.traffic.stanzas_out),
            ("link_bytes_in", "Bytes received from the domain", |link| link.traffic.bytes_in),
            ("link_bytes_out", "Bytes sent to the domain", |link| link.traffic.bytes_out),
            ("link_resumes", "Registrations that followed a loss", |link| link.resumes),
            ("link_refusals", "Registrations and users refused, by either side", |link| link.refusals),
            ("link_mismatches", "Times that a mirror was found to differ from its room", |link| link.mismatches),
        ];
        for (name, help, of) in gauges {
            let metric = |link: &LinkFigures| ConstGauge::<u64>::new(of(link));
            self.per_link(e.encode_descriptor(name, help, None, MetricType::Gauge)?, metric)?;
        }
        for (name, help, of) in counters {
            let metric = |link: &LinkFigures| ConstCounter::<u64>::new(of(link));
            self.per_link(e.encode_descriptor(name, help, None, MetricType::Counter)?, metric)?;
        }
        let help = "Seconds since the replica or the rooms at the domain were heard of";
        self.where_known(e, "link_lag_seconds", help, |link| link.lag_ms.map(|ms| ms as f64 / 1_000.0))?;
        let help = "Unix time since when the link is in its state";
        self.where_known(e, "link_state_timestamp_seconds", help, |link| link.since.map(|since| since as f64))?;
        self.encode_states(e)
    }

    /// A gauge of those links of which it is known: 0 would look like one heard of just now.
    fn where_known(
        &self,
        e: &mut DescriptorEncoder<'_>,
        name: &str,
        help: &str,
        of: impl Fn(&LinkFigures) -> Option<f64>,
    ) -> fmt::Result {
        let mut family = e.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for link in &self.links {
            if let Some(value) = of(link) {
                let site = Site { domain: link.domain.clone() };
                ConstGauge::<f64>::new(value).encode(family.encode_family(&site)?)?;
            }
        }
        Ok(())
    }

    /// 1 for the state that the link is in, 0 for every other.
    fn encode_states(&self, e: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut states = e.encode_descriptor("link_state", "How the link is", None, MetricType::Gauge)?;
        for link in &self.links {
            for state in LinkState::ALL {
                let of = SiteState { domain: link.domain.clone(), state: state.as_str().to_owned() };
                ConstGauge::<u64>::new((link.state == state).into()).encode(states.encode_family(&of)?)?;
            }
        }
        Ok(())
    }

    fn per_link<M: EncodeMetric>(
        &self,
        mut encoder: prometheus_client::encoding::MetricEncoder<'_>,
        metric: impl Fn(&LinkFigures) -> M,
    ) -> fmt::Result {
        for link in &self.links {
            let site = Site { domain: link.domain.clone() };
            metric(link).encode(encoder.encode_family(&site)?)?;
        }
        Ok(())
    }
}

/// What the kernel says of this process; left out where it says nothing.
fn encode_process(e: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let pages = fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|text| text.split_whitespace().nth(1)?.parse::<u64>().ok());
    if let Some(pages) = pages {
        gauge(e, "process_resident_bytes", "Resident memory", pages * PAGE_BYTES)?;
    }
    if let Ok(descriptors) = fs::read_dir("/proc/self/fd") {
        gauge(e, "process_open_descriptors", "Open descriptors", descriptors.count() as u64)?;
    }
    Ok(())
}

fn gauge(e: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    let metric = ConstGauge::<u64>::new(value);
    metric.encode(e.encode_descriptor(name, help, None, MetricType::Gauge)?)
}

fn counter(e: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    let metric = ConstCounter::<u64>::new(value);
    metric.encode(e.encode_descriptor(name, help, None, MetricType::Counter)?)
}
