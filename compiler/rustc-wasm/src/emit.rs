//! From a unit's WasmIR to its object file: one that holds it, or machine code made of it.

use codegen_cranelift::Options;
use rustc_session::Session;
use rustc_session::config::DebugInfo;
use std::path::Path;
use wasmir::Module;

/// Writes the object of a unit, compiled if it is to hold `machine_code`; with `-Csave-temps` its WasmIR as text beside it, and with
/// `-Zverify-llvm-ir` (the switch for checking intermediate forms) only after validation.
pub(crate) fn object(sess: &Session, module: Module, path: &Path, machine_code: bool) -> Result<(), String> {
    if sess.opts.cg.save_temps {
        let text = wasmir::print_module(&module).to_string();
        let path = path.with_extension("wir");
        std::fs::write(&path, text).map_err(|error| format!("cannot write `{}`: {error}", path.display()))?;
    }
    if sess.verify_llvm_ir()
        && let Err(errors) = wasmir::verify_module(&module)
    {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        return Err(format!("invalid WasmIR: {}", errors.join("; ")));
    }
    let object = match machine_code {
        false => wasmir_ld::envelope::seal(&wasmir::encode_module(&module)),
        true => {
            // The linker takes names from the symbol table.
            let debug = sess.opts.debuginfo != DebugInfo::None;
            let options = Options { names: false, debug, ..Options::default() };
            codegen_cranelift::emit_object(module, &options).map_err(|error| error.to_string())?
        }
    };
    std::fs::write(path, object).map_err(|error| format!("cannot write `{}`: {error}", path.display()))
}
