//! The section `dhcp`: what `--collector.dhcp.*` says, with more of it for each server.
//!
//! ```yaml
//! dhcp:
//!   servers:
//!     - name: attic
//!       format: kea
//!       leases: [/srv/kea/leases4.csv.2, /srv/kea/leases4.csv]
//!       settings: /srv/kea/kea-dhcp4.conf
//!       pools:
//!         lan: 192.168.1.100-192.168.1.249
//!     - name: cellar
//!       format: sqlite
//!       leases: /srv/leases.db
//!       query: SELECT ip AS address, mac, name AS hostname, ends AS expires FROM lease
//!   pools:
//!     guests: 192.168.9.0/24
//!   per-lease: true
//!   per-lease-limit: 1000
//! ```
//!
//! Every part may be left out but a server's `leases`. Flags are applied to what the section gives: one that is given, on
//! the command line or in the file, replaces the part that it is about.

use std::path::PathBuf;

use super::sources::formats::query_of;
use crate::config::Config;
use crate::config::dhcp::Format;
use crate::config::dhcp::Pool;
use crate::config::dhcp::Range;
use crate::config::dhcp::Server;
use crate::config::node::Fields;
use crate::config::node::Node;
use crate::config::node::Wrong;
use crate::config::node::keep;

/// The largest number of leases that may have a series of their own.
const PER_LEASE: u64 = 1_000_000;

pub(super) fn read(section: &Node, config: &mut Config, wrong: &mut Vec<Wrong>) {
    let known = ["servers", "pools", "per-lease", "per-lease-limit"];
    let Some(fields) = keep(section.fields(&known), wrong) else {
        return;
    };
    fields.unknown(wrong);
    let dhcp = &mut config.dhcp;
    if let Some(node) = fields.get("servers") {
        dhcp.servers = servers(node, wrong);
    }
    if let Some(node) = fields.get("pools") {
        dhcp.pools = pools(node, wrong);
    }
    if let Some(node) = fields.get("per-lease") {
        dhcp.per_lease = keep(node.switch(), wrong).unwrap_or_default();
    }
    let limit = fields.get("per-lease-limit");
    let limit = limit.and_then(|node| keep(node.number(1, PER_LEASE), wrong));
    if let Some(limit) = limit.and_then(|limit| usize::try_from(limit).ok()) {
        dhcp.per_lease_limit = limit;
    }
}

fn servers(node: &Node, wrong: &mut Vec<Wrong>) -> Vec<Server> {
    let items = keep(node.items("a list of servers"), wrong).unwrap_or_default();
    let mut servers: Vec<Server> = Vec::new();
    for item in items {
        let Some(server) = server(item, wrong) else {
            continue;
        };
        if servers.iter().any(|other| other.name == server.name) {
            let text = format!(
                "expected a name for each server, found {:?} again",
                server.name
            );
            wrong.push(item.wrong(text));
        } else {
            servers.push(server);
        }
    }
    servers
}

fn server(node: &Node, wrong: &mut Vec<Wrong>) -> Option<Server> {
    let known = ["name", "format", "leases", "query", "settings", "pools"];
    let fields = keep(node.fields(&known), wrong)?;
    fields.unknown(wrong);
    let format = fields.get("format").map(|node| {
        let format = node.parsed("a format", Format::parse);
        keep(format, wrong).flatten()
    });
    let format = format.flatten();
    let name = match fields.get("name") {
        Some(node) => keep(label(node), wrong)?,
        None => format.map_or("auto", Format::word).to_string(),
    };
    let leases = keep(fields.needed("leases"), wrong)?;
    Some(Server {
        name,
        format,
        leases: paths(leases, wrong),
        query: keep(query(&fields, format), wrong)?,
        settings: fields
            .get("settings")
            .map_or_else(Vec::new, |node| paths(node, wrong)),
        pools: fields
            .get("pools")
            .map_or_else(Vec::new, |node| pools(node, wrong)),
    })
}

/// What is asked of a database; `None` for every other format.
fn query(fields: &Fields<'_>, format: Option<Format>) -> Result<Option<String>, Wrong> {
    const NO: &str =
        "expected another format: this weir was built without SQLite (the cargo feature sqlite)";
    let is_database = format == Some(Format::Sqlite);
    match (fields.get("format"), fields.get("query")) {
        (Some(format), _) if is_database && cfg!(not(feature = "sqlite")) => {
            Err(format.wrong(NO.to_string()))
        }
        _ if is_database => query_of(fields.needed("query")?).map(Some),
        (_, Some(query)) => Err(query.wrong("expected it with the format sqlite only".to_string())),
        (_, None) => Ok(None),
    }
}

/// What tells one from others.
fn label(node: &Node) -> Result<String, Wrong> {
    match node.text("a name")? {
        "" => Err(node.refused("a name")),
        name => Ok(name.to_string()),
    }
}

/// One path or several, none of them relative.
fn paths(node: &Node, wrong: &mut Vec<Wrong>) -> Vec<PathBuf> {
    let items = node.one_or_more();
    if items.is_empty() {
        wrong
            .push(node.wrong("expected a path or a list of some, found an empty list".to_string()));
    }
    let absolute = |node: &Node| match node.text("an absolute path")? {
        path if path.starts_with('/') => Ok(PathBuf::from(path)),
        _ => Err(node.refused("an absolute path")),
    };
    items
        .iter()
        .filter_map(|item| keep(absolute(item), wrong))
        .collect()
}

fn pools(node: &Node, wrong: &mut Vec<Wrong>) -> Vec<Pool> {
    let entries = keep(node.entries("a mapping of names to addresses"), wrong);
    let mut pools = Vec::new();
    for entry in entries.unwrap_or_default() {
        let range = entry
            .node
            .parsed("FIRST-LAST or NETWORK/LENGTH", Range::parse);
        if entry.name.is_empty() {
            let text = "expected a name, found an empty one".to_string();
            wrong.push(Wrong::at(entry.place, text));
        } else if let Some(range) = keep(range, wrong) {
            pools.push(Pool {
                name: entry.name.to_string(),
                range,
            });
        }
    }
    pools
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::yaml;

    fn parsed(text: &str) -> (Config, Vec<String>) {
        let document = yaml::read(text.as_bytes()).expect("YAML");
        let fields = document.fields(&["dhcp"]).expect("a mapping");
        let (mut config, mut wrong) = (Config::default(), Vec::new());
        let section = fields.needed("dhcp").expect("the section");
        read(section, &mut config, &mut wrong);
        (config, wrong.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn everything_that_it_may_say() {
        let (config, wrong) = parsed(
            "dhcp:\n  servers:\n    - name: attic\n      format: kea\n      leases: [/a.2, /a]\n      settings: /s\n      \
             pools: {lan: 192.0.2.100-192.0.2.199, six: \"2001:db8::/120\"}\n    - leases: /b\n    - {leases: [/c], format: isc}\n  \
             pools:\n    guests: 10.0.0.0/24\n  per-lease: true\n  per-lease-limit: 7\n",
        );
        assert_eq!(wrong, [""; 0]);
        let shown = config.dhcp.servers.iter().map(|server| {
            let pools = server.pools.iter();
            let pools: Vec<_> = pools
                .map(|pool| format!("{} {}", pool.name, pool.range))
                .collect();
            let format = server.format.map(Format::word);
            let Server {
                name,
                leases,
                settings,
                ..
            } = server;
            format!("{name} {format:?} {leases:?} {settings:?} {pools:?}")
        });
        assert_eq!(
            shown.collect::<Vec<_>>(),
            [
                "attic Some(\"kea\") [\"/a.2\", \"/a\"] [\"/s\"] \
                 [\"lan 192.0.2.100-192.0.2.199\", \"six 2001:db8::-2001:db8::ff\"]",
                "auto None [\"/b\"] [] []",
                "isc Some(\"isc\") [\"/c\"] [] []",
            ]
        );
        assert_eq!(config.dhcp.pools.len(), 1);
        assert!(config.dhcp.per_lease && config.dhcp.per_lease_limit == 7);
        let (config, wrong) = parsed("dhcp: {}");
        assert_eq!(
            (config.dhcp, wrong.len()),
            (crate::config::dhcp::Dhcp::default(), 0)
        );
    }

    #[test]
    fn a_database_wants_a_query_and_a_weir_that_can_ask() {
        let text = |more: &str| format!("dhcp:\n  servers:\n    - {{leases: /a, {more}}}\n");
        let query = "query: SELECT a AS address FROM t";
        let (config, wrong) = parsed(&text(&format!("format: sqlite, {query}")));
        if cfg!(feature = "sqlite") {
            assert_eq!(wrong, [""; 0]);
            let server = &config.dhcp.servers[0];
            assert_eq!(server.format, Some(Format::Sqlite));
            assert_eq!(server.query.as_deref(), Some("SELECT a AS address FROM t"));
            let (_, wrong) = parsed(&text("format: sqlite"));
            assert!(wrong[0].contains("expected the key query"), "{wrong:?}");
        } else {
            assert!(wrong[0].contains("built without SQLite"), "{wrong:?}");
            assert!(config.dhcp.servers.is_empty());
        }
        let (_, wrong) = parsed(&text(query));
        assert!(
            wrong[0].ends_with("query: expected it with the format sqlite only"),
            "{wrong:?}"
        );
    }
}
