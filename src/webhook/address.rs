//! Which addresses a webhook may reach: those of the Internet, and those that an operator allows. Others are behind the
//! registry's firewall, and the owner of a crate is perhaps not.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::LazyLock;

use ipnet::IpNet;

/// Networks that are not of the Internet. Sources: the registries of special-purpose addresses at IANA, RFC 6890 and its
/// successors.
const SPECIAL: [&str; 27] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "100:0:0:1::/64",
    "2001::/23",
    "2001:db8::/32",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
];

static NOT_PUBLIC: LazyLock<Vec<IpNet>> =
    LazyLock::new(|| SPECIAL.iter().map(|net| net.parse().expect("the networks are written correctly")).collect()); // a test reads them

/// The address that a packet would reach: that of IPv4 within one of IPv6 that stands for it.
fn meant(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    if let Some(mapped) = v6.to_ipv4_mapped() {
        return mapped.into();
    }
    let [a, b, c, d, e, f, high, low] = v6.segments();
    let v4 = |high: u16, low: u16| IpAddr::from([(high >> 8) as u8, high as u8, (low >> 8) as u8, low as u8]);
    match (a, b, c, d, e, f) {
        // NAT64, RFC 6052.
        (0x64, 0xff9b, 0, 0, 0, 0) => v4(high, low),
        // 6to4, RFC 3056.
        (0x2002, high, low, ..) => v4(high, low),
        _ => Ipv6Addr::from(v6.octets()).into(),
    }
}

/// Whether a webhook may reach an address. `allowed`: networks that an operator has named.
pub fn is_allowed(ip: IpAddr, allowed: &[IpNet]) -> bool {
    let meant = meant(ip);
    is_named(ip, allowed) || NOT_PUBLIC.iter().all(|net| !net.contains(&meant))
}

/// Whether an operator has named the network of an address. What is sent there needs no encryption.
pub fn is_named(ip: IpAddr, allowed: &[IpNet]) -> bool {
    let meant = meant(ip);
    allowed.iter().any(|net| net.contains(&ip) || net.contains(&meant))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_internet_are_reached_without_permission() {
        for public in
            ["1.1.1.1", "172.15.255.255", "172.32.0.0", "2606:4700::1111", "64:ff9b::101:101", "2002:101:101::1"]
        {
            assert!(is_allowed(public.parse().unwrap(), &[]), "{public}");
        }
        for private in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::",
            "2001::1",
            "2001:db8::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_allowed(private.parse().unwrap(), &[]), "{private}");
        }
    }

    #[test]
    fn an_operator_allows_networks() {
        let allowed: Vec<IpNet> = ["10.1.0.0/16", "::1/128"].iter().map(|net| net.parse().unwrap()).collect();
        for named in ["10.1.2.3", "::ffff:10.1.2.3", "::1"] {
            let ip = named.parse().unwrap();
            assert!(is_allowed(ip, &allowed) && is_named(ip, &allowed), "{named}");
        }
        assert!(!is_allowed("10.2.0.1".parse().unwrap(), &allowed));
        let public = "1.1.1.1".parse().unwrap();
        assert!(is_allowed(public, &allowed) && !is_named(public, &allowed));
    }
}
