// SPDX-License-Identifier: GPL-2.0

//! KUnit tests of what `ethtool` asks of a driver, and what [`Probe`] answers.
//!
//! The callbacks are called as the core calls them, with what the core would have refused, too.

use crate::{
    bindings,
    driver_probe::{
        probe,
        Dropped,
        Log,
        Probe, //
    },
    net::{
        driver::{
            Locked,
            Why, //
        },
        ethtool::{
            self,
            Duplex,
            LinkModes,
            LinkSettings,
            MacStats,
            PhyStats,
            Port,
            RingParameters,
            RmonStats,
            Wake,
            WakeOnLan, //
        },
    },
};
use kernel::{
    prelude::*,
    sync::atomic::Relaxed, //
};

/// What [`Probe`] says of its link: something different in each field.
pub(crate) const SETTINGS: LinkSettings = LinkSettings {
    speed: Some(100),
    duplex: Duplex::Half,
    autoneg: true,
    port: Port::Mii,
    phy_address: 7,
    clause_22: true,
    supported: LinkModes::HUNDRED_HALF.with(LinkModes::MII),
    advertising: LinkModes::HUNDRED_HALF,
    lp_advertising: LinkModes::TEN_FULL.with(LinkModes::ASYM_PAUSE),
};

#[vtable]
impl ethtool::Operations<Probe> for Probe {
    const STATISTICS: &'static [&'static CStr] = &[c"work", c"a_name_that_is_as_long_as_can_be"];

    fn more_statistics(_this: &Probe) -> &'static [&'static CStr] {
        &[c"last"]
    }

    fn statistics(
        this: &Probe,
        _cx: &mut Locked<'_, Probe>,
        up: Option<&Dropped>,
        values: &mut [u64],
    ) {
        let counts = [
            u64::from(this.work.load(Relaxed)),
            39,
            u64::from(up.is_some()),
        ];
        for (value, count) in values.iter_mut().zip(counts) {
            *value = count;
        }
    }

    fn link_settings(
        _this: &Probe,
        _cx: &mut Locked<'_, Probe>,
        _up: Option<&Dropped>,
    ) -> Result<LinkSettings> {
        Ok(SETTINGS)
    }

    fn set_link_settings(
        _this: &Probe,
        _cx: &mut Locked<'_, Probe>,
        _up: Option<&Dropped>,
        settings: &LinkSettings,
    ) -> Result {
        if *settings == SETTINGS {
            Ok(())
        } else {
            Err(EDOM)
        }
    }

    const PRIVATE_FLAGS: &'static [&'static CStr] = &[c"first", c"second"];
    const EEPROM_MAGIC: u32 = 0x1234;

    fn mac_stats(_this: &Probe, _cx: &mut Locked<'_, Probe>, _up: Option<&Dropped>) -> MacStats {
        MacStats {
            octets_received_ok: Some(81),
            ..MacStats::default()
        }
    }

    fn phy_stats(_this: &Probe, _cx: &mut Locked<'_, Probe>, _up: Option<&Dropped>) -> PhyStats {
        PhyStats {
            symbol_error_during_carrier: Some(82),
        }
    }

    fn rmon_stats(_this: &Probe, _cx: &mut Locked<'_, Probe>, _up: Option<&Dropped>) -> RmonStats {
        RmonStats {
            jabbers: Some(83),
            ..RmonStats::default()
        }
    }

    fn eeprom_len(_this: &Probe) -> usize {
        16
    }

    fn eeprom(
        _this: &Probe,
        _cx: &mut Locked<'_, Probe>,
        _up: Option<&Dropped>,
        offset: usize,
        data: &mut [u8],
    ) -> Result {
        for (byte, at) in data.iter_mut().zip(offset..) {
            *byte = u8::try_from(at)?;
        }
        Ok(())
    }

    fn set_eeprom(
        this: &Probe,
        _cx: &mut Locked<'_, Probe>,
        _up: Option<&Dropped>,
        offset: usize,
        data: &[u8],
    ) -> Result {
        let sum: u32 = data.iter().copied().map(u32::from).sum();
        note(this, u32::try_from(offset)?, sum)
    }

    fn message_level(this: &Probe) -> u32 {
        this.setting.load(Relaxed)
    }

    fn set_message_level(this: &Probe, level: u32) {
        this.setting.store(level, Relaxed);
    }

    fn wake_on_lan(_this: &Probe, _cx: &mut Locked<'_, Probe>, _up: Option<&Dropped>) -> WakeOnLan {
        WakeOnLan {
            supported: Wake::PHY | Wake::MAGIC,
            wanted: Wake::MAGIC,
        }
    }

    fn set_wake_on_lan(
        this: &Probe,
        _cx: &mut Locked<'_, Probe>,
        _up: Option<&Dropped>,
        wake: Wake,
    ) -> Result {
        note(this, 0, wake.bits())
    }

    fn ring_parameters(
        _this: &Probe,
        _cx: &mut Locked<'_, Probe>,
        _up: Option<&Dropped>,
    ) -> RingParameters {
        RingParameters {
            rx: 1,
            rx_max: 2,
            tx: 3,
            tx_max: 4,
        }
    }

    fn set_ring_parameters(
        this: &Probe,
        _cx: &mut Locked<'_, Probe>,
        _up: Option<&Dropped>,
        rx: u32,
        tx: u32,
        _why: &mut Why,
    ) -> Result {
        note(this, rx, tx)
    }

    fn private_flags(this: &Probe) -> u32 {
        this.setting.load(Relaxed)
    }

    fn set_private_flags(
        this: &Probe,
        _cx: &mut Locked<'_, Probe>,
        _up: Option<&Dropped>,
        flags: u32,
    ) -> Result {
        note(this, 0, flags)
    }

    fn rx_copybreak(this: &Probe) -> u32 {
        this.setting.load(Relaxed)
    }

    fn set_rx_copybreak(
        this: &Probe,
        _cx: &mut Locked<'_, Probe>,
        _up: Option<&Dropped>,
        bytes: u32,
    ) -> Result {
        note(this, 0, bytes)
    }
}

/// Notes what was set: two small numbers.
fn note(probe: &Probe, upper: u32, lower: u32) -> Result {
    probe.setting.store((upper << 16) | lower, Relaxed);
    Ok(())
}

#[kunit_tests(rnet_ethtool)]
mod tests {
    use super::*;

    #[test]
    fn ethtool_shows_the_statistics() -> Result {
        const COUNT: usize = 3;
        let log = Log::new()?;
        let interface = probe(&log)?;
        let set = bindings::ethtool_stringset_ETH_SS_STATS;
        let dev = interface.raw().cast();
        for up in [0, 1] {
            if up == 1 {
                interface.up()?;
            }
            // One more of each, to see that it is left alone.
            let mut names = [[0u8; 32]; COUNT + 1];
            let mut values = [7u64; COUNT + 1];
            let counts = interface.with_ethtool(|ops| {
                let (Some(count), Some(strings), Some(stats)) =
                    (ops.get_sset_count, ops.get_strings, ops.get_ethtool_stats)
                else {
                    return None;
                };
                // SAFETY: The instance lock is held, and there is room for all names and values.
                unsafe {
                    strings(dev, set, names.as_mut_ptr().cast());
                    stats(dev, core::ptr::null_mut(), values.as_mut_ptr());
                    // CAST: A small number.
                    Some((count(dev, set as c_int), count(dev, set as c_int - 1)))
                }
            });
            assert!(counts == Some((3, EOPNOTSUPP.to_errno())));
            assert!(values == [0, 39, up, 7]);
            assert!(names[0].starts_with(b"work\0"));
            // Cut to what the core has room for, with the end of the string.
            assert!(names[1] == *b"a_name_that_is_as_long_as_can_b\0");
            assert!(names[2].starts_with(b"last\0"));
            assert!(names[3] == [0; 32]);
        }
        Ok(())
    }

    #[test]
    fn ethtool_converts_link_settings_both_ways() -> Result {
        let log = Log::new()?;
        let interface = probe(&log)?;
        let dev = interface.raw().cast();
        let mut settings: bindings::ethtool_link_ksettings = pin_init::zeroed();
        let exchange = |settings: &mut bindings::ethtool_link_ksettings, get: bool| {
            interface.with_ethtool(|ops| {
                match (get, ops.get_link_ksettings, ops.set_link_ksettings) {
                    // SAFETY: The instance lock is held, and the structure is ours.
                    (true, Some(get), _) => unsafe { get(dev, settings) },
                    // SAFETY: As above.
                    (false, _, Some(set)) => unsafe { set(dev, settings) },
                    _ => ENOSYS.to_errno(),
                }
            })
        };
        assert_eq!(exchange(&mut settings, true), 0);
        assert_eq!(settings.base.speed, 100);
        assert_eq!(settings.base.phy_address, 7);
        assert_eq!(exchange(&mut settings, false), 0);
        // Another mode arrives as another one.
        settings.link_modes.advertising[0] |= 1;
        assert_eq!(exchange(&mut settings, false), EDOM.to_errno());
        settings.link_modes.advertising[0] &= !1;
        // One that does not fit is refused, and not lost.
        settings.link_modes.advertising[0] |= 1 << 40;
        assert_eq!(exchange(&mut settings, false), EINVAL.to_errno());
        Ok(())
    }

    #[test]
    fn private_flags_have_names_and_others_are_refused() -> Result {
        let log = Log::new()?;
        let interface = probe(&log)?;
        let dev = interface.raw().cast();
        let set = bindings::ethtool_stringset_ETH_SS_PRIV_FLAGS;
        let mut names = [[0u8; 32]; 3];
        // The core holds RTNL, too, for which `op_needs_rtnl` asks.
        let answers = interface.with_rtnl(|| {
            interface.with_ethtool(|ops| {
                let (Some(count), Some(strings)) = (ops.get_sset_count, ops.get_strings) else {
                    return None;
                };
                let (Some(flags), Some(set_flags)) = (ops.get_priv_flags, ops.set_priv_flags)
                else {
                    return None;
                };
                // SAFETY: The instance lock is held, and there is room for all names.
                unsafe {
                    strings(dev, set, names.as_mut_ptr().cast());
                    // CAST: A small number.
                    Some((
                        count(dev, set as c_int),
                        set_flags(dev, 0b10),
                        set_flags(dev, 0b100),
                        flags(dev),
                    ))
                }
            })
        });
        assert!(answers == Some((2, 0, EINVAL.to_errno(), 0b10)));
        assert!(names[0].starts_with(b"first\0"));
        assert!(names[1].starts_with(b"second\0"));
        assert!(names[2] == [0; 32]);
        Ok(())
    }

    #[test]
    fn the_lengths_of_two_rings_can_be_set_and_of_no_other() -> Result {
        let log = Log::new()?;
        let interface = probe(&log)?;
        let dev = interface.raw().cast();
        let null = core::ptr::null_mut();
        let mut rings: bindings::ethtool_ringparam = pin_init::zeroed();
        let set = |rings: &mut bindings::ethtool_ringparam| {
            interface.with_ethtool(|ops| match ops.set_ringparam {
                // SAFETY: The instance lock is held, and the structure is ours.
                Some(set) => unsafe { set(dev, rings, null, core::ptr::null_mut()) },
                None => ENOSYS.to_errno(),
            })
        };
        interface.with_ethtool(|ops| match ops.get_ringparam {
            // SAFETY: As above.
            Some(get) => unsafe { get(dev, &mut rings, null, core::ptr::null_mut()) },
            None => {}
        });
        assert_eq!((rings.rx_pending, rings.rx_max_pending), (1, 2));
        assert_eq!((rings.tx_pending, rings.tx_max_pending), (3, 4));
        assert_eq!(rings.rx_mini_max_pending, 0);
        assert_eq!(rings.rx_jumbo_max_pending, 0);
        assert_eq!(set(&mut rings), 0);
        assert_eq!(interface.dev().private().setting.load(Relaxed), 0x1_0003);
        rings.rx_mini_pending = 1;
        assert_eq!(set(&mut rings), EINVAL.to_errno());
        rings.rx_mini_pending = 0;
        rings.rx_jumbo_pending = 1;
        assert_eq!(set(&mut rings), EINVAL.to_errno());
        Ok(())
    }

    #[test]
    fn one_tunable_is_known() -> Result {
        let log = Log::new()?;
        let interface = probe(&log)?;
        let dev = interface.raw().cast();
        let mut tunable = bindings::ethtool_tunable::default();
        let exchange = |tunable: &bindings::ethtool_tunable, value: &mut u32| {
            let value = core::ptr::from_mut(value).cast::<c_void>();
            interface.with_ethtool(|ops| match (ops.set_tunable, ops.get_tunable) {
                // SAFETY: The instance lock is held, and the value is one of this tunable.
                (Some(set), Some(get)) => unsafe {
                    let set = set(dev, tunable, value);
                    value.cast::<u32>().write(0);
                    (set, get(dev, tunable, value))
                },
                _ => (ENOSYS.to_errno(), ENOSYS.to_errno()),
            })
        };
        let mut value = 200;
        tunable.id = bindings::tunable_id_ETHTOOL_RX_COPYBREAK;
        assert!(exchange(&tunable, &mut value) == (0, 0));
        assert_eq!(value, 200);
        tunable.id = bindings::tunable_id_ETHTOOL_TX_COPYBREAK;
        let refused = EOPNOTSUPP.to_errno();
        assert!(exchange(&tunable, &mut value) == (refused, refused));
        Ok(())
    }

    #[test]
    fn an_eeprom_is_written_by_who_knows_its_number() -> Result {
        let log = Log::new()?;
        let interface = probe(&log)?;
        let dev = interface.raw().cast();
        let mut eeprom = bindings::ethtool_eeprom::default();
        (eeprom.offset, eeprom.len) = (5, 2);
        let mut data = [0u8; 3];
        let ask = |eeprom: &mut bindings::ethtool_eeprom, data: &mut [u8; 3], write: bool| {
            let data = data.as_mut_ptr();
            interface.with_ethtool(|ops| match (write, ops.get_eeprom, ops.set_eeprom) {
                // SAFETY: The instance lock is held, and there is room for all bytes.
                (false, Some(get), _) => unsafe { get(dev, eeprom, data) },
                // SAFETY: As above.
                (true, _, Some(set)) => unsafe { set(dev, eeprom, data) },
                _ => ENOSYS.to_errno(),
            })
        };
        assert_eq!(ask(&mut eeprom, &mut data, true), EINVAL.to_errno());
        assert_eq!(ask(&mut eeprom, &mut data, false), 0);
        assert!(data == [5, 6, 0]);
        assert_eq!(eeprom.magic, 0x1234);
        assert_eq!(ask(&mut eeprom, &mut data, true), 0);
        assert_eq!(interface.dev().private().setting.load(Relaxed), 0x5_000b);
        Ok(())
    }

    #[test]
    fn what_wakes_is_told_both_ways() -> Result {
        let log = Log::new()?;
        let interface = probe(&log)?;
        let dev = interface.raw().cast();
        let mut wake: bindings::ethtool_wolinfo = pin_init::zeroed();
        let set = interface.with_ethtool(|ops| match (ops.get_wol, ops.set_wol) {
            // SAFETY: The instance lock is held, and the structure is ours.
            (Some(get), Some(set)) => unsafe {
                get(dev, &mut wake);
                set(dev, &mut wake)
            },
            _ => ENOSYS.to_errno(),
        });
        assert_eq!(set, 0);
        assert_eq!(wake.supported, bindings::WAKE_PHY | bindings::WAKE_MAGIC);
        let setting = interface.dev().private().setting.load(Relaxed);
        assert_eq!(setting, bindings::WAKE_MAGIC);
        Ok(())
    }

    #[test]
    fn there_is_one_channel() -> Result {
        let log = Log::new()?;
        let interface = probe(&log)?;
        let dev = interface.raw().cast();
        let mut channels: bindings::ethtool_channels = pin_init::zeroed();
        interface.with_ethtool(|ops| match ops.get_channels {
            // SAFETY: The instance lock is held, and the structure is ours.
            Some(get) => unsafe { get(dev, &mut channels) },
            None => {}
        });
        assert_eq!((channels.combined_count, channels.max_combined), (1, 1));
        assert_eq!(
            (channels.max_rx, channels.max_tx, channels.max_other),
            (0, 0, 0)
        );
        for (combined, rx, result) in [
            (1, 0, 0),
            (2, 0, EINVAL.to_errno()),
            (0, 1, EINVAL.to_errno()),
            (1, 1, EINVAL.to_errno()),
        ] {
            (channels.combined_count, channels.rx_count) = (combined, rx);
            let answer = interface.with_ethtool(|ops| match ops.set_channels {
                // SAFETY: As above.
                Some(set) => unsafe { set(dev, &mut channels) },
                None => ENOSYS.to_errno(),
            });
            assert_eq!(answer, result);
        }
        Ok(())
    }

    #[test]
    fn of_the_standard_counters_only_what_is_known_is_set() -> Result {
        // What the core sets them to: ETHTOOL_STAT_NOT_SET.
        const UNKNOWN: u64 = u64::MAX;
        let log = Log::new()?;
        let interface = probe(&log)?;
        let dev = interface.raw().cast();
        let mut mac: bindings::ethtool_eth_mac_stats = pin_init::zeroed();
        let mut phy: bindings::ethtool_eth_phy_stats = pin_init::zeroed();
        let mut rmon: bindings::ethtool_rmon_stats = pin_init::zeroed();
        mac.__bindgen_anon_1.stats.OctetsReceivedOK = UNKNOWN;
        mac.__bindgen_anon_1.stats.FramesReceivedOK = UNKNOWN;
        rmon.__bindgen_anon_1.stats.jabbers = UNKNOWN;
        rmon.__bindgen_anon_1.stats.fragments = UNKNOWN;
        let mut ranges = core::ptr::null();
        interface.with_ethtool(|ops| {
            match (
                ops.get_eth_mac_stats,
                ops.get_eth_phy_stats,
                ops.get_rmon_stats,
            ) {
                // SAFETY: The instance lock is held, and the structures are ours.
                (Some(get_mac), Some(get_phy), Some(get_rmon)) => unsafe {
                    get_mac(dev, &mut mac);
                    get_phy(dev, &mut phy);
                    get_rmon(dev, &mut rmon, &mut ranges);
                },
                _ => {}
            }
        });
        // SAFETY: Both parts of the union are the same numbers.
        let (mac, phy, rmon) = unsafe {
            (
                mac.__bindgen_anon_1.stats,
                phy.__bindgen_anon_1.stats,
                rmon.__bindgen_anon_1.stats,
            )
        };
        assert_eq!((mac.OctetsReceivedOK, mac.FramesReceivedOK), (81, UNKNOWN));
        assert_eq!(phy.SymbolErrorDuringCarrier, 82);
        assert_eq!((rmon.jabbers, rmon.fragments), (83, UNKNOWN));
        assert!(ranges.is_null());
        Ok(())
    }
}
