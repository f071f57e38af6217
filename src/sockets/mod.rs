//! One pass over all TCP sockets per scrape, whatever the source; the collectors that ask read the same [`Survey`].
//!
//! Two sources give the same survey: netlink, and the tables of /proc for twice the CPU. Which one is decided at the first
//! walk and then kept, so that a series does not change its meaning; only files are read when the tree is not the
//! running kernel's.

mod idle;
pub mod listening;
pub mod netlink;
pub mod peers;
pub mod ports;
pub mod proc;
pub mod quality;
pub mod survey;
pub mod tally;
pub mod tcp_info;

use std::fmt;
use std::sync::Arc;

use crate::config::Connections;
use crate::config::SocketsSource;
use crate::files::FileError;
use crate::files::Files;
use crate::netlink::NetlinkError;
use crate::netlink::settled;
use crate::parse::ip_local_port_range;
use crate::parse::ip_local_port_range::PortRange;

use self::peers::Peers;
pub use self::survey::Survey;

/// Where the sockets of a survey came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// The kernel's dump.
    Netlink,
    /// /proc/net/tcp and tcp6.
    Proc,
    /// This kernel has none of them: there is nothing to export.
    #[default]
    Absent,
}

impl Source {
    /// The word for `weir_source_info`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Netlink => "netlink",
            Self::Proc => "proc",
            Self::Absent => "absent",
        }
    }
}

/// Why the sockets could not be walked.
#[derive(Clone, Debug)]
pub enum SurveyError {
    /// The kernel's dump.
    Netlink(NetlinkError),
    /// A table of /proc.
    File(Arc<FileError>),
}

impl fmt::Display for SurveyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Netlink(error) => error.fmt(f),
            Self::File(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SurveyError {}

impl From<NetlinkError> for SurveyError {
    fn from(error: NetlinkError) -> Self {
        Self::Netlink(error)
    }
}

impl From<FileError> for SurveyError {
    fn from(error: FileError) -> Self {
        Self::File(Arc::new(error))
    }
}

/// What is walked; [`Choice::Open`] until the kernel has answered once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Open,
    Netlink,
    Proc,
}

/// The sockets, walked at most once a scrape.
pub struct Sockets {
    choice: Choice,
    /// Kept from scrape to scrape for its memory.
    survey: Survey,
    /// How this scrape's walk went, once there was one.
    walked: Option<Result<(), SurveyError>>,
    /// Of another network namespace than the own: what is known of its being idle.
    idle: Option<idle::Memory>,
}

impl Sockets {
    /// Nothing is opened or read yet. Peers are counted where it is told how.
    #[must_use]
    pub fn new(source: SocketsSource, peers: Option<&Connections>) -> Self {
        Self {
            choice: match source {
                SocketsSource::Auto => Choice::Open,
                SocketsSource::Netlink => Choice::Netlink,
                SocketsSource::Proc => Choice::Proc,
            },
            survey: Survey::new(peers),
            walked: None,
            idle: None,
        }
    }

    /// The sockets of another network namespace, from the same source. All namespaces share the kernel's tables, each of
    /// which is walked whole for every one of them, so that there a walk that would find nothing is left out.
    #[must_use]
    pub fn of_another_namespace(&self, peers: Option<&Connections>) -> Self {
        Self {
            choice: self.choice,
            survey: Survey::new(peers),
            walked: None,
            idle: Some(idle::Memory::default()),
        }
    }

    /// Counts peers from now on, or with `None` no longer; gives who counted them before.
    pub fn count(&mut self, peers: Option<Peers>) -> Option<Peers> {
        std::mem::replace(&mut self.survey.peers, peers)
    }

    /// A new scrape begins: the next survey is a new walk.
    pub fn begin(&mut self) {
        self.walked = None;
    }

    /// The walk of this scrape; the first caller triggers it.
    ///
    /// # Errors
    /// The same for every caller of one scrape.
    pub fn survey(&mut self, files: &Files) -> Result<&Survey, SurveyError> {
        let walked = match self.walked.take() {
            Some(walked) => walked,
            None => self.walk(files),
        };
        self.walked.insert(walked).clone().map(|()| &self.survey)
    }

    fn walk(&mut self, files: &Files) -> Result<(), SurveyError> {
        // A range that is missing or broken is told by the collector that exports it; here it only means that
        // destinations are unknown.
        let range = port_range(files).ok().flatten();
        let Some(mut memory) = self.idle.take() else {
            return self.walk_whole(files, range);
        };
        let signs = idle::signs(files);
        let source = match self.choice {
            _ if !files.live() => Source::Proc,
            Choice::Netlink => Source::Netlink,
            Choice::Proc => Source::Proc,
            Choice::Open => Source::Absent,
        };
        let walked = match signs.filter(|signs| memory.is_idle(signs)) {
            Some(signs)
                if idle::survey(&mut self.survey, source, range, files, (memory, &signs)) =>
            {
                Ok(())
            }
            _ => self.walk_whole(files, range),
        };
        memory.remember(signs, walked.is_ok().then_some(&self.survey));
        self.idle = Some(memory);
        walked
    }

    fn walk_whole(&mut self, files: &Files, range: Option<PortRange>) -> Result<(), SurveyError> {
        let survey = &mut self.survey;
        if !files.live() {
            return walk_proc(survey, files, range);
        }
        match self.choice {
            Choice::Netlink => Ok(walk_netlink(survey, range)?),
            Choice::Proc => walk_proc(survey, files, range),
            Choice::Open => match walk_netlink(survey, range) {
                Ok(()) => {
                    log::debug!("TCP sockets are read through netlink");
                    self.choice = Choice::Netlink;
                    Ok(())
                }
                // Says nothing about the kernel: the next scrape asks again.
                Err(error) if error.is_passing() => Err(error.into()),
                Err(error) => {
                    log::warn!("TCP sockets are read from /proc/net/tcp: {error}");
                    self.choice = Choice::Proc;
                    walk_proc(survey, files, range)
                }
            },
        }
    }
}

/// Where the kernel picks local ports from; `None` where it does not tell.
///
/// # Errors
/// When the file cannot be read or breaks its format.
pub fn port_range(files: &Files) -> Result<Option<PortRange>, FileError> {
    files.proc(ip_local_port_range::PATH, ip_local_port_range::parse)
}

fn walk_netlink(survey: &mut Survey, range: Option<PortRange>) -> Result<(), NetlinkError> {
    settled(|| {
        survey.restart(Source::Netlink, range);
        let interrupted = netlink::dump(|socket| survey.add(socket))?;
        survey.finish();
        Ok(interrupted)
    })?;
    let Some(quality) = survey.peers.as_mut().and_then(Peers::quality_mut) else {
        return Ok(());
    };
    // Of no matter to those who read the survey only.
    let outcome = settled(|| {
        quality.restart();
        tcp_info::dump(|measured| quality.add(measured))
    });
    quality.finish(outcome);
    Ok(())
}

fn walk_proc(
    survey: &mut Survey,
    files: &Files,
    range: Option<PortRange>,
) -> Result<(), SurveyError> {
    survey.restart(Source::Proc, range);
    let v4 = proc::stream(files, "tcp", |socket| survey.add(socket))?;
    // A kernel without IPv6, or one with it switched off, has no tcp6.
    let v6 = proc::stream(files, "tcp6", |socket| survey.add(socket))?;
    survey.finish();
    if v4.or(v6).is_none() {
        survey.restart(Source::Absent, range);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn own_kernel() -> Files {
        Files::open(Path::new("/proc"), Path::new("/sys")).unwrap()
    }

    #[test]
    fn one_walk_a_scrape() {
        let files = own_kernel();
        let mut sockets = Sockets::new(SocketsSource::Proc, None);
        let listening = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listening.local_addr().unwrap().port();
        assert!(sockets.survey(&files).unwrap().ports().contains(port));
        drop(listening);
        assert!(sockets.survey(&files).unwrap().ports().contains(port));
        sockets.begin();
        assert!(!sockets.survey(&files).unwrap().ports().contains(port));
    }

    #[test]
    fn files_of_another_tree_are_never_mixed_with_the_running_kernel() {
        let tree = std::env::temp_dir().join(format!("weir-{}-absent", std::process::id()));
        std::fs::create_dir_all(tree.join("net")).unwrap();
        let files = Files::open(&tree, Path::new("/")).unwrap();
        for source in [
            SocketsSource::Auto,
            SocketsSource::Netlink,
            SocketsSource::Proc,
        ] {
            let mut sockets = Sockets::new(source, None);
            assert_eq!(sockets.survey(&files).unwrap().source(), Source::Absent);
        }
        std::fs::remove_dir_all(tree).unwrap();
    }

    #[test]
    fn the_kernel_answers_or_the_tables_do() {
        let mut sockets = Sockets::new(SocketsSource::Auto, None);
        let survey = sockets.survey(&own_kernel()).unwrap();
        assert_ne!(survey.source(), Source::Absent);
    }

    #[test]
    fn an_error_is_the_same_for_every_caller() {
        let tree = std::env::temp_dir().join(format!("weir-{}-garbled", std::process::id()));
        std::fs::create_dir_all(tree.join("net")).unwrap();
        std::fs::write(tree.join("net/tcp6"), "nonsense\n").unwrap();
        let files = Files::open(&tree, Path::new("/")).unwrap();
        let mut sockets = Sockets::new(SocketsSource::Auto, None);
        let errors = [(); 2].map(|()| sockets.survey(&files).unwrap_err().to_string());
        assert!(
            errors[0].ends_with(
                "net/tcp6:1: sl: expected the header \"sl local_address …\", found \"nonsense\""
            ),
            "{}",
            errors[0]
        );
        assert_eq!(errors[0], errors[1]);
        std::fs::remove_dir_all(tree).unwrap();
    }
}
