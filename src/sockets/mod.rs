//! One pass over all TCP sockets per scrape, whatever the source; the collectors that ask read the same [`Survey`].

use std::fmt;

use crate::config::SocketsSource;
use crate::files::Files;

/// The sockets, walked at most once a scrape.
pub struct Sockets {
    survey: Option<Result<Survey, SurveyError>>,
}

/// What one walk found.
#[derive(Debug, Default)]
pub struct Survey {}

/// Why the sockets could not be walked.
#[derive(Clone, Debug)]
pub enum SurveyError {}

impl fmt::Display for SurveyError {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl Sockets {
    /// Nothing is opened or read yet.
    #[must_use]
    pub fn new(_source: SocketsSource) -> Self {
        Self { survey: None }
    }

    /// A new scrape begins: the next survey is a new walk.
    pub fn begin(&mut self) {
        self.survey = None;
    }

    /// The walk of this scrape; the first caller triggers it.
    ///
    /// # Errors
    /// The same for every caller of one scrape.
    pub fn survey(&mut self, _files: &Files) -> Result<&Survey, SurveyError> {
        let survey = self.survey.get_or_insert_with(|| Ok(Survey::default()));
        survey.as_ref().map_err(Clone::clone)
    }
}
