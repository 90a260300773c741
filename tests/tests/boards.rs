//! What operators look at, in a real Prometheus, while a real server works: no panel and no alert asks for something
//! that is not there.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use zongzi_tests::ffmpeg::Host;
use zongzi_tests::load::Crowd;
use zongzi_tests::prometheus::{Prometheus, selectors};
use zongzi_tests::server::{Options, Server};
use zongzi_tests::source::Clip;
use zongzi_tests::{http, note, place, wait};

/// How long data may take to be there: a few scrapes, some of them with joins.
const DATA_MAX: Duration = Duration::from_secs(30);

#[test]
fn every_expression_of_boards_and_alerts_has_data() {
    let server = Server::start();
    let key = server.key("demo");
    let prometheus = Prometheus::scraping(server.ready.admin);
    let _host = Host::publish(&Clip::SMALL.file(), &server.rtmp_url(), &key.key);
    server.wait_live("demo");
    // One in four decrypts everything and asks for lost packets again; some come and go all the time.
    let how = [
        "--sampled",
        "0.25",
        "--churn-rate",
        "2",
        "--churn-stay",
        "2",
        "--seconds",
        "120",
    ];
    let _viewers = Crowd::come(&server, "demo", 8, &how);

    let expressions = expressions();
    assert!(expressions.len() > 50, "{} expressions", expressions.len());
    let mut missing = Vec::new();
    wait::try_until(DATA_MAX, || {
        missing = without_data(&prometheus, expressions.iter().map(|(_, e)| e.as_str()));
        missing.is_empty().then_some(())
    });
    assert_eq!(missing, Vec::<String>::new(), "panels that stay empty");

    let rules = prometheus.rules();
    assert!(rules.len() >= 10, "{} rules", rules.len());
    let mut inputs = BTreeSet::new();
    for (name, expression, error) in &rules {
        assert_eq!(error, "", "{name}");
        let selectors = selectors(expression);
        assert!(!selectors.is_empty(), "{name} reads nothing of ours");
        inputs.extend(selectors);
    }
    let missing = without_data(&prometheus, inputs.iter().map(String::as_str));
    assert_eq!(
        missing,
        Vec::<String>::new(),
        "alerts that wait for what never comes"
    );
    note(&format!(
        "{} expressions, {} rules, {} inputs",
        expressions.len(),
        rules.len(),
        inputs.len()
    ));

    // What would be found: a misspelt metric, a label that it has not, a sum without a name, and no expression at all.
    let wrong = [
        "sum(rate(zongzi_relay_viewer_opened_total[10s]))",
        "zongzi_relay_viewers{channel=\"demo\"}",
        "sum(rate(zongzi_http_responses_total{class=\"9xx\"}[10s]))",
        "sum(rate(",
    ];
    let found = without_data(&prometheus, wrong.into_iter());
    assert_eq!(found.len(), wrong.len(), "{found:?}");
}

#[test]
fn the_metrics_page_is_as_promtool_wants_it() {
    let server = Options::default()
        .set("metrics.listen", "127.0.0.1:0")
        .start();
    let page = server.metrics();
    let check = |page: &str| {
        use std::io::Write as _;
        use std::process::{Command, Stdio};
        let mut promtool = Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("promtool can be run");
        let mut stdin = promtool.stdin.take().expect("stdin is piped");
        stdin.write_all(page.as_bytes()).expect("promtool reads");
        drop(stdin);
        let output = promtool.wait_with_output().expect("promtool ends");
        let said = [output.stdout, output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&said).into_owned(),
        )
    };
    let (good, said) = check(&page);
    assert!(good, "{said}");
    let (good, _) = check(&page.replace(
        "# TYPE zongzi_relay_viewers gauge",
        "# TYPE zongzi_relay_viewers counter",
    ));
    assert!(!good, "a counter without _total was not found");
    let answer = http::request(
        server.ready.metrics.expect("metrics.listen is set"),
        "GET",
        "/metrics",
        &[],
        "",
    );
    assert_eq!(answer.status, 200, "metrics.listen serves it too");
}

/// All expressions of all boards with the name of their panel, variables replaced as Grafana would.
fn expressions() -> Vec<(String, String)> {
    let dir = place::root().join("deploy/grafana/dashboards");
    let mut all = Vec::new();
    for file in std::fs::read_dir(&dir).expect("the boards are there") {
        let path = file.expect("a folder can be read").path();
        let text = std::fs::read_to_string(&path).expect("a board can be read");
        let board: Value = serde_json::from_str(&text).expect("a board is JSON");
        let panels = board["panels"].as_array().expect("a board has panels");
        for panel in panels.iter().filter(|panel| panel["type"] != "row") {
            let title = panel["title"].as_str().unwrap_or_default();
            let targets = panel["targets"].as_array().expect("a panel has targets");
            assert!(!targets.is_empty(), "{title} shows nothing");
            for target in targets {
                let expression = target["expr"].as_str().unwrap_or_default();
                let expression = expression
                    .replace("$__rate_interval", "10s")
                    .replace("$instance", ".*")
                    .replace("$channel", "demo");
                assert!(!expression.contains('$'), "{title}: {expression}");
                all.push((title.to_owned(), expression));
            }
        }
    }
    all
}

fn without_data<'a>(
    prometheus: &Prometheus,
    expressions: impl Iterator<Item = &'a str>,
) -> Vec<String> {
    expressions
        .filter_map(|expression| match prometheus.values(expression) {
            Ok(values) if values.is_empty() => Some(expression.to_owned()),
            Ok(_) => None,
            Err(error) => Some(format!("{expression}: {error}")),
        })
        .collect()
}
