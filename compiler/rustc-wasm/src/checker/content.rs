//! What a place may hold: the domain of the flow analysis.
//!
//! # Lattice
//!
//! A [`Content`] is a set of the *parts* of a place in which a linear value may be. Parts form a tree, as places do: a field of a
//! variant, what a box points to, an element of an array, and at the leaves the value itself. The order is inclusion, the join is
//! union, bottom is "holds nothing". `rest` says whether a part that is not listed is in the set, so that "everything its type can
//! hold" ([`Content::full`]) needs no knowledge of the type, and a tree grows only where a program takes something apart.
//!
//! # Invariants
//!
//! A listed part never equals what `rest` says of it, unless it is listed for the sake of an exception below it; no tree is deeper than
//! the longest projection of a place in the body.
//!
//! # Cost
//!
//! Each operation is linear in the number of listed parts, which the number of moves out of parts in the body bounds.

use std::collections::BTreeMap;

/// A step from a place to a place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Part {
    /// A field, of a variant if the type is an enum (else 0).
    Field(u32, u32),
    /// What a box or a reference points to.
    Deref,
    /// An element of an array.
    Element(u64),
    /// The value as such: linear, but without a part that is.
    Itself,
}

/// The parts of a place that may hold a linear value.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Content {
    rest: bool,
    parts: BTreeMap<Part, Content>,
}

impl Content {
    /// Nothing: moved out, not yet initialised, `None`.
    pub(super) const fn empty() -> Self {
        Self { rest: false, parts: BTreeMap::new() }
    }

    /// Whatever the type can hold.
    pub(super) const fn full() -> Self {
        Self { rest: true, parts: BTreeMap::new() }
    }

    /// Exactly these parts.
    pub(super) fn of(parts: impl IntoIterator<Item = (Part, Content)>) -> Self {
        let parts = parts.into_iter().filter(|(_, content)| !content.is_empty()).collect();
        Self { rest: false, parts }
    }

    /// Whether nothing is held, whatever the type.
    pub(super) fn is_empty(&self) -> bool {
        !self.rest && self.parts.values().all(Content::is_empty)
    }

    /// What a part holds.
    pub(super) fn part(&self, part: Part) -> Content {
        match self.parts.get(&part) {
            Some(content) => content.clone(),
            None if self.rest => Content::full(),
            None => Content::empty(),
        }
    }

    /// What the place at the end of `path` holds.
    pub(super) fn get(&self, path: &[Part]) -> Content {
        match path.split_first() {
            None => self.clone(),
            Some((&first, path)) => match self.parts.get(&first) {
                Some(content) => content.get(path),
                None if self.rest => Content::full(),
                None => Content::empty(),
            },
        }
    }

    /// Replaces what the place at the end of `path` holds.
    pub(super) fn set(&mut self, path: &[Part], content: Content) {
        match path.split_first() {
            None => *self = content,
            Some((&first, path)) => {
                let mut inner = self.part(first);
                inner.set(path, content);
                if inner == (Content { rest: self.rest, parts: BTreeMap::new() }) {
                    self.parts.remove(&first);
                } else {
                    self.parts.insert(first, inner);
                }
            }
        }
    }

    /// Whether this is "whatever the type can hold", without an exception.
    pub(super) fn is_full(&self) -> bool {
        self.rest && self.parts.is_empty()
    }

    /// Restricts an enum to some of its variants, where `owned` are the parts of the type.
    pub(super) fn restrict(&mut self, variants: &[u32], owned: &[Part]) {
        let fits = |part: &Part| !matches!(part, Part::Field(of, _) if !variants.contains(of));
        if self.rest {
            let parts = owned.iter().filter(|part| fits(part)).map(|&part| (part, self.part(part)));
            *self = Content::of(parts.collect::<Vec<_>>());
        } else {
            self.parts.retain(|part, _| fits(part));
        }
    }

    /// Unites; says whether this one grew.
    pub(super) fn join(&mut self, other: &Content) -> bool {
        if self == other {
            return false;
        }
        let before = self.clone();
        let keys: Vec<Part> = self.parts.keys().chain(other.parts.keys()).copied().collect();
        let rest = self.rest || other.rest;
        let plain = Content { rest, parts: BTreeMap::new() };
        let mut parts = BTreeMap::new();
        for key in keys {
            let mut content = self.part(key);
            content.join(&other.part(key));
            if content != plain {
                parts.insert(key, content);
            }
        }
        *self = Content { rest, parts };
        *self != before
    }
}
