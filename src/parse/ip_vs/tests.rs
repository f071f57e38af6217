use super::super::hostile;
use super::*;

/// As the kernel's source prints them; no machine here has the module.
const SERVERS: &str = "\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  C0000216:0CEA wlc persistent 360 FFFFFFFF
  -> C0000252:0CEA      Tunnel  100    248        2         
  -> C0000253:0CEA      Tunnel  100    0          1         
UDP  [2001:0db8:0000:0000:0000:0000:0000:0001]:0050 rr 
FWM  10001000 wlc 
  -> [2001:0db8:0000:0000:0000:0000:0000:0002]:0050      Route   1      3          4         
";

const STATS: &str = "   Total Incoming Outgoing         Incoming         Outgoing
   Conns  Packets  Packets            Bytes            Bytes
 16AA370 E33656E5        1     51D8C8883AB3                2

 Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s
       4    1FB3C        0          1282A8F                0
";

fn read(bytes: &[u8]) -> Result<Vec<Backend<'_>>, ParseError> {
    backends(bytes)?.collect()
}

fn fault(text: &str) -> String {
    let result = read(text.as_bytes()).map(|found| found.len());
    result.expect_err("a defect").to_string()
}

#[test]
fn parses() {
    let found = read(SERVERS.as_bytes()).expect("the sample");
    assert_eq!(found.len(), 3);
    let service = Service {
        protocol: b"TCP",
        local: Some((IpAddr::from([192, 0, 2, 22]), 3306)),
        mark: b"",
    };
    let expected = Backend {
        service,
        address: IpAddr::from([192, 0, 2, 82]),
        port: 3306,
        weight: 100,
        active: 248,
        inactive: 2,
    };
    assert_eq!(found[0], expected);
    assert_eq!(found[1].service, service);
    let marked = found[2];
    assert_eq!(
        (marked.service.protocol, marked.service.local),
        (&b"FWM"[..], None)
    );
    assert_eq!(marked.service.mark, b"10001000");
    assert_eq!(marked.address.to_string(), "2001:db8::2");
    assert_eq!(
        (marked.port, marked.weight, marked.active, marked.inactive),
        (80, 1, 3, 4)
    );
    hostile::survive(SERVERS.as_bytes(), |bytes| {
        read(bytes).map(|found| found.len())
    });
}

#[test]
fn totals_are_hexadecimal() {
    let expected = Stats {
        connections: 0x16A_A370,
        incoming_packets: 0xE336_56E5,
        outgoing_packets: 1,
        incoming_bytes: 0x51D8_C888_3AB3,
        outgoing_bytes: 2,
    };
    assert_eq!(stats(STATS.as_bytes()), Ok(expected));
    hostile::survive(STATS.as_bytes(), stats);
}

#[test]
fn short() {
    let header: String = SERVERS.split_inclusive('\n').take(3).collect();
    assert_eq!(read(header.as_bytes()), Ok(Vec::new()));
    let begun = SERVERS.split_inclusive('\n').take(2).collect::<String>();
    assert_eq!(
        fault(&begun),
        "3: header: expected IP Virtual Server …, Prot … and -> RemoteAddress:Port …, found \"\""
    );
    let error = stats(STATS.replace("               2\n", "\n").as_bytes());
    assert_eq!(
        error.map_err(|error| error.to_string()),
        Err("3: Outgoing Bytes: expected a hexadecimal number, found \"\"".to_string())
    );
}

#[test]
fn empty() {
    assert!(fault("").starts_with("1: header: "));
    let error = stats(b"").map_err(|error| error.to_string());
    assert_eq!(
        error,
        Err("1: header: expected the names of the totals, found \"\"".to_string())
    );
}

#[test]
fn ends_abruptly() {
    let cut = SERVERS.trim_end();
    assert!(fault(cut).starts_with("9: line: expected a line feed at its end"));
    let cut = &STATS.as_bytes()[..STATS.len() - 1];
    let error = stats(cut).map_err(|error| (error.line, error.expected));
    assert_eq!(error, Err((6, "a line feed at its end")));
}

#[test]
fn an_error_names_the_field() {
    const ENDPOINT: &str = "<hex IPv4 address>:<hex port> or [<IPv6 address>]:<hex port>";
    for (old, new, expected) in [
        ("C0000252", "C000025", format!("5: RemoteAddress:Port: expected {ENDPOINT}, found \"C000025:0CEA\"")),
        ("C0000216:0CEA", "C0000216:10CEA", format!("4: LocalAddress:Port: expected {ENDPOINT}, found \"C0000216:10CEA\"")),
        ("248", "-1", "5: ActiveConn: expected an unsigned decimal number, found \"-1\"".to_string()),
        ("10001000", "110001000", "8: mark: expected a hexadecimal mark of 32 bits, found \"110001000\"".to_string()),
        ("TCP  C0000216:0CEA wlc persistent 360 FFFFFFFF\n", "",
            "4: line: expected a service, or one of its servers, found \"  -> C0000252:0CEA      Tunnel  100    2…\"".to_string()),
    ] {
        assert_eq!(fault(&SERVERS.replacen(old, new, 1)), expected);
    }
}
