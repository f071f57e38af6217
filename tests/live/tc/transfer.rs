//! A bulk TCP transfer between two namespaces, checked byte for byte.

use std::io;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::thread;

use rustix::net::sockopt;

use crate::running::Namespace;

/// How many bytes one write has.
const PIECE: usize = 64 << 10;

/// Numbers that look random and are the same each time (xorshift64).
struct Stream(u64);

impl Stream {
    fn fill(&mut self, bytes: &mut [u8]) {
        for piece in bytes.chunks_exact_mut(8) {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            piece.copy_from_slice(&self.0.to_le_bytes());
        }
    }
}

/// Sends `pieces` times 64 KiB from near to far, and compares each byte that arrives with the one that was sent. Buffers
/// are small, so that a queue between the two never overflows: a packet that is dropped was sent and not received.
pub(crate) fn transfer(near: &Namespace, far: &Namespace, pieces: usize) {
    let listener = far
        .inside(|| {
            let listener = TcpListener::bind("192.0.2.2:0")?;
            sockopt::set_socket_recv_buffer_size(&listener, 128 << 10)?;
            Ok::<_, std::io::Error>(listener)
        })
        .unwrap();
    let address = listener.local_addr().unwrap();
    let receiver = thread::spawn(move || -> io::Result<usize> {
        let (mut stream, _) = listener.accept()?;
        let (mut expected, mut found) = ([0; PIECE], [0; PIECE]);
        let mut numbers = Stream(1);
        for piece in 0..pieces {
            numbers.fill(&mut expected);
            stream.read_exact(&mut found)?;
            assert!(found == expected, "piece {piece} arrived changed");
        }
        stream.read(&mut found)
    });
    let mut stream = near.inside(|| TcpStream::connect(address)).unwrap();
    sockopt::set_socket_send_buffer_size(&stream, 128 << 10).unwrap();
    let (mut numbers, mut bytes) = (Stream(1), [0; PIECE]);
    for _ in 0..pieces {
        numbers.fill(&mut bytes);
        stream.write_all(&bytes).unwrap();
    }
    drop(stream);
    assert_eq!(
        receiver.join().unwrap().unwrap(),
        0,
        "more arrived than was sent"
    );
}
