// SPDX-License-Identifier: GPL-2.0

//! What a packet socket says about a message besides its bytes.

use std::mem::offset_of;

use libc::{cmsghdr, tpacket_auxdata};

use crate::{filter::vlan::TAG_LEN, frame::Timestamp, link::SLL2_LEN};

/// A VLAN tag that the kernel took out of a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Tag {
    /// Tag protocol identifier: the EtherType in front of the tag.
    pub tpid: u16,
    /// Tag control information: priority, drop eligibility, VLAN identifier.
    pub tci: u16,
}

/// The control messages of one packet.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Info {
    /// `SO_TIMESTAMPNS`.
    pub time: Option<Timestamp>,
    /// Length of the packet before the filter cut it, from `PACKET_AUXDATA`.
    pub original_len: Option<u32>,
    /// The tag, from `PACKET_AUXDATA`.
    pub vlan: Option<Tag>,
}

/// Bytes of `struct cmsghdr`.
const HEADER: usize = size_of::<cmsghdr>();
/// What a control message is padded to.
const ALIGN: usize = size_of::<usize>();

impl Info {
    /// Reads the control messages in `control`.
    ///
    /// Stops at the first that does not fit, and passes over those that are not known.
    pub fn parse(control: &[u8]) -> Self {
        let mut rest = control;
        let mut info = Self::default();
        while let Some((level, kind, body, next)) = split(rest) {
            match (level, kind) {
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => info.time = timespec(body),
                (libc::SOL_PACKET, libc::PACKET_AUXDATA) => info.auxdata(body),
                _ => {}
            }
            rest = next;
        }
        info
    }

    /// Reads a `struct tpacket_auxdata`.
    fn auxdata(&mut self, body: &[u8]) {
        let (Some(status), Some(length), Some(tci), Some(tpid)) = (
            ne_u32(body, offset_of!(tpacket_auxdata, tp_status)),
            ne_u32(body, offset_of!(tpacket_auxdata, tp_len)),
            ne_u16(body, offset_of!(tpacket_auxdata, tp_vlan_tci)),
            ne_u16(body, offset_of!(tpacket_auxdata, tp_vlan_tpid)),
        ) else {
            return;
        };
        self.original_len = Some(length);
        if status & libc::TP_STATUS_VLAN_VALID != 0 {
            self.vlan = Some(Tag {
                tpid: if status & libc::TP_STATUS_VLAN_TPID_VALID != 0 {
                    tpid
                } else {
                    libc::ETH_P_8021Q as u16
                },
                tci,
            });
        }
    }
}

/// The first control message: level, type, body, and what follows it.
fn split(bytes: &[u8]) -> Option<(i32, i32, &[u8], &[u8])> {
    let length = usize::from_ne_bytes(*bytes.first_chunk()?);
    let level = ne_u32(bytes, offset_of!(cmsghdr, cmsg_level))? as i32;
    let kind = ne_u32(bytes, offset_of!(cmsghdr, cmsg_type))? as i32;
    let body = bytes.get(HEADER..length)?;
    let next = bytes
        .get(length.next_multiple_of(ALIGN)..)
        .unwrap_or_default();
    Some((level, kind, body, next))
}

fn ne_u32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn ne_u16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Reads a `struct timespec`.
fn timespec(body: &[u8]) -> Option<Timestamp> {
    const WORD: usize = size_of::<libc::c_long>();
    let seconds = libc::c_long::from_ne_bytes(*body.first_chunk()?);
    let nanoseconds = libc::c_long::from_ne_bytes(*body.get(WORD..)?.first_chunk()?);
    Some(Timestamp {
        #[allow(
            clippy::useless_conversion,
            reason = "c_long has 32 bits on some targets"
        )]
        seconds: seconds.into(),
        nanoseconds: u32::try_from(nanoseconds)
            .ok()
            .filter(|value| *value < 1_000_000_000)?,
    })
}

/// Puts `tag` back behind the addresses of the Ethernet frame that begins at `start` of `buffer`,
/// by moving the addresses into the room in front of it.
///
/// Returns where the frame begins then and how many bytes it has grown. A frame that was cut
/// before the end of its addresses stays as it is.
pub fn insert_tag(buffer: &mut [u8], start: usize, tag: Tag) -> (usize, usize) {
    const ADDRESSES: usize = 12;
    const GROWN: usize = TAG_LEN as usize;
    let Some(begin) = start.checked_sub(GROWN) else {
        return (start, 0);
    };
    let Some(moved) = buffer.get_mut(begin..start + ADDRESSES) else {
        return (start, 0);
    };
    moved.copy_within(GROWN.., 0);
    let [t0, t1] = tag.tpid.to_be_bytes();
    let [c0, c1] = tag.tci.to_be_bytes();
    if let Some(gap) = moved.last_chunk_mut::<GROWN>() {
        *gap = [t0, t1, c0, c1];
    }
    (begin, GROWN)
}

/// Writes a `LINUX_SLL2` header into the first bytes of `buffer`.
///
/// See <https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html>.
pub fn cooked_header(buffer: &mut [u8], name: &libc::sockaddr_ll) {
    let Some(header) = buffer.first_chunk_mut::<SLL2_LEN>() else {
        return;
    };
    let [p0, p1] = name.sll_protocol.to_ne_bytes();
    let [i0, i1, i2, i3] = name.sll_ifindex.to_be_bytes();
    let [h0, h1] = name.sll_hatype.to_be_bytes();
    let [a0, a1, a2, a3, a4, a5, a6, a7] = name.sll_addr;
    *header = [
        p0,
        p1,
        0,
        0, //
        i0,
        i1,
        i2,
        i3, //
        h0,
        h1,
        name.sll_pkttype,
        name.sll_halen, //
        a0,
        a1,
        a2,
        a3,
        a4,
        a5,
        a6,
        a7,
    ];
}
