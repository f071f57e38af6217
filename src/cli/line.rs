//! The command line, read by pico-args against the table of flags. It refuses `--flag=` and strips quotes, so arguments are
//! split at their first `=` before it sees them. This is the only file that knows pico_args.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use pico_args::Arguments;

use crate::collectors::ALL;
use crate::config::Config;

use super::NO_COLLECTOR;
use super::UsageError;
use super::flags::HELP;
use super::flags::VERSION;
use super::flags::flags;
use super::given::Given;
use super::given::Said;
use super::given::Switched;
use super::set;

/// node_exporter's switches between two sources of the same families: weir takes netlink where it can and files where it
/// cannot, so that both forms of each are fulfilled, or change nothing that is exported here.
static SOURCES: [&str; 3] = ["arp.netlink", "netclass.netlink", "netdev.netlink"];

/// More flags of node_exporter's that weir does not have, and what there is instead.
static INSTEAD: [(&str, &str); 3] = [
    (
        "netdev.enable-detailed-metrics",
        "leave it out, names here are the ordinary ones, such as node_network_receive_errs_total",
    ),
    ("qdisc.fixtures", FOR_TESTS),
    ("wifi.fixtures", FOR_TESTS),
];

/// Collectors of node_exporter's (1.10) that weir does not have: to be without one is no mistake.
const OTHERS: &str = "bcache btrfs buddyinfo cgroups cpu_vulnerabilities cpufreq devstat diskstats dmi drbd drm edac ethtool \
fibrechannel hwmon infiniband interrupts kernel_hung ksmd logind mdadm meminfo_numa mountstats nfs nfsd ntp nvme os pcidevice \
perf powersupplyclass pressure processes rapl runit schedstat selinux slabinfo softirqs supervisord swap sysctl systemd \
tapestats timex vmstat watchdog xfs zfs zoneinfo";
const BESIDE: &str =
    "weir has no such collector; node_exporter has, and weir --companion runs beside it";

const FOR_TESTS: &str = "leave it out, it is for node_exporter's own tests";

/// What the command line says.
pub(super) struct CommandLine {
    pub(super) given: Given,
    pub(super) help: bool,
    pub(super) version: bool,
}

impl CommandLine {
    /// Reads the arguments, without the program's name, and tries each flag on a configuration of its own.
    pub(super) fn read(arguments: &[OsString]) -> Result<Self, UsageError> {
        let mut arguments = Arguments::from_vec(split(arguments)?);
        let mut given = Given::default();
        let mut scratch = Config::default();
        // Values first: one may look like a switch.
        for flag in flags().filter(|flag| !flag.value.is_empty()) {
            let failed = |error: String| UsageError::one(format!("{}: {error}", flag.name));
            let values =
                arguments
                    .values_from_os_str(flag.name, utf8)
                    .map_err(|error| match error {
                        pico_args::Error::OptionWithoutAValue(_) => {
                            failed(format!("expected {}, found nothing", flag.value))
                        }
                        pico_args::Error::ArgumentParsingFailed { cause } => failed(cause),
                        other => failed(other.to_string()),
                    })?;
            set(&flag.set, &mut scratch, &values).map_err(failed)?;
            if !values.is_empty() {
                given.said.push(Said {
                    flag,
                    values,
                    place: None,
                });
            }
        }
        for flag in flags().filter(|flag| flag.value.is_empty()) {
            let mut found = flag.name == HELP && arguments.contains("-h");
            // Given twice it says the same.
            while arguments.contains(flag.name) {
                found = true;
            }
            if found {
                given.said.push(Said {
                    flag,
                    values: Vec::new(),
                    place: None,
                });
            }
        }
        switched(&arguments.finish(), &mut given)?;
        Ok(Self {
            help: given.of(HELP).is_some(),
            version: given.of(VERSION).is_some(),
            given,
        })
    }
}

/// Splits `--flag=value` at the first `=`. What follows a flag that takes a value is left as it is.
fn split(arguments: &[OsString]) -> Result<Vec<OsString>, UsageError> {
    let mut words = Vec::with_capacity(arguments.len() * 2);
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let bytes = argument.as_bytes();
        let equals = bytes.iter().position(|byte| *byte == b'=');
        let (name, value) =
            match equals.and_then(|at| Some((bytes.get(..at)?, bytes.get(at + 1..)?))) {
                Some((name, value)) => (name, Some(value)),
                None => (bytes, None),
            };
        let name = std::str::from_utf8(name).unwrap_or_default();
        let takes_value = flags()
            .find(|flag| flag.name == name)
            .map(|flag| !flag.value.is_empty());
        match (takes_value, value) {
            (Some(false), Some(_)) => {
                return Err(UsageError::one(format!("{name}: takes no value")));
            }
            (Some(true), Some(value)) => {
                words.extend([
                    OsString::from(name),
                    OsStr::from_bytes(value).to_os_string(),
                ]);
            }
            (Some(true), None) => {
                words.push(argument.clone());
                words.extend(arguments.next().cloned());
            }
            _ => words.push(argument.clone()),
        }
    }
    Ok(words)
}

/// The collectors that are switched on or off, from what the table of flags left over; and node_exporter's flags.
fn switched(rest: &[OsString], given: &mut Given) -> Result<(), UsageError> {
    let switched = &mut given.switched;
    for argument in rest {
        let text = argument.to_str().unwrap_or_default();
        let (name, on) = match text.strip_prefix(NO_COLLECTOR) {
            Some(name) => (name, false),
            None => (text.strip_prefix("--collector.").unwrap_or_default(), true),
        };
        let Some(position) = ALL.iter().position(|spec| spec.name == name) else {
            let other = OTHERS.split(' ').any(|other| other == name);
            if SOURCES.contains(&name) || (other && !on) {
                given.needless.push(text.to_string());
                continue;
            }
            let bare = name.split('=').next();
            let instead = INSTEAD.iter().find(|(known, _)| on && Some(*known) == bare);
            let instead = match instead {
                Some((_, instead)) => instead,
                None if other => BESIDE,
                None => "weir --help lists the flags",
            };
            return Err(UsageError::one(format!(
                "{}: unknown; {instead}",
                argument.display()
            )));
        };
        if switched
            .iter()
            .any(|other| other.position == position && other.on != on)
        {
            return Err(UsageError::one(format!(
                "--collector.{name}: expected on or off, found both"
            )));
        }
        switched.push(Switched { position, on });
    }
    Ok(())
}

fn utf8(value: &OsStr) -> Result<String, &'static str> {
    value.to_str().map(str::to_string).ok_or("expected UTF-8")
}
