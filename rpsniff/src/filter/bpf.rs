// SPDX-License-Identifier: GPL-2.0

//! Classic BPF programs as values: decode, change, assemble.
//!
//! A program that libpcap compiled is taken apart into [`Op`]s whose jumps name labels instead of
//! distances, so that instructions can be replaced by longer sequences, and is assembled again.

use thiserror::Error;

/// The most instructions that the kernel takes (`BPF_MAXINSNS`).
const MAX_INSTRUCTIONS: usize = libc::BPF_MAXINSNS as usize;

/// The most instructions that a conditional jump passes over.
const FARTHEST: usize = u8::MAX as usize;

/// Size bits of a load.
pub mod size {
    /// 32 bits.
    pub const W: u16 = libc::BPF_W as u16;
    /// 16 bits.
    pub const H: u16 = libc::BPF_H as u16;
    /// 8 bits.
    pub const B: u16 = libc::BPF_B as u16;
}

/// `ld [k]` of a size.
pub const LD_ABS: u16 = (libc::BPF_LD | libc::BPF_ABS) as u16;
/// `ld [x + k]` of a size.
pub const LD_IND: u16 = (libc::BPF_LD | libc::BPF_IND) as u16;
/// `ld M[k]`.
pub const LD_MEM: u16 = (libc::BPF_LD | libc::BPF_MEM) as u16;
/// `ld #len`.
pub const LD_LEN: u16 = (libc::BPF_LD | libc::BPF_LEN) as u16;
/// `ldx M[k]`.
pub const LDX_MEM: u16 = (libc::BPF_LDX | libc::BPF_MEM) as u16;
/// `ldx #len`.
pub const LDX_LEN: u16 = (libc::BPF_LDX | libc::BPF_LEN) as u16;
/// `ldxb 4 * ([k] & 0xf)`.
pub const LDX_MSH: u16 = (libc::BPF_LDX | libc::BPF_B | libc::BPF_MSH) as u16;
/// `st M[k]`.
pub const ST: u16 = libc::BPF_ST as u16;
/// `stx M[k]`.
pub const STX: u16 = libc::BPF_STX as u16;
/// `add #k`.
pub const ADD_K: u16 = (libc::BPF_ALU | libc::BPF_ADD | libc::BPF_K) as u16;
/// `and #k`.
pub const AND_K: u16 = (libc::BPF_ALU | libc::BPF_AND | libc::BPF_K) as u16;
/// `lsh #k`.
pub const LSH_K: u16 = (libc::BPF_ALU | libc::BPF_LSH | libc::BPF_K) as u16;
/// `rsh #k`.
pub const RSH_K: u16 = (libc::BPF_ALU | libc::BPF_RSH | libc::BPF_K) as u16;
/// `or x`.
pub const OR_X: u16 = (libc::BPF_ALU | libc::BPF_OR | libc::BPF_X) as u16;
/// `ja`.
pub const JA: u16 = (libc::BPF_JMP | libc::BPF_JA) as u16;
/// `jeq #k`.
pub const JEQ_K: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
/// `ret #k`.
pub const RET_K: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
/// `tax`.
pub const TAX: u16 = (libc::BPF_MISC | libc::BPF_TAX) as u16;

/// Where the kernel's extensions begin in the address space of absolute loads (`SKF_AD_OFF`).
pub const EXTENSIONS: u32 = libc::SKF_AD_OFF as u32;

/// The address of an extension.
pub const fn extension(number: i32) -> u32 {
    EXTENSIONS.wrapping_add(number as u32)
}

/// One instruction, `struct sock_filter`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Insn {
    /// Operation, addressing mode and size.
    pub code: u16,
    /// Distance of the jump if the condition holds.
    pub jt: u8,
    /// Distance of the jump if it does not.
    pub jf: u8,
    /// Constant, address or distance.
    pub k: u32,
}

/// Why a program cannot be used.
#[derive(Debug, Error, Eq, PartialEq)]
pub enum Error {
    /// A jump leaves the program, or an instruction is not text of four numbers.
    #[error("the compiled filter is malformed")]
    Malformed,
    /// The kernel's limit.
    #[error("the filter is too long: {0} instructions, and the kernel takes {MAX_INSTRUCTIONS}")]
    TooLong(usize),
}

/// A place in a program that jumps can name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Label(usize);

/// One step of a program under construction.
#[derive(Clone, Copy, Debug)]
enum Op {
    Plain {
        code: u16,
        k: u32,
    },
    Branch {
        code: u16,
        k: u32,
        yes: Label,
        no: Label,
    },
    Goto(Label),
    Bind(Label),
}

/// A program under construction.
#[derive(Default)]
pub struct Assembler {
    ops: Vec<Op>,
    labels: usize,
}

impl Assembler {
    /// A program without instructions.
    pub fn new() -> Self {
        Self::default()
    }

    /// A new label, to be bound once.
    pub fn label(&mut self) -> Label {
        self.labels += 1;
        Label(self.labels - 1)
    }

    /// Puts `label` before the next instruction.
    pub fn bind(&mut self, label: Label) {
        self.ops.push(Op::Bind(label));
    }

    /// An instruction that is no jump.
    pub fn plain(&mut self, code: u16, k: u32) {
        self.ops.push(Op::Plain { code, k });
    }

    /// A conditional jump.
    pub fn branch(&mut self, code: u16, k: u32, yes: Label, no: Label) {
        self.ops.push(Op::Branch { code, k, yes, no });
    }

    /// An unconditional jump.
    pub fn goto(&mut self, label: Label) {
        self.ops.push(Op::Goto(label));
    }

    /// Adds `program`, each instruction that is no jump as `map` writes it.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if a jump of `program` leaves it, and what `map` returns.
    pub fn program<E: From<Error>>(
        &mut self,
        program: &[Insn],
        mut map: impl FnMut(&mut Self, Insn) -> Result<(), E>,
    ) -> Result<(), E> {
        let labels: Vec<Label> = program.iter().map(|_| self.label()).collect();
        let target = |index: usize, distance: u32| -> Result<Label, Error> {
            labels
                .get(index + 1 + distance as usize)
                .copied()
                .ok_or(Error::Malformed)
        };
        for (index, (insn, label)) in program.iter().zip(&labels).enumerate() {
            self.bind(*label);
            if insn.code == JA {
                self.goto(target(index, insn.k)?);
            } else if insn.code & 0x07 == libc::BPF_JMP as u16 {
                let yes = target(index, insn.jt.into())?;
                let no = target(index, insn.jf.into())?;
                self.branch(insn.code, insn.k, yes, no);
            } else {
                map(self, *insn)?;
            }
        }
        Ok(())
    }

    /// The finished program.
    ///
    /// A conditional jump reaches 255 instructions; one that has to go further is written as a
    /// jump over two unconditional ones.
    ///
    /// # Errors
    ///
    /// [`Error::TooLong`], or [`Error::Malformed`] for a jump to a label that is not bound or lies
    /// behind.
    pub fn assemble(&self) -> Result<Vec<Insn>, Error> {
        let mut long = vec![false; self.ops.len()];
        // A jump that grows moves what is behind it, so others may have to grow: repeat until
        // nothing does. None ever shrinks, so this ends.
        loop {
            let places = self.places(&long);
            let mut next = long.clone();
            let mut at = 0;
            for ((op, is_long), next) in self.ops.iter().zip(&long).zip(&mut next) {
                if let Op::Branch { yes, no, .. } = op {
                    *next |= distance(&places, at, *yes)? > FARTHEST
                        || distance(&places, at, *no)? > FARTHEST;
                }
                at += length(op, *is_long);
            }
            if next == long {
                return self.encode(&long, &places);
            }
            long = next;
        }
    }

    fn places(&self, long: &[bool]) -> Vec<Option<usize>> {
        let mut places = vec![None; self.labels];
        let mut at = 0;
        for (op, is_long) in self.ops.iter().zip(long) {
            if let Op::Bind(Label(label)) = op {
                if let Some(place) = places.get_mut(*label) {
                    *place = Some(at);
                }
            }
            at += length(op, *is_long);
        }
        places
    }

    fn encode(&self, long: &[bool], places: &[Option<usize>]) -> Result<Vec<Insn>, Error> {
        let mut code = Vec::new();
        for (op, is_long) in self.ops.iter().zip(long) {
            let at = code.len();
            match *op {
                Op::Bind(_) => {}
                Op::Plain { code: op, k } => code.push(insn(op, 0, 0, k)),
                Op::Goto(label) => code.push(jump(places, at, label)?),
                Op::Branch {
                    code: op,
                    k,
                    yes,
                    no,
                } if *is_long => {
                    code.push(insn(op, 0, 1, k));
                    code.push(jump(places, at + 1, yes)?);
                    code.push(jump(places, at + 2, no)?);
                }
                Op::Branch {
                    code: op,
                    k,
                    yes,
                    no,
                } => {
                    let near = |label| {
                        u8::try_from(distance(places, at, label)?).map_err(|_| Error::Malformed)
                    };
                    code.push(insn(op, near(yes)?, near(no)?, k));
                }
            }
        }
        if code.len() > MAX_INSTRUCTIONS {
            return Err(Error::TooLong(code.len()));
        }
        Ok(code)
    }
}

const fn insn(code: u16, jt: u8, jf: u8, k: u32) -> Insn {
    Insn { code, jt, jf, k }
}

fn length(op: &Op, long: bool) -> usize {
    match op {
        Op::Bind(_) => 0,
        Op::Branch { .. } if long => 3,
        _ => 1,
    }
}

fn distance(places: &[Option<usize>], at: usize, Label(label): Label) -> Result<usize, Error> {
    places
        .get(label)
        .copied()
        .flatten()
        .and_then(|place| place.checked_sub(at + 1))
        .ok_or(Error::Malformed)
}

fn jump(places: &[Option<usize>], at: usize, label: Label) -> Result<Insn, Error> {
    let k = u32::try_from(distance(places, at, label)?).map_err(|_| Error::Malformed)?;
    Ok(insn(JA, 0, 0, k))
}

/// The scratch memory cells that `program` does not use.
pub fn free_cells(program: &[Insn]) -> impl Iterator<Item = u32> {
    let used: Vec<u32> = program
        .iter()
        .filter(|insn| matches!(insn.code, ST | STX | LD_MEM | LDX_MEM))
        .map(|insn| insn.k)
        .collect();
    (0..libc::BPF_MEMWORDS as u32).filter(move |cell| !used.contains(cell))
}
