//! A small HTTP/1.1 client and a reader of the text format, both written apart from what they test: the program's own
//! code must not judge itself. The benchmark uses the client too.

use std::collections::BTreeMap;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::net::ToSocketAddrs;
use std::time::Duration;

/// Longer than any answer that these tests wait for.
const PATIENCE: Duration = Duration::from_secs(20);

/// A kept-alive connection.
pub(crate) struct Client<S> {
    stream: BufReader<S>,
}

/// An answer: its status, its head's fields with their names in lower case, its body.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) fields: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> io::Result<&str> {
        std::str::from_utf8(&self.body).map_err(invalid)
    }
}

impl Client<TcpStream> {
    pub(crate) fn connect(address: impl ToSocketAddrs) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self::over(stream))
    }
}

impl<S: Read + Write> Client<S> {
    pub(crate) fn over(stream: S) -> Self {
        Self {
            stream: BufReader::with_capacity(64 * 1024, stream),
        }
    }

    pub(crate) fn get(&mut self, path: &str, fields: &str) -> io::Result<Answer> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\n{fields}\r\n");
        self.stream.get_mut().write_all(request.as_bytes())?;
        self.read_answer()
    }

    pub(crate) fn read_answer(&mut self) -> io::Result<Answer> {
        let status_line = self.line()?;
        let status = status_line
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .ok_or_else(|| invalid(format!("no status line: {status_line:?}")))?;
        let mut fields = BTreeMap::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line
                .split_once(':')
                .ok_or_else(|| invalid(format!("no header field: {line:?}")))?;
            fields.insert(name.to_ascii_lowercase(), value.trim().to_string());
        }
        let mut body = Vec::new();
        if fields.get("transfer-encoding").map(String::as_str) == Some("chunked") {
            loop {
                let size = self.line()?;
                let size = u64::from_str_radix(&size, 16).map_err(invalid)?;
                self.take(size, &mut body)?;
                self.line()?;
                if size == 0 {
                    break;
                }
            }
        } else if let Some(length) = fields.get("content-length") {
            self.take(length.parse().map_err(invalid)?, &mut body)?;
        } else {
            self.stream.read_to_end(&mut body)?;
        }
        Ok(Answer {
            status,
            fields,
            body,
        })
    }

    fn take(&mut self, size: u64, body: &mut Vec<u8>) -> io::Result<()> {
        match (&mut self.stream).take(size).read_to_end(body)? {
            found if found as u64 == size => Ok(()),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end_matches(['\r', '\n']).to_string())
    }
}

/// One GET on a connection of its own.
pub(crate) fn get(address: &str, path: &str) -> io::Result<Answer> {
    Client::connect(address)?.get(path, "Connection: close\r\n")
}

pub(crate) fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
