//! JSON Web Tokens made by another implementation than the server's: Node.js signs them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Somebody else who makes tokens, with an Ed25519 pair of his own.
#[derive(Debug)]
pub struct Issuer {
    dir: TempDir,
}

/// `claims` under `header`, signed with HMAC-SHA-256 under `secret` (base64url).
pub fn hs256(header: &Value, claims: &Value, secret: &str) -> String {
    node(&json!({"do": "hmac", "header": header, "claims": claims, "secret": secret}))
}

/// `claims` under `header` with a signature of no bytes.
pub fn unsigned(header: &Value, claims: &Value) -> String {
    node(&json!({"do": "none", "header": header, "claims": claims}))
}

/// Seconds since 1970, `later` from now.
pub fn seconds(later: i64) -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("the clock is set");
    i64::try_from(since.as_secs()).expect("this century") + later
}

impl Issuer {
    /// One with a new pair.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder can be made");
        node(&json!({"do": "pair", "dir": dir.path()}));
        Self { dir }
    }

    /// The file with his public key (PEM).
    pub fn public_key(&self) -> PathBuf {
        self.dir.path().join("public.pem")
    }

    /// The file with his private key (PEM), which no server should have.
    pub fn private_key(&self) -> PathBuf {
        self.dir.path().join("private.pem")
    }

    /// `claims`, signed by him.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let key: &Path = &self.private_key();
        node(&json!({"do": "eddsa", "header": header, "claims": claims, "key": key}))
    }
}

impl Default for Issuer {
    fn default() -> Self {
        Self::new()
    }
}

fn node(order: &Value) -> String {
    let output = Command::new("node")
        .args(["-e", SCRIPT])
        .arg(order.to_string())
        .output()
        .expect("Node.js can be run");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("a token is plain text")
}

/// RFC 7515 §7.1, by Node's own cryptography.
const SCRIPT: &str = r#"
const { createHmac, generateKeyPairSync, sign } = require("node:crypto");
const { readFileSync, writeFileSync } = require("node:fs");
const order = JSON.parse(process.argv.at(-1));
const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const signs = {
  hmac: (message) => createHmac("sha256", Buffer.from(order.secret, "base64url")).update(message).digest("base64url"),
  eddsa: (message) => sign(null, Buffer.from(message), readFileSync(order.key)).toString("base64url"),
  none: () => "",
};
if (order.do === "pair") {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  writeFileSync(`${order.dir}/public.pem`, publicKey.export({ type: "spki", format: "pem" }));
  writeFileSync(`${order.dir}/private.pem`, privateKey.export({ type: "pkcs8", format: "pem" }));
} else {
  const message = `${part(order.header)}.${part(order.claims)}`;
  process.stdout.write(`${message}.${signs[order.do](message)}`);
}
"#;
