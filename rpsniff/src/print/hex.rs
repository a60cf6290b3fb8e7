// SPDX-License-Identifier: GPL-2.0

//! Bytes in hex and in ASCII: `-x`, `-X`, `-A`, and packets that have no printer.

use std::fmt::Write as _;

/// Bytes of a line.
const LINE: usize = 16;
/// Columns of the hex part of a full line: each pair of bytes has a space and four digits.
const COLUMNS: usize = LINE / 2 * 5;

/// `\t0x0000:  4500 0054 ...`, each line begun with a newline.
pub fn plain(out: &mut String, bytes: &[u8]) {
    indented(out, "\n\t", bytes);
}

/// The same, each line begun with `indent`.
pub fn indented(out: &mut String, indent: &str, bytes: &[u8]) {
    for (index, line) in bytes.chunks(LINE).enumerate() {
        let _ = write!(out, "{indent}0x{:04x}: {}", index * LINE, pairs(line));
    }
}

/// The same, followed by the printable characters.
pub fn with_ascii(out: &mut String, bytes: &[u8]) {
    for (index, line) in bytes.chunks(LINE).enumerate() {
        let ascii: String = line.iter().map(|byte| graphic(*byte)).collect();
        let _ = write!(
            out,
            "\n\t0x{:04x}: {:COLUMNS$}  {ascii}",
            index * LINE,
            pairs(line)
        );
    }
}

/// The bytes as text on a line of their own.
pub fn ascii(out: &mut String, bytes: &[u8]) {
    out.push('\n');
    let mut rest = bytes.iter().peekable();
    while let Some(byte) = rest.next() {
        match byte {
            // The end of a line of DOS is shown as that of a line of Unix.
            b'\r' => {
                if rest.peek() != Some(&&b'\n') {
                    out.push('.');
                }
            }
            b'\t' | b'\n' | b' ' => out.push(char::from(*byte)),
            other => out.push(graphic(*other)),
        }
    }
}

fn pairs(line: &[u8]) -> String {
    let mut text = String::with_capacity(COLUMNS);
    for pair in line.chunks(2) {
        text.push(' ');
        for byte in pair {
            let _ = write!(text, "{byte:02x}");
        }
    }
    text
}

fn graphic(byte: u8) -> char {
    if byte.is_ascii_graphic() {
        char::from(byte)
    } else {
        '.'
    }
}
