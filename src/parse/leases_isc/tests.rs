//! Tests of the lease files of ISC dhcpd.

use super::super::leases::tests::survive;
use super::super::leases::tests::told;
use super::*;

/// Written by ISC dhcpd 4.4.3; shortened.
const SAMPLE: &[u8] =
    br#"# The format of this file is documented in the dhcpd.leases(5) manual page.
authoring-byte-order little-endian;

server-duid "\000\001\000\0012\224`=\022\367\325h\234\305";

lease 192.0.2.100 {
  starts 6 2026/11/21 14:00:50;
  ends 0 2026/11/22 02:00:50;
  cltt 6 2026/11/21 14:00:50;
  binding state active;
  next binding state free;
  rewind binding state free;
  hardware ethernet 02:00:00:00:03:01;
  uid "\001\002\000\000\000\003\001";
  set vendor-class-identifier = "udhcp {1.35.0;";
  client-hostname "laptop";
}
ia-na "\005\003\000\000\000\003\000\001\002\000\000\000\003\005" {
  cltt 6 2026/11/21 14:01:00;
  iaaddr 2001:db8:1::10c6 {
    binding state active;
    preferred-life 7200;
    max-life 43200;
    ends 0 2026/11/22 02:01:00;
  }
}
ia-pd "\006\003\000\000\000\003\000\001\002\000\000\000\003\006" {
  iaprefix 2001:db8:1ff::/56 {
    binding state expired;
    ends 0 2026/11/22 02:01:06;
  }
}
"#;

#[test]
fn parses() {
    assert_eq!(
        told(leases, SAMPLE),
        [
            "192.0.2.100/32 02:00:00:00:03:01 \"laptop\" 1795312850 Bound",
            "2001:db8:1::10c6/128 02:00:00:00:03:05 \"\" 1795312860 Bound",
            "2001:db8:1ff::/56 02:00:00:00:03:06 \"\" 1795312866 Free",
        ]
    );
}

#[test]
fn states_and_times() {
    let text = br#"lease 10.0.0.1 { ends never; binding state abandoned; }
lease 10.0.0.2 { ends epoch 1795312866; # Sun Nov 22 02:01:06 2026
 binding state active; uid "a\"b\\"; client-hostname "a\"b\\\351;}"; reserved; on expiry { set a = "}"; } }
lease 10.0.0.3 { binding state free; }
lease 10.0.0.4 { binding state backup; hardware ethernet 02:00; ends 0 2020/01/01 00:00:00; }
lease 10.0.0.5 { binding state active; hardware token-ring 06:00; }
failover peer "x" state { my state normal at 1 2020/01/01 00:00:00; }
host h { dynamic; hardware ethernet 02:00:00:00:00:01; fixed-address 10.0.0.9; }
"#;
    assert_eq!(
        told(leases, text),
        [
            "10.0.0.1/32  \"\" never Declined",
            "10.0.0.2/32  \"a\\\"b\\\\x5c\\\\xe9;}\" 1795312866 Bound reserved",
            "10.0.0.4/32 02:00 \"\" 1577836800 Free",
            "10.0.0.5/32 06:00 \"\" never Bound",
        ]
    );
}

#[test]
fn short() {
    let text = b"lease ten {\n}\nlease 10.0.0.1 {\n ends 0 2026/13/22 02:00:50;\n binding state active; }\nlease 10.0.0.2 { binding state odd; }\n\
        lease 10.0.0.3 { hardware ethernet x; }\nlease 10.0.0.4 { hardware ethernet 02; }\n";
    assert_eq!(
        told(leases, text),
        [
            "error: 1: lease: expected an address, with a slash and a length for prefixes, found \"ten\"",
            "error: 4: ends: expected a weekday, a date and a time, or epoch and seconds, or never, found \"0 2026/13/22 02:00:50\"",
            "error: 6: binding state: expected active, free, backup, expired, released, reset, abandoned or bootp, found \"odd\"",
            "error: 7: hardware: expected hexadecimal digits and colons, found \"x\"",
            "10.0.0.4/32 02 \"\" never Bound",
        ]
    );
}

#[test]
fn a_file_of_another_format_is_no_empty_one() {
    assert_eq!(
        told(leases, b"1795312750 02:00:00:00:01:02 192.0.2.163 a *\n"),
        ["error: 1: statement: expected a statement of dhcpd.leases(5), found \"1795312750\""]
    );
}

#[test]
fn empty() {
    assert!(told(leases, b"").is_empty());
    assert!(told(leases, b"# nothing\nauthoring-byte-order little-endian;\n").is_empty());
}

#[test]
fn ends_abruptly() {
    survive(leases, SAMPLE);
}
