//! Runs one target and reads what libFuzzer says.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, Result};

use super::{Options, Target, build::State};

/// What came of a run.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// The target's name.
    pub target: String,
    /// How often the target ran.
    pub executions: u64,
    /// How long that took.
    pub seconds: u32,
    /// CPU time of all processes, in seconds; as long as it took where the system does not tell.
    pub cpu_seconds: u32,
    /// Edges of the control flow that were reached.
    pub edges: u64,
    /// All edges of the program, libraries included.
    pub all_edges: u64,
    /// Inputs in the corpus.
    pub corpus: u64,
    /// Inputs that failed in this run.
    pub findings: Vec<PathBuf>,
}

/// The most memory that an input may cost, in MB, and the longest that it may take, in seconds.
const LIMITS: [&str; 2] = ["-rss_limit_mb=2048", "-timeout=20"];

/// Runs `program` for as long as the options say, or on the inputs they name.
pub(super) fn run(
    target: &Target,
    program: &Path,
    state: &State,
    options: &Options,
) -> Result<Outcome> {
    let mut command = Command::new(program);
    command.args(LIMITS);
    command.arg(format!("-artifact_prefix={}/", state.findings.display()));
    if options.inputs.is_empty() {
        command.arg("-print_final_stats=1");
        command.arg(format!("-max_total_time={}", options.seconds));
        if options.jobs > 1 {
            command.arg(format!("-fork={}", options.jobs));
        }
        command.args(&options.arguments);
        command.arg(&state.corpus).arg(&state.seeds);
    } else {
        command.args(&options.arguments).args(&options.inputs);
    }
    let before = files(&state.findings)?;
    let mut outcome = Outcome {
        target: target.name(),
        ..Outcome::default()
    };
    eprintln!("{}: {} s", outcome.target, options.seconds);
    let start = std::time::Instant::now();
    let (status, cpu) = follow(command, state, &mut outcome)?;
    outcome.seconds = whole(start.elapsed());
    outcome.cpu_seconds = cpu.map_or(outcome.seconds, whole);
    outcome.corpus = files(&state.corpus)?.len() as u64;
    outcome.findings = files(&state.findings)?
        .into_iter()
        .filter(|file| !before.contains(file))
        .filter(|file| !name_of(file).starts_with("slow-unit-"))
        .collect();
    if !status.success() && outcome.findings.is_empty() {
        // The input that failed is an old one, from the corpus or the command line.
        outcome.findings.extend(options.inputs.iter().cloned());
        if options.inputs.is_empty() {
            outcome.findings.push(state.log.clone());
        }
    }
    for finding in &outcome.findings {
        eprintln!(
            "{}: failed on `{}` ({status})\nhelp: `cargo xtask fuzz {} --input {}` runs it again; all that was said is in `{}`",
            outcome.target,
            finding.display(),
            outcome.target,
            finding.display(),
            state.log.display()
        );
    }
    Ok(outcome)
}

fn whole(time: Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}

/// Starts the program, keeps what it says in the log, and reads the figures out of it. Lines that are not of libFuzzer's
/// progress, those of a panic for instance, are shown.
fn follow(
    mut command: Command,
    state: &State,
    outcome: &mut Outcome,
) -> Result<(ExitStatus, Option<Duration>)> {
    let mut log = File::create(&state.log)
        .with_context(|| format!("cannot write `{}`", state.log.display()))?;
    writeln!(log, "{command:?}")?;
    let mut child = command
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{}`", command.get_program().display()))?;
    let stderr = child.stderr.take().context("libFuzzer's output is piped")?;
    // Inputs may be printed, and need not be text.
    for line in BufReader::new(stderr).split(b'\n') {
        let line = line?;
        log.write_all(&line)?;
        log.write_all(b"\n")?;
        let line = String::from_utf8_lossy(&line);
        if !outcome.read(&line) && is_of_the_target(&line) {
            eprintln!("{line}");
        }
    }
    let (status, cpu, _) = crate::bench::wait(child)?;
    Ok((status, cpu))
}

impl Outcome {
    /// Takes the figures out of a line; false if it holds none.
    fn read(&mut self, line: &str) -> bool {
        if let Some((_, tail)) = line.split_once("inline 8-bit counters): ") {
            self.all_edges = number(tail);
            return true;
        }
        if let Some(executions) = line.strip_prefix("stat::number_of_executed_units:") {
            self.executions = number(executions.trim());
            return true;
        }
        // `#1234  NEW    cov: 12 ft: 34 corp: …`, and `#1234: cov: …` of the parent of several processes.
        let Some(tail) = line.strip_prefix('#') else {
            return false;
        };
        if !tail.starts_with(|c: char| c.is_ascii_digit()) {
            return false;
        }
        self.executions = self.executions.max(number(tail));
        if let Some((_, tail)) = line.split_once("cov: ") {
            self.edges = self.edges.max(number(tail));
        }
        true
    }
}

/// The number that `text` begins with.
fn number(text: &str) -> u64 {
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(0)
}

/// Whether a line is not of libFuzzer's own talk about its progress.
fn is_of_the_target(line: &str) -> bool {
    let talk = [
        "INFO:",
        "WARNING: Failed to find function",
        "\tNEW_FUNC",
        "stat::",
        "###### ",
        "# Uses",
        "Done ",
        "MS: ",
        "0x",
    ];
    let dictionary = line.starts_with('"') && line.contains("# Uses:");
    !line.trim().is_empty() && !dictionary && !talk.iter().any(|start| line.starts_with(start))
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let read = |entry: std::io::Result<fs::DirEntry>| entry.map(|entry| entry.path());
    let mut files = fs::read_dir(folder)
        .with_context(|| format!("cannot read `{}`", folder.display()))?
        .map(read)
        .collect::<std::io::Result<Vec<_>>>()?;
    files.sort();
    Ok(files)
}

fn name_of(file: &Path) -> std::borrow::Cow<'_, str> {
    file.file_name().unwrap_or_default().to_string_lossy()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_from_what_libfuzzer_says() {
        let mut outcome = Outcome::default();
        for line in [
            "INFO: Loaded 1 modules   (28225 inline 8-bit counters): 28225 [0x55fa1abb1230, 0x55fa1abb8071), ",
            "#2\tINITED cov: 2448 ft: 2448 corp: 1/6402b exec/s: 0 rss: 29Mb",
            "#27962\tDONE   cov: 4020 ft: 9000 corp: 900/1Mb lim: 6402 exec/s: 2542 rss: 34Mb",
        ] {
            assert!(outcome.read(line), "{line}");
        }
        assert_eq!(outcome.all_edges, 28225);
        assert_eq!((outcome.executions, outcome.edges), (27962, 4020));
        assert!(outcome.read(
            "#30000: cov: 4100 ft: 9100 corp: 950 exec/s 0 oom/timeout/crash: 0/0/0 time: 2s job: 1"
        ));
        assert_eq!((outcome.executions, outcome.edges), (30000, 4100));
        assert!(outcome.read("stat::number_of_executed_units: 30001"));
        assert_eq!(outcome.executions, 30001);
    }

    #[test]
    fn only_what_the_target_says_is_shown() {
        assert!(is_of_the_target(
            "thread '<unnamed>' panicked at src/lib.rs:1:1:"
        ));
        assert!(is_of_the_target("SUMMARY: libFuzzer: deadly signal"));
        assert!(!is_of_the_target("INFO: Seed: 2892558069"));
        assert!(!is_of_the_target("\"u\\000\" # Uses: 2"));
        assert!(!is_of_the_target("\tNEW_FUNC[1/71]: 0x55fa1a9ff191"));
    }
}
