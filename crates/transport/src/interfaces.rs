use std::io;
use std::net::IpAddr;

use crate::sys;

/// An address of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalAddress {
    /// The address.
    pub ip: IpAddr,
    /// Only programs on this machine can reach it.
    pub loopback: bool,
}

/// The addresses of all interfaces that are up, at most 64, in the kernel's order. IPv6 link-local ones are left out:
/// without a zone nobody could use them.
///
/// # Errors
/// When the kernel does not tell.
pub fn local_addresses() -> io::Result<Vec<LocalAddress>> {
    let mut found = Vec::new();
    sys::interface_addresses(|ip, loopback| {
        let link_local = matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local());
        if !link_local && found.len() < ADDRESSES_MAX {
            let loopback = loopback || ip.is_loopback();
            found.push(LocalAddress { ip, loopback });
        }
    })?;
    Ok(found)
}

/// More addresses than a machine has that is not a router; a list of candidates has far fewer.
const ADDRESSES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_address_is_found_and_known_as_such() {
        let addresses = local_addresses().unwrap();
        let loopback = LocalAddress {
            ip: [127, 0, 0, 1].into(),
            loopback: true,
        };
        assert!(addresses.contains(&loopback), "{addresses:?}");
    }
}
