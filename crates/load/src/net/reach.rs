use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use anyhow::{Result, bail};

/// Where traffic may go: to loopback, and to addresses that were given on the command line.
///
/// An answer from a server can name any address as its candidate; a load generator must not be aimed by it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reach {
    given: BTreeSet<IpAddr>,
}

impl Reach {
    /// Loopback and `given`.
    pub(crate) fn new(given: impl IntoIterator<Item = IpAddr>) -> Self {
        Self {
            given: given.into_iter().map(|ip| ip.to_canonical()).collect(),
        }
    }

    /// Adds addresses that were given.
    pub(crate) fn also(&mut self, given: impl IntoIterator<Item = IpAddr>) {
        self.given
            .extend(given.into_iter().map(|ip| ip.to_canonical()));
    }

    /// Whether traffic may go to `ip`.
    pub(crate) fn permits(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        ip.is_loopback() || self.given.contains(&ip)
    }

    /// The first of `candidates` that traffic may go to.
    ///
    /// # Errors
    /// When there is none; the text says what to do.
    pub(crate) fn choose(&self, candidates: &[SocketAddr]) -> Result<SocketAddr> {
        match candidates.iter().find(|to| self.permits(to.ip())) {
            Some(address) => Ok(*address),
            None => bail!(
                "the server offers {candidates:?}, none of which is loopback or was given: --allow ADDRESS permits one"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_and_what_was_given_is_reached() {
        let reach = Reach::new(["10.77.0.2".parse().expect("address")]);
        let at = |text: &str| text.parse::<SocketAddr>().expect("address");
        let candidates = [at("192.0.2.7:1"), at("10.77.0.2:2"), at("127.0.0.1:3")];
        assert_eq!(reach.choose(&candidates).expect("one fits"), candidates[1]);
        assert!(reach.choose(&candidates[..1]).is_err());
        assert!(reach.permits("::1".parse().expect("address")));
        assert!(reach.permits("::ffff:10.77.0.2".parse().expect("address")));
        assert!(!Reach::default().permits("10.77.0.2".parse().expect("address")));
    }
}
