//! Who can reach what: the operator's listeners are on loopback unless somebody says so twice.

use zongzi_tests::place;
use zongzi_tests::server::Options;

#[test]
fn an_operator_s_listener_for_the_network_needs_a_second_word() {
    for (key, address) in [
        ("admin.listen", "0.0.0.0:0"),
        ("admin.listen", "[::]:0"),
        ("admin.listen", "192.0.2.1:8090"),
        ("metrics.listen", "0.0.0.0:0"),
    ] {
        let data = tempfile::tempdir().expect("a folder can be made");
        let (status, said) = Options::default().set(key, address).refused(data.path());
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
