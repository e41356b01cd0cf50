//! Generated programs: [`generate`](super::generate) makes one of every seed. What LLVM's unoptimised program prints is what LLVM's
//! optimised one and ours have to print.

use std::{
    collections::BTreeMap,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Result, bail};

use super::{
    Answer, Case, Suite, Tier, Tools, Verdict, generate, program::Program, tools::compile,
};

/// Seeds without `--seeds`.
const SEEDS: std::ops::Range<u64> = 0..300;
/// Seeds per case.
const GROUP: u64 = 20;
/// For how long a program may print nothing.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Generated;

impl Suite for Generated {
    fn name(&self) -> &'static str {
        "generated"
    }

    fn about(&self) -> &'static str {
        "Programs made from seeds: LLVM at -O0, LLVM at -O3 and ours print the same. \"Pass with LLVM\" counts those for which both of \
         LLVM's agree."
    }

    fn is_own(&self) -> bool {
        true
    }

    fn cases(&self, tools: &Tools) -> Result<Vec<Case>> {
        let seeds = tools.seeds().unwrap_or(SEEDS);
        let groups = seeds.start / GROUP..seeds.end.div_ceil(GROUP);
        let case = |group: u64| {
            let (first, end) = (
                (group * GROUP).max(seeds.start),
                ((group + 1) * GROUP).min(seeds.end),
            );
            Case {
                name: format!("seeds-{first}-{}", end - 1),
                version: String::new(),
                key: (first..end).map(generate::program).collect(),
            }
        };
        Ok(groups.map(case).collect())
    }

    fn run(&self, case: &Case, tools: &Tools, tier: Tier) -> Result<Answer> {
        let Some((first, last)) = case
            .name
            .strip_prefix("seeds-")
            .and_then(|rest| rest.split_once('-'))
        else {
            bail!("`{}` names no seeds", case.name)
        };
        let work = tools.work().join("generated");
        fs::create_dir_all(&work)?;
        let mut verdicts = BTreeMap::new();
        for seed in first.parse::<u64>()?..=last.parse()? {
            let source = work.join(format!("seed-{seed}.rs"));
            let text = generate::program(seed);
            if fs::read_to_string(&source).map_or(true, |old| old != text) {
                fs::write(&source, text)?;
            }
            let one = One {
                tools,
                source: &source,
                work: &work,
            };
            let expected = one.expected()?;
            let said = match tier {
                Tier::Llvm => one.said(Tier::Llvm, "-Copt-level=3")?,
                Tier::Ours => one.said(Tier::Ours, "-Copt-level=0")?,
            };
            let ended = expected
                .as_ref()
                .is_some_and(|text| text.ends_with("exit code Some(0)\n"));
            let verdict = if ended && said == expected {
                Verdict::Passed
            } else {
                Verdict::Failed
            };
            verdicts.insert(format!("seed {seed}"), verdict);
        }
        Ok(Answer::Tests(verdicts))
    }
}

/// A program to compile.
struct One<'a> {
    tools: &'a Tools,
    source: &'a Path,
    work: &'a Path,
}

impl One<'_> {
    /// What LLVM's unoptimised program prints: both sides of the comparison ask, so it is kept.
    fn expected(&self) -> Result<Option<String>> {
        let mut hasher = DefaultHasher::new();
        (
            self.tools.compiler(Tier::Llvm).words(),
            fs::read(self.source)?,
        )
            .hash(&mut hasher);
        let file = self
            .source
            .with_extension(format!("{:016x}.expected", hasher.finish()));
        if let Ok(text) = fs::read_to_string(&file) {
            return Ok(Some(text));
        }
        let said = self.said(Tier::Llvm, "-Copt-level=0")?;
        if let Some(text) = &said {
            fs::write(&file, text)?;
        }
        Ok(said)
    }

    /// What the program prints, and its exit code; `None` if it does not compile.
    fn said(&self, tier: Tier, level: &str) -> Result<Option<String>> {
        let stem = self
            .source
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy();
        let module: PathBuf = self
            .work
            .join(format!("{stem}.{}{level}.wasm", tier.name()));
        let mut rustc = self.tools.rustc(tier);
        rustc
            .args(["--cap-lints=allow", "-Cdebuginfo=0", level])
            .arg(self.source)
            .arg("-o")
            .arg(&module);
        if let Err(refused) = compile(&mut rustc)? {
            let Answer::NotCompiled(words) = refused else {
                return Ok(None);
            };
            fs::write(module.with_extension("err"), words)?;
            return Ok(None);
        }
        let program = Program {
            tools: self.tools,
            module: &module,
            folder: self.work,
            patience: PATIENCE,
        };
        let ended = program.run([""; 0])?;
        let said = format!(
            "{}{}exit code {:?}\n",
            ended.output, ended.errors, ended.code
        );
        fs::write(module.with_extension("out"), &said)?;
        fs::remove_file(&module)?;
        Ok(Some(said))
    }
}
