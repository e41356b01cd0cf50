//! Types of generated programs.

use std::fmt;

use super::rng::Rng;

/// A type. All are `Clone`, none borrows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ty {
    /// An integer, by its name.
    Int(&'static str),
    Float(&'static str),
    Bool,
    Char,
    Text,
    Tuple(Vec<Ty>),
    Array(Box<Ty>, usize),
    Option(Box<Ty>),
    Vec(Box<Ty>),
    /// A struct or enum of the program, by its index.
    Named(usize),
}

/// Integers as rustc has them; `usize` is 32 bits wide on the target.
pub(super) const INTS: [&str; 12] = [
    "i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "i128", "u128", "usize", "isize",
];

pub(super) const FLOATS: [&str; 2] = ["f32", "f64"];

/// What a struct or enum consists of.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    /// Fields `a`, `b`, …
    Struct(Vec<Ty>),
    /// Variants `A`, `B`, …, each with its fields.
    Enum(Vec<Vec<Ty>>),
}

impl fmt::Display for Ty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ty::Int(name) | Ty::Float(name) => f.write_str(name),
            Ty::Bool => f.write_str("bool"),
            Ty::Char => f.write_str("char"),
            Ty::Text => f.write_str("String"),
            Ty::Tuple(parts) => {
                f.write_str("(")?;
                parts.iter().try_for_each(|part| write!(f, "{part}, "))?;
                f.write_str(")")
            }
            Ty::Array(of, len) => write!(f, "[{of}; {len}]"),
            Ty::Option(of) => write!(f, "Option<{of}>"),
            Ty::Vec(of) => write!(f, "Vec<{of}>"),
            Ty::Named(index) => write!(f, "T{index}"),
        }
    }
}

impl Ty {
    /// Whether it is a number, `bool` or `char`.
    pub(super) fn is_scalar(&self) -> bool {
        matches!(self, Ty::Int(_) | Ty::Float(_) | Ty::Bool | Ty::Char)
    }

    /// A scalar type.
    pub(super) fn scalar(rng: &mut Rng) -> Ty {
        match rng.below(10) {
            0..6 => Ty::Int(rng.pick(&INTS)),
            6 | 7 => Ty::Float(rng.pick(&FLOATS)),
            8 => Ty::Bool,
            _ => Ty::Char,
        }
    }

    /// A type of at most `depth` levels, among the first `named` types of the program.
    pub(super) fn any(rng: &mut Rng, depth: usize, named: usize) -> Ty {
        if depth == 0 || rng.chance(45) {
            return Ty::scalar(rng);
        }
        let inner = |rng: &mut Rng| Ty::any(rng, depth - 1, named);
        match rng.below(7) {
            0 => Ty::Tuple((0..2 + rng.below(2)).map(|_| inner(rng)).collect()),
            1 => Ty::Array(Box::new(inner(rng)), 1 + rng.below(5)),
            2 => Ty::Option(Box::new(inner(rng))),
            3 => Ty::Vec(Box::new(inner(rng))),
            4 => Ty::Text,
            _ if named > 0 => Ty::Named(rng.below(named)),
            _ => Ty::scalar(rng),
        }
    }
}

/// The name of the field or variant with this index.
pub(super) fn letter(index: usize, first: char) -> char {
    char::from(first as u8 + index as u8)
}
