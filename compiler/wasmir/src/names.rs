//! Names for the entities of a body that do not depend on the module around it: their places in the order of first mention.
//!
//! Numbers of functions, globals and so on differ from build to build though a body does not. With places instead of numbers,
//! equal bodies have equal bytes, and what is kept of a body finds its entities again in another module. Source positions are
//! named in the same way. Memories, of which a module has one or few, keep their numbers.
//!
//! # Algorithm
//! One walk over the layout. What the layout does not reach (blocks outside it, immediates and handlers of instructions that are gone) is
//! emptied, since nothing defines its names.
//!
//! # Invariants
//! [`Names::restore`] undoes [`Names::rewrite`], what was emptied excepted. Different entities have different names.
//!
//! # Cost
//! O(size of the body), a search in a short list or a hash per mention.

use crate::body::{BlockData, Body};
use crate::entities::*;
use crate::inst::{Imm, Inst, SrcLoc};
use crate::refs::{EntityVisitor, visit_end, visit_imm, visit_operator, visit_type};
use cranelift_entity::EntityRef;
use rustc_hash::FxHashMap;
use std::hash::Hash;
use std::mem;

/// A list of no more than this is searched from its begin.
const SHORT: usize = 12;

/// Things in the order of their first mention.
#[derive(Clone, Debug)]
pub struct Order<T> {
    list: Vec<T>,
    /// Empty while the list is short.
    places: FxHashMap<T, u32>,
}

impl<T> Default for Order<T> {
    fn default() -> Order<T> {
        Order {
            list: Vec::new(),
            places: FxHashMap::default(),
        }
    }
}

impl<T: Copy + Eq + Hash> Order<T> {
    /// The place of a thing, the next one if it is new.
    pub fn place(&mut self, thing: T) -> u32 {
        if let Some(place) = self.find(thing) {
            return place;
        }
        let place = self.list.len();
        self.list.push(thing);
        if place >= SHORT {
            if place == SHORT {
                self.places.extend(self.list.iter().copied().zip(0..));
            }
            self.places.insert(thing, place as u32);
        }
        place as u32
    }

    /// The place of a thing that has been mentioned.
    pub fn find(&self, thing: T) -> Option<u32> {
        match self.list.len() <= SHORT {
            true => self.list.iter().position(|&x| x == thing).map(|x| x as u32),
            false => self.places.get(&thing).copied(),
        }
    }

    /// What stands at a place.
    pub fn get(&self, place: u32) -> Option<T> {
        self.list.get(place as usize).copied()
    }

    /// All of them, in order.
    pub fn list(&self) -> &[T] {
        &self.list
    }
}

/// Calls a macro with the kinds of entities that have names: field, method of the visitor, type.
macro_rules! with_kinds {
    ($mac:ident) => {
        $mac! {
            funcs func Func, types ty TypeId, globals global Global, tables table Table, tags tag Tag, datas data Data,
            elems elem Elem
        }
    };
}

macro_rules! define {
    ($($field:ident $method:ident $ty:ty),*) => {
        /// What a body mentions.
        #[derive(Clone, Debug, Default)]
        pub struct Names {
            $(
                #[doc = concat!("In the order of first mention: `", stringify!($ty), "`.")]
                pub $field: Order<$ty>,
            )*
            /// Source positions.
            pub locs: Order<SrcLoc>,
        }

        /// Puts places where numbers stand.
        struct Rewrite<'a>(&'a mut Names);

        impl EntityVisitor for Rewrite<'_> {
            $(fn $method(&mut self, x: &mut $ty) {
                *x = <$ty>::new(self.0.$field.place(*x) as usize);
            })*
        }

        /// Puts numbers where places stand.
        struct Restore<'a> {
            names: &'a Names,
            /// Every place has something.
            complete: bool,
        }

        impl EntityVisitor for Restore<'_> {
            $(fn $method(&mut self, x: &mut $ty) {
                match self.names.$field.get(x.as_u32()) {
                    Some(found) => *x = found,
                    None => self.complete = false,
                }
            })*
        }

        impl Names {
            /// Adds all that `other` mentions, and calls `f` with the place of each in turn.
            pub fn add(&mut self, other: &Names, mut f: impl FnMut(u32)) {
                $(for &x in other.$field.list() {
                    f(self.$field.place(x));
                })*
                for &loc in other.locs.list() {
                    f(self.locs.place(loc));
                }
            }

            /// The places that all of these have in `around`, and how many there are of each kind in front of them; `None` if one has
            /// none there.
            pub fn within(&self, around: &Names) -> Option<Vec<u32>> {
                let mut out = Vec::new();
                $(
                    out.push(self.$field.list.len() as u32);
                    for &x in self.$field.list() {
                        out.push(around.$field.find(x)?);
                    }
                )*
                out.push(self.locs.list.len() as u32);
                for &loc in self.locs.list() {
                    out.push(around.locs.find(loc)?);
                }
                Some(out)
            }

            /// The opposite of [`Names::within`]; `None` if the places make no sense.
            pub fn from_within(places: &[u32], around: &Names) -> Option<Names> {
                fn part<'p>(rest: &mut &'p [u32]) -> Option<&'p [u32]> {
                    let (&len, after) = rest.split_first()?;
                    let (part, after) = after.split_at_checked(len as usize)?;
                    *rest = after;
                    Some(part)
                }
                let mut rest = places;
                let mut names = Names::default();
                $(for &place in part(&mut rest)? {
                    names.$field.place(around.$field.get(place)?);
                })*
                for &place in part(&mut rest)? {
                    names.locs.place(around.locs.get(place)?);
                }
                rest.is_empty().then_some(names)
            }
        }
    };
}

with_kinds!(define);

impl Names {
    /// Puts names in the place of all that `body` mentions.
    pub fn rewrite(&mut self, body: &mut Body) {
        clear_unused(body);
        let mut v = Rewrite(self);
        walk(body, &mut v);
        let mut last = (SrcLoc::NONE, SrcLoc::NONE);
        for_each_loc(body, |loc| {
            if loc.is_some() {
                if *loc != last.0 {
                    last = (*loc, SrcLoc(self.locs.place(*loc)));
                }
                *loc = last.1;
            }
        });
    }

    /// Puts what is named in the place of the names in `body`, which are as [`Names::rewrite`] left them; whether all names mean something.
    #[must_use]
    pub fn restore(&self, body: &mut Body) -> bool {
        let mut v = Restore {
            names: self,
            complete: true,
        };
        walk(body, &mut v);
        let mut complete = v.complete;
        for_each_loc(body, |loc| {
            if loc.is_some() {
                match self.locs.get(loc.0) {
                    Some(found) => *loc = found,
                    None => complete = false,
                }
            }
        });
        complete
    }
}

fn for_each_loc(body: &mut Body, mut f: impl FnMut(&mut SrcLoc)) {
    for &block in &body.layout {
        let data = &mut body.blocks[block];
        data.locs.iter_mut().for_each(&mut f);
        f(&mut data.term_loc);
    }
}

/// Visits every entity in the layout once; those of immediates and handlers that several share once as well.
fn walk(body: &mut Body, v: &mut impl EntityVisitor) {
    for ty in body.locals.values_mut().filter(|ty| ty.is_ref()) {
        visit_type(ty, v);
    }
    let mut imms = vec![false; body.pool.imms.len()];
    let mut handlers = vec![false; body.pool.handlers.len()];
    for &block in &body.layout {
        let data = &mut body.blocks[block];
        for inst in &mut data.insts {
            match inst {
                Inst::Op { imm, .. } => {
                    if let Some(id) = imm.expand()
                        && !mem::replace(&mut imms[id.index()], true)
                    {
                        visit_imm(&mut body.pool.imms[id], v);
                    }
                }
                other => visit_operator(other, v),
            }
        }
        visit_end(&mut data.term, v);
        if let Some(id) = data.term.handlers()
            && !mem::replace(&mut handlers[id.index()], true)
        {
            let tags = body.pool.handlers[id].iter_mut();
            tags.filter_map(|h| h.tag.as_mut())
                .for_each(|tag| v.tag(tag));
        }
    }
}

/// Empties what nothing in the layout refers to.
fn clear_unused(body: &mut Body) {
    let mut blocks = vec![false; body.blocks.len()];
    let mut imms = vec![false; body.pool.imms.len()];
    let mut handlers = vec![false; body.pool.handlers.len()];
    for &block in &body.layout {
        blocks[block.index()] = true;
        let data = &body.blocks[block];
        for inst in &data.insts {
            if let Inst::Op { imm, .. } = inst
                && let Some(id) = imm.expand()
            {
                imms[id.index()] = true;
            }
        }
        if let Some(id) = data.term.handlers() {
            handlers[id.index()] = true;
        }
    }
    for (block, data) in body.blocks.iter_mut() {
        if !blocks[block.index()] {
            *data = BlockData::default();
        }
    }
    for (id, imm) in body.pool.imms.iter_mut() {
        if !imms[id.index()] {
            *imm = Imm::Lane(0);
        }
    }
    for (id, list) in body.pool.handlers.iter_mut() {
        if !handlers[id.index()] {
            list.clear();
        }
    }
}
