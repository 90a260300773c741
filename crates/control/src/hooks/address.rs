use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Which addresses may be posted to. Without leave only those of the public Internet: an endpoint's name may lead to this
/// machine, its network, or a cloud's metadata service, today or when it is asked again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// Every address that can be connected to.
    pub allow_private: bool,
    /// These as well.
    pub allow: Vec<Network>,
}

impl Rules {
    /// Whether `address` may be connected to.
    pub fn permits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        is_public(address)
            || self.allow_private
            || self.allow.iter().any(|network| network.holds(address))
    }
}

/// Whether `address` belongs to the public Internet (the IANA special-purpose registries, RFC 6890).
pub(super) fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => !SPECIAL_V4
            .iter()
            .any(|(net, bits)| within_v4(v4, *net, *bits)),
        IpAddr::V6(v6) => {
            if !within_v6(v6, GLOBAL_V6.0, GLOBAL_V6.1) {
                // NAT64 (RFC 6052) leads to the IPv4 address that it holds.
                return within_v6(v6, NAT64, 96) && is_public(IpAddr::V4(last_four(v6)));
            }
            !SPECIAL_V6
                .iter()
                .any(|(net, bits)| within_v6(v6, *net, *bits))
        }
    }
}

/// A network in CIDR notation, such as `10.1.2.0/24`; an address alone is a network of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// The text is not a [`Network`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write a network like \"10.1.2.0/24\" or \"fd00::/8\", or an address")]
pub struct InvalidNetwork;

impl Network {
    fn holds(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(net), IpAddr::V4(address)) => within_v4(address, net, self.bits),
            (IpAddr::V6(net), IpAddr::V6(address)) => within_v6(address, net, self.bits),
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_bad| InvalidNetwork)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) => bits.parse().map_err(|_bad| InvalidNetwork)?,
            None => most,
        };
        if bits > most {
            return Err(InvalidNetwork);
        }
        Ok(Self { address, bits })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

fn within_v4(address: Ipv4Addr, net: Ipv4Addr, bits: u8) -> bool {
    let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
    (u32::from(address) ^ u32::from(net)) & mask == 0
}

fn within_v6(address: Ipv6Addr, net: Ipv6Addr, bits: u8) -> bool {
    let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
    (u128::from(address) ^ u128::from(net)) & mask == 0
}

fn last_four(address: Ipv6Addr) -> Ipv4Addr {
    let [.., a, b, c, d] = address.octets();
    Ipv4Addr::new(a, b, c, d)
}

/// Not of the public Internet, or not one machine.
const SPECIAL_V4: [(Ipv4Addr, u8); 15] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    // Carriers' NAT; one cloud has its metadata service there.
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    // Link-local, with most clouds' metadata service.
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];
/// All of IPv6 that is given out as public: what lies outside (loopback, link-local, unique local, multicast) is not.
const GLOBAL_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
/// Inside it and yet not of the public Internet, or a tunnel to an IPv4 address of anyone's choice.
const SPECIAL_V6: [(Ipv6Addr, u8); 4] = [
    // Protocol assignments, Teredo among them.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    // 6to4.
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];
const NAT64: Ipv6Addr = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0);

#[cfg(test)]
mod tests {
    use super::*;

    fn permitted(rules: &Rules, addresses: &[&str]) -> Vec<bool> {
        let all = addresses.iter();
        all.map(|text| rules.permits(text.parse().unwrap()))
            .collect()
    }

    #[test]
    fn nothing_but_the_public_internet_is_reached_without_leave() {
        let inside = [
            "127.0.0.1",
            "127.8.9.10",
            "0.0.0.0",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.100.100.200",
            "192.0.0.192",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "fe80::1",
            "fd00:ec2::254",
            "fec0::1",
            "ff02::1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::a9fe:a9fe",
            "2001::1",
            "2002:7f00:1::",
            "2001:db8::1",
            "100::1",
        ];
        let outside = [
            "1.1.1.1",
            "172.32.0.1",
            "100.128.0.1",
            "192.167.255.255",
            "2606:4700::1",
            "2a00::1",
            "64:ff9b::101:101",
            "::ffff:1.1.1.1",
        ];
        let closed = Rules::default();
        assert_eq!(permitted(&closed, &inside), [false; 29]);
        assert_eq!(permitted(&closed, &outside), [true; 8]);
        let open = Rules {
            allow_private: true,
            ..Rules::default()
        };
        assert_eq!(permitted(&open, &inside), [true; 29]);
    }

    #[test]
    fn a_list_of_networks_opens_those_and_no_others() {
        let rules = Rules {
            allow: ["10.1.2.0/24", "192.168.7.7", "fd00::/8"]
                .map(|text| text.parse().unwrap())
                .to_vec(),
            ..Rules::default()
        };
        let asked = [
            "10.1.2.200",
            "10.1.3.1",
            "192.168.7.7",
            "192.168.7.8",
            "fd12::1",
            "fe80::1",
            "::ffff:10.1.2.3",
        ];
        assert_eq!(
            permitted(&rules, &asked),
            [true, false, true, false, true, false, true]
        );
    }

    #[test]
    fn networks_are_read_and_written() {
        for text in ["10.0.0.0/8", "0.0.0.0/0", "::/0", "fd00::/8", "1.2.3.4/32"] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), text);
        }
        assert!(
            "0.0.0.0/0"
                .parse::<Network>()
                .unwrap()
                .holds([9, 9, 9, 9].into())
        );
        for bad in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "x/8", "10.0.0.0/"] {
            assert_eq!(bad.parse::<Network>(), Err(InvalidNetwork), "{bad}");
        }
    }
}
