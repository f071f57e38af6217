//! Where distributions keep the lease files of each server. They are looked for when no server is configured, with one
//! stat(2) each.

use std::path::Path;
use std::path::PathBuf;

use crate::config::dhcp::Format;
use crate::config::dhcp::Server;

/// One server's places. Of its lease files the first that is there is taken.
struct Place {
    name: &'static str,
    format: Format,
    leases: &'static [&'static str],
    settings: &'static [&'static str],
}

const PLACES: &[Place] = &[
    Place {
        name: "dnsmasq",
        format: Format::Dnsmasq,
        leases: &[
            "/var/lib/misc/dnsmasq.leases",
            "/var/lib/dnsmasq/dnsmasq.leases",
            "/var/db/dnsmasq.leases",
            "/tmp/dhcp.leases",
        ],
        settings: &[
            "/etc/dnsmasq.conf",
            "/etc/dnsmasq.d/*",
            "/var/etc/dnsmasq.conf.*",
            "/etc/config/dhcp",
            "/etc/config/network",
        ],
    },
    Place {
        name: "odhcpd",
        format: Format::Odhcpd,
        // Where both are there, the former has names only.
        leases: &["/tmp/odhcpd.leases", "/tmp/hosts/odhcpd"],
        settings: &["/etc/config/dhcp", "/etc/config/network"],
    },
    Place {
        name: "kea4",
        format: Format::Kea,
        leases: &["/var/lib/kea/kea-leases4.csv"],
        settings: &["/etc/kea/kea-dhcp4.conf"],
    },
    Place {
        name: "kea6",
        format: Format::Kea,
        leases: &["/var/lib/kea/kea-leases6.csv"],
        settings: &["/etc/kea/kea-dhcp6.conf"],
    },
    Place {
        name: "isc4",
        format: Format::Isc,
        leases: &["/var/lib/dhcp/dhcpd.leases", "/var/lib/dhcpd/dhcpd.leases"],
        settings: &["/etc/dhcp/dhcpd.conf"],
    },
    Place {
        name: "isc6",
        format: Format::Isc,
        leases: &[
            "/var/lib/dhcp/dhcpd6.leases",
            "/var/lib/dhcpd/dhcpd6.leases",
        ],
        settings: &["/etc/dhcp/dhcpd6.conf"],
    },
    Place {
        name: "udhcpd",
        format: Format::Udhcpd,
        leases: &["/var/lib/misc/udhcpd.leases"],
        settings: &["/etc/udhcpd.conf"],
    },
    Place {
        name: "networkd",
        format: Format::Networkd,
        leases: &[
            "/var/lib/systemd/network/dhcp-server-lease/*",
            "/run/systemd/netif/dhcp-server-lease/*",
        ],
        settings: &[],
    },
];

/// Only OpenWrt keeps lease files where every user may make some, and has this file.
const OPENWRT: &str = "/etc/openwrt_release";

/// Every path and pattern at which something is looked for.
pub fn usual_places() -> impl Iterator<Item = &'static str> {
    let each = |place: &'static Place| place.leases.iter().chain(place.settings);
    PLACES.iter().flat_map(each).copied()
}

/// The servers whose lease files are there. `is_there` is asked of paths and patterns.
pub(super) fn found(is_there: impl Fn(&Path) -> bool) -> Vec<Server> {
    let openwrt = is_there(Path::new(OPENWRT));
    let servers = PLACES.iter().filter_map(|place| {
        let mut leases = place
            .leases
            .iter()
            .filter(|path| openwrt || !path.starts_with("/tmp/"));
        let path = leases.find(|path| is_there(Path::new(path)))?;
        Some(Server {
            name: place.name.to_string(),
            format: Some(place.format),
            leases: vec![PathBuf::from(path)],
            settings: place.settings.iter().map(PathBuf::from).collect(),
            ..Server::default()
        })
    });
    servers.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_tmp_is_openwrts_only() {
        let found = |there: &[&str]| {
            let servers = found(|path| there.iter().any(|other| Path::new(other) == path));
            let shown = servers
                .into_iter()
                .map(|server| format!("{} {}", server.name, server.leases[0].display()));
            shown.collect::<Vec<_>>()
        };
        assert!(found(&[]).is_empty());
        assert!(found(&["/tmp/dhcp.leases", "/tmp/hosts/odhcpd"]).is_empty());
        assert_eq!(
            found(&["/tmp/dhcp.leases", "/tmp/odhcpd.leases", OPENWRT]),
            ["dnsmasq /tmp/dhcp.leases", "odhcpd /tmp/odhcpd.leases"]
        );
        assert_eq!(
            found(&[
                "/var/lib/dhcp/dhcpd6.leases",
                "/var/lib/misc/dnsmasq.leases",
                "/var/db/dnsmasq.leases"
            ]),
            [
                "dnsmasq /var/lib/misc/dnsmasq.leases",
                "isc6 /var/lib/dhcp/dhcpd6.leases"
            ]
        );
    }
}
