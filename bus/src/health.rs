//! `/healthz`, `/readyz` and `/metrics` over HTTP.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::metrics::Metrics;
use crate::run::BusError;

/// Serves until `cancel`; `address` is `host:port`, port 0 for any.
pub(crate) async fn serve(address: &str, metrics: Arc<Metrics>, cancel: CancellationToken) -> Result<(), BusError> {
    let failed = |source| BusError::Health { address: address.to_owned(), source };
    let listener = tokio::net::TcpListener::bind(address).await.map_err(failed)?;
    info!(address = %listener.local_addr().map_err(failed)?, "health and metrics are served");
    let ready = Arc::clone(&metrics);
    let app = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route(
            "/readyz",
            get(move || async move {
                let status = if ready.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
                (status, ready.state() + "\n")
            }),
        )
        .route("/metrics", get(move || async move { metrics.text() }));
    tokio::spawn(async move {
        let served = axum::serve(listener, app).with_graceful_shutdown(cancel.cancelled_owned()).await;
        if let Err(error) = served {
            tracing::error!(error = %error, "health endpoint stopped");
        }
    });
    Ok(())
}
