// SPDX-License-Identifier: GPL-2.0

use crate::driver::chip::identify;

#[test]
fn knows_the_chip_that_qemu_emulates() {
    let chip = identify(0x7480_0000);
    assert_eq!(chip.name, "RTL-8139C+");
    assert!(chip.has_lwake && !chip.halts_clock);
}

#[test]
fn looks_only_at_the_version_bits() {
    let other_bits = !0x7cc0_0000u32;
    assert_eq!(identify(0x7400_0000).name, "RTL-8139C");
    assert_eq!(identify(0x7400_0000 | other_bits).name, "RTL-8139C");
    assert_eq!(identify(0x6000_0000 | 0x600).name, "RTL-8139 rev K");
}

#[test]
fn versions_are_those_of_the_datasheets() {
    for (tx_config, name) in [
        (0x4000_0000, "RTL-8139"),
        (0x6000_0000, "RTL-8139 rev K"),
        (0x7000_0000, "RTL-8139A"),
        (0x7080_0000, "RTL-8139A rev G"),
        (0x7800_0000, "RTL-8139B"),
        (0x7c00_0000, "RTL-8130"),
        (0x7400_0000, "RTL-8139C"),
        (0x7480_0000, "RTL-8139C+"),
        (0x7880_0000, "RTL-8100"),
        (0x7440_0000, "RTL-8100B/8139D"),
        (0x74c0_0000, "RTL-8101"),
    ] {
        assert_eq!(identify(tx_config).name, name, "{tx_config:#x}");
    }
}

#[test]
fn takes_an_unknown_chip_for_the_oldest() {
    let chip = identify(0x0040_0000);
    assert!(chip.name.contains("unknown"));
    assert!(chip.halts_clock && !chip.has_lwake);
}
