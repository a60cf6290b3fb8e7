// SPDX-License-Identifier: GPL-2.0

//! In which region the registers are looked for.

use crate::driver::access::{
    find,
    Unreachable,
    MEMORY,
    PORTS, //
};
use kernel::prelude::*;

#[test]
fn ports_are_not_touched_where_memory_works() {
    let found = find(|region| {
        assert_eq!(region, MEMORY);
        Ok(region.bar)
    });
    assert_eq!(found, Ok((1, None)));
}

#[test]
fn ports_are_used_where_memory_does_not_work_and_it_is_said_why() {
    for why in [EINVAL, EBUSY, ENOMEM, ENODEV, EIO] {
        let mut asked = Vec::new();
        let found = find(|region| {
            asked.push(region);
            if region == PORTS {
                Ok(region.bar)
            } else {
                Err(why)
            }
        });
        assert_eq!(found, Ok((0, Some(why))));
        assert_eq!(asked, [MEMORY, PORTS]);
    }
}

#[test]
fn a_card_without_a_way_is_refused_for_both_reasons() {
    let found = find(|region| -> Result { Err(if region == PORTS { EBUSY } else { EIO }) });
    let (memory, ports) = (EIO, EBUSY);
    assert_eq!(found, Err(Unreachable { memory, ports }));
}
