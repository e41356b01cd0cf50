//! Which types may stand for which.
//!
//! Types of different recursion groups are equal when their groups are, with references inside a
//! group taken relative to it (the "iso-recursive" rule of the WebAssembly GC proposal). Groups are
//! made canonical in order, so that every comparison after that is one of numbers.

use crate::entities::TypeId;
use crate::types::*;
use rustc_hash::FxHashMap;

/// The subtype relation of a module.
#[derive(Clone, Debug, Default)]
pub struct Subtyping {
    /// The first equal type of each type.
    canonical: Vec<TypeId>,
    /// Canonical supertypes of each type.
    supertypes: Vec<Option<TypeId>>,
    kinds: Vec<AbstractHeap>,
}

impl Subtyping {
    /// The relation of a valid type section.
    pub fn new(types: &Types) -> Subtyping {
        let mut s = Subtyping::default();
        let mut groups: FxHashMap<Vec<TypeDef>, u32> = FxHashMap::default();
        for range in types.groups() {
            let start = range.start;
            let key: Vec<TypeDef> = range
                .clone()
                .map(|i| {
                    let mut def = types[TypeId::from_u32(i)].clone();
                    // Inside the group: counted down from the end of the numbers; outside: canonical.
                    s.relocate(&mut def, start);
                    def
                })
                .collect();
            let first = *groups.entry(key).or_insert(start);
            for i in range {
                let def = &types[TypeId::from_u32(i)];
                s.canonical.push(TypeId::from_u32(first + (i - start)));
                s.kinds.push(match def.composite {
                    CompositeType::Func(_) => AbstractHeap::Func,
                    CompositeType::Struct(_) => AbstractHeap::Struct,
                    CompositeType::Array(_) => AbstractHeap::Array,
                });
                s.supertypes.push(def.supertype);
            }
        }
        for i in 0..s.supertypes.len() {
            s.supertypes[i] = s.supertypes[i].map(|t| s.canonical(t));
        }
        s
    }

    fn relocate(&self, def: &mut TypeDef, start: u32) {
        let id = |id: &mut TypeId| {
            *id = match id.as_u32().checked_sub(start) {
                Some(inside) => TypeId::from_u32(u32::MAX - 1 - inside),
                None => self.canonical(*id),
            };
        };
        let ty = |ty: &mut Type| {
            if let Type::Ref(RefType {
                heap: HeapType::Concrete(t),
                ..
            }) = ty
            {
                id(t);
            }
        };
        def.supertype.iter_mut().for_each(id);
        match &mut def.composite {
            CompositeType::Func(f) => f.params.iter_mut().chain(&mut f.results).for_each(ty),
            CompositeType::Struct(fields) => fields.iter_mut().for_each(|f| ty(&mut f.ty)),
            CompositeType::Array(element) => ty(&mut element.ty),
        }
    }

    /// The first type equal to `id`.
    pub fn canonical(&self, id: TypeId) -> TypeId {
        self.canonical
            .get(id.as_u32() as usize)
            .copied()
            .unwrap_or(id)
    }

    /// Whether a value of type `a` may stand where `b` is wanted.
    pub fn is_subtype(&self, a: Type, b: Type) -> bool {
        match (a, b) {
            (Type::Ref(a), Type::Ref(b)) => {
                (b.nullable || !a.nullable) && self.is_heap_subtype(a.heap, b.heap)
            }
            _ => a == b,
        }
    }

    /// The top of the hierarchy that a heap type belongs to, and whether its objects are shared. A reference never becomes one of
    /// another hierarchy by a test or cast.
    pub fn hierarchy(&self, heap: HeapType) -> (AbstractHeap, bool) {
        use AbstractHeap as H;
        let (kind, shared) = match heap {
            HeapType::Abstract { shared, kind } => (kind, shared),
            HeapType::Concrete(id) => {
                let kind = self.kinds.get(id.as_u32() as usize).copied();
                (kind.unwrap_or(H::Any), false)
            }
        };
        let top = match kind {
            H::Any | H::Eq | H::I31 | H::Struct | H::Array | H::None => H::Any,
            H::Func | H::NoFunc => H::Func,
            H::Extern | H::NoExtern => H::Extern,
            H::Exn | H::NoExn => H::Exn,
        };
        (top, shared)
    }

    /// Whether `a` is `b` or below it.
    pub fn is_heap_subtype(&self, a: HeapType, b: HeapType) -> bool {
        use AbstractHeap as H;
        match (a, b) {
            (HeapType::Concrete(a), HeapType::Concrete(b)) => {
                let (mut a, b) = (self.canonical(a), self.canonical(b));
                // A supertype comes before its subtypes, so this ends.
                while a != b {
                    match self.supertypes.get(a.as_u32() as usize) {
                        Some(&Some(next)) if next < a => a = next,
                        _ => return false,
                    }
                }
                true
            }
            (
                HeapType::Concrete(a),
                HeapType::Abstract {
                    shared: false,
                    kind,
                },
            ) => {
                let Some(&own) = self.kinds.get(a.as_u32() as usize) else {
                    return false;
                };
                own == kind || (own != H::Func && matches!(kind, H::Eq | H::Any))
            }
            (HeapType::Abstract { kind, .. }, HeapType::Concrete(b)) => {
                match self.kinds.get(b.as_u32() as usize) {
                    Some(H::Func) => kind == H::NoFunc,
                    Some(_) => kind == H::None,
                    None => false,
                }
            }
            (
                HeapType::Abstract { shared: s, kind: a },
                HeapType::Abstract { shared: t, kind: b },
            ) => {
                let below: &[H] = match a {
                    H::None => &[H::I31, H::Struct, H::Array, H::Eq, H::Any],
                    H::I31 | H::Struct | H::Array => &[H::Eq, H::Any],
                    H::Eq => &[H::Any],
                    H::NoFunc => &[H::Func],
                    H::NoExtern => &[H::Extern],
                    H::NoExn => &[H::Exn],
                    H::Func | H::Extern | H::Any | H::Exn => &[],
                };
                s == t && (a == b || below.contains(&b))
            }
            (HeapType::Concrete(_), HeapType::Abstract { shared: true, .. }) => false,
        }
    }
}
