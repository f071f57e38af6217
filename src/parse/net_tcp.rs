//! `/proc/net/tcp`, `tcp6`, `udp` and `udp6`: one row for each socket, the same columns in all four.
//!
//! Kernel: `tcp4_seq_show` (net/ipv4/tcp_ipv4.c), `tcp6_seq_show` (net/ipv6/tcp_ipv6.c), `udp4_seq_show`
//! (net/ipv4/udp.c); proc(5). Since Linux 2.0. From Linux 6.18, x86_64, 2025-11-21:
//!
//! ```text
//!   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
//!    0: 0100007F:0CEA 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 20592 1 000000… 100 0 0 10 0
//! ```
//!
//! Addresses are 32-bit words printed as numbers of the machine that wrote them, so their bytes come in its order: a
//! big-endian one writes `7F000001`. Ports are plain numbers everywhere. Queues are bytes, but for LISTEN sockets:
//! there rx_queue is the number of connections that wait for accept, and tx_queue means nothing (netlink gives the
//! limit there). Connections in the handshake and in TIME_WAIT have rows too, with queues of zero.
//!
//! States are the numbers of include/net/tcp_states.h. Since Linux 4.4 the handshake's is 12 in the kernel, but the table
//! prints 03 for it; a number nobody knows yet is passed on. LISTEN rows come before all others of a file. While sockets
//! come and go, one may appear twice or not at all.

use std::io::BufRead;
use std::net::IpAddr;
use std::net::Ipv6Addr;

use super::ByteOrder;
use super::Line;
use super::ParseError;

/// What errors expect of an address column.
const ENDPOINT: &str = "<hex address>:<hex port>";
/// What errors expect of the queues.
const QUEUES: &str = "<hex tx_queue>:<hex rx_queue>";

/// A state's number, as include/net/tcp_states.h has it. UDP sockets use [`State::ESTABLISHED`] and [`State::CLOSE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State(pub u8);

impl State {
    /// Connected.
    pub const ESTABLISHED: Self = Self(1);
    /// The handshake as the server sees it.
    pub const SYN_RECV: Self = Self(3);
    /// No connection.
    pub const CLOSE: Self = Self(7);
    /// Waits for connections.
    pub const LISTEN: Self = Self(10);
    /// The handshake as the kernel keeps it since Linux 4.4; shown as [`State::SYN_RECV`] by every source known so far.
    pub const NEW_SYN_RECV: Self = Self(12);
}

/// An address of either family. IPv4 is held in its mapped form `::ffff:a.b.c.d`, so that an IPv4 peer of a dual-stack
/// socket and of an IPv4 socket are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address([u8; 16]);

impl Address {
    /// An IPv4 address, its bytes in network order.
    #[must_use]
    pub const fn v4(bytes: [u8; 4]) -> Self {
        let [a, b, c, d] = bytes;
        Self([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d])
    }

    /// An IPv6 address, its bytes in network order; a mapped one is the same as its IPv4 address.
    #[must_use]
    pub const fn v6(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The sixteen bytes, IPv4 in mapped form.
    #[must_use]
    pub const fn bytes(self) -> [u8; 16] {
        self.0
    }

    /// Whether it is an IPv4 address.
    #[must_use]
    pub const fn is_v4(self) -> bool {
        matches!(self.0, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ..])
    }

    /// The address to print: IPv4 as IPv4.
    #[must_use]
    pub fn ip(self) -> IpAddr {
        Ipv6Addr::from(self.0).to_canonical()
    }
}

/// The family of a socket, which is not that of its addresses: a dual-stack socket is IPv6 and talks IPv4 too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Listed in `tcp`.
    V4,
    /// Listed in `tcp6`.
    V6,
}

/// What is read of one socket; the columns behind the queues are not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Socket {
    /// The socket's own family.
    pub family: Family,
    /// The state.
    pub state: State,
    /// The local address.
    pub local: Address,
    /// The local port.
    pub local_port: u16,
    /// The other end's address, all zeros when there is none.
    pub remote: Address,
    /// The other end's port, 0 when there is none.
    pub remote_port: u16,
    /// Bytes sent and not yet acknowledged; from netlink and for LISTEN the accept queue's limit.
    pub send_queue: u32,
    /// Bytes received and not yet read; for LISTEN connections that wait for accept.
    pub receive_queue: u32,
}

/// One table, read piece by piece.
#[derive(Debug)]
pub struct Table {
    order: ByteOrder,
    lines: usize,
}

impl Table {
    /// A table written by a machine of that byte order.
    #[must_use]
    pub fn new(order: ByteOrder) -> Self {
        Self { order, lines: 0 }
    }

    /// Reads the whole lines at the start of `bytes` and says how many bytes they were. The rest, and what follows it,
    /// belongs at the start of the next piece.
    ///
    /// # Errors
    /// On the first line that breaks the format.
    pub fn piece(
        &mut self,
        bytes: &[u8],
        mut each: impl FnMut(&Socket),
    ) -> Result<usize, ParseError> {
        let mut rest = bytes;
        loop {
            let start = rest;
            // A slice is a reader that cannot fail; its `skip_until` is the fast search that slices do not offer.
            let length = rest.skip_until(b'\n').unwrap_or_default();
            let Some(text) = start
                .get(..length)
                .and_then(|line| line.strip_suffix(b"\n"))
            else {
                return Ok(bytes.len() - start.len());
            };
            self.lines += 1;
            if self.lines == 1 {
                header(text)?;
            } else {
                each(&row(self.lines, text, self.order)?);
            }
        }
    }

    /// The table ends here; `rest` is what no piece has used.
    ///
    /// # Errors
    /// When there was no header, or the last line was cut short.
    pub fn end(&self, rest: &[u8]) -> Result<(), ParseError> {
        if rest.is_empty() && self.lines > 0 {
            return Ok(());
        }
        Err(self.endless(rest))
    }

    /// The error for a line that has no end.
    #[must_use]
    pub fn endless(&self, rest: &[u8]) -> ParseError {
        let line = self.lines + 1;
        if rest.is_empty() {
            ParseError::new(line, "sl", HEADER, rest)
        } else {
            ParseError::new(line, "line", "a line feed at its end", rest)
        }
    }
}

const HEADER: &str = "the header \"sl local_address …\"";

fn header(text: &[u8]) -> Result<(), ParseError> {
    let mut line = Line::new(1, text);
    if line.word() == Some(b"sl") && line.word() == Some(b"local_address") {
        Ok(())
    } else {
        Err(line.error("sl", HEADER, text))
    }
}

/// Reads one row from the left, as far as it is needed.
fn row(number: usize, text: &[u8], order: ByteOrder) -> Result<Socket, ParseError> {
    let rest = text.trim_ascii_start();
    let rest = slot(rest).ok_or_else(|| broken(number, "sl", "<number>:", rest))?;
    let (family, local, local_port, rest) =
        endpoint(rest, order).ok_or_else(|| broken(number, "local_address", ENDPOINT, rest))?;
    let (_, remote, remote_port, rest) =
        endpoint(rest, order).ok_or_else(|| broken(number, "rem_address", ENDPOINT, rest))?;
    let (state, rest) = state(rest).ok_or_else(|| broken(number, "st", "<hex state>", rest))?;
    let (send_queue, receive_queue) =
        queues(rest).ok_or_else(|| broken(number, "tx_queue", QUEUES, rest))?;
    Ok(Socket {
        family,
        state,
        local,
        local_port,
        remote,
        remote_port,
        send_queue,
        receive_queue,
    })
}

#[cold]
fn broken(number: usize, field: &'static str, expected: &'static str, rest: &[u8]) -> ParseError {
    let mut line = Line::new(number, rest);
    let found = line.word().unwrap_or_default();
    ParseError::new(number, field, expected, found)
}

/// `12: `, a running number that says nothing.
fn slot(text: &[u8]) -> Option<&[u8]> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = text.get(digits..)?.strip_prefix(b":")?;
    (digits > 0).then(|| blanks(rest))?
}

/// Eight or thirty-two digits of address, a colon, the port, a blank.
fn endpoint(text: &[u8], order: ByteOrder) -> Option<(Family, Address, u16, &[u8])> {
    let (first, rest) = word(text, order)?;
    let (family, address, rest) = if let Some(rest) = rest.strip_prefix(b":") {
        (Family::V4, Address::v4(first), rest)
    } else {
        let (second, rest) = word(rest, order)?;
        let (third, rest) = word(rest, order)?;
        let (fourth, rest) = word(rest, order)?;
        let [a, b, c, d] = [first, second, third, fourth].map(u32::from_be_bytes);
        let bits = (u128::from(a) << 96) | (u128::from(b) << 64) | (u128::from(c) << 32);
        let bytes = (bits | u128::from(d)).to_be_bytes();
        (Family::V6, Address::v6(bytes), rest.strip_prefix(b":")?)
    };
    let (port, rest) = number::<4>(rest)?;
    Some((family, address, u16::try_from(port).ok()?, blanks(rest)?))
}

/// One word of an address: exactly eight digits, turned into the bytes it was printed from.
fn word(text: &[u8], order: ByteOrder) -> Option<([u8; 4], &[u8])> {
    let (digits, rest) = text.split_first_chunk::<8>()?;
    let mut value = 0;
    for digit in digits {
        value = (value << 4) | u32::from(nibble(*digit)?);
    }
    let bytes = match order {
        ByteOrder::Little => value.to_le_bytes(),
        ByteOrder::Big => value.to_be_bytes(),
    };
    Some((bytes, rest))
}

fn state(text: &[u8]) -> Option<(State, &[u8])> {
    let (value, rest) = number::<2>(text)?;
    Some((State(u8::try_from(value).ok()?), blanks(rest)?))
}

fn queues(text: &[u8]) -> Option<(u32, u32)> {
    let (send, rest) = number::<8>(text)?;
    let (receive, rest) = number::<8>(rest.strip_prefix(b":")?)?;
    (rest.is_empty() || blanks(rest).is_some()).then_some((send, receive))
}

/// One to `MOST` hexadecimal digits; a digit more is an error where it is met.
fn number<const MOST: usize>(text: &[u8]) -> Option<(u32, &[u8])> {
    let mut value = 0;
    let mut rest = text;
    for _ in 0..MOST {
        let Some((digit, tail)) = rest.split_first() else {
            break;
        };
        let Some(digit) = nibble(*digit) else { break };
        value = (value << 4) | u32::from(digit);
        rest = tail;
    }
    (rest.len() < text.len()).then_some((value, rest))
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// At least one blank, and whatever follows the last.
fn blanks(text: &[u8]) -> Option<&[u8]> {
    text.strip_prefix(b" ").map(<[u8]>::trim_ascii_start)
}

#[cfg(test)]
mod tests;
