// SPDX-License-Identifier: GPL-2.0

//! Tests of the pure logic of packet rings, one file a module.

use crate::packet::ring::geometry::{
    Change,
    Geometry,
    Request,
    Socket, //
};
use crate::packet::ring::version::Version;
use kernel::prelude::*;

mod geometry;
mod header;
mod layout;
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
