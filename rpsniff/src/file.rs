// SPDX-License-Identifier: GPL-2.0

//! Capture files as libpcap reads them: pcap and pcapng.

use pcap::{Capture, Offline, Precision};
use thiserror::Error;

use crate::{
    frame::{Frame, Timestamp},
    link::Link,
};

/// Why a file could not be read.
#[derive(Debug, Error)]
pub enum Error {
    /// libpcap's message about the file.
    #[error("{0}")]
    Read(String),
    /// libpcap's message about the filter expression.
    #[error("{0}")]
    Expression(String),
}

/// A capture file that is being read.
pub struct Reader {
    capture: Capture<Offline>,
    link: Link,
}

impl Reader {
    /// Opens `path`, or standard input if it is `-`, and applies the filter to what it yields.
    ///
    /// # Errors
    ///
    /// As [`Error`] lists them.
    pub fn open(path: &str, expression: &str, optimize: bool) -> Result<Self, Error> {
        let mut capture = Capture::from_file_with_precision(path, Precision::Nano)
            .map_err(|error| Error::Read(named(path, text(error))))?;
        if !expression.is_empty() {
            capture
                .filter(expression, optimize)
                .map_err(|error| Error::Expression(text(error)))?;
        }
        let link = Link::from_dlt(capture.get_datalink().0);
        Ok(Self { capture, link })
    }

    /// The link type.
    pub fn link(&self) -> Link {
        self.link
    }

    /// The next packet, or nothing at the end.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] if the file is damaged or ends inside a packet.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, Error> {
        match self.capture.next_packet() {
            Ok(packet) => Ok(Some(Frame {
                time: time(packet.header),
                wire_len: packet.header.len,
                data: packet.data,
                packet_type: None,
            })),
            Err(pcap::Error::NoMorePackets) => Ok(None),
            Err(error) => Err(Error::Read(text(error))),
        }
    }
}

/// The time stamp of a packet, whose second field has nanoseconds with the precision asked for.
/// A damaged file can have more of them than a second.
fn time(header: &pcap::PacketHeader) -> Timestamp {
    const SECOND: i64 = 1_000_000_000;
    let nanoseconds = header.ts.tv_usec;
    Timestamp {
        seconds: header
            .ts
            .tv_sec
            .saturating_add(nanoseconds.div_euclid(SECOND)),
        nanoseconds: nanoseconds.rem_euclid(SECOND) as u32,
    }
}

/// The message with the file's name, which libpcap says only where the system has refused something.
fn named(path: &str, message: String) -> String {
    if message.contains(path) {
        message
    } else {
        format!("{path}: {message}")
    }
}

/// libpcap's own words, without what the crate puts in front of them.
fn text(error: pcap::Error) -> String {
    match error {
        pcap::Error::PcapError(text) => text,
        other => other.to_string(),
    }
}
