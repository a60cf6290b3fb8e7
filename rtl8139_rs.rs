// SPDX-License-Identifier: GPL-2.0

//! Driver for Realtek RTL8139 Ethernet cards, and for all who built such cards.
//!
//! The chips RTL8139, 8139A to D, 8130, 8100 and 8101 have four transmit slots and one receive ring
//! into which they copy frames: the *classic* mode. So has the RTL8129 before them, with a transceiver
//! outside. The RTL8139C+ has descriptor rings in addition: the *C+* mode.
//!
//! The files, in the order in which a frame comes in and another one goes out; then what stands around that:
//!
//! | file | what |
//! |---|---|
//! | | *in: from an interrupt to the stack* |
//! | [`gate`] | the handler: what the chip reports, noted for the poll |
//! | [`intr_mask`] | when the chip may interrupt |
//! | [`nic`] | the interface: interrupt and poll, up and down, and what the stack can ask |
//! | [`path`] | the two modes, with a picture; which one a frame goes through |
//! | [`classic_rx`] | classic: from the ring to the stack |
//! | [`rx_ring`] | headers in that ring, and the position |
//! | [`descriptor`] | C+: descriptors of both rings, and whose they are |
//! | [`cplus_rx`] | C+: from the buffers to the stack |
//! | [`xdp`] | C+: programs that look at a frame first, and frames that they send |
//! | | *out: from `start_xmit` in `nic`, by `path`, to the chip* |
//! | [`classic_tx`] | classic: from the stack to the slots |
//! | [`tx_slots`] | which slots are in use, and when to look at them |
//! | [`cplus_tx`] | C+: from the stack to the descriptors |
//! | [`tx_ring`] | which descriptors are in use, and when to look at them |
//! | | *the chip* |
//! | [`chip`] | what differs between chips |
//! | [`regs`] | registers |
//! | [`access`] | whether they are reached in memory or by I/O ports |
//! | [`hw`] | the chip as a whole: reset, start, halt |
//! | [`rx_filter`] | which addresses it receives |
//! | [`eeprom`] | where its address comes from |
//! | [`eeprom_wires`] | how the chip shows that memory |
//! | | *the link* |
//! | [`link`] | as the stack and the user know it |
//! | [`transceiver`] | the one inside, or one outside |
//! | [`mdio`] | the bus of one outside |
//! | [`mii`] | what its registers mean |
//! | [`wake`] | what wakes the machine |
//! | | *what the user chooses, what goes wrong, what is counted* |
//! | [`settings`] | features, mode, length of the rings |
//! | [`place`] | the card's place on the bus |
//! | [`recovery`] | how the card is, and what is done if it is not well |
//! | [`counters`] | what the driver counts |
//! | [`missed`] | the chip's count of frames that found no room |
//! | [`tally`] | what an RTL8139C+ counts by itself |
//! | [`ethtool`] | what `ethtool` shows and sets |
//!
//! `chip`, `eeprom`, `intr_mask`, `mdio`, `mii`, `missed`, `rx_filter`, `rx_ring`, `tx_ring` and `tx_slots`
//! have no kernel types, and tests on the host (`selftests/host/`). All of the driver runs there, too, against
//! a model of the chip.
//!
//! C versions: [`drivers/net/ethernet/realtek/8139too.c`](srctree/drivers/net/ethernet/realtek/8139too.c),
//! [`drivers/net/ethernet/realtek/8139cp.c`](srctree/drivers/net/ethernet/realtek/8139cp.c)

#![deny(unsafe_code)]

mod bindings;
mod ext;
mod net;

#[path = "rtl8139_rs/access.rs"]
mod access;
#[path = "rtl8139_rs/chip.rs"]
mod chip;
#[path = "rtl8139_rs/classic_rx.rs"]
mod classic_rx;
#[path = "rtl8139_rs/classic_tx.rs"]
mod classic_tx;
#[path = "rtl8139_rs/counters.rs"]
mod counters;
#[path = "rtl8139_rs/cplus_rx.rs"]
mod cplus_rx;
#[path = "rtl8139_rs/cplus_tx.rs"]
mod cplus_tx;
#[path = "rtl8139_rs/descriptor.rs"]
mod descriptor;
#[path = "rtl8139_rs/eeprom.rs"]
mod eeprom;
#[path = "rtl8139_rs/eeprom_wires.rs"]
mod eeprom_wires;
#[path = "rtl8139_rs/ethtool.rs"]
mod ethtool;
#[path = "rtl8139_rs/gate.rs"]
mod gate;
#[path = "rtl8139_rs/hw.rs"]
mod hw;
#[path = "rtl8139_rs/intr_mask.rs"]
mod intr_mask;
#[path = "rtl8139_rs/link.rs"]
mod link;
#[path = "rtl8139_rs/mdio.rs"]
mod mdio;
#[path = "rtl8139_rs/mii.rs"]
mod mii;
#[path = "rtl8139_rs/missed.rs"]
mod missed;
#[path = "rtl8139_rs/nic.rs"]
mod nic;
#[path = "rtl8139_rs/path.rs"]
mod path;
#[path = "rtl8139_rs/place.rs"]
mod place;
#[path = "rtl8139_rs/recovery.rs"]
mod recovery;
#[path = "rtl8139_rs/regs.rs"]
mod regs;
#[path = "rtl8139_rs/rx_filter.rs"]
mod rx_filter;
#[path = "rtl8139_rs/rx_ring.rs"]
mod rx_ring;
#[path = "rtl8139_rs/settings.rs"]
mod settings;
#[path = "rtl8139_rs/tally.rs"]
mod tally;
#[path = "rtl8139_rs/transceiver.rs"]
mod transceiver;
#[path = "rtl8139_rs/tx_ring.rs"]
mod tx_ring;
#[path = "rtl8139_rs/tx_slots.rs"]
mod tx_slots;
#[path = "rtl8139_rs/wake.rs"]
mod wake;
#[path = "rtl8139_rs/xdp.rs"]
mod xdp;

// The example of a driver is type-checked with each build, and run by the tests.
#[allow(dead_code)]
#[path = "net/driver/example.rs"]
mod driver_example;
#[cfg(CONFIG_KUNIT = "y")]
#[allow(unsafe_code)]
#[path = "net/driver_kunit.rs"]
mod driver_kunit;
#[cfg(CONFIG_KUNIT = "y")]
#[allow(unsafe_code)]
#[path = "net/driver/probe.rs"]
mod driver_probe;
#[cfg(CONFIG_KUNIT = "y")]
#[allow(unsafe_code)]
#[path = "net/ethtool_kunit.rs"]
mod ethtool_kunit;

use crate::{
    ext::{
        bound,
        irq,
        pci::{
            self,
            ChannelState,
            DeviceId,
            Recovery, //
        },
        registers, //
    },
    hw::{
        Board,
        Hw, //
    },
    net::driver::Registration,
    nic::Nic,
    transceiver::Transceiver, //
};
use kernel::{
    device::Core,
    prelude::*, //
};

struct Rtl8139;

// Those of 8139too and 8139cp.
pci_device_table!(
    PCI_TABLE,
    [
        DeviceId::new(0x10ec, 0x8139),
        DeviceId::new(0x10ec, 0x8138),
        DeviceId::new(0x1113, 0x1211),
        DeviceId::new(0x1500, 0x1360),
        DeviceId::new(0x4033, 0x1360),
        DeviceId::new(0x1186, 0x1300),
        DeviceId::new(0x1186, 0x1340),
        DeviceId::new(0x13d1, 0xab06),
        DeviceId::new(0x1259, 0xa117),
        DeviceId::new(0x1259, 0xa11e),
        DeviceId::new(0x14ea, 0xab06),
        DeviceId::new(0x14ea, 0xab07),
        DeviceId::new(0x11db, 0x1234),
        DeviceId::new(0x1432, 0x9130),
        DeviceId::new(0x02ac, 0x1012),
        DeviceId::new(0x018a, 0x0106),
        DeviceId::new(0x126c, 0x1211),
        DeviceId::new(0x1743, 0x8139),
        DeviceId::new(0x021b, 0x8139),
        DeviceId::new(0x16ec, 0xab06),
        DeviceId::new(0x10ec, 0x8129).data(Board::Rtl8129.id()),
        // The TTTech MC322, of which 8139cp knows.
        DeviceId::new(0x0357, 0x000a),
        // Cards whose own vendor number is wrong, while that of the subsystem is right.
        DeviceId::new(DeviceId::ANY, 0x8139).subsystem(0x10ec, 0x8139),
        DeviceId::new(DeviceId::ANY, 0x8139).subsystem(0x1186, 0x1300),
        DeviceId::new(DeviceId::ANY, 0x8139).subsystem(0x13d1, 0xab06),
    ]
);

#[vtable]
impl pci::Driver for Rtl8139 {
    type Data<'bound> = Registration<'bound, Nic<'bound>>;

    const ID_TABLE: pci::IdTable = &PCI_TABLE;
    const DMA_BITS: u32 = 32;
    // Only chips with descriptors are lent memory.
    const STREAMING_DMA_BITS: u32 = 64;

    fn probe<'bound>(
        pdev: &'bound kernel::pci::Device<Core<'_>>,
        id: usize,
    ) -> Result<impl bound::Init<Self::Data<'bound>> + 'bound> {
        let board = Board::from_id(id);
        let ((enabled, hw), not_in_memory) = access::find(|region| {
            let enabled = pci::Enabled::new(pdev, region.space)?;
            let bar = registers::map(pdev, region.bar, c"rtl8139_rs")?;
            Ok((enabled, Hw::new(bar, board)?))
        })
        .map_err(|access::Unreachable { memory, ports }| {
            dev_err!(
                pdev,
                "the chip does not answer: in memory {:?}, by I/O ports {:?}\n",
                memory,
                ports
            );
            memory
        })?;
        if let Some(error) = not_in_memory {
            dev_info!(
                pdev,
                "the registers cannot be used in memory ({:?}): I/O ports are used\n",
                error
            );
        }

        if board == Board::Rtl8129 && hw.transceiver() == Transceiver::Internal {
            dev_warn!(pdev, "no transceiver found on the management bus\n");
        }
        let mac = hw.permanent_mac();
        if mac.is_none() {
            dev_warn!(
                pdev,
                "no valid address in EEPROM or chip, a random one is used\n"
            );
        }
        let irq = irq::Line::intx(pdev)?;
        hw.rest();
        Ok(Registration::new(
            pdev.as_ref(),
            settings::config(mac, hw.chip.has_descriptors),
            Nic::new(hw, irq, enabled),
        ))
    }

    fn shutdown<'bound>(
        pdev: &'bound kernel::pci::Device<Core<'_>>,
        data: Pin<&Self::Data<'bound>>,
    ) {
        let wakes = data.locked(|cx| {
            cx.detach();
            cx.dev().private().arm_wake(cx, cx.up())
        });
        if wakes {
            pci::sleep_at_power_off(pdev);
        }
    }

    fn suspend<'bound>(
        _pdev: &'bound kernel::pci::Device<Core<'_>>,
        data: Pin<&Self::Data<'bound>>,
    ) -> Result {
        data.locked(|cx| {
            cx.detach();
            cx.dev().private().arm_wake(cx, cx.up());
        });
        Ok(())
    }

    fn resume<'bound>(
        _pdev: &'bound kernel::pci::Device<Core<'_>>,
        data: Pin<&Self::Data<'bound>>,
    ) -> Result {
        // An interface that is up does it again when it starts.
        data.locked(|cx| cx.dev().private().disarm_wake(cx));
        data.attach()
    }

    fn error_detected<'bound>(
        _pdev: &'bound kernel::pci::Device<Core<'_>>,
        data: Pin<&Self::Data<'bound>>,
        state: ChannelState,
    ) -> Recovery {
        data.detach();
        match state {
            ChannelState::Normal | ChannelState::Frozen => Recovery::NeedReset,
            ChannelState::PermanentFailure => Recovery::Disconnect,
        }
    }

    fn slot_reset<'bound>(
        pdev: &'bound kernel::pci::Device<Core<'_>>,
        data: Pin<&Self::Data<'bound>>,
    ) -> Recovery {
        if data.device().private().answers() {
            Recovery::Recovered
        } else {
            dev_err!(pdev, "the card does not answer after a reset of the bus\n");
            Recovery::Disconnect
        }
    }

    fn error_resume<'bound>(
        pdev: &'bound kernel::pci::Device<Core<'_>>,
        data: Pin<&Self::Data<'bound>>,
    ) {
        go_on(pdev, &data);
    }

    fn reset_prepare<'bound>(
        _pdev: &'bound kernel::pci::Device<Core<'_>>,
        data: Pin<&Self::Data<'bound>>,
    ) {
        data.detach();
    }

    fn reset_done<'bound>(
        pdev: &'bound kernel::pci::Device<Core<'_>>,
        data: Pin<&Self::Data<'bound>>,
    ) {
        go_on(pdev, &data);
    }
}

/// The card was reset by the bus.
fn go_on(pdev: &kernel::pci::Device<Core<'_>>, data: &Registration<'_, Nic<'_>>) {
    if let Err(error) = data.attach() {
        dev_err!(pdev, "the interface does not come back: {:?}\n", error);
    }
}

module_pci_driver! {
    type: Rtl8139,
    name: "rtl8139_rs",
    authors: ["The rtl8139_rs and af_rpacket founders"],
    description: "Realtek RTL8139 Ethernet driver",
    license: "GPL",
}
