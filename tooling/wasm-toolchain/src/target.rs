//! The WebAssembly targets that programs are compiled for.

/// A target of the stock compiler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// `wasm32-unknown-unknown`: no system interface. What libraries are compiled for, so that a component imports only what its code asks for.
    Unknown,
    /// `wasm32-wasip1`: WASI preview 1. What programs and tests are compiled for.
    WasiP1,
}

impl Target {
    /// Every target that set-up makes ready.
    pub const ALL: [Target; 2] = [Target::Unknown, Target::WasiP1];

    /// The name that rustc and Cargo know.
    pub const fn triple(self) -> &'static str {
        match self {
            Target::Unknown => "wasm32-unknown-unknown",
            Target::WasiP1 => "wasm32-wasip1",
        }
    }

    /// The target of that name.
    pub fn from_triple(triple: &str) -> Option<Target> {
        Target::ALL.into_iter().find(|t| t.triple() == triple)
    }
}

/// What a panic does in a program, and hence which build of std it needs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Panic {
    /// It ends the program: what rustc takes for granted on these targets.
    #[default]
    Abort,
    /// It unwinds, by WebAssembly's exceptions, for programs compiled with `-Cpanic=unwind`.
    Unwind,
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.triple())
    }
}
