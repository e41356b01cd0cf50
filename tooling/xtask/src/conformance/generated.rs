//! Generated programs: [`generate`](super::generate) makes one of every seed. What LLVM's unoptimised program prints is what LLVM's
//! optimised one and ours have to print.

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail};

use super::{
    Answer, Case, Suite, Tier, Tools, Verdict, generate, program::Program, tools::compile,
};

/// Seeds without `--seeds`.
const SEEDS: std::ops::Range<u64> = 0..300;
/// Seeds per case.
const GROUP: u64 = 20;
/// What a group prints before a program, and after it.
const BEGIN: &str = "-- seed ";
const END: &str = "-- end of seed ";
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
        let seeds: Vec<u64> = (first.parse()?..=last.parse()?).collect();
        let work = tools.work().join("generated");
        fs::create_dir_all(&work)?;
        let group = Group {
            tools,
            source: write(&work, &case.name, &seeds)?,
            work: &work,
            seeds: &seeds,
        };
        let expected = group.expected()?;
        let said = match tier {
            Tier::Llvm => group.said(Tier::Llvm, "-Copt-level=3")?,
            Tier::Ours => group.said(Tier::Ours, "-Copt-level=0")?,
        };
        let verdict = |seed: &u64| {
            let expected = expected.get(seed);
            match expected.is_some() && said.get(seed) == expected {
                true => Verdict::Passed,
                false => Verdict::Failed,
            }
        };
        let verdicts = seeds
            .iter()
            .map(|seed| (format!("seed {seed}"), verdict(seed)));
        Ok(Answer::Tests(verdicts.collect()))
    }
}

/// Writes the programs of these seeds as modules of one, which runs those that its arguments name; gives that one's file. Compiling,
/// linking and starting a program takes longer than what these do.
fn write(work: &Path, name: &str, seeds: &[u64]) -> Result<PathBuf> {
    let mut all = String::new();
    let mut table = String::new();
    for seed in seeds {
        // Into text that did not change nothing is written, so that a failure can be compiled again by hand from the same files.
        let file = format!("seed-{seed}.rs");
        keep(&work.join(&file), &generate::program(*seed))?;
        let _ = writeln!(all, "#[path = {file:?}]\nmod seed_{seed};");
        let _ = writeln!(table, "    ({seed}, seed_{seed}::main),");
    }
    let _ = writeln!(
        all,
        "\nconst PROGRAMS: &[(u64, fn())] = &[\n{table}];\n\nfn main() {{\n    \
         for seed in std::env::args().skip(1).map(|seed| seed.parse::<u64>().unwrap()) {{\n        \
         println!(\"{BEGIN}{{seed}}\");\n        \
         PROGRAMS.iter().find(|program| program.0 == seed).unwrap().1();\n        \
         println!(\"{END}{{seed}}\");\n    }}\n}}"
    );
    let path = work.join(name).with_extension("rs");
    keep(&path, &all)?;
    Ok(path)
}

/// Writes `text` to `path` unless it is there.
fn keep(path: &Path, text: &str) -> Result<()> {
    if fs::read_to_string(path).map_or(true, |old| old != text) {
        fs::write(path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    Ok(())
}

/// What each seed's program printed, if it came to its end.
type Said = BTreeMap<u64, String>;

/// A program to compile, and the seeds whose programs it holds.
struct Group<'a> {
    tools: &'a Tools,
    source: PathBuf,
    work: &'a Path,
    seeds: &'a [u64],
}

impl Group<'_> {
    /// What LLVM's unoptimised program prints: both sides of the comparison ask, so it is kept.
    fn expected(&self) -> Result<Said> {
        let mut hasher = DefaultHasher::new();
        self.tools.compiler(Tier::Llvm).words().hash(&mut hasher);
        for seed in self.seeds {
            generate::program(*seed).hash(&mut hasher);
        }
        let file = self
            .source
            .with_extension(format!("{:016x}.expected", hasher.finish()));
        if let Ok(text) = fs::read(&file)
            && let Ok(said) = serde_json::from_slice(&text)
        {
            return Ok(said);
        }
        let said = self.said(Tier::Llvm, "-Copt-level=0")?;
        fs::write(&file, serde_json::to_vec(&said)?)?;
        Ok(said)
    }

    /// What the programs print; nothing if they do not compile. The compiler's words then lie beside the source.
    fn said(&self, tier: Tier, level: &str) -> Result<Said> {
        let module = self
            .source
            .with_extension(format!("{}{level}.wasm", tier.name()));
        let mut rustc = self.tools.rustc(tier);
        rustc
            .args(["--cap-lints=allow", "-Cdebuginfo=0", level])
            .arg(&self.source)
            .arg("-o")
            .arg(&module);
        if let Err(refused) = compile(&mut rustc)? {
            let Answer::NotCompiled(words) = refused else {
                return Ok(Said::new());
            };
            fs::write(module.with_extension("err"), words)?;
            return Ok(Said::new());
        }
        let program = Program {
            engine: self.tools.engine(),
            tools: self.tools,
            module: &module,
            folder: self.work,
            patience: PATIENCE,
        };
        let mut said = Said::new();
        let mut left = self.seeds;
        while !left.is_empty() {
            let ended = program.run(left.iter().map(u64::to_string))?;
            let finished = sections(&ended.output);
            let done = left
                .iter()
                .take_while(|seed| finished.contains_key(seed))
                .count();
            said.extend(finished);
            // The next one ended the program, or did not end: it has said nothing that counts.
            left = left.get(done + 1..).unwrap_or_default();
        }
        fs::write(
            module.with_extension("out"),
            serde_json::to_vec_pretty(&said)?,
        )?;
        fs::remove_file(&module)?;
        Ok(said)
    }
}

/// What stands between the lines that a group prints before and after each program.
fn sections(output: &str) -> Said {
    let mut said = Said::new();
    let mut current: Option<(u64, String)> = None;
    for line in output.lines() {
        if let Some(seed) = line.strip_prefix(BEGIN).and_then(|seed| seed.parse().ok()) {
            current = Some((seed, String::new()));
        } else if let Some(seed) = line
            .strip_prefix(END)
            .and_then(|seed| seed.parse::<u64>().ok())
        {
            said.extend(current.take().filter(|(begun, _)| *begun == seed));
        } else if let Some((_, text)) = &mut current {
            text.push_str(line);
            text.push('\n');
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_does_not_end_has_said_nothing() {
        let output = format!("{BEGIN}3\na\nb\n{END}3\n{BEGIN}4\n{END}4\n{BEGIN}5\nhalf");
        let expected = Said::from([(3, "a\nb\n".to_owned()), (4, String::new())]);
        assert_eq!(sections(&output), expected);
    }
}
