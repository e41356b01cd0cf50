//! Writes results: to standard output, or to a file that appears whole or not at all.

use crate::error::{Error, Result};
use std::io::Write as _;
use std::path::Path;

/// Writes `bytes`.
pub(crate) fn write(path: Option<&Path>, bytes: &[u8]) -> Result<()> {
    let name = path.unwrap_or(Path::new("standard output"));
    let fail = |source| Error::Write {
        path: name.into(),
        source,
    };
    let Some(path) = path else {
        let mut out = std::io::stdout().lock();
        return out
            .write_all(bytes)
            .and_then(|()| out.flush())
            .map_err(fail);
    };
    wasm_toolchain::write_whole(path, bytes).map_err(fail)
}

/// Writes WebAssembly as text.
pub(crate) fn wat(path: &Path, wasm: &[u8]) -> Result<String> {
    wasmprinter::print_bytes(wasm).map_err(|e| Error::Stage {
        path: path.into(),
        stage: "print the code of",
        message: e.to_string(),
    })
}
