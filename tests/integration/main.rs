//! The built program against real databases, a real SMTP server and an HTTP server in Twilio's place. A file per
//! subject.

// A test that cannot go on says so by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod loopback;
mod servers;
mod smtp;
mod support;
mod tls;
mod twilio;

mod back_ends;
mod browser;
mod budget;
mod calendar;
mod check;
mod clock;
mod command_line;
mod compare_log;
mod config;
mod corrections;
mod crash;
mod demo;
mod documents;
mod due;
mod encryption;
mod explain;
mod follow_up;
#[cfg(feature = "sqlite")]
mod full_disk;
mod health;
mod hostile;
mod hosts;
mod legacy;
mod limits;
mod locked;
mod log;
mod long;
mod mail_errors;
mod mail_tls;
mod manual;
mod metrics;
mod migrate;
mod missed;
mod moved;
mod opt_in;
mod outage;
mod overlap;
mod own_tables;
mod own_view;
mod participants;
mod pipelining;
mod places;
mod preview;
mod prune;
mod report;
mod retry;
mod rights;
mod sending;
mod signals;
mod skew;
#[cfg(feature = "sqlite")]
mod sqlite_file;
#[cfg(feature = "sqlite")]
mod sqlite_values;
mod status;
mod switching;
mod templates;
mod transports;
mod trial;
mod twilio_errors;
mod volume;
mod whatsapp;
mod zones;
