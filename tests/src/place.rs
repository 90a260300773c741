//! Where things are.

use std::path::{Path, PathBuf};

/// The root of the repository.
pub fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests
        .parent()
        .expect("tests/ is in the repository")
        .to_owned()
}

/// What tests make once and keep: clips, and what `script/test` installed for them.
pub fn cache() -> PathBuf {
    let dir = root().join("tests/.cache");
    std::fs::create_dir_all(&dir).expect("tests/.cache can be made");
    dir
}

/// A program of this workspace, of the same build as the running test, or `$ZONGZI_BIN_DIR`'s.
pub fn program(name: &str) -> PathBuf {
    let dir = std::env::var_os("ZONGZI_BIN_DIR").map_or_else(
        || {
            let exe = std::env::current_exe().expect("a running program has a path");
            // target/PROFILE/deps/test-hash or target/PROFILE/program
            let dir = exe.parent().expect("a program is in a folder");
            if dir.ends_with("deps") {
                dir.parent().expect("deps is in a folder")
            } else {
                dir
            }
            .to_owned()
        },
        PathBuf::from,
    );
    let path = dir.join(name);
    assert!(
        path.exists(),
        "{} is missing: cargo build -p {name} --bin {name}",
        path.display()
    );
    path
}
