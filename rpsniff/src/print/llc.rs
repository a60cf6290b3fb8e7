// SPDX-License-Identifier: GPL-2.0

//! IEEE 802.2 logical link control, and SNAP.

use super::{
    ethernet::{self, Addresses},
    hex, ip,
    names::{self, Mac, Table, ETHERTYPES},
    put,
    view::{Truncated, View},
    Line,
};

/// How far a header was understood.
pub struct Outcome {
    /// Bytes of the header.
    pub header: usize,
    /// Whether what follows it was printed.
    pub known: bool,
}

const SAPS: &Table = &[
    (0x00, "Null"),
    (0xff, "Global"),
    (0x02, "802.1B I"),
    (0x03, "802.1B G"),
    (0x06, "IP"),
    (0x04, "SNA"),
    (0x0e, "ProWay NM"),
    (0x42, "STP"),
    (0x4e, "RS511"),
    (0x7e, "ISO8208"),
    (0x8e, "ProWay"),
    (0xaa, "SNAP"),
    (0xe0, "IPX"),
    (0xf0, "NetBeui"),
    (0xfe, "OSI"),
];

const COMMANDS: &Table = &[
    (0x03, "ui"),
    (0xe3, "test"),
    (0xaf, "xid"),
    (0x63, "ua"),
    (0x43, "disc"),
    (0x0f, "dm"),
    (0x6f, "sabme"),
    (0x87, "frmr"),
];

const SUPERVISORY: &Table = &[
    (0, "Receiver Ready"),
    (1, "Receiver not Ready"),
    (2, "Reject"),
];

const SAP_IP: u8 = 0x06;
const SAP_SNAP: u8 = 0xaa;
/// Unnumbered information.
const UI: u16 = 0x03;
/// Exchange identification, and the octet that begins its usual payload.
const XID: u16 = 0xaf;
const XID_FORMAT: u8 = 0x81;
/// Poll or final, in the control fields of one and of two octets.
const POLL_U: u16 = 0x10;
const POLL_IS: u16 = 0x0100;

fn flags(ssap: u8, poll: bool) -> &'static str {
    match (ssap & 1 != 0, poll) {
        (false, false) => "Command",
        (true, false) => "Response",
        (false, true) => "Poll",
        (true, true) => "Final",
    }
}

fn sap_name(sap: u8, what: &str) -> String {
    names::find(SAPS, sap).map_or_else(|| format!("Unknown {what} 0x{sap:02x}"), str::to_owned)
}

/// An LLC header and what follows it.
pub fn print(
    line: &mut Line<'_>,
    view: View<'_>,
    addresses: Option<&Addresses>,
) -> Result<Outcome, Truncated> {
    line.protocol = "llc";
    let short = |line: &mut Line<'_>| {
        line.truncated();
        hex::with_ascii(line.out, view.bytes());
        Ok(Outcome {
            header: view.bytes().len(),
            known: true,
        })
    };
    let Ok([dsap_field, ssap_field, first]) = view.array(0) else {
        return short(line);
    };
    // An unnumbered frame has a control field of one octet, the others one of two, which are in
    // little-endian order.
    let is_unnumbered = first & 3 == 3;
    let (control, header) = if is_unnumbered {
        (u16::from(first), 3)
    } else {
        let Ok(control) = view.array(2) else {
            return short(line);
        };
        (u16::from_le_bytes(control), 4)
    };
    let done = |known| Ok(Outcome { header, known });
    let (dsap, ssap) = (dsap_field & !1, ssap_field & !1);

    if line.style.ether {
        let name = |sap| names::find(SAPS, sap).unwrap_or("Unknown");
        put!(
            line,
            "LLC, dsap {} (0x{dsap:02x}) {}, ssap {} (0x{ssap:02x}) {}, ctrl 0x{control:0w$x}: ",
            name(dsap),
            if dsap_field & 1 != 0 {
                "Group"
            } else {
                "Individual"
            },
            name(ssap),
            flags(ssap_field, false),
            w = (header - 2) * 2
        );
    }

    let payload = view.skip(header);
    if (dsap, ssap, control) == (SAP_SNAP, SAP_SNAP, UI) {
        let known = snap(line, payload, addresses)?;
        return Ok(Outcome {
            header: header + 5,
            known,
        });
    }
    if (dsap, ssap, control) == (SAP_IP, SAP_IP, UI) {
        ip::print(line, payload)?;
        return done(true);
    }

    if !line.style.ether {
        let destination = sap_name(dsap, "DSAP");
        match addresses {
            Some(Addresses {
                source,
                destination: to,
            }) if ssap == dsap => {
                put!(line, "{} > {} {destination} ", Mac(source), Mac(to));
            }
            Some(Addresses {
                source,
                destination: to,
            }) => put!(
                line,
                "{} {} > {} {destination} ",
                Mac(source),
                sap_name(ssap, "SSAP"),
                Mac(to)
            ),
            None if ssap == dsap => put!(line, "{destination} "),
            None => put!(line, "{} > {destination} ", sap_name(ssap, "SSAP")),
        }
    }

    let length = view.len();
    if is_unnumbered {
        let command = control & !POLL_U;
        line.out.push_str("Unnumbered, ");
        match names::find(COMMANDS, command) {
            Some(name) => put!(line, "{name}"),
            None => put!(line, "{command:02x}"),
        }
        put!(
            line,
            ", Flags [{}], length {length}",
            flags(ssap_field, control & POLL_U != 0)
        );
        if command == XID {
            if payload.is_empty() {
                return done(true);
            }
            match (payload.u8(0), payload.array(1)) {
                (Ok(XID_FORMAT), Ok([a, b])) => {
                    put!(line, ": {a:02x} {b:02x}");
                    return done(true);
                }
                (Ok(XID_FORMAT) | Err(Truncated), Err(Truncated)) => {
                    line.truncated();
                    if !payload.bytes().is_empty() {
                        hex::with_ascii(line.out, payload.bytes());
                    }
                    return done(true);
                }
                _ => {}
            }
        }
        return done(false);
    }
    let flags = flags(ssap_field, control & POLL_IS != 0);
    let received = (control >> 9) & 0x7f;
    if control & 1 != 0 {
        put!(
            line,
            "Supervisory, {}, rcv seq {received}, Flags [{flags}], length {length}",
            names::find(SUPERVISORY, (control >> 2) & 3).unwrap_or("?")
        );
        return done(true);
    }
    put!(
        line,
        "Information, send seq {}, rcv seq {received}, Flags [{flags}], length {length}",
        (control >> 1) & 0x7f
    );
    done(false)
}

/// A SNAP header and what follows it. Returns whether that was printed.
fn snap(
    line: &mut Line<'_>,
    view: View<'_>,
    addresses: Option<&Addresses>,
) -> Result<bool, Truncated> {
    line.protocol = "snap";
    let [a, b, c, ..] = view.array::<5>(0)?;
    let oui = u32::from_be_bytes([0, a, b, c]);
    let kind = view.u16(3)?;
    let payload = view.skip(5);
    // The organizations whose protocol identifiers are EtherTypes.
    const ETHERNET: u32 = 0;
    const CISCO_BRIDGED: u32 = 0xf8;
    const OUIS: &Table = &[
        (0x000000, "Ethernet"),
        (0x00000c, "Cisco"),
        (0x00005e, "IANA"),
        (0x000081, "Nortel Networks SONMP"),
        (0x0000f8, "Cisco bridged"),
        (0x0080c2, "Ethernet bridged"),
        (0x080007, "Appletalk"),
    ];
    let oui_name = names::find(OUIS, oui).unwrap_or("Unknown");
    let kind_name = match oui {
        ETHERNET | CISCO_BRIDGED => names::find(ETHERTYPES, kind),
        _ => None,
    }
    .unwrap_or("Unknown");
    if line.style.ether {
        put!(
            line,
            "oui {oui_name} (0x{oui:06x}), {} {kind_name} (0x{kind:04x}), length {}: ",
            if oui == ETHERNET { "ethertype" } else { "pid" },
            payload.len()
        );
    }
    if matches!(oui, ETHERNET | CISCO_BRIDGED) && ethernet::print_type(line, kind, payload)? {
        return Ok(true);
    }
    if !line.style.ether {
        if let Some(Addresses {
            source,
            destination,
        }) = addresses
        {
            put!(line, "{} > {} ", Mac(source), Mac(destination));
        }
        if oui == ETHERNET {
            put!(line, "SNAP, ethertype {kind_name} (0x{kind:04x})");
        } else {
            put!(
                line,
                "SNAP, oui {oui_name} (0x{oui:06x}), pid {kind_name} (0x{kind:04x})"
            );
        }
        put!(line, ", length {}: ", payload.len());
    }
    Ok(false)
}
