// SPDX-License-Identifier: GPL-2.0

//! KUnit tests of memory that is shared with programs: its blocks, places and words.
//!
//! What takes a socket is in `mapping_kunit.rs`.

// Without KUnit only lints look at this file.
#![cfg_attr(not(CONFIG_KUNIT = "y"), allow(dead_code, unused_imports))]

use crate::net::{
    context::Process,
    shared_memory::SharedMemory, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

// CAST: A page is much smaller than 4 GiB.
const PAGE: u32 = PAGE_SIZE as u32;

fn memory(count: u32, len: u32) -> Result<SharedMemory> {
    // SAFETY: Tests run in process context, with no lock held.
    SharedMemory::new(count, len, &mut unsafe { Process::assume() })
}

#[kunit_tests(rnet_shared_memory)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_any_number_of_pages_are_zero() -> Result {
        // The last two are more than one compound page can hold.
        for pages in [1, 2, 3, 5, 16, 100, 1025, 2049] {
            let memory = memory(3, pages * PAGE)?;
            assert_eq!(memory.block_count(), 3);
            assert_eq!(memory.block_len(), pages * PAGE);
            assert_eq!(memory.len(), 3 * pages as usize * PAGE_SIZE);
            assert_eq!(memory.pages().count(), 3 * pages as usize);
            for block in 0..3 {
                for page in 0..pages {
                    let place = memory.place(block, page * PAGE, PAGE)?;
                    let first = place.word::<u32>(0)?;
                    let last = place.word::<u32>(PAGE - 4)?;
                    assert_eq!((first.load(), last.load_acquire()), (0, 0));
                    first.store((block << 16) | page);
                    last.store_release(!((block << 16) | page));
                }
            }
            // No page is there twice.
            for block in 0..3 {
                for page in 0..pages {
                    let place = memory.place(block, page * PAGE, PAGE)?;
                    assert_eq!(place.word::<u32>(0)?.load(), (block << 16) | page);
                    assert_eq!(place.word::<u32>(PAGE - 4)?.load(), !((block << 16) | page));
                }
            }
        }
        Ok(())
    }

    #[test]
    fn what_is_no_pages_is_refused() -> Result {
        for (count, len) in [
            (0, PAGE),
            (1, 0),
            (1, 1),
            (1, PAGE - 1),
            (1, PAGE + 8),
            (1, u32::MAX),
        ] {
            assert_eq!(memory(count, len).err(), Some(EINVAL));
        }
        // More than there is: an error, and no report of one. What was allocated until then is freed.
        assert_eq!(memory(u32::MAX, PAGE).err(), Some(ENOMEM));
        Ok(())
    }

    #[test]
    fn places_outside_are_refused() -> Result {
        let memory = memory(2, 3 * PAGE)?;
        let len = 3 * PAGE;
        for (block, offset, size) in [(0, 0, len), (1, len - 1, 1), (1, len, 0), (1, 0, 0)] {
            assert_eq!(memory.place(block, offset, size)?.len(), size);
        }
        for (block, offset, size) in [
            (2, 0, 0),
            (u32::MAX, 0, 1),
            (0, 0, len + 1),
            (0, len, 1),
            (0, len + 1, 0),
            (0, 1, len),
            (0, u32::MAX, u32::MAX),
            (0, 8, u32::MAX),
            (0, u32::MAX, 8),
        ] {
            assert_eq!(memory.place(block, offset, size).err(), Some(EINVAL));
        }
        // A part is within its place, not only within the memory.
        let place = memory.place(0, 100, 50)?;
        assert_eq!(place.part(50, 0)?.len(), 0);
        assert_eq!(place.part(10, 41).err(), Some(EINVAL));
        assert_eq!(place.part(51, 0).err(), Some(EINVAL));
        assert_eq!(place.part(u32::MAX, 2).err(), Some(EINVAL));
        Ok(())
    }

    #[test]
    fn words_are_aligned_and_inside() -> Result {
        let memory = memory(1, PAGE)?;
        let place = memory.place(0, 4, 12)?;
        for offset in [0, 4, 8] {
            place.word::<u32>(offset)?.store(offset + 1);
        }
        for offset in [1, 2, 3, 9, 12, u32::MAX - 3] {
            assert_eq!(place.word::<u32>(offset).err(), Some(EINVAL));
        }
        // The alignment is that of the address, not that of the offset.
        let long = place.word::<usize>(4)?;
        assert_eq!(place.word::<usize>(0).err(), Some(EINVAL));
        assert_eq!(place.word::<usize>(8).err(), Some(EINVAL));
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&5u32.to_ne_bytes());
        bytes[4..].copy_from_slice(&9u32.to_ne_bytes());
        assert_eq!(long.load_acquire(), usize::from_ne_bytes(bytes));
        long.store_release(0);
        assert_eq!(place.read::<12>(0)?[..4], 1u32.to_ne_bytes());
        assert_eq!(place.read::<12>(0)?[4..], [0; 8]);
        Ok(())
    }

    #[test]
    fn bytes_go_where_they_should() -> Result {
        // In one piece for the kernel, from pages or not.
        for pages in [3, 2049] {
            let memory = memory(2, pages * PAGE)?;
            let around = memory.place(1, PAGE - 10, 20)?;
            let place = around.part(1, 18)?;
            around.write(0, &[0x55; 20])?;
            place.write(2, b"over the edge")?;
            assert_eq!(&place.read::<13>(2)?, b"over the edge");
            assert_eq!(around.read::<3>(0)?, [0x55; 3]);
            assert_eq!(around.read::<4>(16)?, [0x55; 4]);
            place.zero(0, 18)?;
            assert_eq!(around.read::<20>(0)?[1..19], [0; 18]);
            assert_eq!(around.read::<1>(0)?, [0x55]);
            assert_eq!(around.read::<1>(19)?, [0x55]);

            assert_eq!(place.write(0, &[1; 19]).err(), Some(EINVAL));
            assert_eq!(place.write(18, &[1]).err(), Some(EINVAL));
            assert_eq!(place.write(u32::MAX, &[1]).err(), Some(EINVAL));
            assert_eq!(place.zero(1, 18).err(), Some(EINVAL));
            assert_eq!(place.zero(1, u32::MAX).err(), Some(EINVAL));
            assert_eq!(place.read::<19>(0).err(), Some(EINVAL));
            assert_eq!(place.read::<1>(18).err(), Some(EINVAL));
            // Nothing of that was written.
            assert_eq!(place.read::<18>(0)?, [0; 18]);
            place.write(18, &[])?;
        }
        Ok(())
    }
}
