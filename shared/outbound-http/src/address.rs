//! Which IP addresses are nobody's business but ours.
//!
//! After the IANA special-purpose registries. For IPv6 the rule is an allow-list (2000::/3 is all
//! that is assigned for the public), so forms that embed an IPv4 address are refused as forms.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an address is not called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressRefusal {
    /// This machine.
    #[error("a loopback address")]
    Loopback,
    /// A private network (RFC 1918, RFC 4193).
    #[error("a private address")]
    Private,
    /// One link only; cloud metadata services live here.
    #[error("a link-local address")]
    LinkLocal,
    /// Carrier-grade NAT, 100.64.0.0/10.
    #[error("a shared address")]
    Shared,
    /// A cloud provider's service outside the ranges above.
    #[error("a metadata address")]
    Metadata,
    /// Many receivers at once.
    #[error("a multicast or broadcast address")]
    Multicast,
    /// "This network" or no address at all.
    #[error("an unspecified address")]
    Unspecified,
    /// For examples and benchmarks.
    #[error("a documentation or benchmark address")]
    Documentation,
    /// IPv4 inside IPv6 (mapped, compatible, NAT64, 6to4, Teredo).
    #[error("an IPv4 address inside an IPv6 address")]
    Embedded,
    /// Anything else that is not assigned for public use.
    #[error("a reserved address")]
    Reserved,
}

/// Why `address` must not be called, or `None` for a public one. Loopback in its plain forms
/// (127.0.0.0/8, ::1) passes when `allow_loopback`.
#[must_use]
pub fn address_refusal(address: IpAddr, allow_loopback: bool) -> Option<AddressRefusal> {
    let refusal = match address {
        IpAddr::V4(v4) => v4_refusal(v4),
        IpAddr::V6(v6) => v6_refusal(v6),
    };
    refusal.filter(|r| !(allow_loopback && *r == AddressRefusal::Loopback))
}

fn v4_refusal(address: Ipv4Addr) -> Option<AddressRefusal> {
    use AddressRefusal as R;
    let refusal = match address.octets() {
        [0, ..] => R::Unspecified,
        [127, ..] => R::Loopback,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => R::Private,
        [100, 64..=127, ..] => R::Shared,
        [169, 254, ..] => R::LinkLocal,
        // Azure's platform address; it answers metadata requests from inside its network.
        [168, 63, 129, 16] => R::Metadata,
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] | [198, 18..=19, ..] => R::Documentation,
        [192, 0, 0, _] | [192, 88, 99, _] => R::Reserved,
        [224..=239, ..] | [255, 255, 255, 255] => R::Multicast,
        [240..=255, ..] => R::Reserved,
        _ => return None,
    };
    Some(refusal)
}

fn v6_refusal(address: Ipv6Addr) -> Option<AddressRefusal> {
    use AddressRefusal as R;
    let refusal = match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => R::Unspecified,
        [0, 0, 0, 0, 0, 0, 0, 1] => R::Loopback,
        // ::/96 compatible, ::ffff:0:0/96 mapped, ::ffff:0:0:0/96 translated, 64:ff9b::/32 NAT64.
        [0, 0, 0, 0, ..] | [0x64, 0xff9b, ..] => R::Embedded,
        // 2002::/16 is 6to4, 2001::/32 Teredo.
        [0x2002, ..] | [0x2001, 0, ..] => R::Embedded,
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => R::Documentation,
        // 2001::/23: benchmarking, ORCHID and other protocol assignments.
        [0x2001, 0..=0x1ff, ..] => R::Reserved,
        [0xfc00..=0xfdff, ..] => R::Private,
        [0xfe80..=0xfebf, ..] => R::LinkLocal,
        // Site-local, deprecated, still private where it is in use.
        [0xfec0..=0xfeff, ..] => R::Private,
        [0xff00..=0xffff, ..] => R::Multicast,
        [0x2000..=0x3fff, ..] => return None,
        _ => R::Reserved,
    };
    Some(refusal)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refusal(text: &str) -> Option<AddressRefusal> {
        address_refusal(text.parse().unwrap(), false)
    }

    #[test]
    fn each_special_range_is_refused_by_name_up_to_its_borders() {
        use AddressRefusal as R;
        let table = [
            ("0.0.0.0", R::Unspecified),
            ("0.255.255.255", R::Unspecified),
            ("10.0.0.0", R::Private),
            ("10.255.255.255", R::Private),
            ("100.64.0.0", R::Shared),
            ("100.127.255.255", R::Shared),
            ("100.100.100.200", R::Shared),
            ("127.0.0.1", R::Loopback),
            ("127.255.255.254", R::Loopback),
            ("168.63.129.16", R::Metadata),
            ("169.254.0.0", R::LinkLocal),
            ("169.254.169.254", R::LinkLocal),
            ("172.16.0.0", R::Private),
            ("172.31.255.255", R::Private),
            ("192.0.0.8", R::Reserved),
            ("192.0.2.1", R::Documentation),
            ("192.88.99.1", R::Reserved),
            ("192.168.0.0", R::Private),
            ("192.168.255.255", R::Private),
            ("198.18.0.1", R::Documentation),
            ("198.19.255.255", R::Documentation),
            ("198.51.100.7", R::Documentation),
            ("203.0.113.7", R::Documentation),
            ("224.0.0.1", R::Multicast),
            ("239.255.255.255", R::Multicast),
            ("240.0.0.1", R::Reserved),
            ("255.255.255.255", R::Multicast),
            ("::", R::Unspecified),
            ("::1", R::Loopback),
            ("::127.0.0.1", R::Embedded),
            ("::ffff:127.0.0.1", R::Embedded),
            ("::ffff:8.8.8.8", R::Embedded),
            ("::ffff:0:10.0.0.1", R::Embedded),
            ("64:ff9b::a00:1", R::Embedded),
            ("64:ff9b:1::a00:1", R::Embedded),
            ("2002:a00:1::", R::Embedded),
            ("2001::1", R::Embedded),
            ("2001:2::1", R::Reserved),
            ("2001:20::1", R::Reserved),
            ("2001:db8::1", R::Documentation),
            ("3fff::1", R::Documentation),
            ("fc00::1", R::Private),
            ("fd00:ec2::254", R::Private),
            ("fe80::1", R::LinkLocal),
            ("febf::1", R::LinkLocal),
            ("fec0::1", R::Private),
            ("ff02::1", R::Multicast),
            ("100::1", R::Reserved),
            ("5f00::1", R::Reserved),
            ("4000::1", R::Reserved),
        ];
        for (text, expected) in table {
            assert_eq!(refusal(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn public_addresses_pass_also_next_to_the_borders() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "198.17.255.255",
            "223.255.255.255",
            "2001:200::1",
            "2606:4700::1111",
            "2a00:1450::1",
        ] {
            assert_eq!(refusal(text), None, "{text}");
        }
    }

    #[test]
    fn the_option_lets_only_plain_loopback_pass() {
        let allowed = |text: &str| address_refusal(text.parse().unwrap(), true).is_none();
        assert!(allowed("127.0.0.1") && allowed("127.8.9.10") && allowed("::1"));
        for text in ["::ffff:127.0.0.1", "::127.0.0.1", "0.0.0.0", "10.0.0.1", "fe80::1"] {
            assert!(!allowed(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_the_standard_library_calls_special_passes(bits: u32) {
            let v4 = Ipv4Addr::from_bits(bits);
            if v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_multicast()
                || v4.is_broadcast() || v4.is_documentation() || v4.is_unspecified() {
                prop_assert!(address_refusal(v4.into(), false).is_some());
            }
            prop_assert!(address_refusal(v4.to_ipv6_mapped().into(), true).is_some());
            prop_assert!(address_refusal(v4.to_ipv6_compatible().into(), false).is_some());
        }

        #[test]
        fn only_global_unicast_passes(bits: u128) {
            let v6 = Ipv6Addr::from_bits(bits);
            if address_refusal(v6.into(), false).is_none() {
                prop_assert_eq!(v6.segments()[0] & 0xe000, 0x2000);
            }
        }
    }
}
