//! Runs the collectors: times them, isolates them, appends success and duration.
