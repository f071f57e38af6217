//! gzip (RFC 1952) with a compressor that is kept from one answer to the next when that comes soon: flate2's own writers of this
//! format make one each time.
//!
//! Its tables are 300 KB. Made anew for each answer, the kernel has to give and to clear those pages each time: that was two
//! thirds of the time for an answer of 40 KB, a third for one of 180 KB. Who looks at the page asks every few seconds; between
//! scrapes the memory is not worth it.

use std::time::Duration;
use std::time::Instant;

use flate2::Compress;
use flate2::Compression;
use flate2::Crc;
use flate2::FlushCompress;
use flate2::Status;

/// Identification, deflate, no flags, no time, the fast level's mark, an unknown operating system.
const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255];
/// What ends a deflate stream behind a full flush: a last block without anything (RFC 1951, fixed codes).
const LAST: [u8; 2] = [3, 0];
/// After so many bytes the compressor begins anew; on machines of 32 bits its positions end at four times as many.
const LONG: u64 = if cfg!(test) { 1 << 20 } else { 1 << 30 };
/// The least room that the compressor is given at a time.
const ROOM: usize = 4096;

/// For how long the compressor is kept for the next answer.
const KEPT: Duration = Duration::from_secs(10);

/// The compressor, and when it was last used.
#[derive(Debug, Default)]
pub struct Gzip(Option<(Compress, Instant)>);

impl Gzip {
    /// The bytes as one gzip member, or `None` if the compressor fails, which it has no reason to.
    ///
    /// At the fast level: on a text page it leaves a fifth more than the best one and costs a third of the time.
    pub fn pack(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let now = Instant::now();
        // Given back at the end: one that failed is not asked again.
        let kept = self.0.take();
        let mut deflate = kept.map_or_else(
            || Compress::new(Compression::fast(), false),
            |(deflate, _)| deflate,
        );
        if deflate.total_in() > LONG {
            deflate.reset();
        }
        let mut packed = Vec::with_capacity(ROOM + bytes.len() / 4);
        packed.extend_from_slice(&HEAD);
        let mut rest = bytes;
        loop {
            let before = deflate.total_in();
            // A full flush forgets what was packed and costs a third of a reset, which writes all of the tables.
            let status = deflate.compress_vec(rest, &mut packed, FlushCompress::Full);
            let taken = usize::try_from(deflate.total_in() - before).ok()?;
            rest = rest.get(taken..)?;
            let room = packed.capacity() - packed.len();
            match status.ok()? {
                Status::Ok | Status::BufError if rest.is_empty() && room > 0 => break,
                _ => packed.reserve(ROOM.max(packed.len() / 2)),
            }
        }
        packed.extend_from_slice(&LAST);
        let mut crc = Crc::new();
        crc.update(bytes);
        packed.extend_from_slice(&crc.sum().to_le_bytes());
        packed.extend_from_slice(&crc.amount().to_le_bytes());
        self.0 = Some((deflate, now));
        Some(packed)
    }

    /// Gives back the memory of a compressor that has not been used for a while.
    pub fn rest(&mut self, now: Instant) {
        let old = |used: Instant| now.saturating_duration_since(used) > KEPT;
        self.0.take_if(|(_, used)| old(*used));
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn what_was_packed_is_the_same_again_whatever_came_before() {
        let mut gzip = Gzip::default();
        let noise: Vec<u8> = (0..200_000_u32)
            .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect();
        let text = "up 1\n".repeat(50_000);
        for bytes in [
            b"".as_slice(),
            text.as_bytes(),
            &noise,
            b"a",
            text.as_bytes(),
        ] {
            let packed = gzip.pack(bytes).expect("packed");
            let mut found = Vec::new();
            let mut decoder = GzDecoder::new(packed.as_slice());
            decoder
                .read_to_end(&mut found)
                .expect("length and checksum are right");
            assert_eq!(found, bytes);
        }
    }

    #[test]
    fn whatever_room_is_left_at_the_end() {
        let mut gzip = Gzip::default();
        let mut state = 1_u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 56) as u8
        })
        .take(6000)
        .collect();
        // What cannot be packed fills its first room to the last byte at one of these lengths, and a compressor that has packed
        // so much begins anew on the way.
        let mut longest_in_its_first_room = 0;
        for length in 5200..noise.len() {
            let packed = gzip.pack(&noise[..length]).expect("packed");
            let mut found = Vec::new();
            let mut decoder = GzDecoder::new(packed.as_slice());
            decoder.read_to_end(&mut found).expect("it is whole");
            assert_eq!(found, &noise[..length]);
            if packed.len() <= ROOM + length / 4 {
                longest_in_its_first_room = length;
            }
        }
        assert!((5300..5900).contains(&longest_in_its_first_room));
    }

    #[test]
    fn its_memory_is_given_back_when_nobody_wants_it() {
        let mut gzip = Gzip::default();
        gzip.rest(Instant::now());
        assert!(gzip.pack(b"up 1\n").is_some());
        let now = Instant::now();
        gzip.rest(now);
        assert!(gzip.0.is_some());
        gzip.rest(now + KEPT * 2);
        assert!(gzip.0.is_none() && gzip.pack(b"up 1\n").is_some());
    }
}
