//! Hooks as a client of the API sees them.

use http::{StatusCode, header};
use serde_json::{Value, json};

use super::tests::{Bench, value};
use crate::events::Kind;
use crate::hooks::Outgoing;
use crate::store::Outbox as _;

const HOOKS: &str = "/api/v1/hooks";

#[tokio::test]
async fn a_hook_shows_its_secret_once_and_is_changed_by_who_has_read_it_last() {
    let bench = Bench::new().await;
    let body = json!({
        "url": "https://example.com/x",
        "events": ["key.revoked", "broadcast.started", "key.revoked"],
        "label": "shop",
    });
    let response = bench.send("POST", HOOKS, &[], body).await;
    assert_eq!(response.status(), StatusCode::CREATED);
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    let first = response.headers()[header::ETAG]
        .to_str()
        .unwrap()
        .to_owned();
    let path = response.headers()[header::LOCATION]
        .to_str()
        .unwrap()
        .to_owned();
    let made = value(response).await;
    let secret = made["secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_"), "{secret}");
    assert_eq!(made["events"], json!(["broadcast.started", "key.revoked"]));
    for path in [HOOKS, &path] {
        let read = bench.ask("GET", path, Value::Null).await.1.to_string();
        assert!(
            read.contains("https://example.com/x") && !read.contains("whsec_"),
            "{read}"
        );
        assert!(!read.contains("salt"), "{read}");
    }

    let matching = [("if-match", first.as_str())];
    let patch = json!({"enabled": false, "events": []});
    let changed = bench.send("PATCH", &path, &matching, patch.clone()).await;
    assert_eq!(changed.status(), StatusCode::OK);
    assert_ne!(changed.headers()[header::ETAG], first);
    let changed = value(changed).await;
    assert_eq!(
        (&changed["enabled"], &changed["events"], &changed["label"]),
        (&json!(false), &json!([]), &json!("shop"))
    );
    for method in ["PATCH", "DELETE"] {
        let late = bench.send(method, &path, &matching, patch.clone()).await;
        assert_eq!(late.status(), StatusCode::PRECONDITION_FAILED, "{method}");
    }
    assert_eq!(bench.ask("DELETE", &path, Value::Null).await.0, 204);
    let (status, problem) = bench.ask("GET", &path, Value::Null).await;
    assert_eq!(
        (status, &problem["type"]),
        (404, &json!("/problems/hook-unknown"))
    );
}

#[tokio::test]
async fn dead_letters_are_listed_by_page_and_posted_again_when_asked_to() {
    let bench = Bench::new().await;
    let made = bench
        .ask("POST", HOOKS, json!({"url": "https://example.com/"}))
        .await
        .1;
    let dead = format!("{HOOKS}/{}/dead-letters", made["id"].as_str().unwrap());
    let store = bench.control.store();
    let documents = (0..3).map(|number| Outgoing {
        event: format!("evt_{number}"),
        kind: Kind::KeyCreated,
        body: "{}".to_owned(),
    });
    let now = std::time::SystemTime::now().into();
    store.enqueue(documents.collect(), now).await.unwrap();
    for _ in 0..3 {
        let due = store.backlog(now).await.unwrap().due.remove(0);
        let why = "answered 500".to_owned();
        store.failed(due.delivery.id, None, why, now).await.unwrap();
    }
    let page = bench
        .ask("GET", &format!("{dead}?limit=2"), Value::Null)
        .await
        .1;
    let items = page["items"].as_array().unwrap();
    assert_eq!(
        (items.len(), &items[0]["event"], &items[0]["error"]),
        (2, &json!("evt_0"), &json!("answered 500"))
    );
    let rest = format!("{dead}?limit=2&after={}", page["next"].as_str().unwrap());
    let rest = bench.ask("GET", &rest, Value::Null).await.1;
    assert_eq!(
        (&rest["items"][0]["event"], &rest["next"]),
        (&json!("evt_2"), &Value::Null)
    );
    let again = format!("{dead}/{}/redeliver", items[0]["id"].as_str().unwrap());
    let (status, redelivered) = bench.ask("POST", &again, Value::Null).await;
    assert_eq!((status, &redelivered["attempts"]), (202, &json!(0)));
    let (status, problem) = bench.ask("POST", &again, Value::Null).await;
    assert_eq!(
        (status, &problem["type"]),
        (404, &json!("/problems/delivery-unknown"))
    );
    assert_eq!(store.backlog(now).await.unwrap().waiting, 1);
}

#[tokio::test]
async fn what_makes_no_hook_is_refused_in_words() {
    let bench = Bench::new().await;
    for body in [
        json!({}),
        json!({"url": "example.com"}),
        json!({"url": "ftp://example.com/"}),
        json!({"url": "https://me@example.com/"}),
        json!({"url": "https://example.com/", "events": ["broadcast.exploded"]}),
        json!({"url": "https://example.com/", "secret": "mine"}),
    ] {
        let (status, problem) = bench.ask("POST", HOOKS, body.clone()).await;
        assert_eq!(status, 422, "{body}: {problem}");
    }
    for path in ["/hook_none/dead-letters", "/hook_none"] {
        let path = format!("{HOOKS}{path}");
        assert_eq!(bench.ask("GET", &path, Value::Null).await.0, 404, "{path}");
    }
}
