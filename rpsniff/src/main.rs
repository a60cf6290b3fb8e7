// SPDX-License-Identifier: GPL-2.0

//! Runs the sniffer on the command line's options.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use rpsniff::{cli::Cli, run};

fn main() -> ExitCode {
    match run::run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rpsniff: {error}");
            ExitCode::FAILURE
        }
    }
}
