//! The commands, a file or folder each; `session`, `user` and `cause` serve several of them.

mod cause;
pub mod check;
pub mod completions;
pub mod demo;
pub mod explain;
pub mod log;
pub mod man;
pub mod migrate;
pub mod opt_in;
pub mod preview;
pub mod prune;
pub mod report;
pub mod retry;
pub mod send;
pub mod session;
pub mod status;
pub mod templates;
pub mod test;
mod user;
