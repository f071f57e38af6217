//! A request's head: bytes in, a [`Request`], a [`Refusal`] or "not all of it yet" out.
//!
//! httparse reads it. Bare line feeds and non-ASCII header values are tolerated, as RFC 9112 allows. A request with a
//! body is refused: nothing here takes one, so that no length a stranger names is ever believed.

#[cfg(feature = "tls")]
use std::fmt;

use httparse::Error;
use httparse::Status;
use tiny_http::HTTPVersion;
use tiny_http::Method;

use super::negotiate;

/// The most header lines that are read.
const MAX_HEADERS: usize = 100;

/// One well-formed request.
#[derive(Clone, Debug)]
pub struct Request {
    /// Which connection it came from.
    pub(super) connection: u64,
    /// The method.
    pub method: Method,
    /// The request target as it was sent: path and query.
    pub target: String,
    /// Whether the client takes gzip.
    pub accepts_gzip: bool,
    /// Whether the client would rather have JSON than text.
    pub prefers_json: bool,
    /// The name and password it came with, until they are checked.
    #[cfg(feature = "tls")]
    pub(super) authorization: Option<Secret>,
    /// 1.0 or 1.1.
    pub(super) version: HTTPVersion,
    /// Whether the connection may stay open after the answer.
    pub(super) keep_alive: bool,
}

impl Request {
    /// Whether both are answered with the same bytes.
    pub(super) fn wants_the_same(&self, other: &Self) -> bool {
        self.target == other.target
            && self.method == other.method
            && self.accepts_gzip == other.accepts_gzip
            && self.prefers_json == other.prefers_json
    }
}

/// What a client says to be let in; not for printing.
#[cfg(feature = "tls")]
#[derive(Clone)]
pub(super) struct Secret(Box<[u8]>);

#[cfg(feature = "tls")]
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

#[cfg(feature = "tls")]
impl Secret {
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A request that is not worth asking the application about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status code.
    pub code: u16,
    /// What was wrong, for a person to read.
    pub text: &'static str,
}

/// What the bytes that have come so far are.
#[derive(Debug)]
pub enum Head {
    /// The beginning of a head.
    Partial,
    /// A request and the length of its head in bytes.
    Complete(Request, usize),
    /// Something that gets a refusal.
    Refused(Refusal),
}

fn refused(code: u16, text: &'static str) -> Head {
    Head::Refused(Refusal { code, text })
}

/// Reads what has come so far; `limit` is the largest head in bytes.
#[must_use]
pub fn parse(bytes: &[u8], limit: usize, connection: u64) -> Head {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let length = match parsed.parse(bytes) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) if bytes.len() < limit => return Head::Partial,
        Ok(Status::Partial) if parsed.version.is_none() => {
            return refused(414, "the URL is too long");
        }
        Ok(Status::Partial) | Err(Error::TooManyHeaders) => {
            return refused(431, "the request head is too long");
        }
        Err(Error::Version) if names_a_version(bytes) => {
            return refused(505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
        }
        Err(_) => return refused(400, "malformed request"),
    };
    if length > limit {
        return refused(431, "the request head is too long");
    }
    let (Some(method), Some(target), Some(minor)) = (parsed.method, parsed.path, parsed.version)
    else {
        return refused(400, "malformed request");
    };
    let Ok(method) = method.parse() else {
        return refused(400, "malformed request");
    };
    match Fields::read(parsed.headers, minor) {
        Err(refusal) => Head::Refused(refusal),
        Ok(fields) => {
            let request = Request {
                connection,
                method,
                target: target.to_string(),
                accepts_gzip: negotiate::accepts_gzip(&fields.accept_encoding),
                prefers_json: negotiate::prefers_json(&fields.accept),
                #[cfg(feature = "tls")]
                authorization: fields.authorization.map(|value| Secret(Box::from(value))),
                version: HTTPVersion(1, minor),
                keep_alive: fields.keep_alive,
            };
            Head::Complete(request, length)
        }
    }
}

/// Whether the first line ends in a version that is merely not ours: `GET / HTTP/2.0`, the h2 preface.
fn names_a_version(bytes: &[u8]) -> bool {
    let bytes = bytes.trim_ascii_start();
    let line = bytes
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    line.rsplit(|byte| *byte == b' ')
        .next()
        .and_then(|word| word.strip_prefix(b"HTTP/"))
        .is_some_and(|version| version.first().is_some_and(u8::is_ascii_digit))
}

/// The header fields that matter here.
#[derive(Default)]
struct Fields<'a> {
    accept: Vec<&'a [u8]>,
    accept_encoding: Vec<&'a [u8]>,
    #[cfg(feature = "tls")]
    authorization: Option<&'a [u8]>,
    keep_alive: bool,
}

impl<'a> Fields<'a> {
    fn read(headers: &[httparse::Header<'a>], minor: u8) -> Result<Self, Refusal> {
        let mut fields = Fields {
            keep_alive: minor >= 1,
            ..Fields::default()
        };
        let mut hosts = 0;
        let mut length = None;
        let mut body = false;
        for header in headers {
            let named = |name: &str| header.name.eq_ignore_ascii_case(name);
            if named("host") {
                hosts += 1;
            } else if named("content-length") {
                let value = header.value.trim_ascii();
                let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
                if !digits || length.is_some_and(|length| length != value) {
                    return Err(Refusal {
                        code: 400,
                        text: "malformed Content-Length",
                    });
                }
                length = Some(value);
                body |= value.iter().any(|digit| *digit != b'0');
            } else if named("transfer-encoding") {
                body = true;
            } else if named("connection") {
                fields.connection(header.value);
            } else if named("accept") {
                fields.accept.push(header.value);
            } else if named("accept-encoding") {
                fields.accept_encoding.push(header.value);
            }
            // Of several the first counts.
            #[cfg(feature = "tls")]
            if named("authorization") {
                fields.authorization.get_or_insert(header.value);
            }
        }
        if body {
            return Err(Refusal {
                code: 413,
                text: "requests with a body are not taken",
            });
        }
        // RFC 9112, 3.2: a request that could be meant for two hosts, or for none, is not answered.
        if hosts > 1 || (hosts == 0 && minor >= 1) {
            return Err(Refusal {
                code: 400,
                text: "expected one Host header",
            });
        }
        Ok(fields)
    }

    fn connection(&mut self, value: &[u8]) {
        for token in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            if token.eq_ignore_ascii_case(b"close") {
                self.keep_alive = false;
            } else if token.eq_ignore_ascii_case(b"keep-alive") {
                self.keep_alive = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 8192;

    fn code(bytes: &[u8]) -> u16 {
        match parse(bytes, LIMIT, 1) {
            Head::Partial => 0,
            Head::Complete(..) => 200,
            Head::Refused(refusal) => refusal.code,
        }
    }

    #[test]
    fn heads_and_what_becomes_of_them() {
        for (head, expected) in [
            (&b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..], 200),
            (b"GET / HTTP/1.0\r\n\r\n", 200),
            (b"GET / HTTP/1.1\nHost: a\n\n", 200),
            (b"\r\n\r\nGET / HTTP/1.0\r\n\r\n", 200),
            (b"BREW / HTTP/1.0\r\n\r\n", 200),
            (b"GET / HTTP/1.0\r\nX: \xff\xe9\r\n\r\n", 200),
            (b"GET / HTTP/1.0\r\nTE: x;q=NaN\r\n\r\n", 200),
            (b"GET / HTTP/1.0\r\nContent-Length: 0\r\n\r\n", 200),
            (b"", 0),
            (b"GET / HTTP/1.1\r\nHost: a\r\n", 0),
            (b"GET / HTTP/1.1\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
            (b"GET / HTTP/1.0\r\nContent-Length: +1\r\n\r\n", 400),
            (b"GET / HTTP/1.0\r\nContent-Length:\r\n\r\n", 400),
            (
                b"GET / HTTP/1.0\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                400,
            ),
            (
                b"GET / HTTP/1.0\r\nContent-Length: 18446744073709551615\r\n\r\n",
                413,
            ),
            (b"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 413),
            (b"GET / HTTP/1.0\r\nX: a\0b\r\n\r\n", 400),
            (b"GET /\r\n\r\n", 400),
            (b"\x16\x03\x01\x02\x00\x01", 400),
            (b"GET / HTTP/2.0\r\n\r\n", 505),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
            (b"GET / HTTP/x\r\n\r\n", 400),
        ] {
            assert_eq!(code(head), expected, "{}", head.escape_ascii());
        }
    }

    #[test]
    fn what_is_too_long_is_told_apart() {
        assert_eq!(code(&[b'A'; LIMIT]), 414);
        let mut url = b"GET /".to_vec();
        url.resize(LIMIT, b'a');
        assert_eq!(code(&url), 414);
        let mut line = b"GET / HTTP/1.1\r\nX: ".to_vec();
        line.resize(LIMIT, b'a');
        assert_eq!(code(&line), 431);
        let mut many = b"GET / HTTP/1.1\r\n".to_vec();
        many.extend(b"X: 1\r\n".repeat(101));
        assert_eq!(code(&many), 431);
    }

    #[test]
    fn a_head_is_read_to_its_end_and_no_further() {
        let one = b"GET /a HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n";
        let two = [&one[..], b"GET /b HTTP/1.0\r\n\r\n"].concat();
        let Head::Complete(request, length) = parse(&two, LIMIT, 7) else {
            unreachable!("a complete head")
        };
        assert_eq!((length, request.target.as_str()), (one.len(), "/a"));
        assert_eq!((request.connection, request.keep_alive), (7, true));
    }

    #[test]
    fn every_prefix_of_a_head_is_the_beginning_of_one() {
        let head = b"GET /metrics HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n";
        for end in 0..head.len() {
            assert_eq!(code(&head[..end]), 0, "{end}");
        }
    }
}
