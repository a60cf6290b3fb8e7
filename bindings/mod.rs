// SPDX-License-Identifier: GPL-2.0

//! Raw bindings: what C declares, as bindgen sees it.
//!
//! [`kernel::bindings`] is here too, so `bindings::f` is all that the layer above needs to write.
//! Where a type is opaque there (`net_device`, `napi_struct`, `sock`), the complete one of
//! `generated.rs` shadows it; a field of a shared structure that points to such a type still has the
//! opaque pointer type and is cast where it is read.
//!
//! Only `net/` and `ext/` may use this module.

#![allow(
    clippy::all,
    clippy::as_underscore,
    clippy::cast_lossless,
    clippy::ptr_as_ptr,
    clippy::ref_as_ptr,
    clippy::undocumented_unsafe_blocks,
    dead_code,
    improper_ctypes,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unreachable_pub,
    unsafe_code,
    unsafe_op_in_unsafe_fn
)]

use kernel::ffi;
use pin_init::{
    MaybeZeroable,
    Zeroable, //
};

pub(crate) use kernel::bindings::*;

// SAFETY: `__BindgenBitfieldUnit<Storage>` is a newtype around `Storage`.
unsafe impl<Storage> Zeroable for __BindgenBitfieldUnit<Storage> where Storage: Zeroable {}

include!("generated.rs");
