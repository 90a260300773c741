//! OTLP 1.0 as JSON: `ExportTraceServiceRequest` (opentelemetry-proto, `collector/trace/v1`), in the mapping that the
//! specification fixes: ids in hexadecimal, 64-bit numbers as text, names in lowerCamelCase.

use serde_json::{Value, json};

use super::trace::{Clock, Trace};

/// The body of a request.
pub(super) fn request(traces: &[Trace], clock: Clock) -> Vec<u8> {
    let spans: Vec<Value> = traces
        .iter()
        .flat_map(|trace| spans(trace, clock))
        .collect();
    let body = json!({
        "resourceSpans": [{
            "resource": { "attributes": [
                attribute("service.name", "zongzi"),
                attribute("service.version", env!("CARGO_PKG_VERSION")),
            ] },
            "scopeSpans": [{ "scope": { "name": "zongzi" }, "spans": spans }],
        }],
    });
    body.to_string().into_bytes()
}

fn spans(trace: &Trace, clock: Clock) -> Vec<Value> {
    let trace_id = format!("{:032x}", rand::random::<u128>());
    let root = span_id();
    let moment = |at| clock.unix_nanos(at).to_string();
    let attributes = trace.attributes.iter();
    let attributes: Vec<Value> = attributes
        .map(|(key, value)| attribute(key, value))
        .collect();
    let mut whole = json!({
        "traceId": trace_id,
        "spanId": root,
        "name": trace.name,
        "kind": KIND_SERVER,
        "startTimeUnixNano": moment(trace.begin),
        "endTimeUnixNano": moment(trace.end()),
        "attributes": attributes,
    });
    if let (Some(error), Some(whole)) = (trace.error, whole.as_object_mut()) {
        whole.insert(
            "status".to_owned(),
            json!({ "code": STATUS_ERROR, "message": error }),
        );
    }
    let mut all = vec![whole];
    let mut begin = trace.begin;
    for (name, end) in &trace.steps {
        all.push(json!({
            "traceId": trace_id,
            "spanId": span_id(),
            "parentSpanId": root,
            "name": name,
            "kind": KIND_INTERNAL,
            "startTimeUnixNano": moment(begin),
            "endTimeUnixNano": moment(*end),
        }));
        begin = *end;
    }
    all
}

/// Not zero, which would be none.
fn span_id() -> String {
    format!("{:016x}", rand::random::<u64>().max(1))
}

fn attribute(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

const KIND_INTERNAL: u8 = 1;
const KIND_SERVER: u8 = 2;
const STATUS_ERROR: u8 = 2;

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn steps_lie_under_their_trace_one_behind_the_other() {
        let begin = Instant::now();
        let at = |millis| begin + Duration::from_millis(millis);
        let trace = Trace {
            name: "join",
            attributes: vec![("zongzi.channel", "tea".to_owned())],
            begin,
            steps: vec![("POST", at(2)), ("ICE", at(10))],
            error: Some("never_connected"),
        };
        let body = request(&[trace], Clock::now());
        let body: Value = serde_json::from_slice(&body).unwrap();
        let spans = body["resourceSpans"][0]["scopeSpans"][0]["spans"]
            .as_array()
            .unwrap();
        let nanos = |span: &Value, key: &str| span[key].as_str().unwrap().parse::<u128>().unwrap();
        let [whole, post, ice] = spans.as_slice() else {
            panic!("{spans:?}");
        };
        assert_eq!(whole["status"]["message"], "never_connected");
        assert_eq!(whole["attributes"][0]["value"]["stringValue"], "tea");
        for step in [post, ice] {
            assert_eq!(step["traceId"], whole["traceId"]);
            assert_eq!(step["parentSpanId"], whole["spanId"]);
        }
        assert_eq!(post["endTimeUnixNano"], ice["startTimeUnixNano"]);
        let length =
            |span: &Value| nanos(span, "endTimeUnixNano") - nanos(span, "startTimeUnixNano");
        assert_eq!(
            [whole, post, ice].map(length),
            [10_000_000, 2_000_000, 8_000_000]
        );
        assert_eq!(whole["traceId"].as_str().unwrap().len(), 32);
        assert_eq!(whole["spanId"].as_str().unwrap().len(), 16);
    }
}
