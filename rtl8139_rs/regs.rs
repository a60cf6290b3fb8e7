// SPDX-License-Identifier: GPL-2.0

//! The registers.
//!
//! Names are those of the datasheets of RTL8139C(L) and RTL8139C+. Glossary:
//!
//! | name | meaning |
//! |---|---|
//! | IDR | the station's address (*ID register*) |
//! | MAR | multicast hash table |
//! | TSD, TSAD | transmit status of one slot; of all slots |
//! | TSA | address of the frame in a slot (*transmit start address*) |
//! | RBSTART, CBR, CAPR | receive ring: its address; where the chip writes; where the driver reads, less 16 |
//! | IMR, ISR | interrupt mask; interrupt status, a written one clears |
//! | TCR, RCR | transmit and receive configuration |
//! | MPC | frames missed (*missed packet counter*) |
//! | 9346CR | the wires of the EEPROM, and the lock of the configuration registers |
//! | MSR | state of the medium |
//! | CPCR | command of the C+ mode |
//! | TNPDS, THPDS, RDSAR | C+: addresses of the descriptors |
//! | TPPOLL | C+: there are frames to send |
//! | DTCCR | C+: has the chip write its counters to memory (*dump tally counter command*) |
//! | ETTHR | C+: transmit threshold |
//! | BMCR to ANER | the transceiver's registers, IEEE 802.3 clause 22 |
//!
//! `scripts/registers` reads these definitions, and shows by them what `ethtool -d` finds in a card. By it
//! a register belongs to one mode if that is the first what is said of it.
//!
//! A chip accepts an access only of the width that is given here. Each access costs an exit to the
//! hypervisor in a virtual machine, and around a microsecond on a bus, so each one on the path of a
//! frame has its reason written where it is made.

#![forbid(unsafe_code)]

use kernel::{
    io::register,
    num::Bounded,
    prelude::*, //
};

/// Length of the register file in bytes.
pub(crate) const SIZE: usize = 256;

register! {
    /// The station's address, bytes 0 to 3. Is written in words of 32 bits only.
    pub(crate) IDR0(u32) @ 0x00 {
        31:0 bytes;
    }

    /// The station's address, bytes 4 and 5.
    pub(crate) IDR4(u32) @ 0x04 {
        15:0 bytes;
    }

    /// The multicast hash table.
    pub(crate) MAR(u32)[2] @ 0x08 {
        31:0 bits;
    }

    /// In the classic mode: transmit status; a write sends the frame in the slot.
    pub(crate) TSD(u32)[4] @ 0x10 {
        /// Carrier lost; always set at 100 Mbit/s.
        31:31 carrier_lost => bool;
        /// Given up after too many collisions.
        30:30 aborted => bool;
        /// A collision came too late.
        29:29 out_of_window => bool;
        /// Number of collisions.
        27:24 collisions;
        /// The chip begins to send with so many units of 32 bytes in its FIFO; 0 is 8 bytes.
        21:16 threshold;
        /// Length of the frame in bytes.
        12:0 size;
    }

    /// In the C+ mode: where the chip writes its counters, a multiple of 64; low word.
    pub(crate) DTCCR(u32) @ 0x10 {
        31:6 address;
        /// Starts to write; clears itself.
        3:3 dump => bool;
    }

    /// In the C+ mode: the high word of that address.
    pub(crate) DTCCRH(u32) @ 0x14 {
        31:0 address;
    }

    /// In the classic mode: address of the frame in a slot, a multiple of four.
    pub(crate) TSA(u32)[4] @ 0x20 {
        31:0 address;
    }

    /// In the C+ mode: address of the transmit descriptors, low word and high word.
    pub(crate) TNPDS(u32)[2] @ 0x20 {
        31:0 address;
    }

    /// In the C+ mode: address of the transmit descriptors of high priority, which are not used.
    pub(crate) THPDS(u32)[2] @ 0x28 {
        31:0 address;
    }

    /// In the classic mode: address of the receive ring.
    pub(crate) RBSTART(u32) @ 0x30 {
        31:0 address;
    }

    /// Command.
    pub(crate) CR(u8) @ 0x37 {
        /// Starts a reset; clears itself.
        4:4 reset => bool;
        /// The receiver runs.
        3:3 receive => bool;
        /// The transmitter runs.
        2:2 transmit => bool;
        /// The receive ring is empty.
        0:0 ring_empty => bool;
    }

    /// In the classic mode: where the driver reads in the receive ring, less 16.
    pub(crate) CAPR(u16) @ 0x38 {
        15:0 offset;
    }

    /// In the classic mode: where the chip writes in the receive ring.
    pub(crate) CBR(u16) @ 0x3a {
        15:0 offset;
    }

    /// Interrupt mask; bits as in [`intr_mask::bits`](super::intr_mask::bits).
    pub(crate) IMR(u16) @ 0x3c {
        15:0 events;
    }

    /// Interrupt status; a written one clears; bits as in [`intr_mask::bits`](super::intr_mask::bits).
    pub(crate) ISR(u16) @ 0x3e {
        15:0 events;
    }

    /// Transmit configuration.
    pub(crate) TCR(u32) @ 0x40 {
        /// Gap between frames; 3 is what IEEE 802.3 asks for.
        25:24 gap;
        /// What is sent is received instead: 3; 0 otherwise.
        18:17 loopback => Loopback;
        /// Most bytes in one transfer on the bus: 16, doubled as often as this says.
        10:8 burst;
        /// How often the chip tries to send a frame that collides: 16 times, and 16 more for each of these.
        7:4 retries;
        /// Goes on after an abort; write only.
        0:0 clear_abort => bool;
    }

    /// Receive configuration. In QEMU each write empties the receive ring.
    pub(crate) RCR(u32) @ 0x44 {
        /// Begins to transfer a frame with so much in the FIFO; 7 is all of it.
        15:13 threshold;
        /// Length of the ring: 8 KiB, doubled as often as this says.
        12:11 ring_len;
        /// Most bytes in one transfer on the bus; 7 is no limit.
        10:8 burst;
        /// Does not wrap a frame at the end of the ring.
        7:7 nowrap => bool;
        /// Accepts frames with errors.
        5:5 errors => bool;
        /// Accepts runts.
        4:4 runts => bool;
        /// Accepts broadcast.
        3:3 broadcast => bool;
        /// Accepts multicast that is in the hash table.
        2:2 multicast => bool;
        /// Accepts frames for the station.
        1:1 station => bool;
        /// Accepts all unicast.
        0:0 all => bool;
    }

    /// Frames missed, 24 bits that wrap; a write clears.
    pub(crate) MPC(u32) @ 0x4c {
        31:0 count;
    }

    /// EEPROM and lock.
    pub(crate) CR9346(u8) @ 0x50 {
        7:6 mode => EepromMode;
        /// Chip select.
        3:3 select => bool;
        /// Clock.
        2:2 clock => bool;
        /// Data to the EEPROM.
        1:1 data => bool;
        /// Data from the EEPROM.
        0:0 answer => bool;
    }

    /// Configuration 1. Locked.
    pub(crate) CONFIG1(u8) @ 0x52 {
        /// LWAKE polarity and form.
        4:4 lwake => bool;
        /// Sleep; only 8139 and 8139A.
        1:1 sleep => bool;
        /// Power management; in 8139 and 8139A: power down.
        0:0 power => bool;
    }

    /// State of the medium.
    pub(crate) MSR(u8) @ 0x58 {
        /// The speed is 10 Mbit/s.
        3:3 speed_10 => bool;
        /// There is no link.
        2:2 no_link => bool;
    }

    /// Configuration 3. Locked.
    pub(crate) CONFIG3(u8) @ 0x59 {
        /// Wakes by a magic packet; frames are scanned for one.
        5:5 magic => bool;
        /// Wakes when the link comes.
        4:4 link => bool;
    }

    /// Configuration 4. Locked; absent in 8139A and before.
    pub(crate) CONFIG4(u8) @ 0x5a {
        /// LWAKE pattern.
        2:2 lwptn => bool;
    }

    /// In the RTL8129: the wires of the management bus, in the place of configuration 4.
    pub(crate) MDIO(u8) => CONFIG4 {
        /// The driver drives the data wire.
        7:7 drive => bool;
        /// Data to the transceiver.
        2:2 data => bool;
        /// Data from the transceiver.
        1:1 answer => bool;
        /// Clock.
        0:0 clock => bool;
    }

    /// Stops and starts the clock of old chips: a letter.
    pub(crate) HLTCLK(u8) @ 0x5b {
        7:0 letter;
    }

    /// Interrupts in the middle of a frame (early receive).
    pub(crate) MULINT(u16) @ 0x5c {
        11:0 early;
    }

    /// In the classic mode: transmit status of all slots, see [`tx_slots`](super::tx_slots).
    pub(crate) TSAD(u16) @ 0x60 {
        15:0 bits;
    }

    /// Basic mode control; bits as in `mii::control`. Locked.
    pub(crate) BMCR(u16) @ 0x62 {
        15:0 value;
    }

    /// Basic mode status; bits as in `mii::status`.
    pub(crate) BMSR(u16) @ 0x64 {
        15:0 value;
    }

    /// What is offered in negotiation; bits as in `mii::ability`.
    pub(crate) ANAR(u16) @ 0x66 {
        15:0 value;
    }

    /// What the other end offers; bits as in `mii::ability`.
    pub(crate) ANLPAR(u16) @ 0x68 {
        15:0 value;
    }

    /// The course of the negotiation.
    pub(crate) ANER(u16) @ 0x6a {
        15:0 value;
    }

    /// Configuration 5: frames that wake, by their destination alone. Not locked; absent in 8139A and
    /// before.
    pub(crate) CONFIG5(u8) @ 0xd8 {
        /// Wakes by a frame for all.
        6:6 broadcast => bool;
        /// Wakes by a frame for a group.
        5:5 multicast => bool;
        /// Wakes by a frame for the station.
        4:4 unicast => bool;
    }

    /// In the C+ mode: a write has the chip look at the transmit descriptors.
    pub(crate) TPPOLL(u8) @ 0xd9 {
        /// Those of normal priority.
        6:6 normal => bool;
    }

    /// Command of the C+ mode, which begins with a write of this register and ends with a reset.
    pub(crate) CPCR(u16) @ 0xe0 {
        /// Takes the VLAN tag off received frames.
        6:6 receive_vlan => bool;
        /// Checks the checksums of received frames.
        5:5 receive_checksum => bool;
        /// Addresses have 64 bits (*dual address cycle*).
        4:4 dual_address => bool;
        /// Reads several cache lines at once (*memory read multiple*).
        3:3 read_multiple => bool;
        /// The receiver works with descriptors.
        1:1 receive => bool;
        /// The transmitter works with descriptors.
        0:0 transmit => bool;
    }

    /// In the C+ mode: address of the receive descriptors, low word and high word.
    pub(crate) RDSAR(u32)[2] @ 0xe4 {
        31:0 address;
    }

    /// In the C+ mode: the chip begins to send with so many units of 32 bytes in its FIFO (*early
    /// transmit threshold*).
    pub(crate) ETTHR(u8) @ 0xec {
        5:0 threshold;
    }
}

/// Where the transmitter sends to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loopback {
    /// To the wire.
    Off,
    /// To the receiver.
    On,
}

impl From<Bounded<u32, 2>> for Loopback {
    fn from(value: Bounded<u32, 2>) -> Self {
        match value.get() {
            3 => Self::On,
            // The other two values have no meaning.
            _ => Self::Off,
        }
    }
}

impl From<Loopback> for Bounded<u32, 2> {
    fn from(loopback: Loopback) -> Self {
        match loopback {
            Loopback::Off => Self::new::<0>(),
            Loopback::On => Self::new::<3>(),
        }
    }
}

/// What the register of the EEPROM does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EepromMode {
    /// The configuration registers are locked.
    Normal,
    /// The chip loads its configuration from the EEPROM.
    AutoLoad,
    /// The register drives the wires.
    Program,
    /// The configuration registers are unlocked.
    Unlocked,
}

impl From<Bounded<u8, 2>> for EepromMode {
    fn from(value: Bounded<u8, 2>) -> Self {
        match value.get() {
            0 => Self::Normal,
            1 => Self::AutoLoad,
            2 => Self::Program,
            _ => Self::Unlocked,
        }
    }
}

impl From<EepromMode> for Bounded<u8, 2> {
    fn from(mode: EepromMode) -> Self {
        match mode {
            EepromMode::Normal => Self::new::<0>(),
            EepromMode::AutoLoad => Self::new::<1>(),
            EepromMode::Program => Self::new::<2>(),
            EepromMode::Unlocked => Self::new::<3>(),
        }
    }
}

impl RCR {
    /// What all receivers have in common: a ring of 32 KiB that does not wrap a frame, frames
    /// transferred as a whole, bursts without limit, and no frame accepted.
    pub(crate) fn closed() -> Self {
        Self::zeroed()
            .with_const_threshold::<7>()
            .with_const_ring_len::<2>()
            .with_const_burst::<7>()
            .with_nowrap(true)
    }
}

impl TCR {
    /// The standard gap, bursts of 1024 bytes and many retries.
    ///
    /// Longer bursts are known to fail on real machines.
    pub(crate) fn standard() -> Self {
        Self::zeroed()
            .with_const_gap::<3>()
            .with_const_burst::<6>()
            .with_const_retries::<8>()
    }
}
