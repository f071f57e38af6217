//! The flags of what asks name servers: the third part of the table in flags.rs.

use std::time::Duration;

use crate::config::dns::Record;
use crate::config::dns::Server;

use super::flag::Flag;
use super::flag::Set;
use super::flag::one;
use super::values::at_least;
use super::values::refused;

pub(super) static FLAGS: &[Flag] = &[
    Flag {
        name: "--collector.dns.record",
        value: "NAME,TYPE[,EXPECT…]",
        default: "",
        help: "A DNS record to check, and all the values it must have, in any order; without any, an answer will do. A, AAAA, CNAME, MX, NS, PTR, SOA (the serial), SRV, TXT; \\, is a comma inside a value; repeatable.",
        set: Set::Many(|config, values| {
            config.dns.records.clear();
            for text in values {
                config.dns.add(Record::parse(text)?)?;
            }
            Ok(())
        }),
    },
    one(
        "--collector.dns.resolver",
        "ADDRESS[:PORT]",
        "",
        "Whom dns and --collector.connections.hostnames=dns ask; empty: the servers of /etc/resolv.conf below --path.rootfs.",
        |config, text| {
            let server = Some(text)
                .filter(|text| !text.is_empty())
                .map(Server::parse);
            config.dns.resolver = server
                .transpose()
                .map_err(|expected| refused(expected, text))?;
            Ok(())
        },
    ),
    one(
        "--collector.dns.interval",
        "DURATION",
        "1m",
        "From one check of a DNS record to the next, a tenth more or less; 1s at least.",
        |config, text| {
            config.dns.interval = at_least(Duration::from_secs(1), "at least 1s", text)?;
            Ok(())
        },
    ),
    one(
        "--collector.dns.timeout",
        "DURATION",
        "3s",
        "How long dns waits for an answer before it asks again; each server is asked twice; 10ms to 1m.",
        |config, text| {
            let timeout = at_least(Duration::from_millis(10), "10ms to 1m", text)?;
            if timeout > Duration::from_secs(60) {
                return Err(refused("10ms to 1m", text));
            }
            config.dns.timeout = timeout;
            Ok(())
        },
    ),
];
