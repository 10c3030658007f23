//! Where clients that know a domain alone find its WebSocket: XEP-0156 2, as XRD and as JSON (RFC 6415).

use super::websocket::Way;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// The relation, XEP-0156 2.1.
const WEBSOCKET: &str = "urn:xmpp:alt-connections:websocket";

/// `/.well-known/host-meta`
pub(super) async fn xml(State(way): State<Way>) -> Response {
    // The configuration takes no URL with characters that XML reserves.
    answer(&way, "application/xrd+xml", |url| {
        format!(
            "<?xml version='1.0' encoding='utf-8'?>\n<XRD xmlns='http://docs.oasis-open.org/ns/xri/xrd-1.0'>\n  \
             <Link rel='{WEBSOCKET}' href='{url}'/>\n</XRD>\n"
        )
    })
}

/// `/.well-known/host-meta.json`
pub(super) async fn json(State(way): State<Way>) -> Response {
    answer(&way, "application/json", |url| json!({ "links": [{ "rel": WEBSOCKET, "href": url }] }).to_string())
}

/// Programs that were loaded from anywhere may read it (XEP-0156 3).
fn answer(way: &Way, kind: &'static str, page: impl FnOnce(&str) -> String) -> Response {
    match &way.edge.config.http.websocket_url {
        Some(url) => {
            let headers = [(header::CONTENT_TYPE, kind), (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")];
            (headers, page(url.as_str())).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
