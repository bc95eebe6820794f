//! The built program against real databases, a real SMTP server and an HTTP server in Twilio's place. A file per subject.

mod loopback;
mod smtp;
mod support;
mod tls;
mod twilio;

mod demo;
mod migrate;
mod sending;
