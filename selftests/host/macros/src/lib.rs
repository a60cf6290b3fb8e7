// SPDX-License-Identifier: GPL-2.0

//! The attributes of the `kernel` crate that drivers use, and its macro for registers, for the host.

#![forbid(unsafe_code)]

use proc_macro::{
    Delimiter,
    Group,
    TokenStream,
    TokenTree, //
};

mod register;

/// Takes the attribute `#[pin]` off the fields: on the host nothing needs to stay where it is.
#[proc_macro_attribute]
pub fn pin_data(_arguments: TokenStream, item: TokenStream) -> TokenStream {
    item.into_iter()
        .map(|token| match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                TokenTree::Group(Group::new(Delimiter::Brace, without_pin(group.stream())))
            }
            other => other,
        })
        .collect()
}

fn without_pin(fields: TokenStream) -> TokenStream {
    let mut kept: Vec<TokenTree> = Vec::new();
    for token in fields {
        let is_pin = matches!(&token, TokenTree::Group(group)
            if group.delimiter() == Delimiter::Bracket && group.stream().to_string() == "pin");
        if is_pin {
            // The sign in front of the bracket.
            kept.pop();
        } else {
            kept.push(token);
        }
    }
    kept.into_iter().collect()
}

/// Leaves all as it is: on the host a trait's own defaults say what is absent.
#[proc_macro_attribute]
pub fn vtable(_arguments: TokenStream, item: TokenStream) -> TokenStream {
    item
}

/// Defines registers: see `kernel::io::register`.
#[proc_macro]
pub fn register(input: TokenStream) -> TokenStream {
    register::expand(input)
}
