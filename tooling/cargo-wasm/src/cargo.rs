//! Cargo's options as arguments again, and Cargo's run with its messages read.
//!
//! Cargo keeps standard error, so its progress, colours and warnings are what the user knows; artefacts are learnt from its
//! JSON messages on standard output (`json-render-diagnostics` leaves rendering to Cargo). A `--message-format` of the
//! user's own is honoured: its lines are read in passing and handed on.

use crate::cli::Cargo;
use crate::error::{Error, Failure, Result};
use serde::Deserialize;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Something that Cargo made.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Artifact {
    /// The crate.
    pub(crate) target: ArtifactTarget,
    /// The package's manifest.
    pub(crate) manifest_path: PathBuf,
    /// The files.
    pub(crate) filenames: Vec<PathBuf>,
}

/// The crate that an artefact was made from.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ArtifactTarget {
    /// `bin`, `example`, `cdylib`, …
    pub(crate) kind: Vec<String>,
    /// Its name in the manifest.
    #[serde(default)]
    pub(crate) name: String,
}

#[derive(Deserialize)]
struct Message<'a> {
    reason: &'a str,
}

impl Cargo {
    /// Whether the command line says which targets of the packages are meant.
    pub(crate) fn chooses_targets(&self) -> bool {
        self.lib || self.chooses_programs()
    }

    /// Whether it names binaries or examples.
    pub(crate) fn chooses_programs(&self) -> bool {
        self.bins || self.examples || !self.bin.is_empty() || !self.example.is_empty()
    }

    /// The choice among binaries and examples; all binaries when none is made.
    pub(crate) fn program_selection(&self) -> Vec<OsString> {
        let mut arguments = Arguments::default();
        arguments.switch("--bins", self.bins || !self.chooses_programs());
        arguments.each("--bin", &self.bin);
        arguments.switch("--examples", self.examples);
        arguments.each("--example", &self.example);
        arguments.0
    }

    /// The choice of packages, as given.
    pub(crate) fn package_selection(&self) -> Vec<OsString> {
        let mut arguments = Arguments::default();
        arguments.each("--package", &self.package);
        arguments.switch("--workspace", self.workspace);
        arguments.each("--exclude", &self.exclude);
        arguments.0
    }

    /// What also decides how the manifest and the lock file are read.
    pub(crate) fn resolution(&self) -> Vec<OsString> {
        let mut arguments = Arguments::default();
        arguments.switch("--locked", self.locked);
        arguments.switch("--offline", self.offline);
        arguments.switch("--frozen", self.frozen);
        arguments.each("--config", &self.config);
        arguments.each("-Z", &self.unstable);
        arguments.value("--color", self.color.as_ref());
        arguments.0
    }

    /// Everything else that is not a selection, a target or a message format.
    pub(crate) fn compilation(&self) -> Vec<OsString> {
        let mut arguments = Arguments::default();
        arguments.each("--features", &self.features);
        arguments.switch("--all-features", self.all_features);
        arguments.switch("--no-default-features", self.no_default_features);
        arguments.switch("--release", self.release);
        arguments.value("--profile", self.profile.as_ref());
        arguments.value("--jobs", self.jobs.as_ref());
        arguments.switch("--keep-going", self.keep_going);
        arguments.value("--target-dir", self.target_dir.as_ref());
        match self.timings.as_deref() {
            None => {}
            Some("") => arguments.switch("--timings", true),
            Some(formats) => arguments.0.push(format!("--timings={formats}").into()),
        }
        arguments.switch("--ignore-rust-version", self.ignore_rust_version);
        arguments.switch("--quiet", self.quiet);
        for _ in 0..self.verbose {
            arguments.switch("--verbose", true);
        }
        arguments.0.extend(self.resolution());
        arguments.0
    }

    /// Whether the user asked for JSON on standard output.
    pub(crate) fn reads_json(&self) -> bool {
        self.message_format.iter().any(|f| f.contains("json"))
    }

    /// The message format for a Cargo whose standard output we read, and whether to hand the lines on.
    fn message_format(&self) -> (String, bool) {
        let formats = self.message_format.join(",");
        if formats.contains("json") {
            (formats, true)
        } else if formats == "short" {
            (
                "json-render-diagnostics,json-diagnostic-short".into(),
                false,
            )
        } else {
            ("json-render-diagnostics".into(), false)
        }
    }
}

/// Collects a command line.
#[derive(Default)]
struct Arguments(Vec<OsString>);

impl Arguments {
    fn switch(&mut self, name: &str, on: bool) {
        if on {
            self.0.push(name.into());
        }
    }

    fn value(&mut self, name: &str, value: Option<&impl AsRef<std::ffi::OsStr>>) {
        if let Some(value) = value {
            self.0.extend([name.into(), value.as_ref().to_owned()]);
        }
    }

    fn each(&mut self, name: &str, values: &[impl AsRef<std::ffi::OsStr>]) {
        for value in values {
            self.value(name, Some(value));
        }
    }
}

/// Runs a building Cargo command to its end and returns what it made.
pub(crate) fn build(mut cargo: Command, options: &Cargo) -> Result<Vec<Artifact>> {
    let (format, forward) = options.message_format();
    cargo
        .arg("--message-format")
        .arg(format)
        .stdout(Stdio::piped());
    let mut child = cargo.spawn().map_err(|e| cannot_start(&cargo, &e))?;
    let mut artifacts = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        let mut reader = BufReader::new(stdout);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            if forward {
                // Nobody may be reading any more; the build goes on, as Cargo's does.
                let _ = std::io::stdout().write_all(&line);
            }
            artifacts.extend(artifact(&line));
            line.clear();
        }
    }
    let status = child.wait().map_err(|e| cannot_start(&cargo, &e))?;
    // Cargo has said why.
    if status.success() {
        Ok(artifacts)
    } else {
        Err(Failure::Said(1))
    }
}

/// Reads one message, when it is about an artefact. Anything else, also what build scripts print, is passed over.
fn artifact(line: &[u8]) -> Option<Artifact> {
    let message = serde_json::from_slice::<Message>(line).ok()?;
    if message.reason != "compiler-artifact" {
        return None;
    }
    serde_json::from_slice(line).ok()
}

/// Runs a Cargo command whose output is the user's business alone.
pub(crate) fn run(mut cargo: Command) -> Result<std::process::ExitStatus> {
    cargo.status().map_err(|e| cannot_start(&cargo, &e))
}

fn cannot_start(cargo: &Command, error: &std::io::Error) -> Failure {
    Error::user(format!(
        "`{}` cannot be run",
        cargo.get_program().to_string_lossy()
    ))
    .because(error)
    .hint("`cargo wasm doctor` tells what is missing")
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command as Ours};
    use clap::Parser as _;

    fn options(words: &[&str]) -> Cargo {
        let line = ["cargo-wasm", "build"].iter().chain(words);
        match Cli::try_parse_from(line).unwrap().command {
            Ours::Build(build) => build.cargo,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn options_come_out_as_they_went_in() {
        for words in [
            &[
                "--features",
                "a,b",
                "--features",
                "c",
                "--all-features",
                "--no-default-features",
            ][..],
            &["--release", "--jobs", "-1", "--keep-going"],
            &["--profile", "bench", "--target-dir", "some where"],
            &["--timings"],
            &["--timings=html,json"],
            &["--ignore-rust-version", "--quiet", "--verbose", "--verbose"],
            &[
                "--locked",
                "--offline",
                "--frozen",
                "--config",
                "build.jobs=1",
                "-Z",
                "unstable-options",
                "--color",
                "never",
            ],
        ] {
            let expected: Vec<OsString> = words.iter().map(OsString::from).collect();
            assert_eq!(options(words).compilation(), expected);
        }
        let words = [
            "--package",
            "a",
            "--package",
            "b",
            "--workspace",
            "--exclude",
            "c",
        ];
        assert_eq!(
            options(&words).package_selection(),
            words.map(OsString::from)
        );
        let words = ["--bin", "x", "--examples", "--example", "y"];
        assert_eq!(
            options(&words).program_selection(),
            words.map(OsString::from)
        );
    }

    #[test]
    fn short_forms_mean_the_long_ones() {
        assert_eq!(
            options(&["-p", "x", "-F", "y", "-r", "-j4", "-vv", "-q"]).compilation(),
            {
                options(&[
                    "--package",
                    "x",
                    "--features",
                    "y",
                    "--release",
                    "--jobs",
                    "4",
                    "--verbose",
                    "--verbose",
                    "--quiet",
                ])
                .compilation()
            }
        );
    }

    #[test]
    fn a_message_format_of_the_users_own_is_kept() {
        assert_eq!(
            options(&[]).message_format(),
            ("json-render-diagnostics".into(), false)
        );
        assert_eq!(
            options(&["--message-format", "human"]).message_format(),
            ("json-render-diagnostics".into(), false)
        );
        assert_eq!(
            options(&["--message-format=short"]).message_format().0,
            "json-render-diagnostics,json-diagnostic-short"
        );
        let own = options(&[
            "--message-format",
            "json-diagnostic-rendered-ansi,json-diagnostic-short",
        ])
        .message_format();
        assert_eq!(
            own,
            (
                "json-diagnostic-rendered-ansi,json-diagnostic-short".into(),
                true
            )
        );
    }

    #[test]
    fn only_artefacts_are_read() {
        let line = br#"{"reason":"compiler-artifact","package_id":"x","manifest_path":"/x/Cargo.toml","target":{"kind":["bin"],"crate_types":["bin"],"name":"x","src_path":"/x"},"filenames":["/t/x.wasm"],"fresh":true}"#;
        let read = artifact(line).unwrap();
        assert_eq!(
            (read.target.kind.as_slice(), read.filenames.len()),
            (&["bin".to_owned()][..], 1)
        );
        assert!(artifact(br#"{"reason":"build-finished","success":true}"#).is_none());
        assert!(artifact(b"hello from a build script").is_none());
        assert!(artifact(b"\xff\xfe").is_none());
    }
}
