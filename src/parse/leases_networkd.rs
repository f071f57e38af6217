//! What systemd-networkd's DHCP server keeps of its leases, `/var/lib/systemd/network/dhcp-server-lease/INTERFACE`: JSON.
//!
//! Since systemd 257 (`PersistLeases=` in systemd.network(5), with which it may also be
//! `/run/systemd/netif/dhcp-server-lease/INTERFACE`); written by `dhcp_server_save_leases` in systemd's src/libsystemd-network.
//! Debian 12 has 252, so this sample is made after the source:
//!
//! ```text
//! {"BootID":"2a…","Address":[192,0,2,1],"PrefixLength":24,"Leases":[{"ClientId":[1,2,0,0,0,5,1],"Address":[192,0,2,100],
//! "Hostname":"laptop","HardwareAddressType":1,"HardwareAddressLength":6,"HardwareAddress":[2,0,0,0,5,1],
//! "ExpirationUSec":4000000,"ExpirationRealtimeUSec":1795312850000000}]}
//! ```
//!
//! Addresses are arrays of bytes, that of the hardware always of sixteen up to systemd 257, of which the length says how many
//! count; `ExpirationRealtimeUSec` is in microseconds since 1970. The file is replaced by renaming, and
//! removed with the last lease. Static leases are in the configuration, and here only while a client has one.

use std::borrow::Cow;
use std::net::IpAddr;
use std::net::Ipv4Addr;

use super::ParseError;
use super::json::Json;
use super::leases::Binding;
use super::leases::Each;
use super::leases::Expiry;
use super::leases::Hardware;
use super::leases::Lease;

/// Hands over every lease.
///
/// # Errors
/// When it is no JSON, or has no list of leases where one belongs.
pub fn leases<'a>(bytes: &'a [u8], each: Each<'_, 'a>) -> Result<(), ParseError> {
    if bytes.is_empty() {
        return Ok(());
    }
    let mut json = Json::new(bytes);
    json.object(&mut |json, key| match key {
        b"Leases" => json.array(&mut |json| {
            let found = lease(json)?;
            each(found);
            Ok(())
        }),
        _ => json.skip().map(|_| ()),
    })
}

/// The outer error is that of the text, the inner one that of this lease.
fn lease<'a>(json: &mut Json<'a>) -> Result<Result<Lease<'a>, ParseError>, ParseError> {
    const BYTES: &str = "an array of four bytes";
    json.peek();
    let place = json.place();
    let (mut client, mut hostname): (&[u8], _) = (b"", Cow::Borrowed(b"".as_slice()));
    let (mut address, mut hardware, mut length) = (None, ([0; 16], 0), None);
    let mut expires = Expiry::Never;
    json.object(&mut |json, key| {
        match key {
            b"ClientId" => client = json.skip()?,
            b"Address" => {
                let (found, count) = bytes(json)?;
                let first = found.first_chunk::<4>().filter(|_| count == 4);
                address = first.map(|bytes| IpAddr::V4(Ipv4Addr::from(*bytes)));
            }
            b"Hostname" => hostname = json.text()?,
            b"HardwareAddress" => hardware = bytes(json)?,
            b"HardwareAddressLength" => length = usize::try_from(json.number()?).ok(),
            b"ExpirationRealtimeUSec" => {
                let seconds = json.number()? / 1_000_000;
                expires = Expiry::At(i64::try_from(seconds).unwrap_or(i64::MAX));
            }
            _ => json.skip().map(|_| ())?,
        }
        Ok(())
    })?;
    let (hardware, count) = hardware;
    let count = count.min(length.unwrap_or(count));
    let hardware = Hardware::from_bytes(hardware.into_iter().take(count));
    let found = address.ok_or_else(|| json.error_at(place, "Address", BYTES));
    Ok(found.map(|address| Lease {
        address,
        prefix: 32,
        client,
        hardware,
        hostname,
        expires,
        binding: Binding::Bound,
        reserved: false,
    }))
}

/// The first sixteen of an array of bytes, and how many there were.
fn bytes(json: &mut Json<'_>) -> Result<([u8; 16], usize), ParseError> {
    let (mut found, mut count) = ([0; 16], 0);
    json.array(&mut |json| {
        let number = json.number()?;
        let byte = u8::try_from(number).map_err(|_| json.error("json", "numbers below 256"))?;
        if let Some(place) = found.get_mut(count) {
            *place = byte;
        }
        count += 1;
        Ok(())
    })?;
    Ok((found, count))
}

#[cfg(test)]
mod tests {
    use super::super::leases::tests::survive;
    use super::super::leases::tests::told;
    use super::*;

    /// After systemd's source.
    const SAMPLE: &[u8] = br#"{"BootID":"2a1b","Address":[192,0,2,1],"PrefixLength":24,"Leases":[
{"ClientId":[1,2,0,0,0,5,1],"Address":[192,0,2,100],"AddressString":"192.0.2.100","Hostname":"laptop","HardwareAddressType":1,
"HardwareAddressLength":6,"HardwareAddress":[2,0,0,0,5,1,0,0,0,0,0,0,0,0,0,0],"ExpirationUSec":4000000,
"ExpirationRealtimeUSec":1795312850999999},
{"ClientId":[255],"Address":[192,0,2,101],"ExpirationUSec":18446744073709551615,"ExpirationRealtimeUSec":18446744073709551615}]}
"#;

    #[test]
    fn parses() {
        assert_eq!(
            told(leases, SAMPLE),
            [
                "192.0.2.100/32 02:00:00:00:05:01 \"laptop\" 1795312850 Bound",
                "192.0.2.101/32  \"\" 18446744073709 Bound",
            ]
        );
    }

    #[test]
    fn short() {
        assert_eq!(
            told(
                leases,
                b"{\"Leases\":[{\"Address\":[1,2,3]},{\"Hostname\":\"a\"}\n,{\"Address\":[256]}]}"
            ),
            [
                "error: 1: Address: expected an array of four bytes, found \"{\\\"Address\\\":[1,2,3]},{\\\"Hostname\\\":\\\"a\\\"}\"",
                "error: 1: Address: expected an array of four bytes, found \"{\\\"Hostname\\\":\\\"a\\\"}\"",
                "whole: 2: json: expected numbers below 256, found \"]}]}\"",
            ]
        );
        assert_eq!(
            told(leases, b"{\"Leases\":{}}"),
            ["whole: 1: json: expected an array, found \"{}}\""]
        );
    }

    #[test]
    fn empty() {
        assert!(told(leases, b"").is_empty());
        assert!(told(leases, b"{}").is_empty());
    }

    #[test]
    fn ends_abruptly() {
        survive(leases, SAMPLE);
        let cut = told(leases, &SAMPLE[..SAMPLE.len() - 5]);
        assert!(
            cut.last()
                .is_some_and(|last| last.starts_with("whole: 5: ")),
            "{cut:?}"
        );
    }
}
