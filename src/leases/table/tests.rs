use super::*;
use crate::parse::leases_dnsmasq;

fn table(text: &str) -> Table {
    let mut table = Table::default();
    leases_dnsmasq::leases(text.as_bytes(), &mut |lease| {
        table.take(&lease.expect("a lease"));
    })
    .expect("leases");
    table.finish();
    table
}

#[test]
fn the_last_entry_of_an_address_counts() {
    let table =
        table("9 02 10.0.0.2 old *\n9 03 10.0.0.1 a *\n7 04 10.0.0.2 new *\n9 05 ::1 b *\n");
    let shown: Vec<_> = table
        .entries()
        .iter()
        .map(|entry| format!("{} {} {}", entry.address, entry.expires, table.name(entry)))
        .collect();
    assert_eq!(shown, ["10.0.0.1 9 a", "10.0.0.2 7 new", "::1 9 b"]);
    let holder = |address: &str, now| table.holder(address.parse().expect("an address"), now);
    assert_eq!(holder("10.0.0.2", 6), Some("new"));
    assert_eq!(holder("10.0.0.2", 7), None, "over");
    assert_eq!(holder("10.0.0.3", 6), None);
}

#[test]
fn a_long_name_is_cut_between_characters() {
    let table = table(&format!("9 02 10.0.0.2 {} *\n", "é".repeat(200)));
    assert_eq!(table.name(&table.entries()[0]), "é".repeat(127));
}

#[test]
fn new_leases_are_counted_and_renewed_ones_are_not() {
    let mut issued = Issued::default();
    let mut old = table("");
    let mut looked = 0;
    for (now, text, expected, why) in [
        (
            10,
            "100 02 10.0.0.1 a *\n100 03 10.0.0.2 b *\n",
            2,
            "both are new",
        ),
        (
            20,
            "110 02 10.0.0.1 a *\n100 03 10.0.0.2 c *\n",
            2,
            "renewed, renamed",
        ),
        (
            30,
            "110 02 10.0.0.1 a *\n130 04 10.0.0.2 d *\n",
            3,
            "another client",
        ),
        (40, "", 3, "seen while it was written anew"),
        (
            50,
            "110 02 10.0.0.1 a *\n130 04 10.0.0.2 d *\n",
            3,
            "and back",
        ),
        (60, "110 02 10.0.0.1 a *\n", 3, "given back"),
        (
            70,
            "110 02 10.0.0.1 a *\n170 04 10.0.0.2 d *\n",
            4,
            "and taken again",
        ),
        (
            120,
            "110 02 10.0.0.1 a *\n170 04 10.0.0.2 d *\n",
            4,
            "the first is over",
        ),
        (
            130,
            "230 02 10.0.0.1 a *\n170 04 10.0.0.2 d *\n",
            5,
            "and taken anew",
        ),
        (
            140,
            "230 02 10.0.0.1 a *\n170 04 10.0.0.2 d *\n5 09 10.0.0.9 x *\n",
            5,
            "one that was over",
        ),
        (
            150,
            "0 02 10.0.0.1 a *\n170 04 10.0.0.2 d *\n",
            5,
            "for ever now",
        ),
    ] {
        let new = table(text);
        issued.step(&old, looked, &new, now);
        assert_eq!(issued.total(), expected, "{why}");
        (old, looked) = (new, now);
    }
    assert_eq!(issued.vanished.len(), 0);
}

#[test]
fn states_at_a_time() {
    let table = table("9 02 10.0.0.1 a *\n0 03 10.0.0.2 b *\n");
    let [timed, endless] = table.entries() else {
        panic!("{table:?}");
    };
    assert_eq!(timed.state(8, false), State::Active);
    assert_eq!(timed.state(8, true), State::Static);
    assert_eq!(timed.state(9, true), State::Expired);
    assert_eq!(endless.state(i64::MAX - 1, false), State::Static);
}

/// dnsmasq empties its file before it writes it anew, also when a lease is renewed.
#[test]
fn a_lease_that_is_renewed_while_the_file_is_seen_empty_is_not_new() {
    let mut issued = Issued::default();
    let text = |ends: u32| format!("{ends} 02 10.0.0.1 a *\n100 03 10.0.0.2 b *\n");
    issued.step(&table(""), 0, &table(&text(100)), 10);
    assert_eq!(issued.total(), 2);
    issued.step(&table(&text(100)), 10, &table(""), 20);
    issued.step(&table(""), 20, &table(&text(120)), 25);
    assert_eq!(issued.total(), 2);
    // Given back, and taken by another or later.
    issued.step(&table(&text(120)), 25, &table(""), 30);
    issued.step(&table(""), 30, &table("140 09 10.0.0.1 c *\n"), 35);
    assert_eq!(issued.total(), 3);
    issued.step(&table("140 09 10.0.0.1 c *\n"), 35, &table(&text(150)), 40);
    assert_eq!(
        issued.total(),
        4,
        "the second is unchanged after ten seconds, the first another's"
    );
}
