//! The one integration binary: the architecture's rules, the real server with clients that nobody here wrote, crashes, the
//! demo, and the UI in a real browser.
//!
//! Tests start servers on loopback, on free ports, in temporary directories, and end them by process id. A test that needs
//! something this machine does not have says so and passes; `.ci/tools test` installs everything.

#![allow(clippy::print_stdout, reason = "tests say what they skip and what they measured")]

mod architecture;
mod cli;
mod clients;
mod crash;
mod crash_points;
mod damage;
mod demo;
mod docs;
mod files;
mod incidents;
mod instructions;
mod intake;
mod metric_store;
mod metrics;
mod playbooks;
mod prometheus;
mod scraping;
mod search;
mod server;
mod services;
mod shared;
mod sql;
mod tidy;
mod ui;
