//! The pipeline's stages as transforms.

/// Lifts the module and all bodies, verifies the result, and gives the module back as it came: what remains to be seen
/// is whether the lifter takes every valid module, refuses every other, and makes well-formed bodies.
///
/// # Errors
///
/// Says why the module is not lifted, or what is wrong with what came out.
pub fn lift(wasm: &[u8]) -> Result<Vec<u8>, String> {
    let mut module = wasmir_lift::lift(wasm).map_err(|error| error.to_string())?;
    lift_all(&mut module)?;
    Ok(wasm.to_vec())
}

/// Lifts the module and emits it with all bodies as they came: what remains is how sections are read and written, and how
/// bodies are renumbered.
///
/// # Errors
///
/// Says which stage failed, and why.
pub fn copy(wasm: &[u8]) -> Result<Vec<u8>, String> {
    let module = wasmir_lift::lift(wasm).map_err(|error| error.to_string())?;
    emit(&module)
}

/// The whole pipeline: lifts the module and all bodies, optimises them through CLIF, and emits them.
///
/// # Errors
///
/// Says which stage failed, and why.
pub fn recompile(wasm: &[u8]) -> Result<Vec<u8>, String> {
    let mut module = wasmir_lift::lift(wasm).map_err(|error| error.to_string())?;
    lift_all(&mut module)?;
    emit(&module)
}

fn emit(module: &wasmir::Module) -> Result<Vec<u8>, String> {
    codegen_cranelift::emit_module(module, &codegen_cranelift::Options::default())
        .map_err(|error| format!("emit bug: {error}"))
}

fn lift_all(module: &mut wasmir::Module) -> Result<(), String> {
    wasmir_lift::lift_bodies(module)
        .map_err(|(func, error)| format!("lift bug: {func}: {error}"))?;
    wasmir::verify_module(module).map_err(|errors| {
        let listed: Vec<String> = errors.iter().take(3).map(ToString::to_string).collect();
        format!("lift bug: {}", listed.join("; "))
    })
}
