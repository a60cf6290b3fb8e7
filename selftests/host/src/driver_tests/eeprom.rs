// SPDX-License-Identifier: GPL-2.0

use crate::driver::eeprom::{
    is_valid_mac,
    probe,
    read,
    read_mac,
    Contents,
    NotWritten,
    State,
    Width,
    Wires,
    SIGNATURE, //
};
use crate::model::eeprom::Memory;
use kernel::time::{
    Delta,
    Instant,
    Monotonic, //
};
use proptest::prelude::*;

/// Wires with nothing at their end.
struct Stuck(bool);

impl Wires for Stuck {
    fn drive(&mut self, _state: State) {}

    fn sense(&mut self) -> bool {
        self.0
    }

    fn pause(&mut self) {}
}

/// The bytes of the words, in the order in which `ethtool` shows them.
fn bytes(words: &[u16]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn shown(contents: &Contents) -> Vec<u8> {
    let mut data = vec![0xaa; 256];
    contents.copy_to(0, &mut data);
    // What is beyond the end is left alone.
    if data[128..] == [0xaa; 128] {
        data.truncate(128);
    }
    data
}

/// What is in a memory that is there.
fn contents(memory: &mut Memory) -> Contents {
    let width = probe(memory).unwrap();
    Contents::read(memory, width).unwrap()
}

const CARD: [u16; 10] = [
    SIGNATURE, 0x10ec, 0x8139, 0, 0, 0, 0, 0x5452, 0x3412, 0x7856,
];

#[test]
fn tells_the_small_memory_from_the_large_one() {
    assert_eq!(probe(&mut Memory::new(6, &CARD)), Some(Width::Six));
    assert_eq!(probe(&mut Memory::new(8, &CARD)), Some(Width::Eight));
}

#[test]
fn finds_nothing_where_nothing_is() {
    assert_eq!(probe(&mut Stuck(false)), None);
    assert_eq!(probe(&mut Stuck(true)), None);
    assert_eq!(probe(&mut Memory::new(6, &[0xffff; 4])), None);
}

#[test]
fn reads_the_address_in_the_order_of_the_wire() {
    for (bits, width) in [(6, Width::Six), (8, Width::Eight)] {
        let mac = read_mac(&mut Memory::new(bits, &CARD), width);
        assert_eq!(mac, [0x52, 0x54, 0x12, 0x34, 0x56, 0x78]);
        assert!(is_valid_mac(&mac));
    }
}

#[test]
fn knows_addresses_that_no_card_has() {
    assert!(!is_valid_mac(&[0; 6]));
    assert!(!is_valid_mac(&[0xff; 6]));
    assert!(!is_valid_mac(&[0x01, 0, 0x5e, 0, 0, 1]));
    assert!(is_valid_mac(&[0, 0, 0, 0, 0, 1]));
}

proptest! {
    #[test]
    fn reads_every_word(words in proptest::collection::vec(any::<u16>(), 64), address in 0u8..64) {
        let mut memory = Memory::new(6, &words);
        prop_assert_eq!(read(&mut memory, Width::Six, address), words[usize::from(address)]);
        // The memory is left deselected, ready for the next command.
        prop_assert!(!memory.is_selected());
        prop_assert_eq!(read(&mut memory, Width::Six, 0), words[0]);
    }

    /// Any bytes, anywhere: those and no others change, each word is written once at most, and not at all
    /// if it does not change.
    #[test]
    fn writes_what_is_given_and_nothing_else(
        large in any::<bool>(),
        offset in 0usize..256,
        data in proptest::collection::vec(any::<u8>(), 1..20),
    ) {
        let mut memory = Memory::new(if large { 8 } else { 6 }, &CARD);
        let mut contents = contents(&mut memory);
        let before = shown(&contents);
        // Not the signature, see below.
        let offset = 2 + offset % (before.len() - data.len() - 2);
        let mut after = before.clone();
        after[offset..][..data.len()].copy_from_slice(&data);
        let changed = before.chunks(2).zip(after.chunks(2)).filter(|(old, new)| old != new).count();

        prop_assert_eq!(contents.write(&mut memory, offset, &data), Ok(()));
        prop_assert_eq!(memory.writes, changed);
        prop_assert_eq!(&shown(&contents), &after);
        prop_assert_eq!(&bytes(&memory.words)[..after.len()], &after[..]);
        // The memory is left deselected, and ignores whatever comes by accident.
        prop_assert!(!memory.is_selected() && !memory.enabled);

        // The same once more writes nothing.
        prop_assert_eq!(contents.write(&mut memory, offset, &data), Ok(()));
        prop_assert_eq!(memory.writes, changed);
    }
}

#[test]
fn reads_all_of_the_memory() {
    for (bits, len) in [(6, 128), (8, 256)] {
        let mut memory = Memory::new(bits, &CARD);
        let contents = contents(&mut memory);
        assert_eq!(probe(&mut memory).unwrap().len(), len);
        assert_eq!(shown(&contents), bytes(&memory.words)[..len]);
        let mut part = [0; 3];
        contents.copy_to(13, &mut part);
        assert_eq!(part, [0, 0x52, 0x54]);
        let mut beyond = [7; 4];
        contents.copy_to(len - 1, &mut beyond);
        assert_eq!(beyond[1..], [7; 3]);
    }
    for width in [Width::Six, Width::Eight] {
        assert_eq!(Contents::read(&mut Stuck(true), width), None);
    }
}

/// A card that goes while it is read is not remembered as one full of ones.
#[test]
fn a_memory_that_falls_silent_was_not_read() {
    struct Silenced(Memory, usize);

    impl Wires for Silenced {
        fn drive(&mut self, state: State) {
            self.1 = self.1.saturating_sub(1);
            self.0.drive(state);
        }

        fn sense(&mut self) -> bool {
            self.1 == 0 || self.0.sense()
        }

        fn pause(&mut self) {}
    }

    const CHANGES: usize = 66 * 54;
    for changes in [0, 54, 55, 1000, CHANGES - 54, CHANGES - 20] {
        let mut wires = Silenced(Memory::new(6, &CARD), changes);
        assert_eq!(Contents::read(&mut wires, Width::Six), None, "{changes}");
    }
    let mut wires = Silenced(Memory::new(6, &CARD), CHANGES);
    assert!(Contents::read(&mut wires, Width::Six).is_some());
}

/// Neither chip nor driver would know the memory again.
#[test]
fn the_signature_cannot_be_overwritten() {
    let mut memory = Memory::new(6, &CARD);
    let mut contents = contents(&mut memory);
    let before = shown(&contents);
    for (offset, data) in [
        (0, &[0u8][..]),
        (1, &[0]),
        (0, &before[1..4]),
        (0, &[0x29, 0x82]),
    ] {
        let result = contents.write(&mut memory, offset, data);
        assert_eq!(result, Err(NotWritten::Signature), "{offset} {data:?}");
    }
    assert_eq!((memory.writes, shown(&contents)), (0, before.clone()));
    // A whole image has it.
    let mut image = before;
    image[20] ^= 1;
    assert_eq!(contents.write(&mut memory, 0, &image), Ok(()));
    assert_eq!((memory.writes, shown(&contents)), (1, image));
}

#[test]
fn a_memory_that_takes_nothing_is_found_out_in_bounded_time() {
    let mut memory = Memory::new(6, &CARD).read_only();
    let mut contents = contents(&mut memory);
    let before = shown(&contents);
    let start = Instant::<Monotonic>::now();
    assert_eq!(
        contents.write(&mut memory, 20, &[1; 64]),
        Err(NotWritten::Refused)
    );
    assert!(start.elapsed() <= Delta::from_millis(25));
    assert_eq!(memory.writes, 1, "it went on after the first word");
    assert_eq!(shown(&contents), before);
    assert!(!memory.enabled);
}
