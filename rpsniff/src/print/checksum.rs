// SPDX-License-Identifier: GPL-2.0

//! The Internet checksum, verified.

use std::net::IpAddr;

use etherparse::checksum::Sum16BitWords;

/// What a checksum field has and what it should have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// The field is right.
    Correct,
    /// This would be right.
    ShouldBe(u16),
}

/// Sums for `field`, which is part of `data`; with a pseudo header unless it is `None`.
fn verify(sum: Sum16BitWords, data: &[u8], field: u16) -> Verdict {
    // The sum over data with a right field is 0 in ones' complement.
    match sum.add_slice(data).ones_complement().to_be() {
        0 => Verdict::Correct,
        rest => {
            let sum = u32::from(field) + u32::from(rest);
            Verdict::ShouldBe((sum + (sum >> 16)) as u16)
        }
    }
}

/// The checksum of a header without a pseudo header.
pub fn plain(data: &[u8], field: u16) -> Verdict {
    verify(Sum16BitWords::new(), data, field)
}

/// The checksum of a transport segment between two addresses of one version.
pub fn transport(
    source: IpAddr,
    destination: IpAddr,
    next: u8,
    data: &[u8],
    field: u16,
) -> Verdict {
    let mut sum = Sum16BitWords::new();
    for address in [source, destination] {
        sum = match address {
            IpAddr::V4(address) => sum.add_4bytes(address.octets()),
            IpAddr::V6(address) => sum.add_16bytes(address.octets()),
        };
    }
    // In both versions' pseudo headers the rest adds up to length and protocol.
    sum = sum
        .add_4bytes((data.len() as u32).to_be_bytes())
        .add_2bytes([0, next]);
    verify(sum, data, field)
}
