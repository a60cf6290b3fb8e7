// SPDX-License-Identifier: GPL-2.0

//! The table of C callbacks of a net device, `struct net_device_ops`.

use super::{
    running::Running,
    Device,
    Events,
    Features,
    Locked,
    Operations,
    RxMode,
    Timer,
    Why, //
};
use crate::{
    bindings::{
        self,
        net_device, //
    },
    net::{
        napi,
        offload::Outgoing,
        queue::{
            TxQueue,
            Xmit, //
        },
        skbuff::{
            DropReason,
            SkBuff, //
        },
        stats::Stats64,
        xdp::{
            self,
            Frames, //
        },
    },
};
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    error::from_result,
    prelude::*, //
};

/// The callbacks of the devices of `T`.
///
/// The core calls each of them with a device that [`super::Registration`] has set up and not yet
/// unregistered, so that [`Device::from_raw`] is sound in all of them.
pub(super) struct Table<T>(PhantomData<T>);

impl<T: Operations> Table<T> {
    const OPS: bindings::net_device_ops = bindings::net_device_ops {
        ndo_open: Some(Self::open),
        ndo_stop: Some(Self::stop),
        ndo_start_xmit: Some(Self::start_xmit),
        ndo_validate_addr: Some(bindings::eth_validate_addr),
        ndo_work: Some(Self::work),
        ndo_tx_timeout: if T::HAS_TX_TIMEOUT {
            Some(Self::tx_timeout)
        } else {
            None
        },
        ndo_set_rx_mode_async: if T::HAS_SET_RX_MODE {
            Some(Self::set_rx_mode)
        } else {
            None
        },
        ndo_set_mac_address: if T::HAS_SET_MAC_ADDRESS {
            Some(Self::set_mac_address)
        } else {
            None
        },
        ndo_eth_ioctl: if T::HAS_MII_READ {
            Some(Self::eth_ioctl)
        } else {
            None
        },
        ndo_set_features: if T::HAS_SET_FEATURES {
            Some(Self::set_features)
        } else {
            None
        },
        ndo_fix_features: if T::HAS_FIX_FEATURES {
            Some(Self::fix_features)
        } else {
            None
        },
        ndo_features_check: if T::HAS_FEATURES_CHECK {
            Some(Self::features_check)
        } else {
            None
        },
        ndo_change_mtu: if T::HAS_CHANGE_MTU {
            Some(Self::change_mtu)
        } else {
            None
        },
        ndo_bpf: if T::HAS_SET_XDP {
            Some(Self::bpf)
        } else {
            None
        },
        ndo_xdp_xmit: if T::HAS_SET_XDP {
            Some(Self::xdp_xmit)
        } else {
            None
        },
        ndo_get_stats64: if T::HAS_STATS64 {
            Some(Self::get_stats64)
        } else {
            None
        },
        ..pin_init::zeroed()
    };

    const OPS_WITHOUT_XDP: bindings::net_device_ops = bindings::net_device_ops {
        ndo_bpf: None,
        ndo_xdp_xmit: None,
        ..Self::OPS
    };

    /// The table of devices that can have programs (`xdp`), or of those that never can: for them the core runs
    /// programs itself, unless it is told not to.
    pub(super) const fn get(xdp: bool) -> &'static bindings::net_device_ops {
        if xdp {
            &Self::OPS
        } else {
            &Self::OPS_WITHOUT_XDP
        }
    }

    /// Calls `f` in the context of a control operation.
    ///
    /// # Safety
    ///
    /// `dev` must be the argument of a callback that the core makes with the instance lock held, and
    /// that is neither `ndo_open()` nor `ndo_stop()`.
    unsafe fn with<R>(
        dev: *mut net_device,
        f: impl FnOnce(&T, &mut Locked<'_, T>, Option<&T::Up>) -> R,
    ) -> R {
        // SAFETY: The caller guarantees it.
        let dev = unsafe { Device::<T>::from_raw(dev) };
        // SAFETY: The caller guarantees that the lock is held; what the interface runs is dropped by
        // `ndo_stop()`, under the lock.
        let mut cx = unsafe { Locked::assume(dev) };
        let up = cx.up();
        f(dev.private(), &mut cx, up)
    }

    /// `ndo_open()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    unsafe extern "C" fn open(dev: *mut net_device) -> c_int {
        from_result(|| {
            // SAFETY: The device is one of ours, and the core holds its instance lock.
            unsafe { Running::open(Device::<T>::from_raw(dev)) }?;
            Ok(0)
        })
    }

    /// `ndo_stop()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    unsafe extern "C" fn stop(dev: *mut net_device) -> c_int {
        // SAFETY: The device is one of ours, and the core holds its instance lock.
        unsafe { Running::close(Device::<T>::from_raw(dev)) };
        0
    }

    /// `ndo_start_xmit()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    unsafe extern "C" fn start_xmit(
        skb: *mut bindings::sk_buff,
        dev: *mut net_device,
    ) -> bindings::netdev_tx_t {
        let Some(given) = NonNull::new(skb) else {
            return bindings::netdev_tx_NETDEV_TX_OK;
        };
        // Some senders (pktgen) keep a reference, to send the packet again: the driver gets a clone then.
        //
        // SAFETY: The packet is valid; the count is read once.
        let shared = unsafe { (&raw const (*skb).users.refs.counter).read_volatile() } != 1;
        let own = if shared {
            // SAFETY: The packet is valid; its holders only read it.
            NonNull::new(unsafe { bindings::skb_clone(skb, bindings::GFP_ATOMIC) })
        } else {
            Some(given)
        };
        // SAFETY: The device is one of ours.
        let dev = unsafe { Device::<T>::from_raw(dev) };
        let Some(own) = own else {
            // SAFETY: The core hands over one count, which ends here.
            unsafe { bindings::dev_kfree_skb_any_reason(skb, DropReason::NoMem as u32) };
            Self::count_drop(dev);
            // SAFETY: The core calls this with the lock of the queue held.
            unsafe { Self::look_after(dev) };
            return bindings::netdev_tx_NETDEV_TX_OK;
        };

        // SAFETY: The core calls this with the lock of the queue held. `own` has one count, of which this
        // is the only owner: the core hands it over, or the clone is new.
        let sent = unsafe { Self::send(dev, SkBuff::from_raw(own)) };
        if let Some(back) = sent {
            if shared {
                // The core has kept its own pointer.
                back.consume();
            } else {
                let _ = back.into_raw();
            }
            return bindings::netdev_tx_NETDEV_TX_BUSY;
        }
        if shared {
            // SAFETY: The core hands over one count, which ends here.
            unsafe {
                bindings::dev_kfree_skb_any_reason(skb, bindings::skb_drop_reason_SKB_CONSUMED)
            };
        }
        bindings::netdev_tx_NETDEV_TX_OK
    }

    /// Has the driver look after its ring.
    ///
    /// # Safety
    ///
    /// The lock of the transmit queue must be held, with bottom halves or interrupts disabled.
    #[cold]
    unsafe fn look_after(dev: &Device<T>) {
        if !T::HAS_NETPOLL {
            return;
        }
        // SAFETY: Bottom halves or interrupts are disabled: an RCU read section.
        let running = unsafe { dev.running() };
        // SAFETY: The caller holds the lock of the transmit queue, and this is the only access under it.
        let parts = running.and_then(|running| Some((running, unsafe { running.tx() }?)));
        if let Some((running, tx)) = parts {
            // SAFETY: The caller holds the lock.
            let mut queue = unsafe { TxQueue::assume(dev) };
            dev.private().netpoll(running.up(), tx, &mut queue);
        }
    }

    /// Counts a packet that was lost before the driver had it; it shows in `tx_dropped`.
    #[cold]
    fn count_drop(dev: &Device<T>) {
        // SAFETY: The device is valid.
        unsafe { bindings::dev_core_stats_tx_dropped_inc(dev.as_raw()) };
    }

    /// Has the driver send a packet. Returns it if the core is to keep it and to try again.
    ///
    /// # Safety
    ///
    /// The lock of the transmit queue must be held, with bottom halves or interrupts disabled.
    #[inline]
    unsafe fn send(dev: &Device<T>, skb: SkBuff) -> Option<SkBuff> {
        let given = skb.as_raw();
        // SAFETY: Bottom halves or interrupts are disabled: an RCU read section.
        let running = unsafe { dev.running() };
        // SAFETY: The caller holds the lock of the transmit queue, and this is the only access under it.
        let parts = running.and_then(|running| Some((running, unsafe { running.tx() }?)));
        let Some((running, tx)) = parts else {
            skb.drop_reason(DropReason::DevReady);
            Self::count_drop(dev);
            return None;
        };
        // SAFETY: The caller holds the lock.
        let mut queue = unsafe { TxQueue::assume(dev) };

        match dev.private().start_xmit(running.up(), tx, &mut queue, skb) {
            Xmit::Queued => None,
            Xmit::Dropped(skb, reason) => {
                skb.drop_reason(reason);
                None
            }
            Xmit::Busy(skb) if core::ptr::eq(skb.as_raw(), given) => Some(skb),
            // Another packet than the one that was given, which the driver has kept.
            Xmit::Busy(skb) => {
                skb.drop_reason(DropReason::NotSpecified);
                None
            }
        }
    }

    /// `ndo_tx_timeout()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    unsafe extern "C" fn tx_timeout(dev: *mut net_device, _queue: c_uint) {
        // SAFETY: The device is one of ours.
        let dev = unsafe { Device::<T>::from_raw(dev) };
        // SAFETY: The watchdog is a timer, so bottom halves are disabled: an RCU read section.
        if let Some(running) = unsafe { dev.running() } {
            // SAFETY: This is `ndo_tx_timeout()`.
            let cx = unsafe { Timer::assume(dev) };
            dev.private().tx_timeout(running.up(), &cx);
        }
    }

    /// `ndo_work()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    unsafe extern "C" fn work(dev: *mut net_device, events: c_ulong) {
        let (retry, events) = Events::from_raw(events);
        // SAFETY: The core calls this with the instance lock held.
        unsafe {
            Self::with(dev, |this, cx, up| {
                match up {
                    Some(up) if T::HAS_WORK && events != Events::default() => {
                        this.work(cx, up, events);
                        if retry {
                            // What the driver was asked for may have been a restart, too.
                            cx.retry_later();
                        }
                    }
                    _ if retry => cx.retry(),
                    _ => {}
                }
            })
        };
    }

    /// `ndo_set_rx_mode_async()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    unsafe extern "C" fn set_rx_mode(
        dev: *mut net_device,
        unicast: *mut bindings::netdev_hw_addr_list,
        multicast: *mut bindings::netdev_hw_addr_list,
    ) -> c_int {
        from_result(|| {
            // SAFETY: The device is one of ours; the core passes copies of the lists, made for this
            // call.
            let mode = unsafe { RxMode::new(Device::<T>::from_raw(dev), unicast, multicast) };
            let set = |this: &T, cx: &mut Locked<'_, T>, up: Option<&T::Up>| match up {
                Some(up) => this.set_rx_mode(cx, up, &mode),
                None => Ok(()),
            };
            // SAFETY: The core calls this with the instance lock held.
            unsafe { Self::with(dev, set) }?;
            Ok(0)
        })
    }

    /// `ndo_set_mac_address()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    unsafe extern "C" fn set_mac_address(dev: *mut net_device, addr: *mut c_void) -> c_int {
        from_result(|| {
            // SAFETY: The core passes a `struct sockaddr` with an address of the device's length.
            kernel::error::to_result(unsafe { bindings::eth_prepare_mac_addr_change(dev, addr) })?;
            // SAFETY: As above; an Ethernet address has six bytes.
            let mac = unsafe {
                (&raw const (*addr.cast::<bindings::sockaddr>()).sa_data)
                    .cast::<[u8; 6]>()
                    .read()
            };
            // SAFETY: The core calls this with the instance lock held.
            unsafe { Self::with(dev, |this, cx, up| this.set_mac_address(cx, up, &mac)) }?;
            // SAFETY: The core calls this under RTNL, as the change of an address needs.
            unsafe { bindings::eth_commit_mac_addr_change(dev, addr) };
            Ok(0)
        })
    }

    /// `ndo_eth_ioctl()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    unsafe extern "C" fn eth_ioctl(
        dev: *mut net_device,
        ifr: *mut bindings::ifreq,
        cmd: c_int,
    ) -> c_int {
        from_result(|| {
            // The request is where `if_mii()` of linux/mii.h finds it: it begins at the union.
            //
            // SAFETY: The core passes a copy of the user's request, for this call.
            let mii =
                unsafe { &mut *(&raw mut (*ifr).ifr_ifru).cast::<bindings::mii_ioctl_data>() };
            // CAST: The numbers of the requests are positive and fit.
            let cmd = cmd as u32;
            // SAFETY: The core calls this with the instance lock held.
            unsafe {
                Self::with(dev, |this, cx, up| {
                    if cmd == bindings::SIOCGMIIPHY {
                        mii.phy_id = u16::from(this.mii_phy());
                    }
                    // A transceiver on the bus has an address below 32; some drivers give an internal one
                    // the number 32.
                    let phy = (mii.phy_id & 0x3f) as u8;
                    let reg = (mii.reg_num & 0x1f) as u8;
                    match cmd {
                        bindings::SIOCGMIIPHY | bindings::SIOCGMIIREG => {
                            mii.val_out = this.mii_read(cx, up, phy, reg)?;
                            Ok(())
                        }
                        // The core has checked `CAP_NET_ADMIN`.
                        bindings::SIOCSMIIREG if T::HAS_MII_WRITE => {
                            this.mii_write(cx, up, phy, reg, mii.val_in)
                        }
                        _ => Err(EOPNOTSUPP),
                    }
                })
            }?;
            Ok(0)
        })
    }

    /// `ndo_set_features()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    unsafe extern "C" fn set_features(
        dev: *mut net_device,
        features: bindings::netdev_features_t,
    ) -> c_int {
        from_result(|| {
            let features = Features::from_raw(features);
            // SAFETY: The core calls this with the instance lock held.
            unsafe { Self::with(dev, |this, cx, up| this.set_features(cx, up, features)) }?;
            Ok(0)
        })
    }

    /// `ndo_fix_features()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    unsafe extern "C" fn fix_features(
        dev: *mut net_device,
        features: bindings::netdev_features_t,
    ) -> bindings::netdev_features_t {
        // SAFETY: The device is one of ours.
        let dev = unsafe { Device::<T>::from_raw(dev) };
        let fixed = dev.private().fix_features(Features::from_raw(features));
        fixed.into_raw()
    }

    /// `ndo_features_check()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    unsafe extern "C" fn features_check(
        skb: *mut bindings::sk_buff,
        dev: *mut net_device,
        features: bindings::netdev_features_t,
    ) -> bindings::netdev_features_t {
        // What holds for all devices (`dflt_features_check()`).
        //
        // SAFETY: The core passes a valid packet.
        let features = unsafe { bindings::vlan_features_check(skb, features) };
        // SAFETY: The packet is valid during the call.
        let frame = unsafe { Outgoing::from_raw(skb) };
        // SAFETY: The device is one of ours.
        let dev = unsafe { Device::<T>::from_raw(dev) };
        let features = Features::from_raw(features);
        dev.private().features_check(&frame, features).into_raw()
    }

    /// `ndo_change_mtu()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    unsafe extern "C" fn change_mtu(dev: *mut net_device, mtu: c_int) -> c_int {
        from_result(|| {
            let mtu = u32::try_from(mtu)?;
            // SAFETY: The core calls this with the instance lock held.
            unsafe { Self::with(dev, |this, cx, up| this.change_mtu(cx, up, mtu)) }?;
            // The field is read without a lock elsewhere.
            //
            // SAFETY: The device is valid; writers hold the lock.
            unsafe { (&raw mut (*dev).mtu).write_volatile(mtu) };
            Ok(0)
        })
    }

    /// `ndo_bpf()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    unsafe extern "C" fn bpf(dev: *mut net_device, request: *mut bindings::netdev_bpf) -> c_int {
        from_result(|| {
            // SAFETY: The core passes a request that is for the callback to read.
            if unsafe { (*request).command } != bindings::bpf_netdev_command_XDP_SETUP_PROG {
                return Err(EINVAL);
            }
            // SAFETY: With this command these are the fields of the request.
            let setup = unsafe { (*request).__bindgen_anon_1.__bindgen_anon_1.as_ref() };
            // SAFETY: What to tell the user is valid during the call, if there is anybody to be told.
            let mut why = unsafe { Why::from_raw(setup.extack.cast()) };
            // SAFETY: The core calls this with the instance lock held.
            let prepare = |attached| unsafe {
                Self::with(dev, |this, cx, up| this.set_xdp(cx, up, attached, &mut why))
            };
            // SAFETY: The device is one of ours.
            let device = unsafe { Device::<T>::from_raw(dev) };
            // SAFETY: The core holds both locks, and hands over a count of the program.
            unsafe { xdp::attach(device, setup.prog.cast(), prepare) }?;
            if device.is_registered() {
                // SAFETY: The core holds both locks, of a device that is registered.
                unsafe { device.offer_features() };
                // SAFETY: As above.
                unsafe { bindings::netdev_update_features(dev) };
            }
            Ok(0)
        })
    }

    /// `ndo_xdp_xmit()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    unsafe extern "C" fn xdp_xmit(
        dev: *mut net_device,
        number: c_int,
        frames: *mut *mut bindings::xdp_frame,
        flags: u32,
    ) -> c_int {
        let Ok(number) = usize::try_from(number) else {
            return EINVAL.to_errno();
        };
        if flags & !bindings::XDP_XMIT_FLAGS_MASK != 0 {
            return EINVAL.to_errno();
        }
        // SAFETY: The device is one of ours.
        let dev = unsafe { Device::<T>::from_raw(dev) };
        // The stack sends nothing either without a link.
        if !dev.carrier_ok() {
            return ENETDOWN.to_errno();
        }
        // SAFETY: The core passes so many valid frames, and counts on those to be taken that are said to
        // be.
        let mut frames = unsafe { Frames::from_raw(frames, number) };
        let send = |up: &T::Up, tx: &mut T::Tx, queue: &mut TxQueue<'_>| {
            dev.private().send_frames(up, tx, queue, &mut frames);
        };
        // SAFETY: The core calls this with bottom halves disabled, and without a lock of ours.
        match unsafe { napi::lock_tx(dev, send) } {
            Some(()) => c_int::try_from(frames.taken()).unwrap_or(c_int::MAX),
            None => ENETDOWN.to_errno(),
        }
    }

    /// `ndo_get_stats64()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    unsafe extern "C" fn get_stats64(dev: *mut net_device, to: *mut bindings::rtnl_link_stats64) {
        // SAFETY: The device is one of ours.
        let dev = unsafe { Device::<T>::from_raw(dev) };
        let mut stats = Stats64::default();
        dev.private().stats64(&mut stats);
        // SAFETY: The core passes a structure that is the callback's to fill in.
        stats.store(unsafe { &mut *to });
    }
}
