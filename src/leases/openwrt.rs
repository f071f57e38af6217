//! The pools that OpenWrt's own configuration describes, for where the server's does not: `/etc/config/dhcp` says from which
//! host of an interface's network on how many addresses are given out, `/etc/config/network` which network that is.
//!
//! What dnsmasq reads there is generated from the same, and looked at first. odhcpd reads this itself, but gives out IPv4
//! addresses only as `maindhcp`; then dnsmasq gives out none.

use std::net::IpAddr;
use std::net::Ipv4Addr;

use super::reader::Content;
use crate::config::dhcp::Format;
use crate::config::dhcp::Pool;
use crate::config::dhcp::Range;
use crate::parse::decimal;
use crate::parse::leases::address;
use crate::parse::printable;
use crate::parse::uci;

/// What dnsmasq and odhcpd take where nothing is said.
const START: u32 = 100;
const LIMIT: u32 = 150;

/// What the files say.
#[derive(Debug, Default)]
pub(super) struct Openwrt {
    main: bool,
    pools: Vec<Dhcp>,
    networks: Vec<Network>,
}

#[derive(Debug)]
struct Dhcp {
    interface: Vec<u8>,
    start: u32,
    limit: u32,
    serves: bool,
}

#[derive(Debug)]
struct Network {
    interface: Vec<u8>,
    address: Option<Ipv4Addr>,
    mask: u32,
}

impl Openwrt {
    /// Takes one of the files, and gives the addresses that are kept for one client.
    pub(super) fn take(&mut self, bytes: &[u8], content: &mut Content) {
        uci::settings(bytes, &mut |setting| {
            let (option, value) = (&*setting.option, &*setting.value);
            match (&*setting.kind, option) {
                (b"dhcp", b"") => self.pools.push(Dhcp {
                    interface: setting.name.to_vec(),
                    start: START,
                    limit: LIMIT,
                    serves: true,
                }),
                (b"dhcp", _) => {
                    if let Some(pool) = self.pools.last_mut() {
                        pool.set(option, value);
                    }
                }
                (b"interface", b"") => self.networks.push(Network {
                    interface: setting.name.to_vec(),
                    address: None,
                    mask: 0,
                }),
                (b"interface", _) => {
                    if let Some(network) = self.networks.last_mut() {
                        network.set(option, value);
                    }
                }
                (b"odhcpd", b"maindhcp") => self.main = is_true(value),
                (b"host", b"ip") => content.keep(address(value)),
                _ => {}
            }
        });
    }

    /// Gives a server without pools those that are its.
    pub(super) fn complete(&self, format: Option<Format>, content: &mut Content) {
        if !content.pools.is_empty() || self.main != (format == Some(Format::Odhcpd)) {
            return;
        }
        for pool in self.pools.iter().filter(|pool| pool.serves) {
            let mut networks = self.networks.iter();
            let network = networks.find(|network| network.interface == pool.interface);
            if let Some(range) = network.and_then(|network| network.range(pool)) {
                let name = printable(&pool.interface).into_owned();
                content.pools.push(Pool { name, range });
            }
        }
    }
}

impl Dhcp {
    fn set(&mut self, option: &[u8], value: &[u8]) {
        let number = |before| {
            let number = decimal(value).and_then(|number| u32::try_from(number).ok());
            number.unwrap_or(before)
        };
        match option {
            b"interface" => self.interface = value.to_vec(),
            b"start" => self.start = number(self.start),
            b"limit" => self.limit = number(self.limit),
            b"ignore" => self.serves &= !is_true(value),
            b"dynamicdhcp" => self.serves &= is_true(value),
            b"dhcpv4" => self.serves &= value != b"disabled",
            _ => {}
        }
    }
}

impl Network {
    /// The first address of an interface counts, with its mask beside it or after a slash.
    fn set(&mut self, option: &[u8], value: &[u8]) {
        let mut parts = value.splitn(2, |byte| *byte == b'/');
        let Some(IpAddr::V4(found)) = parts.next().and_then(address) else {
            return;
        };
        match option {
            b"ipaddr" if self.address.is_none() => {
                self.address = Some(found);
                let length = parts.next().and_then(decimal).unwrap_or(32).min(32);
                let length = u32::try_from(length).unwrap_or(32);
                if length < 32 {
                    self.mask = !u32::MAX.checked_shr(length).unwrap_or(0);
                }
            }
            b"netmask" if self.mask == 0 => self.mask = found.into(),
            _ => {}
        }
    }

    /// The addresses of a pool, none of them the network's last.
    fn range(&self, pool: &Dhcp) -> Option<Range> {
        let network = u32::from(self.address?) & self.mask;
        let last = network | !self.mask;
        let first = network.checked_add(pool.start)?;
        let end = first
            .checked_add(pool.limit)?
            .checked_sub(1)?
            .min(last.checked_sub(1)?);
        let ends = [first, end].map(|address| IpAddr::V4(address.into()));
        Range::new(ends[0], ends[1])
    }
}

fn is_true(value: &[u8]) -> bool {
    matches!(value, b"1" | b"on" | b"true" | b"yes" | b"enabled")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(format: Option<Format>, texts: &[&str]) -> Vec<String> {
        let (mut found, mut content) = (Openwrt::default(), Content::default());
        for text in texts {
            found.take(text.as_bytes(), &mut content);
        }
        found.complete(format, &mut content);
        let pools = content.pools.iter();
        let pools = pools.map(|pool| format!("{} {}", pool.name, pool.range));
        pools.collect()
    }

    const NETWORK: &str = "config interface 'lan'\n\toption device 'br-lan'\n\toption ipaddr '192.168.1.1'\n\
        \toption netmask '255.255.255.0'\nconfig interface 'guest'\n\tlist ipaddr '10.9.0.1/28'\n\
        \tlist ipaddr '10.10.0.1/24'\nconfig interface 'wan'\n\toption proto 'dhcp'\n";
    const DHCP: &str = "config dnsmasq\n\toption leasefile '/tmp/dhcp.leases'\n\
        config dhcp 'lan'\n\toption interface 'lan'\n\toption start '100'\n\toption limit '150'\n\
        config dhcp 'guest'\n\toption start '4'\n\toption leasetime '2h'\n\
        config dhcp 'wan'\n\toption interface 'wan'\n\toption ignore '1'\n";

    #[test]
    fn start_and_limit_are_counted_from_the_interfaces_network() {
        let expected = [
            "lan 192.168.1.100-192.168.1.249",
            "guest 10.9.0.4-10.9.0.14",
        ];
        assert_eq!(told(Some(Format::Dnsmasq), &[DHCP, NETWORK]), expected);
        assert_eq!(told(None, &[NETWORK, DHCP]), expected);
        assert!(told(Some(Format::Odhcpd), &[DHCP, NETWORK]).is_empty());
        let main = "config odhcpd 'odhcpd'\n\toption maindhcp '1'\n";
        assert!(told(Some(Format::Dnsmasq), &[DHCP, NETWORK, main]).is_empty());
        assert_eq!(told(Some(Format::Odhcpd), &[DHCP, NETWORK, main]), expected);
    }

    #[test]
    fn what_gives_out_nothing_is_no_pool() {
        for more in [
            "option dynamicdhcp '0'",
            "option dhcpv4 'disabled'",
            "option ignore 'true'",
            "option limit '0'",
            "option start '255'",
            "option start '4294967295'",
            "option interface 'wan'",
            "option interface 'none'",
        ] {
            let text = format!("config dhcp 'lan'\n\t{more}\n");
            let pools = told(None, &[&text, NETWORK]);
            assert!(pools.is_empty(), "{more}: {pools:?}");
        }
        assert!(told(None, &[DHCP]).is_empty());
        assert!(
            told(
                None,
                &[
                    "option start '1'\n",
                    "config interface\n\toption ipaddr 'x/y'\n"
                ]
            )
            .is_empty()
        );
    }
}
