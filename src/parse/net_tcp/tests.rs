use super::super::hostile::survive;
use super::*;

const TCP: &[u8] = b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000003 00:00000000 00000000     0        0 20592 1 0000000000000000 100 0 0 10 0
   1: 0202A8C0:C2A4 2200A8C0:01BB 01 0000002C:00000000 01:00000014 00000000  1000        0 20593 4 0000000000000000 22 4 0 10 -1
";
const TCP6: &[u8] = b"  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: B80D0120000000000000000001000000:0016 0000000000000000FFFF00000100007F:E1D2 0B 00000000:00000000 00:00000000 00000000     0        0 1 1 0
";

fn read(bytes: &[u8], order: ByteOrder) -> Result<Vec<Socket>, ParseError> {
    let mut table = Table::new(order);
    let mut found = Vec::new();
    let used = table.piece(bytes, |socket| found.push(*socket))?;
    table.end(&bytes[used..])?;
    Ok(found)
}

fn parse(bytes: &[u8], order: ByteOrder) -> Result<Vec<Socket>, String> {
    read(bytes, order).map_err(|error| error.to_string())
}

#[test]
fn parses() {
    let found = parse(TCP, ByteOrder::Little).unwrap();
    assert_eq!((found[0].state, found[0].receive_queue), (State::LISTEN, 3));
    assert_eq!(found[0].local.ip().to_string(), "127.0.0.1");
    assert_eq!(found[0].local_port, 8080);
    assert_eq!(found[1].remote.ip().to_string(), "192.168.0.34");
    assert_eq!((found[1].remote_port, found[1].send_queue), (443, 44));
    assert_eq!(found[1].family, Family::V4);
}

#[test]
fn parses_ipv6_and_folds_mapped_addresses() {
    let found = parse(TCP6, ByteOrder::Little).unwrap();
    assert_eq!(found[0].local.ip().to_string(), "2001:db8::1");
    assert_eq!(found[0].remote, Address::v4([127, 0, 0, 1]));
    assert_eq!((found[0].state, found[0].family), (State(11), Family::V6));
}

#[test]
fn a_big_endian_machine_writes_the_words_the_other_way_round() {
    let text = String::from_utf8(TCP.to_vec()).unwrap();
    let found = parse(
        text.replace("2200A8C0", "C0A80022").as_bytes(),
        ByteOrder::Big,
    );
    assert_eq!(found.unwrap()[1].remote.ip().to_string(), "192.168.0.34");
}

#[test]
fn an_unknown_state_is_a_number() {
    let text = String::from_utf8(TCP.to_vec()).unwrap();
    let found = parse(text.replace(" 01 ", " 2F ").as_bytes(), ByteOrder::Little);
    assert_eq!(found.unwrap()[1].state, State(0x2f));
}

#[test]
fn short() {
    let head = &TCP[..TCP.iter().position(|byte| *byte == b'\n').unwrap() + 1];
    assert_eq!(parse(head, ByteOrder::Little), Ok(Vec::new()));
    let row = [
        head,
        b"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000003\n",
    ]
    .concat();
    assert_eq!(parse(&row, ByteOrder::Little).unwrap().len(), 1);
    let row = [head, b"   0: 0100007F:1F90 00000000:0000\n"].concat();
    assert_eq!(
        parse(&row, ByteOrder::Little),
        Err("2: rem_address: expected <hex address>:<hex port>, found \"00000000:0000\"".into())
    );
}

#[test]
fn empty() {
    assert_eq!(
        parse(b"", ByteOrder::Little),
        Err("1: sl: expected the header \"sl local_address …\", found \"\"".into())
    );
    assert!(parse(b"\n", ByteOrder::Little).is_err());
}

#[test]
fn buffer_ends_abruptly() {
    for end in 0..TCP.len() {
        let whole_lines = TCP[..end].ends_with(b"\n");
        let found = parse(&TCP[..end], ByteOrder::Little);
        assert_eq!(found.is_ok(), whole_lines, "cut at {end}");
    }
}

#[test]
fn errors_name_line_field_and_finding() {
    let text = String::from_utf8(TCP.to_vec()).unwrap();
    for (old, new, error) in [
        (
            "2200A8C0:01BB",
            "zz",
            "3: rem_address: expected <hex address>:<hex port>, found \"zz\"",
        ),
        (
            "2200A8C0:01BB",
            "2200A8C0:101BB",
            "3: rem_address: expected <hex address>:<hex port>, found \"2200A8C0:101BB\"",
        ),
        (
            "0202A8C0:C2A4",
            "0202A8C:C2A4",
            "3: local_address: expected <hex address>:<hex port>, found \"0202A8C:C2A4\"",
        ),
        (
            "0000002C:00000000",
            "0000002C",
            "3: tx_queue: expected <hex tx_queue>:<hex rx_queue>, found \"0000002C\"",
        ),
        (
            "0000002C:",
            "+000002C:",
            "3: tx_queue: expected <hex tx_queue>:<hex rx_queue>, found \"+000002C:00000000\"",
        ),
        (
            " 01 ",
            " 101 ",
            "3: st: expected <hex state>, found \"101\"",
        ),
        ("   1:", "   x:", "3: sl: expected <number>:, found \"x:\""),
        (
            "local_address",
            "address",
            "1: sl: expected the header \"sl local_address …\", found \"  sl  address rem_address   st tx_queue …\"",
        ),
    ] {
        let found = parse(text.replace(old, new).as_bytes(), ByteOrder::Little);
        assert_eq!(found, Err(error.to_string()));
    }
}

#[test]
fn garbling_never_panics() {
    for sample in [TCP, TCP6] {
        for order in [ByteOrder::Little, ByteOrder::Big] {
            survive(sample, |bytes| read(bytes, order));
        }
    }
}

#[test]
fn pieces_of_any_size_give_the_same() {
    let whole = parse(TCP, ByteOrder::Little).unwrap();
    for size in 1..TCP.len() {
        let mut table = Table::new(ByteOrder::Little);
        let (mut found, mut held) = (Vec::new(), Vec::new());
        for piece in TCP.chunks(size) {
            held.extend_from_slice(piece);
            let used = table.piece(&held, |socket| found.push(*socket)).unwrap();
            held.drain(..used);
        }
        assert_eq!((table.end(&held), &found), (Ok(()), &whole));
    }
}
