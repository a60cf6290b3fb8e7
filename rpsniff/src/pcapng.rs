// SPDX-License-Identifier: GPL-2.0

//! Capture files as this program writes them: pcapng, one interface, nanoseconds.
//!
//! See <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html>.

use std::{
    borrow::Cow,
    io::{self, Write},
    time::Duration,
};

use pcap_file::{
    pcapng::{
        blocks::{
            enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption},
            interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption},
            interface_statistics::{InterfaceStatisticsBlock, InterfaceStatisticsOption},
            section_header::{SectionHeaderBlock, SectionHeaderOption},
        },
        PcapNgWriter,
    },
    Endianness, PcapError,
};

use crate::{
    frame::{Frame, PacketType, Timestamp},
    link::Link,
    stats::Report,
};

/// `if_tsresol`: time stamps count units of 10^-9 seconds.
const NANOSECONDS: u8 = 9;

/// What a file says about where its packets come from.
#[derive(Clone, Debug)]
pub struct Interface {
    /// Link type of the packets.
    pub link: Link,
    /// Bytes that were kept of each packet.
    pub snaplen: u32,
    /// The interface's name, if it was one.
    pub name: Option<String>,
    /// The filter expression, if there was one.
    pub filter: Option<String>,
}

/// A capture file that is being written.
pub struct Writer<W: Write> {
    inner: PcapNgWriter<W>,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
}

impl<W: Write> Writer<W> {
    /// Writes the section header and the interface description.
    ///
    /// # Errors
    ///
    /// Those of `output`.
    pub fn new(output: W, interface: &Interface) -> io::Result<Self> {
        let section = SectionHeaderBlock {
            endianness: Endianness::Little,
            options: vec![
                SectionHeaderOption::OS(Cow::Borrowed("Linux")),
                SectionHeaderOption::UserApplication(Cow::Borrowed(concat!(
                    "rpsniff ",
                    env!("CARGO_PKG_VERSION")
                ))),
            ],
            ..SectionHeaderBlock::default()
        };
        let mut inner = PcapNgWriter::with_section_header(output, section).map_err(io_error)?;
        let mut options = Vec::new();
        if let Some(name) = &interface.name {
            options.push(InterfaceDescriptionOption::IfName(name.into()));
        }
        options.push(InterfaceDescriptionOption::IfTsResol(NANOSECONDS));
        if let Some(filter) = &interface.filter {
            // The first byte of the option says how the filter is written: 0 is libpcap's language.
            let mut value = vec![0];
            value.extend_from_slice(filter.as_bytes());
            options.push(InterfaceDescriptionOption::IfFilter(value.into()));
        }
        inner
            .write_pcapng_block(InterfaceDescriptionBlock {
                linktype: interface.link.data_link(),
                snaplen: interface.snaplen,
                options,
            })
            .map_err(io_error)?;
        Ok(Self {
            inner,
            first: None,
            last: None,
        })
    }

    /// Adds a packet.
    ///
    /// # Errors
    ///
    /// Those of the output.
    pub fn packet(&mut self, frame: &Frame<'_>) -> io::Result<()> {
        self.first.get_or_insert(frame.time);
        self.last = Some(frame.time);
        let options = frame
            .packet_type
            .and_then(flags)
            .map(EnhancedPacketOption::Flags)
            .into_iter()
            .collect();
        self.inner
            .write_pcapng_block(EnhancedPacketBlock {
                interface_id: 0,
                timestamp: Duration::new(
                    u64::try_from(frame.time.seconds).unwrap_or(0),
                    frame.time.nanoseconds,
                ),
                original_len: frame.wire_len,
                data: Cow::Borrowed(frame.data),
                options,
            })
            .map(drop)
            .map_err(io_error)
    }

    /// Hands what was written to the operating system.
    ///
    /// # Errors
    ///
    /// Those of the output.
    pub fn flush(&mut self) -> io::Result<()> {
        self.inner.get_mut().flush()
    }

    /// Ends the file with the statistics of the capture, if there are any.
    ///
    /// # Errors
    ///
    /// Those of the output.
    pub fn finish(mut self, report: Option<&Report>) -> io::Result<()> {
        if let Some(report) = report {
            let mut options = Vec::new();
            if let (Some(first), Some(last)) = (self.first, self.last) {
                options.push(InterfaceStatisticsOption::IsbStartTime(swapped(first)));
                options.push(InterfaceStatisticsOption::IsbEndTime(swapped(last)));
            }
            options.extend([
                InterfaceStatisticsOption::IsbIfRecv(report.counters.received),
                InterfaceStatisticsOption::IsbIfDrop(0),
                InterfaceStatisticsOption::IsbFilterAccept(report.counters.received),
                InterfaceStatisticsOption::IsbOsDrop(report.counters.dropped),
                InterfaceStatisticsOption::IsbUsrDeliv(report.captured),
            ]);
            self.inner
                .write_pcapng_block(InterfaceStatisticsBlock {
                    interface_id: 0,
                    timestamp: self.last.map_or(0, swapped),
                    options,
                })
                .map_err(io_error)?;
        }
        self.flush()
    }
}

/// A time stamp as pcap-file 2.0 has to be given it outside of packets: the format stores the high
/// half first in either byte order, and the crate stores a 64-bit integer, whose low half comes
/// first in a little-endian file.
fn swapped(time: Timestamp) -> u64 {
    let seconds = u64::try_from(time.seconds).unwrap_or(0);
    seconds
        .wrapping_mul(1_000_000_000)
        .wrapping_add(time.nanoseconds.into())
        .rotate_left(32)
}

/// The direction and reception type of `epb_flags`.
fn flags(packet_type: PacketType) -> Option<u32> {
    const INBOUND: u32 = 1;
    const OUTBOUND: u32 = 2;
    const UNICAST: u32 = 1 << 2;
    const MULTICAST: u32 = 2 << 2;
    const BROADCAST: u32 = 3 << 2;
    const PROMISCUOUS: u32 = 4 << 2;
    match packet_type {
        PacketType::Host => Some(INBOUND | UNICAST),
        PacketType::Broadcast => Some(INBOUND | BROADCAST),
        PacketType::Multicast => Some(INBOUND | MULTICAST),
        PacketType::OtherHost => Some(INBOUND | PROMISCUOUS),
        PacketType::Outgoing => Some(OUTBOUND),
        PacketType::Other(_) => None,
    }
}

fn io_error(error: PcapError) -> io::Error {
    match error {
        PcapError::IoError(error) => error,
        other => io::Error::other(other),
    }
}
