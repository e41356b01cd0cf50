//! From a unit's WasmIR to its object file.

use crate::cx::Unit;
use crate::object;
use rustc_session::Session;
use std::path::Path;

/// Compiles a unit and writes its object; with `-Csave-temps` its WasmIR as text beside it, and with
/// `-Zverify-llvm-ir` (the switch for checking intermediate forms) only after validation.
pub(crate) fn object(sess: &Session, mut unit: Unit, path: &Path) -> Result<(), String> {
    if sess.opts.cg.save_temps {
        let text = wasmir::print_module(&unit.module).to_string();
        let path = path.with_extension("wir");
        std::fs::write(&path, text).map_err(|error| format!("cannot write `{}`: {error}", path.display()))?;
    }
    if sess.verify_llvm_ir()
        && let Err(errors) = wasmir::verify_module(&unit.module)
    {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        return Err(format!("invalid WasmIR: {}", errors.join("; ")));
    }
    let object = object::write(&mut unit.module, unit.stack_pointer, unit.table)?;
    std::fs::write(path, object).map_err(|error| format!("cannot write `{}`: {error}", path.display()))
}
