//! What `rustc -vV` says about itself.

use std::path::Path;
use std::process::{Command, Stdio};

/// The Rust release that WasmRust compiles with. One release, because our front end, our sysroots and the metadata formats all move together.
pub const RUST_RELEASE: &str = "1.96.0";

/// The identity of one rustc.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RustcVersion {
    /// `1.96.0`, `1.97.0-nightly`, …
    pub release: String,
    /// The machine it runs on and compiles for by default.
    pub host: String,
    /// The commit it was built from, when it knows.
    pub commit: Option<String>,
    /// LLVM's version; `None` for a rustc without LLVM.
    pub llvm: Option<String>,
    /// The whole text.
    pub verbose: String,
}

impl RustcVersion {
    /// Reads the output of `rustc -vV`.
    ///
    /// ```
    /// let v = wasm_toolchain::RustcVersion::parse("rustc 1.96.0\nhost: x86_64-unknown-linux-gnu\nrelease: 1.96.0\n").unwrap();
    /// assert_eq!((v.release.as_str(), v.llvm), ("1.96.0", None));
    /// ```
    pub fn parse(verbose: &str) -> Option<RustcVersion> {
        let field = |name: &str| {
            verbose.lines().find_map(|line| {
                line.strip_prefix(name)?
                    .strip_prefix(':')
                    .map(|v| v.trim().to_owned())
            })
        };
        verbose.starts_with("rustc ").then_some(())?;
        Some(RustcVersion {
            release: field("release")?,
            host: field("host")?,
            commit: field("commit-hash").filter(|h| h != "unknown"),
            llvm: field("LLVM version"),
            verbose: verbose.to_owned(),
        })
    }

    /// Asks `rustc` for its version.
    pub fn ask(rustc: &Path) -> Result<RustcVersion, String> {
        // A rustup proxy obeys this variable, and the outer `cargo` sets it to the toolchain that built us.
        let output = Command::new(rustc)
            .arg("-vV")
            .env_remove("RUSTUP_TOOLCHAIN")
            .stdin(Stdio::null())
            .output()
            .map_err(|e| e.to_string())?;
        if !output.status.success() {
            return Err(format!(
                "`-vV` ended with {}: {}",
                output.status,
                String::from_utf8_lossy(&output.stderr).trim()
            ));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        RustcVersion::parse(&text).ok_or_else(|| {
            format!(
                "`-vV` printed {:?}",
                text.lines().next().unwrap_or_default()
            )
        })
    }
}
