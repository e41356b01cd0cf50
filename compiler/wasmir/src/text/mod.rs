//! The text form (`.wir`): [`print_module`] and [`parse_module`].
//!
//! `docs/wasmir.md` holds the grammar. Printing what was parsed gives the same text again, and
//! parsing what was printed gives the same module (up to blocks outside the layout, which have no
//! text).
//!
//! ```
//! let text = "wasmir 1\n\
//!     type type0 = func(i32) -> (i32)\n\
//!     func %double type0 {\n\
//!       param l0: i32\n\
//!       local l1: i32\n\
//!     b0:\n\
//!       l1 = i32.add l0, l0\n\
//!       return l1\n\
//!     }\n";
//! let module = wasmir::parse_module(text).unwrap();
//! let again = wasmir::print_module(&module).to_string();
//! assert_eq!(wasmir::parse_module(&again).unwrap(), module);
//! let error = wasmir::parse_module("wasmir 1\nfunc %f type9\n").unwrap_err();
//! assert_eq!(error.to_string(), "2:9: there is no type `type9`");
//! ```

mod lexer;
mod parse_body;
mod parse_decl;
mod parser;
mod print_body;
mod printer;

pub use parser::{ParseError, parse_module};
pub use printer::{ModulePrinter, print_func, print_module};
pub(crate) use printer::{print_at, spell_func};

/// The version of the text form.
pub const TEXT_VERSION: u32 = 1;
