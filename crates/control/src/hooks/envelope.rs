use std::time::{SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::Serialize;
use zongzi_http::Timestamp;

use super::SigningKey;
use super::delivery::Outgoing;
use crate::events::Event;

/// The media type of a CloudEvent in structured mode (CloudEvents HTTP binding 1.0 §3.2).
const MEDIA_TYPE: &str = "application/cloudevents+json; charset=utf-8";
/// The `source` of all events.
const SOURCE: &str = "/zongzi";

/// A CloudEvent, CloudEvents 1.0 JSON format §2.
#[derive(Serialize)]
struct CloudEvent<'a, T> {
    specversion: &'static str,
    id: &'a str,
    source: &'static str,
    #[serde(rename = "type")]
    kind: &'a str,
    time: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    datacontenttype: &'static str,
    data: T,
}

/// The document that stands for something: `id` is its name, `subject` the channel that it is about.
pub(super) fn document(
    id: &str,
    kind: &str,
    time: Timestamp,
    subject: Option<&str>,
    data: impl Serialize,
) -> String {
    let document = CloudEvent {
        specversion: "1.0",
        id,
        source: SOURCE,
        kind,
        time,
        subject,
        datacontenttype: "application/json",
        data,
    };
    serde_json::to_string(&document).expect("text, numbers and lists always serialize")
}

/// What is posted for an event.
pub(super) fn of_event(event: &Event) -> Outgoing {
    let kind = event.what.kind();
    Outgoing {
        event: event.id.to_string(),
        kind,
        body: document(
            event.id.as_str(),
            kind.as_str(),
            event.at,
            event.what.channel().map(zongzi_media::ChannelName::as_str),
            &event.what,
        ),
    }
}

/// The headers of a post of `body` that leaves now (Standard Webhooks, "Webhook headers").
pub(super) fn headers(id: &str, body: &str, key: &SigningKey) -> HeaderMap {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = now.map_or(0, |since| since.as_secs());
    let signature = key.sign(id, seconds, body.as_bytes());
    let text = |text: &str| HeaderValue::try_from(text).expect("ids and base64 are plain ASCII");
    HeaderMap::from_iter([
        (header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE)),
        (
            header::USER_AGENT,
            HeaderValue::from_static(concat!("zongzi/", env!("CARGO_PKG_VERSION"))),
        ),
        (HeaderName::from_static("webhook-id"), text(id)),
        (
            HeaderName::from_static("webhook-timestamp"),
            HeaderValue::from(seconds),
        ),
        (
            HeaderName::from_static("webhook-signature"),
            text(&signature),
        ),
    ])
}
