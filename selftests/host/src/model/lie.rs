// SPDX-License-Identifier: GPL-2.0

//! What the chip may lie about.

use super::chip::{
    Chip,
    Ending, //
};

/// One lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    /// The device is not there any more: whatever is read is all ones.
    Gone,
    /// The position in the ring is, for once, this one.
    Cbr(u16),
    /// The position in the ring stays as it was when the receiver is stopped and started.
    StaleCbr,
    /// The next frame has a header with this status and length.
    Header(u16, u16),
    /// The first word of the next receive descriptor is this one, beside OWN and EOR.
    Status(u32),
    /// The next frame stays on its way from the FIFO.
    Hangs,
    /// The state of the slots is, for once, this one.
    Tsad(u16),
    /// The next frame is sent with this end.
    Ending(Ending),
    /// No frame is ever sent.
    Silent,
    /// These events are reported for ever, whatever is acknowledged.
    Stuck(u16),
    /// These events are reported although nothing has happened.
    Spurious(u16),
    /// The events that come now are shown so many reads later.
    Late(usize),
    /// A reset never ends.
    ResetHangs,
    /// The receiver stops by itself.
    ReceiverStops,
    /// The transmitter stops by itself.
    TransmitterStops,
    /// The transmitter does not start.
    TransmitterDead,
    /// The transmitter stands still until it is reset or told to go on.
    TransmitterStands,
    /// The card loses these bits of the command register on the bus.
    LosesPlace(u16),
    /// The chip forgets what may interrupt.
    LosesMask,
    /// The chip reports an error on the bus.
    BusError,
    /// The chip forgets how far the driver has read.
    LosesPosition,
    /// The count of missed frames jumps.
    Missed(u32),
    /// The EEPROM never answers.
    DeafEeprom,
    /// The chip never finishes to write its counters: it does so when it tells the truth again.
    TallyHangs,
    /// It says that it has, and has not.
    TallyLost,
}

/// The lies that the chip tells now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lies {
    pub(super) gone: bool,
    pub(super) cbr: Option<u16>,
    pub(super) stale_cbr: bool,
    pub(super) header: Option<(u16, u16)>,
    pub(super) status: Option<u32>,
    pub(super) hangs: bool,
    pub(super) tsad: Option<u16>,
    pub(super) ending: Option<Ending>,
    pub(super) silent: bool,
    pub(super) stuck: u16,
    pub(super) late: usize,
    pub(super) withheld: u16,
    pub(super) reset_hangs: bool,
    pub(super) deaf_eeprom: bool,
    pub(super) tally_hangs: bool,
    pub(super) tally_lost: bool,
    pub(super) transmitter_dead: bool,
}

impl Chip {
    /// Begins to lie.
    pub(crate) fn tell(&mut self, lie: Lie) {
        match lie {
            Lie::Gone => self.lies.gone = true,
            Lie::Cbr(cbr) => self.lies.cbr = Some(cbr),
            Lie::StaleCbr => self.lies.stale_cbr = true,
            Lie::Header(status, stored) => self.lies.header = Some((status, stored)),
            Lie::Status(word) => self.lies.status = Some(word),
            Lie::Hangs => self.lies.hangs = true,
            Lie::Tsad(tsad) => self.lies.tsad = Some(tsad),
            Lie::Ending(ending) => self.lies.ending = Some(ending),
            Lie::Silent => self.lies.silent = true,
            Lie::Stuck(events) => self.lies.stuck = events,
            Lie::Spurious(events) => self.pretend(events),
            Lie::Late(reads) => self.lies.late = reads,
            Lie::ResetHangs => self.lies.reset_hangs = true,
            Lie::ReceiverStops => self.stop_receiver(),
            Lie::TransmitterStops => self.stop_transmitter(),
            Lie::TransmitterDead => self.lies.transmitter_dead = true,
            Lie::TransmitterStands => self.stand_still(),
            Lie::LosesPlace(bits) => self.lose_place(bits),
            Lie::LosesMask => self.lose_mask(),
            Lie::BusError => self.fail_on_the_bus(),
            Lie::LosesPosition => self.lose_position(),
            Lie::Missed(frames) => self.miss(frames),
            Lie::DeafEeprom => self.lies.deaf_eeprom = true,
            Lie::TallyHangs => self.lies.tally_hangs = true,
            Lie::TallyLost => self.lies.tally_lost = true,
        }
    }

    /// Tells the truth from here on. A device that was gone is there again, as after power-on.
    pub(crate) fn come_to_its_senses(&mut self) {
        let before = std::mem::take(&mut self.lies);
        if before.gone {
            self.power_on();
        }
        self.pretend(before.withheld);
        self.finish_transfer();
        self.finish_dump();
    }
}
