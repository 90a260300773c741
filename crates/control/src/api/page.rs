//! The API's description as a page for people, made from the OpenAPI document. It needs no script.

use std::fmt::{self, Write as _};

use axum::response::{Html, IntoResponse};
use http::header;
use serde_json::{Map, Value};

use super::document;

/// The page may load its style from this server, and nothing else from anywhere.
const POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";
const STYLE: &str = include_str!("page.css");

pub(super) async fn serve() -> impl IntoResponse {
    let page = Page(document::value()).to_string();
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(page))
}

pub(super) async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE)
}

/// An OpenAPI document as HTML.
struct Page(Value);

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(document) = self;
        let title = text(&document["info"]["title"]);
        write!(
            f,
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\"><title>{title} API</title>\
             <link rel=\"stylesheet\" href=\"/api/docs.css\"><h1>{title} API</h1><p>{}</p>\
             <p>Send a token with each request: <code>Authorization: Bearer TOKEN</code>. The first start wrote one into \
             <code>admin-token</code> in the data directory; <code>zongzi admin-token create</code> makes more. \
             For programs: <a href=\"/api/openapi.json\">openapi.json</a>.</p>",
            text(&document["info"]["description"])
        )?;
        let mut tag = "";
        for (path, methods) in entries(&document["paths"]) {
            for (method, operation) in entries(methods) {
                let own = operation["tags"][0].as_str().unwrap_or_default();
                if own != tag {
                    tag = own;
                    write!(f, "<h2>{}</h2>", Text(tag))?;
                }
                self::operation(f, method, path, operation)?;
            }
        }
        f.write_str("<h2>schemas</h2>")?;
        for (name, schema) in entries(&document["components"]["schemas"]) {
            let name = Text(name);
            write!(
                f,
                "<details id=\"{name}\"><summary><code>{name}</code> {}</summary>",
                text(&schema["description"])
            )?;
            self::schema(f, schema)?;
            f.write_str("</details>")?;
        }
        Ok(())
    }
}

fn operation(
    f: &mut fmt::Formatter<'_>,
    method: &str,
    path: &str,
    operation: &Value,
) -> fmt::Result {
    let done = entries(&operation["responses"]).find(|(status, _)| status.starts_with('2'));
    write!(
        f,
        "<details><summary><b>{}</b> <code>{}</code> {}</summary>",
        Text(&method.to_uppercase()),
        Text(path),
        done.map_or(Text(""), |(_, response)| text(&response["description"]))
    )?;
    let parameters = operation["parameters"].as_array();
    if let Some(parameters) = parameters.filter(|all| !all.is_empty()) {
        f.write_str("<h4>parameters</h4>")?;
        rows(f, ["name", "in", "type", "what"], parameters, |f, one| {
            write!(
                f,
                "<td><code>{}</code><td>{}<td>{}<td>{}",
                text(&one["name"]),
                text(&one["in"]),
                Type(&one["schema"]),
                text(&one["description"])
            )
        })?;
    }
    let body = &operation["requestBody"]["content"];
    for (media, content) in entries(body) {
        let (media, kind) = (Text(media), Type(&content["schema"]));
        write!(f, "<h4>body</h4><p><code>{media}</code>: {kind}</p>")?;
    }
    f.write_str("<h4>answers</h4>")?;
    let responses: Vec<_> = entries(&operation["responses"]).collect();
    rows(
        f,
        ["status", "type", "what"],
        &responses,
        |f, (status, response)| {
            write!(f, "<td>{}<td>", Text(status))?;
            for (media, content) in entries(&response["content"]) {
                match &content["schema"] {
                    Value::Null => write!(f, "<code>{}</code>", Text(media))?,
                    schema => write!(f, "{}", Type(schema))?,
                }
            }
            write!(f, "<td>{}", text(&response["description"]))
        },
    )?;
    f.write_str("</details>")
}

/// What a named schema holds.
fn schema(f: &mut fmt::Formatter<'_>, schema: &Value) -> fmt::Result {
    for part in schema["allOf"].as_array().into_iter().flatten() {
        if part["$ref"].is_string() {
            write!(f, "<p>All of {}, and:</p>", Type(part))?;
        }
        self::schema(f, part)?;
    }
    let fields: Vec<_> = entries(&schema["properties"]).collect();
    if fields.is_empty() {
        if schema["allOf"].is_null() && schema["$ref"].is_null() {
            write!(f, "<p>{}</p>", Type(schema))?;
        }
        return Ok(());
    }
    let required = schema["required"].as_array();
    let is_required = |name: &str| required.is_some_and(|all| all.iter().any(|one| *one == name));
    rows(
        f,
        ["name", "", "type", "what"],
        &fields,
        |f, (name, field)| {
            write!(
                f,
                "<td><code>{}</code><td>{}<td>{}<td>{}",
                Text(name),
                if is_required(name) { "always" } else { "" },
                Type(field),
                text(&field["description"])
            )
        },
    )
}

fn rows<T, const N: usize>(
    f: &mut fmt::Formatter<'_>,
    head: [&str; N],
    all: &[T],
    row: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    f.write_str("<div class=\"table\"><table><thead><tr>")?;
    for name in head {
        write!(f, "<th>{name}")?;
    }
    f.write_str("<tbody>")?;
    for one in all {
        f.write_str("<tr>")?;
        row(f, one)?;
    }
    f.write_str("</table></div>")
}

/// A schema in one line.
struct Type<'a>(&'a Value);

impl fmt::Display for Type<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(schema) = *self;
        if let Some(name) = schema["$ref"].as_str() {
            let name = Text(name.rsplit('/').next().unwrap_or_default());
            return write!(f, "<a href=\"#{name}\">{name}</a>");
        }
        for choice in ["oneOf", "anyOf"] {
            if let Some(parts) = schema[choice].as_array() {
                return joined(f, parts, |f, part| Type(part).fmt(f));
            }
        }
        if let Some(values) = schema["enum"].as_array() {
            return joined(f, values, |f, value| {
                write!(f, "<code>{}</code>", Text(&value.to_string()))
            });
        }
        match &schema["type"] {
            Value::Array(kinds) => joined(f, kinds, |f, kind| text(kind).fmt(f))?,
            kind if *kind == "array" => write!(f, "list of {}", Type(&schema["items"]))?,
            kind => text(kind).fmt(f)?,
        }
        for (name, words) in [
            ("format", ""),
            ("minimum", "from "),
            ("maximum", "to "),
            ("minLength", "characters from "),
            ("maxLength", "characters to "),
            ("pattern", "like "),
            ("default", "otherwise "),
        ] {
            match &schema[name] {
                Value::Null => {}
                Value::String(value) => write!(f, ", {words}<code>{}</code>", Text(value))?,
                value => write!(f, ", {words}<code>{}</code>", Text(&value.to_string()))?,
            }
        }
        Ok(())
    }
}

fn joined<T>(
    f: &mut fmt::Formatter<'_>,
    parts: &[T],
    one: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            f.write_str(" or ")?;
        }
        one(f, part)?;
    }
    Ok(())
}

fn entries(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let object = value.as_object().into_iter().flat_map(Map::iter);
    object.map(|(name, value)| (name.as_str(), value))
}

fn text(value: &Value) -> Text<'_> {
    Text(value.as_str().unwrap_or_default())
}

/// Text as HTML shows it.
struct Text<'a>(&'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_operation_and_schema_is_on_the_page_and_links_lead_somewhere() {
        let document = document::value();
        let page = Page(document.clone()).to_string();
        for (path, methods) in entries(&document["paths"]) {
            for (method, _) in entries(methods) {
                let line = format!("<b>{}</b> <code>{path}</code>", method.to_uppercase());
                assert!(page.contains(&line), "{line}");
            }
        }
        for (name, _) in entries(&document["components"]["schemas"]) {
            assert!(page.contains(&format!("id=\"{name}\"")), "{name}");
        }
        for link in page.split("href=\"#").skip(1) {
            let name = link.split('"').next().unwrap();
            assert!(
                page.contains(&format!("id=\"{name}\"")),
                "#{name} leads nowhere"
            );
        }
        assert!(!page.contains("<script") && !page.contains("style=") && !page.contains("src="));
    }

    #[test]
    fn what_the_document_says_is_shown_and_never_run() {
        let evil = "<img src=x onerror=\"alert(1)\">&";
        let document = json!({
            "info": {"title": evil},
            "paths": {"/a": {"get": {"tags": [evil], "responses": {"200": {"description": evil}}}}},
            "components": {"schemas": {evil: {"type": "string", "pattern": evil}}},
        });
        let page = Page(document).to_string();
        assert!(
            !page.contains("<img") && page.contains("&lt;img src=x"),
            "{page}"
        );
        assert!(!page.contains("\"alert"), "{page}");
    }
}
