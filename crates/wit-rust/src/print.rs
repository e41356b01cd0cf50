//! WIT text of a resolved world.

use crate::error::Error;
use wit_component::WitPrinter;
use wit_parser::{PackageId, Resolve, WorldId};

/// The world's package as WIT, followed by the packages it depends on.
pub(crate) fn print_world(resolve: &Resolve, world: WorldId) -> Result<String, Error> {
    let failed = |error: anyhow::Error| Error::Merge(format!("{error:#}"));
    let Some(main) = resolve.worlds[world].package else {
        return Err(Error::World("it belongs to no package".to_owned()));
    };
    let is_shown = |package: &PackageId| {
        let package = &resolve.packages[*package];
        !package.interfaces.is_empty() || !package.worlds.is_empty()
    };
    let others: Vec<PackageId> = resolve
        .topological_packages()
        .into_iter()
        .filter(|package| *package != main && is_shown(package))
        .collect();
    let mut printer = WitPrinter::default();
    printer.print(resolve, main, &others).map_err(failed)?;
    Ok(String::from(printer.output))
}
