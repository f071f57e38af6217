//! The addresses of netdev's devices, from rtnetlink: what a captured tree and an emulator without it do not have.
//!
//! node_exporter's `--collector.netdev.address-info`. A device that has an address several times, each with another peer,
//! has it once. At most [`SHOWN`] are exported, those of the lowest indexes, and only those of devices whose counters are.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::Netdev;
use crate::collectors::CollectError;
use crate::collectors::Context;
use crate::devices::keep_lowest;
use crate::devices::kinds::has_link;
use crate::links::Link;
use crate::metric::Batch;
use crate::metric::Desc;
use crate::parse::printable;
use crate::rtnetlink;
use crate::rtnetlink::addresses::Address;
use crate::rtnetlink::settled;

/// How many addresses are exported.
const SHOWN: usize = 1000;

pub(super) static INFO: Desc = Desc::gauge(
    "node_network_address_info",
    &["device", "address", "netmask", "scope"],
    "An address of the device; netmask is the length of its network's prefix in bits. From RTM_GETADDR, when asked for. Always 1.",
);

/// The addresses that stay, in order and each once, and how many do not.
#[derive(Default)]
struct Table {
    addresses: Vec<Address>,
    left_out: usize,
}

/// Writes the addresses, and says how many the limit left out.
pub(super) fn collect(
    netdev: &Netdev,
    context: &mut Context<'_>,
    batch: &mut Batch,
) -> Result<usize, CollectError> {
    let Some(links) = context.links.all(context.files)? else {
        return Ok(0);
    };
    let names = devices(netdev, links);
    let mut table = Table::default();
    let asked = settled(|| {
        table = Table::default();
        rtnetlink::addresses(|address| {
            if names.contains_key(&address.index) {
                table.add(address);
            }
        })
    });
    match asked {
        Ok(()) => {}
        // Emulators have no rtnetlink, or not all of it.
        Err(error) if rtnetlink::is_absent(&error) => return Ok(0),
        Err(error) => return Err(error.into()),
    }
    for found in &table.addresses {
        let name = names.get(&found.index).copied().unwrap_or_default();
        let labels = batch.labels(&[
            ("device", &*printable(name)),
            ("address", &found.address.to_string()),
            ("netmask", &found.length.to_string()),
            ("scope", scope(found.address)),
        ]);
        batch.push(&INFO, labels, 1.0);
    }
    Ok(table.left_out)
}

/// The names of the devices that are shown, by their indexes.
fn devices<'a>(netdev: &Netdev, links: &'a [Link]) -> BTreeMap<u32, &'a [u8]> {
    let mut shown: Vec<&Link> = links.iter().collect();
    shown.retain(|link| {
        netdev.devices.shows(&printable(&link.name)) && !has_link(netdev.kinds, link)
    });
    keep_lowest(&mut shown, netdev.limit, |link| Some(link.ifindex.into()));
    let names = shown
        .iter()
        .map(|link| (link.ifindex, link.name.as_slice()));
    names.collect()
}

impl Table {
    fn add(&mut self, address: Address) {
        if let Err(at) = self.addresses.binary_search(&address) {
            self.addresses.insert(at, address);
            if self.addresses.len() > SHOWN {
                self.addresses.pop();
                self.left_out += 1;
            }
        }
    }
}

/// How far an address reaches, in node_exporter's words: a loopback address is link-local there, and a private one global.
fn scope(address: IpAddr) -> &'static str {
    let (link, interface, nowhere) = match address {
        IpAddr::V4(address) => (
            address.is_loopback()
                || address.is_link_local()
                || address.octets().starts_with(&[224, 0, 0]),
            false,
            address.is_unspecified() || address.is_multicast() || address.is_broadcast(),
        ),
        IpAddr::V6(address) => {
            // RFC 4291: the scope of a multicast address is in its second byte's lower half.
            let multicast = |scope: u16| address.segments()[0] & 0xff0f == 0xff00 | scope;
            (
                address.is_loopback() || address.is_unicast_link_local() || multicast(2),
                multicast(1),
                address.is_unspecified() || address.is_multicast(),
            )
        }
    };
    match (link, interface, nowhere) {
        (true, _, _) => "link-local",
        (_, true, _) => "interface-local",
        (_, _, true) => "",
        _ => "global",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_node_exporters() {
        for (address, expected) in [
            ("127.0.0.1", "link-local"),
            ("127.255.0.1", "link-local"),
            ("169.254.7.7", "link-local"),
            ("224.0.0.1", "link-local"),
            ("224.0.1.1", ""),
            ("10.0.0.1", "global"),
            ("100.64.0.1", "global"),
            ("192.0.2.1", "global"),
            ("240.0.0.1", "global"),
            ("0.0.0.0", ""),
            ("255.255.255.255", ""),
            ("::1", "link-local"),
            ("fe80::1", "link-local"),
            ("febf::1", "link-local"),
            ("fec0::1", "global"),
            ("fd00::1", "global"),
            ("2001:db8::1", "global"),
            ("ff01::1", "interface-local"),
            ("ff12::1", "link-local"),
            ("ff02::1", "link-local"),
            ("ff05::1", ""),
            ("::", ""),
        ] {
            let address = address.parse().expect("an address");
            assert_eq!(scope(address), expected, "{address}");
        }
    }

    fn address(index: u32, last: u16) -> Address {
        let [high, low] = last.to_be_bytes();
        Address {
            index,
            address: IpAddr::from([198, 18, high, low]),
            length: 16,
        }
    }

    #[test]
    fn the_lowest_indexes_stay_and_the_same_address_is_told_once() {
        let mut table = Table::default();
        for last in 0..600 {
            table.add(address(3, last));
            table.add(address(2, last));
            table.add(address(2, last));
        }
        assert_eq!((table.addresses.len(), table.left_out), (SHOWN, 200));
        let of_two = table.addresses.iter().filter(|found| found.index == 2);
        assert_eq!(of_two.count(), 600);
    }
}
