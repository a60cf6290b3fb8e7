// SPDX-License-Identifier: GPL-2.0

//! Messages. On the host they are formatted, and thrown away.

/// An error of a device.
#[macro_export]
macro_rules! dev_err {
    ($dev:expr, $($arguments:tt)*) => {{
        let _ = $dev;
        let _ = format!($($arguments)*);
    }};
}

/// A message that is off unless somebody asks for it.
#[macro_export]
macro_rules! dev_dbg {
    ($($arguments:tt)*) => { $crate::dev_err!($($arguments)*) };
}
