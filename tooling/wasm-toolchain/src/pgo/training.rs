//! What the linker of the MIR front end learns from: text, collections, sorting, formatting and dynamic calls, as programs have them.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt::{self, Display};
use std::io::{self, BufRead, Write};

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Number(f64),
    Word(String),
    Sign(char),
}

#[derive(Debug)]
enum Problem {
    Number(String),
    Sign(char),
    Io(io::Error),
}

impl Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Number(text) => write!(f, "`{text}` is no number"),
            Problem::Sign(sign) => write!(f, "`{sign}` means nothing here"),
            Problem::Io(error) => error.fmt(f),
        }
    }
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Problem {
        Problem::Io(error)
    }
}

fn tokens(line: &str) -> Result<Vec<Token>, Problem> {
    let mut found = Vec::new();
    let mut rest = line.chars().peekable();
    while let Some(&next) = rest.peek() {
        if next.is_whitespace() {
            rest.next();
        } else if next.is_ascii_digit() {
            let mut text = String::new();
            while let Some(c) = rest.next_if(|c| c.is_ascii_digit() || *c == '.') {
                text.push(c);
            }
            found.push(Token::Number(text.parse().map_err(|_| Problem::Number(text))?));
        } else if next.is_alphabetic() {
            let mut text = String::new();
            while let Some(c) = rest.next_if(|c| c.is_alphanumeric()) {
                text.extend(c.to_lowercase());
            }
            found.push(Token::Word(text));
        } else if "+-*/(),.;:!?".contains(next) {
            rest.next();
            found.push(Token::Sign(next));
        } else {
            return Err(Problem::Sign(next));
        }
    }
    Ok(found)
}

trait Measure {
    fn see(&mut self, token: &Token);
    fn tell(&self, out: &mut dyn Write) -> io::Result<()>;
}

#[derive(Default)]
struct Words {
    counts: HashMap<String, usize>,
}

impl Measure for Words {
    fn see(&mut self, token: &Token) {
        if let Token::Word(word) = token {
            *self.counts.entry(word.clone()).or_default() += 1;
        }
    }

    fn tell(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut all: Vec<_> = self.counts.iter().collect();
        all.sort_by(|a, b| b.1.cmp(a.1).then_with(|| a.0.cmp(b.0)));
        for (place, (word, count)) in all.into_iter().take(10).enumerate() {
            writeln!(out, "{place:>3} {word:<20} {count}")?;
        }
        Ok(())
    }
}

#[derive(Default)]
struct Numbers {
    seen: BTreeMap<u64, f64>,
    last: VecDeque<f64>,
}

impl Measure for Numbers {
    fn see(&mut self, token: &Token) {
        if let Token::Number(number) = *token {
            self.seen.insert(number.to_bits(), number);
            self.last.push_back(number);
            if self.last.len() > 8 {
                self.last.pop_front();
            }
        }
    }

    fn tell(&self, out: &mut dyn Write) -> io::Result<()> {
        let sum: f64 = self.seen.values().sum();
        let mean = self.last.iter().sum::<f64>() / self.last.len().max(1) as f64;
        writeln!(out, "{} numbers, {sum:.3} in all, {mean:e} of late", self.seen.len())
    }
}

fn run() -> Result<(), Problem> {
    let mut measures: Vec<Box<dyn Measure>> = vec![Box::<Words>::default(), Box::<Numbers>::default()];
    let mut checksum = 0u32;
    for line in io::stdin().lock().lines() {
        let line = line?;
        checksum = line.bytes().fold(checksum, |sum, byte| sum.rotate_left(5) ^ u32::from(byte));
        for token in tokens(&line)? {
            measures.iter_mut().for_each(|measure| measure.see(&token));
        }
    }
    let mut out = io::stdout().lock();
    for measure in &measures {
        measure.tell(&mut out)?;
    }
    writeln!(out, "{checksum:#010x}")?;
    Ok(())
}

fn main() {
    if let Err(problem) = run() {
        eprintln!("error: {problem}");
        std::process::exit(1);
    }
}
