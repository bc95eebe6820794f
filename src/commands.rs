//! The commands, a file each.

pub mod check;
pub mod demo;
pub mod migrate;
pub mod opt_in;
pub mod preview;
pub mod send;
pub mod templates;
pub mod test;
