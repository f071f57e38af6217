//! A flag of the table, and how the kinds of them are written there.

use crate::config::Config;

/// One flag of the table.
pub(super) struct Flag {
    pub(super) name: &'static str,
    /// What stands for the value in help; empty for a switch.
    pub(super) value: &'static str,
    /// The value when the flag is not given, as help shows it.
    pub(super) default: &'static str,
    pub(super) help: &'static str,
    pub(super) set: Set,
}

pub(super) enum Set {
    /// Takes no value.
    Switch(fn(&mut Config)),
    /// Takes no value and sets none: the parser asks for it.
    Asked,
    /// Takes one value; the error says what was expected.
    One(fn(&mut Config, &str) -> Result<(), String>),
    /// Takes a value each time it is given; together they replace the default.
    Many(fn(&mut Config, &[String]) -> Result<(), String>),
    /// Takes one value of parts that commas separate; a file may have them as a list.
    Commas(fn(&mut Config, &str) -> Result<(), String>),
}

pub(super) const fn switch(name: &'static str, help: &'static str, set: fn(&mut Config)) -> Flag {
    flag(name, "", "", help, Set::Switch(set))
}

pub(super) const fn asked(name: &'static str, help: &'static str) -> Flag {
    flag(name, "", "", help, Set::Asked)
}

pub(super) const fn one(
    name: &'static str,
    value: &'static str,
    default: &'static str,
    help: &'static str,
    set: fn(&mut Config, &str) -> Result<(), String>,
) -> Flag {
    flag(name, value, default, help, Set::One(set))
}

/// One value, in a file a list too.
pub(super) const fn commas(
    name: &'static str,
    value: &'static str,
    default: &'static str,
    help: &'static str,
    set: fn(&mut Config, &str) -> Result<(), String>,
) -> Flag {
    flag(name, value, default, help, Set::Commas(set))
}

const fn flag(
    name: &'static str,
    value: &'static str,
    default: &'static str,
    help: &'static str,
    set: Set,
) -> Flag {
    Flag {
        name,
        value,
        default,
        help,
        set,
    }
}
