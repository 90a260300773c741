//! The API against its own description, read by schemathesis, which knows nothing of Zongzi: it sends what the description
//! allows and what it forbids, and holds each answer against it.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use zongzi_tests::server::Server;
use zongzi_tests::{place, wait};

/// How long it may take on a busy machine; alone it takes ten seconds.
const RUN_MAX: Duration = Duration::from_secs(180);

#[test]
fn the_api_does_what_its_description_says() {
    let server = Server::start();
    server.key("demo");
    let program = place::cache().join("schemathesis/bin/schemathesis");
    assert!(
        program.exists(),
        "{} is missing: script/test --set-up",
        program.display()
    );
    let scratch = tempfile::tempdir().expect("a folder can be made");
    let report = scratch.path().join("report.txt");
    let begun = Instant::now();
    let file = std::fs::File::create(&report).expect("the report can be made");
    let mut run = Command::new(program)
        .arg("--config-file")
        .arg(place::root().join("tests/schemathesis.toml"))
        .arg("run")
        .arg(format!("http://{}/api/openapi.json", server.ready.admin))
        .env("ZONGZI_ADMIN_TOKEN", server.admin_token())
        // It keeps what it found where it runs.
        .current_dir(scratch.path())
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(Stdio::null())
        .spawn()
        .expect("schemathesis can be run");
    let status = wait::until("schemathesis to end", RUN_MAX, || {
        run.try_wait().expect("its end can be waited for")
    });
    let report = std::fs::read_to_string(&report).expect("it reports");
    assert!(status.success(), "{report}");
    println!("{} s: {report}", begun.elapsed().as_secs());
    assert!(
        report.contains("Tested: 31") && report.contains("No issues found"),
        "{report}"
    );
    assert_eq!(server.get("/healthz").status, 200);
}
