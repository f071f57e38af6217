//! SIGHUP: the file is read again between two requests, and what changed is made anew, nothing else: the rates, what
//! collectors remember and open connections stay. A file that is wrong changes nothing.

use std::time::SystemTime;

use crate::cli;
use crate::cli::Changes;
use crate::config::Config;
use crate::instruments::ConfigCounts;
use crate::textfile::Textfile;

use super::App;

/// What became of the file so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loaded {
    successful: bool,
    last_success: SystemTime,
}

impl Loaded {
    pub(super) fn now() -> Self {
        Self {
            successful: true,
            last_success: SystemTime::now(),
        }
    }

    pub(super) fn counts(self) -> ConfigCounts {
        ConfigCounts {
            successful: self.successful,
            last_success: self.last_success,
        }
    }
}

impl App {
    /// Reads the file again; says what changed.
    pub(super) fn reload(&mut self) -> Changes {
        let Some(path) = &self.config.file else {
            log::info!("SIGHUP: no --config.file to read again");
            return Changes::default();
        };
        let path = path.display().to_string();
        let reread = match cli::reread(&self.arguments, &self.config) {
            Ok(reread) => reread,
            Err(error) => {
                self.loaded.successful = false;
                log::error!(err = error.to_string().as_str(); "configuration is wrong, the old one stays");
                return Changes::default();
            }
        };
        if let Err(refused) = self.sandbox.allows(&reread.config, self.engine.files()) {
            self.loaded.successful = false;
            log::error!(err = refused.to_string().as_str(); "configuration needs more than the sandbox allows, the old one stays");
            return Changes::default();
        }
        self.loaded = Loaded::now();
        if !reread.restart.is_empty() {
            let flags = reread.restart.join(" ");
            log::warn!(flags = flags.as_str(); "changed, but only a restart changes it");
        }
        let changes = reread.changes;
        if changes.is_empty() {
            log::info!(path = path.as_str(); "configuration read again: nothing to change");
        } else {
            self.apply(reread.config, &changes);
            let words = changes.words();
            log::info!(path = path.as_str(), changed = words.as_str(); "configuration read again");
        }
        changes
    }

    fn apply(&mut self, config: Config, changes: &Changes) {
        crate::log::set_level(config.log_level);
        self.engine
            .reload(&config, |collector| changes.touch(collector));
        self.sampler.reload(&config);
        self.seen = None;
        self.textfile = match (&config.textfile_output, self.textfile.take()) {
            (Some(directory), Some(file)) => Some(file.moved_to(directory)),
            (directory, _) => directory.as_deref().map(Textfile::new),
        };
        self.config = config;
    }
}
