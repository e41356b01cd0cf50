//! Counts lines, words and bytes of each file named on the command line, or of standard input.
//!
//! It shows what a component may touch: standard input is given, a folder has to be (`--dir`).

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::ops::AddAssign;
use std::process::ExitCode;

#[derive(Clone, Copy, Default, Debug, PartialEq)]
struct Counts {
    lines: u64,
    words: u64,
    bytes: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.lines += other.lines;
        self.words += other.words;
        self.bytes += other.bytes;
    }
}

impl Counts {
    /// Counts what `input` holds, one line in memory at a time. Words are divided by ASCII white space.
    fn of(mut input: impl BufRead) -> io::Result<Counts> {
        let (mut counts, mut line) = (Counts::default(), Vec::new());
        loop {
            line.clear();
            let length = input.read_until(b'\n', &mut line)?;
            if length == 0 {
                return Ok(counts);
            }
            counts += Counts {
                lines: u64::from(line.ends_with(b"\n")),
                words: line
                    .split(u8::is_ascii_whitespace)
                    .filter(|word| !word.is_empty())
                    .count() as u64,
                bytes: length as u64,
            };
        }
    }

    fn print(&self, name: &str) {
        println!(
            "{:>8} {:>8} {:>8} {name}",
            self.lines, self.words, self.bytes
        );
    }
}

fn main() -> ExitCode {
    let files: Vec<String> = std::env::args().skip(1).collect();
    if files.is_empty() {
        return match Counts::of(io::stdin().lock()) {
            Ok(counts) => {
                counts.print("");
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("wordcount: standard input: {error}");
                ExitCode::FAILURE
            }
        };
    }
    let (mut total, mut status) = (Counts::default(), ExitCode::SUCCESS);
    for name in &files {
        match File::open(name).and_then(|file| Counts::of(BufReader::new(file))) {
            Ok(counts) => {
                counts.print(name);
                total += counts;
            }
            Err(error) => {
                eprintln!("wordcount: {name}: {error}");
                status = ExitCode::FAILURE;
            }
        }
    }
    if files.len() > 1 {
        total.print("total");
    }
    status
}

#[cfg(test)]
mod tests {
    use super::Counts;

    #[test]
    fn words_lines_and_bytes_are_counted() {
        let counts = |text: &str| Counts::of(text.as_bytes()).expect("memory can be read");
        assert_eq!(counts(""), Counts::default());
        assert_eq!(
            counts("one two  three\nfour\n\nlast"),
            Counts {
                lines: 3,
                words: 5,
                bytes: 25
            }
        );
        assert_eq!(
            counts("ö\t ü\n"),
            Counts {
                lines: 1,
                words: 2,
                bytes: 7
            }
        );
    }
}
