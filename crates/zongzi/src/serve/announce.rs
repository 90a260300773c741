//! What the server prints when it is ready: for people, and for programs.

use std::net::{IpAddr, SocketAddr};

use serde::Serialize;

use crate::cli::output;
use crate::settings::LogFormat;

/// The real addresses of all listeners.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Listening {
    pub(super) rtmp: SocketAddr,
    pub(super) http: SocketAddr,
    pub(super) media: SocketAddr,
    pub(super) admin: SocketAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) metrics: Option<SocketAddr>,
}

/// What a host needs on the very first start.
#[derive(Debug)]
pub(super) struct FirstStart<'a> {
    pub(super) channel: &'a str,
    pub(super) stream_key: &'a str,
}

#[derive(Serialize)]
struct Document<'a, T: Serialize> {
    event: &'a str,
    #[serde(flatten)]
    body: T,
}

impl Listening {
    /// The one line that says that everything works now.
    pub(super) fn announce(&self, format: LogFormat) {
        #[derive(Serialize)]
        struct Ready<'a> {
            #[serde(flatten)]
            listening: &'a Listening,
            pid: u32,
        }
        let pid = std::process::id();
        match format {
            LogFormat::Json => output::say_json(&Document {
                event: "ready",
                body: Ready {
                    listening: self,
                    pid,
                },
            }),
            LogFormat::Text => output::say(&format!(
                "zongzi ready rtmp={} http={} media={} admin={}{} pid={pid}",
                self.rtmp,
                self.http,
                self.media,
                self.admin,
                self.metrics
                    .map(|address| format!(" metrics={address}"))
                    .unwrap_or_default(),
            )),
        }
    }

    /// Where hosts, viewers and operators find it. The stream key is shown at the first start and never again.
    /// `reachable` is an address of this machine that others can use.
    pub(super) fn welcome(
        &self,
        format: LogFormat,
        first: Option<&FirstStart<'_>>,
        reachable: Option<IpAddr>,
    ) {
        #[derive(Serialize)]
        struct Welcome<'a> {
            rtmp_server: String,
            stream_key: &'a str,
            watch: String,
            console: String,
        }
        let at = |listener| Self::for_people(listener, reachable);
        let channel = first.map_or("CHANNEL", |first| first.channel);
        let welcome = Welcome {
            rtmp_server: format!("rtmp://{}/live", at(self.rtmp)),
            stream_key: first.map_or(
                "was shown when it was made; for another: zongzi key create CHANNEL",
                |first| first.stream_key,
            ),
            watch: format!("http://{}/watch/{channel}", at(self.http)),
            console: format!("http://{}/", at(self.admin)),
        };
        match (format, first) {
            (LogFormat::Json, Some(_)) => output::say_json(&Document {
                event: "first_start",
                body: welcome,
            }),
            // Programs have the ready line.
            (LogFormat::Json, None) => {}
            (LogFormat::Text, _) => {
                output::say(&format!("RTMP server:  {}", welcome.rtmp_server));
                output::say(&format!("Stream key:   {}", welcome.stream_key));
                output::say(&format!("Watch:        {}", welcome.watch));
                output::say(&format!("Console:      {}", welcome.console));
            }
        }
    }

    /// `HOST:PORT` that works when typed: a listener on all addresses is named by one that others can reach.
    fn for_people(listener: SocketAddr, reachable: Option<IpAddr>) -> String {
        let ip = listener.ip().to_canonical();
        let port = listener.port();
        match (ip.is_unspecified(), reachable) {
            (true, Some(ip)) => SocketAddr::new(ip, port).to_string(),
            (true, None) => format!("localhost:{port}"),
            (false, _) => SocketAddr::new(ip, port).to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_get_an_address_that_works_when_typed() {
        let any = "[::]:8080".parse().unwrap();
        assert_eq!(
            Listening::for_people(any, Some([192, 0, 2, 7].into())),
            "192.0.2.7:8080"
        );
        assert_eq!(Listening::for_people(any, None), "localhost:8080");
        let one = "127.0.0.1:8090".parse().unwrap();
        assert_eq!(
            Listening::for_people(one, Some([192, 0, 2, 7].into())),
            "127.0.0.1:8090"
        );
    }
}
