//! Values of test scripts: arguments to call with, and patterns that results must match.

use wasmtime::{ExternRef, HeapType, Store, Val};
use wast::core::{
    AbstractHeapType, HeapType as WastHeapType, NanPattern, V128Pattern, WastArgCore, WastRetCore,
};
use wast::token::{F32, F64};
use wast::{WastArg, WastRet};

/// Turns an argument of a script into a value of the engine.
///
/// # Errors
///
/// Names what the harness cannot express.
pub fn argument(store: &mut Store<()>, arg: &WastArg<'_>) -> Result<Val, String> {
    let WastArg::Core(arg) = arg else {
        return Err("component value".to_owned());
    };
    let error = |e: wasmtime::Error| format!("{e:#}");
    Ok(match arg {
        WastArgCore::I32(x) => Val::I32(*x),
        WastArgCore::I64(x) => Val::I64(*x),
        WastArgCore::F32(x) => Val::F32(x.bits),
        WastArgCore::F64(x) => Val::F64(x.bits),
        WastArgCore::V128(x) => Val::V128(u128::from_le_bytes(x.to_le_bytes()).into()),
        WastArgCore::RefNull(heap) => null(heap)?,
        WastArgCore::RefExtern(x) => {
            Val::ExternRef(Some(ExternRef::new(store, *x).map_err(error)?))
        }
        WastArgCore::RefHost(x) => {
            let external = ExternRef::new(&mut *store, *x).map_err(error)?;
            Val::AnyRef(Some(
                wasmtime::AnyRef::convert_extern(store, external).map_err(error)?,
            ))
        }
    })
}

fn null(heap: &WastHeapType<'_>) -> Result<Val, String> {
    use AbstractHeapType as H;
    let WastHeapType::Abstract { shared: false, ty } = heap else {
        return Err(format!("null of type {heap:?}"));
    };
    Ok(match ty {
        H::Func | H::NoFunc => Val::FuncRef(None),
        H::Extern | H::NoExtern => Val::ExternRef(None),
        H::Any | H::Eq | H::Struct | H::Array | H::I31 | H::None => Val::AnyRef(None),
        H::Exn | H::NoExn => Val::ExnRef(None),
        other => return Err(format!("null of type {other:?}")),
    })
}

/// Compares a result with what the script expects.
///
/// # Errors
///
/// Says what was expected and what came.
pub fn expect(store: &mut Store<()>, actual: &Val, expected: &WastRet<'_>) -> Result<(), String> {
    let WastRet::Core(expected) = expected else {
        return Err("component value".to_owned());
    };
    if matches(store, actual, expected)? {
        Ok(())
    } else {
        Err(format!("expected {expected:?}, got {actual:?}"))
    }
}

fn matches(
    store: &mut Store<()>,
    actual: &Val,
    expected: &WastRetCore<'_>,
) -> Result<bool, String> {
    use WastRetCore as R;
    let error = |e: wasmtime::Error| format!("{e:#}");
    Ok(match (expected, actual) {
        (R::Either(cases), _) => {
            for case in cases {
                if matches(store, actual, case)? {
                    return Ok(true);
                }
            }
            false
        }
        (R::I32(e), Val::I32(a)) => e == a,
        (R::I64(e), Val::I64(a)) => e == a,
        (R::F32(e), Val::F32(a)) => f32_matches(*a, e),
        (R::F64(e), Val::F64(a)) => f64_matches(*a, e),
        (R::V128(e), Val::V128(a)) => v128_matches(a.as_u128(), e),
        (R::RefNull(None), a) => a.ref_().is_some_and(|r| r.is_null()),
        (R::RefNull(Some(heap)), a) => {
            let wanted = null(heap)?;
            std::mem::discriminant(&wanted) == std::mem::discriminant(a)
                && a.ref_().is_some_and(|r| r.is_null())
        }
        (R::RefExtern(None), Val::ExternRef(a)) => a.is_some(),
        (R::RefExtern(Some(e)), Val::ExternRef(Some(a))) => {
            a.data(&*store)
                .map_err(error)?
                .and_then(|d| d.downcast_ref::<u32>())
                == Some(e)
        }
        (R::RefHost(e), Val::AnyRef(Some(a))) => {
            let external = ExternRef::convert_any(&mut *store, *a).map_err(error)?;
            external
                .data(&*store)
                .map_err(error)?
                .and_then(|d| d.downcast_ref::<u32>())
                == Some(e)
        }
        (R::RefFunc(_), Val::FuncRef(a)) => a.is_some(),
        (R::RefAny, Val::AnyRef(Some(_))) => true,
        (R::RefEq, Val::AnyRef(Some(a))) => a.is_eqref(&*store).map_err(error)?,
        (R::RefI31, Val::AnyRef(Some(a))) => {
            a.matches_ty(&*store, &HeapType::I31).map_err(error)?
        }
        (R::RefStruct, Val::AnyRef(Some(a))) => {
            a.matches_ty(&*store, &HeapType::Struct).map_err(error)?
        }
        (R::RefArray, Val::AnyRef(Some(a))) => {
            a.matches_ty(&*store, &HeapType::Array).map_err(error)?
        }
        _ => false,
    })
}

fn f32_matches(actual: u32, expected: &NanPattern<F32>) -> bool {
    match expected {
        NanPattern::CanonicalNan => actual & 0x7fff_ffff == 0x7fc0_0000,
        NanPattern::ArithmeticNan => actual & 0x7fc0_0000 == 0x7fc0_0000,
        NanPattern::Value(e) => actual == e.bits,
    }
}

fn f64_matches(actual: u64, expected: &NanPattern<F64>) -> bool {
    match expected {
        NanPattern::CanonicalNan => actual & 0x7fff_ffff_ffff_ffff == 0x7ff8_0000_0000_0000,
        NanPattern::ArithmeticNan => actual & 0x7ff8_0000_0000_0000 == 0x7ff8_0000_0000_0000,
        NanPattern::Value(e) => actual == e.bits,
    }
}

fn v128_matches(actual: u128, expected: &V128Pattern) -> bool {
    let bytes = actual.to_le_bytes();
    let lane = |width: usize, i: usize| -> u64 {
        bytes[i * width..(i + 1) * width]
            .iter()
            .rev()
            .fold(0, |x, &b| x << 8 | u64::from(b))
    };
    match expected {
        V128Pattern::I8x16(e) => e
            .iter()
            .enumerate()
            .all(|(i, e)| lane(1, i) == u64::from(*e as u8)),
        V128Pattern::I16x8(e) => e
            .iter()
            .enumerate()
            .all(|(i, e)| lane(2, i) == u64::from(*e as u16)),
        V128Pattern::I32x4(e) => e
            .iter()
            .enumerate()
            .all(|(i, e)| lane(4, i) == u64::from(*e as u32)),
        V128Pattern::I64x2(e) => e.iter().enumerate().all(|(i, e)| lane(8, i) == *e as u64),
        V128Pattern::F32x4(e) => e
            .iter()
            .enumerate()
            .all(|(i, e)| f32_matches(lane(4, i) as u32, e)),
        V128Pattern::F64x2(e) => e
            .iter()
            .enumerate()
            .all(|(i, e)| f64_matches(lane(8, i), e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_patterns_tell_canonical_from_arithmetic() {
        let payload = 0x7fc0_0001;
        assert!(f32_matches(0xffc0_0000, &NanPattern::CanonicalNan));
        assert!(!f32_matches(payload, &NanPattern::CanonicalNan));
        assert!(f32_matches(payload, &NanPattern::ArithmeticNan));
        assert!(!f32_matches(0x7f80_0001, &NanPattern::ArithmeticNan));
        assert!(!f64_matches(
            0x7ff0_0000_0000_0001,
            &NanPattern::ArithmeticNan
        ));
    }

    #[test]
    fn lanes_are_little_endian() {
        let value = 0x0004_0003_0002_0001_u128 | 0x0008_0007_0006_0005_u128 << 64;
        assert!(v128_matches(
            value,
            &V128Pattern::I16x8([1, 2, 3, 4, 5, 6, 7, 8])
        ));
        assert!(!v128_matches(
            value,
            &V128Pattern::I16x8([2, 1, 3, 4, 5, 6, 7, 8])
        ));
    }
}
