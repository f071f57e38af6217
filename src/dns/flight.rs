//! One question on its way to one server: over UDP, and over TCP (RFC 7766) where the answer was cut. Nothing here waits:
//! whoever owns it polls its socket and tells it when something came.

use std::io;
use std::io::ErrorKind;
use std::io::Read as _;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Instant;

use rustix::event::PollFlags;
use rustix::net::AddressFamily;
use rustix::net::SocketFlags;
use rustix::net::SocketType;

use super::message;
use super::message::Answer;
use super::message::Read;
use crate::config::dns::RecordType;

/// What is asked.
#[derive(Clone, Debug)]
pub(super) struct Query {
    pub(super) name: Arc<str>,
    pub(super) kind: RecordType,
    /// Whether larger answers than 512 bytes are invited (RFC 6891); a server that knows no EDNS is asked without.
    pub(super) edns: bool,
}

/// A question that waits for its answer.
pub(super) struct Flight {
    query: Query,
    server: SocketAddr,
    id: u16,
    stage: Stage,
    pub(super) deadline: Instant,
    /// Whether an answer to this very question came that breaks the format.
    pub(super) malformed: bool,
    /// Messages that were not believed, since that was last looked at.
    pub(super) foreign: u64,
}

enum Stage {
    Udp(UdpSocket),
    Tcp {
        stream: TcpStream,
        question: Vec<u8>,
        written: usize,
        answer: Vec<u8>,
    },
}

/// How far a question has come.
pub(super) enum Progress {
    /// Nothing yet.
    Waiting,
    /// The answer.
    Answered(Answer),
    /// The answer did not fit.
    Truncated,
    /// The system says that there is no way.
    Failed(io::Error),
}

impl Flight {
    /// Sends a question over UDP, from a socket of its own: the kernel draws its port, and lets in only what the server sent.
    pub(super) fn udp(query: Query, server: SocketAddr, deadline: Instant) -> io::Result<Self> {
        let any: SocketAddr = match server {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let (id, question) = question(&query)?;
        let socket = UdpSocket::bind(any)?;
        socket.set_nonblocking(true)?;
        socket.connect(server)?;
        socket.send(&question)?;
        Ok(Self {
            query,
            server,
            id,
            stage: Stage::Udp(socket),
            deadline,
            malformed: false,
            foreign: 0,
        })
    }

    /// Asks again over TCP, with another id.
    pub(super) fn over_tcp(self, deadline: Instant) -> io::Result<Self> {
        let (id, question) = question(&self.query)?;
        let length = u16::try_from(question.len()).map_err(io::Error::other)?;
        let family = match self.server {
            SocketAddr::V4(_) => AddressFamily::INET,
            SocketAddr::V6(_) => AddressFamily::INET6,
        };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
        match rustix::net::connect(&socket, &self.server) {
            Ok(()) | Err(rustix::io::Errno::INPROGRESS) => {}
            Err(errno) => return Err(errno.into()),
        }
        Ok(Self {
            id,
            stage: Stage::Tcp {
                stream: TcpStream::from(socket),
                question: [&length.to_be_bytes()[..], &question].concat(),
                written: 0,
                answer: Vec::new(),
            },
            deadline,
            ..self
        })
    }

    /// The socket, and what it waits for.
    pub(super) fn interest(&self) -> (BorrowedFd<'_>, PollFlags) {
        match &self.stage {
            Stage::Udp(socket) => (socket.as_fd(), PollFlags::IN),
            Stage::Tcp {
                stream,
                question,
                written,
                ..
            } if *written < question.len() => (stream.as_fd(), PollFlags::OUT),
            Stage::Tcp { stream, .. } => (stream.as_fd(), PollFlags::IN),
        }
    }

    /// Takes what the socket has.
    pub(super) fn advance(&mut self) -> Progress {
        let (id, name, kind) = (self.id, &*self.query.name, self.query.kind);
        match &mut self.stage {
            Stage::Udp(socket) => {
                // Room for more than was invited; what is longer still is cut, and breaks the format.
                let mut buffer = [0; 4096];
                // A flood of forged answers must not hold up other questions.
                for _ in 0..64 {
                    let length = match socket.recv(&mut buffer) {
                        Ok(length) => length,
                        Err(error) if is_early(&error) => break,
                        Err(error) => return Progress::Failed(error),
                    };
                    let bytes = buffer.get(..length).unwrap_or_default();
                    match message::read(bytes, id, name, kind) {
                        Read::Answer(answer) => return Progress::Answered(answer),
                        Read::Truncated => return Progress::Truncated,
                        Read::Malformed => self.malformed = true,
                        Read::Foreign => {}
                    }
                    self.foreign += 1;
                }
                Progress::Waiting
            }
            Stage::Tcp {
                stream,
                question,
                written,
                answer,
            } => match exchange(stream, question, written, answer) {
                Ok(None) => Progress::Waiting,
                Err(error) => Progress::Failed(error),
                Ok(Some(bytes)) => match message::read(bytes, id, name, kind) {
                    Read::Answer(answer) => Progress::Answered(answer),
                    // Over TCP nobody else can have sent it: the server broke off or asked for what it has.
                    Read::Truncated | Read::Malformed | Read::Foreign => {
                        self.malformed = true;
                        Progress::Failed(ErrorKind::InvalidData.into())
                    }
                },
            },
        }
    }
}

fn question(query: &Query) -> io::Result<(u16, Vec<u8>)> {
    let id = super::random()?;
    let question = message::question(id, &query.name, query.kind, query.edns);
    Ok((id, question.ok_or(ErrorKind::InvalidInput)?))
}

fn is_early(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::NotConnected
    )
}

/// Writes the question and reads the answer behind its length, as far as both go now.
fn exchange<'a>(
    stream: &mut TcpStream,
    question: &[u8],
    written: &mut usize,
    answer: &'a mut Vec<u8>,
) -> io::Result<Option<&'a [u8]>> {
    while let Some(rest) = question.get(*written..).filter(|rest| !rest.is_empty()) {
        match stream.write(rest) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => *written += count,
            Err(error) if is_early(&error) => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    let mut buffer = [0; 4096];
    loop {
        if let [high, low, message @ ..] = &answer[..] {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            if length > message::LARGEST {
                return Err(ErrorKind::FileTooLarge.into());
            }
            if message.len() >= length {
                break;
            }
        }
        match stream.read(&mut buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => answer.extend(buffer.iter().take(count)),
            Err(error) if is_early(&error) => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    let length = answer.get(..2).and_then(|length| length.try_into().ok());
    let length = usize::from(u16::from_be_bytes(length.unwrap_or_default()));
    Ok(answer.get(2..2 + length))
}
