//! Expressions of a wanted type.

use super::types::{FLOATS, INTS, Shape, Ty, letter};
use super::{Generator, Var};

/// Values at which integers change their ways.
const EDGES: [&str; 4] = ["MIN", "MAX", "MAX / 2", "MIN / 3"];

impl Generator {
    /// An expression of type `ty`, at most `depth` levels deep. It moves nothing out of a variable and borrows only for itself.
    pub(super) fn expr(&mut self, ty: &Ty, depth: usize) -> String {
        let fitting = self.visible(ty);
        if !fitting.is_empty() && self.rng.chance(if depth == 0 { 80 } else { 25 }) {
            // Inner variables more often than outer ones.
            let var = &fitting[fitting.len() - 1 - self.rng.below(fitting.len().min(4))];
            return if ty.is_scalar() {
                var.name.clone()
            } else {
                format!("{}.clone()", var.name)
            };
        }
        let made = match (depth, self.rng.below(14)) {
            (0, _) => self.literal(ty),
            (_, 0) => self.choice(ty, depth - 1),
            (_, 1) => self.matched(ty, depth - 1),
            (_, 2) => self.called(ty, depth - 1),
            (_, 3) => self.closure(ty, depth - 1),
            (_, 4) => self.projected(ty, depth - 1),
            _ => self.computed(ty, depth - 1),
        };
        // Says the type where inference could not know it, and puts a struct's braces in parentheses.
        if ty.is_scalar() {
            made
        } else {
            format!("of::<{ty}>({made})")
        }
    }

    /// The variables of a type that no other of the same name hides, innermost last.
    fn visible(&self, ty: &Ty) -> Vec<Var> {
        let hidden = |at: usize| {
            self.scope[at + 1..]
                .iter()
                .any(|later| later.name == self.scope[at].name)
        };
        let fitting = (0..self.scope.len()).filter(|&at| self.scope[at].ty == *ty && !hidden(at));
        fitting.map(|at| self.scope[at].clone()).collect()
    }

    /// A value without parts that are computed.
    pub(super) fn literal(&mut self, ty: &Ty) -> String {
        match ty {
            Ty::Int(name) => match self.rng.below(4) {
                0 => format!("({name}::{})", self.rng.pick(&EDGES)),
                1 => format!("(0x{:x}u64 as {name})", self.rng.bits()),
                _ => format!("{}_{name}", self.rng.below(100)),
            },
            Ty::Float(name) => {
                let special = [
                    "0.0",
                    "-0.0",
                    "1.5",
                    "-2.25",
                    "1e10",
                    "INF",
                    "NAN",
                    "0.1",
                    "16777217.0",
                    "1e-30",
                ];
                match self.rng.pick(&special) {
                    "INF" => format!("{name}::INFINITY"),
                    "NAN" => format!("{name}::NAN"),
                    number => format!("({number}_{name})"),
                }
            }
            Ty::Bool => (self.rng.pick(&["true", "false"])).to_owned(),
            Ty::Char => format!(
                "'{}'",
                self.rng.pick(&["a", "Z", "0", "é", "ß", "漢", "🦀", " "])
            ),
            Ty::Text => format!(
                "String::from({:?})",
                self.rng
                    .pick(&["", "a", "Straße", "0x1F", "🦀 crab", "tab\t"])
            ),
            Ty::Tuple(parts) => self.list(parts, 0, "(", ",)"),
            Ty::Array(of, len) => self.list(&vec![(**of).clone(); *len], 0, "[", "]"),
            Ty::Option(_) if self.rng.chance(30) => "None".to_owned(),
            Ty::Option(of) => format!("Some({})", self.literal(of)),
            Ty::Vec(of) => {
                let len = self.rng.below(4);
                self.list(&vec![(**of).clone(); len], 0, "vec![", "]")
            }
            Ty::Named(index) => self.constructed(*index, 0),
        }
    }

    fn list(&mut self, types: &[Ty], depth: usize, open: &str, close: &str) -> String {
        let parts: Vec<String> = types.iter().map(|ty| self.expr(ty, depth)).collect();
        format!("{open}{}{close}", parts.join(", "))
    }

    fn constructed(&mut self, index: usize, depth: usize) -> String {
        match self.shapes[index].clone() {
            Shape::Struct(fields) => {
                let named = fields.iter().enumerate().map(|(field, ty)| {
                    let value = self.expr(ty, depth);
                    format!("{}: {value}", letter(field, 'a'))
                });
                let named: Vec<String> = named.collect();
                format!("T{index} {{ {} }}", named.join(", "))
            }
            Shape::Enum(variants) => {
                let variant = self.rng.below(variants.len());
                let name = format!("T{index}::{}", letter(variant, 'A'));
                match variants[variant].is_empty() {
                    true => name,
                    false => self.list(&variants[variant], depth, &format!("{name}("), ")"),
                }
            }
        }
    }

    fn choice(&mut self, ty: &Ty, depth: usize) -> String {
        let condition = self.expr(&Ty::Bool, depth);
        let (then, other) = (self.expr(ty, depth), self.expr(ty, depth));
        format!("(if {condition} {{ {then} }} else {{ {other} }})")
    }

    /// A `match` with patterns of every kind.
    fn matched(&mut self, ty: &Ty, depth: usize) -> String {
        match self.rng.below(4) {
            0 => {
                let name = self.rng.pick(&INTS);
                let on = self.expr(&Ty::Int(name), depth);
                let mut arms = String::new();
                for _ in 0..1 + self.rng.below(5) {
                    let low = self.rng.below(100);
                    let pattern = match self.rng.below(3) {
                        0 => format!("{low}..={}", (low + self.rng.below(20)).min(120)),
                        1 => format!("{low} | {}", self.rng.below(120)),
                        _ => format!("{low}"),
                    };
                    let value = self.expr(ty, depth);
                    arms += &format!("{pattern} => {value}, ");
                }
                let rest = self.bound(&[("n", &Ty::Int(name))], |g| g.expr(ty, depth));
                format!("(match {on} {{ {arms}n => {rest} }})")
            }
            1 => {
                let of = self.ty(1);
                let on = self.expr(&Ty::Option(Box::new(of.clone())), depth);
                let some = self.bound(&[("v", &of)], |g| g.expr(ty, depth));
                let none = self.expr(ty, depth);
                format!("(match {on} {{ Some(v) => {some}, None => {none} }})")
            }
            2 if !self.shapes.is_empty() => {
                let index = self.rng.below(self.shapes.len());
                let on = self.expr(&Ty::Named(index), depth);
                let arms = match self.shapes[index].clone() {
                    Shape::Struct(fields) => {
                        self.arm(&format!("T{index}"), &fields, true, ty, depth)
                    }
                    Shape::Enum(variants) => {
                        let arms = variants.iter().enumerate().map(|(variant, fields)| {
                            self.arm(
                                &format!("T{index}::{}", letter(variant, 'A')),
                                fields,
                                false,
                                ty,
                                depth,
                            )
                        });
                        arms.collect::<Vec<_>>().join(", ")
                    }
                };
                format!("(match {on} {{ {arms} }})")
            }
            _ => {
                let of = Ty::scalar(&mut self.rng);
                let on = self.expr(&Ty::Vec(Box::new(of.clone())), depth);
                let both = self.bound(&[("first", &of), ("last", &of)], |g| g.expr(ty, depth));
                let one = self.bound(&[("one", &of)], |g| g.expr(ty, depth));
                let none = self.expr(ty, depth);
                format!(
                    "(match {on}[..] {{ [first, .., last] => {both}, [one] => {one}, [] => {none} }})"
                )
            }
        }
    }

    fn arm(&mut self, name: &str, fields: &[Ty], named: bool, ty: &Ty, depth: usize) -> String {
        let vars: Vec<String> = fields.iter().map(|_| self.name("m")).collect();
        let parts = vars.iter().enumerate().map(|(field, var)| match named {
            true => format!("{}: {var}", letter(field, 'a')),
            false => var.clone(),
        });
        let parts = parts.collect::<Vec<_>>().join(", ");
        let pattern = match (named, vars.is_empty()) {
            (true, _) => format!("{name} {{ {parts} }}"),
            (false, true) => name.to_owned(),
            (false, false) => format!("{name}({parts})"),
        };
        let bound: Vec<(&str, &Ty)> = vars.iter().map(String::as_str).zip(fields).collect();
        let value = self.bound(&bound, |g| g.expr(ty, depth));
        format!("{pattern} => {value}")
    }

    /// What `make` gives with more variables in scope.
    pub(super) fn bound(
        &mut self,
        vars: &[(&str, &Ty)],
        make: impl FnOnce(&mut Self) -> String,
    ) -> String {
        let before = self.scope.len();
        self.scope.extend(vars.iter().map(|&(name, ty)| Var {
            name: name.to_owned(),
            ty: ty.clone(),
            mutable: false,
        }));
        let made = make(self);
        self.scope.truncate(before);
        made
    }

    fn called(&mut self, ty: &Ty, depth: usize) -> String {
        let fitting: Vec<usize> = (0..self.functions.len())
            .filter(|&f| self.functions[f].result == *ty)
            .collect();
        if fitting.is_empty() {
            return self.computed(ty, depth);
        }
        let index = self.rng.pick(&fitting);
        let params = self.functions[index].params.clone();
        let args = self.list(&params, depth, "", "");
        let other = self.literal(ty);
        // The arguments first: they may use the hash themselves.
        let names: Vec<String> = params.iter().map(|_| self.name("a")).collect();
        let names = names.join(", ");
        format!(
            "(if fuel() {{ let ({names},) = ({args},); f{index}(h, {names}) }} else {{ {other} }})"
        )
    }

    fn closure(&mut self, ty: &Ty, depth: usize) -> String {
        let of = Ty::scalar(&mut self.rng);
        let arg = self.expr(&of, depth);
        let name = self.name("c");
        // A closure cannot use the hash while an argument does, so its body only computes.
        let body = self.bound(&[(&name, &of)], |g| g.pure(ty, depth));
        format!("(|{name}: {of}| -> {ty} {{ {body} }})({arg})")
    }

    /// An expression that calls no function of the program.
    pub(super) fn pure(&mut self, ty: &Ty, depth: usize) -> String {
        let functions = std::mem::take(&mut self.functions);
        let made = self.expr(ty, depth);
        self.functions = functions;
        made
    }

    /// A part of something larger.
    fn projected(&mut self, ty: &Ty, depth: usize) -> String {
        match self.rng.below(3) {
            0 => {
                let whole = self.expr(&Ty::Array(Box::new(ty.clone()), 3), depth);
                let index = self.expr(&Ty::Int("usize"), depth);
                format!("{whole}[{index} % 3].clone()")
            }
            1 => {
                let mut parts = vec![Ty::scalar(&mut self.rng), Ty::scalar(&mut self.rng)];
                let at = self.rng.below(2);
                parts[at] = ty.clone();
                let whole = self.expr(&Ty::Tuple(parts), depth);
                format!("{whole}.{at}")
            }
            _ => {
                let option = self.expr(&Ty::Option(Box::new(ty.clone())), depth);
                let other = self.expr(ty, depth);
                format!("{option}.unwrap_or({other})")
            }
        }
    }

    /// An operation that gives the type.
    fn computed(&mut self, ty: &Ty, depth: usize) -> String {
        match ty {
            Ty::Int(name) => self.integer(name, depth),
            Ty::Float(name) => self.float(name, depth),
            Ty::Bool => self.truth(depth),
            Ty::Char => {
                let byte = self.expr(&Ty::Int("u8"), depth);
                format!("char::from({byte} & 0x7f)")
            }
            Ty::Text => self.text(depth),
            Ty::Tuple(parts) => self.list(parts, depth, "(", ",)"),
            Ty::Array(of, len) => match self.rng.chance(50) {
                true => self.list(&vec![(**of).clone(); *len], depth.min(1), "[", "]"),
                false => {
                    let value = self.bound(&[("i", &Ty::Int("usize"))], |g| g.pure(of, depth));
                    format!("std::array::from_fn::<{of}, {len}, _>(|i| {value})")
                }
            },
            Ty::Option(of) => self.option(of, depth),
            Ty::Vec(of) => {
                let from = Ty::scalar(&mut self.rng);
                match self.rng.below(3) {
                    0 => self.list(&vec![(**of).clone(); 3], depth.min(1), "vec![", "]"),
                    1 => {
                        let list = self.expr(&Ty::Vec(Box::new(from.clone())), depth);
                        let value = self.bound(&[("x", &from)], |g| g.pure(of, depth));
                        format!("{list}.iter().map(|&x| {value}).collect::<Vec<{of}>>()")
                    }
                    _ => {
                        let end = self.rng.below(8);
                        let keep =
                            self.bound(&[("i", &Ty::Int("usize"))], |g| g.pure(&Ty::Bool, depth));
                        let value = self.bound(&[("i", &Ty::Int("usize"))], |g| g.pure(of, depth));
                        format!(
                            "(0..{end}usize).rev().filter(|&i| {keep}).map(|i| {value}).collect::<Vec<{of}>>()"
                        )
                    }
                }
            }
            Ty::Named(index) => self.constructed(*index, depth),
        }
    }

    fn integer(&mut self, name: &'static str, depth: usize) -> String {
        let ty = Ty::Int(name);
        let a = self.expr(&ty, depth);
        match self.rng.below(13) {
            0..3 => {
                let op = self.rng.pick(&[
                    "wrapping_add",
                    "wrapping_sub",
                    "wrapping_mul",
                    "saturating_add",
                    "saturating_sub",
                    "saturating_mul",
                ]);
                let b = self.expr(&ty, depth);
                format!("{name}::{op}({a}, {b})")
            }
            3 => {
                let op = self.rng.pick(&[
                    "wrapping_div",
                    "wrapping_rem",
                    "wrapping_div_euclid",
                    "wrapping_rem_euclid",
                ]);
                let b = self.expr(&ty, depth);
                format!("{name}::{op}({a}, {b} | 1)")
            }
            4 => {
                let op = self.rng.pick(&[
                    "checked_add",
                    "checked_sub",
                    "checked_mul",
                    "checked_div",
                    "checked_rem",
                ]);
                let (b, other) = (self.expr(&ty, depth), self.expr(&ty, depth));
                format!("{name}::{op}({a}, {b}).unwrap_or({other})")
            }
            5 => {
                let op = self.rng.pick(&[
                    "wrapping_shl",
                    "wrapping_shr",
                    "rotate_left",
                    "rotate_right",
                ]);
                let by = self.expr(&Ty::Int("u32"), depth);
                format!("{name}::{op}({a}, {by})")
            }
            6 => {
                let op = self.rng.pick(&[
                    "count_ones",
                    "leading_zeros",
                    "trailing_zeros",
                    "leading_ones",
                ]);
                format!("({name}::{op}({a}) as {name})")
            }
            7 => {
                let op = self.rng.pick(&["swap_bytes", "reverse_bits", "to_be"]);
                format!("{name}::{op}({a})")
            }
            8 => {
                let op = self.rng.pick(&["&", "|", "^"]);
                let b = self.expr(&ty, depth);
                format!("({a} {op} {b})")
            }
            9 => {
                let from = match self.rng.below(5) {
                    0 => Ty::Float(self.rng.pick(&FLOATS)),
                    1 => Ty::Bool,
                    2 => {
                        return {
                            let c = self.expr(&Ty::Char, depth);
                            format!("({c} as u32 as {name})")
                        };
                    }
                    _ => Ty::Int(self.rng.pick(&INTS)),
                };
                let value = self.expr(&from, depth);
                format!("(({value}) as {name})")
            }
            10 => {
                let op = self.rng.pick(&["min", "max"]);
                let b = self.expr(&ty, depth);
                format!("Ord::{op}({a}, {b})")
            }
            11 => {
                let op = self
                    .rng
                    .pick(&["overflowing_add", "overflowing_sub", "overflowing_mul"]);
                let b = self.expr(&ty, depth);
                let (yes, no) = (self.expr(&ty, depth.min(1)), self.expr(&ty, depth.min(1)));
                format!(
                    "(match {name}::{op}({a}, {b}) {{ (v, true) => v ^ {yes}, (v, false) => v.wrapping_sub({no}) }})"
                )
            }
            _ => {
                let list = self.expr(&Ty::Vec(Box::new(ty.clone())), depth);
                let step = self.bound(&[("all", &ty), ("x", &ty)], |g| g.pure(&ty, depth));
                format!("{list}.iter().fold({a}, |all, &x| {step})")
            }
        }
    }

    fn float(&mut self, name: &'static str, depth: usize) -> String {
        let ty = Ty::Float(name);
        let a = self.expr(&ty, depth);
        match self.rng.below(9) {
            0..4 => {
                let op = self.rng.pick(&["+", "-", "*", "/", "%"]);
                let b = self.expr(&ty, depth);
                format!("({a} {op} {b})")
            }
            4 | 5 => {
                let op = self.rng.pick(&[
                    "sqrt",
                    "floor",
                    "ceil",
                    "trunc",
                    "abs",
                    "round_ties_even",
                    "round",
                ]);
                format!("{name}::{op}({a})")
            }
            6 => {
                let (b, c) = (self.expr(&ty, depth), self.expr(&ty, depth));
                format!("{name}::mul_add({a}, {b}, {c})")
            }
            7 => {
                let from = match self.rng.chance(25) {
                    true => Ty::Float(self.rng.pick(&FLOATS)),
                    false => Ty::Int(self.rng.pick(&INTS)),
                };
                let value = self.expr(&from, depth);
                format!("(({value}) as {name})")
            }
            _ => format!("(-{a})"),
        }
    }

    fn truth(&mut self, depth: usize) -> String {
        match self.rng.below(6) {
            0..3 => {
                let ty = match self.rng.chance(25) {
                    true => Ty::Float(self.rng.pick(&FLOATS)),
                    false => Ty::Int(self.rng.pick(&INTS)),
                };
                let op = self.rng.pick(&["<", "<=", ">", ">=", "==", "!="]);
                let (a, b) = (self.expr(&ty, depth), self.expr(&ty, depth));
                format!("(({a}) {op} ({b}))")
            }
            3 => {
                let op = self.rng.pick(&["&&", "||", "^", "&", "|"]);
                let (a, b) = (self.expr(&Ty::Bool, depth), self.expr(&Ty::Bool, depth));
                format!("(({a}) {op} ({b}))")
            }
            4 => {
                let ty = self.ty(1);
                let (a, b) = (self.pure(&ty, depth), self.pure(&ty, depth));
                format!("(({a}) == ({b}))")
            }
            _ => {
                let a = self.expr(&Ty::Bool, depth);
                format!("(!{a})")
            }
        }
    }

    fn text(&mut self, depth: usize) -> String {
        match self.rng.below(4) {
            0 => {
                let name = self.rng.pick(&INTS);
                let value = self.expr(&Ty::Int(name), depth);
                let format = self
                    .rng
                    .pick(&["{}", "{:?}", "{:08x}", "{:+}", "{:#b}", "{:>12}"]);
                format!("cut(format!({format:?}, {value}))")
            }
            1 => {
                let (a, b) = (self.expr(&Ty::Text, depth), self.expr(&Ty::Text, depth));
                format!("cut({a} + &{b})")
            }
            2 => {
                let a = self.expr(&Ty::Text, depth);
                let keep = self.bound(&[("c", &Ty::Char)], |g| g.pure(&Ty::Bool, depth));
                format!("{a}.chars().rev().filter(|&c| {keep}).collect::<String>()")
            }
            _ => {
                let a = self.expr(&Ty::Text, depth);
                let op = self
                    .rng
                    .pick(&["to_uppercase", "to_lowercase", "repeat(2)"]);
                let call = if op.ends_with(')') {
                    op.to_owned()
                } else {
                    format!("{op}()")
                };
                format!("cut({a}.{call})")
            }
        }
    }

    fn option(&mut self, of: &Ty, depth: usize) -> String {
        let from = Ty::scalar(&mut self.rng);
        let inner = Ty::Option(Box::new(from.clone()));
        match self.rng.below(4) {
            0 => {
                let option = self.expr(&inner, depth);
                let value = self.bound(&[("v", &from)], |g| g.pure(of, depth));
                format!("{option}.map(|v| {value})")
            }
            1 => {
                let option = self.expr(&inner, depth);
                let value = self.bound(&[("v", &from)], |g| {
                    g.pure(&Ty::Option(Box::new(of.clone())), depth)
                });
                format!("{option}.and_then(|v| {value})")
            }
            2 => {
                let list = self.expr(&Ty::Vec(Box::new(of.clone())), depth);
                let index = self.expr(&Ty::Int("usize"), depth);
                format!("{list}.get({index} % 4).cloned()")
            }
            _ => format!("Some({})", self.expr(of, depth)),
        }
    }
}
