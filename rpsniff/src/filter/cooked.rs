// SPDX-License-Identifier: GPL-2.0

//! Filters for cooked captures, moved from the header in the file to what the kernel has.
//!
//! A cooked capture (`-i any`) has no link-layer header; each packet gets a `LINUX_SLL2` header
//! that user space makes from the packet's address. libpcap compiles for that header, which is not
//! there when the filter runs in the kernel: the frame starts with the network header, and the
//! fields of the cooked header are extensions.

use super::{
    bpf::{self, extension, size, Assembler, Insn},
    Error,
};
use crate::link::SLL2_LEN;

const HEADER: u32 = SLL2_LEN as u32;

/// Adds `program` to `assembler`.
///
/// # Errors
///
/// [`Error::CookedAccess`] if `program` reads what the kernel does not have.
pub fn relocate(assembler: &mut Assembler, program: &[Insn]) -> Result<(), Error> {
    let cell = bpf::free_cells(program).next();
    assembler.program(program, |assembler, Insn { code, k, .. }| {
        const CLASS: u16 = 0x07;
        const MODE: u16 = 0xe0;
        const ABS: u16 = bpf::LD_ABS & MODE;
        const IND: u16 = bpf::LD_IND & MODE;
        let is_load = code & CLASS == libc::BPF_LD as u16;
        let reads_frame = is_load && matches!(code & MODE, ABS | IND) || code == bpf::LDX_MSH;
        if is_load && code & MODE == ABS && k >= bpf::EXTENSIONS {
            assembler.plain(code, k);
        } else if reads_frame && k >= HEADER {
            assembler.plain(code, k - HEADER);
        } else if reads_frame {
            let field = match (code ^ bpf::LD_ABS, k) {
                (size::H, 0) => libc::SKF_AD_PROTOCOL,
                (size::W, 4) => libc::SKF_AD_IFINDEX,
                (size::H, 8) => libc::SKF_AD_HATYPE,
                (size::B, 10) => libc::SKF_AD_PKTTYPE,
                _ => return Err(Error::CookedAccess),
            };
            assembler.plain(bpf::LD_ABS | size::W, extension(field));
        } else if code == bpf::LD_LEN {
            assembler.plain(code, 0);
            assembler.plain(bpf::ADD_K, HEADER);
        } else if code == bpf::LDX_LEN {
            let cell = cell.ok_or(Error::CookedAccess)?;
            assembler.plain(bpf::ST, cell);
            assembler.plain(bpf::LD_LEN, 0);
            assembler.plain(bpf::ADD_K, HEADER);
            assembler.plain(bpf::TAX, 0);
            assembler.plain(bpf::LD_MEM, cell);
        } else {
            assembler.plain(code, k);
        }
        Ok(())
    })
}
