//! An answer: its status and headers, and a body that all who asked for it share.

use std::rc::Rc;

use tiny_http::HTTPVersion;
use tiny_http::Header;
use tiny_http::Response;
use tiny_http::StatusCode;

use super::Gzip;

/// Below this many bytes gzip saves less than a packet and costs more than sending it.
const WORTH_COMPRESSING: usize = 1024;

/// What goes back to a client, but for what depends on its connection.
#[derive(Clone, Debug)]
pub struct Answer {
    handler: &'static str,
    status: u16,
    headers: Vec<Header>,
    body: Rc<Vec<u8>>,
}

impl Answer {
    /// An answer with a body of the given type.
    #[must_use]
    pub fn new(handler: &'static str, status: u16, content_type: &str, body: Vec<u8>) -> Self {
        Self::shared(handler, status, content_type, Rc::new(body))
    }

    /// The same with a body that others have too.
    #[must_use]
    pub fn shared(
        handler: &'static str,
        status: u16,
        content_type: &str,
        body: Rc<Vec<u8>>,
    ) -> Self {
        let mut answer = Self {
            handler,
            status,
            headers: Vec::new(),
            body,
        };
        answer.add_header("Server", "weir");
        answer.add_header("Content-Type", content_type);
        answer.add_header("X-Content-Type-Options", "nosniff");
        answer
    }

    /// An answer of one line of text; the line feed is added here.
    #[must_use]
    pub fn text(handler: &'static str, status: u16, text: &str) -> Self {
        let body = format!("{text}\n").into_bytes();
        Self::new(handler, status, "text/plain; charset=utf-8", body)
    }

    /// Who made it: `metrics`, `health`, `page`, `api` or `other`.
    #[must_use]
    pub fn handler(&self) -> &'static str {
        self.handler
    }

    /// The status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The body as it is sent.
    #[must_use]
    pub fn body(&self) -> &Rc<Vec<u8>> {
        &self.body
    }

    /// The value of a header, if the answer has it.
    #[must_use]
    pub fn header(&self, name: &'static str) -> Option<&str> {
        self.headers
            .iter()
            .find(|header| header.field.equiv(name))
            .map(|header| header.value.as_str())
    }

    /// Adds a header. One that HTTP cannot carry (a control or non-ASCII character in it) is left out.
    pub fn add_header(&mut self, name: &str, value: &str) {
        if value.bytes().any(|byte| byte.is_ascii_control()) {
            return;
        }
        if let Ok(header) = Header::from_bytes(name, value) {
            self.headers.push(header);
        }
    }

    /// Compresses the body where that pays.
    pub fn compress(&mut self, gzip: &mut Gzip) {
        if self.body.len() < WORTH_COMPRESSING {
            return;
        }
        if let Some(packed) = gzip.pack(&self.body) {
            self.body = Rc::new(packed);
            self.add_header("Content-Encoding", "gzip");
        }
    }

    /// The status line and the headers, down to the empty line.
    ///
    /// tiny_http writes them, with empty request headers, because its parsing of `TE` panics on `q=NaN`, and without a
    /// threshold for chunks, because the length is known. It drops a `Connection` header silently, so that line is put in
    /// before the last line end.
    ///
    /// `more` are headers of every answer; they replace its own of the same name.
    pub(super) fn head(
        &self,
        version: &HTTPVersion,
        keep_alive: bool,
        more: &[(String, String)],
    ) -> Vec<u8> {
        let mut head = Vec::with_capacity(384);
        let mut answer = self.clone();
        for (name, value) in more {
            let is_other =
                |header: &Header| !header.field.as_str().as_str().eq_ignore_ascii_case(name);
            answer.headers.retain(is_other);
            answer.add_header(name, value);
        }
        let response = Response::new(
            StatusCode(self.status),
            answer.headers,
            std::io::empty(),
            Some(self.body.len()),
            None,
        );
        // Writing into a Vec cannot fail.
        let _ = response.with_chunked_threshold(usize::MAX).raw_print(
            &mut head,
            version.clone(),
            &[],
            true,
            None,
        );
        head.truncate(head.len().saturating_sub(2));
        head.extend_from_slice(if keep_alive {
            b"Connection: keep-alive\r\n\r\n"
        } else {
            b"Connection: close\r\n\r\n"
        });
        head
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_has_one_length_and_one_connection_line_and_ends_with_an_empty_line() {
        let mut answer = Answer::text("other", 404, "no");
        answer.add_header("X-Evil", "a\r\nSet-Cookie: b");
        let head = String::from_utf8(answer.head(&HTTPVersion(1, 1), false, &[])).expect("ASCII");
        assert!(head.starts_with("HTTP/1.1 404 Not Found\r\n"), "{head}");
        assert_eq!(head.matches("Content-Length: 3\r\n").count(), 1);
        assert!(head.ends_with("\r\nConnection: close\r\n\r\n"), "{head}");
        assert_eq!(head.matches("\r\n\r\n").count(), 1);
        assert!(!head.contains("Cookie") && !head.contains("chunked"));
    }

    #[test]
    fn small_bodies_stay_as_they_are() {
        let mut small = Answer::text("metrics", 200, "up 1");
        small.compress(&mut Gzip::default());
        assert_eq!(small.body().as_slice(), b"up 1\n");
        let mut large = Answer::text("metrics", 200, &"up 1\n".repeat(2000));
        large.compress(&mut Gzip::default());
        assert_eq!(large.header("Content-Encoding"), Some("gzip"));
        assert!(large.body().len() < 1000);
    }
}
