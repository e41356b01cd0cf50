//! Bounds for generic code over what a component can pass out.

use crate::abi::{Lift, Lower, Type};

/// A type whose values can leave the component: a bound for traits whose results are exported.
///
/// ```
/// trait Serializer {
///     type Output: wasm::Exportable;
///     fn encode(&self) -> Self::Output;
/// }
///
/// #[derive(wasm::Variant)]
/// enum Encoded {
///     Json(String),
///     Error(String),
/// }
///
/// struct JsonEncoder(u32);
/// impl Serializer for JsonEncoder {
///     type Output = Encoded;
///     fn encode(&self) -> Encoded {
///         Encoded::Json(self.0.to_string())
///     }
/// }
///
/// fn wit_kind<S: Serializer>() -> wasm::abi::Type {
///     <S::Output as wasm::Exportable>::WIT
/// }
/// assert!(matches!(wit_kind::<JsonEncoder>(), wasm::abi::Type::Named(_)));
/// ```
///
/// Every type that `#[wasm::export]` accepts as a result is exportable; nothing else implements it.
#[diagnostic::on_unimplemented(
    message = "a `{Self}` cannot be exported from a component",
    label = "this type cannot leave the component",
    note = "exportable are owned values that have a WIT type: numbers, `bool`, `char`, `String`, `Vec<T>`, `Option<T>`, `Result<T, E>`, \
            tuples, resources, and types with `#[derive(wasm::Record)]`, `wasm::Variant`, `wasm::Enum` or `wasm::Flags`"
)]
pub trait Exportable: Sized {
    /// The WIT type.
    const WIT: Type;
}

#[diagnostic::do_not_recommend]
impl<T: Lower + Lift + 'static> Exportable for T {
    const WIT: Type = T::TYPE;
}
