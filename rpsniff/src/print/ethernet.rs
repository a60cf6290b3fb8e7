// SPDX-License-Identifier: GPL-2.0

//! Ethernet and VLAN tags.
use super::{view::View, Line, Printed};

pub fn print(line: &mut Line<'_>, view: View<'_>) -> Printed {
    line.unknown(&view);
    Ok(())
}
