//! Leases as JSON: the status files of libvirt's dnsmasq, `/var/lib/libvirt/dnsmasq/BRIDGE.status`, what Kea answers to
//! `lease4-get-all` and `lease6-get-all`, and whatever else spells it in one of these ways.
//!
//! Documented in Kea's reference manual under the lease commands; libvirt's is written by its src/network/leaseshelper.c.
//!
//! ```text
//! [ { "ip-address": "192.0.2.100", "mac-address": "02:00:00:00:06:01", "hostname": "guest", "expiry-time": 1795312850 } ]
//! [ { "result": 0, "arguments": { "leases": [ { "ip-address": "192.0.2.100", "hw-address": "02:00:00:00:06:01",
//!   "hostname": "laptop", "cltt": 1795269650, "valid-lft": 43200, "state": 0, "subnet-id": 7 } ] } } ]
//! ```
//!
//! An object with an address is a lease; every other object and array is searched for leases. A lease ends at `expiry-time`,
//! `expires` or `expire`, in seconds since 1970, or `valid-lft` after `cltt`, and never where nothing says when.

use std::borrow::Cow;
use std::net::IpAddr;

use super::ParseError;
use super::json::Json;
use super::leases::Binding;
use super::leases::Each;
use super::leases::Expiry;
use super::leases::Hardware;
use super::leases::Lease;
use super::leases::address;
use super::leases::whole;

/// Hands over every lease.
///
/// # Errors
/// When it is no JSON.
pub fn leases<'a>(bytes: &'a [u8], each: Each<'_, 'a>) -> Result<(), ParseError> {
    let mut json = Json::new(bytes);
    match json.peek() {
        None => Ok(()),
        Some(_) => search(&mut json, each),
    }
}

fn search<'a>(json: &mut Json<'a>, each: Each<'_, 'a>) -> Result<(), ParseError> {
    match json.peek() {
        Some(b'[') => json.array(&mut |json| search(json, &mut *each)),
        Some(b'{') => {
            let place = json.place();
            let mut fields = Fields::default();
            json.object(&mut |json, key| fields.take(json, key, &mut *each))?;
            if fields.named {
                const ADDRESS: &str = "an IPv4 or IPv6 address";
                let address = fields.address;
                let address = address.ok_or_else(|| json.error_at(place, "ip-address", ADDRESS));
                each(address.map(|address| fields.lease(address)));
            }
            Ok(())
        }
        _ => json.skip().map(|_| ()),
    }
}

#[derive(Default)]
struct Fields<'a> {
    named: bool,
    address: Option<IpAddr>,
    hardware: Option<&'a [u8]>,
    client: Option<&'a [u8]>,
    hostname: Cow<'a, [u8]>,
    expires: Option<u64>,
    begun: Option<u64>,
    lasts: Option<u64>,
    state: u64,
    prefix: Option<u64>,
}

impl<'a> Fields<'a> {
    fn take(
        &mut self,
        json: &mut Json<'a>,
        key: &[u8],
        each: Each<'_, 'a>,
    ) -> Result<(), ParseError> {
        match (key, json.peek()) {
            (b"ip-address" | b"address" | b"ip", Some(b'"')) => {
                self.named = true;
                self.address = address(&json.text()?);
            }
            (b"hw-address" | b"mac-address" | b"mac", Some(b'"')) => {
                self.hardware = Some(inside(json.skip()?));
            }
            (b"duid" | b"client-id", Some(b'"')) => self.client = Some(inside(json.skip()?)),
            (b"hostname" | b"name", Some(b'"')) => self.hostname = json.text()?,
            (b"expiry-time" | b"expires" | b"expire", Some(b'0'..=b'9')) => {
                self.expires = Some(json.number()?);
            }
            (b"cltt", Some(b'0'..=b'9')) => self.begun = Some(json.number()?),
            (b"valid-lft", Some(b'0'..=b'9')) => self.lasts = Some(json.number()?),
            (b"state", Some(b'0'..=b'9')) => self.state = json.number()?,
            (b"prefix-len", Some(b'0'..=b'9')) => self.prefix = Some(json.number()?),
            _ => search(json, each)?,
        }
        Ok(())
    }

    fn lease(self, address: IpAddr) -> Lease<'a> {
        let ends = match (self.expires, self.begun, self.lasts) {
            (Some(0), ..) | (None, _, Some(0xffff_ffff) | None) => None,
            (Some(time), ..) => Some(time),
            (None, begun, Some(lasts)) => Some(begun.unwrap_or(0).saturating_add(lasts)),
        };
        let hardware = self.hardware.and_then(Hardware::from_hex);
        let duid = || {
            self.client
                .map(Hardware::from_duid)
                .filter(|_| address.is_ipv6())
        };
        let prefix = self.prefix.and_then(|length| u8::try_from(length).ok());
        Lease {
            address,
            prefix: prefix.unwrap_or(whole(address)).min(whole(address)),
            client: self.hardware.or(self.client).unwrap_or_default(),
            hardware: hardware.or_else(duid).unwrap_or_default(),
            hostname: self.hostname,
            expires: ends.map_or(Expiry::Never, |time| {
                Expiry::At(i64::try_from(time).unwrap_or(i64::MAX))
            }),
            binding: match self.state {
                1 => Binding::Declined,
                2 | 3 => Binding::Free,
                _ => Binding::Bound,
            },
            reserved: false,
        }
    }
}

/// A string without its quotes. What tells clients apart needs no unescaping.
fn inside(text: &[u8]) -> &[u8] {
    let text = text.strip_prefix(b"\"").unwrap_or(text);
    text.strip_suffix(b"\"").unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::super::leases::tests::survive;
    use super::super::leases::tests::told;
    use super::*;

    /// After libvirt's source and Kea's manual.
    const LIBVIRT: &[u8] = br#"[
  {
    "ip-address": "192.0.2.100",
    "mac-address": "02:00:00:00:06:01",
    "hostname": "guest",
    "client-id": "01:02:00:00:00:06:01",
    "expiry-time": 1795312850
  }
]
"#;
    const KEA: &[u8] = br#"[ { "result": 0, "text": "2 found", "arguments": { "leases": [
 { "cltt": 1795269650, "valid-lft": 43200, "state": 0, "ip-address": "192.0.2.100", "hw-address": "02:00:00:00:06:01", "hostname": "a\u00e9" },
 { "cltt": 1, "valid-lft": 4294967295, "state": 1, "ip-address": "2001:db8:100::", "duid": "00:03:00:01:02:00:00:00:06:02", "prefix-len": 56 } ] } } ]"#;

    #[test]
    fn parses() {
        assert_eq!(
            told(leases, LIBVIRT),
            ["192.0.2.100/32 02:00:00:00:06:01 \"guest\" 1795312850 Bound"]
        );
        assert_eq!(
            told(leases, KEA),
            [
                "192.0.2.100/32 02:00:00:00:06:01 \"aé\" 1795312850 Bound",
                "2001:db8:100::/56 02:00:00:00:06:02 \"\" never Declined",
            ]
        );
    }

    #[test]
    fn short() {
        assert_eq!(
            told(leases, b"[{\"ip\":\"here\"},{\"ip\":\"192.0.2.1\"},{}]"),
            [
                "error: 1: ip-address: expected an IPv4 or IPv6 address, found \"{\\\"ip\\\":\\\"here\\\"},{\\\"ip\\\":\\\"192.0.2.1\\\"},{}]\"",
                "192.0.2.1/32  \"\" never Bound",
            ]
        );
    }

    #[test]
    fn empty() {
        assert!(told(leases, b"").is_empty());
        assert!(told(leases, b" [ ]\n").is_empty());
    }

    #[test]
    fn ends_abruptly() {
        survive(leases, LIBVIRT);
        survive(leases, KEA);
        let cut = told(leases, &LIBVIRT[..LIBVIRT.len() - 3]);
        assert!(
            cut.last().is_some_and(|last| last.starts_with("whole: ")),
            "{cut:?}"
        );
    }
}
