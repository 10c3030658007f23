//! HTTP for the operator: `/health` and `/metrics`.
//!
//! - [`Source`], what the running server implements
//! - [`Figures`], everything that is counted; [`metrics`] writes it as Prometheus text

mod metrics;

use std::io;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use serde_json::json;
use tokio::net::TcpListener;

pub use metrics::{Figures, LinkFigures, Stored, Traffic};

/// The running server, as HTTP sees it.
pub trait Source: Send + Sync + 'static {
    /// What does not work now, a sentence each; empty when all of it does.
    fn faults(&self) -> Vec<String>;

    /// What was counted until now.
    fn figures(&self) -> Pin<Box<dyn Future<Output = Figures> + Send + '_>>;
}

/// Answers on a listener until it is dropped.
pub async fn serve(listener: TcpListener, source: Arc<dyn Source>) -> io::Result<()> {
    axum::serve(listener, router(source)).await
}

/// The paths there are.
pub fn router(source: Arc<dyn Source>) -> Router {
    Router::new().route("/health", get(health)).route("/metrics", get(figures)).with_state(source)
}

/// 200 only when all works, else 503 with the reasons.
async fn health(State(source): State<Arc<dyn Source>>) -> impl IntoResponse {
    let faults = source.faults();
    let status = if faults.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, axum::Json(json!({ "ok": faults.is_empty(), "reasons": faults })))
}

async fn figures(State(source): State<Arc<dyn Source>>) -> impl IntoResponse {
    match metrics::text(source.figures().await) {
        Ok(text) => ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

#[cfg(test)]
mod tests;
