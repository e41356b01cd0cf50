//! The standard library's own tests: `library/coretests` and `library/alloctests` of the release that both compilers are.

use std::fs;

use anyhow::{Context, Result};

use super::{Answer, Case, Suite, Tier, Tools, package, tools::copy_folder};

/// The tests of one crate of the standard library.
pub(super) struct Library {
    name: &'static str,
    about: &'static str,
    package: &'static str,
    /// Which of its tests: the benchmarks, which Cargo counts among them, are left out.
    tests: &'static [&'static str],
    /// Folders that the tests include files of.
    beside: &'static [&'static str],
}

impl Library {
    pub(super) const CORE: Library = Library {
        name: "core",
        about: "The tests of `core` (`library/coretests`).",
        package: "coretests",
        tests: &["--test", "coretests"],
        beside: &[],
    };
    pub(super) const ALLOC: Library = Library {
        name: "alloc",
        about: "The tests of `alloc` (`library/alloctests`).",
        package: "alloctests",
        tests: &[
            "--lib",
            "--test",
            "alloctests",
            "--test",
            "vec_deque_alloc_error",
        ],
        beside: &["alloc"],
    };
}

impl Suite for Library {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn cases(&self, tools: &Tools) -> Result<Vec<Case>> {
        let release = tools
            .compiler(Tier::Llvm)
            .words()
            .lines()
            .find_map(|line| line.strip_prefix("release: "));
        Ok(vec![Case {
            name: self.package.to_owned(),
            version: release
                .context("rustc does not say which release it is")?
                .to_owned(),
            key: String::new(),
        }])
    }

    fn run(&self, case: &Case, tools: &Tools, tier: Tier) -> Result<Answer> {
        let source = tools.library_source()?;
        // Folders of one's own for each compiler, so that Cargo tells by their files' times what it has built.
        let work = tools.work().join("library").join(tier.name());
        let folder = work.join(&case.name);
        for name in self.beside.iter().chain([&self.package]) {
            if !work.join(name).exists() || *name == self.package {
                copy_folder(&source.join(name), &work.join(name))?;
            }
        }
        // A workspace of its own, without debug information.
        let manifest = folder.join("Cargo.toml");
        let text = fs::read_to_string(&manifest)
            .with_context(|| format!("cannot read `{}`", manifest.display()))?;
        let added = "\n[workspace]\n[profile.dev]\ndebug = false\n";
        fs::write(&manifest, text + added)
            .with_context(|| format!("cannot write `{}`", manifest.display()))?;
        let tests: Vec<String> = self.tests.iter().map(|&option| option.to_owned()).collect();
        package::test(tools, tier, &folder, &tests)
    }
}
