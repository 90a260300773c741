//! Rules that the compiler doesn't know: which crate may use which, what files may be called and weigh, and lists in the
//! docs that must be whole.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use zongzi_tests::place;

/// Who may use whom (ARCHITECTURE.md, "Arrows"); everything else is forbidden. `zongzi` may use all.
const ARROWS: &[(&str, &[&str])] = &[
    ("media", &[]),
    ("rtmp", &["media"]),
    ("webrtc", &["media"]),
    ("transcode", &["media"]),
    ("http", &[]),
    ("transport", &[]),
    ("relay", &["media", "webrtc", "transport"]),
    ("control", &["media", "http"]),
    ("ingest", &["media", "rtmp", "webrtc", "transport"]),
    ("moq", &["media", "relay"]),
    ("load", &["media", "rtmp", "transport"]),
    ("tests", &[]),
    ("benches", &ALL_BUT_SERVER),
];
/// Benches measure any part, and use the tests' harness.
const ALL_BUT_SERVER: [&str; 10] = [
    "media",
    "rtmp",
    "webrtc",
    "transcode",
    "http",
    "transport",
    "relay",
    "control",
    "ingest",
    "tests",
];
/// Crates without a clock, a socket or a runtime.
const NO_RUNTIME: [&str; 4] = ["media", "rtmp", "webrtc", "transcode"];
/// The largest file that belongs in the repository, in bytes.
const FILE_BYTES_MAX: u64 = 1_000_000;
/// Names that say nothing of a module's subject.
const EMPTY_NAMES: [&str; 6] = ["utils", "util", "common", "misc", "helpers", "manager"];
/// Crates whose every `unsafe` block is at home there (transcode: in its `ffi` module alone).
const UNSAFE: [&str; 2] = ["transport", "transcode"];

#[test]
fn crates_use_only_whom_they_may() {
    let known: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    for (name, uses) in our_crates() {
        if name == "zongzi" {
            continue;
        }
        let may = known
            .get(name.as_str())
            .unwrap_or_else(|| panic!("zongzi-{name} is not in the table of arrows"));
        for other in uses {
            assert!(
                may.contains(&other.as_str()),
                "zongzi-{name} may not use zongzi-{other}"
            );
        }
    }
}

#[test]
fn cores_have_no_runtime() {
    for name in NO_RUNTIME {
        let package = format!("zongzi-{name}");
        let mut command = cargo();
        command.args([
            "tree",
            "--offline",
            "--locked",
            "--package",
            &package,
            "--edges",
            "normal",
            "--prefix",
            "none",
        ]);
        let output = command.output().expect("cargo can be run");
        let tree = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(
            !tree.lines().any(|line| line.starts_with("tokio ")),
            "{package} depends on tokio:\n{tree}"
        );
    }
}

#[test]
fn sans_io_crates_ban_clocks_and_sockets_by_lint() {
    for name in NO_RUNTIME {
        let path = place::root().join(format!("crates/{name}/clippy.toml"));
        let text = std::fs::read_to_string(&path)
            .unwrap_or_else(|_| panic!("{} is missing", path.display()));
        for word in [
            "std::time::Instant::now",
            "std::time::SystemTime::now",
            "std::collections::HashMap",
        ] {
            assert!(
                text.contains(word),
                "{} does not ban {word}",
                path.display()
            );
        }
    }
}

#[test]
fn files_are_small_and_named_by_their_subject() {
    for path in our_files() {
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let folder = path
            .parent()
            .and_then(Path::file_name)
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        for empty in EMPTY_NAMES {
            assert!(
                name != empty && folder != empty,
                "{}: a name that says nothing",
                path.display()
            );
        }
        let bytes = std::fs::metadata(place::root().join(&path)).map_or(0, |meta| meta.len());
        assert!(
            bytes <= FILE_BYTES_MAX,
            "{} has {bytes} bytes",
            path.display()
        );
    }
}

#[test]
fn unsafe_code_stays_where_it_lives() {
    for (name, _) in our_crates()
        .into_iter()
        .filter(|(name, _)| !UNSAFE.contains(&name.as_str()))
    {
        let crates = place::root().join("crates").join(&name).join("src");
        for root in ["lib.rs", "main.rs"] {
            if let Ok(text) = std::fs::read_to_string(crates.join(root)) {
                assert!(
                    text.contains("#![forbid(unsafe_code)]"),
                    "crates/{name}/src/{root} does not forbid unsafe code"
                );
            }
        }
    }
}

#[test]
fn nothing_is_left_to_do_later() {
    let marks = ["TO", "FIX", "XX"].map(|start| {
        format!(
            "{start}{}",
            if start == "TO" {
                "DO"
            } else if start == "FIX" {
                "ME"
            } else {
                "X"
            }
        )
    });
    for path in our_files().into_iter().filter(|path| is_text(path)) {
        let Ok(text) = std::fs::read_to_string(place::root().join(&path)) else {
            continue;
        };
        for mark in &marks {
            let found = text
                .split(|c: char| !c.is_alphanumeric())
                .any(|word| word == mark);
            assert!(!found, "{} has a {mark}", path.display());
        }
    }
}

#[test]
fn every_doc_is_reached_from_the_readme_and_every_link_leads_somewhere() {
    let files: BTreeSet<PathBuf> = our_files().into_iter().collect();
    let docs: Vec<&PathBuf> = files
        .iter()
        .filter(|path| path.extension().is_some_and(|ext| ext == "md"))
        .collect();
    let mut linked = BTreeSet::from([PathBuf::from("README.md")]);
    for doc in &docs {
        let text = std::fs::read_to_string(place::root().join(doc)).unwrap_or_default();
        for link in links(&text) {
            let target = normal(&doc.parent().unwrap_or_else(|| Path::new("")).join(&link));
            assert!(
                place::root().join(&target).exists(),
                "{} links to {link}, which is not there",
                doc.display()
            );
            linked.insert(target);
        }
    }
    for doc in docs {
        let by_folder = doc
            .ancestors()
            .skip(1)
            .any(|folder| linked.contains(folder) && folder != Path::new(""));
        assert!(
            linked.contains(doc) || by_folder,
            "no page links to {}",
            doc.display()
        );
    }
}

// ---- the facts ----

fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(place::root());
    command
}

/// Each crate of ours, without its prefix, and those of ours that it uses in any way.
fn our_crates() -> Vec<(String, Vec<String>)> {
    let output = cargo()
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .output();
    let output = output.expect("cargo can be run");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value =
        serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    let name = |value: &Value| {
        let name = value["name"].as_str()?;
        Some(
            name.strip_prefix("zongzi-")
                .or_else(|| (name == "zongzi").then_some(name))?
                .to_owned(),
        )
    };
    let packages = metadata["packages"]
        .as_array()
        .expect("cargo metadata lists packages");
    packages
        .iter()
        .filter_map(|package| {
            let uses = package["dependencies"]
                .as_array()?
                .iter()
                .filter_map(name)
                .collect();
            Some((name(package)?, uses))
        })
        .collect()
}

/// Every file that git knows or would add.
fn our_files() -> Vec<PathBuf> {
    let mut command = Command::new("git");
    command.current_dir(place::root()).args([
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
        "-z",
    ]);
    let output = command.output().expect("git can be run");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let all = text
        .split('\0')
        .filter(|path| !path.is_empty())
        .map(PathBuf::from);
    all.filter(|path| place::root().join(path).exists())
        .collect()
}

fn is_text(path: &Path) -> bool {
    let known = ["rs", "toml", "md", "js", "mjs", "html", "css", "sh", "json"];
    path.extension()
        .is_none_or(|ext| known.iter().any(|known| ext == *known))
}

/// The targets of a page's links to files.
fn links(text: &str) -> Vec<String> {
    let targets = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    let files = targets.map(|target| target.split('#').next().unwrap_or_default().to_owned());
    files
        .filter(|target| {
            !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:")
        })
        .collect()
}

/// The path without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out
}
