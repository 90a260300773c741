//! The curl lines of README, as somebody would paste them.

use std::process::Command;

use serde_json::Value;
use zongzi_tests::note;
use zongzi_tests::server::Server;

const README: &str = include_str!("../../README.md");

/// The block of README with the curl lines: what comes before them, and they.
fn block() -> (Vec<&'static str>, Vec<&'static str>) {
    let block = README
        .split("```")
        .filter_map(|block| block.strip_prefix("sh\n"))
        .find(|block| block.contains("curl "));
    let lines = block.expect("README has curl lines").lines();
    lines.partition(|line| !line.starts_with("curl "))
}

/// Runs a line as it stands, but for where the server is, with curl failing where the API refuses.
fn run(before: &[&str], line: &str, server: &Server) -> Result<Value, String> {
    let script = format!("{}\n{line}", before.join("\n"))
        .replace(
            "http://127.0.0.1:8090",
            &format!("http://{}", server.ready.admin),
        )
        .replace("data/", &format!("{}/", server.data().display()));
    let quiet = "set -eu; curl() { command curl --silent --show-error --fail-with-body \"$@\"; }";
    let output = Command::new("bash")
        .args(["-c", &format!("{quiet}\n{script}")])
        .output()
        .map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        return Err(said + &String::from_utf8_lossy(&output.stderr));
    }
    if said.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(&said).map_err(|error| format!("{error}: {said}"))
}

#[test]
fn the_five_commonest_tasks_work_as_they_stand() {
    let server = Server::start();
    let (before, tasks) = block();
    assert_eq!(tasks.len(), 5);
    let mut key = String::from("KEY_ID");
    for task in tasks {
        let answer = run(&before, &task.replace("KEY_ID", &key), &server);
        let answer = answer.unwrap_or_else(|refused| panic!("{task}\n{refused}"));
        note(&format!("{task}\n{answer}"));
        if let Some(id) = answer["id"].as_str().filter(|id| id.starts_with("key_")) {
            id.clone_into(&mut key);
        }
    }
    assert_ne!(key, "KEY_ID", "none of them makes a key");
    // The last of them revoked it.
    let keys = server.api("GET", "/api/v1/channels/rice-farm/keys", "");
    assert!(keys.body.contains(r#""revoked":"2"#), "{}", keys.body);
}

#[test]
fn a_line_that_is_refused_is_seen() {
    let server = Server::start();
    let (before, _) = block();
    let refused = run(&before, "curl -H \"$auth\" $api/channels/nobody", &server);
    let refused = refused.expect_err("there is no such channel");
    assert!(refused.contains("404"), "{refused}");
}
