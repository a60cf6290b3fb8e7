// SPDX-License-Identifier: GPL-2.0

//! Tests of the pure logic of packet rings, one file a module: what it decides also against plain sequential
//! models of AF_PACKET, and with many threads.

use crate::packet::ring::geometry::{
    Change,
    Geometry,
    Request,
    Socket, //
};
use crate::packet::ring::version::Version;
use crate::packet::ring::words::Words;
use kernel::prelude::*;
use std::sync::atomic::{
    AtomicU32,
    Ordering, //
};

mod blocks;
mod blocks_model;
mod blocks_threads;
mod frames;
mod frames_threads;
mod geometry;
mod header;
mod layout;
mod transmit;
mod version;

const VERSIONS: [Version; 3] = [Version::V1, Version::V2, Version::V3];

/// A new socket with this version.
fn socket(version: Version) -> Socket {
    Socket {
        version,
        reserve: 0,
        page: 4096,
        mapped: false,
        in_flight: false,
        exists: false,
    }
}

/// The argument as a program passes it.
fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

fn request(version: Version, words: [u32; 7]) -> Request {
    let bytes = bytes(&words);
    Request::parse(version, bytes.len(), |to| {
        to.copy_from_slice(&bytes[..to.len()]);
        Ok(())
    })
    .unwrap()
}

/// Asks for a ring: block size, blocks, slot size, slots, time, private area, features.
fn ask(socket: &Socket, words: [u32; 7]) -> Result<Geometry> {
    match request(socket.version, words).check(socket)? {
        Change::Create(geometry) => Ok(geometry),
        Change::Remove => panic!("nothing was to be removed"),
    }
}

/// The status words of a ring, which a program writes to as well.
struct Memory(Vec<AtomicU32>);

impl Memory {
    fn new(count: u32) -> Self {
        Self((0..count).map(|_| AtomicU32::new(0)).collect())
    }

    fn all(&self) -> Vec<u32> {
        self.0
            .iter()
            .map(|word| word.load(Ordering::SeqCst))
            .collect()
    }
}

impl Words for Memory {
    fn load(&self, index: u32) -> u32 {
        self.0[index as usize].load(Ordering::Acquire)
    }

    fn store(&self, index: u32, status: u32) {
        self.0[index as usize].store(status, Ordering::Release);
    }
}
