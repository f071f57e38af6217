//! `/sys/class/net/bonding_masters`, `/sys/class/net/MASTER/bonding/slaves` and
//! `/sys/class/net/SLAVE/bonding_slave/mii_status`: which devices are bonded, and whether their links are up.
//!
//! Written by `bonding_show_bonds` and `bonding_show_slaves` in the kernel's drivers/net/bonding/bond_sysfs.c, since
//! 2.6.16, and `mii_status_show` in bond_sysfs_slave.c, since 3.14; Documentation/networking/bonding.rst. A list and a
//! state:
//!
//! ```text
//! eth0 eth1 eth2
//! going back
//! ```
//!
//! Traps: a list without a name is an empty file. One that does not fit a page has lost its last names and ends in
//! `++more++`.

use super::ParseError;
use super::lines;

const LINE: &str = "one line";
const DEVICE: &str = "the name of a device";

/// The names in a list of devices.
///
/// # Errors
/// When it is more than one line, cut short, or has a word that no device can have for a name (`dev_valid_name` in
/// net/core/dev.c): the names become paths.
pub fn names(bytes: &[u8]) -> Result<impl Iterator<Item = Result<&[u8], ParseError>>, ParseError> {
    let mut lines = lines(bytes);
    let line = lines.next().transpose()?;
    if let Some(extra) = lines.next().transpose()? {
        return Err(extra.error("devices", LINE, extra.text()));
    }
    let words = line.into_iter().flat_map(|mut line| {
        std::iter::from_fn(move || {
            let name = line.word()?;
            let fits =
                !matches!(name, b"." | b"..") && !name.iter().any(|byte| b"/:\0".contains(byte));
            Some(if fits {
                Ok(name)
            } else {
                Err(line.error("devices", DEVICE, name))
            })
        })
    });
    Ok(words.filter(|name| *name != Ok(b"++more++")))
}

/// Whether a link's state is `up`; `down`, `going down` and `going back` are not.
///
/// # Errors
/// When it is not one of these words on one line.
pub fn is_up(bytes: &[u8]) -> Result<bool, ParseError> {
    const STATE: &str = "up, down, going down or going back";
    let mut lines = lines(bytes);
    let line = lines.expect("mii_status", STATE)?;
    if let Some(extra) = lines.next().transpose()? {
        return Err(extra.error("mii_status", LINE, extra.text()));
    }
    match line.text() {
        b"up" => Ok(true),
        b"down" | b"going down" | b"going back" => Ok(false),
        other => Err(line.error("mii_status", STATE, other)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::hostile;
    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<Vec<u8>>, ParseError> {
        names(bytes)?.map(|name| name.map(<[u8]>::to_vec)).collect()
    }

    #[test]
    fn parses() {
        let found = read(b"bond0 bond1\n").expect("names");
        assert_eq!(found, [b"bond0", b"bond1"]);
        hostile::survive(b"bond0 bond1\n", read);
        let states = ["up", "down", "going down", "going back"];
        let found = states.map(|state| is_up(format!("{state}\n").as_bytes()));
        assert_eq!(found, [Ok(true), Ok(false), Ok(false), Ok(false)]);
        hostile::survive(b"going back\n", is_up);
    }

    #[test]
    fn short() {
        assert_eq!(read(b"\n"), Ok(Vec::new()));
        assert_eq!(
            is_up(b"\n").map_err(|error| error.to_string()),
            Err(
                "1: mii_status: expected up, down, going down or going back, found \"\""
                    .to_string()
            )
        );
    }

    #[test]
    fn empty() {
        assert_eq!(read(b""), Ok(Vec::new()));
        assert!(is_up(b"").is_err());
    }

    #[test]
    fn ends_abruptly() {
        let error = read(b"bond0 bon").map_err(|error| error.expected);
        assert_eq!(error, Err("a line feed at its end"));
        let error = is_up(b"up").map_err(|error| error.expected);
        assert_eq!(error, Err("a line feed at its end"));
    }

    #[test]
    fn a_list_longer_than_a_page_and_one_of_two_lines() {
        assert_eq!(read(b"a b ++more++\n").map(|names| names.len()), Ok(2));
        let error = read(b"a\nb\n").map_err(|error| error.to_string());
        assert_eq!(
            error,
            Err("2: devices: expected one line, found \"b\"".to_string())
        );
        assert!(is_up(b"up\nup\n").is_err());
    }

    #[test]
    fn a_name_that_leads_elsewhere() {
        let error = read(b"bond0 ../..\n").map_err(|error| error.to_string());
        assert_eq!(
            error,
            Err("1: devices: expected the name of a device, found \"../..\"".to_string())
        );
        assert!(read(b"..\n").is_err() && read(b"a\0\n").is_err());
    }
}
