//! A real Prometheus that scrapes the server under test.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::http::{self, Response};
use crate::process::Process;
use crate::{place, wait};

/// How long it may take to start, replaying nothing.
const START_MAX: Duration = Duration::from_secs(20);

/// A running Prometheus (Debian's), with the rules of `deploy/prometheus`.
#[derive(Debug)]
pub struct Prometheus {
    address: SocketAddr,
    _process: Process,
    _dir: TempDir,
}

impl Prometheus {
    /// Starts one that scrapes `target` each second, under the job that the rules name.
    ///
    /// # Panics
    /// When it does not start.
    pub fn scraping(target: SocketAddr) -> Self {
        let dir = tempfile::tempdir().expect("a folder can be made");
        let rules = place::root().join("deploy/prometheus/zongzi.rules.yml");
        let config = format!(
            "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\n\
             rule_files: [{}]\n\
             scrape_configs: [{{ job_name: zongzi, static_configs: [{{ targets: [\"{target}\"] }}] }}]\n",
            rules.display()
        );
        let file = dir.path().join("prometheus.yml");
        std::fs::write(&file, config).expect("a file can be written");
        // Prometheus takes no port 0: one that is free now.
        let address = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a port is free");
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                dir.path().join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let mut process = Process::start(&mut command, &dir.path().join("prometheus.log"));
        wait::until("Prometheus", START_MAX, || {
            assert!(
                process.ended().is_none(),
                "Prometheus ended:\n{}",
                process.said()
            );
            let answer = http::try_request(address, "GET", "/-/ready", &[], "").ok()?;
            (answer.status == 200).then_some(())
        });
        Self {
            address,
            _process: process,
            _dir: dir,
        }
    }

    /// The values that an expression has now, one for each series; what is not a number is left out.
    ///
    /// # Errors
    /// What Prometheus says of an expression that it can't read.
    pub fn values(&self, expression: &str) -> Result<Vec<f64>, String> {
        let path = format!("/api/v1/query?query={}", encoded(expression));
        let answer = self.get(&path);
        let json: Value =
            serde_json::from_str(&answer.body).map_err(|error| format!("no JSON: {error}"))?;
        if json["status"] != "success" {
            return Err(json["error"].to_string());
        }
        let result = &json["data"]["result"];
        let series = result.as_array().map(Vec::as_slice).unwrap_or_default();
        let value = |one: &Value| one["value"][1].as_str()?.parse::<f64>().ok();
        Ok(series
            .iter()
            .filter_map(value)
            .filter(|value| value.is_finite())
            .collect())
    }

    /// All rules: name, expression, and what went wrong at their last evaluation, if anything.
    ///
    /// # Panics
    /// When one has not been evaluated yet after some seconds.
    pub fn rules(&self) -> Vec<(String, String, String)> {
        wait::until("all rules evaluated", START_MAX, || {
            let answer = self.get("/api/v1/rules");
            let json: Value = serde_json::from_str(&answer.body).ok()?;
            let groups = json["data"]["groups"].as_array()?.iter();
            let rules: Vec<_> = groups
                .flat_map(|group| group["rules"].as_array().into_iter().flatten().cloned())
                .collect();
            let text = |rule: &Value, key: &str| rule[key].as_str().unwrap_or_default().to_owned();
            let known = rules.iter().all(|rule| rule["health"] != "unknown");
            (known && !rules.is_empty()).then(|| {
                rules
                    .iter()
                    .map(|rule| {
                        (
                            text(rule, "name"),
                            text(rule, "query"),
                            text(rule, "lastError"),
                        )
                    })
                    .collect()
            })
        })
    }

    fn get(&self, path: &str) -> Response {
        http::request(self.address, "GET", path, &[], "")
    }
}

/// The metrics that an expression reads, each with its labels as they are written there.
pub fn selectors(expression: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut rest = expression;
    let of_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    while let Some(start) = rest.find(of_name) {
        rest = rest.get(start..).unwrap_or_default();
        let end = rest.find(|c| !of_name(c)).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        rest = after;
        let ours = ["zongzi_", "process_", "up"]
            .iter()
            .any(|start| name.starts_with(start));
        if !ours {
            // The words of a label's value are none either: a value follows a name that is.
            continue;
        }
        let labels = after
            .starts_with('{')
            .then(|| after.split_inclusive('}').next())
            .flatten()
            .unwrap_or_default();
        found.insert(format!("{name}{labels}"));
        rest = after.get(labels.len()..).unwrap_or_default();
    }
    found
}

/// As a value in a URL's query (RFC 3986 §2.1).
fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metrics_of_an_expression_are_found_with_their_labels() {
        let found = selectors(
            "histogram_quantile(0.95, sum by (instance, le) (rate(zongzi_a_bucket[5m]))) > 1 and up{job=\"x\"} == 0 or \
             rate(zongzi_b{reason=~\"lost|idle\", up=\"1\"}[5m])",
        );
        let found: Vec<_> = found.into_iter().collect();
        assert_eq!(
            found,
            [
                "up{job=\"x\"}",
                "zongzi_a_bucket",
                "zongzi_b{reason=~\"lost|idle\", up=\"1\"}"
            ]
        );
    }
}
