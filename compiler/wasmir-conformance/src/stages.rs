//! The pipeline's stages as transforms.

use wasmir::passes::pipeline;

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

/// The whole pipeline with all passes of a dev build, as if a front end of ours had made the module; imports stay.
///
/// # Errors
///
/// Says which stage failed, and why.
pub fn passes(wasm: &[u8]) -> Result<Vec<u8>, String> {
    let mut module = wasmir_lift::lift(wasm).map_err(|error| error.to_string())?;
    lift_all(&mut module)?;
    pipeline::run(&mut module, &pipeline::Options::FRONT_END);
    verify(&module)?;
    emit(&module)
}

/// What a dev build does with a module: only what is reachable stays, and goes through the whole pipeline with its
/// passes.
///
/// # Errors
///
/// Says which stage failed, and why.
pub fn build(wasm: &[u8]) -> Result<Vec<u8>, String> {
    let mut module = wasmir_lift::lift(wasm).map_err(|error| error.to_string())?;
    let reach = |module: &mut wasmir::Module| {
        let stats = wasmir::reach::run(module);
        stats.map_err(|error| format!("reach bug: {error}"))
    };
    reach(&mut module)?;
    lift_all(&mut module)?;
    pipeline::run(&mut module, &pipeline::Options::default());
    reach(&mut module)?;
    verify(&module)?;
    emit(&module)
}

fn emit(module: &wasmir::Module) -> Result<Vec<u8>, String> {
    codegen_cranelift::emit_module(module, &codegen_cranelift::Options::default())
        .map_err(|error| format!("emit bug: {error}"))
}

fn lift_all(module: &mut wasmir::Module) -> Result<(), String> {
    wasmir_lift::lift_bodies(module)
        .map_err(|(func, error)| format!("lift bug: {func}: {error}"))?;
    verify(module)
}

fn verify(module: &wasmir::Module) -> Result<(), String> {
    wasmir::verify_module(module).map_err(|errors| {
        let listed: Vec<String> = errors.iter().take(3).map(ToString::to_string).collect();
        format!("lift bug: {}", listed.join("; "))
    })
}
