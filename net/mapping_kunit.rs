// SPDX-License-Identifier: GPL-2.0

//! KUnit tests of memory that a program has mapped, by means of the
//! [example](crate::socket_kunit::example) of a family.

// Without KUnit only lints look at this file.
#![cfg_attr(not(CONFIG_KUNIT = "y"), allow(dead_code, unused_imports))]

use crate::{
    bindings,
    net::{
        context::Process,
        shared_memory::Place, //
    },
    socket_kunit::{
        address,
        example::{
            Slot,
            SEND_SLOT,
            SLOT, //
        },
        frame,
        register,
        Loopback,
        TestSocket,
        LEVEL, //
    },
};
use core::{
    mem::ManuallyDrop,
    ptr::NonNull, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*,
    sync::rcu,
    uaccess::{
        UserPtr,
        UserSlice, //
    },
};

// CAST: A page is much smaller than 4 GiB.
const PAGE: u32 = PAGE_SIZE as u32;

/// A socket with a file, as a program has it.
struct TestFile {
    file: NonNull<bindings::file>,
    socket: ManuallyDrop<TestSocket>,
}

impl TestFile {
    fn new() -> Result<Self> {
        // SAFETY: The call gives the thread of the test memory of a program, if it has none.
        kernel::error::to_result(unsafe { bindings::kunit_attach_mm() })?;
        let socket = TestSocket::new(bindings::sock_type_SOCK_RAW, 0, false)?;
        let socket = ManuallyDrop::new(socket);
        // SAFETY: The socket is ours, and the call takes it over.
        let file = unsafe { bindings::sock_alloc_file(socket.0.as_ptr(), 0, core::ptr::null()) };
        let file = kernel::error::from_err_ptr(file)?;
        Ok(Self {
            file: NonNull::new(file).ok_or(EINVAL)?,
            socket,
        })
    }

    fn set_slot(&self, blocks: u32, len: u32) -> Result {
        let [a, b, c, d] = blocks.to_ne_bytes();
        let [e, f, g, h] = len.to_ne_bytes();
        self.socket
            .set_option(LEVEL, SLOT, &mut [a, b, c, d, e, f, g, h])
    }

    /// Maps `len` bytes from `offset` on. Returns where.
    fn map(&self, len: usize, offset: usize) -> Result<usize> {
        // CAST: A `c_ulong` has at least 32 bits.
        // SAFETY: The file is ours.
        let address = unsafe {
            bindings::vm_mmap(
                self.file.as_ptr(),
                0,
                len,
                (bindings::PROT_READ | bindings::PROT_WRITE) as c_ulong,
                bindings::MAP_SHARED as c_ulong,
                offset,
            )
        };
        // CAST: An error is a small negative number.
        kernel::error::to_result((address as isize).clamp(-4096, 0) as c_int)?;
        Ok(address)
    }

    /// Does something with the first block of the slot.
    fn with_place<R>(&self, access: impl FnOnce(Place<'_>) -> Result<R>) -> Result<R> {
        // SAFETY: Tests run in process context, with no lock held.
        let mut context = unsafe { Process::assume() };
        let slot = self.socket.sock().slot.lock(&mut context);
        let memory = slot.value().ok_or(ENODEV)?.memory();
        access(memory.place(0, 0, memory.block_len())?)
    }
}

impl Drop for TestFile {
    fn drop(&mut self) {
        // SAFETY: The reference is ours to give back. With it the socket goes.
        unsafe { bindings::__fput_sync(self.file.as_ptr()) };
    }
}

fn unmap(start: usize, len: usize) -> Result {
    // SAFETY: What is there is not used as memory of the kernel.
    kernel::error::to_result(unsafe { bindings::vm_munmap(start, len) })
}

fn user_read(address: usize) -> Result<u32> {
    UserSlice::new(UserPtr::from_addr(address), 4)
        .reader()
        .read()
}

fn user_write(address: usize, value: u32) -> Result {
    UserSlice::new(UserPtr::from_addr(address), 4)
        .writer()
        .write(&value)
}

#[kunit_tests(rnet_mapping)]
mod tests {
    use super::*;

    #[test]
    fn a_program_sees_all_blocks_in_their_order() -> Result {
        let _family = register()?;
        // Of one page, of an odd number of pages, and of more than there are in one piece.
        for pages in [1, 3, 1025] {
            let file = TestFile::new()?;
            let len = pages as usize * PAGE_SIZE;
            file.set_slot(2, pages * PAGE)?;
            assert_eq!(file.socket.sock().mappings(), 0);
            let start = file.map(2 * len, 0)?;
            assert_eq!(file.socket.sock().mappings(), 1);
            {
                // SAFETY: Tests run in process context, with no lock held.
                let mut context = unsafe { Process::assume() };
                let slot = file.socket.sock().slot.lock(&mut context);
                let memory = slot.value().ok_or(ENODEV)?.memory();
                for block in 0..2 {
                    for page in 0..pages {
                        let word = memory.place(block, page * PAGE, 4)?.word::<u32>(0)?;
                        word.store_release(block * 10000 + page + 1);
                    }
                }
            }
            for page in 0..2 * pages {
                let at = start + page as usize * PAGE_SIZE;
                let expected = (page / pages) * 10000 + page % pages + 1;
                assert_eq!(user_read(at)?, expected);
            }
            // And the other way.
            user_write(start + len - 8, 77)?;
            file.with_place(|place| {
                assert_eq!(place.word::<u32>(place.len() - 8)?.load_acquire(), 77);
                assert_eq!(place.read::<4>(place.len() - 8)?, 77u32.to_ne_bytes());
                Ok(())
            })?;
            unmap(start, 2 * len)?;
            assert_eq!(file.socket.sock().mappings(), 0);
        }
        Ok(())
    }

    #[test]
    fn only_all_of_the_memory_can_be_mapped() -> Result {
        let _family = register()?;
        let file = TestFile::new()?;
        assert_eq!(file.map(PAGE_SIZE, 0).err(), Some(EINVAL));
        file.set_slot(2, 2 * PAGE)?;
        for (pages, offset) in [(1, 0), (3, 0), (5, 0), (4, 1), (3, 1)] {
            let mapped = file.map(pages * PAGE_SIZE, offset * PAGE_SIZE);
            assert_eq!(mapped.err(), Some(EINVAL));
            assert_eq!(file.socket.sock().mappings(), 0);
        }
        let start = file.map(4 * PAGE_SIZE, 0)?;
        unmap(start, 4 * PAGE_SIZE)?;
        Ok(())
    }

    #[test]
    fn the_count_follows_the_mappings() -> Result {
        let _family = register()?;
        let file = TestFile::new()?;
        let sock = file.socket.sock();
        file.set_slot(1, 4 * PAGE)?;
        let first = file.map(4 * PAGE_SIZE, 0)?;
        let second = file.map(4 * PAGE_SIZE, 0)?;
        assert_eq!(sock.mappings(), 2);
        assert_eq!(file.set_slot(0, 0).err(), Some(EBUSY));
        // A hole makes two of one.
        unmap(first + PAGE_SIZE, PAGE_SIZE)?;
        assert_eq!(sock.mappings(), 3);
        unmap(first, PAGE_SIZE)?;
        assert_eq!(sock.mappings(), 2);
        unmap(second, 4 * PAGE_SIZE)?;
        assert_eq!(file.set_slot(1, PAGE).err(), Some(EBUSY));
        unmap(first, 4 * PAGE_SIZE)?;
        assert_eq!(sock.mappings(), 0);
        file.set_slot(0, 0)?;
        Ok(())
    }

    #[test]
    fn a_mapping_keeps_its_pages() -> Result {
        let _family = register()?;
        for pages in [3, 1025] {
            let file = TestFile::new()?;
            file.set_slot(1, pages * PAGE)?;
            let len = pages as usize * PAGE_SIZE;
            let start = file.map(len, 0)?;
            file.with_place(|place| place.write(place.len() - 4, &42u32.to_ne_bytes()))?;
            {
                // The example would say that it is busy.
                // SAFETY: Tests run in process context, with no lock held.
                let mut context = unsafe { Process::assume() };
                let old = file.socket.sock().slot.lock(&mut context).replace(None);
                drop(old.ok_or(ENODEV)?.synchronize(&mut context));
            }
            user_write(start, 1)?;
            assert_eq!(user_read(start + len - 4)?, 42);
            unmap(start, len)?;
        }
        Ok(())
    }

    #[test]
    fn a_packet_is_copied_into_the_slot() -> Result {
        let _family = register()?;
        let loopback = Loopback::up()?;
        let sender = TestSocket::new(bindings::sock_type_SOCK_RAW, 0, false)?;
        let file = TestFile::new()?;
        file.set_slot(1, PAGE)?;
        let start = file.map(PAGE_SIZE, 0)?;
        file.socket.bind(&mut address(loopback.index))?;
        for _ in 0..3 {
            let mut sent = frame::<100>();
            sender.send(loopback.index, &mut sent)?;
            assert_eq!(user_read(start)?, 100);
            file.with_place(|place| {
                assert_eq!(place.read::<100>(Slot::DATA)?, sent);
                assert_eq!(place.read::<4>(Slot::DATA + 100)?, [0; 4]);
                Ok(())
            })?;
            // What is longer than the slot is cut; what comes to a full slot is dropped.
            sender.send(loopback.index, &mut frame::<64>())?;
            assert_eq!(user_read(start)?, 100);
            user_write(start, 0)?;
        }
        unmap(start, PAGE_SIZE)?;
        Ok(())
    }

    #[test]
    fn a_frame_of_shared_pages_arrives() -> Result {
        let _family = register()?;
        let loopback = Loopback::up()?;
        let receiver = TestSocket::new(bindings::sock_type_SOCK_RAW, 0, false)?;
        receiver.bind(&mut address(loopback.index))?;
        let send = |file: &TestFile, offset: u32, len: u32, copied: u32| {
            // CAST: The index of the loopback device is 1.
            let numbers = [loopback.index as u32, offset, len, copied];
            let mut value = [0; 16];
            for (to, number) in value.chunks_exact_mut(4).zip(numbers) {
                to.copy_from_slice(&number.to_ne_bytes());
            }
            file.socket.set_option(LEVEL, SEND_SLOT, &mut value)
        };
        for pages in [3, 1025] {
            let file = TestFile::new()?;
            file.set_slot(1, pages * PAGE)?;
            let sent = frame::<300>();
            // In one page, over an edge, and with no page at all.
            for (offset, copied) in [(64, 14), (PAGE - 100, 14), (PAGE - 14, 14), (0, 300)] {
                file.with_place(|place| place.write(offset, &sent))?;
                send(&file, offset, 300, copied)?;
                let mut data = [0; 400];
                assert_eq!(receiver.receive(&mut data, 0)?, (300, 300));
                assert_eq!(data[..300], sent);
                // It came in again, too.
                while receiver.receive(&mut data, 0).is_ok() {}
            }
            // More is copied than there is; outside.
            assert_eq!(send(&file, 0, 10, 14).err(), Some(EINVAL));
            assert_eq!(send(&file, pages * PAGE - 10, 14, 14).err(), Some(EINVAL));
        }
        // More pages than a packet can have.
        let file = TestFile::new()?;
        file.set_slot(1, 100 * PAGE)?;
        assert_eq!(send(&file, 0, 80 * PAGE, 14).err(), Some(EFAULT));
        // A packet in a queue keeps the pages that it is made of.
        let sent = frame::<300>();
        file.with_place(|place| place.write(PAGE - 100, &sent))?;
        send(&file, PAGE - 100, 300, 14)?;
        file.set_slot(0, 0)?;
        rcu::synchronize_rcu();
        rcu::rcu_barrier();
        let mut data = [0; 400];
        assert_eq!(receiver.receive(&mut data, 0)?, (300, 300));
        assert_eq!(data[..300], sent);
        Ok(())
    }
}
