//! `GET /tail`: rows as they come, as Server-Sent Events, or over a WebSocket.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{FromRequest as _, Query, Request, State};
use axum::http::header::UPGRADE;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use engine::{Language, QueryRequest, Tail, TailEvent, row_json};
use futures::{SinkExt as _, StreamExt as _, stream};
use serde::Deserialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::request::Tenant;
use crate::{Api, ApiError};

/// How often a tail without rows says that it is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What is followed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TailQuery {
    #[serde(default)]
    query: String,
    #[serde(default)]
    language: Language,
}

/// Starts a tail. A query that can not be followed is an error with its status, before anything is sent.
pub(crate) async fn tail(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Query(asked): Query<TailQuery>,
    asking: Request,
) -> Result<Response, ApiError> {
    let mut request = QueryRequest::new(tenant, asked.query, telemetry::clock::now());
    request.language = asked.language;
    let tail = api.engine.tail(request).await?;
    if asking.headers().contains_key(UPGRADE) {
        return Ok(match WebSocketUpgrade::from_request(asking, &()).await {
            Ok(upgrade) => upgrade.on_upgrade(|socket| over_socket(socket, tail)),
            Err(refused) => refused.into_response(),
        });
    }
    let events = stream::unfold(Some(tail), |tail| async move {
        let mut tail = tail?;
        Some(match tail.next().await {
            Ok(event) => (Ok::<_, Infallible>(sse(&event)), Some(tail)),
            Err(error) => (Ok(Event::default().event("error").data(ApiError::from(error).to_line())), None),
        })
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

/// The name of an event and its JSON.
fn told(event: &TailEvent) -> (&'static str, String) {
    match event {
        TailEvent::Rows(batches) => {
            let mut text = String::from("{\"rows\":[");
            let mut first = true;
            for batch in batches {
                for row in 0..batch.num_rows() {
                    if !first {
                        text.push(',');
                    }
                    row_json(batch, row, &mut text);
                    first = false;
                }
            }
            text.push_str("]}");
            ("rows", text)
        }
        TailEvent::Dropped { dropped, sampled } => {
            ("dropped", json!({"dropped": dropped, "sampled": sampled}).to_string())
        }
    }
}

fn sse(event: &TailEvent) -> Event {
    let (name, data) = told(event);
    // JSON has no line breaks of its own, so this is one line.
    Event::default().event(name).data(data)
}

/// One text message for each event: what the Server-Sent Event says, under the event's name.
async fn over_socket(socket: WebSocket, mut tail: Tail) {
    let (mut send, mut receive) = socket.split();
    // What the other side says is read apart, so that it never interrupts the wait for rows.
    let closed = CancellationToken::new();
    let seen = closed.clone();
    let reader = telemetry::spawn("tail-socket", async move {
        while let Some(Ok(said)) = receive.next().await {
            if matches!(said, Message::Close(_)) {
                break;
            }
        }
        seen.cancel();
    });
    loop {
        let event = tokio::select! {
            () = closed.cancelled() => break,
            event = tail.next() => event,
        };
        let (name, data, last) = match event {
            Ok(event) => {
                let (name, data) = told(&event);
                (name, data, false)
            }
            Err(error) => ("error", ApiError::from(error).to_line(), true),
        };
        let message = format!("{{\"event\":\"{name}\",{}", data.trim_start_matches('{'));
        if send.send(Message::Text(message.into())).await.is_err() || last {
            break;
        }
    }
    // The other side may be gone, and then nobody needs to know.
    let _ = send.close().await;
    reader.abort();
}
