//! Which WasmIR operator does an operation on a type.

use rustc_codegen_ssa::common::{IntPredicate, RealPredicate};
use wasmir::{Opcode, Type};

macro_rules! int_ops {
    ($($name:ident: $i8:ident $i16:ident $i32:ident $i64:ident $i128:ident;)*) => {
        /// Operations that exist on every integer type.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(crate) enum IntOp { $($name),* }

        /// The operator for `op` on integers of type `ty`.
        ///
        /// # Panics
        /// If `ty` is not an integer type.
        pub(crate) fn int(op: IntOp, ty: Type) -> Opcode {
            match op {
                $(IntOp::$name => match ty {
                    Type::I8 => Opcode::$i8,
                    Type::I16 => Opcode::$i16,
                    Type::I32 => Opcode::$i32,
                    Type::I64 => Opcode::$i64,
                    Type::I128 => Opcode::$i128,
                    other => unreachable!("{op:?} on {other}"),
                },)*
            }
        }
    };
}

int_ops! {
    Add: I8Add I16Add I32Add I64Add I128Add;
    Sub: I8Sub I16Sub I32Sub I64Sub I128Sub;
    Mul: I8Mul I16Mul I32Mul I64Mul I128Mul;
    DivS: I8DivS I16DivS I32DivS I64DivS I128DivS;
    DivU: I8DivU I16DivU I32DivU I64DivU I128DivU;
    RemS: I8RemS I16RemS I32RemS I64RemS I128RemS;
    RemU: I8RemU I16RemU I32RemU I64RemU I128RemU;
    And: I8And I16And I32And I64And I128And;
    Or: I8Or I16Or I32Or I64Or I128Or;
    Xor: I8Xor I16Xor I32Xor I64Xor I128Xor;
    Shl: I8Shl I16Shl I32Shl I64Shl I128Shl;
    ShrS: I8ShrS I16ShrS I32ShrS I64ShrS I128ShrS;
    ShrU: I8ShrU I16ShrU I32ShrU I64ShrU I128ShrU;
    Rotl: I8Rotl I16Rotl I32Rotl I64Rotl I128Rotl;
    Rotr: I8Rotr I16Rotr I32Rotr I64Rotr I128Rotr;
    Clz: I8Clz I16Clz I32Clz I64Clz I128Clz;
    Ctz: I8Ctz I16Ctz I32Ctz I64Ctz I128Ctz;
    Popcnt: I8Popcnt I16Popcnt I32Popcnt I64Popcnt I128Popcnt;
    Eq: I8Eq I16Eq I32Eq I64Eq I128Eq;
    Ne: I8Ne I16Ne I32Ne I64Ne I128Ne;
    LtS: I8LtS I16LtS I32LtS I64LtS I128LtS;
    LtU: I8LtU I16LtU I32LtU I64LtU I128LtU;
    GtS: I8GtS I16GtS I32GtS I64GtS I128GtS;
    GtU: I8GtU I16GtU I32GtU I64GtU I128GtU;
    LeS: I8LeS I16LeS I32LeS I64LeS I128LeS;
    LeU: I8LeU I16LeU I32LeU I64LeU I128LeU;
    GeS: I8GeS I16GeS I32GeS I64GeS I128GeS;
    GeU: I8GeU I16GeU I32GeU I64GeU I128GeU;
}

macro_rules! float_ops {
    ($($name:ident: $f32:ident $f64:ident;)*) => {
        /// Operations on floats.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(crate) enum FloatOp { $($name),* }

        /// The operator for `op` on floats, `double` or single.
        pub(crate) fn float(op: FloatOp, double: bool) -> Opcode {
            match (op, double) {
                $((FloatOp::$name, false) => Opcode::$f32,
                (FloatOp::$name, true) => Opcode::$f64,)*
            }
        }
    };
}

float_ops! {
    Add: F32Add F64Add;
    Sub: F32Sub F64Sub;
    Mul: F32Mul F64Mul;
    Div: F32Div F64Div;
    Neg: F32Neg F64Neg;
    Abs: F32Abs F64Abs;
    Sqrt: F32Sqrt F64Sqrt;
    Ceil: F32Ceil F64Ceil;
    Floor: F32Floor F64Floor;
    Trunc: F32Trunc F64Trunc;
    Nearest: F32Nearest F64Nearest;
    Copysign: F32Copysign F64Copysign;
    Min: F32Min F64Min;
    Max: F32Max F64Max;
    Eq: F32Eq F64Eq;
    Ne: F32Ne F64Ne;
    Lt: F32Lt F64Lt;
    Gt: F32Gt F64Gt;
    Le: F32Le F64Le;
    Ge: F32Ge F64Ge;
}

/// The comparison that `pred` stands for.
pub(crate) fn int_predicate(pred: IntPredicate) -> IntOp {
    match pred {
        IntPredicate::IntEQ => IntOp::Eq,
        IntPredicate::IntNE => IntOp::Ne,
        IntPredicate::IntUGT => IntOp::GtU,
        IntPredicate::IntUGE => IntOp::GeU,
        IntPredicate::IntULT => IntOp::LtU,
        IntPredicate::IntULE => IntOp::LeU,
        IntPredicate::IntSGT => IntOp::GtS,
        IntPredicate::IntSGE => IntOp::GeS,
        IntPredicate::IntSLT => IntOp::LtS,
        IntPredicate::IntSLE => IntOp::LeS,
    }
}

/// How wasm's comparisons of floats express a predicate.
#[derive(Clone, Copy, Debug)]
pub(crate) enum FloatTest {
    /// The same for all operands.
    Always(bool),
    /// The comparison itself.
    Is(FloatOp),
    /// The comparison negated: wasm's comparisons but `ne` are false for NaN, so the unordered ones are negations.
    Not(FloatOp),
    /// Both operands are numbers, negated if `false`.
    Ordered(bool),
    /// Ordered and unequal (`true`), or its negation.
    OrderedUnequal(bool),
}

/// The test that `pred` stands for.
pub(crate) fn float_predicate(pred: RealPredicate) -> FloatTest {
    use FloatTest::*;
    match pred {
        RealPredicate::RealPredicateFalse => Always(false),
        RealPredicate::RealPredicateTrue => Always(true),
        RealPredicate::RealOEQ => Is(FloatOp::Eq),
        RealPredicate::RealOGT => Is(FloatOp::Gt),
        RealPredicate::RealOGE => Is(FloatOp::Ge),
        RealPredicate::RealOLT => Is(FloatOp::Lt),
        RealPredicate::RealOLE => Is(FloatOp::Le),
        RealPredicate::RealUNE => Is(FloatOp::Ne),
        RealPredicate::RealUGT => Not(FloatOp::Le),
        RealPredicate::RealUGE => Not(FloatOp::Lt),
        RealPredicate::RealULT => Not(FloatOp::Ge),
        RealPredicate::RealULE => Not(FloatOp::Gt),
        RealPredicate::RealORD => Ordered(true),
        RealPredicate::RealUNO => Ordered(false),
        RealPredicate::RealONE => OrderedUnequal(true),
        RealPredicate::RealUEQ => OrderedUnequal(false),
    }
}

/// Extends an integer from `from` to the wider `to`; `None` if the types are the same.
///
/// # Panics
/// If the types are not integers, or `from` is wider.
pub(crate) fn extend(from: Type, to: Type, signed: bool) -> Option<Opcode> {
    use Type::*;
    let (s, u) = match (from, to) {
        (I8, I16) => (Opcode::I16ExtendI8S, Opcode::I16ExtendI8U),
        (I8, I32) => (Opcode::I32ExtendI8S, Opcode::I32ExtendI8U),
        (I8, I64) => (Opcode::I64ExtendI8S, Opcode::I64ExtendI8U),
        (I8, I128) => (Opcode::I128ExtendI8S, Opcode::I128ExtendI8U),
        (I16, I32) => (Opcode::I32ExtendI16S, Opcode::I32ExtendI16U),
        (I16, I64) => (Opcode::I64ExtendI16S, Opcode::I64ExtendI16U),
        (I16, I128) => (Opcode::I128ExtendI16S, Opcode::I128ExtendI16U),
        (I32, I64) => (Opcode::I64ExtendI32S, Opcode::I64ExtendI32U),
        (I32, I128) => (Opcode::I128ExtendI32S, Opcode::I128ExtendI32U),
        (I64, I128) => (Opcode::I128ExtendI64S, Opcode::I128ExtendI64U),
        (a, b) if a == b => return None,
        (a, b) => unreachable!("extension of {a} to {b}"),
    };
    Some(if signed { s } else { u })
}

/// Cuts an integer from `from` to the narrower `to`; `None` if the types are the same.
///
/// # Panics
/// If the types are not integers, or `from` is narrower.
pub(crate) fn wrap(from: Type, to: Type) -> Option<Opcode> {
    use Type::*;
    Some(match (from, to) {
        (I16, I8) => Opcode::I8WrapI16,
        (I32, I8) => Opcode::I8WrapI32,
        (I64, I8) => Opcode::I8WrapI64,
        (I128, I8) => Opcode::I8WrapI128,
        (I32, I16) => Opcode::I16WrapI32,
        (I64, I16) => Opcode::I16WrapI64,
        (I128, I16) => Opcode::I16WrapI128,
        (I64, I32) => Opcode::I32WrapI64,
        (I128, I32) => Opcode::I32WrapI128,
        (I128, I64) => Opcode::I64WrapI128,
        (a, b) if a == b => return None,
        (a, b) => unreachable!("truncation of {a} to {b}"),
    })
}

/// The binary logarithm of a power of two: an alignment.
pub(crate) fn log2(bytes: u64) -> u8 {
    bytes.trailing_zeros() as u8
}

/// The load of a whole value of `ty`.
pub(crate) fn load(ty: Type) -> Opcode {
    match ty {
        Type::I8 => Opcode::I8Load,
        Type::I16 => Opcode::I16Load,
        Type::I32 => Opcode::I32Load,
        Type::I64 => Opcode::I64Load,
        Type::I128 => Opcode::I128Load,
        Type::F32 => Opcode::F32Load,
        Type::F64 => Opcode::F64Load,
        Type::V128 => Opcode::V128Load,
        Type::Ref(_) => unreachable!("references have no address"),
    }
}

/// The store of a whole value of `ty`.
pub(crate) fn store(ty: Type) -> Opcode {
    match ty {
        Type::I8 => Opcode::I8Store,
        Type::I16 => Opcode::I16Store,
        Type::I32 => Opcode::I32Store,
        Type::I64 => Opcode::I64Store,
        Type::I128 => Opcode::I128Store,
        Type::F32 => Opcode::F32Store,
        Type::F64 => Opcode::F64Store,
        Type::V128 => Opcode::V128Store,
        Type::Ref(_) => unreachable!("references have no address"),
    }
}
