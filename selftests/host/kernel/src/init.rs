// SPDX-License-Identifier: GPL-2.0

//! Initialisers. On the host a value may move, so an initialiser is simply the value, or an error.

/// Makes a `T`, or fails with an `E`.
pub trait PinInit<T, E = core::convert::Infallible> {
    /// Makes it.
    fn make(self) -> Result<T, E>;
}

impl<T, E> PinInit<T, E> for Result<T, E> {
    fn make(self) -> Result<T, E> {
        self
    }
}

/// A type for which all zeros are a value.
pub trait Zeroable {
    /// That value.
    fn zeroed() -> Self;
}

/// Makes a value of `Self` field by field; `field <- init` takes what an initialiser makes.
#[macro_export]
macro_rules! try_pin_init {
    (Self { $($fields:tt)* }? $error:ty) => {
        (|| -> ::core::result::Result<Self, $error> {
            $crate::try_pin_init!(@fields [] $($fields)*)
        })()
    };
    (@fields [$($done:tt)*]) => { Ok(Self { $($done)* }) };
    (@fields [$($done:tt)*] $name:ident <- $init:expr, $($rest:tt)*) => {
        $crate::try_pin_init!(
            @fields [$($done)* $name: $crate::init::PinInit::make($init)?,] $($rest)*
        )
    };
    (@fields [$($done:tt)*] $name:ident : $value:expr, $($rest:tt)*) => {
        $crate::try_pin_init!(@fields [$($done)* $name: $value,] $($rest)*)
    };
    (@fields [$($done:tt)*] $name:ident, $($rest:tt)*) => {
        $crate::try_pin_init!(@fields [$($done)* $name,] $($rest)*)
    };
}
