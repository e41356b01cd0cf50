//! Our values straight to and from the canonical ABI.
//!
//! wasmtime's own dynamic values name every field and case of every record and variant, so a call
//! through them allocates and compares those names each time. A [`Tape`] is positional. [`Arguments`]
//! and [`Results`] implement the traits behind wasmtime's typed calls for whatever type the function
//! has, so a call costs one walk over the tape on each side and no names.
//!
//! Functions whose types mention resources keep to wasmtime's dynamic values, because their handles
//! live in the store; [`is_plain`] tells them apart.
//!
//! # Invariants
//!
//! - The shapes on the stack are those that wasmtime uses for its own dynamic calls: `MAX_FLAT_PARAMS`
//!   values in, `MAX_FLAT_RESULTS` out. Whether a function passes its values there or in memory is
//!   decided by wasmtime's own description of its type, never by ours.
//! - Guest memory is reached through bounds-checked slices only; lengths are checked, and charged to
//!   the instance's `value_bytes`, before anything is allocated for them.
//! - A tape of other types than the function's is an error, or other values; never more than that.
//!
//! # Sources
//!
//! The [canonical ABI](https://github.com/WebAssembly/component-model/blob/main/design/mvp/CanonicalABI.md).
//! The tests compare this walk with wasmtime's own, value by value.

mod lift;
mod lower;
mod scalar;

use std::mem::MaybeUninit;

use wasmtime::ValRaw;
use wasmtime::component::__internal::{
    CanonicalAbiInfo, InstanceType, InterfaceType, LiftContext, LowerContext,
};
use wasmtime::component::{ComponentNamedList, ComponentType, Func, Lift, Lower, TypedFunc};

use crate::value::{Signature, Tape, Type};

/// The most core values that a component's function takes on the stack.
const MAX_FLAT_PARAMS: usize = 16;

/// The most core values that it answers with on the stack.
const MAX_FLAT_RESULTS: usize = 1;

/// A function whose values go this way.
pub(super) type PlainFunc = TypedFunc<Arguments, Results>;

/// Whether all values of a function can go this way: none is a resource.
pub(super) fn is_plain(signature: &Signature) -> bool {
    let params = signature.params.iter().map(|param| &param.ty);
    params.chain(&signature.results).all(is_plain_type)
}

fn is_plain_type(ty: &Type) -> bool {
    match ty {
        Type::Own | Type::Borrow | Type::Unsupported(_) => false,
        Type::List(inner) | Type::Option(inner) => is_plain_type(inner),
        Type::Record(fields) => fields.iter().all(|field| is_plain_type(&field.ty)),
        Type::Tuple(types) => types.iter().all(is_plain_type),
        Type::Variant(cases) => cases
            .iter()
            .filter_map(|case| case.ty.as_ref())
            .all(is_plain_type),
        Type::Result(ok, err) => [ok, err].into_iter().flatten().all(|ty| is_plain_type(ty)),
        _ => true,
    }
}

/// `func`, whose signature [is plain](is_plain), as a function of our values.
pub(super) fn plain(func: Func) -> PlainFunc {
    // SAFETY: `new_unchecked` skips the comparison of `func`'s type with two static types. Ours have no
    // static type: both walk the type that wasmtime hands them with every call, and write or read what
    // that type has. So there is no type of `func` for which the ascription is wrong.
    unsafe { TypedFunc::new_unchecked(func) }
}

/// The arguments of a call, in order.
pub(super) struct Arguments(pub(super) Tape);

/// The result of a call; a component's function has one at most.
pub(super) struct Results(pub(super) Tape);

/// Why the parts of the traits that only static types need are never reached.
const STATIC_ONLY: &str = "values without a static type were used as if they had one";

// SAFETY: `Lower` is an array of `ValRaw`, large enough for any parameters that go on the stack. `ABI`
// is consulted only for parameters of more than `MAX_FLAT_PARAMS` core values, counted by the size of
// `Lower`, so never; parameters that go into memory are stored there by `linear_lower_to_flat` itself.
unsafe impl ComponentType for Arguments {
    type Lower = [ValRaw; MAX_FLAT_PARAMS];

    const ABI: CanonicalAbiInfo = CanonicalAbiInfo::ZERO;

    fn typecheck(_: &InterfaceType, _: &InstanceType<'_>) -> wasmtime::Result<()> {
        Err(wasmtime::Error::msg(STATIC_ONLY))
    }
}

// SAFETY: the trait has no members; it stands for types that are lists of parameters.
unsafe impl ComponentNamedList for Arguments {}

// SAFETY: every element of `dst` is written, whatever the parameters' type, before anything can fail.
unsafe impl Lower for Arguments {
    fn linear_lower_to_flat<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        dst: &mut MaybeUninit<Self::Lower>,
    ) -> wasmtime::Result<()> {
        let dst = dst.write([ValRaw::u64(0); MAX_FLAT_PARAMS]);
        lower::parameters(cx, ty, &self.0, dst)
    }

    fn linear_lower_to_memory<T>(
        &self,
        _: &mut LowerContext<'_, T>,
        _: InterfaceType,
        _: usize,
    ) -> wasmtime::Result<()> {
        Err(wasmtime::Error::msg(STATIC_ONLY))
    }
}

// SAFETY: `Lower` is an array of `ValRaw`, large enough for any results that come on the stack; results
// that come in memory are read from there by `linear_lift_from_flat` itself, so `ABI` is consulted as
// little as that of `Arguments`.
unsafe impl ComponentType for Results {
    type Lower = [ValRaw; MAX_FLAT_RESULTS];

    const ABI: CanonicalAbiInfo = CanonicalAbiInfo::ZERO;

    fn typecheck(_: &InterfaceType, _: &InstanceType<'_>) -> wasmtime::Result<()> {
        Err(wasmtime::Error::msg(STATIC_ONLY))
    }
}

// SAFETY: the trait has no members; it stands for types that are lists of results.
unsafe impl ComponentNamedList for Results {}

// SAFETY: `src` was written by the function, or, where it answers with nothing, by `Arguments`, with
// which it shares its place; it is read as integers or floats, for which every bit pattern is valid.
unsafe impl Lift for Results {
    fn linear_lift_from_flat(
        cx: &mut LiftContext<'_>,
        ty: InterfaceType,
        src: &Self::Lower,
    ) -> wasmtime::Result<Self> {
        lift::results(cx, ty, src).map(Self)
    }

    fn linear_lift_from_memory(
        _: &mut LiftContext<'_>,
        _: InterfaceType,
        _: &[u8],
    ) -> wasmtime::Result<Self> {
        Err(wasmtime::Error::msg(STATIC_ONLY))
    }
}
