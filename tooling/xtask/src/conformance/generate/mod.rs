//! A generator of Rust programs over integers, floats, enums, slices, closures, trait objects and collections.
//!
//! # How
//!
//! A seed chooses some structs and enums, then functions, each of which calls only those before it. Bodies are made top down:
//! [`expr`] makes an expression of a wanted type from the variables in scope, [`stmt`] makes statements. Every value of a program goes
//! into one running hash, which is printed after each call of `main`.
//!
//! # Why the output is the same under every compiler
//!
//! - Arithmetic on integers wraps, saturates or is checked; divisors are odd; indices are taken modulo the length.
//! - Floats use operations whose result IEEE 754 settles. NaNs are hashed as one, and nothing looks at their bits; `min` and `max`, which
//!   may choose either zero, are left out.
//! - Loops and calls use up fuel; when none is left, they end.
//! - Nothing depends on addresses, on the order of a hash table, on time or on the environment.

mod expr;
mod rng;
mod stmt;
mod types;

use std::fmt::Write;

use rng::Rng;
use types::{Shape, Ty, letter};

/// What every program begins with.
const PRELUDE: &str = include_str!("prelude.rs.txt");

/// A function of the program.
struct Function {
    params: Vec<Ty>,
    result: Ty,
}

/// A variable in scope.
#[derive(Clone)]
struct Var {
    name: String,
    ty: Ty,
    mutable: bool,
}

/// The program under construction.
struct Generator {
    rng: Rng,
    shapes: Vec<Shape>,
    functions: Vec<Function>,
    /// Variables, innermost last.
    scope: Vec<Var>,
    /// The labels of the loops around, innermost last.
    labels: Vec<String>,
    /// Makes names unique.
    names: usize,
    /// How many more statements this function may have.
    budget: usize,
}

/// The program of a seed.
pub(super) fn program(seed: u64) -> String {
    let mut generator = Generator {
        rng: Rng::new(seed),
        shapes: Vec::new(),
        functions: Vec::new(),
        scope: Vec::new(),
        labels: Vec::new(),
        names: 0,
        budget: 0,
    };
    let mut out = format!("//! Seed {seed}.\n{PRELUDE}");
    for _ in 0..2 + generator.rng.below(4) {
        generator.shape(&mut out);
    }
    for _ in 0..4 + generator.rng.below(5) {
        generator.function(&mut out);
    }
    generator.main(&mut out);
    out
}

impl Generator {
    fn name(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }

    fn ty(&mut self, depth: usize) -> Ty {
        Ty::any(&mut self.rng, depth, self.shapes.len())
    }

    /// A struct or enum with what the prelude's traits ask.
    fn shape(&mut self, out: &mut String) {
        let index = self.shapes.len();
        let fields = |generator: &mut Generator, least: usize| -> Vec<Ty> {
            (0..least + generator.rng.below(4))
                .map(|_| generator.ty(2))
                .collect()
        };
        let shape = if self.rng.chance(40) {
            Shape::Struct(fields(self, 1))
        } else {
            Shape::Enum(
                (0..2 + self.rng.below(5))
                    .map(|_| fields(self, 0))
                    .collect(),
            )
        };
        match &shape {
            Shape::Struct(fields) => {
                let _ = writeln!(
                    out,
                    "#[derive(Clone, Debug, PartialEq)]\nstruct T{index} {{"
                );
                for (field, ty) in fields.iter().enumerate() {
                    let _ = writeln!(out, "    {}: {ty},", letter(field, 'a'));
                }
                let _ = writeln!(
                    out,
                    "}}\nimpl Show for T{index} {{\n    fn show(&self, h: &mut Hash) {{"
                );
                for field in 0..fields.len() {
                    let _ = writeln!(out, "        self.{}.show(h);", letter(field, 'a'));
                }
                out.push_str("    }\n}\n");
            }
            Shape::Enum(variants) => {
                let _ = writeln!(out, "#[derive(Clone, Debug, PartialEq)]\nenum T{index} {{");
                for (variant, fields) in variants.iter().enumerate() {
                    let _ = write!(out, "    {}", letter(variant, 'A'));
                    if !fields.is_empty() {
                        out.push('(');
                        fields.iter().for_each(|ty| {
                            let _ = write!(out, "{ty}, ");
                        });
                        out.push(')');
                    }
                    out.push_str(",\n");
                }
                let _ = writeln!(
                    out,
                    "}}\nimpl Show for T{index} {{\n    fn show(&self, h: &mut Hash) {{\n        match self {{"
                );
                for (variant, fields) in variants.iter().enumerate() {
                    let names: Vec<String> =
                        (0..fields.len()).map(|field| format!("x{field}")).collect();
                    let pattern = match names.is_empty() {
                        true => String::new(),
                        false => format!("({})", names.join(", ")),
                    };
                    let shows: String = names
                        .iter()
                        .map(|name| format!(" {name}.show(h);"))
                        .collect();
                    let _ = writeln!(
                        out,
                        "            T{index}::{}{pattern} => {{ h.add({variant});{shows} }}",
                        letter(variant, 'A')
                    );
                }
                out.push_str("        }\n    }\n}\n");
            }
        }
        self.shapes.push(shape);
    }

    fn function(&mut self, out: &mut String) {
        let index = self.functions.len();
        let params: Vec<Ty> = (0..1 + self.rng.below(4)).map(|_| self.ty(2)).collect();
        let result = self.ty(2);
        self.scope.clear();
        self.budget = 20;
        let _ = write!(
            out,
            "{}fn f{index}(h: &mut Hash",
            self.rng
                .pick(&["", "#[inline(never)]\n", "#[inline(always)]\n"])
        );
        for ty in &params {
            let name = self.name("p");
            let _ = write!(out, ", mut {name}: {ty}");
            self.scope.push(Var {
                name,
                ty: ty.clone(),
                mutable: true,
            });
        }
        let _ = writeln!(out, ") -> {result} {{");
        self.statements(out, 1, 3 + index % 4);
        let last = self.expr(&result, 3);
        let _ = writeln!(out, "    {last}\n}}");
        self.functions.push(Function { params, result });
    }

    fn main(&mut self, out: &mut String) {
        self.scope.clear();
        out.push_str("pub fn main() {\n    let h = &mut Hash::new();\n");
        for index in 0..self.functions.len() {
            for _ in 0..2 {
                let params = self.functions[index].params.clone();
                // The arguments first: they may use the hash themselves.
                let args: Vec<String> = params.iter().map(|ty| self.expr(ty, 2)).collect();
                let names: Vec<String> = params.iter().map(|_| self.name("a")).collect();
                let (args, names) = (args.join(", "), names.join(", "));
                let _ = writeln!(
                    out,
                    "    refill();\n    let ({names},) = ({args},);\n    let r = f{index}(h, {names});\n    r.show(h);\n    \
                     println!(\"f{index} {{:016x}}\", h.0);"
                );
            }
        }
        out.push_str("}\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_program() {
        assert_eq!(program(7), program(7));
        assert_ne!(program(7), program(8));
    }

    #[test]
    fn programs_use_what_they_should() {
        let all: String = (0..40).map(program).collect();
        let used = [
            "match ",
            "while ",
            "for ",
            "break '",
            "continue '",
            "wrapping_",
            "checked_",
            "saturating_",
            " as f32",
            " as i128",
            "move |",
            ".iter()",
            "iter_mut()",
            "split_at_mut",
            "Box<dyn Fn",
            "dyn Show",
            "mul_add",
            "Some(",
            "if let",
            "[first, .., last]",
            "?;",
        ];
        for text in used {
            assert!(
                all.contains(text),
                "no program of the first forty has `{text}`"
            );
        }
    }
}
