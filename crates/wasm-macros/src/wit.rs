//! `wit!`: WIT in WIT's own syntax, inside Rust.
//!
//! A macro receives tokens, and WIT is sensitive to what lies between them: `key-pair` is one name, `key - pair` is none. So the text is
//! put together again from the tokens' positions in the source file: tokens that touch there touch in the text. Every piece of text
//! remembers its token, by which wit-parser's errors find their way back to the user's line. wit-bindgen's generator then writes the
//! bindings, against the runtime that the `wasm` crate re-exports.

use crate::names::Package;
use proc_macro2::{Delimiter, Ident, Spacing, Span, TokenStream, TokenTree};
use quote::{format_ident, quote};
use wit_bindgen_core::wit_parser::{Resolve, UnresolvedPackageGroup, WorldId, WorldItem, WorldKey};
use wit_bindgen_core::{Files, WorldGenerator as _};

/// WIT text whose pieces know their tokens.
#[derive(Default)]
struct Text {
    text: String,
    /// Where each piece begins, in order.
    pieces: Vec<(usize, Span)>,
    /// Line and column at which the last token ended.
    end: Option<(usize, usize)>,
}

impl Text {
    fn push(&mut self, piece: &str, span: Span) {
        let (start, end) = (span.unwrap().start(), span.unwrap().end());
        let start = (start.line(), start.column());
        match self.end {
            Some(previous) if previous == start => {}
            Some((line, _)) if line != start.0 => self.text.push('\n'),
            Some(_) => self.text.push(' '),
            None => {}
        }
        self.pieces.push((self.text.len(), span));
        self.text.push_str(piece);
        self.end = Some((end.line(), end.column()));
    }

    fn stream(&mut self, stream: TokenStream) {
        let mut tokens = stream.into_iter().peekable();
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Punct(punct)
                    if punct.as_char() == '#' && punct.spacing() == Spacing::Alone =>
                {
                    match tokens.peek().and_then(doc_comment) {
                        Some((docs, span)) => {
                            tokens.next();
                            self.docs(&docs, span);
                        }
                        None => self.push("#", punct.span()),
                    }
                }
                TokenTree::Group(group) => {
                    let (open, close) = match group.delimiter() {
                        Delimiter::Parenthesis => ("(", ")"),
                        Delimiter::Brace => ("{", "}"),
                        Delimiter::Bracket => ("[", "]"),
                        Delimiter::None => ("", ""),
                    };
                    self.push(open, group.span_open());
                    self.stream(group.stream());
                    self.push(close, group.span_close());
                }
                token => self.push(&token.to_string(), token.span()),
            }
        }
    }

    fn docs(&mut self, docs: &str, span: Span) {
        for line in docs.lines() {
            self.pieces.push((self.text.len(), span));
            self.text.push_str("\n///");
            self.text.push_str(line);
        }
        self.text.push('\n');
        self.end = None;
    }

    /// The token that a byte of the text belongs to.
    fn span_at(&self, offset: usize) -> Span {
        let index = self.pieces.partition_point(|(start, _)| *start <= offset);
        self.pieces[..index]
            .last()
            .or(self.pieces.first())
            .map_or_else(Span::call_site, |(_, span)| *span)
    }
}

/// The text of a doc comment, of which macros see `#[doc = "…"]`.
fn doc_comment(token: &TokenTree) -> Option<(String, Span)> {
    let TokenTree::Group(group) = token else {
        return None;
    };
    let mut tokens = group.stream().into_iter();
    match (tokens.next()?, tokens.next()?, tokens.next()?) {
        (TokenTree::Ident(doc), TokenTree::Punct(equals), TokenTree::Literal(text))
            if doc == "doc" && equals.as_char() == '=' =>
        {
            let text: syn::LitStr = syn::parse2(TokenTree::from(text).into()).ok()?;
            Some((text.value(), group.span()))
        }
        _ => None,
    }
}

pub(crate) fn expand(input: TokenStream) -> syn::Result<TokenStream> {
    let mut text = Text::default();
    if !begins_with_package(&input) {
        text.text = format!("package {};\n", Package::current().id());
    }
    text.stream(input);
    let (mut resolve, world) = resolve(&mut text)?;
    let reexports = reexports(&resolve, world);
    let generate = |error: String| {
        syn::Error::new(
            Span::call_site(),
            format!("cannot generate bindings: {error}"),
        )
    };
    let options = wit_bindgen_rust::Opts {
        runtime_path: Some("::wasm::rt".to_owned()),
        bitflags_path: Some("::wasm::rt::bitflags".to_owned()),
        generate_all: true,
        generate_unused_types: true,
        ..wit_bindgen_rust::Opts::default()
    };
    let mut files = Files::default();
    options
        .build()
        .generate(&mut resolve, world, &mut files)
        .map_err(|error| generate(format!("{error:#}")))?;
    let mut out = TokenStream::new();
    for (_, source) in files.iter() {
        let source = std::str::from_utf8(source).map_err(|error| generate(error.to_string()))?;
        out.extend(
            source
                .parse::<TokenStream>()
                .map_err(|error| generate(error.to_string()))?,
        );
    }
    out.extend(reexports);
    Ok(out)
}

/// Whether the first word, after documentation, is `package`.
fn begins_with_package(input: &TokenStream) -> bool {
    let first = input
        .clone()
        .into_iter()
        .find(|token| matches!(token, TokenTree::Ident(_)));
    matches!(first, Some(TokenTree::Ident(ident)) if ident == "package")
}

/// Parses the text and chooses its world; text without one gets a world that imports every interface.
fn resolve(text: &mut Text) -> syn::Result<(Resolve, WorldId)> {
    let parse = |text: &Text| {
        UnresolvedPackageGroup::parse("wit", &text.text).map_err(|(_, error)| {
            let span = text.span_at(error.kind().span().start() as usize);
            let message = error.to_string();
            syn::Error::new(span, format!("{message}\n{}", hint(&message)))
        })
    };
    let mut group = parse(text)?;
    if group.main.worlds.len() == 0 {
        let mut names: Vec<String> = group
            .main
            .interfaces
            .iter()
            .filter_map(|(_, interface)| interface.name.clone())
            .collect();
        if names.is_empty() {
            let message = "there is nothing to bind\nhelp: write an `interface … { … }` to import, or a `world … { … }`";
            return Err(syn::Error::new(Span::call_site(), message));
        }
        names.sort();
        let imports: String = names
            .iter()
            .map(|name| format!("import %{name};\n"))
            .collect();
        let world = format!(
            "\nworld %imports-{} {{\n{imports}}}\n",
            fingerprint(&text.text)
        );
        text.text.push_str(&world);
        group = parse(text)?;
    }
    let mut resolve = Resolve::default();
    let package = resolve.push_group(group).map_err(|error| {
        let message = error.to_string();
        syn::Error::new(
            text.span_at(error.kind().span().start() as usize),
            format!("{message}\n{}", hint(&message)),
        )
    })?;
    let world = resolve.select_world(&[package], None).map_err(|error| {
        let message = format!("{error:#}\nhelp: write one `world` in each `wasm::wit!`");
        syn::Error::new(Span::call_site(), message)
    })?;
    Ok((resolve, world))
}

/// A name that no other invocation's text has, in the letters of a WIT name (FNV-1a).
fn fingerprint(text: &str) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in text.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    }
    format!("h{hash:016x}")
}

/// What to write instead, for the mistakes that a reader of Rust makes.
fn hint(message: &str) -> &'static str {
    if message.contains("keyword `func`") {
        "help: a function is written `name: func(parameter: type) -> type;`"
    } else if message.contains("does not exist") {
        "help: define the type in this interface, or bring it in by `use other.{name};`"
    } else if message.contains("not found") {
        "help: a package from elsewhere must be written out in the same `wasm::wit!`, as `package name:space { … }`"
    } else {
        "help: the text is WIT, not Rust: names are written `key-pair`, types `list<u8>`, `string`, `s32`"
    }
}

/// `pub use`s by which an imported interface is found under its own name.
fn reexports(resolve: &Resolve, world: WorldId) -> TokenStream {
    let world = &resolve.worlds[world];
    let mut taken: Vec<Ident> = Vec::new();
    let mut out = TokenStream::new();
    for (key, item) in &world.imports {
        let (WorldKey::Interface(_), WorldItem::Interface { id, .. }) = (key, item) else {
            continue;
        };
        let interface = &resolve.interfaces[*id];
        let (Some(name), Some(package)) = (&interface.name, interface.package) else {
            continue;
        };
        if Some(package) != world.package {
            continue;
        }
        let package = &resolve.packages[package].name;
        let [namespace, package, name] =
            [&package.namespace, &package.name, name].map(|word| rust_ident(word));
        if name != namespace && !taken.contains(&name) {
            out.extend(quote! {
                #[allow(unused_imports)]
                pub use self::#namespace::#package::#name;
            });
            taken.push(name);
        }
    }
    out
}

/// The identifier that the generator makes of a WIT name.
fn rust_ident(name: &str) -> Ident {
    let name = name.replace('-', "_");
    match syn::parse_str::<Ident>(&name) {
        Ok(ident) => ident,
        Err(_) => format_ident!("{name}_"),
    }
}
