// SPDX-License-Identifier: GPL-2.0

//! Memory that the kernel shares with programs: the blocks of a mapped packet ring.
//!
//! A program maps the memory ([`mapping`](super::mapping)) and from then on reads and writes it when it
//! likes, from any CPU, right or wrong. So no reference to such memory ever exists, neither `&` nor `&mut`,
//! and nothing that was read from it is true a second time: what decides anything is a copy that was
//! made once. What there is instead:
//!
//! ```text
//!     SharedMemory --place(block, offset, len)--> Place --word(offset)--> Word
//!     block_count blocks                          bytes: write, zero,     one number: load, store
//!     of block_len bytes                          copy_packet, read
//! ```
//!
//! A range is checked against the memory when a [`Place`] is made, and a range within a place when it is
//! accessed, which is one comparison; a [`Word`] was checked for its alignment too, and needs no more.
//!
//! # Order of accesses
//!
//! Only words are ordered. Who fills a place and then hands it to the program stores a word with
//! [`Word::store_release`]: a program that sees the new value sees the bytes, too. What the program wrote
//! before it handed a place back is seen after a [`Word::load_acquire`] of that word.
//!
//! On machines whose caches can hold one page twice, under the kernel's and the program's address, the
//! kernel must also call `flush_dcache_page()`. x86 and arm64, on which Rust is supported, have none of these
//! and there the function does nothing for such memory; it is not called here.
//!
//! # To whom the pages belong
//!
//! The value owns a reference to each of its pages. A mapping has one of its own to each page that it
//! shows, and so has a packet on its way out that was made of it ([`Outgoing::attach`]). So the
//! memory may be dropped at any time: what others still use stays until they are done, then it is freed.
//!
//! [`Outgoing::attach`]: super::transmit::Outgoing::attach

mod place;

use crate::{
    bindings,
    net::context::Process, //
};
use core::{
    alloc::Layout,
    ptr::NonNull, //
};
use kernel::{
    alloc::{
        allocator::Vmalloc,
        Allocator,
        NumaNode, //
    },
    page::PAGE_SIZE,
    prelude::*, //
};

pub(crate) use place::{
    Integer,
    Place,
    Word, //
};

/// Whether `len` bytes are pages, and at least one.
const fn is_whole_pages(len: usize) -> bool {
    len != 0 && len % PAGE_SIZE == 0
}

/// How a block of some length is allocated: memory that is contiguous for the kernel.
///
/// # Invariants
///
/// The length is a multiple of a page, and not zero.
#[derive(Clone, Copy)]
struct BlockKind(u32);

impl BlockKind {
    /// Pages in one piece if they are at hand, else pages from anywhere, else pages in one piece that others
    /// have to give up first. All of them are zero.
    fn alloc(self) -> Result<NonNull<u8>> {
        if let Some(start) = self.compound(false) {
            return Ok(start);
        }
        match Vmalloc::alloc(self.layout()?, GFP_KERNEL | __GFP_ZERO, NumaNode::NO_NODE) {
            Ok(start) => Ok(start.cast()),
            Err(_) => self.compound(true).ok_or(ENOMEM),
        }
    }

    /// The smallest compound page that holds the block.
    fn compound(self, retry: bool) -> Option<NonNull<u8>> {
        // SAFETY: The call has no conditions; an order that is too large is refused.
        let start = unsafe { bindings::get_compound_pages(self.order(), retry) };
        NonNull::new(start as *mut u8)
    }

    /// `get_order()`.
    fn order(self) -> c_uint {
        (self.0 as usize / PAGE_SIZE).next_power_of_two().ilog2()
    }

    fn layout(self) -> Result<Layout> {
        Layout::from_size_align(self.0 as usize, PAGE_SIZE).map_err(|_| ENOMEM)
    }

    /// Gives a block back. Pages that others have references to live on.
    ///
    /// # Safety
    ///
    /// `start` must come from [`alloc`](Self::alloc) for the same length, and is not used any more.
    unsafe fn free(self, start: NonNull<u8>) {
        // SAFETY: The call looks at the number only.
        if !unsafe { bindings::is_vmalloc_addr(start.as_ptr().cast()) } {
            // SAFETY: The caller guarantees that these pages are ours; they were allocated with this order.
            unsafe { bindings::free_pages(start.as_ptr() as c_ulong, self.order()) };
        } else if let Ok(layout) = self.layout() {
            // SAFETY: The caller guarantees that this memory is ours, from `Vmalloc` with this layout.
            unsafe { Vmalloc::free(start, layout) };
        }
    }
}

/// Blocks of memory that programs can map.
///
/// It may be dropped where sleeping is allowed, and in a softirq; not by a task that holds a spinlock.
///
/// # Invariants
///
/// Each pointer came from [`BlockKind::alloc`] for `block_len`, and this value owns the block. Whoever
/// accesses it does it without a reference: by a [`Place`].
pub(crate) struct SharedMemory {
    // A pointer each, so that as many blocks are possible as in C, where the list has a limit, too.
    blocks: KVec<NonNull<u8>>,
    block_len: u32,
}

// SAFETY: Memory is not bound to a thread.
unsafe impl Send for SharedMemory {}

// SAFETY: All that a shared reference gives access to are accesses to memory that somebody else changes
// at any time, as the documentation of the module says.
unsafe impl Sync for SharedMemory {}

impl SharedMemory {
    /// Allocates `block_count` blocks of `block_len` bytes, all of them zero.
    ///
    /// Fails with `EINVAL` unless `block_len` is a multiple of the size of a page and there is a block,
    /// and with `ENOMEM`.
    pub(crate) fn new(
        block_count: u32,
        block_len: u32,
        _context: &mut Process<'_>,
    ) -> Result<Self> {
        if block_count == 0 || !is_whole_pages(block_len as usize) {
            return Err(EINVAL);
        }
        // INVARIANT: It has no block yet, and then those that were just allocated.
        let mut memory = Self {
            blocks: KVec::with_capacity(block_count as usize, GFP_KERNEL | __GFP_NOWARN)?,
            block_len,
        };
        for _ in 0..block_count {
            let start = memory.kind().alloc()?;
            if let Err(error) = memory.blocks.push_within_capacity(start) {
                // SAFETY: The block was just allocated, and is not used.
                unsafe { memory.kind().free(start) };
                return Err(error.into());
            }
        }
        Ok(memory)
    }

    #[inline]
    fn kind(&self) -> BlockKind {
        // INVARIANT: `new` has checked the length.
        BlockKind(self.block_len)
    }

    /// How many blocks there are.
    #[inline]
    pub(crate) fn block_count(&self) -> u32 {
        // CAST: `new` was given a number of this type.
        self.blocks.len() as u32
    }

    /// The length of one block, in bytes.
    #[inline]
    pub(crate) fn block_len(&self) -> u32 {
        self.block_len
    }

    /// The length of all blocks, in bytes.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        // It fits: so much memory exists.
        self.blocks.len().wrapping_mul(self.block_len as usize)
    }

    /// The `len` bytes from `offset` on in a block.
    ///
    /// Fails with `EINVAL` when there is no such block, or when it ends before.
    #[inline]
    pub(crate) fn place(&self, block: u32, offset: u32, len: u32) -> Result<Place<'_>> {
        let start = *self.blocks.get(block as usize).ok_or(EINVAL)?;
        // SAFETY: The block has so many bytes, and lives as long as the borrow.
        unsafe { Place::new(self, start, self.block_len) }.part(offset, len)
    }

    /// The pages, block after block, in their order.
    pub(crate) fn pages(&self) -> impl Iterator<Item = *mut bindings::page> + '_ {
        self.blocks.iter().flat_map(|start| {
            (0..self.block_len as usize)
                .step_by(PAGE_SIZE)
                .map(|offset| {
                    // SAFETY: By the type invariant this is a byte of the block.
                    unsafe { page(start.as_ptr().wrapping_add(offset)) }
                })
        })
    }
}

impl Drop for SharedMemory {
    fn drop(&mut self) {
        for start in &self.blocks {
            // SAFETY: By the type invariant the block is ours, of this length.
            unsafe { self.kind().free(*start) };
        }
    }
}

/// The page that a byte is in.
///
/// # Safety
///
/// It must be a byte of a block.
#[inline]
unsafe fn page(of: *const u8) -> *mut bindings::page {
    // SAFETY: The caller guarantees that it is memory of one of the two kinds that the call knows.
    unsafe { bindings::memory_to_page(of.cast()) }
}
