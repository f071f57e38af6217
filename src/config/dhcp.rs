//! The DHCP servers whose lease files are watched.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

/// The servers and what is told of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dhcp {
    /// The servers; empty: those whose lease files are found at their usual places.
    pub servers: Vec<Server>,
    /// Pools of every server, beside its own.
    pub pools: Vec<Pool>,
    /// Whether every lease has a series of its own.
    pub per_lease: bool,
    /// The most leases that have one.
    pub per_lease_limit: usize,
}

impl Default for Dhcp {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            pools: Vec::new(),
            per_lease: false,
            per_lease_limit: 1000,
        }
    }
}

/// One server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Server {
    /// The label that tells it from others.
    pub name: String,
    /// The format of its lease files; `None`: seen from what they hold.
    pub format: Option<Format>,
    /// Its lease files, the oldest first: of two entries for one address the later counts. The last part of each may hold
    /// `*` and `?`. Below the root file system (`--path.rootfs`).
    pub leases: Vec<PathBuf>,
    /// What is asked of a database for its leases.
    pub query: Option<String>,
    /// Files of the configuration of dnsmasq, Kea, ISC dhcpd or udhcpd, whatever the format of the leases says, from which
    /// further pools and kept addresses are read; patterns as above.
    pub settings: Vec<PathBuf>,
    /// Its pools.
    pub pools: Vec<Pool>,
}

/// The format of a lease file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// dnsmasq's lines.
    Dnsmasq,
    /// odhcpd's lines.
    Odhcpd,
    /// Kea's comma-separated values (memfile).
    Kea,
    /// ISC dhcpd's declarations.
    Isc,
    /// The binary records of BusyBox' udhcpd.
    Udhcpd,
    /// systemd-networkd's JSON.
    Networkd,
    /// JSON as Kea's commands answer and libvirt keeps it.
    Json,
    /// The rows of a query of an SQLite database; only with the cargo feature `sqlite`.
    Sqlite,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Dnsmasq,
        Self::Odhcpd,
        Self::Kea,
        Self::Isc,
        Self::Udhcpd,
        Self::Networkd,
        Self::Json,
        Self::Sqlite,
    ];

    /// Its name in flags and configuration.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Dnsmasq => "dnsmasq",
            Self::Odhcpd => "odhcpd",
            Self::Kea => "kea",
            Self::Isc => "isc",
            Self::Udhcpd => "udhcpd",
            Self::Networkd => "networkd",
            Self::Json => "json",
            Self::Sqlite => "sqlite",
        }
    }

    /// The format of that name; `auto` is none.
    ///
    /// # Errors
    /// With what was expected.
    pub fn parse(text: &str) -> Result<Option<Self>, &'static str> {
        const EXPECTED: &str = "auto, dnsmasq, odhcpd, kea, isc, udhcpd, networkd, json or sqlite";
        if text == "auto" {
            return Ok(None);
        }
        let found = Self::ALL.into_iter().find(|format| format.word() == text);
        found.map(Some).ok_or(EXPECTED)
    }
}

/// Addresses that a server gives out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// The label that tells it from others of the server.
    pub name: String,
    /// The addresses.
    pub range: Range,
}

/// Addresses from the first to the last, of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    first: IpAddr,
    last: IpAddr,
}

impl Range {
    /// From the first to the last address; `None` when they are of two families or in the wrong order.
    #[must_use]
    pub fn new(first: IpAddr, last: IpAddr) -> Option<Self> {
        let ordered = first.is_ipv4() == last.is_ipv4() && first <= last;
        ordered.then_some(Self { first, last })
    }

    /// Reads `FIRST-LAST` or `NETWORK/LENGTH`. Of an IPv4 network the first and the last address are left out, which no
    /// client can be given, where there are others.
    ///
    /// # Errors
    /// With what was expected.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str = "FIRST-LAST or NETWORK/LENGTH, such as 192.0.2.100-192.0.2.199";
        if let Some((first, last)) = text.split_once('-') {
            let address = |text: &str| text.trim().parse::<IpAddr>().ok();
            let ends = address(first).zip(address(last)).ok_or(EXPECTED)?;
            return Self::new(ends.0, ends.1).ok_or("a last address that is not below the first");
        }
        let (network, length) = text.split_once('/').ok_or(EXPECTED)?;
        let network: IpAddr = network.trim().parse().map_err(|_| EXPECTED)?;
        let digits = length.trim();
        let digits = Some(digits).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let length: u32 = digits.and_then(|text| text.parse().ok()).ok_or(EXPECTED)?;
        Self::network(network, length).ok_or("a length of at most 32, or 128 for IPv6")
    }

    fn network(address: IpAddr, length: u32) -> Option<Self> {
        match address {
            IpAddr::V4(address) => {
                let hosts = u32::MAX.checked_shr(length).unwrap_or(0);
                let first = u32::from(address) & !hosts;
                let spared = u32::from(hosts > 1);
                let range = (first + spared, first + hosts - spared);
                (length <= 32).then(|| Self {
                    first: IpAddr::V4(range.0.into()),
                    last: IpAddr::V4(range.1.into()),
                })
            }
            IpAddr::V6(address) => {
                let hosts = u128::MAX.checked_shr(length).unwrap_or(0);
                let first = u128::from(address) & !hosts;
                (length <= 128).then(|| Self {
                    first: IpAddr::V6(first.into()),
                    last: IpAddr::V6((first + hosts).into()),
                })
            }
        }
    }

    /// Whether the address is one of them.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.first.is_ipv4() && self.first <= address && address <= self.last
    }

    /// How many there are.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "the text format has doubles only"
    )]
    pub fn addresses(&self) -> f64 {
        let number = |address: IpAddr| match address {
            IpAddr::V4(address) => u128::from(u32::from(address)),
            IpAddr::V6(address) => u128::from(address),
        };
        (number(self.last) - number(self.first)) as f64 + 1.0
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_as_ends_or_as_a_network() {
        for (text, shown, addresses) in [
            ("192.0.2.100-192.0.2.199", "192.0.2.100-192.0.2.199", 100.0),
            ("10.0.0.1 - 10.0.0.1", "10.0.0.1-10.0.0.1", 1.0),
            ("192.0.2.77/24", "192.0.2.1-192.0.2.254", 254.0),
            ("192.0.2.2/31", "192.0.2.2-192.0.2.3", 2.0),
            ("192.0.2.2/32", "192.0.2.2-192.0.2.2", 1.0),
            ("0.0.0.0/0", "0.0.0.1-255.255.255.254", 4_294_967_294.0),
            ("2001:db8::/120", "2001:db8::-2001:db8::ff", 256.0),
            (
                "::/0",
                "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                2f64.powi(128),
            ),
        ] {
            let range = Range::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(
                (range.to_string().as_str(), range.addresses()),
                (shown, addresses)
            );
        }
        for bad in [
            "",
            "10.0.0.1",
            "10.0.0.2-10.0.0.1",
            "10.0.0.1-::1",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/+8",
            "a-b",
        ] {
            assert!(Range::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_range_has_its_ends() {
        let range = Range::parse("192.0.2.100-192.0.2.199").expect("a range");
        let has = |text: &str| range.contains(text.parse().expect("an address"));
        assert_eq!(
            [
                "192.0.2.99",
                "192.0.2.100",
                "192.0.2.199",
                "192.0.2.200",
                "::"
            ]
            .map(has),
            [false, true, true, false, false]
        );
    }

    #[test]
    fn formats_have_names() {
        for format in Format::ALL {
            assert_eq!(Format::parse(format.word()), Ok(Some(format)));
        }
        assert_eq!(Format::parse("auto"), Ok(None));
        assert!(Format::parse("xml").is_err());
    }
}
