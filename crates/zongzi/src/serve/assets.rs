use zongzi_http::pages::Assets;

macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_bytes!(concat!("../../../../web/", $path)))),*]
    };
}

/// The files of `web/` that browsers load, built into the binary.
const FILES: &[(&str, &[u8])] = files![
    "backoff.js",
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
        let there: BTreeSet<_> = std::fs::read_dir(folder)
            .unwrap()
            .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
            .filter(|name| browser_loads(name))
            .collect();
        let built_in: BTreeSet<_> = FILES.iter().map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(built_in, there);
        assets();
    }
}
