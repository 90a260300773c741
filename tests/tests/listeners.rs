//! Who can reach what: the operator's listeners are on loopback unless somebody says so twice.

use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use zongzi_tests::place;
use zongzi_tests::process::Process;
use zongzi_tests::server::Options;

/// Within which a server that must not start has said so, on a busy machine.
const SOON: Duration = Duration::from_secs(20);

#[test]
fn an_operator_s_listener_for_the_network_needs_a_second_word() {
    for (key, address) in [
        ("admin.listen", "0.0.0.0:0"),
        ("admin.listen", "[::]:0"),
        ("admin.listen", "192.0.2.1:8090"),
        ("metrics.listen", "0.0.0.0:0"),
    ] {
        let data = tempfile::tempdir().expect("a folder can be made");
        let (status, said) = serve(data.path(), &format!("{key}={address}"));
        assert_eq!(status.code(), Some(2), "{key} {address}: {said}");
        for word in [key, "admin.allow_remote = true", "TLS"] {
            assert!(said.contains(word), "{said}");
        }
        assert_eq!(said.trim_end().lines().count(), 1, "{said}");
        let left = std::fs::read_dir(data.path())
            .expect("it is a folder")
            .count();
        assert_eq!(left, 0, "data were made for a server that did not start");
    }
    let server = Options::default()
        .set("admin.listen", "0.0.0.0:0")
        .set("admin.allow_remote", "true")
        .start();
    assert!(server.ready.admin.ip().is_unspecified());
}

#[test]
fn by_default_the_operator_s_listener_is_on_loopback() {
    let text = std::fs::read_to_string(place::root().join("config/zongzi.toml"))
        .expect("the defaults are there");
    assert!(text.contains("\n[admin]\n"));
    assert!(text.contains("\nlisten = \"127.0.0.1:8090\"\n"), "{text}");
    assert!(text.contains("\nallow_remote = false\n"), "{text}");
}

/// Starts a server that must end by itself; gives how it ended and what it said.
fn serve(data: &Path, setting: &str) -> (ExitStatus, String) {
    let beside = tempfile::tempdir().expect("a folder can be made");
    let mut command = Command::new(place::program("zongzi"));
    command.args(["serve", "--data"]).arg(data);
    for listener in ["rtmp", "http", "media"] {
        command.args(["--set", &format!("{listener}.listen=127.0.0.1:0")]);
    }
    command.args(["--set", setting]).stdout(Stdio::null());
    let mut process = Process::start(&mut command, &beside.path().join("log"));
    let status = process.wait(SOON);
    (status, process.said())
}
