// SPDX-License-Identifier: GPL-2.0

//! Programs as text, for `-d`.

use std::fmt::Write as _;

use super::bpf::{extension, Insn, EXTENSIONS, JA};

const CLASS: u16 = 0x07;
const MODE: u16 = 0xe0;
const OPERATION: u16 = 0xf0;
const SIZE: u16 = 0x18;
/// The source bit of arithmetic and jumps: X instead of the constant.
const X: u16 = 0x08;

/// The kernel's extensions, by the names that libpcap prints.
const EXTENSION_NAMES: [(i32, &str); 7] = [
    (libc::SKF_AD_PROTOCOL, "proto"),
    (libc::SKF_AD_PKTTYPE, "type"),
    (libc::SKF_AD_IFINDEX, "ifidx"),
    (libc::SKF_AD_HATYPE, "hatype"),
    (libc::SKF_AD_VLAN_TAG, "vlan_tci"),
    (libc::SKF_AD_VLAN_TAG_PRESENT, "vlanp"),
    (libc::SKF_AD_VLAN_TPID, "vlan_tpid"),
];

/// Names of arithmetic operations, by the four bits of their number.
const ALU: [&str; 11] = [
    "add", "sub", "mul", "div", "or", "and", "lsh", "rsh", "neg", "mod", "xor",
];

/// One line for each instruction, in libpcap's form.
pub fn listing(program: &[Insn]) -> String {
    let mut text = String::new();
    for (index, insn) in program.iter().enumerate() {
        let (operation, operand) = names(index, *insn);
        let _ = write!(text, "({index:03}) {operation:8} ");
        let _ = if insn.code & CLASS == libc::BPF_JMP as u16 && insn.code != JA {
            writeln!(
                text,
                "{operand:16} jt {}\tjf {}",
                index + 1 + usize::from(insn.jt),
                index + 1 + usize::from(insn.jf)
            )
        } else {
            writeln!(text, "{operand}")
        };
    }
    text
}

fn names(index: usize, Insn { code, k, .. }: Insn) -> (String, String) {
    let signed = k as i32;
    let size = match u32::from(code & SIZE) {
        libc::BPF_H => "h",
        libc::BPF_B => "b",
        _ => "",
    };
    let operation = u32::from(code & OPERATION);
    match u32::from(code & CLASS) {
        libc::BPF_LD => (
            format!("ld{size}"),
            match u32::from(code & MODE) {
                libc::BPF_ABS if k >= EXTENSIONS => EXTENSION_NAMES
                    .iter()
                    .find(|(number, _)| extension(*number) == k)
                    .map_or_else(|| format!("[{signed}]"), |(_, name)| format!("[{name}]")),
                libc::BPF_ABS => format!("[{k}]"),
                libc::BPF_IND => format!("[x + {signed}]"),
                libc::BPF_MEM => format!("M[{k}]"),
                libc::BPF_LEN => "#pktlen".to_owned(),
                _ => format!("#{k:#x}"),
            },
        ),
        libc::BPF_LDX => match u32::from(code & MODE) {
            libc::BPF_MSH => ("ldxb".to_owned(), format!("4*([{k}]&0xf)")),
            libc::BPF_MEM => ("ldx".to_owned(), format!("M[{k}]")),
            libc::BPF_LEN => ("ldx".to_owned(), "#pktlen".to_owned()),
            _ => ("ldx".to_owned(), format!("#{k:#x}")),
        },
        libc::BPF_ST => ("st".to_owned(), format!("M[{k}]")),
        libc::BPF_STX => ("stx".to_owned(), format!("M[{k}]")),
        libc::BPF_ALU => {
            let name = ALU.get(usize::from(code >> 4)).copied().unwrap_or("?");
            let operand = match operation {
                libc::BPF_NEG => String::new(),
                _ if code & X != 0 => "x".to_owned(),
                libc::BPF_AND | libc::BPF_OR | libc::BPF_XOR => format!("#{k:#x}"),
                _ => format!("#{signed}"),
            };
            (name.to_owned(), operand)
        }
        libc::BPF_JMP => {
            let operand = if code & X != 0 {
                "x".to_owned()
            } else {
                format!("#{k:#x}")
            };
            match operation {
                libc::BPF_JA => ("ja".to_owned(), (index + 1 + k as usize).to_string()),
                libc::BPF_JEQ => ("jeq".to_owned(), operand),
                libc::BPF_JGT => ("jgt".to_owned(), operand),
                libc::BPF_JGE => ("jge".to_owned(), operand),
                _ => ("jset".to_owned(), operand),
            }
        }
        libc::BPF_RET if code & SIZE != 0 => ("ret".to_owned(), String::new()),
        libc::BPF_RET => ("ret".to_owned(), format!("#{k}")),
        _ if code & 0xf8 == 0 => ("tax".to_owned(), String::new()),
        _ => ("txa".to_owned(), String::new()),
    }
}
