// SPDX-License-Identifier: GPL-2.0

use crate::driver::rx_ring::{Accept, Frame, Lost, Next, RxRing, BUFFER_LEN, RING_LEN};
use proptest::prelude::*;

const OK: u16 = 0x0001;
const RING: usize = RING_LEN as usize;

fn header(status: u16, stored: u16) -> u32 {
    (u32::from(stored) << 16) | u32::from(status)
}

/// A position at the beginning, with `cbr` observed.
fn ring_at(cbr: u16) -> RxRing {
    let mut ring = RxRing::new();
    ring.observe(cbr);
    ring
}

fn frame(next: Next) -> Frame {
    match next {
        Next::Frame(frame) => frame,
        other => panic!("{other:?} is not a frame"),
    }
}

/// The receiver of the chip: memory and its two positions.
struct Chip {
    memory: Vec<u8>,
    cbr: usize,
    /// What the driver wrote to CAPR, plus 16.
    read: usize,
}

impl Chip {
    fn new() -> Self {
        Self {
            memory: vec![0xa5; BUFFER_LEN],
            cbr: 0,
            read: 0,
        }
    }

    /// Stores a frame without its check sequence, if there is room.
    fn receive(&mut self, data: &[u8]) -> bool {
        let total = (data.len() + 8).next_multiple_of(4);
        let room = (self.read + RING - self.cbr) % RING;
        if room != 0 && total >= room {
            return false;
        }
        let stored = u16::try_from(data.len() + 4).unwrap();
        self.memory[self.cbr..][..4].copy_from_slice(&header(OK, stored).to_le_bytes());
        self.memory[self.cbr + 4..][..data.len()].copy_from_slice(data);
        self.memory[self.cbr + 4 + data.len()..][..4].copy_from_slice(&[0xfc; 4]);
        self.cbr = (self.cbr + total) % RING;
        true
    }

    fn write_capr(&mut self, capr: u16) {
        self.read = usize::from(capr.wrapping_add(16)) % RING;
    }

    fn header(&self, ring: &RxRing) -> u32 {
        let bytes = &self.memory[ring.header_offset()..][..4];
        u32::from_le_bytes(bytes.try_into().unwrap())
    }
}

/// Takes all frames below the snapshot.
fn drain(chip: &mut Chip, ring: &mut RxRing, into: &mut Vec<Vec<u8>>) {
    while !ring.is_drained() {
        match ring.decode(chip.header(ring), Accept::default()) {
            Next::Frame(frame) => {
                into.push(chip.memory[frame.offset()..][..frame.len()].to_vec());
                ring.consume(frame);
            }
            Next::Partial => break,
            other => panic!("{other:?} in a ring that is in order"),
        }
    }
}

#[test]
fn a_new_ring_is_empty() {
    let ring = RxRing::new();
    assert!(ring.is_drained());
    assert_eq!((ring.available(), ring.header_offset()), (0, 0));
}

#[test]
fn a_report_counts_until_the_next_snapshot() {
    let mut ring = RxRing::new();
    ring.note(false);
    assert!(!ring.wants_snapshot());
    ring.note(true);
    assert!(ring.wants_snapshot());
    ring.observe(2 * 68);

    // The budget ends between the two frames, and a third one comes.
    let first = frame(ring.decode(header(OK, 64), Accept::default()));
    ring.consume(first);
    ring.note(true);
    assert!(!ring.wants_snapshot());
    ring.note(false);
    let second = frame(ring.decode(header(OK, 64), Accept::default()));
    ring.consume(second);
    assert!(ring.wants_snapshot());
    ring.observe(3 * 68);
    assert!(!ring.is_drained());
}

#[test]
fn a_position_behind_all_memory_is_not_believed() {
    let mut ring = ring_at(2 * 68);
    let first = frame(ring.decode(header(OK, 64), Accept::default()));
    ring.consume(first);
    for cbr in [u16::MAX, BUFFER_LEN as u16 + 1] {
        ring.observe(cbr);
        assert!(ring.is_drained());
    }
}

/// The longest that QEMU's e1000 sends; a chip stores no more than 4 KiB.
#[test]
fn what_the_chip_stores_at_the_end_of_the_ring_stays_in_its_memory() {
    for len in [1793, 4096, 16384] {
        let mut chip = Chip::new();
        (chip.cbr, chip.read) = (RING - 4, RING - 4);
        assert!(chip.receive(&vec![1; len]), "{len} bytes");
        let ring = ring_at(0);
        assert!(matches!(
            ring.decode(header(OK, len as u16 + 4), Accept::default()),
            Next::Lost(Lost::BadLength(_))
        ));
    }
}

#[test]
fn takes_the_smallest_frame_of_the_wire() {
    let ring = ring_at(68);
    let frame = frame(ring.decode(header(OK, 64), Accept::default()));
    assert_eq!((frame.offset(), frame.len()), (4, 60));
}

#[test]
fn delivers_the_check_sequence_only_on_request() {
    let ring = ring_at(68);
    let accept = Accept {
        fcs: true,
        errors: false,
    };
    assert_eq!(frame(ring.decode(header(OK, 64), accept)).len(), 64);
}

#[test]
fn lengths_have_bounds() {
    let ring = ring_at(32000);
    for stored in [18, 64, 1518, 1522, 1796] {
        frame(ring.decode(header(OK, stored), Accept::default()));
    }
    for stored in [0, 1, 7, 8, 17, 1797, 4096, 0xffef, 0xfff1, 0xffff] {
        assert_eq!(
            ring.decode(header(OK, stored), Accept::default()),
            Next::Lost(Lost::BadLength(stored))
        );
    }
}

#[test]
fn a_runt_may_be_shorter_than_a_header() {
    let ring = ring_at(32000);
    let accept = Accept {
        errors: true,
        fcs: false,
    };
    assert_eq!(frame(ring.decode(header(0x0010, 8), accept)).len(), 4);
    assert_eq!(
        ring.decode(header(0x0010, 7), accept),
        Next::Lost(Lost::BadLength(7))
    );
}

#[test]
fn what_is_given_up_is_known_to_the_byte() {
    let mut ring = ring_at(68 * 3);
    let first = frame(ring.decode(header(OK, 64), Accept::default()));
    ring.consume(first);
    // Two frames of the snapshot, and one that came after it.
    assert_eq!(ring.give_up(68 * 4), 68 * 3);
    assert!(ring.is_drained());
    // A position that no chip has says nothing.
    assert_eq!(ring.give_up(u16::MAX), 0);

    // Round the end of the ring.
    let mut ring = ring_at(1536);
    let long = frame(ring.decode(header(OK, 1528), Accept::default()));
    ring.consume(long);
    assert_eq!(ring.give_up(512), RING_LEN - 1020);
}

#[test]
fn a_bad_status_loses_the_position() {
    let ring = ring_at(32000);
    for status in [0, 0x0004, 0x0010, 0x2000] {
        let next = ring.decode(header(status, 64), Accept::default());
        assert!(
            matches!(next, Next::Lost(Lost::BadStatus(_))),
            "{status:#x}"
        );
    }
}

#[test]
fn damaged_frames_are_taken_on_request() {
    let ring = ring_at(32000);
    let accept = Accept {
        errors: true,
        fcs: false,
    };
    assert!(frame(ring.decode(header(0x0004, 64), accept))
        .status()
        .is_crc_error());
    assert!(frame(ring.decode(header(0x0010, 20), accept))
        .status()
        .is_runt());
    // A frame that is too long hung the chip; one without any status is not a frame.
    assert!(matches!(
        ring.decode(header(0x0008, 64), accept),
        Next::Lost(_)
    ));
    assert!(matches!(ring.decode(header(0, 64), accept), Next::Lost(_)));
}

#[test]
fn a_frame_beyond_the_snapshot_waits() {
    for cbr in [0, 4, 60, 64, 67] {
        assert_eq!(
            ring_at(cbr).decode(header(OK, 64), Accept::default()),
            Next::Partial
        );
    }
    let mut ring = ring_at(64);
    ring.forget();
    assert!(ring.is_drained());
    ring.observe(68);
    frame(ring.decode(header(OK, 64), Accept::default()));
}

#[test]
fn a_frame_in_progress_waits_but_not_for_ever() {
    let mut ring = ring_at(68);
    assert_eq!(
        ring.decode(header(OK, 0xfff0), Accept::default()),
        Next::InProgress
    );
    assert!(ring.keep_waiting(1_000));
    assert!(ring.keep_waiting(10_999));
    assert!(!ring.keep_waiting(11_000));

    // The next frame has its own time.
    let done = frame(ring.decode(header(OK, 64), Accept::default()));
    ring.consume(done);
    assert!(ring.keep_waiting(50_000));
    // A clock that goes back does not hang the FIFO.
    assert!(ring.keep_waiting(0));
}

#[test]
fn the_chip_is_told_after_a_quarter() {
    let mut ring = ring_at(32000);
    let mut consumed = 0;
    let capr = loop {
        let next = frame(ring.decode(header(OK, 1518), Accept::default()));
        ring.consume(next);
        consumed += 1524;
        if let Some(capr) = ring.release(false) {
            break capr;
        }
    };
    assert_eq!(consumed, 6 * 1524);
    assert_eq!(capr, 6 * 1524 - 16);
    assert_eq!(ring.release(false), None);
}

#[test]
fn the_chip_is_told_at_once_when_it_has_no_room() {
    let mut ring = ring_at(68);
    assert_eq!(ring.release(true), Some(0xfff0));
    let next = frame(ring.decode(header(OK, 64), Accept::default()));
    ring.consume(next);
    assert_eq!(ring.release(false), None);
    assert_eq!(ring.release(true), Some(68 - 16));
}

#[test]
fn a_restart_forgets_everything() {
    let mut ring = ring_at(68);
    let next = frame(ring.decode(header(OK, 64), Accept::default()));
    ring.consume(next);
    ring.restart();
    assert!(ring.is_drained());
    assert_eq!(ring.header_offset(), 0);
    assert_eq!(ring.release(true), Some(0xfff0));
}

#[test]
fn a_position_behind_the_end_is_taken_modulo_the_ring() {
    assert_eq!(ring_at(RING_LEN + 8).available(), 8);
    assert_eq!(ring_at(RING_LEN).available(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever memory and registers say, each frame lies in the buffer, below the snapshot, and
    /// every pass ends.
    #[test]
    fn hostile_contents_stay_in_bounds(
        cbrs in proptest::collection::vec(any::<u16>(), 1..20),
        words in proptest::collection::vec(
            prop_oneof![
                any::<u32>(),
                (any::<u16>(), 0u16..2000).prop_map(|(status, stored)| header(status, stored)),
                (0u16..2000).prop_map(|stored| header(OK, stored)),
            ],
            1..200,
        ),
        errors: bool,
        fcs: bool,
    ) {
        let mut ring = RxRing::new();
        let mut words = words.iter().cycle();
        for cbr in cbrs {
            ring.observe(cbr);
            let mut steps = 0;
            while !ring.is_drained() {
                prop_assert_eq!(ring.header_offset() % 4, 0);
                prop_assert!(ring.header_offset() + 4 <= BUFFER_LEN);
                match ring.decode(*words.next().unwrap(), Accept { errors, fcs }) {
                    Next::Frame(frame) => {
                        prop_assert!(frame.offset() + frame.len() <= BUFFER_LEN);
                        prop_assert!(frame.len() >= 4);
                        let before = ring.available();
                        ring.consume(frame);
                        prop_assert!(ring.available() < before);
                        prop_assert!(usize::from(before - ring.available()) >= frame.len() + 4);
                    }
                    Next::Lost(_) => ring.restart(),
                    Next::Partial | Next::InProgress => break,
                }
                ring.release(false);
                steps += 1;
                prop_assert!(steps <= RING / 12);
            }
        }
    }

    /// Frames of any lengths, in bursts of any sizes, with snapshots at any moment, arrive complete
    /// and in order, and the chip never runs out of room while the driver keeps up.
    #[test]
    fn valid_frames_arrive_in_order(
        bursts in proptest::collection::vec(
            proptest::collection::vec(60usize..=1792, 0..12),
            1..60,
        ),
        snapshots in proptest::collection::vec(any::<proptest::sample::Index>(), 60),
    ) {
        let (mut chip, mut ring) = (Chip::new(), RxRing::new());
        let (mut sent, mut got) = (Vec::new(), Vec::new());
        let mut seed = 1u8;
        for (burst, snapshot) in bursts.iter().zip(snapshots) {
            let before = chip.cbr;
            for &len in burst {
                let data: Vec<u8> = (0..len).map(|i| seed.wrapping_mul(i as u8 | 1)).collect();
                seed = seed.wrapping_add(37);
                prop_assert!(chip.receive(&data), "no room for a burst that fits in half a ring");
                sent.push(data);
            }
            // A chip may show a position inside of a frame.
            let new = (chip.cbr + RING - before) % RING;
            ring.observe(((before + snapshot.index(new + 1)) % RING) as u16);
            drain(&mut chip, &mut ring, &mut got);
            prop_assert!(got.len() <= sent.len());
            ring.observe(chip.cbr as u16);
            drain(&mut chip, &mut ring, &mut got);
            prop_assert_eq!(got.len(), sent.len());
            if let Some(capr) = ring.release(false) {
                chip.write_capr(capr);
            }
        }
        prop_assert!(got == sent);
    }

    /// A chip that is flooded drops frames but never those that are in the ring.
    #[test]
    fn a_flood_loses_frames_not_the_position(
        lens in proptest::collection::vec(60usize..=1792, 1..400),
    ) {
        let (mut chip, mut ring) = (Chip::new(), RxRing::new());
        let (mut sent, mut got) = (Vec::new(), Vec::new());
        let mut overflow = false;
        for (i, len) in lens.into_iter().enumerate() {
            let data = vec![i as u8; len];
            if chip.receive(&data) {
                sent.push(data);
            } else {
                overflow = true;
            }
            if overflow && i % 3 == 0 {
                ring.observe(chip.cbr as u16);
                drain(&mut chip, &mut ring, &mut got);
                if let Some(capr) = ring.release(true) {
                    chip.write_capr(capr);
                }
                overflow = false;
            }
        }
        ring.observe(chip.cbr as u16);
        drain(&mut chip, &mut ring, &mut got);
        prop_assert!(got == sent);
    }
}
