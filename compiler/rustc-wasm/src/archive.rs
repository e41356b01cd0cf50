//! Archives: rlibs hold WasmIR, static libraries hold machine code.
//!
//! A static library is for a linker that knows nothing of WasmIR. So all WasmIR that would go into one, that of upstream
//! crates included, is compiled to one object, as far as what the library exports reaches it; every other member stays as it is.

use rustc_codegen_ssa::back::archive::{ArArchiveBuilderBuilder, ArchiveBuilder, ArchiveBuilderBuilder};
use rustc_data_structures::fx::FxHashSet;
use rustc_session::Session;
use rustc_session::config::DebugInfo;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// The member of an rlib that holds the crate's metadata; a static library has none.
const METADATA: &str = "lib.rmeta";

/// Makes builders of archives.
pub(crate) struct Archives {
    /// The names that a static library exports.
    pub(crate) exported: Vec<String>,
}

impl ArchiveBuilderBuilder for Archives {
    fn new_archive_builder<'a>(&self, sess: &'a Session) -> Box<dyn ArchiveBuilder + 'a> {
        Box::new(Archive { sess, exported: self.exported.clone(), entries: Vec::new() })
    }
}

type Skip = Box<dyn FnMut(&str) -> bool + 'static>;

enum Entry {
    File(PathBuf),
    Archive(PathBuf, Skip),
}

struct Archive<'a> {
    sess: &'a Session,
    exported: Vec<String>,
    entries: Vec<Entry>,
}

impl ArchiveBuilder for Archive<'_> {
    fn add_file(&mut self, path: &Path) {
        self.entries.push(Entry::File(path.to_owned()));
    }

    fn add_archive(&mut self, archive: &Path, skip: Skip) -> io::Result<()> {
        self.entries.push(Entry::Archive(archive.to_owned(), skip));
        Ok(())
    }

    fn build(self: Box<Self>, output: &Path) -> bool {
        let sess = self.sess;
        let is_rlib = self.entries.iter().any(|e| matches!(e, Entry::File(path) if path.ends_with(METADATA)));
        let built = match is_rlib {
            true => self.as_it_is(output),
            false => self.compiled(output),
        };
        built.unwrap_or_else(|error| sess.dcx().fatal(format!("cannot make `{}`: {error}", output.display())))
    }
}

impl Archive<'_> {
    fn as_it_is(self, output: &Path) -> Result<bool, String> {
        let mut inner = ArArchiveBuilderBuilder.new_archive_builder(self.sess);
        for entry in self.entries {
            match entry {
                Entry::File(path) => inner.add_file(&path),
                Entry::Archive(path, skip) => inner.add_archive(&path, skip).map_err(|e| failed(&path, &e))?,
            }
        }
        Ok(inner.build(output))
    }

    fn compiled(self, output: &Path) -> Result<bool, String> {
        let mut inner = ArArchiveBuilderBuilder.new_archive_builder(self.sess);
        let mut inputs: Vec<(String, Vec<u8>)> = Vec::new();
        let is_wir = wasmir_ld::envelope::is_sealed;
        for entry in self.entries {
            match entry {
                Entry::File(path) => {
                    let bytes = fs::read(&path).map_err(|e| failed(&path, &e))?;
                    if !is_wir(&bytes) {
                        inner.add_file(&path);
                    }
                    inputs.push((path.display().to_string(), bytes));
                }
                Entry::Archive(path, mut skip) => {
                    let members = wasmir_ld::archive::read(&path).map_err(|e| failed(&path, &e))?;
                    let mut compiled = FxHashSet::default();
                    for member in members {
                        if skip(&member.name) {
                            continue;
                        }
                        if is_wir(&member.bytes) {
                            compiled.insert(member.name.clone());
                        }
                        inputs.push((format!("{}({})", path.display(), member.name), member.bytes));
                    }
                    let skip = Box::new(move |name: &str| compiled.contains(name) || skip(name));
                    inner.add_archive(&path, skip).map_err(|e| failed(&path, &e))?;
                }
            }
        }
        let debug = self.sess.opts.debuginfo != DebugInfo::None;
        let object = wasmir_ld::compile_objects(&inputs, self.exported, debug).map_err(|e| e.to_string())?;
        let path = output.with_extension("wasmir.o");
        fs::write(&path, object).map_err(|e| failed(&path, &e))?;
        inner.add_file(&path);
        let built = inner.build(output);
        fs::remove_file(&path).map_err(|e| failed(&path, &e))?;
        Ok(built)
    }
}

fn failed(path: &Path, error: &io::Error) -> String {
    format!("`{}`: {error}", path.display())
}
