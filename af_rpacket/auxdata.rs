// SPDX-License-Identifier: GPL-2.0

//! `struct tpacket_auxdata`: what `PACKET_AUXDATA` tells about a frame.
//!
//! The file has no kernel types, so that `selftests/host` runs it as well.

#![forbid(unsafe_code)]

/// `sizeof(struct tpacket_auxdata)`.
pub(crate) const SIZE: usize = 20;

/// The frame is the program's.
pub(crate) const TP_STATUS_USER: u32 = 1 << 0;
/// The checksum is still to be filled in, by the device.
pub(crate) const TP_STATUS_CSUMNOTREADY: u32 = 1 << 3;
/// `tp_vlan_tci` is valid.
pub(crate) const TP_STATUS_VLAN_VALID: u32 = 1 << 4;
/// `tp_vlan_tpid` is valid.
pub(crate) const TP_STATUS_VLAN_TPID_VALID: u32 = 1 << 6;
/// The checksum was checked and is right.
pub(crate) const TP_STATUS_CSUM_VALID: u32 = 1 << 7;
/// The frame is a TCP segment that is longer than the wire allows.
pub(crate) const TP_STATUS_GSO_TCP: u32 = 1 << 8;

/// What is known about the checksum of the transport layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checksum {
    /// Nothing.
    Unknown,
    /// The device will fill it in.
    NotReady,
    /// It was checked.
    Valid,
}

/// A VLAN tag that is not part of the frame's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct VlanTag {
    /// Priority, drop eligibility and number of the VLAN, in host byte order.
    pub(crate) tci: u16,
    /// The protocol of the tag, in host byte order: 0x8100 or 0x88a8.
    pub(crate) tpid: u16,
}

/// What `PACKET_AUXDATA` tells about a frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Auxdata {
    /// The length of the frame when it arrived.
    pub(crate) length: u32,
    /// How much of it was kept.
    pub(crate) kept: u32,
    /// Where the network header begins. The link layer header begins at zero.
    pub(crate) network_offset: u16,
    /// What is known about the checksum.
    pub(crate) checksum: Checksum,
    /// Whether the frame is a TCP segment to be split.
    pub(crate) gso_tcp: bool,
    /// The VLAN tag, if there is one.
    pub(crate) vlan: Option<VlanTag>,
}

impl Auxdata {
    fn status(&self) -> u32 {
        let checksum = match self.checksum {
            Checksum::Unknown => 0,
            Checksum::NotReady => TP_STATUS_CSUMNOTREADY,
            Checksum::Valid => TP_STATUS_CSUM_VALID,
        };
        let gso = if self.gso_tcp { TP_STATUS_GSO_TCP } else { 0 };
        let vlan = match self.vlan {
            Some(_) => TP_STATUS_VLAN_VALID | TP_STATUS_VLAN_TPID_VALID,
            None => 0,
        };

        TP_STATUS_USER | checksum | gso | vlan
    }

    /// Writes the structure as a program reads it.
    pub(crate) fn encode(&self) -> [u8; SIZE] {
        // The offset of the link layer header, which a ring needs.
        const TP_MAC: u16 = 0;

        let (tci, tpid) = self.vlan.map_or((0, 0), |tag| (tag.tci, tag.tpid));
        let [s0, s1, s2, s3] = self.status().to_ne_bytes();
        let [l0, l1, l2, l3] = self.length.to_ne_bytes();
        let [k0, k1, k2, k3] = self.kept.to_ne_bytes();
        let [m0, m1] = TP_MAC.to_ne_bytes();
        let [n0, n1] = self.network_offset.to_ne_bytes();
        let [tci0, tci1] = tci.to_ne_bytes();
        let [tpid0, tpid1] = tpid.to_ne_bytes();
        // A whole array, since this is done for each frame that a program receives.
        [
            s0, s1, s2, s3, l0, l1, l2, l3, k0, k1, k2, k3, m0, m1, n0, n1, tci0, tci1, tpid0,
            tpid1,
        ]
    }
}
