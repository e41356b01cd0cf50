//! From a unit's WasmIR to its object file.

use rustc_session::Session;
use std::path::Path;
use wasmir::Module;

/// Compiles a unit and writes its object.
pub(crate) fn object(sess: &Session, name: &str, module: Module, path: &Path) -> Result<(), String> {
    let _ = (sess, name);
    let text = wasmir::print_module(&module).to_string();
    std::fs::write(path.with_extension("wir"), text).map_err(|error| error.to_string())?;
    let errors = wasmir::verify_module(&module);
    Err(format!("{errors:?}"))
}
