// SPDX-License-Identifier: GPL-2.0

//! Numbers that have fewer bits than their type.

/// A `T` of which only the lowest `BITS` bits may be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounded<T, const BITS: u32>(T);

macro_rules! bounded {
    ($($type:ty)*) => {$(
        impl<const BITS: u32> Bounded<$type, BITS> {
            /// The number `VALUE`, which the compiler checks.
            pub const fn new<const VALUE: $type>() -> Self {
                const { assert!(BITS >= <$type>::BITS || VALUE >> BITS == 0) };
                Self(VALUE)
            }

            /// The lowest bits of `value`. Not in the kernel: for the macro of the registers.
            pub const fn truncated(value: $type) -> Self {
                Self(value & (!0 >> (<$type>::BITS - BITS)))
            }

            /// The number.
            pub const fn get(self) -> $type {
                self.0
            }
        }
    )*};
}

bounded!(u8 u16 u32);
