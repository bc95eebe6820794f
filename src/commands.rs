//! The commands, a file each.

pub mod check;
pub mod demo;
pub mod log;
pub mod migrate;
pub mod opt_in;
pub mod preview;
pub mod prune;
pub mod retry;
pub mod send;
pub mod status;
pub mod templates;
pub mod test;
