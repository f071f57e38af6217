//! What happens to network devices, as the kernel tells it: the group RTMGRP_LINK.
//!
//! rtnetlink(7); `rtmsg_ifinfo` in net/core/rtnetlink.c sends the message of a dump whenever a device comes, goes or
//! changes.
//!
//! Traps:
//! - The same types of message in the same group come with the family AF_BRIDGE (`br_ifinfo_notify`): RTM_DELLINK then
//!   says that a device is no longer a bridge's port, not that it is gone. They are passed over.
//! - A device that moves to another network namespace goes with RTM_DELLINK; its index may be kept there.
//! - A device deleted and made again may have the old index, when whoever makes it asks for that.

use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;

use crate::links::Link;
use crate::links::link::link;
use crate::netlink::Cause;
use crate::netlink::NetlinkError;
use crate::netlink::messages::Message;
use crate::netlink::subscription::Subscription;

const RTMGRP_LINK: u32 = 1;
const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const AF_UNSPEC: u8 = 0;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The device is new, or something about it is.
    There(Box<Link>),
    /// The device with this index is gone.
    Gone(u32),
}

/// The kernel's reports, from the moment this was made.
#[derive(Debug)]
pub struct Events(Subscription);

impl Events {
    /// Subscribes, in this thread's network namespace.
    ///
    /// # Errors
    /// When a call fails.
    pub fn subscribe() -> Result<Self, NetlinkError> {
        Subscription::open("RTMGRP_LINK", RTMGRP_LINK).map(Self)
    }

    /// Gives what happened since the last call to `each`, in order, without waiting; says whether reports were lost, so that
    /// only a new dump tells how things stand.
    ///
    /// # Errors
    /// When the call fails, or what the kernel sends breaks the format.
    pub fn read(&self, mut each: impl FnMut(Event)) -> Result<bool, NetlinkError> {
        self.0.read(|message| {
            if let Some(event) = event(message)? {
                each(event);
            }
            Ok(())
        })
    }

    /// Whether nothing was reported since the last call, of bridges' ports neither, and nothing lost.
    ///
    /// # Errors
    /// When the call fails, or what the kernel sends breaks the format.
    pub fn quiet(&self) -> Result<bool, NetlinkError> {
        let mut quiet = true;
        let lost = self.0.read(|_| {
            quiet = false;
            Ok(())
        })?;
        Ok(quiet && !lost)
    }
}

impl AsFd for Events {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// What a message reports; `None` for one that is not about a device as such.
///
/// # Errors
/// When the message breaks the format.
pub fn event(message: &Message<'_>) -> Result<Option<Event>, Cause> {
    let own = message.payload.first() == Some(&AF_UNSPEC);
    match message.kind {
        RTM_NEWLINK | RTM_DELLINK if message.payload.is_empty() => {
            Err(Cause::Malformed("an ifinfomsg of 16 bytes", 0))
        }
        RTM_NEWLINK if own => Ok(Some(Event::There(Box::new(link(message.payload)?)))),
        RTM_DELLINK if own => Ok(Some(Event::Gone(link(message.payload)?.ifindex))),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::attributes::push;
    use crate::netlink::messages::messages;
    use crate::netlink::tests::message;

    fn ifinfomsg(family: u8, ifindex: u32, name: &[u8]) -> Vec<u8> {
        let mut bytes = vec![family, 0, 1, 0];
        bytes.extend_from_slice(&ifindex.to_ne_bytes());
        bytes.resize(16, 0);
        push(&mut bytes, 3, name);
        bytes
    }

    fn events(datagram: &[u8]) -> Result<Vec<Event>, Cause> {
        let mut found = Vec::new();
        for message in messages(datagram) {
            found.extend(event(&message?)?);
        }
        Ok(found)
    }

    #[test]
    fn parses() {
        let datagram = [
            message(RTM_NEWLINK, 0, &ifinfomsg(0, 7, b"eth0\0")),
            message(20, 0, b"an address"),
            message(RTM_DELLINK, 0, &ifinfomsg(0, 6, b"eth1\0")),
        ]
        .concat();
        let found = events(&datagram).unwrap();
        assert_eq!(found.len(), 2);
        assert!(
            matches!(&found[0], Event::There(link) if link.ifindex == 7 && link.name == b"eth0")
        );
        assert_eq!(found[1], Event::Gone(6));
    }

    #[test]
    fn a_port_that_leaves_a_bridge_is_not_gone() {
        let datagram = message(RTM_DELLINK, 0, &ifinfomsg(7, 6, b"eth1\0"));
        assert_eq!(events(&datagram), Ok(vec![]));
    }

    #[test]
    fn short() {
        for kind in [RTM_NEWLINK, RTM_DELLINK] {
            assert!(events(&message(kind, 0, &[0; 15])).is_err());
            assert!(events(&message(kind, 0, &[])).is_err());
        }
    }

    #[test]
    fn ends_abruptly() {
        let datagram = message(RTM_NEWLINK, 0, &ifinfomsg(0, 7, b"eth0\0"));
        for end in 1..datagram.len() {
            assert!(events(&datagram[..end]).is_err(), "cut at {end}");
        }
        assert_eq!(events(&[]), Ok(vec![]));
    }
}
