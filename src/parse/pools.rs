//! What the configuration of DHCP servers says of the addresses that they give out. There is one parser for each server; what
//! they do not know they pass over, since these files say much else.

use std::borrow::Cow;
use std::net::IpAddr;

use super::ParseError;

/// What a parser hands each setting to.
pub type Each<'e, 'a> = &'e mut dyn FnMut(Result<Setting<'a>, ParseError>);

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting<'a> {
    /// Addresses that are given out.
    Range {
        /// What the configuration calls the pool that they belong to; empty for nothing.
        name: Cow<'a, [u8]>,
        /// The first address.
        first: IpAddr,
        /// The last address.
        last: IpAddr,
    },
    /// An address that is kept for one client.
    Host(IpAddr),
    /// Another file, or the files of a directory, that belong to the configuration.
    Include {
        /// Where, as the configuration spells it.
        path: &'a [u8],
        /// What stands there.
        what: Included<'a>,
    },
}

/// What stands where a configuration says that more of it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Included<'a> {
    /// A file of the same form.
    Settings,
    /// A directory of such files, those apart whose names these endings leave out.
    Directory(&'a [u8]),
    /// A file, or a directory of files, with a host kept in each line.
    Hosts,
}

/// The first and the last address of `NETWORK/LENGTH`, every one of them counted.
#[must_use]
pub fn network(text: &[u8]) -> Option<(IpAddr, IpAddr)> {
    let slash = text.iter().position(|byte| *byte == b'/')?;
    let address = super::leases::address(text.get(..slash)?.trim_ascii())?;
    let length = super::decimal(text.get(slash + 1..)?.trim_ascii())?;
    let length = u32::try_from(length).ok()?;
    match address {
        IpAddr::V4(address) if length <= 32 => {
            let hosts = u32::MAX.checked_shr(length).unwrap_or(0);
            let first = u32::from(address) & !hosts;
            Some((IpAddr::V4(first.into()), IpAddr::V4((first | hosts).into())))
        }
        IpAddr::V6(address) if length <= 128 => {
            let hosts = u128::MAX.checked_shr(length).unwrap_or(0);
            let first = u128::from(address) & !hosts;
            Some((IpAddr::V6(first.into()), IpAddr::V6((first | hosts).into())))
        }
        _ => None,
    }
}

/// Two addresses that can be the ends of a range.
#[must_use]
pub fn ends(first: IpAddr, last: IpAddr) -> Option<(IpAddr, IpAddr)> {
    (first.is_ipv4() == last.is_ipv4() && first <= last).then_some((first, last))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What a parser makes of a text, in short words.
    pub(crate) fn told(parse: impl for<'a> Fn(&'a [u8], Each<'_, 'a>), text: &[u8]) -> Vec<String> {
        let mut told = Vec::new();
        parse(text, &mut |found| {
            told.push(match found {
                Ok(Setting::Range { name, first, last }) => {
                    format!("{} {first}-{last}", String::from_utf8_lossy(&name))
                }
                Ok(Setting::Host(address)) => format!("host {address}"),
                Ok(Setting::Include { path, what }) => {
                    let what = match what {
                        Included::Settings => "settings".to_string(),
                        Included::Directory(endings) => {
                            format!("directory but {:?}", String::from_utf8_lossy(endings))
                        }
                        Included::Hosts => "hosts".to_string(),
                    };
                    format!("{what} {}", String::from_utf8_lossy(path))
                }
                Err(error) => format!("error: {error}"),
            });
        });
        told
    }

    /// Runs a parser over every beginning and every end of a text, and over the text with each byte struck out.
    pub(crate) fn survive(parse: impl for<'a> Fn(&'a [u8], Each<'_, 'a>), text: &[u8]) {
        for cut in 0..text.len() {
            let _ = told(&parse, &text[..cut]);
            let _ = told(&parse, &text[cut..]);
            let _ = told(&parse, &[&text[..cut], &text[cut + 1..]].concat());
        }
    }

    #[test]
    fn networks_have_ends() {
        let shown =
            |text: &str| network(text.as_bytes()).map(|(first, last)| format!("{first}-{last}"));
        assert_eq!(
            shown("192.0.2.77/25").as_deref(),
            Some("192.0.2.0-192.0.2.127")
        );
        assert_eq!(shown("::1/128").as_deref(), Some("::1-::1"));
        assert_eq!(
            shown("0.0.0.0/0").as_deref(),
            Some("0.0.0.0-255.255.255.255")
        );
        for bad in [
            "",
            "192.0.2.1",
            "192.0.2.1/33",
            "::/129",
            "x/8",
            "::/99999999999",
        ] {
            assert_eq!(shown(bad), None, "{bad}");
        }
    }
}
