// SPDX-License-Identifier: GPL-2.0

//! Programs that look at received frames first, and frames that they send. A program is a function of the
//! test.

use super::{
    driver::Operations,
    napi::Poll,
    page_pool::{
        Buffer,
        Pool, //
    },
    queue::TxQueue,
    skbuff, //
};
use crate::ext::dma::Mapping;
use kernel::{
    device::{
        self,
        Bound, //
    },
    prelude::*, //
};
use std::{
    cell::Cell,
    marker::PhantomData, //
};

thread_local! {
    static ATOMIC: Cell<bool> = const { Cell::new(false) };
}

/// Calls `f` with interrupts disabled, as netpoll does.
pub(crate) fn with_interrupts_disabled<R>(f: impl FnOnce() -> R) -> R {
    ATOMIC.set(true);
    let result = f();
    ATOMIC.set(false);
    result
}

/// A program: it may change the frame, in length, too.
pub(crate) type Function = fn(&mut Vec<u8>) -> Action;

/// Where the frame is in its buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    len: u32,
}

impl View {
    pub(crate) fn whole(len: u32) -> Self {
        Self { len }
    }

    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    pub(crate) fn has_meta(&self) -> bool {
        false
    }
}

/// What a program wants for a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Pass,
    Drop,
    Abort,
    Transmit,
    Redirect,
}

/// The program of an interface.
#[derive(Clone, Copy)]
pub(crate) struct Program<'a>(Function, PhantomData<&'a ()>);

impl<'a, T: Operations> Poll<'a, T> {
    pub(crate) fn program(&self) -> Option<Program<'a>> {
        Some(Program(self.dev().program()?, PhantomData))
    }

    pub(crate) fn run(
        &mut self,
        program: Program<'a>,
        pool: &Pool<'_>,
        buffer: &mut Buffer<'_>,
        len: u32,
    ) -> Result<(Action, View)> {
        assert!(pool.is_for_programs(), "a program looks where it must not");
        let mut frame = buffer.frame(len)?;
        let action = program.0(&mut frame);
        buffer.put(&frame);
        let len = frame.len() as u32;
        Ok((action, View { len }))
    }

    pub(crate) fn report_lost(&self, _program: Program<'a>, _action: Action) {}

    pub(crate) fn redirect<'bound>(
        &mut self,
        _program: Program<'a>,
        _pool: &Pool<'bound>,
        buffer: Buffer<'bound>,
        view: View,
    ) -> Result<(), Buffer<'bound>> {
        let frame = buffer.frame(view.len);
        if frame.is_ok_and(|frame| self.dev().redirect(frame)) {
            Ok(())
        } else {
            Err(buffer)
        }
    }
}

/// A frame to send that is no packet.
pub(crate) struct Frame<'bound> {
    memory: Memory<'bound>,
    len: u32,
}

/// Where it is.
enum Memory<'bound> {
    /// In the buffer that it was received in.
    Received(Buffer<'bound>),
    /// In another device's.
    Other(Mapping<'bound>),
}

impl<'bound> Frame<'bound> {
    pub(crate) fn from_received(
        _pool: &Pool<'bound>,
        mut buffer: Buffer<'bound>,
        view: View,
        pad_to: u32,
    ) -> Result<Self, Buffer<'bound>> {
        let Ok(mut frame) = buffer.frame(view.len) else {
            return Err(buffer);
        };
        if view.len < pad_to {
            frame.resize(pad_to as usize, 0);
            buffer.put(&frame);
        }
        Ok(Self {
            len: frame.len() as u32,
            memory: Memory::Received(buffer),
        })
    }

    pub(crate) fn address(&self) -> u64 {
        skbuff::note_stamp();
        match &self.memory {
            Memory::Received(buffer) => buffer.address(),
            Memory::Other(mapping) => mapping.address(),
        }
    }

    pub(crate) fn len(&self) -> u32 {
        self.len
    }
}

impl Drop for Frame<'_> {
    fn drop(&mut self) {
        assert!(
            !ATOMIC.get(),
            "a frame is given up with interrupts disabled"
        );
    }
}

/// The frames that another device's programs have for this one.
pub(crate) struct Frames<'a> {
    frames: &'a [Vec<u8>],
    taken: usize,
}

impl<'a> Frames<'a> {
    pub(crate) fn new(frames: &'a [Vec<u8>]) -> Self {
        Self { frames, taken: 0 }
    }

    pub(crate) fn taken(&self) -> usize {
        self.taken
    }

    pub(crate) fn unsent(&self) -> usize {
        self.frames.len() - self.taken
    }

    pub(crate) fn take<'bound>(
        &mut self,
        dev: &'bound device::Device<Bound>,
        pad_to: u32,
    ) -> Option<Frame<'bound>> {
        let mut frame = self.frames.get(self.taken)?.clone();
        frame.resize(frame.len().max(pad_to as usize), 0);
        let mapping = Mapping::of_bytes(dev, &frame).ok()?;
        self.taken += 1;
        Some(Frame {
            len: mapping.len(),
            memory: Memory::Other(mapping),
        })
    }
}

impl TxQueue<'_> {
    pub(crate) fn may_drop_frames(&self) -> bool {
        !ATOMIC.get()
    }
}
