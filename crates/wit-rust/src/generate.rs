//! WIT to Rust: source text of bindings, by wit-bindgen's generator.

use crate::error::Error;
use wit_bindgen_core::wit_parser::Resolve;
use wit_bindgen_core::{Files, WorldGenerator as _};

/// Rust bindings for a world of a WIT text, as `wasm::wit!` would write them.
///
/// The code needs `wasm` with its feature `wit`.
///
/// # Errors
///
/// When the text is not valid WIT, has no such world, or uses something that the generator does not support.
///
/// # Example
///
/// ```
/// let wit = "package a:b; world w { import now: func() -> u64; }";
/// let rust = wit_rust::generate_rust(wit, None)?;
/// assert!(rust.contains("pub fn now() -> u64"), "{rust}");
/// # Ok::<(), wit_rust::Error>(())
/// ```
pub fn generate_rust(wit: &str, world: Option<&str>) -> Result<String, Error> {
    let mut resolve = Resolve::new();
    let package = match resolve.push_source("world.wit", wit) {
        Ok(package) => package,
        Err(error) => {
            return Err(Error::Wit {
                message: resolve.render_error(&error),
                text: None,
            });
        }
    };
    let world = resolve
        .select_world(&[package], world)
        .map_err(|error| Error::World(format!("{error:#}")))?;
    let options = wit_bindgen_rust::Opts {
        format: true,
        runtime_path: Some("::wasm::rt".to_owned()),
        bitflags_path: Some("::wasm::rt::bitflags".to_owned()),
        generate_all: true,
        ..wit_bindgen_rust::Opts::default()
    };
    let mut files = Files::default();
    options
        .build()
        .generate(&mut resolve, world, &mut files)
        .map_err(|error| Error::Generate(format!("{error:#}")))?;
    let mut out = String::new();
    for (_, text) in files.iter() {
        out.push_str(
            std::str::from_utf8(text).map_err(|error| Error::Generate(error.to_string()))?,
        );
    }
    Ok(out)
}
