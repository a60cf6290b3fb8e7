// SPDX-License-Identifier: GPL-2.0

//! The socket family that a capture goes through.

use std::{fmt, str::FromStr};

/// The family number that af_rpacket takes if it is not told another.
pub const DEFAULT_RPACKET: u16 = 25;

/// A socket family with the interface of `packet(7)`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Family {
    /// The kernel's own, `AF_PACKET`.
    Packet,
    /// That of af_rpacket.ko, by its number.
    Rpacket(u16),
}

impl Family {
    /// The number for `socket(2)`.
    pub fn number(self) -> u16 {
        match self {
            Self::Packet => libc::AF_PACKET as u16,
            Self::Rpacket(number) => number,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Packet => write!(f, "packet ({})", self.number()),
            Self::Rpacket(_) => write!(f, "rpacket ({})", self.number()),
        }
    }
}

impl FromStr for Family {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            None if text == "packet" => Ok(Self::Packet),
            None if text == "rpacket" => Ok(Self::Rpacket(DEFAULT_RPACKET)),
            Some(("rpacket", number)) => number
                .parse()
                .ok()
                // The highest number below AF_MAX of the kernel that the module is for.
                .filter(|number| (1..=45).contains(number))
                .map(Self::Rpacket)
                .ok_or_else(|| format!("{number} is not a socket family from 1 to 45")),
            _ => Err("expected packet, rpacket or rpacket:NUMBER".to_owned()),
        }
    }
}
