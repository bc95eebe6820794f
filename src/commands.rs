//! The commands, a file each.

pub mod check;
pub mod demo;
pub mod explain;
pub mod migrate;
pub mod opt_in;
pub mod report;
pub mod send;
pub mod session;
