//! Relocatable objects: symbols and relocations.

use wasmir::Module;
use wasmparser::CustomSectionReader;

use crate::LiftError;

/// The sections that make a module an object.
#[derive(Default)]
pub(crate) struct Sections<'a> {
    pub(crate) linking: Option<CustomSectionReader<'a>>,
    pub(crate) relocs: Vec<CustomSectionReader<'a>>,
}

pub(crate) fn read(_module: &mut Module, sections: Sections<'_>) -> Result<(), LiftError> {
    let offset = sections.linking.map_or(0, |section| section.range().start);
    Err(LiftError::unsupported("a relocatable object", offset))
}
