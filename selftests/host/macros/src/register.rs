// SPDX-License-Identifier: GPL-2.0

//! Types for registers, out of their description.
//!
//! One register is `NAME(type) @ offset { fields }`, with `[count]` behind the type if there are
//! several in a row, or `=> OTHER` in place of the offset if it stands where another one does. One
//! field is `high:low name;`, with `=> Type` before the semicolon if it is not a number.

use proc_macro::{
    Delimiter,
    TokenStream,
    TokenTree, //
};
use std::fmt::Write;
use std::iter::Peekable;

type Tokens = Peekable<proc_macro::token_stream::IntoIter>;

/// Where a register is.
enum Place {
    Offset(String),
    SameAs(String),
}

pub(crate) fn expand(input: TokenStream) -> TokenStream {
    let mut tokens = input.into_iter().peekable();
    let mut code = String::new();
    while tokens.peek().is_some() {
        register(&mut tokens, &mut code);
    }
    code.parse().expect("the generated code is Rust")
}

/// Skips documentation, which says nothing to the compiler.
fn skip_attributes(tokens: &mut Tokens) {
    while is_punct(tokens, '#') {
        tokens.next();
        tokens.next();
    }
}

fn is_punct(tokens: &mut Tokens, sign: char) -> bool {
    matches!(tokens.peek(), Some(TokenTree::Punct(punct)) if punct.as_char() == sign)
}

/// The arrow, if it is next.
fn arrow(tokens: &mut Tokens) -> bool {
    if !is_punct(tokens, '=') {
        return false;
    }
    tokens.next();
    tokens.next();
    true
}

fn word(tokens: &mut Tokens) -> String {
    tokens.next().expect("a word").to_string()
}

fn group(tokens: &mut Tokens, delimiter: Delimiter) -> Option<TokenStream> {
    match tokens.peek() {
        Some(TokenTree::Group(group)) if group.delimiter() == delimiter => {
            let stream = group.stream();
            tokens.next();
            Some(stream)
        }
        _ => None,
    }
}

fn register(tokens: &mut Tokens, code: &mut String) {
    skip_attributes(tokens);
    let mut visibility = String::new();
    let mut name = word(tokens);
    if name == "pub" {
        visibility = match group(tokens, Delimiter::Parenthesis) {
            Some(scope) => format!("pub({scope})"),
            None => name,
        };
        name = word(tokens);
    }
    let raw = group(tokens, Delimiter::Parenthesis)
        .expect("the type of the register")
        .to_string();
    let count = group(tokens, Delimiter::Bracket);
    let place = if arrow(tokens) {
        Place::SameAs(word(tokens))
    } else {
        tokens.next();
        Place::Offset(word(tokens))
    };
    let fields = group(tokens, Delimiter::Brace).expect("the fields");

    let mut methods = String::new();
    let mut fields = fields.into_iter().peekable();
    while fields.peek().is_some() {
        field(&mut fields, &raw, &mut methods);
    }
    write!(
        code,
        "#[derive(Clone, Copy, Debug, PartialEq, Eq)]
        {visibility} struct {name} {{ raw: {raw} }}
        #[allow(dead_code)]
        impl {name} {{
            pub(crate) const fn into_raw(self) -> {raw} {{ self.raw }}
            {methods}
        }}
        impl From<{raw}> for {name} {{ fn from(raw: {raw}) -> Self {{ Self {{ raw }} }} }}
        impl ::kernel::init::Zeroable for {name} {{
            fn zeroed() -> Self {{ Self {{ raw: 0 }} }}
        }}
        impl ::kernel::io::register::Register for {name} {{
            type Raw = {raw};
            fn from_word(raw: {raw}) -> Self {{ Self {{ raw }} }}
            fn word(self) -> {raw} {{ self.raw }}
        }}"
    )
    .expect("a string takes it");
    let offset = match place {
        Place::Offset(offset) => offset,
        Place::SameAs(other) => format!("{other}.offset()"),
    };
    match count {
        Some(count) => write!(
            code,
            "impl ::kernel::io::register::Array for {name} {{
                const BASE: usize = {offset};
                const COUNT: usize = {count};
            }}"
        ),
        None => write!(
            code,
            "{visibility} const {name}: ::kernel::io::register::Location<{name}> =
                ::kernel::io::register::Location::new({offset});
            impl ::kernel::io::register::Fixed for {name} {{
                const OFFSET: usize = {offset};
            }}"
        ),
    }
    .expect("a string takes it");
}

fn field(tokens: &mut Tokens, raw: &str, methods: &mut String) {
    skip_attributes(tokens);
    let high: u32 = word(tokens).parse().expect("the highest bit");
    tokens.next();
    let low: u32 = word(tokens).parse().expect("the lowest bit");
    let name = word(tokens);
    let meaning = arrow(tokens).then(|| word(tokens));
    tokens.next();

    let width = high - low + 1;
    let bounded = format!("::kernel::num::Bounded::<{raw}, {width}>");
    let mask = format!("((!0 >> ({raw}::BITS - {width})) << {low})");
    match meaning.as_deref() {
        Some("bool") => write!(
            methods,
            "pub(crate) fn {name}(self) -> bool {{ self.raw & {mask} != 0 }}
            pub(crate) fn with_{name}(self, value: bool) -> Self {{
                Self {{ raw: (self.raw & !{mask}) | if value {{ {mask} }} else {{ 0 }} }}
            }}"
        ),
        Some(meaning) => write!(
            methods,
            "pub(crate) fn {name}(self) -> {meaning} {{
                {meaning}::from({bounded}::truncated((self.raw & {mask}) >> {low}))
            }}
            pub(crate) fn with_{name}(self, value: {meaning}) -> Self {{
                Self {{ raw: (self.raw & !{mask}) | ({bounded}::from(value).get() << {low}) }}
            }}"
        ),
        None => write!(
            methods,
            "pub(crate) const {}_SHIFT: u32 = {low};
            pub(crate) fn {name}(self) -> {bounded} {{
                {bounded}::truncated((self.raw & {mask}) >> {low})
            }}
            pub(crate) fn with_const_{name}<const VALUE: {raw}>(self) -> Self {{
                Self {{ raw: (self.raw & !{mask}) | ({bounded}::new::<VALUE>().get() << {low}) }}
            }}",
            name.to_uppercase()
        ),
    }
    .expect("a string takes it");
}
