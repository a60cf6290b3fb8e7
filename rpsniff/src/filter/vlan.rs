// SPDX-License-Identifier: GPL-2.0

//! Filters on VLAN tags, moved from the frame on the wire to the frame in the kernel.
//!
//! libpcap compiles `vlan` for a frame as it is on the wire, with the tag in bytes 12 to 15. The
//! kernel takes the outermost tag out of a frame before a packet socket's filter sees it, and keeps
//! it beside the frame. The program that is attached to the socket therefore is:
//!
//! ```text
//!         ld   vlan_tag_present
//!         jeq  #0, untagged, tagged
//! untagged:
//!         the program as compiled: the frame is what was on the wire
//! tagged:
//!         the program with each access to the wire's bytes moved to where they are now
//! ```
//!
//! The second copy reads the tag from the kernel's extensions, and what is behind the tag four
//! bytes earlier, so that it decides as the compiled program would on the wire's bytes.

use super::{
    bpf::{self, extension, size, Assembler, Insn},
    Error,
};

/// Where a tag is in an Ethernet frame on the wire.
const TAG: u32 = 12;
/// Bytes of a tag: type and control information.
pub const TAG_LEN: u32 = 4;
/// What is behind the tag.
const BEHIND: u32 = TAG + TAG_LEN;

const PRESENT: u32 = extension(libc::SKF_AD_VLAN_TAG_PRESENT);
const TPID: u32 = extension(libc::SKF_AD_VLAN_TPID);
const TCI: u32 = extension(libc::SKF_AD_VLAN_TAG);

/// Whether `expression` uses the keyword `vlan`.
///
/// A word of libpcap's grammar may contain dots and dashes, and a keyword behind a backslash is an
/// ordinary name.
pub fn is_mentioned(expression: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '\\');
    expression
        .split(|c: char| !word(c))
        .any(|token| token == "vlan")
}

/// Adds both copies of `program` to `assembler`.
///
/// # Errors
///
/// [`Error::VlanAccess`] if `program` reads the frame in a way that cannot be moved.
pub fn relocate(assembler: &mut Assembler, program: &[Insn]) -> Result<(), Error> {
    let untagged = assembler.label();
    let tagged = assembler.label();
    assembler.plain(bpf::LD_ABS | size::W, PRESENT);
    assembler.branch(bpf::JEQ_K, 0, untagged, tagged);
    assembler.bind(untagged);
    assembler.program(program, |assembler, insn| {
        assembler.plain(insn.code, insn.k);
        Ok::<(), Error>(())
    })?;
    assembler.bind(tagged);
    let mut cells = bpf::free_cells(program);
    let cells = cells.next().zip(cells.next());
    assembler.program(program, |assembler, insn| {
        move_access(assembler, insn, cells)
    })
}

fn move_access(
    assembler: &mut Assembler,
    Insn { code, k, .. }: Insn,
    cells: Option<(u32, u32)>,
) -> Result<(), Error> {
    const ABS_W: u16 = bpf::LD_ABS | size::W;
    const ABS_H: u16 = bpf::LD_ABS | size::H;
    const ABS_B: u16 = bpf::LD_ABS | size::B;
    const IND_W: u16 = bpf::LD_IND | size::W;
    const IND_H: u16 = bpf::LD_IND | size::H;
    const IND_B: u16 = bpf::LD_IND | size::B;
    match code {
        ABS_W => load(assembler, code, k, 4, cells),
        ABS_H => load(assembler, code, k, 2, cells),
        ABS_B => load(assembler, code, k, 1, cells),
        IND_W | IND_H | IND_B | bpf::LDX_MSH if k >= BEHIND => {
            assembler.plain(code, k - TAG_LEN);
            Ok(())
        }
        bpf::LDX_MSH if k < TAG => {
            assembler.plain(code, k);
            Ok(())
        }
        // Where the access lands is known only when the program runs.
        IND_W | IND_H | IND_B | bpf::LDX_MSH => Err(Error::VlanAccess),
        bpf::LD_LEN => {
            assembler.plain(code, 0);
            assembler.plain(bpf::ADD_K, TAG_LEN);
            Ok(())
        }
        bpf::LDX_LEN => {
            let (cell, _) = cells.ok_or(Error::VlanAccess)?;
            assembler.plain(bpf::ST, cell);
            assembler.plain(bpf::LD_LEN, 0);
            assembler.plain(bpf::ADD_K, TAG_LEN);
            assembler.plain(bpf::TAX, 0);
            assembler.plain(bpf::LD_MEM, cell);
            Ok(())
        }
        _ => {
            assembler.plain(code, k);
            Ok(())
        }
    }
}

/// A load of `length` bytes at the wire's offset `k`.
fn load(
    assembler: &mut Assembler,
    code: u16,
    k: u32,
    length: u32,
    cells: Option<(u32, u32)>,
) -> Result<(), Error> {
    match (k, length) {
        (bpf::EXTENSIONS.., _) => assembler.plain(code, k),
        (BEHIND.., _) => assembler.plain(code, k - TAG_LEN),
        _ if k + length <= TAG => assembler.plain(code, k),
        (12, 2) => assembler.plain(bpf::LD_ABS | size::W, TPID),
        (14, 2) => assembler.plain(bpf::LD_ABS | size::W, TCI),
        (_, 1) => byte(assembler, k),
        // The access straddles the edge of a field: put the bytes together. The program's X is
        // kept, its A is what the load overwrites.
        _ => {
            let (sum, saved_x) = cells.ok_or(Error::VlanAccess)?;
            assembler.plain(bpf::STX, saved_x);
            byte(assembler, k);
            for next in k + 1..k + length {
                assembler.plain(bpf::LSH_K, 8);
                assembler.plain(bpf::ST, sum);
                byte(assembler, next);
                assembler.plain(bpf::LDX_MEM, sum);
                assembler.plain(bpf::OR_X, 0);
            }
            assembler.plain(bpf::LDX_MEM, saved_x);
        }
    }
    Ok(())
}

/// A load of the wire's byte `k`.
fn byte(assembler: &mut Assembler, k: u32) {
    let (field, high) = match k {
        12 => (TPID, true),
        13 => (TPID, false),
        14 => (TCI, true),
        15 => (TCI, false),
        BEHIND.. => return assembler.plain(bpf::LD_ABS | size::B, k - TAG_LEN),
        _ => return assembler.plain(bpf::LD_ABS | size::B, k),
    };
    assembler.plain(bpf::LD_ABS | size::W, field);
    if high {
        assembler.plain(bpf::RSH_K, 8);
    } else {
        assembler.plain(bpf::AND_K, 0xff);
    }
}
