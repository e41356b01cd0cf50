#![deny(warnings, missing_docs)]
//! All that must be accepted without a warning.

/// A record.
#[derive(wasm::Record, Clone, Debug)]
pub struct Point {
    /// Right.
    pub x: i32,
    /// A keyword in both languages.
    pub r#type: String,
}

/// A generic variant of several payloads.
#[derive(wasm::Variant, Clone, Debug)]
pub enum Tree<T> {
    /// Nothing.
    Leaf,
    /// One.
    One(T),
    /// Two.
    Two(T, Box<Point>),
}

/// A record with a resource in it: it can be moved, not lent.
#[derive(wasm::Record)]
pub struct Owner {
    /// The resource.
    pub thing: api::Thing,
}

mod private {
    #[derive(wasm::Flags)]
    pub struct Modes {
        pub read: bool,
    }
    #[derive(wasm::Enum)]
    pub enum Level {
        Low,
        High,
    }
}

/// An interface.
#[wasm::export]
pub mod api {
    use super::*;

    /// A resource.
    #[derive(Debug)]
    pub struct Thing {
        size: u32,
    }

    #[wasm::export]
    impl Thing {
        /// Makes it.
        pub fn new(size: u32) -> Self {
            Self { size }
        }

        /// Changes it.
        pub fn grow(&mut self, by: &Thing) -> Result<(), String> {
            self.size += by.size;
            Ok(())
        }

        /// Ends it.
        pub fn finish(self) -> Owner {
            Owner { thing: self }
        }
    }

    /// Any number of parameters by any path.
    pub fn both(points: &[Point], tree: &Tree<Vec<u8>>, thing: &Thing) -> (u32, Option<Owner>) {
        let _ = (points, tree);
        (thing.size, None)
    }

    /// The text's type is an alias.
    pub fn alias(text: Text) -> Text {
        text
    }

    pub(crate) fn hidden<T>(value: T) -> T {
        value
    }
}

type Text = String;

/// In the world itself.
#[wasm::export(name = "renamed")]
pub fn named(modes: bool) -> Tree<Point> {
    let _ = api::hidden(modes);
    Tree::Leaf
}

#[wasm::export]
fn private(modes: private::Modes) -> private::Level {
    if modes.read { private::Level::High } else { private::Level::Low }
}

/// A host's interface.
#[wasm::import("acme:host/blobs@1.2.3")]
pub mod blobs {
    use super::Point;
    /// A resource of the host's.
    pub struct Blob;
    impl Blob {
        /// Makes one.
        pub fn new(name: &str, points: &[Point]) -> Self;
        /// Its size.
        pub fn size(&self) -> u64;
        /// Written here.
        pub fn is_empty(&self) -> bool {
            self.size() == 0
        }
    }
    /// Joins two.
    pub fn join(a: &Blob, b: Blob) -> Result<Blob, String>;
}

#[wasm::import]
unsafe extern "C" {
    /// The time.
    pub fn now() -> u64;
}

/// Uses them.
#[wasm::export]
pub fn total(names: Vec<String>) -> u64 {
    names.iter().map(|name| blobs::Blob::new(name, &[]).size()).sum::<u64>() + now()
}
