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

fn lift_all(module: &mut wasmir::Module) -> Result<(), String> {
    wasmir_lift::lift_bodies(module)
        .map_err(|(func, error)| format!("lift bug: {func}: {error}"))?;
    wasmir::verify_module(module).map_err(|errors| {
        let listed: Vec<String> = errors.iter().take(3).map(ToString::to_string).collect();
        format!("lift bug: {}", listed.join("; "))
    })
}
