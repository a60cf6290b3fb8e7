// SPDX-License-Identifier: GPL-2.0

//! Tests of `struct tpacket_auxdata`.

use crate::packet::auxdata::{
    Auxdata,
    Checksum,
    VlanTag, //
};

fn plain() -> Auxdata {
    Auxdata {
        length: 0x0102_0304,
        kept: 0x0506_0708,
        network_offset: 0x090a,
        checksum: Checksum::Unknown,
        gso_tcp: false,
        vlan: None,
    }
}

fn status(auxdata: &Auxdata) -> u32 {
    u32::from_ne_bytes(auxdata.encode()[..4].try_into().unwrap())
}

#[test]
fn fields_are_where_the_structure_has_them() {
    let bytes = Auxdata {
        vlan: Some(VlanTag {
            tci: 0x0b0c,
            tpid: 0x8100,
        }),
        ..plain()
    }
    .encode();

    let mut expected = 0x51u32.to_ne_bytes().to_vec();
    expected.extend(0x0102_0304u32.to_ne_bytes());
    expected.extend(0x0506_0708u32.to_ne_bytes());
    for half in [0u16, 0x090a, 0x0b0c, 0x8100] {
        expected.extend(half.to_ne_bytes());
    }
    assert_eq!(bytes.as_slice(), expected);
}

#[test]
fn status_bits_are_those_of_the_header_file() {
    let with = |change: fn(&mut Auxdata)| {
        let mut auxdata = plain();
        change(&mut auxdata);
        status(&auxdata)
    };
    assert_eq!(status(&plain()), 1);
    assert_eq!(with(|aux| aux.checksum = Checksum::NotReady), 1 | 8);
    assert_eq!(with(|aux| aux.checksum = Checksum::Valid), 1 | 128);
    assert_eq!(with(|aux| aux.gso_tcp = true), 1 | 256);
    assert_eq!(
        with(|aux| aux.vlan = Some(VlanTag { tci: 0, tpid: 0 })),
        1 | 16 | 64
    );
}

#[test]
fn without_a_tag_its_fields_are_zero() {
    assert_eq!(plain().encode()[16..], [0; 4]);
}
