//! Types of functions as text, for people to read.
//!
//! A [`Type`](super::Type) is structural: a record knows its fields, not what WIT calls it. The text
//! keeps those names, as far as the module tells them.

use std::sync::Arc;

use crate::FunctionInfo;

/// An exported function with its types as text.
///
/// ```
/// use wasm_sandbox::{RuntimeConfig, WitFunction, create_runtime};
///
/// let runtime = create_runtime(&RuntimeConfig::default())?;
/// let wasm = wat::parse_str(r#"(module (func (export "scale") (param f32 externref)))"#)?;
/// let module = runtime.load_module(&wasm)?;
/// let scale = &module.wit_exports()[0];
/// assert_eq!(scale.params[0].name, "f32");
/// assert_eq!(scale.params[1].name, "(ref null extern)");
/// assert_eq!(scale.signature(0), "(f32, (ref null extern))");
/// // What a runtime says that knows no names of types.
/// assert_eq!(WitFunction::unnamed(&module.exports()[0]).params[0].name, "f32");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitFunction {
    /// Its name, as in [`FunctionInfo`].
    pub name: Arc<str>,
    /// The parameters' names; empty ones in core functions.
    pub param_names: Vec<Arc<str>>,
    /// The parameters' types.
    pub params: Vec<WitType>,
    /// The results' types.
    pub results: Vec<WitType>,
}

/// A type as text.
///
/// ```
/// use wasm_sandbox::{RuntimeConfig, WitType, create_runtime};
///
/// let runtime = create_runtime(&RuntimeConfig::default())?;
/// let wasm = wat::parse_str(r#"(component
///     (core module $m (func (export "swap") (param i32) (result i32) (local.get 0)))
///     (core instance $i (instantiate $m))
///     (type $side' (enum "left" "right")) (export $side "side" (type $side'))
///     (func (export "swap") (param "from" $side) (result $side) (canon lift (core func $i "swap"))))"#)?;
/// let swap = &runtime.load_module(&wasm)?.wit_exports()[0];
/// assert_eq!(swap.results[0].name, "side");
/// assert_eq!(swap.results[0].definition, "enum { left, right }");
/// assert_eq!(WitType::plain("u8".into()).name, "u8");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitType {
    /// The type by its name, where it has one: `point`.
    pub name: String,
    /// The type written out, its parts by their names: `record { x: s32, y: s32 }`.
    pub definition: String,
}

impl WitFunction {
    /// A function whose types have no names.
    #[must_use]
    pub fn unnamed(function: &FunctionInfo) -> Self {
        let text = |ty: &super::Type| WitType::plain(ty.to_string());
        let params = &function.signature.params;
        Self {
            name: function.name.clone(),
            param_names: params.iter().map(|param| param.name.clone()).collect(),
            params: params.iter().map(|param| text(&param.ty)).collect(),
            results: function.signature.results.iter().map(text).collect(),
        }
    }

    /// `(name: type, …) -> type`, without the first `skipped` parameters: a method's receiver.
    #[must_use]
    pub fn signature(&self, skipped: usize) -> String {
        let params = self.param_names.iter().zip(&self.params).skip(skipped);
        let params: Vec<String> = params
            .map(|(name, ty)| match &**name {
                "" => ty.name.clone(),
                name => format!("{name}: {}", ty.name),
            })
            .collect();
        let params = params.join(", ");
        let results: Vec<&str> = self.results.iter().map(|ty| &*ty.name).collect();
        match results[..] {
            [] => format!("({params})"),
            [result] => format!("({params}) -> {result}"),
            _ => format!("({params}) -> ({})", results.join(", ")),
        }
    }
}

impl WitType {
    /// A type that has no name but its own text.
    #[must_use]
    pub fn plain(text: String) -> Self {
        Self {
            name: text.clone(),
            definition: text,
        }
    }
}
