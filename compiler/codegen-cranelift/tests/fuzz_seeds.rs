//! What the fuzz targets of the compiler start from is there. (Their packages stand outside the workspace.)

use std::path::Path;

#[path = "../../wasmir-lift/fuzz/seeds/mod.rs"]
#[expect(
    unreachable_pub,
    reason = "the crates that share the file are programs"
)]
mod seeds;

#[test]
fn there_are_seeds_of_every_kind() {
    let compiler = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (texts, binaries) = seeds::read(&compiler).expect("the tests can be read");
    assert!(texts.len() > 50, "{}", texts.len());
    assert!(binaries.len() > texts.len(), "{}", binaries.len());
    let objects = binaries.iter().filter(|bytes| {
        let mut sections = wasmparser::Parser::new(0).parse_all(bytes);
        sections.any(|section| {
            matches!(section, Ok(wasmparser::Payload::CustomSection(s)) if s.name() == "linking")
        })
    });
    assert!(objects.count() > 20);
    let folder = tempfile::tempdir().expect("a temporary folder");
    seeds::write(&folder.path().join("wir"), &texts).expect("a folder can be written");
    let written = std::fs::read_dir(folder.path().join("wir")).expect("it is there");
    assert_eq!(written.count(), texts.len());
}
