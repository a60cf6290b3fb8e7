// SPDX-License-Identifier: GPL-2.0

//! What an interface is set up with.

use crate::bindings;
use core::ops::{
    BitAnd,
    BitOr,
    Not, //
};

/// `NETIF_F_GSO_MASK`.
const GSO_MASK: u64 = (2 << bindings::NETIF_F_GSO_LAST) - (1 << bindings::NETIF_F_GSO_SHIFT);

/// A set of features of an interface: `netdev_features_t`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Features(u64);

impl Features {
    /// Frames in several pieces.
    pub(crate) const SG: Self = Self::bit(bindings::NETIF_F_SG_BIT);
    /// The checksum of any protocol.
    pub(crate) const HW_CSUM: Self = Self::bit(bindings::NETIF_F_HW_CSUM_BIT);
    /// The checksum of TCP and UDP over IPv4.
    pub(crate) const IP_CSUM: Self = Self::bit(bindings::NETIF_F_IP_CSUM_BIT);
    /// Frames in high memory.
    pub(crate) const HIGHDMA: Self = Self::bit(bindings::NETIF_F_HIGHDMA_BIT);
    /// Receives frames whose checksum is wrong, and runts.
    pub(crate) const RXALL: Self = Self::bit(bindings::NETIF_F_RXALL_BIT);
    /// Leaves the frame check sequence at the end of a received frame.
    pub(crate) const RXFCS: Self = Self::bit(bindings::NETIF_F_RXFCS_BIT);
    /// The checksum of received frames.
    pub(crate) const RXCSUM: Self = Self::bit(bindings::NETIF_F_RXCSUM_BIT);
    /// Cuts long TCP packets over IPv4 into segments.
    pub(crate) const TSO: Self = Self::bit(bindings::NETIF_F_TSO_BIT);
    /// Does so with the same number in all their IP headers.
    pub(crate) const TSO_MANGLEID: Self = Self::bit(bindings::NETIF_F_TSO_MANGLEID_BIT);
    /// Inserts the VLAN tag into a frame that is sent.
    pub(crate) const VLAN_TX: Self = Self::bit(bindings::NETIF_F_HW_VLAN_CTAG_TX_BIT);
    /// Takes the VLAN tag off a received frame.
    pub(crate) const VLAN_RX: Self = Self::bit(bindings::NETIF_F_HW_VLAN_CTAG_RX_BIT);
    /// Sends frames back to itself.
    pub(crate) const LOOPBACK: Self = Self::bit(bindings::NETIF_F_LOOPBACK_BIT);

    const fn bit(bit: u32) -> Self {
        Self(1 << bit)
    }

    /// No feature.
    pub(crate) const fn none() -> Self {
        Self(0)
    }

    /// All kinds of segments.
    pub(crate) const SEGMENTS: Self = Self(GSO_MASK);

    /// Whether all of `other` are in the set.
    #[inline]
    pub(crate) const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The features of this set that are not in `other`.
    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The features in either set; as `|`, for constants.
    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn from_raw(raw: u64) -> Self {
        Self(raw)
    }

    pub(in crate::net) const fn into_raw(self) -> u64 {
        self.0
    }
}

impl BitOr for Features {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for Features {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Not for Features {
    type Output = Self;

    fn not(self) -> Self {
        Self(!self.0)
    }
}

/// What an Ethernet interface is set up with before it is registered.
pub(crate) struct Config {
    pub(super) mac: Option<[u8; 6]>,
    pub(super) min_mtu: u32,
    pub(super) max_mtu: u32,
    pub(super) watchdog_ms: u32,
    pub(super) features: Features,
    pub(super) hw_features: Features,
    pub(super) vlan_features: Features,
    pub(super) tso_max_size: Option<u32>,
    pub(super) unicast_filter: bool,
    pub(super) xdp: bool,
}

impl Config {
    /// An interface with the address `mac`, or a random one if that is `None`.
    ///
    /// An address that is not a valid unicast one is replaced by a random one as well.
    pub(crate) fn new(mac: Option<[u8; 6]>) -> Self {
        Self {
            mac,
            min_mtu: bindings::ETH_MIN_MTU,
            max_mtu: bindings::ETH_DATA_LEN,
            watchdog_ms: 5000,
            features: Features::none(),
            hw_features: Features::none(),
            vlan_features: Features::none(),
            tso_max_size: None,
            unicast_filter: false,
            xdp: false,
        }
    }

    /// The limits of the MTU, in bytes. (Default: 68 to 1500.)
    pub(crate) fn mtu(mut self, min: u32, max: u32) -> Self {
        self.min_mtu = min;
        self.max_mtu = max;
        self
    }

    /// For how long the transmit queue may be stopped, in milliseconds, before
    /// [`Operations::tx_timeout`](super::Operations::tx_timeout). (Default: 5000.)
    pub(crate) fn watchdog_ms(mut self, ms: u32) -> Self {
        self.watchdog_ms = ms;
        self
    }

    /// The features that are on, those that the user may switch, and those that hold for frames with
    /// a VLAN tag.
    pub(crate) fn features(mut self, on: Features, switchable: Features, vlan: Features) -> Self {
        self.features = on;
        self.hw_features = switchable;
        self.vlan_features = vlan;
        self
    }

    /// The longest packet that the hardware can cut into segments, in bytes with all its headers.
    pub(crate) fn tso_max_size(mut self, bytes: u32) -> Self {
        self.tso_max_size = Some(bytes);
        self
    }

    /// Whether the hardware can filter for several unicast addresses. If it cannot, the core makes
    /// the interface promiscuous when it has more than one.
    pub(crate) fn unicast_filter(mut self, yes: bool) -> Self {
        self.unicast_filter = yes;
        self
    }

    /// Whether programs can be attached that look at received frames, and frames of others can be sent:
    /// see [`crate::net::xdp`]. (Default: no. Then the core runs programs itself, later, on packets: *generic*
    /// XDP.) If they can, [`Locked::offer_xdp`](super::Locked::offer_xdp) says whether they can at the moment.
    pub(crate) fn xdp(mut self, yes: bool) -> Self {
        self.xdp = yes;
        self
    }
}
