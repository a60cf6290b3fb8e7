// SPDX-License-Identifier: GPL-2.0

//! Packet rings: memory that a program maps, in which frames arrive and from which they are sent.
//!
//! A program asks for a ring with `PACKET_RX_RING` or `PACKET_TX_RING`: so many blocks of so many
//! bytes each. It maps the blocks one behind the other, and hands them to and fro with the kernel by
//! a status word, without a system call for each frame. There are three layouts:
//!
//! ```text
//! V1 and V2: each block is cut in slots of one size, one frame a slot. A rest at the end is unused.
//!
//! | slot 0 | slot 1 | slot 2 |rest| slot 3 | slot 4 | slot 5 |rest| ...
//! '--------- block 0 -----------' '--------- block 1 -----------'
//!
//! V3, receiving: each block has a descriptor with the status word of all that is in it, an area
//! that is the program's own, and as many frames as there is room for, one behind the other.
//!
//! | descriptor | private | frame | frame | frame |    ...
//! '--------------------- block 0 ---------------------' ...
//!
//! One frame, with its offsets from where the slot begins:
//!
//! 0         address   prefix           mac              net
//! | header | sockaddr_ll | ... [vnet] | link header    | data ... |
//!                                       '-------- kept ---------'
//! ```
//!
//! The program may write all of it at any time. So of the shared memory these files read the status words
//! alone, which say whose a slot or a block is, and what a slot asks to be sent, once. Whatever else decides
//! anything is kept in private memory.
//!
//! | file | |
//! |---|---|
//! | [`version`] | the three layouts, the lengths of their headers |
//! | [`geometry`] | what a program asks for, checked: the blocks and slots of a ring |
//! | [`layout`] | where in a slot a frame lies, how much of it is kept |
//! | [`header`] | what is written before a frame and at the head of a block; status bits |
//! | [`words`] | the status words of the shared memory, and what was lost |
//! | [`frames`] | versions 1 and 2, received: which slot a frame gets |
//! | [`blocks`], `block`, `cursor`, [`place`] | version 3, received: which place in which block |
//! | [`transmit`] | what a slot asks to be sent, which slot is next, and when it is free again |

#![forbid(unsafe_code)]

mod block;
pub(crate) mod blocks;
mod cursor;
pub(crate) mod frames;
pub(crate) mod geometry;
pub(crate) mod header;
pub(crate) mod layout;
pub(crate) mod place;
pub(crate) mod transmit;
pub(crate) mod version;
pub(crate) mod words;
