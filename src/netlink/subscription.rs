//! A socket on which the kernel tells of changes, to everybody who joined a group (`netlink_broadcast` in
//! net/netlink/af_netlink.c).
//!
//! Nothing is sent again: when the socket's buffer is full the kernel drops what comes and says ENOBUFS once, and whoever
//! wants to know how things stand asks for the whole list. For the same reason the list is asked for *after* joining:
//! what changes in between is told twice, and nothing is missed.

use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::AddressFamily;
use rustix::net::RecvFlags;
use rustix::net::SocketFlags;
use rustix::net::SocketType;
use rustix::net::netlink::SocketAddrNetlink;

use super::BUFFER;
use super::Cause;
use super::NetlinkError;
use super::messages::Message;
use super::messages::messages;

/// How many datagrams are read before the caller has a look at something else.
const BATCH: usize = 256;

/// A membership in groups of NETLINK_ROUTE; it ends when this is dropped. To be polled for reading.
#[derive(Debug)]
pub struct Subscription {
    name: &'static str,
    socket: OwnedFd,
}

impl Subscription {
    /// Joins the groups in the mask (RTMGRP_ of linux/rtnetlink.h); `name` is theirs in errors.
    ///
    /// # Errors
    /// When a call fails.
    pub fn open(name: &'static str, groups: u32) -> Result<Self, NetlinkError> {
        let failed = |call| {
            move |errno| NetlinkError {
                request: name,
                cause: Cause::Call(call, errno),
            }
        };
        let socket = rustix::net::socket_with(
            AddressFamily::NETLINK,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            None,
        )
        .map_err(failed("socket"))?;
        rustix::net::bind(&socket, &SocketAddrNetlink::new(0, groups)).map_err(failed("bind"))?;
        // Connected to the kernel (port 0), the socket takes datagrams from nobody else.
        rustix::net::connect(&socket, &SocketAddrNetlink::new(0, 0)).map_err(failed("connect"))?;
        Ok(Self { name, socket })
    }

    /// Gives what came since the last call to `each`, without waiting for more; says whether anything was lost.
    ///
    /// # Errors
    /// When the call fails for another reason, or what the kernel sends breaks the format.
    pub fn read(
        &self,
        mut each: impl FnMut(&Message<'_>) -> Result<(), Cause>,
    ) -> Result<bool, NetlinkError> {
        let failed = |cause| NetlinkError {
            request: self.name,
            cause,
        };
        let mut buffer = [MaybeUninit::<u8>::uninit(); BUFFER];
        let mut lost = false;
        for _ in 0..BATCH {
            let received = rustix::net::recv(&self.socket, &mut buffer[..], RecvFlags::TRUNC);
            let ((datagram, _), length) = match received {
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => continue,
                Err(Errno::NOBUFS) => {
                    lost = true;
                    continue;
                }
                result => result.map_err(|errno| failed(Cause::Call("recv", errno)))?,
            };
            if length > BUFFER {
                lost = true;
                continue;
            }
            for message in messages(datagram) {
                message.and_then(|message| each(&message)).map_err(failed)?;
            }
        }
        Ok(lost)
    }
}

impl AsFd for Subscription {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
