//! The section `wasmrust.effects`: what functions and imports declare about themselves.
//!
//! Macros write it (docs/compiler-contract.md defines it); here it becomes contracts of functions, rules for imports and
//! places for diagnostics. A record is about the functions that call its marker, or, without one, about those whose names
//! fit its path.
//!
//! # Invariants
//! Nothing in the section is trusted: damage is an error with the line's number, and names are looked up, never
//! assumed.
//!
//! # Cost
//! Linear in the size of the section and of the module's calls and names.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use wasmir::reach::BadBody;
use wasmir::{Func, FuncBody, Module};

use crate::effect::{EffectSet, Effects, TooManyEffects};
use crate::graph::direct_calls;
use crate::imports::Rule;
use crate::infer::Options;

/// The section's name.
pub const SECTION: &str = "wasmrust.effects";

/// What a marker's name begins with.
const MARKER: &str = "__wasm_effect_";

/// One declaration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Record {
    /// What it is about.
    pub subject: Subject,
    /// The names of the effects.
    pub effects: Vec<String>,
    /// Where it stands, as `FILE:LINE:COLUMN`.
    pub place: String,
    /// Whether it was handed down by the item around its subject: then it is no fault to need less.
    pub inherited: bool,
}

/// What a declaration is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A function.
    Function {
        /// The digits of its marker, in builds that have them.
        marker: Option<String>,
        /// Its path.
        path: String,
    },
    /// A trait's method, and so every implementation of it.
    TraitMethod {
        /// The method's path.
        path: String,
    },
    /// An import; this is a fact, not a promise.
    Import {
        /// Module name.
        module: String,
        /// Field name.
        name: String,
    },
}

/// Why declarations could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordError {
    /// The section is not UTF-8.
    Text,
    /// A line has too few fields, or a marker that is none.
    Line {
        /// The line, from 1.
        line: usize,
    },
    /// A function's body could not be read.
    Body(BadBody),
    /// There are more effects than a set can hold.
    Effects(TooManyEffects),
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecordError::Text => write!(f, "the section `{SECTION}` is not text"),
            RecordError::Line { line } => {
                write!(f, "line {line} of the section `{SECTION}` is damaged")
            }
            RecordError::Body(error) => error.fmt(f),
            RecordError::Effects(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RecordError {}

impl From<BadBody> for RecordError {
    fn from(error: BadBody) -> RecordError {
        RecordError::Body(error)
    }
}

impl From<TooManyEffects> for RecordError {
    fn from(error: TooManyEffects) -> RecordError {
        RecordError::Effects(error)
    }
}

/// Reads the contents of a section. Records of kinds that are not known are passed over.
///
/// # Errors
/// If the section is damaged.
pub fn parse_records(bytes: &[u8]) -> Result<Vec<Record>, RecordError> {
    let text = std::str::from_utf8(bytes).map_err(|_| RecordError::Text)?;
    let mut records = Vec::new();
    for (i, line) in text.split_terminator('\n').enumerate() {
        let damaged = RecordError::Line { line: i + 1 };
        let mut fields = line.splitn(5, '\t');
        let mut field = || fields.next().ok_or(damaged.clone());
        let (kind, second, third, effects, place) =
            (field()?, field()?, field()?, field()?, field()?);
        let subject = match kind {
            "fn" | "inherited" => Subject::Function {
                marker: match second {
                    "-" => None,
                    _ if second.len() == 16 && second.bytes().all(|b| b.is_ascii_hexdigit()) => {
                        Some(second.to_owned())
                    }
                    _ => return Err(damaged),
                },
                path: third.to_owned(),
            },
            "trait" => Subject::TraitMethod {
                path: third.to_owned(),
            },
            "import" => Subject::Import {
                module: second.to_owned(),
                name: third.to_owned(),
            },
            _ => continue,
        };
        let names = effects.split(',').filter(|name| !name.is_empty());
        records.push(Record {
            subject,
            effects: names.map(str::to_owned).collect(),
            place: place.to_owned(),
            inherited: kind == "inherited",
        });
    }
    // A function's object code, and so its record, may be there twice.
    records.sort();
    records.dedup();
    Ok(records)
}

/// What the declarations of a module come to, once they are attached to it.
#[derive(Clone, Debug, Default)]
pub struct Declarations {
    /// Where the functions that declare effects stand.
    pub places: BTreeMap<Func, String>,
    /// Functions whose declarations all stand elsewhere, on what is around them or on a trait: they may need less.
    pub bounded: BTreeSet<Func>,
    /// Names that no import declares and that are not builtin, each with its place and the name that was perhaps meant.
    pub unknown: Vec<UnknownEffect>,
}

/// A declaration names an effect that does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownEffect {
    /// The name.
    pub name: String,
    /// The declaration's place.
    pub place: String,
    /// A name that exists and is nearly this one.
    pub nearest: Option<String>,
}

impl fmt::Display for UnknownEffect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "no import declares the effect `{}`", self.name)?;
        writeln!(f, "  --> {}", self.place)?;
        match &self.nearest {
            Some(name) => write!(f, "help: did you mean `{name}`?"),
            None => write!(
                f,
                "help: an effect of your own exists when a `#[wasm::import]` declares it"
            ),
        }
    }
}

/// Attaches the module's own declarations: contracts to its functions, rules for its imports to `options`.
///
/// This wants the module as it was linked: passes inline markers away.
///
/// # Errors
/// If the section or a body cannot be read.
pub fn declare(module: &mut Module, options: &mut Options) -> Result<Declarations, RecordError> {
    let mut records = Vec::new();
    for section in module.customs.iter().filter(|c| c.name == SECTION) {
        records.extend(parse_records(&section.bytes)?);
    }
    let mut declarations = Declarations::default();
    if records.is_empty() {
        return Ok(declarations);
    }
    for record in &records {
        if let Subject::Import { module, name } = &record.subject {
            let mut effects = EffectSet::PURE;
            for effect in &record.effects {
                effects.insert(options.effects.declare(effect)?);
            }
            options.rules.add(Rule {
                module: module.clone(),
                name: name.clone(),
                effects,
            });
        }
    }
    let bound = Bound::of(module)?;
    let mut unknown = BTreeSet::new();
    let mut declares = BTreeSet::new();
    for record in &records {
        let funcs = match &record.subject {
            Subject::Function {
                marker: Some(marker),
                ..
            } => bound.markers.get(marker),
            Subject::Function { marker: None, path } => bound.paths.get(path),
            Subject::TraitMethod { path } => bound.methods.get(path),
            Subject::Import { .. } => continue,
        };
        for name in &record.effects {
            if options.effects.find(name).is_none() {
                unknown.insert((record.place.clone(), name.clone()));
            }
        }
        for &func in funcs.into_iter().flatten() {
            // Declarations of the function and of the traits it implements are upper bounds, and all of them hold.
            let contract = module.contracts.entry(func).or_default();
            match &mut contract.effects {
                Some(declared) => declared.retain(|name| record.effects.contains(name)),
                none => *none = Some(record.effects.clone()),
            }
            // Its own place is the better one to point at; that of a trait does when there is no other.
            let place = declarations.places.entry(func);
            let own = matches!(record.subject, Subject::Function { .. });
            if own && !record.inherited {
                declares.insert(func);
            }
            match place {
                Entry::Occupied(mut place) if own => drop(place.insert(record.place.clone())),
                Entry::Occupied(_) => {}
                Entry::Vacant(place) => drop(place.insert(record.place.clone())),
            }
        }
    }
    let places = declarations.places.keys();
    declarations.bounded = places
        .filter(|func| !declares.contains(func))
        .copied()
        .collect();
    declarations.unknown = unknown
        .into_iter()
        .map(|(place, name)| UnknownEffect {
            nearest: nearest(&name, &options.effects),
            name,
            place,
        })
        .collect();
    Ok(declarations)
}

/// Which functions each way of naming them means.
#[derive(Default)]
struct Bound {
    markers: BTreeMap<String, Vec<Func>>,
    paths: BTreeMap<String, Vec<Func>>,
    methods: BTreeMap<String, Vec<Func>>,
}

impl Bound {
    fn of(module: &Module) -> Result<Bound, BadBody> {
        let mut bound = Bound::default();
        let mut markers: BTreeMap<Func, &str> = BTreeMap::new();
        for (func, data) in module.funcs.iter() {
            let Some(name) = data.symbol.name.as_deref() else {
                continue;
            };
            if let Some(digits) = name.find(MARKER).and_then(|at| {
                let from = at + MARKER.len();
                name.get(from..from + 16)
            }) {
                markers.insert(func, digits);
            }
            if matches!(data.body, FuncBody::None) {
                continue;
            }
            let name = format!("{:#}", rustc_demangle::demangle(name));
            if let Some(path) = method(&name) {
                bound.methods.entry(path).or_default().push(func);
            } else {
                let path = without_generics(&name);
                bound.paths.entry(path).or_default().push(func);
            }
        }
        if !markers.is_empty() {
            for func in module.funcs.keys() {
                for callee in direct_calls(module, func)? {
                    if let Some(&digits) = markers.get(&callee) {
                        bound.markers.entry(digits.into()).or_default().push(func);
                    }
                }
            }
        }
        Ok(bound)
    }
}

/// `PATH::METHOD` for a name of the form `<TYPE as PATH>::METHOD`.
fn method(name: &str) -> Option<String> {
    let inner = name.strip_prefix('<')?;
    let mut depth = 1usize;
    let mut as_at = None;
    let bytes = inner.as_bytes();
    for (i, &byte) in bytes.iter().enumerate() {
        match byte {
            b'<' => depth += 1,
            // An arrow, as in `fn() -> T`, closes nothing.
            b'>' if i > 0 && bytes[i - 1] == b'-' => {}
            b'>' => {
                depth -= 1;
                if depth == 0 {
                    let path = without_generics(inner.get(as_at?..i)?);
                    let rest = inner.get(i + 1..)?.strip_prefix("::")?;
                    let method = without_generics(rest);
                    // Closures and nested functions of the method are not the method.
                    return (!method.contains("::")).then(|| format!("{path}::{method}"));
                }
            }
            b' ' if depth == 1 && inner[i..].starts_with(" as ") => as_at = Some(i + 4),
            _ => {}
        }
    }
    None
}

/// A path without its generic arguments.
fn without_generics(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut depth = 0usize;
    let mut before = ' ';
    for c in path.chars() {
        match c {
            '<' => depth += 1,
            '>' if before == '-' => {}
            '>' => depth = depth.saturating_sub(1),
            _ if depth == 0 => out.push(c),
            _ => {}
        }
        before = c;
    }
    // `path::<T>` leaves its separator.
    out.trim_end_matches("::").replace("::::", "::")
}

/// The effect whose name is nearest, if it is at most a third of the name away.
fn nearest(name: &str, effects: &Effects) -> Option<String> {
    effects
        .names()
        .map(|known| (strsim::levenshtein(name, known), known))
        .filter(|(distance, _)| *distance <= (name.chars().count() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_records() {
        let text = "fn\t0f3c5a9e11d2c4b7\tshop::cart\tfs,net\tsrc/a b.rs:1:2\n\
                    fn\t-\tshop::total\t\tsrc/lib.rs:3:4\n\
                    trait\t-\tshop::Store::get\tfs\tsrc/lib.rs:5:6\n\
                    later\tx\ty\tz\tw\n\
                    inherited\t-\tshop::part\tfs\tsrc/lib.rs:7:8\n\
                    import\tacme:pay/charge@1.0.0\tcharge\tbilling\tsrc/pay.rs:4:8\n\
                    fn\t-\tshop::total\t\tsrc/lib.rs:3:4\n";
        let records = parse_records(text.as_bytes()).unwrap();
        assert_eq!(records.len(), 5, "an unknown kind and a duplicate are gone");
        let inherited: Vec<&Record> = records.iter().filter(|r| r.inherited).collect();
        assert_eq!(inherited.len(), 1);
        assert!(
            matches!(&inherited[0].subject, Subject::Function { path, .. } if path == "shop::part")
        );
        let total = |r: &&Record| matches!(&r.subject, Subject::Function { path, .. } if path == "shop::total");
        assert_eq!(records.iter().find(total).unwrap().effects, [""; 0]);
        let marked = records
            .iter()
            .find(|r| matches!(&r.subject, Subject::Function { marker: Some(m), .. } if m == "0f3c5a9e11d2c4b7"));
        assert_eq!(marked.unwrap().effects, ["fs", "net"]);
        assert_eq!(marked.unwrap().place, "src/a b.rs:1:2");
    }

    #[test]
    fn damage_is_told_with_its_line() {
        let line = |text: &[u8]| parse_records(text).unwrap_err();
        assert_eq!(line(b"\xff"), RecordError::Text);
        assert_eq!(line(b"fn\t-\tx\n"), RecordError::Line { line: 1 });
        assert_eq!(
            line(b"fn\t-\tx\t\tp\nfn\tXY\tx\t\tp\n"),
            RecordError::Line { line: 2 }
        );
        assert_eq!(line(b"\n"), RecordError::Line { line: 1 });
    }

    #[test]
    fn methods_of_traits_are_recognised() {
        for (name, expected) in [
            ("<shop::Disk as shop::Store>::get", Some("shop::Store::get")),
            (
                "<shop::Disk<alloc::vec::Vec<u8>> as shop::Store<T>>::get",
                Some("shop::Store::get"),
            ),
            (
                "<fn() -> u8 as shop::Store>::get::<T>",
                Some("shop::Store::get"),
            ),
            ("<shop::Disk as shop::Store>::get::{{closure}}", None),
            ("<shop::Disk>::get", None),
            ("shop::total", None),
        ] {
            assert_eq!(method(name).as_deref(), expected, "{name}");
        }
        assert_eq!(without_generics("shop::pick::<u8, Vec<T>>"), "shop::pick");
        assert_eq!(
            without_generics("shop::Cart::<T>::total"),
            "shop::Cart::total"
        );
    }

    #[test]
    fn near_names_are_offered() {
        let effects = Effects::new();
        assert_eq!(nearest("clcok", &effects), None, "two letters off in five");
        assert_eq!(nearest("clok", &effects).as_deref(), Some("clock"));
        assert_eq!(
            nearest("atomic_raed", &effects).as_deref(),
            Some("atomic_read")
        );
        assert_eq!(nearest("billing", &effects), None);
    }
}
