//! The webhook receiver: the person who is told, played by a small HTTP server.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::DemoError;

/// The messages that arrived.
#[derive(Clone, Default)]
pub(crate) struct Inbox {
    messages: Arc<Mutex<Vec<Value>>>,
}

impl Inbox {
    /// Every message so far.
    pub(crate) fn messages(&self) -> Vec<Value> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Receives on a free port of loopback. `broken` refuses every message: one of the links that a test breaks.
    pub(crate) async fn serve(&self, broken: bool) -> Result<SocketAddr, DemoError> {
        let route = if broken { post(refuse) } else { post(receive) };
        let router = Router::new().route("/hook", route).with_state(self.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        telemetry::spawn("demo-inbox", async move {
            let ended = axum::serve(listener, router).await;
            drop(ended);
        });
        Ok(address)
    }
}

async fn receive(State(inbox): State<Inbox>, Json(message): Json<Value>) -> StatusCode {
    inbox.messages.lock().unwrap_or_else(PoisonError::into_inner).push(message);
    StatusCode::OK
}

async fn refuse() -> StatusCode {
    StatusCode::SERVICE_UNAVAILABLE
}
