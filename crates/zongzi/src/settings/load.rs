use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::Settings;

/// What overrides the file: pairs of a dotted key and a value, and where they came from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Overrides {
    /// `ZONGZI__SECTION__KEY` variables.
    pub(crate) environment: Vec<(String, String)>,
    /// Flags, as (flag for the error text, dotted key, value).
    pub(crate) flags: Vec<(String, String, String)>,
}

/// Why the settings can't be used. Each text names the key and the place that set it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error("can't read the settings file {}: {source}", std::path::absolute(path).unwrap_or_else(|_| path.clone()).display())]
    Unreadable {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("settings file {path}: {message}")]
    File { path: PathBuf, message: String },
    #[error("{place}: {message}")]
    Override { place: String, message: String },
}

/// Reads the settings: defaults, then `file`, then environment, then flags.
pub(crate) fn load(file: Option<&Path>, overrides: &Overrides) -> Result<Settings, SettingsError> {
    let mut table = Table::new();
    if let Some(path) = file {
        let in_file = |message: String| SettingsError::File {
            path: path.to_owned(),
            message,
        };
        let text = std::fs::read_to_string(path).map_err(|source| SettingsError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        table = text
            .parse()
            .map_err(|error: toml::de::Error| in_file(one_line(&text, &error)))?;
        // Typed from the text, so that the error can say the line.
        toml::from_str::<Settings>(&text).map_err(|error| in_file(one_line(&text, &error)))?;
    }
    for (variable, value) in &overrides.environment {
        let key = variable
            .trim_start_matches(PREFIX)
            .to_ascii_lowercase()
            .replace("__", ".");
        lay_over(&mut table, variable, &key, value)?;
    }
    for (flag, key, value) in &overrides.flags {
        lay_over(&mut table, flag, key, value)?;
    }
    typed(&table).map_err(|message| SettingsError::Override {
        place: "settings".to_owned(),
        message,
    })
}

impl Overrides {
    /// Takes the variables that are ours out of the environment.
    pub(crate) fn take_environment(
        &mut self,
        variables: impl Iterator<Item = (std::ffi::OsString, std::ffi::OsString)>,
    ) {
        self.environment = variables
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with(PREFIX))
            .collect();
        self.environment.sort();
    }
}

/// Sets one key, and parses the whole so that an error is blamed on `place`.
fn lay_over(table: &mut Table, place: &str, key: &str, text: &str) -> Result<(), SettingsError> {
    let blame = |message| SettingsError::Override {
        place: place.to_owned(),
        message,
    };
    // A value is TOML where it can be (numbers, lists, true), else the bare text. A key that wants text but got what
    // looks like a number is tried as text too.
    let parsed = format!("value = {text}")
        .parse::<Table>()
        .ok()
        .and_then(|mut t| t.remove("value"));
    let as_text = Value::String(text.to_owned());
    let mut of_list = None;
    let mut message = String::new();
    for value in parsed.into_iter().chain([as_text]) {
        let is_list = value.is_array();
        let mut attempt = table.clone();
        set(&mut attempt, key, value).map_err(blame)?;
        match typed(&attempt) {
            Ok(_) => {
                *table = attempt;
                return Ok(());
            }
            Err(error) if is_list => of_list = Some(error),
            Err(error) => message = error,
        }
    }
    // What is wrong with a list is not that the same as text is none.
    Err(blame(of_list.unwrap_or(message)))
}

fn set(table: &mut Table, key: &str, value: Value) -> Result<(), String> {
    let Some((section, name)) = key.split_once('.') else {
        return Err(format!(
            "'{key}' is no key; keys have a section in front, like rtmp.listen"
        ));
    };
    let entry = table
        .entry(section)
        .or_insert_with(|| Value::Table(Table::new()));
    let Value::Table(section) = entry else {
        return Err(format!("'{section}' is a section"));
    };
    section.insert(name.to_owned(), value);
    Ok(())
}

fn typed(table: &Table) -> Result<Settings, String> {
    serde_path_to_error::deserialize(table.clone()).map_err(|error| {
        let path = error.path().to_string();
        let message = error.into_inner().message().to_owned();
        if path == "." || path == "?" {
            message
        } else {
            format!("{path}: {message}")
        }
    })
}

/// The error in one line: `line 3: unknown field …`.
fn one_line(text: &str, error: &toml::de::Error) -> String {
    let line = error
        .span()
        .and_then(|span| text.get(..span.start))
        .map(|before| {
            let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
            let key = text
                .lines()
                .nth(line - 1)
                .unwrap_or_default()
                .trim()
                .to_owned();
            format!("line {line} ({key}): ")
        });
    format!(
        "{}{}",
        line.unwrap_or_default(),
        error.message().replace('\n', " ")
    )
}

const PREFIX: &str = "ZONGZI__";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn with_file(text: &str, overrides: &Overrides) -> Result<Settings, String> {
        let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
        let path = dir.path().join("z.toml");
        std::fs::write(&path, text).map_err(|error| error.to_string())?;
        load(Some(&path), overrides)
            .map_err(|e| e.to_string().replace(path.to_str().unwrap(), "z.toml"))
    }

    fn env(name: &str, value: &str) -> Overrides {
        Overrides {
            environment: vec![(name.into(), value.into())],
            ..Overrides::default()
        }
    }

    #[test]
    fn the_commented_default_file_says_exactly_the_defaults() {
        let text = include_str!("../../../../config/zongzi.toml");
        let settings: Settings = toml::from_str(text).unwrap();
        assert_eq!(settings, Settings::default());
        let written: Table = text.parse().unwrap();
        let all = Table::try_from(Settings::default()).unwrap();
        for (section, keys) in &all {
            for key in keys.as_table().unwrap().keys() {
                assert!(
                    written[section].get(key).is_some(),
                    "{section}.{key} is not in the file"
                );
            }
        }
    }

    #[test]
    fn environment_lies_over_the_file_and_flags_over_both() {
        let file = "[rtmp]\nlisten = \"127.0.0.1:1\"\n[broadcast]\ngrace = \"9s\"\n";
        let mut overrides = env("ZONGZI__RTMP__LISTEN", "127.0.0.1:2");
        assert_eq!(with_file(file, &overrides).unwrap().rtmp.listen.port(), 2);
        overrides.flags = vec![(
            "--set rtmp.listen".into(),
            "rtmp.listen".into(),
            "127.0.0.1:3".into(),
        )];
        let settings = with_file(file, &overrides).unwrap();
        assert_eq!(settings.rtmp.listen.port(), 3);
        assert_eq!(
            settings.broadcast.grace,
            Duration::from_secs(9),
            "what no one overrode stays"
        );
    }

    #[test]
    fn lists_numbers_and_text_come_through_the_environment() {
        let ips = with_file("", &env("ZONGZI__MEDIA__PUBLIC_IPS", "[\"192.0.2.1\"]")).unwrap();
        assert_eq!(ips.media.public_ips.len(), 1);
        assert_eq!(
            with_file("", &env("ZONGZI__MEDIA__SHARDS", "3"))
                .unwrap()
                .media
                .shards,
            3
        );
        assert_eq!(
            with_file("", &env("ZONGZI__DATA__DIR", "17"))
                .unwrap()
                .data
                .dir,
            PathBuf::from("17")
        );
    }

    #[test]
    fn each_mistake_names_its_key_and_its_place() {
        let none = Overrides::default();
        for (result, expected) in [
            (
                with_file("[rtmp]\nlisten = \"here\"\n", &none),
                "settings file z.toml: line 2 (listen = \"here\")",
            ),
            (
                with_file("[rtmp]\nlissten = \"x\"\n", &none),
                "line 2 (lissten = \"x\"): unknown field `lissten`",
            ),
            (with_file("[rtmp\n", &none), "settings file z.toml: line 1"),
            (
                with_file("", &env("ZONGZI__RTMP__LISSTEN", "1")),
                "ZONGZI__RTMP__LISSTEN: ",
            ),
            (
                with_file("", &env("ZONGZI__BROADCAST__GRACE", "soon")),
                "like \"30s\"",
            ),
            (
                with_file("", &env("ZONGZI__MEDIA__PUBLIC_IPS", "192.0.2.1")),
                "ZONGZI__MEDIA__PUBLIC_IPS: media.public_ips: invalid type: string \"192.0.2.1\", expected a list; write \
                 each value in quotes and brackets around them, like [\"one\", \"other\"]",
            ),
            (
                with_file(
                    "",
                    &env("ZONGZI__HTTP__CORS_ORIGINS", "[https://a.example]"),
                ),
                "like [\"one\", \"other\"]",
            ),
            (
                with_file("", &env("ZONGZI__MEDIA__PUBLIC_IPS", "[\"here\"]")),
                "media.public_ips[0]: invalid IP address",
            ),
            (
                with_file("[hooks]\nallow = \"10.0.0.0/8\"\n", &none),
                "line 2 (allow = \"10.0.0.0/8\"): invalid type: string \"10.0.0.0/8\", expected a list; write",
            ),
            (
                with_file("[rtmp]\nlisten = 1935\n", &none),
                "integer `1935`, expected an address and a port in quotes, like \"[::]:1935\"",
            ),
            (
                with_file("[rtmp]\nmax_preauth_bytes = 2047\n", &none),
                "line 2 (max_preauth_bytes = 2047): invalid value: integer `2047`, expected a whole number, at least 2048",
            ),
            (
                with_file("", &env("ZONGZI__RTMP__MAX_PREAUTH_MESSAGES", "15")),
                "ZONGZI__RTMP__MAX_PREAUTH_MESSAGES: rtmp.max_preauth_messages: invalid type: string \"15\", expected a \
                 whole number, at least 16",
            ),
            (
                with_file("", &env("ZONGZI__METRICS__LISTEN", "9100")),
                "metrics.listen: invalid value: string \"9100\", expected an address and a port",
            ),
            (
                with_file("", &env("ZONGZI__RTMP", "x")),
                "keys have a section in front",
            ),
            (
                load(Some(Path::new("/nowhere.toml")), &none).map_err(|e| e.to_string()),
                "can't read the settings file /nowhere.toml",
            ),
        ] {
            let message = result.unwrap_err();
            assert!(message.contains(expected), "{message:?} lacks {expected:?}");
            assert!(
                !message.contains('\n'),
                "{message:?} has more than one line"
            );
        }
    }
}
