//! A folder with the test programs in binary form, and the command run in it.

use std::{
    collections::VecDeque,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

/// A temporary folder that holds every program of `tests/programs`, some broken files, and a cache of its own.
pub(crate) struct Workshop {
    folder: TempDir,
}

/// What a run printed and how it ended.
pub(crate) struct Ended {
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
    /// The exit code; none when a signal ended it.
    pub(crate) code: Option<i32>,
}

impl Workshop {
    /// Assembles all programs.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
        for entry in fs::read_dir(programs).expect("the folder of programs") {
            let path = entry.expect("an entry").path();
            let bytes = wat::parse_file(&path).unwrap_or_else(|error| panic!("{error}"));
            let name = path.with_extension("wasm");
            fs::write(folder.path().join(name.file_name().expect("a name")), bytes)
                .expect("a writable folder");
        }
        let workshop = Workshop { folder };
        let cat = fs::read(workshop.path("cat.wasm")).expect("a program");
        workshop.write("truncated.wasm", &cat[..cat.len() / 2]);
        workshop.write("header.wasm", &cat[..6]);
        workshop.write("nothing.wasm", b"");
        workshop.write("text.wasm", b"(module)");
        workshop.write("source.rs", b"fn main() {}\n");
        workshop.write("native", b"\x7fELF\x02\x01\x01\0\0\0\0\0");
        workshop.write("files/note.txt", b"a note\n");
        workshop.write("latin.txt", b"f\xfcnf");
        workshop
    }

    /// A path in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file into the folder.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a writable folder");
        fs::write(path, bytes).expect("a writable folder");
    }

    /// The command, ready to run in the folder.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wasm-runner"));
        command
            .current_dir(self.folder.path())
            .env_remove("RUST_BACKTRACE")
            .env("WASMRUST_HOME", self.path("home"))
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
        command
    }

    /// Runs `command` with `input` as its standard input.
    pub(crate) fn run(&self, command: &mut Command, input: &[u8]) -> Ended {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        let input = input.to_vec();
        let feeder = std::thread::spawn(move || {
            // A guest need not read what it is given.
            let _ = stdin.write_all(&input);
        });
        let output = child.wait_with_output().expect("the command ends");
        feeder.join().expect("the feeder ends");
        Ended {
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            code: output.status.code(),
        }
    }

    /// Runs a line of a transcript.
    pub(crate) fn run_line(&self, line: &str) -> Ended {
        let mut words = split(line);
        let mut command = self.command();
        while let Some((name, value)) = words.front().and_then(|word| word.split_once('=')) {
            command.env(name, value);
            words.pop_front();
        }
        assert_eq!(words.pop_front().as_deref(), Some("wasm-runner"), "{line}");
        let mut input = Vec::new();
        while let Some(word) = words.pop_front() {
            match word.as_str() {
                "<<<" => input = words.pop_front().expect("a text").into_bytes(),
                "<" => {
                    input =
                        fs::read(self.path(&words.pop_front().expect("a file"))).expect("a file")
                }
                _ => {
                    command.arg(word);
                }
            }
        }
        self.run(&mut command, &input)
    }
}

/// The words of a line; `'…'` keeps spaces, `\n` in it is a new line.
fn split(line: &str) -> VecDeque<String> {
    let mut words = VecDeque::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let (word, after) = match rest.strip_prefix('\'') {
            Some(quoted) => {
                let (word, after) = quoted.split_once('\'').expect("a closing quote");
                (word.replace("\\n", "\n"), after)
            }
            None => {
                let (word, after) = rest.split_once(' ').unwrap_or((rest, ""));
                (word.to_owned(), after)
            }
        };
        words.push_back(word);
        rest = after.trim_start();
    }
    words
}
