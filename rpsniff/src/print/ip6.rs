// SPDX-License-Identifier: GPL-2.0

//! IPv6 and its extension headers.

use std::net::Ipv6Addr;

use etherparse::{Ipv6FragmentHeader, Ipv6Header, Ipv6HeaderSlice};

use super::{
    ip::{self, Outer},
    names::{self, IP_PROTOCOLS, V6},
    put,
    view::{Truncated, View},
    Line, Printed,
};

/// Bytes of the fixed header.
const HEADER: usize = Ipv6Header::LEN;

/// Bytes of a fragment header.
const FRAGMENT_LEN: usize = Ipv6FragmentHeader::LEN;

const HOP_BY_HOP: u8 = libc::IPPROTO_HOPOPTS as u8;
const DESTINATION: u8 = libc::IPPROTO_DSTOPTS as u8;
const FRAGMENT: u8 = libc::IPPROTO_FRAGMENT as u8;
const ROUTING: u8 = libc::IPPROTO_ROUTING as u8;

/// An IPv6 packet.
pub fn print(line: &mut Line<'_>, view: View<'_>) -> Printed {
    line.protocol = "ip6";
    if !line.style.ether {
        line.out.push_str("IP6 ");
    }
    if view.len() < HEADER {
        put!(line, " [length {} < {HEADER}]", view.len());
        line.invalid();
        return Ok(());
    }
    let version = view.u8(0)? >> 4;
    if version != 6 {
        put!(line, " [version {version} != 6]");
        line.invalid();
        return Ok(());
    }
    let payload_len = usize::from(view.u16(4)?);
    if payload_len != 0 && payload_len + HEADER > view.len() {
        put!(
            line,
            "[header+payload length {} > length {}]",
            payload_len + HEADER,
            view.len()
        );
        line.invalid();
        line.out.push(' ');
    }
    let header = Ipv6HeaderSlice::from_slice(view.bytes()).map_err(|_| Truncated)?;
    if line.style.verbose > 0 {
        put_details(line, &header);
    }
    let view = if payload_len == 0 {
        view
    } else {
        View::new(view.bytes(), payload_len + HEADER)
    };
    let mut chain = Chain {
        payload_len,
        jumbo: None,
        outer: Outer {
            source: header.source_addr().into(),
            destination: header.destination_addr().into(),
            addressed: true,
            fragmented: false,
        },
        passed: HEADER,
    };
    let mut next = header.next_header().0;
    let mut first = true;
    if ip::writes_addresses(next) {
        chain.outer.addressed = false;
    } else {
        put!(
            line,
            "{} > {}: ",
            V6(header.source_addr()),
            V6(header.destination_addr())
        );
    }
    loop {
        let rest = view.skip(chain.passed);
        let extension = match next {
            HOP_BY_HOP => chain.hop_by_hop(line, rest, first)?,
            DESTINATION => destination_options(line, rest)?,
            ROUTING => chain.routing(line, rest)?,
            FRAGMENT => chain.fragment(line, rest)?,
            _ => return chain.payload(line, view, next, !first),
        };
        let Some(extension) = extension else {
            return Ok(());
        };
        line.protocol = "ip6";
        next = rest.u8(0)?;
        first = false;
        chain.passed += extension;
        if chain.passed > view.len() {
            return Err(Truncated);
        }
        if chain.passed >= view.bytes().len() {
            return Ok(());
        }
    }
}

/// `-v`.
fn put_details(line: &mut Line<'_>, header: &Ipv6HeaderSlice<'_>) {
    line.out.push('(');
    if header.traffic_class() != 0 {
        put!(line, "class 0x{:02x}, ", header.traffic_class());
    }
    if header.flow_label().value() != 0 {
        put!(line, "flowlabel 0x{:05x}, ", header.flow_label().value());
    }
    let next = header.next_header().0;
    put!(
        line,
        "hlim {}, next-header {} ({next}) payload length: {}) ",
        header.hop_limit(),
        names::find(IP_PROTOCOLS, next).unwrap_or("unknown"),
        header.payload_length()
    );
}

/// What the headers so far said.
struct Chain {
    payload_len: usize,
    jumbo: Option<usize>,
    outer: Outer,
    passed: usize,
}

/// Bytes of an extension header, or nothing if the line ends with it.
type Extension = Result<Option<usize>, Truncated>;

/// The length of an extension header of the usual form, all of whose bytes are there.
fn extension_len(view: &View<'_>) -> Result<usize, Truncated> {
    let len = (usize::from(view.u8(1)?) + 1) * 8;
    view.slice(0, len)?;
    Ok(len)
}

fn destination_options(line: &mut Line<'_>, view: View<'_>) -> Extension {
    line.protocol = "dstopt";
    let len = extension_len(&view)?;
    line.out.push_str("DSTOPT ");
    if line.style.verbose > 0 {
        options(line, view.limit(len).skip(2))?;
    }
    Ok(Some(len))
}

/// The options of a hop-by-hop or destination header, written only with `-v`. Returns the value of
/// the first jumbo payload option.
fn options(line: &mut Line<'_>, options: View<'_>) -> Result<Option<usize>, Truncated> {
    const PAD1: u8 = 0;
    const PADN: u8 = 1;
    const ROUTER_ALERT: u8 = 5;
    const JUMBO: u8 = 0xc2;
    let verbose = line.style.verbose > 0;
    let mut jumbo = None;
    let mut rest = options;
    while let Ok(kind) = rest.u8(0) {
        let len = if kind == PAD1 {
            1
        } else {
            usize::from(rest.u8(1)?) + 2
        };
        let option = View::new(rest.slice(0, len)?, len);
        match kind {
            PAD1 if verbose => line.out.push_str("(pad1)"),
            PADN if verbose => line.out.push_str("(padn)"),
            PAD1 | PADN => {}
            ROUTER_ALERT if len == 4 => {
                if verbose {
                    put!(line, "(rtalert: 0x{:04x}) ", option.u16(2)?);
                }
            }
            JUMBO if len == 6 => {
                let value = option.u32(2)?;
                jumbo.get_or_insert(value as usize);
                if verbose {
                    put!(line, "(jumbo: {value}) ");
                }
            }
            _ if verbose => put!(line, "(opt_type 0x{kind:02x}: len={})", len - 2),
            _ => {}
        }
        rest = rest.skip(len);
    }
    if verbose {
        line.out.push(' ');
    }
    Ok(jumbo)
}

impl Chain {
    fn hop_by_hop(&mut self, line: &mut Line<'_>, view: View<'_>, first: bool) -> Extension {
        if !first {
            line.out
                .push_str("[The Hop-by-Hop Options header don't follow the IPv6 header]");
            line.invalid();
            return Ok(None);
        }
        line.protocol = "hbhopt";
        let len = extension_len(&view)?;
        line.out.push_str("HBH ");
        // The option says a length that the header's field cannot.
        self.jumbo = options(line, view.limit(len).skip(2))?
            .filter(|jumbo| self.payload_len == 0 && *jumbo > usize::from(u16::MAX));
        if self.payload_len == 0 && self.jumbo.is_none() {
            line.out
                .push_str("[No valid Jumbo Payload Hop-by-Hop option found]");
            line.invalid();
            return Ok(None);
        }
        Ok(Some(len))
    }

    fn routing(&mut self, line: &mut Line<'_>, view: View<'_>) -> Extension {
        const TYPE_0: u8 = 0;
        const MOBILE: u8 = 2;
        const SEGMENTS: u8 = 4;
        view.u8(0)?;
        line.protocol = "rt6";
        line.out.push_str("RT6");
        let len = view.u8(1)?;
        put!(line, " (len={len}");
        let kind = view.u8(2)?;
        put!(line, ", type={kind}");
        if kind == TYPE_0 {
            line.out.push_str(" [Deprecated]");
        }
        put!(line, ", segleft={}", view.u8(3)?);
        let verbose = line.style.verbose > 0;
        match kind {
            TYPE_0 | MOBILE => {
                let reserved = view.u32(4)?;
                if reserved != 0 || verbose {
                    put!(line, ", rsv=0x{reserved:x}");
                }
            }
            SEGMENTS => {
                put!(line, ", last-entry={}", view.u8(4)?);
                let flags = view.u8(5)?;
                if flags != 0 || verbose {
                    put!(line, ", flags=0x{flags:x}");
                }
                put!(line, ", tag={:x}", view.u16(6)?);
            }
            _ => {
                line.out.push_str(" (unknown type)");
                line.invalid();
                return Ok(None);
            }
        }
        if len % 2 == 1 {
            if kind == SEGMENTS {
                put!(line, " (invalid length {len})");
            } else {
                put!(line, " [length {len}]");
            }
            line.invalid();
            return Ok(None);
        }
        for index in 0..usize::from(len / 2) {
            let address = Ipv6Addr::from(view.array::<16>(8 + index * 16)?);
            put!(line, ", [{index}]{}", V6(address));
            // Segments are listed from the last on.
            if kind != SEGMENTS || index == 0 {
                self.outer.destination = address.into();
            }
        }
        line.out.push_str(") ");
        Ok(Some((usize::from(len) + 1) * 8))
    }

    fn fragment(&mut self, line: &mut Line<'_>, view: View<'_>) -> Extension {
        line.protocol = "frag6";
        line.out.push_str("frag (");
        if line.style.verbose > 0 {
            put!(line, "0x{:08x}:", view.u32(4)?);
        }
        // The lowest three bits are no part of the offset, which counts bytes if they are cleared.
        let offset = view.u16(2)? & 0xfff8;
        put!(line, "{offset}|");
        match (HEADER + self.payload_len).checked_sub(self.passed + FRAGMENT_LEN) {
            Some(rest) => put!(line, "{rest})"),
            None => line.out.push_str("[length < 0] (invalid))"),
        }
        self.outer.fragmented = true;
        if offset != 0 {
            return Ok(None);
        }
        line.out.push(' ');
        Ok(Some(FRAGMENT_LEN))
    }

    fn payload(&self, line: &mut Line<'_>, view: View<'_>, next: u8, extended: bool) -> Printed {
        let len = match self.jumbo {
            Some(jumbo) => {
                let total = jumbo.saturating_add(HEADER);
                if total > view.len() {
                    put!(
                        line,
                        "[header+payload length {total} > length {}]",
                        view.len()
                    );
                    line.invalid();
                    line.out.push(' ');
                }
                total
            }
            // Without a payload there is no room for an extension header.
            None if self.payload_len == 0 && extended => return Err(Truncated),
            None if self.payload_len == 0 => HEADER,
            None => view.len(),
        };
        let len = len.checked_sub(self.passed).ok_or(Truncated)?;
        let bytes = view.skip(self.passed).bytes();
        ip::transport(line, next, View::new(bytes, len), &self.outer)
    }
}
