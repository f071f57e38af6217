//! Basic authentication (RFC 7617): names and passwords against bcrypt hashes, checked in a thread of their own.
//!
//! What was checked is remembered: of each user the last right password, so that no stranger can push it out, and the
//! last [`WRONG`] others, so that a client with an old password costs little. No password is kept for that, only a keyed
//! digest of it with the name and the hash it was checked against; a hash that is changed is checked anew.
//!
//! A name that nobody has is checked, too, against a digest that no password gives, so that the time tells nothing. It
//! costs as much as most users' passwords do.
//!
//! The thread gets its work through a socket and answers through it: as many checks may wait as [`WAITING`] says, and
//! clients that ask the same wait for the same check.

use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::hash::RandomState;
use std::io;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::AddressFamily;
use rustix::net::RecvFlags;
use rustix::net::SendFlags;
use rustix::net::SocketFlags;
use rustix::net::SocketType;

use crate::config::web::Bcrypt;
use crate::config::web::User;
use crate::threads;

/// Checks that wait or run, at most.
const WAITING: usize = 16;
/// Wrong passwords that are remembered.
const WRONG: usize = 64;
/// What bcrypt looks at of a password, in bytes.
const LONGEST: usize = 72;
/// The cost where nobody says another: that of most tools.
const COST: u8 = 10;

/// What stands for a name, a password and the hash it is checked against: two outputs of a function whose key is secret.
pub(in crate::http) type Tag = [u8; 16];

/// What is known about a name and password.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Known {
    Right,
    Wrong,
    /// It will be: [`Passwords::checked`] gives this tag then.
    Checking(Tag),
    /// Too many are being checked.
    TooMany,
}

/// What is remembered, and the way to the thread.
pub(super) struct Passwords {
    users: Vec<User>,
    /// What a name that nobody has is checked against.
    nobody: Bcrypt,
    /// The right passwords: one for each user at most.
    right: Vec<(String, Tag)>,
    wrong: VecDeque<Tag>,
    /// What is being checked: its tag, the name, and whether anybody has it.
    waiting: Vec<(Tag, String, bool)>,
    key: RandomState,
    socket: OwnedFd,
    /// The thread's end of it, until that starts.
    theirs: Option<OwnedFd>,
    /// Whether the thread has ended, which it does not while the program is in order.
    gone: bool,
}

/// One check as it goes to the thread: tag, cost, salt, digest, then the password.
const TAG: usize = 16;
const HEAD: usize = TAG + 1 + 16 + 23;

impl Passwords {
    /// Nobody yet, and no thread.
    pub(super) fn new() -> io::Result<Self> {
        let (ours, theirs) = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )?;
        Ok(Self {
            users: Vec::new(),
            nobody: Bcrypt {
                cost: COST,
                salt: *b"nobody has this.",
                digest: [0; 23],
            },
            right: Vec::new(),
            wrong: VecDeque::new(),
            waiting: Vec::new(),
            key: RandomState::new(),
            socket: ours,
            theirs: Some(theirs),
            gone: false,
        })
    }

    /// Starts the thread. It ends when this is dropped.
    pub(super) fn start(&mut self) -> io::Result<()> {
        match self.theirs.take() {
            Some(theirs) => threads::start("passwords", Box::new(move || work(&theirs))).map(drop),
            None => Ok(()),
        }
    }

    /// What becomes readable when a check is done; nothing when the thread is gone.
    pub(super) fn wake(&self) -> Option<&OwnedFd> {
        Some(&self.socket).filter(|_| !self.gone)
    }

    /// Takes other users. What is remembered counts on where name and hash are the same.
    pub(super) fn adopt(&mut self, users: &[User]) {
        self.users = users.to_vec();
        self.right
            .retain(|(name, _)| users.iter().any(|user| user.name == *name));
        self.nobody.cost = most_common(users);
    }

    /// Whether everybody may ask.
    pub(super) fn are_not_asked_for(&self) -> bool {
        self.users.is_empty()
    }

    pub(super) fn look_up(&mut self, name: &str, password: &[u8]) -> Known {
        let user = self.users.iter().find(|user| user.name == name);
        let hash = user.map_or(self.nobody, |user| user.hash);
        let tag = self.tag(name, password, &hash);
        if self.right.iter().any(|(_, right)| *right == tag) {
            return Known::Right;
        }
        if self.wrong.contains(&tag) {
            return Known::Wrong;
        }
        if self.waiting.iter().any(|(waiting, ..)| *waiting == tag) {
            return Known::Checking(tag);
        }
        if self.waiting.len() >= WAITING {
            return Known::TooMany;
        }
        let mut message = Vec::with_capacity(HEAD + LONGEST + 1);
        message.extend_from_slice(&tag);
        message.push(hash.cost);
        message.extend_from_slice(&hash.salt);
        message.extend_from_slice(&hash.digest);
        // As C strings have it, the end counts as a letter.
        message.extend(password.iter().copied().chain([0]).take(LONGEST));
        let sent = rustix::net::send(
            &self.socket,
            &message,
            SendFlags::DONTWAIT | SendFlags::NOSIGNAL,
        );
        message.fill(0);
        if sent.is_err() {
            return Known::TooMany;
        }
        self.waiting.push((tag, name.to_string(), user.is_some()));
        Known::Checking(tag)
    }

    fn tag(&self, name: &str, password: &[u8], hash: &Bcrypt) -> Tag {
        // Each part with its length or of a fixed one, so that no two inputs run together alike.
        let half = |which: u8| {
            let parts = (which, name, password, hash.cost, hash.salt, hash.digest);
            self.key.hash_one(parts).to_le_bytes()
        };
        let mut tag = [0; TAG];
        let (left, right) = tag.split_at_mut(TAG / 2);
        left.copy_from_slice(&half(0));
        right.copy_from_slice(&half(1));
        tag
    }

    /// The next check that is done.
    pub(super) fn checked(&mut self) -> Option<(Tag, bool)> {
        let mut message = [0_u8; TAG + 1];
        match rustix::net::recv(&self.socket, &mut message, RecvFlags::DONTWAIT) {
            Ok((_, length)) if length == message.len() => {}
            Err(Errno::AGAIN | Errno::INTR) => return None,
            Ok(_) | Err(_) => {
                self.gone = true;
                log::error!(
                    "the thread that checks passwords has ended; only known ones count now"
                );
                return None;
            }
        }
        let [tag @ .., matched] = message;
        let done = self
            .waiting
            .iter()
            .position(|(waiting, ..)| *waiting == tag)?;
        let (_, name, is_user) = self.waiting.swap_remove(done);
        let fine = matched == 1 && is_user;
        if fine {
            self.right.retain(|(other, _)| *other != name);
            self.right.push((name, tag));
        } else {
            if self.wrong.len() >= WRONG {
                self.wrong.pop_front();
            }
            self.wrong.push_back(tag);
        }
        Some((tag, fine))
    }
}

/// The cost that most users' hashes have; the least of several.
fn most_common(users: &[User]) -> u8 {
    let mut counts = [0_usize; 32];
    for user in users {
        if let Some(count) = counts.get_mut(usize::from(user.hash.cost)) {
            *count += 1;
        }
    }
    let mut best = (COST, 0);
    for (cost, count) in (0..).zip(counts) {
        if count > best.1 {
            best = (cost, count);
        }
    }
    best.0
}

/// The thread: one check after the other, until the other end is gone.
fn work(socket: &OwnedFd) {
    let mut message = [0_u8; HEAD + LONGEST];
    loop {
        let length = match rustix::net::recv(socket, &mut message, RecvFlags::empty()) {
            Ok((_, 0)) => return,
            Ok((_, length)) => length,
            Err(Errno::INTR) => continue,
            Err(_) => return,
        };
        let Some(message) = message.get_mut(..length) else {
            return;
        };
        let mut answer = [0; TAG + 1];
        if let (Some(tag), Some(matches)) = (message.get(..TAG), check(message)) {
            for (to, from) in answer.iter_mut().zip(tag) {
                *to = *from;
            }
            if let Some(last) = answer.last_mut() {
                *last = u8::from(matches);
            }
        }
        message.fill(0);
        if rustix::net::send(socket, &answer, SendFlags::NOSIGNAL).is_err() {
            return;
        }
    }
}

/// Whether the password of a message gives its digest.
fn check(message: &[u8]) -> Option<bool> {
    let (head, password) = message.split_at_checked(HEAD)?;
    let (_, head) = head.split_at_checked(TAG)?;
    let (cost, head) = head.split_first()?;
    let (salt, digest) = head.split_first_chunk::<16>()?;
    // What the function would panic on; it comes from our own end, which has made it so.
    let fine = (4..=31).contains(cost) && (1..=LONGEST).contains(&password.len());
    let found = fine.then(|| bcrypt::bcrypt(u32::from(*cost), *salt, password))?;
    let differs = found
        .iter()
        .zip(digest)
        .fold(0, |all, (one, other)| all | (one ^ other));
    Some(differs == 0)
}

/// The name and password of an `Authorization` header.
pub(super) fn credentials(header: Option<&[u8]>) -> Option<(String, Vec<u8>)> {
    const SCHEME: &[u8] = b"basic ";
    let (scheme, rest) = header?.split_at_checked(SCHEME.len())?;
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return None;
    }
    let plain = base64(rest.trim_ascii())?;
    let colon = plain.iter().position(|byte| *byte == b':')?;
    let (name, password) = plain.split_at(colon);
    let name = String::from_utf8_lossy(name).into_owned();
    Some((name, password.get(1..)?.to_vec()))
}

/// Base64 with its padding (RFC 4648, 4).
fn base64(text: &[u8]) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let letters = text
        .strip_suffix(b"==")
        .or(text.strip_suffix(b"="))
        .unwrap_or(text);
    let mut bytes = Vec::with_capacity(letters.len());
    let (mut bits, mut count) = (0_u32, 0);
    for letter in letters {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(value)) & 0xffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count).to_le_bytes()[0]);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests;
