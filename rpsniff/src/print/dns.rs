// SPDX-License-Identifier: GPL-2.0

//! DNS over UDP, over TCP, and multicast DNS.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{
    igmp::Duration,
    names::{self, Text, V6},
    put,
    view::{Truncated, View},
    Line, Printed,
};

pub mod edns;
pub mod tables;

use tables::{CLASSES, OPERATIONS, RESPONSES, TYPES};

/// Port of DNS.
pub const PORT: u16 = 53;
/// Port of multicast DNS.
pub const MULTICAST_PORT: u16 = 5353;

/// Bytes of a header.
const HEADER: usize = 12;
/// Bytes of a record between its name and its data.
const HEAD: usize = 10;
/// The most characters of a name that are written.
const LONGEST_NAME: usize = 255;
/// The class that is so usual that it is not written.
const IN: u16 = 1;
/// The bit of a class in multicast DNS: ask for a unicast answer, or flush the cache.
const MULTICAST_BIT: u16 = 0x8000;
const OPT: u16 = 41;

/// What kind of DNS.
#[derive(Clone, Copy, Eq, PartialEq)]
pub enum Kind {
    /// RFC 1035.
    Unicast,
    /// RFC 6762.
    Multicast,
}

/// The header's fields.
struct Header {
    id: u16,
    flags: u16,
    questions: u16,
    answers: u16,
    authorities: u16,
    additional: u16,
}

impl Header {
    fn parse(view: &View<'_>) -> Result<Self, Truncated> {
        view.slice(0, HEADER)?;
        Ok(Self {
            id: view.u16(0)?,
            flags: view.u16(2)?,
            questions: view.u16(4)?,
            answers: view.u16(6)?,
            authorities: view.u16(8)?,
            additional: view.u16(10)?,
        })
    }

    fn has(&self, bit: u16) -> bool {
        self.flags & bit != 0
    }

    fn operation(&self) -> &'static str {
        let number = (self.flags >> 11) & 0xf;
        names::find(OPERATIONS, number).unwrap_or("")
    }
}

/// A message behind a length of two bytes.
pub fn print_over_tcp(line: &mut Line<'_>, view: View<'_>) -> Printed {
    line.protocol = "domain";
    let Some(len) = view.len().checked_sub(2) else {
        put!(line, " [DNS over TCP: length {} < 2]", view.len());
        line.invalid();
        return Ok(());
    };
    let stated = usize::from(view.u16(0)?);
    if stated != len {
        put!(line, " [prefix length({stated}) != length({len})]");
        line.invalid();
        return Ok(());
    }
    line.out.push(' ');
    print(line, view.skip(2), Kind::Unicast)
}

/// A message.
pub fn print(line: &mut Line<'_>, view: View<'_>, kind: Kind) -> Printed {
    line.protocol = "domain";
    if view.len() < HEADER {
        put!(line, "domain [length {} < {HEADER}]", view.len());
        line.invalid();
        return Ok(());
    }
    let header = Header::parse(&view)?;
    let message = Message { view, kind };
    if header.has(0x8000) {
        message.response(line, &header)?;
    } else {
        message.request(line, &header)?;
    }
    put!(line, " ({})", view.len());
    Ok(())
}

struct Message<'a> {
    view: View<'a>,
    kind: Kind,
}

impl Message<'_> {
    fn response(&self, line: &mut Line<'_>, header: &Header) -> Printed {
        put!(line, "{}{}", header.id, header.operation());
        let code = self.response_code(header);
        match names::find(RESPONSES, code) {
            Some(name) => line.out.push_str(name),
            None => put!(line, " Resp{}", code & 0xfff),
        }
        for (mark, shown) in [
            ("*", header.has(0x0400)),
            ("-", !header.has(0x0080)),
            ("|", header.has(0x0200)),
            ("$", header.has(0x0020)),
        ] {
            if shown {
                line.out.push_str(mark);
            }
        }
        if header.questions != 1 {
            put!(line, " [{}q]", header.questions);
        }
        let mut at = HEADER;
        for index in 0..header.questions {
            if index > 0 {
                line.out.push(',');
            }
            if line.style.verbose > 1 {
                line.out.push_str(" q:");
                at = self.question(line, at)?;
            } else {
                at = skip_name(&self.view, at)? + 4;
            }
        }
        put!(
            line,
            " {}/{}/{}",
            header.answers,
            header.authorities,
            header.additional
        );
        at = self.section(line, "", header.answers, at)?;
        if line.style.verbose > 1 {
            at = self.section(line, " ns:", header.authorities, at)?;
            self.section(line, " ar:", header.additional, at)?;
        }
        Ok(())
    }

    fn request(&self, line: &mut Line<'_>, header: &Header) -> Printed {
        const INVERSE_QUERY: u16 = 1;
        put!(line, "{}{}", header.id, header.operation());
        if header.has(0x0100) {
            line.out.push('+');
        }
        if header.has(0x0010) {
            line.out.push('%');
        }
        // Bits that a request should not have.
        if header.has(0x06cf) {
            put!(line, " [b2&3=0x{:x}]", header.flags);
        }
        let is_inverse = (header.flags >> 11) & 0xf == INVERSE_QUERY;
        let usual = |count: u16, expected: u16| count == expected;
        let counts = if is_inverse {
            [(header.questions, 0, "q"), (header.answers, 1, "a")]
        } else {
            [(header.answers, 0, "a"), (header.questions, 1, "q")]
        };
        let others = [(header.authorities, 0, "n"), (header.additional, 0, "au")];
        for (count, expected, letter) in counts.into_iter().chain(others) {
            if !usual(count, expected) {
                put!(line, " [{count}{letter}]");
            }
        }
        let mut at = HEADER;
        for _ in 0..header.questions {
            at = self.question(line, at)?;
        }
        if line.style.verbose > 1 {
            at = self.section(line, "", header.answers, at)?;
            at = self.section(line, " ns:", header.authorities, at)?;
            self.section(line, " ar:", header.additional, at)?;
        }
        Ok(())
    }

    /// The response code, of which an OPT record has the upper bits.
    fn response_code(&self, header: &Header) -> u16 {
        let code = header.flags & 0xf;
        let find = || -> Result<Option<u16>, Truncated> {
            let mut at = HEADER;
            for _ in 0..header.questions {
                at = skip_name(&self.view, at)? + 4;
            }
            let before = u32::from(header.answers) + u32::from(header.authorities);
            for index in 0..before + u32::from(header.additional) {
                at = skip_name(&self.view, at)?;
                if index >= before && self.view.u16(at)? == OPT {
                    return Ok(Some(u16::from(self.view.u8(at + 4)?)));
                }
                at += HEAD + usize::from(self.view.u16(at + 8)?);
            }
            Ok(None)
        };
        match find() {
            Ok(Some(upper)) => code | (upper << 4),
            _ => code,
        }
    }

    fn question(&self, line: &mut Line<'_>, start: usize) -> Result<usize, Truncated> {
        let at = skip_name(&self.view, start)?;
        let (kind, class) = (self.view.u16(at)?, self.view.u16(at + 2)?);
        put_type(line, kind);
        let is_multicast = self.kind == Kind::Multicast;
        put_class(
            line,
            if is_multicast {
                class & !MULTICAST_BIT
            } else {
                class
            },
        );
        if is_multicast {
            line.out.push_str(if class & MULTICAST_BIT != 0 {
                " (QU)"
            } else {
                " (QM)"
            });
        }
        line.out.push_str("? ");
        put_name(line, &self.view, start)?;
        Ok(at + 4)
    }

    fn section(
        &self,
        line: &mut Line<'_>,
        title: &str,
        count: u16,
        start: usize,
    ) -> Result<usize, Truncated> {
        let mut at = start;
        for index in 0..count {
            if index == 0 {
                line.out.push_str(title);
            } else if at >= self.view.bytes().len() {
                return Err(Truncated);
            } else {
                line.out.push(',');
            }
            at = self.record(line, at)?;
        }
        Ok(at)
    }

    fn record(&self, line: &mut Line<'_>, start: usize) -> Result<usize, Truncated> {
        let view = &self.view;
        let at = if line.style.verbose > 0 {
            line.out.push(' ');
            put_name(line, view, start)?
        } else {
            skip_name(view, start).unwrap_or(usize::MAX)
        };
        // A record whose head is cut off is left out; those that should follow it are missed.
        let Ok(head) = view.slice(at, HEAD) else {
            return Ok(view.bytes().len());
        };
        let head = View::new(head, HEAD);
        let (kind, class) = (head.u16(0)?, head.u16(2)?);
        let (ttl, len) = (head.u32(4)?, usize::from(head.u16(8)?));
        let mut plain_class = class;
        let is_multicast = self.kind == Kind::Multicast;
        if is_multicast {
            plain_class &= !MULTICAST_BIT;
        }
        if kind != OPT {
            put_class(line, plain_class);
        }
        if is_multicast && class & MULTICAST_BIT != 0 {
            line.out.push_str(" (Cache flush)");
        }
        if kind != OPT && line.style.verbose > 2 {
            put!(line, " [{}]", Duration(ttl));
        }
        put_type(line, kind);
        let data = at + HEAD;
        let end = data + len;
        view.slice(data, len)?;
        if kind == OPT {
            put!(line, " UDPsize={plain_class}");
            if ttl & 0x8000 != 0 {
                line.out.push_str(" DO");
            }
            edns::print(line, view, data, end)?;
        } else {
            self.data(line, kind, data, len)?;
        }
        Ok(end)
    }

    fn data(&self, line: &mut Line<'_>, kind: u16, at: usize, len: usize) -> Printed {
        const A: u16 = 1;
        const NS: u16 = 2;
        const CNAME: u16 = 5;
        const SOA: u16 = 6;
        const PTR: u16 = 12;
        const MX: u16 = 15;
        const TXT: u16 = 16;
        const AAAA: u16 = 28;
        const SRV: u16 = 33;
        const DNAME: u16 = 39;
        const URI: u16 = 256;
        let view = &self.view;
        match kind {
            A => put!(line, " {}", Ipv4Addr::from(view.array::<4>(at)?)),
            AAAA => put!(line, " {}", V6(Ipv6Addr::from(view.array::<16>(at)?))),
            NS | CNAME | PTR | DNAME => {
                line.out.push(' ');
                put_name(line, view, at)?;
            }
            SOA if line.style.verbose > 0 => {
                line.out.push(' ');
                let at = put_name(line, view, at)?;
                line.out.push(' ');
                let at = put_name(line, view, at)?;
                for index in 0..5 {
                    put!(line, " {}", view.u32(at + index * 4)?);
                }
            }
            MX => {
                line.out.push(' ');
                put_name(line, view, at + 2)?;
                put!(line, " {}", view.u16(at)?);
            }
            TXT => {
                let end = at + len;
                let mut at = at;
                while at < end {
                    let count = usize::from(view.u8(at)?);
                    put!(line, " \"{}\"", Text(view.slice(at + 1, count)?));
                    at += 1 + count;
                }
            }
            SRV => {
                line.out.push(' ');
                put_name(line, view, at + 6)?;
                put!(
                    line,
                    ":{} {} {}",
                    view.u16(at + 4)?,
                    view.u16(at)?,
                    view.u16(at + 2)?
                );
            }
            URI if len < 4 => put!(line, " len {len} is too short (< 4)"),
            URI => put!(
                line,
                " {} {} {}",
                view.u16(at)?,
                view.u16(at + 2)?,
                Text(view.slice(at + 4, len - 4)?)
            ),
            _ => {}
        }
        Ok(())
    }
}

fn put_type(line: &mut Line<'_>, kind: u16) {
    match names::find(TYPES, kind) {
        Some(name) => put!(line, " {name}"),
        None => put!(line, " Type{kind}"),
    }
}

fn put_class(line: &mut Line<'_>, class: u16) {
    match names::find(CLASSES, class) {
        _ if class == IN => {}
        Some(name) => put!(line, " {name}"),
        None => put!(line, " (Class {class})"),
    }
}

/// Where the name at `at` ends, without following it.
fn skip_name(view: &View<'_>, at: usize) -> Result<usize, Truncated> {
    let mut at = at;
    loop {
        let len = view.u8(at)?;
        match len >> 6 {
            0 if len == 0 => return Ok(at + 1),
            0 => at += 1 + usize::from(len),
            3 => {
                view.u8(at + 1)?;
                return Ok(at + 2);
            }
            _ => return Err(Truncated),
        }
    }
}

/// Writes the name at `at` and returns where it ends.
///
/// A name may continue at an earlier place of the message, and only at an earlier one, so that it
/// ends.
pub fn put_name(line: &mut Line<'_>, view: &View<'_>, at: usize) -> Result<usize, Truncated> {
    let mut end = None;
    let mut limit = at;
    let mut at = at;
    let mut written = 0;
    let mut is_root = true;
    loop {
        let len = view.u8(at)?;
        match len >> 6 {
            0 if len == 0 => {
                if is_root {
                    line.out.push('.');
                }
                if written > LONGEST_NAME {
                    line.out.push_str("<DOMAIN NAME TOO LONG>");
                }
                return Ok(end.unwrap_or(at + 1));
            }
            0 => {
                is_root = false;
                let label = view.slice(at + 1, len.into())?;
                let room = LONGEST_NAME.saturating_sub(written);
                put!(line, "{}", Text(label.get(..room).unwrap_or(label)));
                written += label.len();
                if written <= LONGEST_NAME {
                    line.out.push('.');
                }
                written += 1;
                at += 1 + label.len();
            }
            3 => {
                let target = usize::from(view.u16(at)? & 0x3fff);
                end.get_or_insert(at + 2);
                if target >= limit {
                    line.out.push_str("<BAD PTR>");
                    return Err(Truncated);
                }
                limit = target;
                at = target;
            }
            1 => {
                put!(line, "<ELT {}>", len & 0x3f);
                return Err(Truncated);
            }
            _ => {
                line.out.push_str("<BAD LABEL TYPE>");
                return Err(Truncated);
            }
        }
    }
}
