//! Effects and sets of them.
//!
//! # The lattice
//!
//! ```text
//!   {everything}                 top: nothing is known
//!     /   |   \
//!  {fs,net} {fs,clock} …         the subsets, ordered by inclusion
//!     \   |   /
//!  {fs}  {net}  {clock} …
//!      \  |  /
//!       {}                       bottom: pure
//! ```
//!
//! Joining is union. A function's effects are the join over all paths of execution, so that inference asks only which
//! sources a function can reach.

use std::collections::BTreeMap;
use std::fmt;

/// An effect: one of [`Effect::BUILTIN`], or one that a user declared.
///
/// The number is an index into an [`Effects`] vocabulary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Effect(pub(crate) u8);

macro_rules! builtin {
    ($($number:literal $constant:ident $name:literal $doc:literal;)*) => {
        impl Effect {
            $(#[doc = $doc] pub const $constant: Effect = Effect($number);)*

            /// The effects every vocabulary has.
            pub const BUILTIN: &'static [Effect] = &[$(Effect::$constant),*];
        }

        const NAMES: &[&str] = &[$($name),*];
    };
}

builtin! {
    0 JS_CALL "js_call" "Calls JavaScript through generated glue.";
    1 IO "io" "Reads or writes streams: standard input, output and error, open files and sockets.";
    2 FS "fs" "Uses the file system.";
    3 NET "net" "Uses the network.";
    4 CLOCK "clock" "Asks for the time, or waits.";
    5 RANDOM "random" "Asks for random numbers.";
    6 ENV "env" "Asks for arguments, variables or configuration, or ends the process.";
    7 THREAD "thread" "Starts, yields to or waits for threads.";
    8 ATOMIC_READ "atomic_read" "Executes an atomic load, read-modify-write or fence.";
    9 ATOMIC_WRITE "atomic_write" "Executes an atomic store, read-modify-write or fence.";
    10 MEMORY_GROW "memory_grow" "Grows a memory.";
    11 HOST "host" "Calls an import that no rule names, or code that only the host knows.";
}

/// A set of effects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EffectSet(u128);

impl EffectSet {
    /// No effects: pure.
    pub const PURE: EffectSet = EffectSet(0);

    /// The set without anything but `effect`.
    pub const fn only(effect: Effect) -> EffectSet {
        EffectSet(1 << effect.0)
    }

    /// Adds an effect.
    pub fn insert(&mut self, effect: Effect) {
        *self = self.union(EffectSet::only(effect));
    }

    /// All effects of both.
    #[must_use]
    pub const fn union(self, other: EffectSet) -> EffectSet {
        EffectSet(self.0 | other.0)
    }

    /// The effects that `other` lacks.
    #[must_use]
    pub const fn without(self, other: EffectSet) -> EffectSet {
        EffectSet(self.0 & !other.0)
    }

    /// The effects of both alike.
    #[must_use]
    pub const fn intersection(self, other: EffectSet) -> EffectSet {
        EffectSet(self.0 & other.0)
    }

    /// Whether it has this effect.
    pub const fn contains(self, effect: Effect) -> bool {
        self.0 >> effect.0 & 1 == 1
    }

    /// Whether there are none.
    pub const fn is_pure(self) -> bool {
        self.0 == 0
    }

    /// The effects, in the order of the vocabulary; as many steps as there are effects.
    pub fn iter(self) -> impl Iterator<Item = Effect> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let lowest = left.trailing_zeros();
            // Without the lowest bit; of an empty set this is `None`.
            left &= left.checked_sub(1)?;
            Some(Effect(lowest as u8))
        })
    }
}

impl FromIterator<Effect> for EffectSet {
    fn from_iter<I: IntoIterator<Item = Effect>>(iter: I) -> EffectSet {
        let mut set = EffectSet::PURE;
        iter.into_iter().for_each(|effect| set.insert(effect));
        set
    }
}

/// A vocabulary: the builtin effects and those that users declared.
#[derive(Clone, Debug)]
pub struct Effects {
    names: Vec<String>,
    by_name: BTreeMap<String, Effect>,
}

/// More effects were declared than a set can hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooManyEffects {
    /// The effect that did not fit.
    pub name: String,
}

impl fmt::Display for TooManyEffects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "no room for the effect `{}`: a program can have 128, builtin ones included",
            self.name
        )
    }
}

impl std::error::Error for TooManyEffects {}

impl Default for Effects {
    fn default() -> Effects {
        let names: Vec<String> = NAMES.iter().map(ToString::to_string).collect();
        let by_name = names
            .iter()
            .zip(0..)
            .map(|(name, i)| (name.clone(), Effect(i)))
            .collect();
        Effects { names, by_name }
    }
}

impl Effects {
    /// The builtin effects.
    pub fn new() -> Effects {
        Effects::default()
    }

    /// The effect of this name, declared if it is new.
    ///
    /// # Errors
    /// If the vocabulary is full.
    pub fn declare(&mut self, name: &str) -> Result<Effect, TooManyEffects> {
        if let Some(&effect) = self.by_name.get(name) {
            return Ok(effect);
        }
        if self.names.len() >= 128 {
            return Err(TooManyEffects {
                name: name.to_owned(),
            });
        }
        let effect = Effect(self.names.len() as u8);
        self.names.push(name.to_owned());
        self.by_name.insert(name.to_owned(), effect);
        Ok(effect)
    }

    /// The effect of this name.
    pub fn find(&self, name: &str) -> Option<Effect> {
        self.by_name.get(name).copied()
    }

    /// The name of an effect of this vocabulary.
    pub fn name(&self, effect: Effect) -> &str {
        self.names
            .get(usize::from(effect.0))
            .map_or("?", String::as_str)
    }

    /// All names, in the order of the vocabulary.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// The names of a set, in the order of the vocabulary, with commas between them.
    pub fn list(&self, set: EffectSet) -> String {
        set.iter()
            .map(|effect| self.name(effect))
            .collect::<Vec<_>>()
            .join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vocabulary_and_constants_agree() {
        let effects = Effects::new();
        for &effect in Effect::BUILTIN {
            assert_eq!(effects.find(effects.name(effect)), Some(effect));
        }
        assert_eq!(effects.name(Effect::MEMORY_GROW), "memory_grow");
        assert_eq!(Effect::BUILTIN.len(), NAMES.len());
    }

    #[test]
    fn a_full_vocabulary_says_so() {
        let mut effects = Effects::new();
        for i in Effect::BUILTIN.len()..128 {
            effects.declare(&format!("user{i}")).unwrap();
        }
        assert_eq!(effects.declare("user20"), Ok(Effect(20)));
        assert_eq!(
            effects.declare("one_more"),
            Err(TooManyEffects {
                name: "one_more".into()
            })
        );
    }

    #[test]
    fn sets_are_sets() {
        let set: EffectSet = [Effect::FS, Effect::NET, Effect::FS].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [Effect::FS, Effect::NET]);
        assert_eq!(
            set.without(EffectSet::only(Effect::FS)),
            EffectSet::only(Effect::NET)
        );
        assert_eq!(Effects::new().list(set), "fs, net");
        assert_eq!(EffectSet::PURE.iter().next(), None);
        let all = (0..128).map(Effect);
        let set: EffectSet = all.clone().collect();
        assert!(set.iter().eq(all));
    }
}
