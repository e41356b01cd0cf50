//! `cargo wasm componentize`: for core modules that did not come from `cargo wasm build`.

use crate::cli::Componentize;
use crate::component::{self, Made};
use crate::error::{Error, Result};
use crate::finish;
use crate::report;
use std::process::ExitCode;
use std::time::Instant;

/// Encodes one file.
pub(crate) fn componentize(arguments: &Componentize) -> Result<ExitCode> {
    let start = Instant::now();
    let file = &arguments.module;
    let bytes = finish::read(file)?;
    let output = arguments
        .output
        .clone()
        .unwrap_or_else(|| file.with_extension("component.wasm"));
    match component::encode(&bytes, file, arguments.adapter)? {
        Made::Component { bytes, .. } => {
            finish::write(&output, &bytes)?;
            report::artefact(
                &output,
                "component",
                bytes.len() as u64,
                start.elapsed(),
                false,
            );
            Ok(ExitCode::SUCCESS)
        }
        Made::Core => {
            let error = Error::user(format!(
                "`{}` carries no WIT world and is no WASI program",
                file.display()
            ));
            Err(error
                .hint("mark what it exports with `#[wasm::export]`, or choose `--adapter`")
                .into())
        }
    }
}
