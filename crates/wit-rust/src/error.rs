//! What can go wrong between Rust and WIT.

use std::fmt;

/// An error of this crate.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are not a core WebAssembly module.
    Module(String),
    /// A record in the module's `wasmrust-wit` section is damaged.
    Record {
        /// Where in the section.
        offset: usize,
        /// What is wrong.
        reason: &'static str,
    },
    /// Two Rust items want the same WIT name.
    NameClash {
        /// The name.
        name: String,
        /// The interface or world.
        scope: String,
        /// The two items.
        origins: [String; 2],
    },
    /// One Rust path has two definitions, as when two versions of a crate are linked.
    TwoDefinitions {
        /// The type.
        name: String,
        /// Its Rust module.
        module: String,
    },
    /// A function of the world itself uses a resource that the component exports.
    ResourceOutsideInterface {
        /// The function.
        function: String,
        /// Where it stands.
        origin: String,
        /// The resource.
        resource: String,
    },
    /// The resulting WIT is not valid.
    Wit {
        /// What wit-parser says.
        message: String,
        /// The WIT text, if it was generated here.
        text: Option<String>,
    },
    /// WIT from different sources does not fit together.
    Merge(String),
    /// There is no such world.
    World(String),
    /// The generator of Rust code failed.
    Generate(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Module(reason) => write!(f, "not a WebAssembly module: {reason}"),
            Self::Record { offset, reason } => write!(
                f,
                "the module's interface description is damaged at byte {offset}: {reason}\n\
                 help: build again with the same version of the `wasm` crate everywhere"
            ),
            Self::NameClash {
                name,
                scope,
                origins: [first, second],
            } => write!(
                f,
                "two items of {scope} are named `{name}` in WIT\n  first:  {first}\n  second: {second}\n\
                 help: rename one, or move one into another module"
            ),
            Self::TwoDefinitions { name, module } => write!(
                f,
                "`{module}` defines `{name}` in two ways\n\
                 help: two versions of one crate are linked: `cargo tree --duplicates` names them"
            ),
            Self::ResourceOutsideInterface {
                function,
                origin,
                resource,
            } => write!(
                f,
                "`{function}` uses the exported resource `{resource}`, but belongs to no interface\n  at: {origin}\n\
                 help: move it into the `#[wasm::export]` module of the resource, or make it a method"
            ),
            Self::Wit {
                message,
                text: None,
            } => write!(f, "invalid WIT: {message}"),
            Self::Wit {
                message,
                text: Some(text),
            } => write!(f, "the exports make no valid WIT: {message}\n\n{text}"),
            Self::Merge(reason) => write!(
                f,
                "the parts of the component's WIT do not fit together: {reason}"
            ),
            Self::World(reason) => write!(f, "no such world: {reason}"),
            Self::Generate(reason) => write!(f, "cannot generate Rust from this WIT: {reason}"),
        }
    }
}

impl std::error::Error for Error {}
