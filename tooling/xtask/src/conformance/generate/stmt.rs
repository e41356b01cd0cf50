//! Statements.

use std::fmt::Write;

use super::types::{INTS, Ty};
use super::{Generator, Var};

impl Generator {
    /// `count` statements, indented by `level`, in a scope of their own.
    pub(super) fn statements(&mut self, out: &mut String, level: usize, count: usize) {
        for _ in 0..count {
            if self.budget == 0 {
                return;
            }
            self.budget -= 1;
            self.statement(out, level);
        }
    }

    /// A block in braces.
    fn block(&mut self, out: &mut String, level: usize, count: usize) {
        let before = self.scope.len();
        out.push_str("{\n");
        self.statements(out, level + 1, count);
        self.scope.truncate(before);
        let _ = writeln!(out, "{}}}", "    ".repeat(level));
    }

    fn statement(&mut self, out: &mut String, level: usize) {
        let indent = "    ".repeat(level);
        out.push_str(&indent);
        let depth = 3;
        match self.rng.below(15) {
            0..3 => self.declare(out, depth),
            3 | 4 => self.assign(out, depth),
            5 => {
                let condition = self.expr(&Ty::Bool, depth);
                let _ = write!(out, "if {condition} ");
                self.block(out, level, 2);
                let _ = write!(out, "{indent}else ");
                self.block(out, level, 2);
            }
            6 => {
                let label = self.name("l");
                let (var, end) = (self.name("i"), 1 + self.rng.below(9));
                let _ = writeln!(
                    out,
                    "'{label}: for {var} in 0..{end}usize {{\n{indent}    if !fuel() {{ break; }}"
                );
                let before = self.scope.len();
                self.scope.push(Var {
                    name: var,
                    ty: Ty::Int("usize"),
                    mutable: false,
                });
                self.labels.push(label);
                self.statements(out, level + 1, 3);
                self.labels.pop();
                self.scope.truncate(before);
                let _ = writeln!(out, "{indent}}}");
            }
            7 => {
                let label = self.name("l");
                let condition = self.expr(&Ty::Bool, depth);
                let _ = write!(out, "'{label}: while fuel() && {condition} ");
                self.labels.push(label);
                self.block(out, level, 3);
                self.labels.pop();
            }
            8 if !self.labels.is_empty() => {
                let at = self.rng.below(self.labels.len());
                let condition = self.expr(&Ty::Bool, depth);
                let word = self.rng.pick(&["break", "continue"]);
                let _ = writeln!(out, "if {condition} {{ {word} '{}; }}", self.labels[at]);
            }
            9 => {
                let of = self.ty(1);
                let option = self.expr(&Ty::Option(Box::new(of.clone())), depth);
                let name = self.name("v");
                let _ = write!(out, "if let Some({name}) = {option} ");
                self.scope.push(Var {
                    name,
                    ty: of,
                    mutable: false,
                });
                self.block(out, level, 2);
                self.scope.pop();
            }
            10 => self.slices(out, depth),
            11 => self.captures(out, depth),
            12 => self.objects(out, depth),
            13 => self.early(out, depth),
            _ => {
                let ty = self.ty(2);
                let value = self.expr(&ty, depth);
                let _ = writeln!(out, "{{ let value = {value}; value.show(h); }}");
            }
        }
    }

    fn declare(&mut self, out: &mut String, depth: usize) {
        let ty = self.ty(2);
        let value = self.expr(&ty, depth);
        let name = self.name("x");
        let _ = writeln!(out, "let mut {name}: {ty} = {value};");
        self.scope.push(Var {
            name,
            ty,
            mutable: true,
        });
    }

    fn mutable(&mut self, is: impl Fn(&Ty) -> bool) -> Option<Var> {
        let fitting: Vec<&Var> = self
            .scope
            .iter()
            .filter(|var| var.mutable && is(&var.ty))
            .collect();
        (!fitting.is_empty()).then(|| (self.rng.pick(&fitting)).clone())
    }

    fn assign(&mut self, out: &mut String, depth: usize) {
        let Some(Var { name, ty, .. }) = self.mutable(|_| true) else {
            return self.declare(out, depth);
        };
        if matches!(ty, Ty::Int(_)) && self.rng.chance(50) {
            let op = self.rng.pick(&["&=", "|=", "^="]);
            let value = self.expr(&ty, depth);
            let _ = writeln!(out, "{name} {op} {value};");
            return;
        }
        let value = self.expr(&ty, depth);
        let _ = writeln!(out, "{name} = {value};");
    }

    /// Changes elements in place, through slices.
    fn slices(&mut self, out: &mut String, depth: usize) {
        let of = Ty::Int(self.rng.pick(&INTS));
        let list = self.expr(&Ty::Vec(Box::new(of.clone())), depth);
        let name = self.name("s");
        let step = self.bound(&[("old", &of)], |g| g.pure(&of, depth));
        let at = self.pure(&Ty::Int("usize"), 1);
        let _ = writeln!(
            out,
            "let mut {name}: Vec<{of}> = {list}; for e in {name}.iter_mut() {{ let old = *e; *e = {step}; }} \
             if !{name}.is_empty() {{ let at = {at} % {name}.len(); let (a, b) = {name}.split_at_mut(at); \
             if !a.is_empty() {{ std::mem::swap(&mut a[0], &mut b[0]); }} {name}.sort_unstable(); }} \
             for w in {name}.windows(2) {{ w.show(h); }} for w in {name}.chunks(3) {{ w.show(h); }}"
        );
        self.scope.push(Var {
            name,
            ty: Ty::Vec(Box::new(of)),
            mutable: true,
        });
    }

    /// Closures that keep and change what they capture.
    fn captures(&mut self, out: &mut String, depth: usize) {
        let of = Ty::Int(self.rng.pick(&INTS));
        let (name, state) = (self.name("k"), self.name("y"));
        let first = self.expr(&of, depth);
        let step = self.bound(&[(&state, &of), ("by", &of)], |g| g.pure(&of, depth));
        let (one, two) = (self.literal(&of), self.literal(&of));
        let _ = writeln!(
            out,
            "let mut {state}: {of} = {first}; {{ let mut {name} = |by: {of}| {{ {state} = {step}; {state} }}; \
             {name}({one}).show(h); {name}({two}).show(h); }} \
             let {name}: Box<dyn Fn({of}) -> {of}> = Box::new(move |by| by.wrapping_mul({state})); {name}({one}).show(h);"
        );
        self.scope.push(Var {
            name: state,
            ty: of,
            mutable: true,
        });
    }

    /// Values behind a virtual table.
    fn objects(&mut self, out: &mut String, depth: usize) {
        let types = [self.ty(1), self.ty(1), self.ty(2)];
        let values: Vec<String> = types
            .iter()
            .map(|ty| format!("Box::new({})", self.expr(ty, depth)))
            .collect();
        let name = self.name("o");
        let _ = writeln!(
            out,
            "let {name}: Vec<Box<dyn Show>> = vec![{}]; {name}.iter().for_each(|o| o.show(h));",
            values.join(", ")
        );
    }

    /// The `?` operator.
    fn early(&mut self, out: &mut String, depth: usize) {
        let of = Ty::scalar(&mut self.rng);
        let option = Ty::Option(Box::new(of.clone()));
        let (a, b) = (self.pure(&option, depth), self.pure(&option, depth));
        let value = self.bound(&[("a", &of), ("b", &of)], |g| g.pure(&of, depth));
        let name = self.name("q");
        let _ = writeln!(
            out,
            "let {name}: {option} = (|| {{ let a = {a}?; let b = {b}?; Some({value}) }})();"
        );
        self.scope.push(Var {
            name,
            ty: option,
            mutable: false,
        });
    }
}
