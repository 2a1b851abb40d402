//! The command line as people and scripts use it: the quick start word for word, the shapes of its JSON, its statuses.

mod exec;
mod quick_start;
mod verbs;
