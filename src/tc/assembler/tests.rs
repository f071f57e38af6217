//! Instructions against known encodings.
