// SPDX-License-Identifier: GPL-2.0

//! Bytes of a packet, of which the end may not have been captured.

/// The packet ends before what is to be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Truncated;

/// A part of a packet: what was captured of it and how long it is.
///
/// The length is what the headers around the part say, so it may be more than was captured. A read
/// behind the captured bytes is [`Truncated`].
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    bytes: &'a [u8],
    len: usize,
}

impl<'a> View<'a> {
    /// A part of `len` bytes of which `bytes` were captured.
    pub fn new(bytes: &'a [u8], len: usize) -> Self {
        Self {
            bytes: bytes.get(..len).unwrap_or(bytes),
            len,
        }
    }

    /// The captured bytes.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The length, captured or not.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the length is 0.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The part behind the first `count` bytes.
    pub fn skip(&self, count: usize) -> Self {
        Self {
            bytes: self.bytes.get(count..).unwrap_or_default(),
            len: self.len.saturating_sub(count),
        }
    }

    /// The part with a length of at most `len`.
    pub fn limit(&self, len: usize) -> Self {
        Self::new(self.bytes, self.len.min(len))
    }

    /// `count` bytes at `at`.
    pub fn slice(&self, at: usize, count: usize) -> Result<&'a [u8], Truncated> {
        self.bytes
            .get(at..)
            .and_then(|rest| rest.get(..count))
            .ok_or(Truncated)
    }

    /// `N` bytes at `at`.
    pub fn array<const N: usize>(&self, at: usize) -> Result<[u8; N], Truncated> {
        self.bytes
            .get(at..)
            .and_then(|rest| rest.first_chunk())
            .copied()
            .ok_or(Truncated)
    }

    /// The byte at `at`.
    pub fn u8(&self, at: usize) -> Result<u8, Truncated> {
        self.bytes.get(at).copied().ok_or(Truncated)
    }

    /// The 16 bits at `at`, in network byte order.
    pub fn u16(&self, at: usize) -> Result<u16, Truncated> {
        self.array(at).map(u16::from_be_bytes)
    }

    /// The 32 bits at `at`, in network byte order.
    pub fn u32(&self, at: usize) -> Result<u32, Truncated> {
        self.array(at).map(u32::from_be_bytes)
    }
}
