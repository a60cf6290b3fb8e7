// SPDX-License-Identifier: GPL-2.0

//! Packets on their way from the user to a device.
//!
//! To send a packet of its own making, a family must:
//!
//! 1. read what the socket and the control messages ask for: a [`Cookie`];
//! 2. allocate an [`Outgoing`] packet ([`Sock::allocate`]), charged to the socket, with room for the
//!    headers of the device;
//! 3. have the device build its header ([`Outgoing::build_header`]), or make room for the one that
//!    is in the user's data ([`Outgoing::shift`]);
//! 4. copy the data ([`Outgoing::fill`]), or attach memory that it shares with the user
//!    ([`Outgoing::attach`]), which makes it a [`Frame`], and check what the user gave as
//!    header ([`Frame::has_valid_header`]);
//! 5. fill in what is below the socket layer ([`Frame::prepare`]), find the headers
//!    ([`Frame::parse_headers`]), and hand it over ([`Frame::transmit`]).
//!
//! Only a [`Frame`] can be sent, so memory of the kernel that nobody has written never goes out.
//!
//! C headers: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h),
//! [`include/net/sock.h`](srctree/include/net/sock.h)

use crate::{
    bindings,
    net::{
        context::Process,
        device::Device,
        message::Message,
        packet::Be16,
        shared_memory::Place,
        skbuff::SkBuff,
        sock::{
            Protocol,
            Sock, //
        },
    },
};
use core::ptr::NonNull;
use kernel::{
    error::to_result,
    prelude::*,
    sync::aref::ARef, //
};

/// What a packet is to be sent with: mark, priority, time stamping, time of departure.
pub(crate) struct Cookie(bindings::sockcm_cookie);

impl Cookie {
    /// What the options of the socket say.
    pub(crate) fn new<T: Protocol>(sock: &Sock<T>) -> Self {
        let mut cookie = Self(pin_init::zeroed());
        // SAFETY: The socket is valid by its invariant, and the cookie may be written.
        unsafe { bindings::sockcm_init(&raw mut cookie.0, sock.as_raw()) };
        cookie
    }

    /// Adds what the control messages of `message` say, if it has any. Process context.
    ///
    /// Fails with `EINVAL` for an unknown or malformed one, with `EPERM` where a capability is missing.
    pub(crate) fn read_control<T: Protocol>(
        &mut self,
        sock: &Sock<T>,
        message: &mut Message<'_>,
    ) -> Result {
        if !message.has_control() {
            return Ok(());
        }
        // SAFETY: Socket and message are valid by their invariants, and the cookie is initialised.
        to_result(unsafe {
            bindings::sock_cmsg_send(sock.as_raw(), message.as_raw(), &raw mut self.0)
        })
    }
}

/// The layout of a packet to be allocated, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Space {
    /// Before the data: for headers of the device.
    pub(crate) headroom: u32,
    /// Behind the data: for trailers of the device.
    pub(crate) tailroom: u32,
    /// Data that must be in one piece.
    pub(crate) linear: u32,
    /// Data in all.
    pub(crate) len: u32,
}

/// What `sock_alloc_send_pskb()` can put into pages: `MAX_SKB_FRAGS` pieces of eight pages.
const PAGED_MAX: u32 = bindings::MAX_SKB_FRAGS * PAGE_LEN * 8;

/// The size of a page in bytes.
// CAST: A page is much smaller than 4 GiB.
const PAGE_LEN: u32 = kernel::page::PAGE_SIZE as u32;

impl<T: Protocol> Sock<T> {
    /// Allocates a packet of `space.len` bytes, whose content is not set yet, for `device`.
    ///
    /// The network header is set to where the data begins. The packet is charged to the send buffer;
    /// if that is full, the call waits, or fails with `EAGAIN` if `dont_wait`. Fails with `ENOBUFS`
    /// where there is no memory, `EPIPE` or the error that was reported for the socket.
    #[inline(always)]
    pub(crate) fn allocate(
        &self,
        device: ARef<Device>,
        space: Space,
        dont_wait: bool,
        _context: &mut Process<'_>,
    ) -> Result<Outgoing> {
        // A packet below a page need not have fragments.
        let small = space
            .headroom
            .saturating_add(space.tailroom)
            .saturating_add(space.len)
            < PAGE_LEN;
        let linear = if small {
            space.len
        } else {
            space
                .linear
                .min(space.len)
                .max(space.len.saturating_sub(PAGED_MAX))
        };
        let linear = if linear == 0 { space.len } else { linear };
        let total = space
            .headroom
            .checked_add(space.tailroom)
            .and_then(|rest| rest.checked_add(space.len))
            .ok_or(EMSGSIZE)?;
        c_int::try_from(total).map_err(|_| EMSGSIZE)?;
        let mut error: c_int = 0;
        // SAFETY: The socket is valid by its invariant; none of the sums overflows, as was checked; the
        // token says that sleeping is allowed.
        let skb = unsafe {
            bindings::sock_alloc_packet(
                self.as_raw(),
                space.headroom,
                space.tailroom,
                linear,
                space.len.saturating_sub(linear),
                c_int::from(dont_wait),
                &raw mut error,
            )
        };
        let Some(skb) = NonNull::new(skb) else {
            to_result(error)?;
            return Err(ENOBUFS);
        };
        // SAFETY: A new packet has one count, and it is ours.
        let mut packet = unsafe { SkBuff::from_raw(skb) };
        packet.reset_network_header();
        Ok(Outgoing {
            packet,
            device,
            header: 0,
        })
    }
}

/// A packet that is being made, for one device; its data is not set yet.
///
/// Dropped, it is freed: a packet that was not finished is not a loss.
///
/// # Invariants
///
/// Of the packet's data the first `header` bytes are set.
pub(crate) struct Outgoing {
    packet: SkBuff,
    device: ARef<Device>,
    header: u32,
}

impl Outgoing {
    /// Has the device put its header before the data (`dev_hard_header()`).
    ///
    /// `destination` is the link-layer address, if the caller has one; it must be as long as addresses
    /// of the device are, or longer. `EINVAL` if it is shorter, if the header does not fit into the
    /// headroom, or if the device cannot make one without an address. Also if the device says that it
    /// has put another number of bytes there than it has: what it has not written must not go out.
    pub(crate) fn build_header(
        &mut self,
        protocol: Be16,
        destination: Option<&[u8]>,
        len: u32,
    ) -> Result {
        // The device reads as many bytes as its addresses have: at most all of these.
        let mut address = [0u8; bindings::MAX_ADDR_LEN as usize];
        if let Some(bytes) = destination {
            if bytes.len() < usize::from(self.device.addr_len()) {
                return Err(EINVAL);
            }
            for (to, from) in address.iter_mut().zip(bytes) {
                *to = *from;
            }
        }
        let address = if destination.is_some() {
            address.as_ptr()
        } else {
            core::ptr::null()
        };
        // The type of a device can change (a bond), and with it the header. The room that is there is
        // compared with what the header needs now; `reserved_headroom` leaves enough for any Ethernet
        // or tunnel header in the short time until it is written.
        if self.headroom() < u32::from(self.device.hard_header_len()) {
            return Err(EINVAL);
        }
        let before = self.packet.len();
        // SAFETY: The packet is ours, the device is alive, and the address has as many bytes as the
        // device reads. The room was checked.
        let result = unsafe {
            bindings::dev_hard_header(
                self.packet.as_raw(),
                self.device.as_raw(),
                protocol.to_host(),
                address.cast(),
                len,
            )
        };
        let header = u32::try_from(result).map_err(|_| EINVAL)?;
        if self.packet.len().checked_sub(before) != Some(header) {
            return Err(EINVAL);
        }
        // INVARIANT: The device has put so many bytes before the data, and has written them.
        self.header = header;
        Ok(())
    }

    /// Moves the beginning of the data, together with all of it, `len` bytes towards the front: the
    /// user's data contains the header for which the room was reserved.
    ///
    /// Fails with `EINVAL` when there is less room.
    pub(crate) fn shift(&mut self, len: u32) -> Result {
        if self.headroom() < len {
            return Err(EINVAL);
        }
        // SAFETY: The packet is ours, and the room was checked. As nothing is in the packet yet, nothing
        // need be moved.
        unsafe { bindings::skb_shift_data(self.packet.as_raw(), len) };
        Ok(())
    }

    /// The network header begins where the data does.
    pub(crate) fn reset_network_header(&mut self) {
        self.packet.reset_network_header();
    }

    /// Copies the next bytes of the message into the packet, as many as were allocated. May sleep.
    ///
    /// Fails with `EFAULT` when the user's memory cannot be read.
    #[inline(always)]
    pub(crate) fn fill(
        self,
        message: &mut Message<'_>,
        _context: &mut Process<'_>,
    ) -> Result<Frame> {
        let len = self.packet.len().checked_sub(self.header).ok_or(EINVAL)?;
        let offset = c_int::try_from(self.header).map_err(|_| EINVAL)?;
        let len = c_int::try_from(len).map_err(|_| EINVAL)?;
        // SAFETY: The packet is ours and has those bytes; the message lends its iterator; the task may
        // sleep.
        to_result(unsafe {
            bindings::skb_copy_datagram_from_iter(self.packet.as_raw(), offset, message.iter(), len)
        })?;
        // INVARIANT: The header was set before, and the call has set all that is behind it.
        Ok(Frame {
            packet: self.packet,
            device: self.device,
        })
    }

    /// Fills the packet from memory that is shared with a program: the first bytes, as many as were
    /// allocated, are copied, and the pages of all others become part of the packet.
    ///
    /// What was copied stays as it is, so that it can be checked. The program may change the rest until the
    /// packet is gone, and must be told when that is. The packet keeps the pages until then, whatever becomes
    /// of the [`SharedMemory`](super::shared_memory::SharedMemory). The pages are charged to the socket.
    ///
    /// Fails with `EINVAL` when `data` is shorter than what was allocated, or the packet has fragments; with
    /// `EFAULT` when the rest is in more pages than a packet can have.
    pub(crate) fn attach(self, data: Place<'_>) -> Result<Frame> {
        let linear = self.packet.len().checked_sub(self.header).ok_or(EINVAL)?;
        let mut rest = data.part(linear, data.len().checked_sub(linear).ok_or(EINVAL)?)?;
        let skb = self.packet.as_raw();
        // SAFETY: The packet is ours.
        let (to, paged) = unsafe { ((*skb).data, (*skb).data_len) };
        if paged != 0 {
            return Err(EINVAL);
        }
        let to = to.wrapping_add(self.header as usize);
        // SAFETY: A packet without fragments has all of its data in one piece, and it is ours to write.
        unsafe { data.read_raw(0, to, linear as usize) }?;
        while let Some((page, offset, len)) = rest.first_fragment() {
            // SAFETY: The packet is ours.
            if !unsafe { bindings::skb_has_frag_room(skb) } {
                return Err(EFAULT);
            }
            // SAFETY: The packet is ours, has room for a fragment, and was charged to a socket when it
            // was allocated. The page lives as long as `data`, so that a reference to it may be taken,
            // and these bytes are in it. The length cannot overflow: so many pages are less than 2 GiB.
            unsafe { bindings::skb_add_page(skb, page, offset, len) };
            rest = rest.part(len, rest.len().wrapping_sub(len))?;
        }
        // INVARIANT: The header was set before, what is behind it in the linear part was copied, and
        // memory that is shared with programs has no other content than what the kernel or they have
        // written there.
        Ok(Frame {
            packet: self.packet,
            device: self.device,
        })
    }

    #[inline]
    fn headroom(&self) -> u32 {
        // SAFETY: The packet is ours.
        unsafe { bindings::skb_headroom(self.packet.as_raw()) }
    }
}

/// A packet whose data is complete, for one device.
///
/// Dropped, it is freed: a packet that was not sent is not a loss.
///
/// # Invariants
///
/// All of the packet's data is set.
pub(crate) struct Frame {
    packet: SkBuff,
    device: ARef<Device>,
}

impl Frame {
    /// The length, headers included.
    #[inline]
    pub(crate) fn len(&self) -> u32 {
        self.packet.len()
    }

    /// Whether the packet begins with a header that the device can send. A short header may be filled
    /// up with zeroes, for who has the capability `CAP_SYS_RAWIO`.
    pub(crate) fn has_valid_header(&mut self) -> bool {
        // SAFETY: The packet is ours, and its device is alive.
        unsafe { bindings::packet_validate_header(self.packet.as_raw(), self.device.as_raw()) }
    }

    /// Whether it is an Ethernet frame with an 802.1Q tag in it, which may be four bytes longer.
    pub(crate) fn is_vlan_frame(&self) -> bool {
        // SAFETY: The packet is ours, and its device is alive; the call reads the header, if it is
        // there.
        unsafe { bindings::packet_is_vlan(self.packet.as_raw(), self.device.as_raw()) }
    }

    /// Fills in what queueing disciplines and the device want to know: protocol, device, mark,
    /// priority, time stamping, time of departure, and whether the frame has its check sequence.
    pub(crate) fn prepare<T: Protocol>(
        &mut self,
        sock: &Sock<T>,
        cookie: &Cookie,
        protocol: Option<Be16>,
        no_fcs: bool,
    ) {
        // SAFETY: All four objects are valid by their invariants, and the packet is ours. It keeps the
        // pointer to the device until `transmit`, which `self` outlives.
        unsafe {
            bindings::sock_prepare_packet(
                sock.as_raw(),
                self.packet.as_raw(),
                self.device.as_raw(),
                &raw const cookie.0,
                protocol.is_some(),
                protocol.unwrap_or_default().raw(),
                no_fcs,
            )
        };
    }

    /// Finds the headers of the packet, whose data begins with the link header. After
    /// [`prepare`](Self::prepare).
    ///
    /// If `find_protocol` and the protocol is 0, it is taken from the link header.
    pub(crate) fn parse_headers(&mut self, find_protocol: bool) {
        // SAFETY: The packet is ours, and its device is alive.
        unsafe {
            bindings::packet_parse_headers(
                self.packet.as_raw(),
                self.device.as_raw(),
                find_protocol,
            )
        };
    }

    /// Hands the packet to the queueing discipline of its device (`dev_queue_xmit()`).
    ///
    /// Fails with `EINVAL` when the packet is empty, with `ENOBUFS` when it was dropped there, with
    /// `ENETDOWN` when the device is down, and with the other errors of the device. Process context.
    #[inline(always)]
    pub(crate) fn transmit(self, _context: &mut Process<'_>) -> Result {
        let Self { packet, device } = self;
        if packet.len() == 0 {
            return Err(EINVAL);
        }
        let skb = packet.into_raw().as_ptr();
        // SAFETY: The packet was ours and goes to the call, which frees it in any case; the device is
        // alive until it returns, and set in the packet here.
        let result = unsafe { bindings::packet_xmit(skb, device.as_raw()) };
        to_result(result)
    }
}

impl SkBuff {
    /// The network header begins where the data does.
    #[inline]
    pub(crate) fn reset_network_header(&mut self) {
        // SAFETY: By the type invariant the packet is valid and nobody else uses it.
        unsafe { bindings::skb_reset_network_header(self.as_raw()) };
    }
}
