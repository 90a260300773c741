use zongzi_http::pages::Assets;

macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_bytes!(concat!("../../../../web/", $path)))),*]
    };
}

/// The files of `web/` that browsers load, built into the binary.
const FILES: &[(&str, &[u8])] = files![
    "backoff.js",
    "console/api.js",
    "console/channel.js",
    "console/chart.js",
    "console/dom.js",
    "console/format.js",
    "console/history.js",
    "console/home.js",
    "console/index.html",
    "console/keys.js",
    "console/live.js",
    "console/login.js",
    "console/main.js",
    "console/metrics.js",
    "console/parts.js",
    "console/places.js",
    "console/server.js",
    "console/sessions.js",
    "console/settings.js",
    "console/style.css",
    "console/words.js",
    "controls.js",
    "events.js",
    "health.js",
    "icon.svg",
    "index.html",
    "not-found.html",
    "page.js",
    "player.js",
    "status.js",
    "style.css",
    "token.js",
    "view.js",
    "watch.html",
    "whep.js",
    "words.js",
];

/// The pages and what they load.
pub(super) fn assets() -> Assets {
    Assets::new(FILES.iter().copied())
        .expect("the list above has the pages; a test holds it against web/")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_page_script_and_style_of_the_folder_is_built_in() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../web");
        let browser_loads = |name: &str| {
            [".html", ".css", ".js", ".svg", ".png", ".webmanifest"]
                .iter()
                .any(|end| name.ends_with(end))
        };
        let files = |under: &str| {
            let entries = std::fs::read_dir(format!("{folder}/{under}")).unwrap();
            let names = entries.filter_map(|entry| entry.unwrap().file_name().into_string().ok());
            let loaded = names.filter(|name| browser_loads(name));
            loaded
                .map(|name| format!("{under}{name}"))
                .collect::<Vec<_>>()
        };
        let there: BTreeSet<_> = files("").into_iter().chain(files("console/")).collect();
        let built_in: BTreeSet<_> = FILES.iter().map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(built_in, there);
        assets();
    }
}
